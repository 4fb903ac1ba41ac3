import { betterAuth, type BetterAuthOptions } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { admin, organization } from 'better-auth/plugins'
import { describe, expect, it } from 'vitest'
import { authenticateWith } from '../../adapters/better-auth.js'
import { createConsole } from '../../adapters/console/index.js'
import { memoryStore } from '../../adapters/memory/store.js'
import { createCreditsApi } from '../../src/api/index.js'
import { CreditService } from '../../src/index.js'

/** What every host of these tests has. */
function settings() {
  const tables = { user: [], session: [], account: [], verification: [], organization: [], member: [], invitation: [] }
  return {
    baseURL: 'http://localhost:3000',
    secret: 'a secret of the test, long enough for better-auth',
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    logger: { disabled: true },
  } satisfies BetterAuthOptions
}

interface Signs {
  api: {
    signUpEmail: (input: {
      body: { email: string; password: string; name: string }
      returnHeaders: true
    }) => Promise<{ headers: Headers; response: { user: { id: string } } }>
  }
}

/** A new user's id, and their browser's cookies. */
async function signUp(auth: Signs, name = 'ada'): Promise<{ userId: string; headers: Headers }> {
  const body = { email: `${name}@example.com`, password: 'correct horse battery', name }
  const { headers, response } = await auth.api.signUpEmail({ body, returnHeaders: true })
  return { userId: response.user.id, headers: new Headers({ cookie: cookiesOf(headers) }) }
}

function cookiesOf(headers: Headers): string {
  return headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ')
}

const asking = (headers?: Headers) => new Request('http://localhost:3000/api/credits/balances', headers && { headers })

describe('authenticateWith', () => {
  it('says who is signed in, and nobody where nobody is', async () => {
    const auth = betterAuth({ ...settings(), plugins: [admin()] })
    const authenticate = authenticateWith(auth)
    const { userId, headers } = await signUp(auth)
    expect(await authenticate(asking(headers))).toEqual({ userId, isAdmin: false })
    expect(await authenticate(asking())).toBeNull()
    expect(await authenticate(asking(new Headers({ cookie: 'better-auth.session_token=forged.forged' })))).toBeNull()
  })

  it('opens the REST door and the console to users of better-auth', async () => {
    const auth = betterAuth({ ...settings(), plugins: [admin()] })
    const credits = new CreditService({ store: memoryStore() })
    const authenticate = authenticateWith(auth)
    const api = createCreditsApi(credits, { authenticate })
    const pages = createConsole({ credits, authenticate })
    const { userId, headers } = await signUp(auth)
    await credits.addCredits(userId, 7, 'calling', 'Welcome')
    expect(await (await api(asking(headers))).json()).toMatchObject({ calling: { balance: 7 } })
    expect((await api(asking())).status).toBe(401)
    const page = await pages(new Request('http://localhost:3000/credits', { headers }))
    expect([page.status, (await page.text()).includes('Calling')]).toEqual([200, true])
  })

  it('takes whom the admin plugin calls an administrator for one', async () => {
    const auth = betterAuth({ ...settings(), plugins: [admin()] })
    const authenticate = authenticateWith(auth)
    const { internalAdapter } = await auth.$context
    const { userId, headers } = await signUp(auth)
    const roles = ['admin', 'user,admin', 'user', 'administrator', 'Admin', '']
    const found = []
    for (const role of roles) {
      await internalAdapter.updateUser(userId, { role })
      found.push((await authenticate(asking(headers)))?.isAdmin)
    }
    expect(found).toEqual([true, true, false, false, false, false])
  })

  it('knows the admin plugin by its own options', async () => {
    const adminUserIds: string[] = []
    const auth = betterAuth({ ...settings(), plugins: [admin({ adminRoles: ['user'], adminUserIds })] })
    const { headers } = await signUp(auth)
    expect(await authenticateWith(auth)(asking(headers))).toMatchObject({ isAdmin: true })
    const byId = betterAuth({ ...settings(), plugins: [admin({ adminUserIds })] })
    const { userId, headers: others } = await signUp(byId)
    expect(await authenticateWith(byId)(asking(others))).toMatchObject({ isAdmin: false })
    adminUserIds.push(userId)
    expect(await authenticateWith(byId)(asking(others))).toMatchObject({ isAdmin: true })
  })

  it('believes no role where there is no admin plugin: it may be what users say of themselves', async () => {
    const additionalFields = { role: { type: 'string', required: false, input: true } } as const
    const auth = betterAuth({ ...settings(), user: { additionalFields } })
    const { userId, headers } = await signUp(auth)
    await auth.api.updateUser({ body: { role: 'admin' }, headers })
    expect((await auth.api.getSession({ headers }))?.user.role).toBe('admin')
    expect(await authenticateWith(auth)(asking(headers))).toEqual({ userId, isAdmin: false })
    const trusting = authenticateWith(auth, { isAdmin: ({ user }) => user.role === 'admin' })
    expect(await trusting(asking(headers))).toEqual({ userId, isAdmin: true })
  })

  it('asks the database whether an administrator still is one, though sessions come from a cookie', async () => {
    const session = { cookieCache: { enabled: true, maxAge: 300 } }
    const auth = betterAuth({ ...settings(), session, plugins: [admin({ defaultRole: 'admin' })] })
    const { userId, headers } = await signUp(auth)
    const authenticate = authenticateWith(auth)
    expect(await authenticate(asking(headers))).toEqual({ userId, isAdmin: true })
    const { internalAdapter } = await auth.$context
    await internalAdapter.updateUser(userId, { role: 'user' })
    expect((await auth.api.getSession({ headers }))?.user.role).toBe('admin')
    expect(await authenticate(asking(headers))).toEqual({ userId, isAdmin: false })
  })

  it('lets the host say whose credits they are: here, the organisation that is active', async () => {
    const auth = betterAuth({ ...settings(), plugins: [organization()] })
    const authenticate = authenticateWith(auth, { userId: ({ session }) => session.activeOrganizationId })
    const { headers } = await signUp(auth)
    expect(await authenticate(asking(headers))).toBeNull()
    const made = await auth.api.createOrganization({ body: { name: 'Engines', slug: 'engines' }, headers })
    expect(await authenticate(asking(headers))).toEqual({ userId: made.id, isAdmin: false })
  })
})
