import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService, type CreditTransaction, type CreditHold } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type FailingProxy, startProxy } from './failing-proxy.js'

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

const isBatch = (text: string): boolean => text.startsWith('with sent as')

/** What goes wrong with a statement that a test chooses. */
type Fault = 'the answer is lost' | 'it never arrives' | 'the database refuses it'

/** A pool whose statements fail on demand. */
class FaultyPool extends pg.Pool {
  /** Statements that were hit, by how many calls each had sent. */
  readonly hits: number[] = []
  /** Is nothing answered any more? */
  isDead = false
  #fault: { fault: Fault; applies: (text: string, values: string) => boolean; times: number } | null = null

  constructor(config: pg.PoolConfig) {
    super(config)
    this.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
      Object.assign(client, { query: (...args: unknown[]) => this.#query(query, args) })
    })
  }

  fail(fault: Fault, applies: (text: string, values: string) => boolean, count = 1): void {
    this.#fault = { fault, applies, times: count }
  }

  async #query(query: (...args: unknown[]) => Promise<unknown>, args: unknown[]): Promise<unknown> {
    if (this.isDead) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const { text = '', values = [] } = args[0] as Partial<pg.QueryConfig>
    const sent = String(values[0])
    const armed = this.#fault
    if (armed === null || armed.times === 0 || !armed.applies(text, sent)) return query(...args)
    armed.times -= 1
    this.hits.push(isBatch(text) ? (JSON.parse(sent) as unknown[]).length : 1)
    if (armed.fault === 'the database refuses it')
      throw Object.assign(new Error('unsupported character'), { code: '22P05', severity: 'ERROR' })
    if (armed.fault === 'it never arrives') throw Object.assign(new Error('no route'), { code: 'ECONNREFUSED' })
    await query(...args)
    throw new Error('Connection terminated unexpectedly')
  }
}

describe('a batch', () => {
  let pool: FaultyPool
  let credits: CreditService
  let users: string[]

  beforeEach(async () => {
    pool = new FaultyPool({ connectionString: database.url, max: 6 })
    credits = new CreditService({ store: postgresStore(pool) })
    users = times(3, () => `user-${randomUUID()}`)
    for (const userId of users) await direct.addCredits(userId, 100, 'calling', 'Gift')
    // Opens the service, so that the calls of a rush come together.
    await credits.checkBalance(users[0] ?? '', 'calling', 1)
  })
  afterEach(() => pool.end())

  /** 24 calls at once, of three users, every fourth a hold and every third with a key; the n-th takes n credits. */
  const rush = (): Promise<CreditTransaction | CreditHold>[] =>
    times(24, (index) => {
      const call = {
        userId: users[index % 3] ?? '',
        amount: 1 + Math.floor(index / 3),
        creditType: 'calling',
        description: `Call ${index}`,
        idempotencyKey: index % 2 === 0 ? `key ${index}` : null,
      } as const
      return index % 4 === 3 ? credits.holdCredits(call) : credits.deductCredits(call)
    })

  /** Every call took effect once, and every caller got its own result. */
  async function expectOnceEach(results: readonly (CreditTransaction | CreditHold)[]): Promise<void> {
    expect(new Set(results.map(({ id }) => id)).size).toBe(24)
    for (const [index, { description, amount, replayed, userId }] of results.entries()) {
      expect([description, Math.abs(amount), userId]).toEqual([
        `Call ${index}`,
        1 + Math.floor(index / 3),
        users[index % 3],
      ])
      expect(replayed).toBe(false)
    }
    const uses = new Set(results.filter((result) => 'balanceAfter' in result).map(({ id }) => id))
    const rows = (await Promise.all(users.map((userId) => direct.getTransactionHistory(userId, 'calling', 100)))).flat()
    expect(new Set(rows.filter(({ amount }) => amount < 0).map(({ id }) => id))).toEqual(uses)
    expect(rows).toHaveLength(3 + uses.size)
    for (const userId of users) {
      // 1 + 2 + … + 8 of each user's.
      expect(await direct.getBalance(userId, 'calling')).toBe(64)
      expect((await direct.verify({ userId })).violations).toEqual([])
    }
  }

  it('whose answer is lost has happened once, and everybody gets their own result', async () => {
    pool.fail('the answer is lost', isBatch)
    await expectOnceEach(await Promise.all(rush()))
    expect(pool.hits).toEqual([expect.toSatisfy((calls: number) => calls > 4)])
  })

  it('whose answers are lost again and again has happened once', async () => {
    pool.fail('the answer is lost', (text) => isBatch(text) || text.startsWith('commit'), 5)
    await expectOnceEach(await Promise.all(rush()))
    expect(pool.hits.length).toBeGreaterThan(1)
  })

  it('that the database refuses for one of its calls fails none of the others', async () => {
    // As a database of another encoding refuses a character.
    pool.fail('the database refuses it', (_text, values) => values.includes('"Call 7"'), 100)
    const results = await Promise.allSettled(rush())
    expect(pool.hits.length).toBeGreaterThan(1)
    const failed = results.flatMap((result, index) => (result.status === 'rejected' ? index : []))
    expect(failed).toEqual([7])
  })

  it('whose answer is lost, and then the database, is of unknown outcome for all', async () => {
    pool.fail('the answer is lost', (text) => {
      pool.isDead = isBatch(text)
      return pool.isDead
    })
    const calls = rush()
    // Set once the statement is chosen; it is sent all the same.
    const results = await Promise.allSettled(calls)
    expect(pool.hits).toHaveLength(1)
    const [lost = 0] = pool.hits
    const codes = results.map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'done'))
    expect(codes.filter((code) => code === 'OUTCOME_UNKNOWN')).toHaveLength(lost)
    // The rest surely did not happen.
    expect(codes.filter((code) => code === 'UNAVAILABLE')).toHaveLength(24 - lost)
    pool.isDead = false
    const rows = await Promise.all(users.map((userId) => direct.getTransactionHistory(userId, 'calling', 100)))
    expect(rows.flat().filter(({ amount }) => amount < 0).length).toBeGreaterThan(0)
    // The same calls with their keys are told what had happened.
    const keyed = calls.length - 12
    const again = await Promise.allSettled(rush())
    expect(again.filter(({ status }) => status === 'fulfilled')).toHaveLength(24)
    const replayed = again.flatMap((result) => (result.status === 'fulfilled' && result.value.replayed ? [result] : []))
    expect(replayed.length).toBeGreaterThan(0)
    expect(replayed.length).toBeLessThanOrEqual(keyed)
    for (const userId of users) expect((await direct.verify({ userId })).violations).toEqual([])
  })

  it('that never arrives is unavailable for all, and wrote nothing', async () => {
    pool.fail('it never arrives', () => true, 100)
    const results = await Promise.allSettled(rush())
    expect(pool.hits.length).toBeGreaterThan(0)
    expect(new Set(results.map((result) => result.status === 'rejected' && codeOf(result.reason)))).toEqual(
      new Set(['UNAVAILABLE']),
    )
    for (const userId of users) expect(await direct.getTransactionHistory(userId)).toHaveLength(1)
    pool.fail('it never arrives', () => false)
    await expectOnceEach(await Promise.all(rush()))
  })
})

describe('a batch on a network that fails', () => {
  let proxy: FailingProxy
  let pool: pg.Pool
  let credits: CreditService
  let userId: string

  beforeEach(async () => {
    proxy = await startProxy(database.url)
    pool = new pg.Pool({ connectionString: proxy.url, max: 4 })
    credits = new CreditService({ store: postgresStore(pool, { prepare: false }) })
    userId = `user-${randomUUID()}`
    await direct.addCredits(userId, 100, 'calling', 'Gift')
    await credits.checkBalance(userId, 'calling', 1)
  })
  afterEach(async () => {
    await proxy.close()
    await pool.end()
  })

  const rush = () => Promise.allSettled(times(10, (index) => credits.deductCredits(userId, 1, 'calling', `${index}`)))

  it('happens once when its connection ends instead of answering, while all others last', async () => {
    proxy.swallowAnswerTo('with sent as')
    const results = await rush()
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
    proxy.behave()
    const rows = await direct.getTransactionHistory(userId)
    expect(rows.map(({ description }) => description)).toEqual([...times(10, (index) => `${9 - index}`), 'Gift'])
    expect(await direct.getBalance(userId, 'calling')).toBe(90)
  })

  it('has not happened when it never arrived, and is settled by itself', async () => {
    proxy.cutBefore('with sent as')
    const results = await rush()
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(await direct.getBalance(userId, 'calling')).toBe(90)
  })

  it('is of unknown outcome when the whole network is gone', async () => {
    proxy.cutBefore('with sent as')
    const calls = rush()
    await proxy.close()
    const codes = (await calls).map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'done'))
    for (const code of codes) expect(['OUTCOME_UNKNOWN', 'UNAVAILABLE']).toContain(code)
    expect(await direct.getTransactionHistory(userId)).toHaveLength(1)
  })
})

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
