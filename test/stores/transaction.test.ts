import { sql } from 'drizzle-orm'
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryCache } from '../../adapters/memory/cache.js'
import { nodePostgresDatabase } from '../../adapters/postgres/databases/node-postgres.js'
import { pgliteDatabase } from '../../adapters/postgres/databases/pglite.js'
import { postgresJsDatabase } from '../../adapters/postgres/databases/postgres-js.js'
import { migrate } from '../../adapters/postgres/index.js'
import { DEFAULT_SCHEMA } from '../../adapters/postgres/migrate.js'
import type { SqlDatabase } from '../../adapters/postgres/sql-database.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { sqlStore } from '../../adapters/postgres/store.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import {
  AFTER_EVERY_WRITE,
  EVERY_WRITE,
  everyWrite,
  type Host,
  HOST_NAMES,
  type HostTransaction,
  isHostTransaction,
  openHost,
  rowsOf,
} from './hosts.js'
import { createTestPGlite } from '../support/pglite.js'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
})
afterAll(() => database.drop())

const newUser = () => `user-${randomUUID()}`
const changedMind = new RangeError('the host changed its mind')

describe.each(HOST_NAMES)('credits.transaction: %s', (name) => {
  let host: Host
  let credits: CreditService
  /** Descriptions of what the callbacks were told, by user. */
  const told = new Map<string, string[]>()
  const hear = ({ userId, description }: { userId: string; description: string }) =>
    told.set(userId, [...(told.get(userId) ?? []), description])

  beforeAll(async () => {
    host = await openHost(name, database.url)
    const on = { added: hear, deducted: hear }
    credits = new CreditService({ ...EVERY_WRITE, store: host.store, cache: memoryCache(), on })
    await credits.verify()
    await host.transaction((tx) => Promise.resolve(tx.execute(sql`create table if not exists jobs (id text)`)))
  })
  afterAll(async () => {
    await credits.close()
    await host.end()
  })

  /** The same, with the part of `tx` that tests use. */
  const within = <R>(work: (tx: HostTransaction, inside: CreditService) => Promise<R>): Promise<R> =>
    credits.transaction(async ({ tx, credits: inside }) => {
      if (!isHostTransaction(tx)) throw new Error('tx is no Drizzle transaction')
      return work(tx, inside)
    })

  const jobs = (id: string) =>
    host.transaction(async (tx) => rowsOf(await tx.execute(sql`select id from jobs where id = ${id}`)))

  // PGlite has one connection, which the transaction holds.
  const hasOneConnection = name === 'Drizzle on PGlite'

  it("commits every kind of write together with the host's own rows", async () => {
    const [userId, job] = [newUser(), randomUUID()]
    const friend = await within(async (tx, inside) => {
      await tx.execute(sql`insert into jobs values (${job})`)
      return everyWrite(inside, userId)
    })
    const { balances, transactions } = AFTER_EVERY_WRITE
    expect(await credits.getAllBalances(userId)).toMatchObject(balances)
    expect((await credits.getAllBalances(friend)).calling).toMatchObject(AFTER_EVERY_WRITE.friend)
    expect(await credits.getTransactionHistory(userId)).toHaveLength(transactions)
    expect(await jobs(job)).toEqual([{ id: job }])
    for (const id of [userId, friend]) expect((await credits.verify({ userId: id })).violations).toEqual([])
  })

  it('rolls all of it back when the work throws, and its error comes out unchanged', async () => {
    const [userId, job] = [newUser(), randomUUID()]
    let friend = ''
    const rolledBack = within(async (tx, inside) => {
      await tx.execute(sql`insert into jobs values (${job})`)
      friend = await everyWrite(inside, userId)
      throw changedMind
    })
    await expect(rolledBack).rejects.toBe(changedMind)
    for (const id of [userId, friend])
      expect(await credits.verify({ userId: id })).toEqual({ accounts: 0, violations: [] })
    expect(await credits.getTransactionHistory(userId)).toEqual([])
    expect(await credits.getPlan(userId)).toBeNull()
    expect(await jobs(job)).toEqual([])
  })

  it('takes `tx` beside its own credits: both are one transaction', async () => {
    const userId = newUser()
    const base = { userId, creditType: 'calling', description: 'Both' } as const
    await within(async (tx, inside) => {
      await inside.addCredits({ ...base, amount: 10 })
      await credits.deductCredits({ ...base, amount: 4, tx })
      await inside.deductCredits({ ...base, amount: 1, tx })
    })
    expect(await credits.getBalance(userId, 'calling')).toBe(5)
  })

  it('sees its own writes, by every way of reading', async () => {
    const userId = newUser()
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    await within(async (_tx, inside) => {
      const used = await inside.deductCredits(userId, 30, 'calling', 'Call')
      const { id: holdId } = await inside.holdCredits({ userId, amount: 20, creditType: 'calling', description: 'Job' })
      await inside.startPlan({ userId, plan: 'small' })
      expect(await inside.getBalance(userId, 'calling')).toBe(50)
      expect((await inside.getAllBalances(userId)).calling).toMatchObject({ balance: 50, owned: 70, held: 20 })
      expect(await inside.checkBalance(userId, 'calling', 51)).toMatchObject({ hasSufficient: false, shortfall: 1 })
      expect(await inside.getTransactionHistory(userId, 'calling')).toMatchObject([{ amount: -30 }, { amount: 100 }])
      expect((await inside.listTransactions({ userId })).transactions).toHaveLength(3)
      expect(await inside.getUsageStats(userId, 'calling')).toMatchObject({ totalUsed: 30, balance: 50 })
      expect(await inside.getGrants(userId, 'calling')).toMatchObject([{ remaining: 50, held: 20 }])
      expect(await inside.getPlan(userId)).toMatchObject({ plan: 'small', status: 'active' })
      expect((await inside.explain(used.id)).parts).toHaveLength(1)
      expect(await inside.quote({ userId, operation: 'lead' })).toMatchObject({ balance: 50, after: 48 })
      expect(await inside.verify({ userId })).toEqual({ accounts: 2, violations: [] })
      expect(await inside.releaseHold({ holdId })).toMatchObject({ status: 'released' })
      expect(await inside.refundCredits({ transactionId: used.id })).toMatchObject({ amount: 30 })
      if (!hasOneConnection) expect(await credits.getTransactionHistory(userId)).toHaveLength(1)
    })
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
  })

  it('never lets anybody else read its balances before they are committed, nor after a rollback', async () => {
    const userId = newUser()
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    const rolledBack = within(async (_tx, inside) => {
      await inside.deductCredits(userId, 30, 'calling', 'Call')
      expect(await inside.getBalance(userId, 'calling')).toBe(70)
      if (!hasOneConnection) expect(await credits.getBalance(userId, 'calling')).toBe(100)
      throw changedMind
    })
    await expect(rolledBack).rejects.toBe(changedMind)
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
  })

  it('lets the cache forget the balances it has committed', async () => {
    const userId = newUser()
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    await within(async (_tx, inside) => {
      await inside.deductCredits(userId, 30, 'calling', 'Call')
      // Remembered while the old balance was the true one.
      if (!hasOneConnection) expect(await credits.getBalance(userId, 'calling')).toBe(100)
    })
    expect(await credits.getBalance(userId, 'calling')).toBe(70)
  })

  it('tells its events after the commit and not before, and those of a rollback never', async () => {
    const [userId, other] = [newUser(), newUser()]
    const rolledBack = within(async (_tx, inside) => {
      await inside.addCredits(other, 1, 'calling', 'Undone')
      throw changedMind
    })
    await expect(rolledBack).rejects.toBe(changedMind)
    await within(async (_tx, inside) => {
      await inside.addCredits(userId, 10, 'calling', 'First')
      await inside.deductCredits(userId, 4, 'calling', 'Second')
      // On one connection telling would have to wait for this transaction.
      if (!hasOneConnection) await credits.runDue()
      expect(told.get(userId)).toBeUndefined()
    })
    await credits.runDue()
    expect(told.get(userId)).toEqual(['First', 'Second'])
    expect(told.get(other)).toBeUndefined()
  })

  it('tells its events by itself: nobody has to call runDue', async () => {
    const userId = newUser()
    const balance = new Promise<number>((resolve) => {
      const listening: CreditService = new CreditService({
        store: host.store,
        cache: null,
        // By the time it is told, everybody sees it.
        on: {
          added: async (event) => event.userId === userId && resolve(await listening.getBalance(userId, 'calling')),
        },
      })
      void listening.transaction(({ credits: inside }) => inside.addCredits(userId, 10, 'calling', 'Told'))
    })
    expect(await balance).toBe(10)
  })

  it('inside of itself is the same transaction', async () => {
    const userId = newUser()
    const rolledBack = within(async (tx, inside) => {
      await inside.transaction(async ({ tx: same, credits: deeper }) => {
        expect(same).toBe(tx)
        await deeper.addCredits(userId, 10, 'calling', 'Deep')
      })
      expect(await inside.getBalance(userId, 'calling')).toBe(10)
      throw changedMind
    })
    await expect(rolledBack).rejects.toBe(changedMind)
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
  })

  it('goes on after a refusal', async () => {
    const userId = newUser()
    await within(async (_tx, inside) => {
      await inside.addCredits(userId, 10, 'calling', 'Welcome')
      await expect(inside.deductCredits(userId, 11, 'calling', 'Too much')).rejects.toThrow('Available: 10')
      await inside.deductCredits(userId, 10, 'calling', 'All')
    })
    expect(await credits.getTransactionHistory(userId)).toHaveLength(2)
  })

  it('leaves the service and its cache open when the credits inside of it are closed', async () => {
    const userId = newUser()
    let closed = 0
    const cache = { ...memoryCache(), close: async () => void (closed += 1) }
    const service = new CreditService({ store: host.store, cache })
    await service.transaction(async ({ credits: inside }) => {
      await inside.addCredits(userId, 10, 'calling', 'Welcome')
      await inside.close()
    })
    expect(closed).toBe(0)
    expect(await service.getBalance(userId, 'calling')).toBe(10)
  })
})

describe('the outer credits inside of their own transaction, where there is one connection', () => {
  const ONE_CONNECTION: Record<string, () => Promise<{ database: SqlDatabase; end: () => Promise<void> }>> = {
    PGlite: async () => {
      const pglite = await createTestPGlite()
      await migrate(pglite)
      return { database: pgliteDatabase(pglite, { turnTimeoutMs: 300 }), end: () => pglite.close() }
    },
    'a pg pool of one': async () => {
      const pool = new pg.Pool({ connectionString: database.url, max: 1 })
      return { database: nodePostgresDatabase(pool, { connectTimeoutMs: 300 }), end: () => pool.end() }
    },
    'a postgres.js client of one': async () => {
      const client = postgres(database.url, { max: 1 })
      return { database: postgresJsDatabase(client, { turnTimeoutMs: 300 }), end: () => client.end() }
    },
  }

  it.each(Object.keys(ONE_CONNECTION))(
    'end by deadline with an error that says what to do, and the transaction goes on: %s',
    async (name) => {
      const opened = await ONE_CONNECTION[name]?.()
      if (opened === undefined) throw new Error(`no database ${name}`)
      const credits = new CreditService({
        store: sqlStore(opened.database, ownTables(DEFAULT_SCHEMA)),
        cache: null,
      })
      const userId = newUser()
      await credits.transaction(async ({ credits: inside }) => {
        await inside.addCredits(userId, 10, 'calling', 'Inside')
        const [write, read] = [
          credits.addCredits(userId, 1, 'calling', 'Outside'),
          credits.getBalance(userId, 'calling'),
        ]
        for (const call of await Promise.allSettled([write, read])) {
          expect(call).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } })
          expect(call.status === 'rejected' ? String(call.reason) : '').toMatch(/must pass `tx`/)
        }
        await inside.deductCredits(userId, 4, 'calling', 'Inside')
      })
      expect(await credits.getBalance(userId, 'calling')).toBe(6)
      await opened.end()
    },
  )
})
