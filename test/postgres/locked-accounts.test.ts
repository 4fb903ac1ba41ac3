import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import type { CreditStore, SpendOutcome } from '../../src/ports/store.js'
import { type AccountLock, lockAccounts } from '../support/account-lock.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

let database: TestDatabase
let direct: CreditService

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  direct = new CreditService({ store: postgresStore(database.url) })
})
afterAll(async () => {
  await direct.close()
  await database.drop()
})

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

async function newUsers(count: number): Promise<string[]> {
  const users = times(count, () => `user-${randomUUID()}`)
  await Promise.all(users.map((userId) => direct.addCredits(userId, 100, 'calling', 'Gift')))
  return users
}

/** One statement of the fast path: what it was asked, and what it answered. */
interface Sent {
  users: string[]
  wait: boolean
  outcomes: SpendOutcome['status'][]
}

/** The same store, and what its fast path is asked. */
function watched(store: CreditStore): { store: CreditStore; sent: Sent[] } {
  const sent: Sent[] = []
  const spend = store.spend?.bind(store)
  if (spend === undefined) throw new Error('watched: the store has no fast path')
  const watching: CreditStore['spend'] = async (commands, compare, options) => {
    const noted: Sent = { users: commands.map(({ userId }) => userId), wait: options.wait, outcomes: [] }
    sent.push(noted)
    const outcomes = await spend(commands, compare, options)
    noted.outcomes = outcomes.map(({ status }) => status)
    return outcomes
  }
  return { store: { ...store, spend: watching }, sent }
}

describe.each([10, 2])('while somebody holds one account, a service on a pool of %i connections', (max) => {
  let pool: pg.Pool
  let lock: AccountLock
  let locked: string
  let credits: CreditService
  let sent: Sent[]

  beforeEach(async () => {
    pool = new pg.Pool({ connectionString: database.url, max })
    const watching = watched(postgresStore(pool))
    sent = watching.sent
    credits = new CreditService({ store: watching.store })
    ;[locked = ''] = await newUsers(1)
    lock = await lockAccounts(database.url, locked)
    await credits.checkBalance(locked, 'calling', 1)
  })
  afterEach(() => pool.end())

  const take = (userId: string) => credits.deductCredits(userId, 1, 'calling', 'Use')

  /** Calls on the locked account, and what came of them so far. */
  function ask(count: number) {
    const settled: string[] = []
    const calls = times(count, () =>
      take(locked).then(
        () => void settled.push('done'),
        (error: unknown) => void settled.push(codeOf(error)),
      ),
    )
    return { settled, all: Promise.all(calls) }
  }

  it('serves 64 callers on 200 others, and then those who waited', async () => {
    const users = await newUsers(200)
    const early = ask(5)
    const late: ReturnType<typeof ask>[] = []
    await Promise.all(
      times(64, async (caller) => {
        for (const [index, userId] of users.entries()) if (index % 64 === caller) await take(userId)
        // In the midst of the others.
        late.push(ask(1))
      }),
    )
    // All the others are served, and somebody still holds the account.
    expect(await lock.waiting()).toBe(1)
    expect([...early.settled, ...late.flatMap(({ settled }) => settled)]).toEqual([])
    for (const userId of users.slice(0, 5)) expect(await direct.getBalance(userId, 'calling')).toBe(99)
    await lock.release()
    await Promise.all([early, ...late].map(({ all }) => all))
    expect(await direct.getBalance(locked, 'calling')).toBe(100 - 5 - 64)
    expect((await direct.verify()).violations).toEqual([])
  })

  it('sends its calls again by themselves, when they came among many', async () => {
    const users = await newUsers(5)
    const waiting = ask(2)
    await Promise.all(users.map(take))
    await lock.awaited(1)
    await lock.release()
    await waiting.all
    expect(waiting.settled).toEqual(['done', 'done'])
    const [among, ...others] = sent.filter((statement) => statement.users.includes(locked))
    expect(among?.wait).toBe(false)
    expect(among?.users).toEqual(expect.arrayContaining(users))
    expect(among?.outcomes.filter((status) => status === 'busy')).toHaveLength(2)
    expect(others).toEqual([{ users: [locked, locked], wait: true, outcomes: ['applied', 'applied'] }])
  })

  it('tells those who waited for too long that it is busy, and serves the next', async () => {
    const waiting = ask(3)
    const [other = ''] = await newUsers(1)
    await take(other)
    await waiting.all
    expect(waiting.settled).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE'])
    await lock.release()
    await take(locked)
    expect(await direct.getBalance(locked, 'calling')).toBe(99)
  })
})

describe('a key that somebody has used in a transaction that is still open', () => {
  it('keeps its own call waiting, and fails nobody who came with it', async () => {
    const [owner = '', ...others] = await newUsers(6)
    await direct.addCredits(owner, 100, 'scraping', 'Gift')
    const { store, sent } = watched(postgresStore(database.url))
    const credits = new CreditService({ store })
    await credits.checkBalance(owner, 'calling', 1)
    const call = { userId: owner, amount: 1, description: 'Job', idempotencyKey: 'job' }

    let leave = (): void => undefined
    const over = new Promise<void>((resolve) => (leave = resolve))
    let entered = (): void => undefined
    const written = new Promise<void>((resolve) => (entered = resolve))
    const host = direct.transaction(async (inside) => {
      await inside.credits.deductCredits({ ...call, creditType: 'scraping' })
      entered()
      await over
    })
    await written
    const own = Promise.allSettled([credits.deductCredits({ ...call, creditType: 'calling' })])
    const rest = await Promise.allSettled(others.map((userId) => credits.deductCredits(userId, 1, 'calling', 'Use')))
    leave()
    await host
    expect(sent[0]?.users).toHaveLength(6)
    expect(rest.map(({ status }) => status)).toEqual(others.map(() => 'fulfilled'))
    expect(await own).toMatchObject([{ reason: { code: 'IDEMPOTENCY_CONFLICT', field: 'creditType' } }])
    for (const userId of others) expect(await direct.getBalance(userId, 'calling')).toBe(99)
    await credits.close()
  })
})

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
