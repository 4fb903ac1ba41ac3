import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { adding, newCommand, run } from '../conformance/credit-store/bench.js'
import { decideAll, use } from '../conformance/credit-store/spending-bench.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
})
afterAll(() => database.drop())

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

/** A pool that notes which statements it is asked to run. */
class NotingPool extends pg.Pool {
  readonly texts: string[] = []
  readonly named = new Set<string>()

  constructor(config: pg.PoolConfig) {
    super(config)
    this.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown
      const noting = (...args: unknown[]): unknown => {
        // Ours are objects with a text.
        const { text, name } = args[0] as Partial<pg.QueryConfig>
        if (text !== undefined) this.texts.push(text)
        if (name !== undefined) this.named.add(name)
        return query(...args)
      }
      Object.assign(client, { query: noting })
    })
  }

  /** How many of these statements were run since the last time. */
  took(pattern: RegExp): number {
    return this.texts.splice(0).filter((text) => pattern.test(text)).length
  }
}

describe.each(['repeatable read', 'serializable'])('a host whose transactions are %s by default', (isolation) => {
  const BEGIN = /^begin isolation level read committed/

  it('is served right, and from the second batch on in explicit transactions', async () => {
    const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
    const pool = new NotingPool({ connectionString: database.url, options, max: 4 })
    const credits = new CreditService({ store: postgresStore(pool) })
    const userId = `user-${randomUUID()}`
    await credits.addCredits(userId, 1000, 'calling', 'Gift')
    const rush = () => Promise.all(times(10, () => credits.deductCredits(userId, 1, 'calling', 'Use')))
    pool.took(BEGIN)
    await rush()
    expect(pool.took(BEGIN)).toBe(0)
    for (let round = 0; round < 4; round += 1) {
      await rush()
      expect(pool.took(BEGIN)).toBeGreaterThan(0)
    }
    expect(await credits.getBalance(userId, 'calling')).toBe(950)
    await pool.end()
  })
})

describe('a host behind a pooler that forgets statements', () => {
  it('is served by statements without names', async () => {
    const pool = new NotingPool({ connectionString: database.url, max: 4 })
    const credits = new CreditService({ store: postgresStore(pool, { prepare: false }) })
    const userId = `user-${randomUUID()}`
    await credits.addCredits(userId, 100, 'calling', 'Gift')
    const call = { userId, amount: 1, creditType: 'calling', description: 'Call' } as const
    await credits.deductCredits(call)
    await Promise.all([
      ...times(10, (index) => credits.deductCredits({ ...call, idempotencyKey: `job ${index}` })),
      ...times(10, () => credits.holdCredits(call)),
    ])
    expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 79, held: 10 })
    expect(pool.took(/^with (sent|spent) as/)).toBeGreaterThan(1)
    expect(pool.named).toEqual(new Set())
    await pool.end()
  })
})

describe('one statement', () => {
  it('decides more than a thousand calls, of as many accounts', async () => {
    const store = postgresStore(database.url)
    const [userId, now] = [`user-${randomUUID()}`, new Date('2026-03-10T12:00:00Z')]
    const keys = times(1100, (index) => ({ userId, creditType: `type-${index}` }))
    const command = newCommand(keys, { now })
    await run(store, command, adding(command, 10))
    const uses = keys.map((key) => use(key, 1))
    const { decided, first } = await decideAll(store, uses, now)
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set(['applied']))
    expect(decided).toEqual(keys.map(() => ({ status: 'applied', seq: 2, balanceAfter: 9 })))
    const balances = await store.readBalances(userId, now)
    expect(balances.filter(({ balance }) => balance !== 9)).toEqual([])
    expect((await new CreditService({ store }).verify({ userId })).violations).toEqual([])
    await store.close()
  })
})
