import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { PGlite } from '@electric-sql/pglite'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { postgresStore } from '../../adapters/postgres/index.js'
import { nodePostgresDatabase, type NodePostgresOptions } from '../../adapters/postgres/databases/node-postgres.js'
import { pgliteDatabase } from '../../adapters/postgres/databases/pglite.js'
import { CommitUnknown, type SqlDatabase } from '../../adapters/postgres/sql-database.js'
import { toCreditError, translateSqlError } from '../../adapters/postgres/sql-errors.js'
import { UnavailableError } from '../../src/errors.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type FailingProxy, startProxy } from './failing-proxy.js'
import { createTestPGlite } from '../support/pglite.js'

const NEVER_SENT = { kind: 'unavailable', sqlState: undefined, mayHaveApplied: false }
const ANSWER_LOST = { kind: 'unavailable', sqlState: undefined, mayHaveApplied: true }

/** How it failed, and after how many milliseconds. */
async function failureOf(call: Promise<unknown>): Promise<{ error: unknown; took: number }> {
  const start = performance.now()
  const error: unknown = await call.then(
    () => expect.unreachable('the call should have failed'),
    (caught: unknown) => caught,
  )
  return { error, took: performance.now() - start }
}

let test: TestDatabase

beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(async () => {
  await test.drop()
})

describe("a host's pg pool", () => {
  let proxy: FailingProxy
  let admin: pg.Client
  let pools: pg.Pool[]

  beforeEach(async () => {
    proxy = await startProxy(test.url)
    admin = new pg.Client({ connectionString: test.url })
    await admin.connect()
    await admin.query('create table noted (id int)')
    pools = []
  })
  afterEach(async () => {
    await proxy.close()
    await Promise.all(pools.map((pool) => pool.end()))
    await admin.query('drop table noted')
    await admin.end()
  })

  function open(options: NodePostgresOptions, config: pg.PoolConfig = {}): { pool: pg.Pool; database: SqlDatabase } {
    const pool = new pg.Pool({ connectionString: proxy.url, max: 1, ...config })
    pools.push(pool)
    return { pool, database: nodePostgresDatabase(pool, options) }
  }
  const insert = ['insert into noted values ($1::text::int)', ['1']] as const
  const noted = async () => (await admin.query('select id from noted')).rows.length

  it('ends a statement whose answer does not come, and closes its connection', async () => {
    const { pool, database } = open({ statementTimeoutMs: 200 })
    const before = (await database.query('select pg_backend_pid() as pid', []))[0]?.['pid']
    proxy.freezeAnswerTo('insert into noted')
    const { error, took } = await failureOf(database.query(...insert))
    expect(took).toBeGreaterThan(190)
    expect(took).toBeLessThan(3000)
    // It did reach the server: only its answer was lost.
    await vi.waitFor(async () => expect(await noted()).toBe(1))
    expect(translateSqlError(error)).toEqual(ANSWER_LOST)
    expect(pool.totalCount).toBe(0)

    proxy.behave()
    const after = (await database.query('select pg_backend_pid() as pid', []))[0]?.['pid']
    expect(after).not.toBe(before)
  })

  it.each([
    ['BEGIN', 'begin isolation'],
    ['a statement', 'insert into noted'],
    ['ROLLBACK', 'rollback\0'],
  ])('ends and undoes a transaction in which %s goes unanswered, and closes its connection', async (_name, text) => {
    const { pool, database } = open({ statementTimeoutMs: 500 })
    await database.query('select 1', [])
    proxy.freezeAnswerTo(text)
    const { error, took } = await failureOf(
      database.transaction(async (tx) => {
        await tx.query(...insert)
        throw new Error('refused')
      }),
    )
    expect(took).toBeGreaterThan(490)
    // Once, not once more for a ROLLBACK behind the statement that got no answer.
    expect(took).toBeLessThan(950)
    expect(error).not.toBeInstanceOf(CommitUnknown)
    // The work's own error stays the one to report.
    if (text === 'rollback\0') expect(error).toMatchObject({ message: 'refused' })
    else expect(translateSqlError(error)).toEqual(ANSWER_LOST)
    expect(pool.totalCount).toBe(0)

    proxy.behave()
    await database.query('select 1', [])
    expect(await noted()).toBe(0)
  })

  it('keeps a shorter limit that the host has set for statements', async () => {
    const { database } = open({ statementTimeoutMs: 5000 }, { query_timeout: 100 })
    await database.query('select 1', [])
    proxy.freezeAnswerTo('insert into noted')
    const { error, took } = await failureOf(database.query(...insert))
    expect(took).toBeLessThan(3000)
    expect(translateSqlError(error)).toEqual(ANSWER_LOST)
  })

  it('names the cause when a call inside of a transaction waits for a second connection, and gives that one back', async () => {
    const { pool, database } = open({ connectTimeoutMs: 200 })
    let inner: unknown
    await database.transaction(async (tx) => {
      inner = (await failureOf(database.query(...insert))).error
      // Still waiting: this is the deadlock, and only the deadline ended the call.
      expect(pool.waitingCount).toBe(1)
      await tx.query('select 1', [])
    })
    expect(inner).toBeInstanceOf(UnavailableError)
    expect(String(inner)).toMatch(/within 0\.2 s.*must pass `tx`.*Nothing was written/)
    expect(translateSqlError(inner)).toEqual(NEVER_SENT)
    // The late connection went back, or this would wait for ever.
    await vi.waitFor(() => expect(pool).toMatchObject({ waitingCount: 0, idleCount: 1, totalCount: 1 }))
    expect(await database.query('select 1 as one', [])).toEqual([{ one: 1 }])
    expect(await noted()).toBe(0)
  })

  it("names it, too, when the pool's own limit ends the wait", async () => {
    const { database } = open({}, { connectionTimeoutMillis: 200 })
    let inner: unknown
    await database.transaction(async () => {
      inner = (await failureOf(database.query(...insert))).error
    })
    expect(inner).toBeInstanceOf(UnavailableError)
    expect(inner).toMatchObject({ cause: { message: 'timeout exceeded when trying to connect' } })
    expect(String(inner)).toMatch(/within 0\.2 s.*must pass `tx`/)
  })
})

describe('a server that accepts connections and never answers', () => {
  it('ends every call on a pg pool as unavailable: nothing was sent', async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => sockets.add(socket.on('error', () => {})))
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    // A TCP server's address is never a path.
    const { port } = server.address() as AddressInfo
    const pool = new pg.Pool({ connectionString: `postgres://u:s3cret@127.0.0.1:${port}/d`, max: 2 })
    const database = nodePostgresDatabase(pool, { connectTimeoutMs: 200 })
    const calls = [
      ...[1, 2, 3].map(() => database.query('select 1', [])),
      database.transaction((tx) => tx.query('select 1', [])),
    ]
    for (const { error, took } of await Promise.all(calls.map(failureOf))) {
      expect(took).toBeLessThan(3000)
      expect(translateSqlError(error)).toEqual(NEVER_SENT)
      expect(toCreditError(error)).toBeInstanceOf(UnavailableError)
      expect(String(error)).not.toContain('s3cret')
    }
    // The server had taken both connections: it was silent, not away.
    expect(sockets.size).toBe(2)
    for (const socket of sockets) socket.destroy()
    await pool.end()
    server.close()
  })

  it('ends a read of a store after ten seconds, without any setting', { timeout: 20_000 }, async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => sockets.add(socket.on('error', () => {})))
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    const { port } = server.address() as AddressInfo
    const pool = new pg.Pool({ connectionString: `postgres://u@127.0.0.1:${port}/d` })
    const store = postgresStore(pool)
    const { error, took } = await failureOf(store.readBalances('somebody', null))
    expect(error).toBeInstanceOf(UnavailableError)
    expect(took).toBeGreaterThan(9_900)
    expect(took).toBeLessThan(12_000)
    for (const socket of sockets) socket.destroy()
    await pool.end()
    server.close()
  })
})

describe("a call on the outer handle inside of the host's own PGlite transaction", () => {
  let pglite: PGlite
  let database: SqlDatabase

  beforeAll(async () => {
    pglite = await createTestPGlite()
    database = pgliteDatabase(pglite, { turnTimeoutMs: 150 })
    await pglite.exec('create table noted (id int)')
  })
  afterAll(async () => {
    await pglite.close()
  })

  const insert = () => database.query('insert into noted values ($1::text::int)', ['1'])
  const noted = async () => (await pglite.query('select id from noted')).rows.length

  it.each<[string, (work: () => Promise<void>) => Promise<void>]>([
    ['PGlite', (work) => pglite.transaction(work)],
    ['Drizzle', (work) => drizzlePGlite(pglite).transaction(work)],
  ])('ends by deadline with the cause, and is never carried out: %s', async (_name, transaction) => {
    const failures: { error: unknown; took: number }[] = []
    const began = vi.fn(async () => {})
    // Each would hang for ever: the transaction waits for the call, and the call for the transaction.
    await transaction(async () => {
      failures.push(...(await Promise.all([failureOf(insert()), failureOf(database.transaction(began))])))
    })
    expect(failures).toHaveLength(2)
    for (const { error, took } of failures) {
      expect(took).toBeGreaterThan(140)
      expect(error).toBeInstanceOf(UnavailableError)
      expect(String(error)).toMatch(/busy for 0\.15 s.*must pass `tx`.*Nothing was written/)
      expect(translateSqlError(error)).toEqual(NEVER_SENT)
    }
    // Queued behind the turns of both, which have come and gone.
    expect(await database.query('select 1 as one', [])).toEqual([{ one: 1 }])
    expect(began).not.toHaveBeenCalled()
    expect(await noted()).toBe(0)
  })

  it('does not limit work that has its turn', async () => {
    await database.transaction(async (tx) => {
      await new Promise((done) => setTimeout(done, 300))
      await tx.query('insert into noted values ($1::text::int)', ['1'])
    })
    expect(await noted()).toBe(1)
  })
})
