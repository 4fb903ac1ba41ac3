import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { admin, organization } from 'better-auth/plugins'
import { describe, expect, it } from 'vitest'
import { creditkit, type CreditkitPluginOptions } from '../../adapters/better-auth.js'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService, type CreditServiceOptions, UnavailableError } from '../../src/index.js'
import type { Logger } from '../../src/ports/logger.js'

type Types = 'calls' | 'tokens'

/** A host with an in-memory better-auth, its plugin, and what the plugin had to report. */
function host(
  plugin: Partial<CreditkitPluginOptions<Types>> = {},
  { store = memoryStore() }: Pick<CreditServiceOptions, 'store'> = {},
) {
  const credits = new CreditService({ creditTypes: ['calls', 'tokens'], store, cache: null })
  const reports: { message: string; userId: unknown }[] = []
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (details, message) => void reports.push({ message, userId: Reflect.get(details, 'userId') }),
  }
  const auth = betterAuth({
    baseURL: 'http://localhost:3000',
    secret: 'a secret of the test, long enough for better-auth',
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], organization: [], member: [] }),
    emailAndPassword: { enabled: true },
    user: { deleteUser: { enabled: true } },
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    logger: { disabled: true },
    plugins: [admin(), organization(), creditkit({ credits, logger, ...plugin })],
  })
  const person = { email: 'ada@example.com', password: 'correct horse battery' }
  const signUp = async () => {
    const { user } = await auth.api.signUpEmail({ body: { ...person, name: 'Ada' } })
    return user.id
  }
  /** As the browser has it: its cookies. */
  const signIn = async () => {
    const { headers } = await auth.api.signInEmail({ body: person, returnHeaders: true })
    return new Headers({
      cookie: headers
        .getSetCookie()
        .map((cookie) => cookie.split(';')[0])
        .join('; '),
    })
  }
  return { auth, credits, reports, signUp, signIn }
}

describe('the better-auth plugin', () => {
  it('gives a new user their sign-up credits once, however often they sign in and change their profile', async () => {
    const { auth, credits, signUp, signIn } = host({ signUp: { amount: 100, creditType: 'calls' } })
    const userId = await signUp()
    expect(await credits.getBalance(userId, 'calls')).toBe(100)
    const headers = await signIn()
    await auth.api.updateUser({ body: { name: 'Ada Lovelace' }, headers })
    const [grant, ...more] = await credits.getTransactionHistory(userId)
    expect(more).toEqual([])
    expect(grant).toMatchObject({ amount: 100, creditType: 'calls', description: 'Sign-up credits' })
    expect(await credits.getGrants(userId, 'calls')).toMatchObject([{ source: 'promotional', expiresAt: null }])
  })

  it('lets sign-up credits end so many days after the sign-up', async () => {
    const { credits, signUp } = host({
      signUp: { amount: 5, creditType: 'tokens', expiresInDays: 30, description: 'Hello' },
    })
    const before = Date.now()
    const userId = await signUp()
    const [grant] = await credits.getGrants(userId, 'tokens')
    const lifeMs = (grant?.expiresAt?.getTime() ?? 0) - before
    expect(Math.round(lifeMs / 86_400_000)).toBe(30)
    expect((await credits.getTransactionHistory(userId))[0]?.description).toBe('Hello')
  })

  it('gives them when the host says so: here, once the email is verified', async () => {
    const { auth, credits, signUp } = host({
      signUp: (user) => (user.emailVerified ? { amount: 50, creditType: 'calls' } : null),
    })
    const userId = await signUp()
    expect(await credits.getBalance(userId, 'calls')).toBe(0)
    const { internalAdapter } = await auth.$context
    await internalAdapter.updateUser(userId, { emailVerified: true })
    expect(await credits.getBalance(userId, 'calls')).toBe(50)
  })

  it('keeps the first grant when the host has changed its mind about the amount', async () => {
    let amount = 100
    const { credits, reports, signUp, signIn } = host({ signUp: () => ({ amount, creditType: 'calls' }) })
    const userId = await signUp()
    amount = 500
    await signIn()
    expect(await credits.getBalance(userId, 'calls')).toBe(100)
    expect(reports).toEqual([])
  })

  it('lets people sign up while credits are down, and gives them theirs with the next sign-in', async () => {
    const store = memoryStore()
    const update = store.update.bind(store)
    store.update = async () => {
      throw new UnavailableError('down')
    }
    const { credits, reports, signUp, signIn } = host({ signUp: { amount: 100, creditType: 'calls' } }, { store })
    const userId = await signUp()
    expect(reports).toContainEqual({ message: 'sign-up credits could not be given', userId })
    expect(await credits.getBalance(userId, 'calls')).toBe(0)
    store.update = update
    await signIn()
    await signIn()
    expect(await credits.getBalance(userId, 'calls')).toBe(100)
  })

  it('gives nothing to users who were there long before it', async () => {
    const { auth, credits, signUp, signIn } = host({ signUp: (user) => (user.name === 'Ada' ? null : GIVEN) })
    const userId = await signUp()
    const { internalAdapter } = await auth.$context
    await internalAdapter.updateUser(userId, { createdAt: new Date(Date.now() - 8 * 86_400_000), name: 'Old Ada' })
    await signIn()
    expect(await credits.getBalance(userId, 'calls')).toBe(0)
    await internalAdapter.updateUser(userId, { createdAt: new Date() })
    expect(await credits.getBalance(userId, 'calls')).toBe(GIVEN.amount)
  })

  it('forgets a deleted user where the host asks for it', async () => {
    const { auth, credits, signUp, signIn } = host({ signUp: GIVEN, onUserDeleted: 'anonymize' })
    const userId = await signUp()
    await auth.api.deleteUser({ body: { password: 'correct horse battery' }, headers: await signIn() })
    expect(await credits.getTransactionHistory(userId)).toEqual([])
    const { users } = await credits.findUsers()
    expect(users.map((user) => user.userId)).toEqual([expect.stringMatching(/^anonymous:/)])
    expect((await credits.verify()).violations).toEqual([])
  })

  it('keeps the ledger of a deleted user by default', async () => {
    const { auth, credits, signUp, signIn } = host({ signUp: GIVEN })
    const userId = await signUp()
    await auth.api.deleteUser({ body: { password: 'correct horse battery' }, headers: await signIn() })
    expect(await credits.getBalance(userId, 'calls')).toBe(GIVEN.amount)
  })

  it('reports a deleted user who could not be forgotten, and deletes them all the same', async () => {
    const store = memoryStore()
    const { auth, reports, signUp, signIn } = host({ onUserDeleted: 'anonymize' }, { store })
    const userId = await signUp()
    store.anonymizeUser = async () => {
      throw new Error('a defect')
    }
    await auth.api.deleteUser({ body: { password: 'correct horse battery' }, headers: await signIn() })
    expect(reports).toEqual([{ message: 'a deleted user could not be anonymized', userId }])
    const { internalAdapter } = await auth.$context
    expect(await internalAdapter.findUserById(userId)).toBeNull()
  })

  it('refuses a credit type that the service does not know, when the code is compiled', () => {
    const credits = new CreditService({ creditTypes: ['calls', 'tokens'], store: memoryStore() })
    // @ts-expect-error There is no such credit type.
    creditkit({ credits, signUp: { amount: 1, creditType: 'coffee' } })
    // @ts-expect-error With two credit types, one must be named.
    creditkit({ credits, signUp: { amount: 1 } })
    expect(creditkit({ credits, signUp: { amount: 1, creditType: 'tokens' } }).id).toBe('creditkit')
  })
})

const GIVEN = { amount: 10, creditType: 'calls' } as const
