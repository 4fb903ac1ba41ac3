import { eq, sql } from 'drizzle-orm'
import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { integer, jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodePostgresDatabase } from '../../adapters/postgres/databases/node-postgres.js'
import { pgliteDatabase } from '../../adapters/postgres/databases/pglite.js'
import { postgresJsDatabase } from '../../adapters/postgres/databases/postgres-js.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { pgliteStore } from '../../adapters/pglite.js'
import { DEFAULT_SCHEMA } from '../../adapters/postgres/migrate.js'
import type { SqlDatabase } from '../../adapters/postgres/sql-database.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { sqlStore } from '../../adapters/postgres/store.js'
import { CreditService } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import {
  hidingTheClient,
  type OpenHostDatabase,
  viaConnectionString,
  viaDrizzleOnPGlite,
  viaDrizzleOnPool,
  viaDrizzleOnPostgresJs,
  viaPool,
  viaPostgresJs,
} from '../stores/real-databases.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { startProxy } from './failing-proxy.js'
import { createTestPGlite } from '../support/pglite.js'

/** What a host does with the transaction it is given: it knows which Drizzle it is, we don't. */
type HostTransaction = Pick<NodePgDatabase, 'execute' | 'insert' | 'select' | 'transaction'>

const within = <R>(store: CreditStore, work: (tx: HostTransaction) => Promise<R>): Promise<R> =>
  store.transaction((tx) => work(tx as HostTransaction))

const jobs = pgTable('jobs', {
  id: uuid().primaryKey(),
  details: jsonb().$type<object>(),
  tags: text().array(),
  numbers: integer().array(),
  dueAt: timestamp('due_at', { withTimezone: true, mode: 'date' }),
  localAt: timestamp('local_at', { mode: 'string' }),
})
const JOBS = `create table if not exists jobs (id uuid primary key, details jsonb, tags text[], numbers int[],
  due_at timestamptz, local_at timestamp)`

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  const store = postgresStore(database.url)
  await within(store, async (tx) => tx.execute(sql.raw(JOBS)))
  await store.close()
})
afterAll(() => database.drop())

const viaPGlite: OpenHostDatabase = async () => {
  const pglite = await createTestPGlite()
  return { db: pglite, end: () => pglite.close() }
}

const HOSTS: Record<string, OpenHostDatabase> = {
  'a connection string': viaConnectionString,
  'a pg pool': viaPool,
  'a postgres.js client': viaPostgresJs,
  'a PGlite instance': viaPGlite,
  'Drizzle on a pg pool': viaDrizzleOnPool,
  'Drizzle on postgres.js': viaDrizzleOnPostgresJs,
  'Drizzle on PGlite': viaDrizzleOnPGlite,
  'Drizzle on a driver that is not known': hidingTheClient(viaDrizzleOnPool),
}

describe.each(Object.keys(HOSTS))("the store's own transaction, with a handle for the host: %s", (name) => {
  let store: CreditStore
  let credits: CreditService
  let end: () => Promise<void>
  beforeAll(async () => {
    const open = HOSTS[name]
    if (open === undefined) throw new Error(`no host ${name}`)
    const host = await open(database.url)
    await migrate(host.db)
    store = postgresStore(host.db)
    credits = new CreditService({ store, cache: null })
    await within(store, async (tx) => tx.execute(sql.raw(JOBS)))
    end = async () => {
      await store.close()
      await host.end()
    }
  })
  afterAll(() => end())

  const changedMind = new RangeError('the host changed its mind')
  const jobsWith = (id: string) => within(store, (tx) => tx.select().from(jobs).where(eq(jobs.id, id)))
  const give = (userId: string, tx: unknown, amount = 10) =>
    credits.addCredits({ userId, amount, creditType: 'calling', description: 'Given', tx })

  it("commits the host's statements and ours together, and returns what the work returned", async () => {
    const [userId, id] = [randomUUID(), randomUUID()]
    const added = await within(store, async (tx) => {
      await tx.insert(jobs).values({ id })
      return give(userId, tx)
    })
    expect(await store.findTransaction(added.id)).toMatchObject({ userId, amount: 10 })
    expect(await jobsWith(id)).toHaveLength(1)
  })

  it('rolls both back when the work throws, and its error comes out unchanged', async () => {
    const [userId, id] = [randomUUID(), randomUUID()]
    const work = within(store, async (tx) => {
      await tx.insert(jobs).values({ id })
      await give(userId, tx)
      throw changedMind
    })
    await expect(work).rejects.toBe(changedMind)
    expect(await store.readBalances(userId, null)).toEqual([])
    expect(await jobsWith(id)).toEqual([])
  })

  it('shows the view what the transaction has written, and nobody else', async () => {
    const userId = randomUUID()
    await within(store, async (tx) => {
      const { id } = await give(userId, tx)
      const view = store.within(tx)
      expect(await view.findTransaction(id)).toMatchObject({ userId, amount: 10 })
      expect(await view.findGrant(id)).toMatchObject({ userId, remaining: 10 })
      expect(await view.listGrants({ userId, creditType: null }, null)).toHaveLength(1)
      expect(await view.readBalance({ userId, creditType: 'calling' }, null)).toMatchObject({ balance: 10 })
      const accounts: unknown[] = []
      await view.scanAccounts({ userId }, ({ account }) => accounts.push(account.balance))
      expect(accounts).toEqual([10])
      expect(await view.transaction(async (same) => same === tx)).toBe(true)
      await view.close()
      expect((await view.within(tx).listTransactions({ ...EVERYTHING, userId })).transactions).toHaveLength(1)
      // PGlite has one connection, which this transaction holds.
      if (!name.includes('PGlite')) expect(await store.findTransaction(id)).toBeNull()
    })
  })

  it('reads the newest committed rows and waits for a lock no longer than we do', async () => {
    const settings = await within(store, async (tx) => {
      const [isolation, lock] = [
        await tx.execute(sql`select current_setting('transaction_isolation') as value`),
        await tx.execute(sql`select current_setting('lock_timeout') as value`),
      ]
      return [isolation, lock].map((result) => ('rows' in result ? result.rows : result) as unknown)
    })
    expect(settings).toEqual([[{ value: 'read committed' }], [{ value: '5s' }]])
  })

  it('undoes an inner transaction of the host alone', async () => {
    const [userId, kept, undone] = [randomUUID(), randomUUID(), randomUUID()]
    await within(store, async (tx) => {
      await tx.insert(jobs).values({ id: kept })
      const inner = tx.transaction(async (savepoint) => {
        await savepoint.insert(jobs).values({ id: undone })
        await give(userId, savepoint)
        throw changedMind
      })
      await expect(inner).rejects.toBe(changedMind)
      await tx.transaction((savepoint) => give(userId, savepoint, 3))
    })
    expect(await jobsWith(kept)).toHaveLength(1)
    expect(await jobsWith(undone)).toEqual([])
    expect(await credits.getBalance(userId, 'calling')).toBe(3)
  })

  it("writes and reads the host's own tables as its Drizzle does", async () => {
    const row = {
      id: randomUUID(),
      details: { text: 'O\'Neil "x" \\ 文', list: [1, { a: null }], number: 1.5 },
      tags: ['a,b', '"quoted"', '{}'],
      numbers: [1, 2, 3],
      dueAt: new Date('2026-03-29T01:30:00.123Z'),
      localAt: '2026-03-29 02:30:00',
    }
    await within(store, (tx) => tx.insert(jobs).values(row))
    expect(await jobsWith(row.id)).toEqual([row])
    const raw = await within(store, (tx) => tx.execute(sql`select details, numbers from jobs where id = ${row.id}`))
    expect('rows' in raw ? raw.rows : [...(raw as Iterable<unknown>)]).toEqual([
      { details: row.details, numbers: row.numbers },
    ])
  })

  it('commits nothing after a statement that failed, also when the work swallowed its error', async () => {
    const [userId, id] = [randomUUID(), randomUUID()]
    const work = within(store, async (tx) => {
      await give(userId, tx)
      await tx.insert(jobs).values({ id })
      await tx
        .insert(jobs)
        .values({ id })
        .catch(() => undefined)
      return 'done'
    })
    await expect(work).rejects.toThrow()
    await expect(work).rejects.not.toThrow(/insert|select|Failed query/)
    expect(await store.readBalances(userId, null)).toEqual([])
  })

  it('refuses what is no transaction, by a named error and at once', () => {
    for (const tx of [undefined, null, 0, 'tx', {}, { execute: 'no' }, store]) {
      expect(() => store.within(tx)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
    }
  })
})

const EVERYTHING = {
  creditType: null,
  transactionType: null,
  from: null,
  to: null,
  limit: 10,
  offset: 0,
  after: null,
} as const

describe("a host's postgres.js client", () => {
  it('reads dates and writes JSON as before, after a transaction of ours', async () => {
    const client = postgres(database.url, { max: 1 })
    const [id, now] = [randomUUID(), new Date('2026-01-02T03:04:05.678Z')]
    const store = postgresStore(client)
    await within(store, (tx) => tx.insert(jobs).values({ id, dueAt: now }))
    await client`update jobs set details = ${client.json({ a: 1 })} where id = ${id}`
    const [row] = await client`select due_at, details from jobs where id = ${id}`
    expect(row).toEqual({ due_at: now, details: { a: 1 } })
    await client.end()
  })
})

/** How it failed, and after how many milliseconds. */
async function failureOf(call: Promise<unknown>): Promise<{ error: unknown; took: number }> {
  const start = performance.now()
  const error: unknown = await call.then(
    () => expect.unreachable('the call should have failed'),
    (caught: unknown) => caught,
  )
  return { error, took: performance.now() - start }
}

const storeOf = (opened: SqlDatabase) => sqlStore(opened, ownTables(DEFAULT_SCHEMA))

describe('a call on the outer store inside of its own transaction', () => {
  const oneConnection: Record<string, () => Promise<{ store: CreditStore; end: () => Promise<void> }>> = {
    'a PGlite instance': async () => {
      const pglite = await createTestPGlite()
      await migrate(pglite)
      return { store: storeOf(pgliteDatabase(pglite, { turnTimeoutMs: 200 })), end: () => pglite.close() }
    },
    'a pg pool of one': async () => {
      const pool = new pg.Pool({ connectionString: database.url, max: 1 })
      return { store: storeOf(nodePostgresDatabase(pool, { connectTimeoutMs: 200 })), end: () => pool.end() }
    },
    'Drizzle on a pg pool of one': async () => {
      const pool = new pg.Pool({ connectionString: database.url, max: 1, connectionTimeoutMillis: 200 })
      return { store: postgresStore(drizzleNodePostgres(pool)), end: () => pool.end() }
    },
  }

  it.each(Object.keys(oneConnection))(
    'ends by deadline and names the cause; the transaction goes on: %s',
    async (name) => {
      const open = oneConnection[name]
      if (open === undefined) throw new Error(`no host ${name}`)
      const { store, end } = await open()
      const userId = randomUUID()
      const credits = new CreditService({ store, cache: null })
      const began: unknown[] = []
      const failures = await within(store, async (tx) => {
        const outer = [
          store.readBalances(userId, null),
          credits.addCredits({ userId, amount: 1, creditType: 'calling', description: 'Outside' }),
          store.transaction(async (inner) => began.push(inner)),
        ]
        const found = await Promise.all(outer.map(failureOf))
        await credits.addCredits({ userId, amount: 5, creditType: 'calling', description: 'Inside', tx })
        return found
      })
      for (const { error, took } of failures) {
        expect(error).toMatchObject({ code: 'UNAVAILABLE' })
        expect(took).toBeGreaterThan(150)
        expect(took).toBeLessThan(8000)
      }
      expect(String(failures[0]?.error)).toMatch(/must pass `tx`.*Nothing was written/)
      if (!name.includes('Drizzle')) expect(String(failures[2]?.error)).toMatch(/must pass `tx`.*Nothing was written/)
      expect(await credits.getBalance(userId, 'calling')).toBe(5)
      expect(began).toEqual([])
      await end()
    },
  )

  it('of a postgres.js client of one: the inner transaction ends by deadline', async () => {
    const client = postgres(database.url, { max: 1 })
    const store = storeOf(postgresJsDatabase(client, { turnTimeoutMs: 200 }))
    const began: unknown[] = []
    const { error } = await store.transaction(() => failureOf(store.transaction(async (tx) => began.push(tx))))
    expect(String(error)).toMatch(/within 0\.2 s.*must pass `tx`.*Nothing was written/)
    expect(await store.readBalances(randomUUID(), null)).toEqual([])
    expect(began).toEqual([])
    await client.end()
  })

  it('of pgliteStore: ends after ten seconds, without any setting', { timeout: 30_000 }, async () => {
    const store = pgliteStore()
    const { error, took } = await store.transaction(() => failureOf(store.readBalances('somebody', null)))
    expect(String(error)).toMatch(/busy for 10 s.*must pass `tx`/)
    expect(took).toBeLessThan(12_000)
    await store.close()
  })
})

describe('a connection that is lost', () => {
  const clients: Record<string, (url: string) => { store: CreditStore; end: () => Promise<void> }> = {
    'a pg pool': (url) => {
      const pool = new pg.Pool({ connectionString: url, max: 2 })
      return { store: postgresStore(pool), end: () => pool.end() }
    },
    'a postgres.js client': (url) => {
      const client = postgres(url, { max: 2, onnotice: () => undefined })
      return { store: postgresStore(client), end: () => client.end({ timeout: 1 }) }
    },
    'Drizzle on a pg pool': (url) => {
      const pool = new pg.Pool({ connectionString: url, max: 2 })
      return { store: postgresStore(drizzleNodePostgres(pool)), end: () => pool.end() }
    },
  }

  it.each(Object.keys(clients))(
    'with the answer to COMMIT: the outcome is unknown, and the work ran once: %s',
    async (name) => {
      const proxy = await startProxy(database.url)
      const { store, end } = opened(name, proxy.url)
      await store.readBalances('somebody', null)
      proxy.swallowAnswerTo('commit\0')
      let runs = 0
      const work = within(store, async (tx) => {
        runs += 1
        await tx.execute(sql`select 1`)
      })
      await expect(work).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
      expect(runs).toBe(1)
      proxy.behave()
      expect(await store.readBalances('somebody', null)).toEqual([])
      await end()
      await proxy.close()
    },
  )

  it.each(Object.keys(clients))(
    'between two statements: nothing happened, and the process lives on: %s',
    async (name) => {
      const { store, end } = opened(name, database.url)
      const admin = new pg.Client({ connectionString: database.url })
      await admin.connect()
      const id = randomUUID()
      const work = within(store, async (tx) => {
        await tx.insert(jobs).values({ id })
        const result = await tx.execute(sql`select pg_backend_pid() as pid`)
        const [row] = ('rows' in result ? result.rows : [...(result as Iterable<unknown>)]) as { pid: number }[]
        await admin.query('select pg_terminate_backend($1)', [row?.pid])
        await new Promise((resolve) => setTimeout(resolve, 200))
        return 'done'
      })
      await expect(work).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect(await within(store, (tx) => tx.select().from(jobs).where(eq(jobs.id, id)))).toEqual([])
      await admin.end()
      await end()
    },
  )

  function opened(name: string, url: string) {
    const open = clients[name]
    if (open === undefined) throw new Error(`no client ${name}`)
    return open(url)
  }
})
