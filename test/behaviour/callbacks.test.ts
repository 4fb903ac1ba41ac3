import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryCache } from '../../adapters/memory.js'
import { pgliteStore } from '../../adapters/pglite.js'
import { creditTables, migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService, type CreditServiceOptions } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { gate, listen } from './listening.js'
import { onEveryStore } from './stage.js'
import { createTestPGlite } from '../support/pglite.js'

/* Callbacks, the host's own transactions and several services in one process. */

const call = { creditType: 'calling', description: 'Call' } as const

onEveryStore('I1 a callback that throws or is slow', (open) => {
  it('leaves the write committed and the call successful', async () => {
    const { userId, ...stage } = open()
    const { opened, open: finish } = gate()
    const listener = listen(stage, ['added', 'deducted'], {
      respond: (event) => {
        if (event.kind === 'added') throw new Error('the callback is broken')
        return opened
      },
    })
    const { credits } = listener
    expect(await credits.addCredits({ ...call, userId, amount: 10 })).toMatchObject({ amount: 10, replayed: false })
    expect(await credits.deductCredits({ ...call, userId, amount: 4 })).toMatchObject({ amount: -4, balanceAfter: 6 })
    finish()
    await listener.finished()
    expect(await credits.getBalance(userId, 'calling')).toBe(6)
    expect(await credits.getTransactionHistory(userId)).toHaveLength(2)
  })
})

/** One connection for everything. */
interface Narrow {
  store: CreditStore
  /** A transaction of the host's own. */
  transaction: <R>(work: (tx: unknown) => Promise<R>) => Promise<R>
  end: () => Promise<void>
}

const NARROW: Record<string, () => Promise<Narrow>> = {
  PGlite: async () => {
    const client = await createTestPGlite()
    const db = drizzlePGlite({ client })
    return { store: pgliteStore({ client }), transaction: (work) => db.transaction(work), end: () => client.close() }
  },
  'a pg pool of one connection': async () => {
    const database = await createTestDatabase()
    await migrate(database.url)
    const pool = new pg.Pool({ connectionString: database.url, max: 1 })
    const db = drizzle({ client: pool })
    return {
      store: postgresStore(pool),
      transaction: (work) => db.transaction(work),
      end: async () => {
        await pool.end()
        await database.drop()
      },
    }
  },
}

describe.each(Object.keys(NARROW))('I2 a callback that re-enters the service does not hang, on %s', (name) => {
  let narrow: Narrow
  beforeAll(async () => {
    const open = NARROW[name]
    if (open === undefined) throw new Error(`no database ${name}`)
    narrow = await open()
    await narrow.store.findTransaction(randomUUID())
  })
  afterAll(() => narrow.end())

  const service = (options: CreditServiceOptions) => new CreditService({ store: narrow.store, cache: null, ...options })

  it('whatever it does there, also when many writes wait for the connection', async () => {
    const [userId, other] = [`user-${randomUUID()}`, `user-${randomUUID()}`]
    const balances: number[] = []
    const listener = listen({ service }, ['deducted'], {
      respond: async (event) => {
        if (event.kind !== 'deducted' || event.userId !== userId) return
        balances.push(await credits.getBalance(userId, 'calling'))
        await credits.addCredits({ ...call, userId: other, amount: 2, idempotencyKey: event.id })
        await credits.deductCredits({ ...call, userId: other, amount: 1, idempotencyKey: `${event.id}-use` })
        const hold = await credits.holdCredits({ ...call, userId: other, amount: 1 })
        await credits.releaseHold({ holdId: hold.id })
        await credits.transaction(({ credits: inside }) => inside.addCredits({ ...call, userId: other, amount: 1 }))
      },
    })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 100 })
    await Promise.all([1, 2, 3, 4, 5].map((amount) => credits.deductCredits({ ...call, userId, amount })))
    await listener.finished()
    expect(balances).toEqual([85, 85, 85, 85, 85])
    expect(await credits.getBalance(other, 'calling')).toBe(10)
  })

  it("nor does a write in the host's own transaction that has something to tell", async () => {
    const userId = `user-${randomUUID()}`
    const listener = listen({ service }, ['added'], {
      respond: async () => {
        await credits.getBalance(userId, 'calling')
      },
    })
    const { credits } = listener
    await narrow.transaction(async (tx) => {
      await credits.addCredits({ ...call, userId, amount: 10, tx })
      await credits.addCredits({ ...call, userId, amount: 5, tx })
    })
    await credits.runDue()
    await listener.finished()
    expect(listener.of(userId)).toMatchObject([{ amount: 10 }, { amount: 5 }])
  })
})

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 6 })
  await migrate(pool, { schema: 'first' })
  await migrate(pool, { schema: 'second' })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

describe('I5 two services in one process', () => {
  async function expectIsolated(stores: readonly [CreditStore, CreditStore]): Promise<void> {
    const userId = `user-${randomUUID()}`
    const [first, second] = stores.map((store) => {
      const service = (options: CreditServiceOptions) => new CreditService({ store, cache: memoryCache(), ...options })
      return listen({ service }, ['added', 'deducted'])
    })
    if (first === undefined || second === undefined) throw new Error('there are two')
    const gift = { ...call, userId, amount: 10, idempotencyKey: 'gift' }
    await first.credits.addCredits(gift)
    expect(await second.credits.getBalance(userId, 'calling')).toBe(0)
    const own = await second.credits.addCredits({ ...gift, amount: 30 })
    expect(own).toMatchObject({ amount: 30, replayed: false, seq: 1 })
    await second.credits.deductCredits({ ...call, userId, amount: 1 })
    await expect(first.credits.refundCredits(own.id)).rejects.toMatchObject({ code: 'TRANSACTION_NOT_FOUND' })
    for (const { credits, finished } of [first, second]) {
      await credits.runDue()
      await finished()
    }
    const state = async ({ credits, kinds }: typeof first) => [
      await credits.getBalance(userId, 'calling'),
      kinds(userId),
    ]
    expect(await state(first)).toEqual([10, ['added']])
    expect(await state(second)).toEqual([29, ['added', 'deducted']])
    expect((await first.credits.verify()).violations).toEqual([])
  }

  it('with different schemas are isolated: balances, keys, caches and events', async () => {
    await expectIsolated([postgresStore(pool, { schema: 'first' }), postgresStore(pool, { schema: 'second' })])
  })

  it('with different prefixes in one schema are isolated: balances, keys, caches and events', async () => {
    const tables = { a: creditTables({ prefix: 'a_' }), b: creditTables({ prefix: 'b_' }) }
    const exported = Object.entries(tables).flatMap(([name, each]) =>
      Object.entries(each).map(([key, table]) => [`${name}${key}`, table] as const),
    )
    const statements = await generateMigration(
      generateDrizzleJson({}),
      generateDrizzleJson(Object.fromEntries(exported)),
    )
    for (const statement of statements) await pool.query(statement)
    const db = drizzle({ client: pool })
    await expectIsolated([postgresStore(db, { tables: tables.a }), postgresStore(db, { tables: tables.b })])
  })
})

describe("I6 a deduction inside the application's own Drizzle transaction", () => {
  const service = (options: CreditServiceOptions) =>
    new CreditService({ store: postgresStore(pool, { schema: 'first' }), cache: memoryCache(), ...options })
  const rollBack = new Error('the host changed its mind')

  it('that rolls back is undone, with no callback and no cache write', async () => {
    const userId = `user-${randomUUID()}`
    const listener = listen({ service }, ['deducted', 'added', 'depleted'], { lowBalance: [50] })
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 10 })
    await listener.finished()
    expect(await credits.getBalance(userId, 'calling')).toBe(10)
    const rolledBack = drizzle({ client: pool }).transaction(async (tx) => {
      await credits.deductCredits({ ...call, userId, amount: 10, tx })
      await tx.execute(sql`select 1`)
      throw rollBack
    })
    await expect(rolledBack).rejects.toBe(rollBack)
    const bound = credits.transaction(async ({ credits: inside }) => {
      await inside.deductCredits({ ...call, userId, amount: 10 })
      throw rollBack
    })
    await expect(bound).rejects.toBe(rollBack)
    await credits.runDue()
    await listener.finished()
    expect(listener.kinds(userId)).toEqual(['added'])
    expect(await credits.getBalance(userId, 'calling')).toBe(10)
    expect(await credits.getTransactionHistory(userId)).toHaveLength(1)
  })

  it('that commits is told afterwards, and not before', async () => {
    const userId = `user-${randomUUID()}`
    const listener = listen({ service }, ['deducted'])
    const { credits } = listener
    await credits.addCredits({ ...call, userId, amount: 10 })
    await drizzle({ client: pool }).transaction(async (tx) => {
      await credits.deductCredits({ ...call, userId, amount: 1, tx })
      await listener.finished()
      await credits.runDue()
      expect(listener.of(userId)).toEqual([])
    })
    await credits.runDue()
    expect(listener.of(userId)).toMatchObject([{ kind: 'deducted', amount: 1, balance: 9 }])
    expect(await credits.getBalance(userId, 'calling')).toBe(9)
  })

  it('that the service opened itself is told at its commit, with nobody running runDue', async () => {
    const userId = `user-${randomUUID()}`
    const listener = listen({ service }, ['added', 'deducted'])
    const { credits } = listener
    await credits.transaction(async ({ credits: inside }) => {
      await inside.addCredits({ ...call, userId, amount: 10 })
      await inside.deductCredits({ ...call, userId, amount: 1 })
      await listener.finished()
      expect(listener.of(userId)).toEqual([])
    })
    await listener.finished()
    expect(listener.kinds(userId)).toEqual(['added', 'deducted'])
  })
})
