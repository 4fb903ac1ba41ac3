import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryCache } from '../../adapters/memory-cache.js'
import { pgliteStore } from '../../adapters/pglite.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

/** The part of Drizzle's transaction these tests use; its full type differs from driver to driver. */
interface HostTransaction {
  execute(query: unknown): PromiseLike<unknown>
}

interface Host {
  store: CreditStore
  transaction<T>(work: (tx: HostTransaction) => Promise<T>): Promise<T>
  end(): Promise<void>
}

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
})
afterAll(() => database.drop())

const HOSTS: Record<string, () => Promise<Host>> = {
  'Drizzle on node-postgres': async () => {
    const pool = new pg.Pool({ connectionString: database.url, max: 6 })
    const db = drizzleNodePostgres({ client: pool })
    return { store: postgresStore(db), transaction: (work) => db.transaction(work), end: () => pool.end() }
  },
  'Drizzle on postgres.js': async () => {
    const client = postgres(database.url, { max: 6, onnotice: () => undefined })
    const db = drizzlePostgresJs({ client })
    return { store: postgresStore(db), transaction: (work) => db.transaction(work), end: () => client.end() }
  },
  'Drizzle on PGlite': async () => {
    const client = await PGlite.create()
    const db = drizzlePGlite({ client })
    return {
      store: pgliteStore({ client }),
      transaction: (work) => db.transaction(work),
      end: () => client.close(),
    }
  },
}

describe.each(Object.keys(HOSTS))("writes in the host's own transaction: %s", (name) => {
  let host: Host
  let credits: CreditService
  beforeAll(async () => {
    const open = HOSTS[name]
    if (open === undefined) throw new Error(`no host ${name}`)
    host = await open()
    credits = new CreditService({ store: host.store, cache: memoryCache() })
    await credits.verify()
    await host.transaction((tx) => Promise.resolve(tx.execute(sql`create table if not exists jobs (id text)`)))
  })
  afterAll(() => host.end())

  const newUser = () => `user-${randomUUID()}`
  const rollBack = new Error('the host changed its mind')

  /** Every kind of write, one after the other, in one transaction. */
  async function everyWrite(userId: string, tx: unknown) {
    const base = { userId, creditType: 'calling', description: 'In a transaction', tx } as const
    const added = await credits.addCredits({ ...base, amount: 100 })
    const used = await credits.deductCredits({ ...base, amount: 30 })
    const refund = await credits.refundCredits({ transactionId: used.id, amount: 10, tx })
    const adjusted = await credits.adjustCredits({ ...base, amount: -5 })
    return [added, used, refund, adjusted]
  }

  it('are there once the host commits, together with what the host wrote', async () => {
    const [userId, job] = [newUser(), randomUUID()]
    const written = await host.transaction(async (tx) => {
      await tx.execute(sql`insert into jobs values (${job})`)
      return everyWrite(userId, tx)
    })
    expect(written.map(({ amount }) => amount)).toEqual([100, -30, 10, -5])
    expect(await credits.getTransactionHistory(userId)).toEqual([...written].reverse())
    expect(await credits.getBalance(userId, 'calling')).toBe(75)
    expect((await credits.verify({ userId })).violations).toEqual([])
  })

  it('leave nothing when the host rolls back: no row, no account, no cached balance', async () => {
    const userId = newUser()
    const rolledBack = host.transaction(async (tx) => {
      await everyWrite(userId, tx)
      throw rollBack
    })
    await expect(rolledBack).rejects.toBe(rollBack)
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect(await credits.getTransactionHistory(userId)).toEqual([])
    expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
  })

  it('never show an uncommitted balance in the cache, neither before nor after a rollback', async () => {
    const userId = newUser()
    await credits.addCredits(userId, 50, 'calling', 'Welcome')
    expect(await credits.getBalance(userId, 'calling')).toBe(50)
    const rolledBack = host.transaction(async (tx) => {
      await credits.deductCredits({ userId, amount: 20, creditType: 'calling', description: 'Undone', tx })
      // PGlite has one connection, which this transaction holds.
      if (host.store.memoryScope === null) expect(await credits.getBalance(userId, 'calling')).toBe(50)
      throw rollBack
    })
    await expect(rolledBack).rejects.toBe(rollBack)
    expect(await credits.getBalance(userId, 'calling')).toBe(50)
    await credits.deductCredits(userId, 1, 'calling', 'Kept')
    expect(await credits.getBalance(userId, 'calling')).toBe(49)
  })

  it('that are refused leave no account row, and the transaction goes on', async () => {
    const [userId, rich, job] = [newUser(), newUser(), randomUUID()]
    await host.transaction(async (tx) => {
      const base = { creditType: 'calling', description: 'Call', tx } as const
      const refused = credits.deductCredits({ ...base, userId, amount: 1 })
      await expect(refused).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', available: 0 })
      await tx.execute(sql`insert into jobs values (${job})`)
      await credits.addCredits({ ...base, userId: rich, amount: 3 })
      await expect(credits.deductCredits({ ...base, userId: rich, amount: 4 })).rejects.toThrow('Available: 3')
    })
    expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
    expect(await credits.getBalance(rich, 'calling')).toBe(3)
    const { rows } = (await host.transaction(async (tx) => ({
      rows: await tx.execute(sql`select id from jobs where id = ${job}`),
    }))) as { rows: { rows?: unknown[] } & unknown[] }
    expect(rows.rows ?? rows).toHaveLength(1)
  })

  it('find a key that was used, before and within the transaction', async () => {
    const userId = newUser()
    const input = { userId, amount: 10, creditType: 'calling', description: 'Job', idempotencyKey: 'k' } as const
    const before = await credits.addCredits(input)
    await host.transaction(async (tx) => {
      expect(await credits.addCredits({ ...input, tx })).toEqual({ ...before, replayed: true })
      await expect(credits.addCredits({ ...input, amount: 11, tx })).rejects.toMatchObject({ field: 'amount' })
      const first = await credits.deductCredits({ ...input, idempotencyKey: 'k2', tx })
      const again = await credits.deductCredits({ ...input, idempotencyKey: 'k2', tx })
      expect(again).toEqual({ ...first, replayed: true })
      const other = credits.deductCredits({ ...input, idempotencyKey: 'k2', creditType: 'scraping', tx })
      await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field: 'creditType' })
    })
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect(await credits.verify({ userId })).toEqual({ accounts: 1, violations: [] })
  })

  it('burn no key when they are rolled back', async () => {
    const userId = newUser()
    const input = { userId, amount: 10, creditType: 'calling', description: 'Job', idempotencyKey: 'k' } as const
    const rolledBack = host.transaction(async (tx) => {
      await credits.addCredits({ ...input, tx })
      throw rollBack
    })
    await expect(rolledBack).rejects.toBe(rollBack)
    expect(await credits.addCredits(input)).toMatchObject({ replayed: false, seq: 1 })
  })

  it('refuse what is no transaction, by a named error', async () => {
    const base = { userId: newUser(), amount: 1, creditType: 'calling', description: 'Wrong' } as const
    for (const tx of [null, 0, 'tx', {}, { execute: 'no' }]) {
      await expect(credits.addCredits({ ...base, tx })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    }
  })
})

describe.each(Object.keys(HOSTS).filter((name) => name !== 'Drizzle on PGlite'))(
  "a key that races from another connection with the host's transaction: %s",
  (name) => {
    let host: Host
    let credits: CreditService
    beforeAll(async () => {
      const open = HOSTS[name]
      if (open === undefined) throw new Error(`no host ${name}`)
      host = await open()
      credits = new CreditService({ store: host.store, cache: null })
    })
    afterAll(() => host.end())

    const input = { amount: 10, description: 'Job', idempotencyKey: 'k' } as const
    const pause = () => new Promise((resolve) => setTimeout(resolve, 150))

    it('is replayed there when the host commits', async () => {
      const userId = `user-${randomUUID()}`
      let outside: Promise<unknown> = Promise.resolve()
      const inside = await host.transaction(async (tx) => {
        const first = await credits.addCredits({ ...input, userId, creditType: 'calling', tx })
        outside = credits.addCredits({ ...input, userId, creditType: 'calling' })
        await pause()
        return first
      })
      expect(await outside).toEqual({ ...inside, replayed: true })
    })

    it('is written there when the host rolls back', async () => {
      const userId = `user-${randomUUID()}`
      let outside: Promise<unknown> = Promise.resolve()
      const rolledBack = host.transaction(async (tx) => {
        await credits.addCredits({ ...input, userId, creditType: 'calling', tx })
        outside = credits.addCredits({ ...input, userId, creditType: 'calling' })
        await pause()
        throw new RangeError('no')
      })
      await expect(rolledBack).rejects.toThrow(RangeError)
      expect(await outside).toMatchObject({ replayed: false, seq: 1 })
    })

    it('is found by the transaction that waited: replayed for the same account', async () => {
      const userId = `user-${randomUUID()}`
      const { first, second } = await raceTwo(userId, 'calling', 'calling')
      expect(await second).toEqual({ ...first, replayed: true })
    })

    it('is found by the transaction that waited: a conflict for another credit type, with no account row', async () => {
      const userId = `user-${randomUUID()}`
      const { second } = await raceTwo(userId, 'calling', 'scraping')
      await expect(second).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field: 'creditType' })
      expect(await credits.verify({ userId })).toEqual({ accounts: 1, violations: [] })
      expect(await credits.getBalance(userId, 'scraping')).toBe(0)
    })

    /** Two transactions of the host with one key; the second looks while the first has not committed. */
    async function raceTwo(userId: string, firstType: 'calling', secondType: 'calling' | 'scraping') {
      let committed: Promise<unknown> = Promise.resolve()
      let second: Promise<unknown> = Promise.resolve()
      const first = await host.transaction(async (tx) => {
        const written = await credits.addCredits({ ...input, userId, creditType: firstType, tx })
        committed = host.transaction(async (other) => {
          second = credits.addCredits({ ...input, userId, creditType: secondType, tx: other })
          // A refusal must not end the transaction: the host may want to go on.
          await second.catch(() => undefined)
          await other.execute(sql`select 1`)
        })
        await pause()
        return written
      })
      await committed
      return { first, second }
    }
  },
)
