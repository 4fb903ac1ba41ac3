import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import { drizzle as drizzleProxy } from 'drizzle-orm/pg-proxy'

import pg from 'pg'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { drizzleExecutor } from '../../adapters/postgres/databases/drizzle.js'

import { openDatabase } from '../../adapters/postgres/databases/open.js'
import { openPGlite, pgliteDatabase } from '../../adapters/postgres/databases/pglite.js'

import { translateSqlError } from '../../adapters/postgres/sql-errors.js'
import { isRetryable, StoreNotConfiguredError } from '../../src/errors.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type Open, overPool, overPostgresJs, overPGlite } from './drivers.js'
import { startProxy } from './failing-proxy.js'
import { createTestPGlite } from '../support/pglite.js'

let test: TestDatabase

beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(async () => {
  await test.drop()
})

describe('a connection string', () => {
  it('connects again after the database was away, and never shows the password', async () => {
    const proxy = await startProxy(test.url)
    const { port } = new URL(proxy.url)
    await proxy.close()
    const database = openDatabase(`postgres://postgres:s3cret@127.0.0.1:${port}${new URL(test.url).pathname}`)
    const error: unknown = await database.query('select 1', []).catch((caught: unknown) => caught)
    expect(translateSqlError(error)).toEqual({ kind: 'unavailable', sqlState: undefined, mayHaveApplied: false })
    expect(String(error)).not.toContain('s3cret')
    const back = await startProxy(test.url, Number(port))
    expect(await database.query('select 1 as one', [])).toEqual([{ one: 1 }])
    await database.close()
    await back.close()
  })

  it('works through a pooler that refuses settings at the start of a connection', async () => {
    const proxy = await startProxy(test.url)
    proxy.refuseStartupWith('statement_timeout\0')
    const database = openDatabase(proxy.url)
    expect(await database.query(`select current_setting('statement_timeout') as t`, [])).toEqual([{ t: '0' }])
    await database.close()
    await proxy.close()
  })

  it('limits statements and lock waits at the server where it can', async () => {
    const database = openDatabase(test.url)
    const settings = `select current_setting('statement_timeout') as s, current_setting('lock_timeout') as l`
    expect(await database.query(settings, [])).toEqual([{ s: '15s', l: '5s' }])
    await database.close()
  })

  it('refuses calls after close for good, and closes without ever having opened', async () => {
    const database = openDatabase(test.url)
    await database.close()
    await database.close()
    const error: unknown = await database.query('select 1', []).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(StoreNotConfiguredError)
    expect(String(error)).toMatch('The store was closed; open a new one')
    // A retry can't help, and surely nothing was written.
    expect(isRetryable(error)).toBe(false)
    expect(translateSqlError(error).mayHaveApplied).toBe(false)
  })
})

describe('openDatabase', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('reads DATABASE_URL with the first statement, not before', async () => {
    vi.stubEnv('DATABASE_URL', '')
    const database = openDatabase(undefined)
    await expect(database.query('select 1', [])).rejects.toThrow(StoreNotConfiguredError)
    await expect(database.query('select 1', [])).rejects.toThrow(/DATABASE_URL/)
    vi.stubEnv('DATABASE_URL', test.url)
    expect(await database.query('select 1 as one', [])).toEqual([{ one: 1 }])
    await database.close()
  })

  it.each<[string, Open]>([
    ['a pg pool', overPool((pool) => openDatabase(pool))],
    ['a postgres.js client', overPostgresJs((sql) => openDatabase(sql))],
    ['a PGlite instance', overPGlite((pglite) => openDatabase(pglite))],
    ['Drizzle on a pg pool', overPool((pool) => openDatabase(drizzleNodePostgres(pool)))],
    ['Drizzle on postgres.js', overPostgresJs((sql) => openDatabase(drizzlePostgresJs(sql)))],
    ['Drizzle on PGlite', overPGlite((pglite) => openDatabase(drizzlePGlite(pglite)))],
  ])("takes %s, and leaves it open on close: it is the host's", async (_name, open) => {
    const opened = await open(test.url)
    const { database } = opened
    expect(await database.query('select $1::text as a', ['x'])).toEqual([{ a: 'x' }])
    await database.close()
    expect(await database.query('select $1::text as a', ['y'])).toEqual([{ a: 'y' }])
    await opened.end()
  })

  it.each<[string, unknown, RegExp]>([
    ['null', null, /connection string/],
    ['an empty object', {}, /connection string/],
    ['a number', 42, /connection string/],
    ['a path', './data', /postgres:\/\//],
    ['a MySQL address', 'mysql://root:s3cret@localhost/db', /postgres:\/\//],
    ['a single pg client', new pg.Client(), /Pool/],
    ['Drizzle on a single pg client', drizzleNodePostgres(new pg.Client()), /Pool/],
    ['Drizzle without transactions', drizzleProxy(async () => ({ rows: [] })), /node-postgres/],
    ['a postgres.js client that renames columns', postgres({ transform: postgres.camel }), /transform/],
  ])('refuses %s and says what it takes', (_name, source, message) => {
    expect(() => openDatabase(source)).toThrow(StoreNotConfiguredError)
    expect(() => openDatabase(source)).toThrow(message)
    expect(() => openDatabase(source)).not.toThrow(/s3cret/)
  })
})

describe("the host's own Drizzle transaction", () => {
  it('carries our statements: they live and die with it', async () => {
    const pool = new pg.Pool({ connectionString: test.url })
    const db = drizzleNodePostgres(pool)
    await pool.query('create table together (id int)')
    const undone = db.transaction(async (tx) => {
      await drizzleExecutor(tx).query('insert into together values ($1::text::int)', ['1'])
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    await db.transaction((tx) => drizzleExecutor(tx).query('insert into together values ($1::text::int)', ['2']))
    expect((await pool.query('select id from together')).rows).toEqual([{ id: 2 }])
    await pool.end()
  })
})

describe('a shared PGlite', () => {
  it("keeps our statements out of the host's transactions", async () => {
    const pglite = await createTestPGlite()
    const database = pgliteDatabase(pglite)
    await pglite.exec('create table mine (id int); create table theirs (id int)')
    const insert = () => database.query('insert into mine values ($1::text::int)', ['1'])
    let ours: Promise<unknown> | undefined
    const theirs = pglite.transaction(async (tx) => {
      await tx.query('insert into theirs values (1)')
      ours = insert()
      await new Promise((done) => setTimeout(done, 20))
      await tx.rollback()
    })
    await theirs
    await ours
    expect(
      (await pglite.query('select (select count(*) from mine) as m, (select count(*) from theirs) as t')).rows,
    ).toEqual([{ m: 1, t: 0 }])
    await pglite.close()
  })

  it('parses again after the host threw all prepared statements away', async () => {
    const pglite = await createTestPGlite()
    const database = pgliteDatabase(pglite)
    const echo = () => database.query('select $1::text as a', ['x'])
    await echo()
    await pglite.exec('deallocate all')
    await echo().catch(() => 'the first one may fail')
    expect(await echo()).toEqual([{ a: 'x' }])
    await pglite.close()
  })

  it('ends calls once it was closed, also those that waited', async () => {
    const pglite = await createTestPGlite()
    const database = pgliteDatabase(pglite)
    await database.query('select $1::text as a', ['x'])
    const running = Array.from({ length: 5 }, () => database.query('select $1::text as a', ['x']))
    const closing = pglite.close()
    const settled = await Promise.allSettled([...running, database.query('select $1::text as a', ['x'])])
    await closing
    settled.push(...(await Promise.allSettled([database.transaction(async () => [])])))
    for (const result of settled) {
      if (result.status === 'rejected') expect(translateSqlError(result.reason).kind).toBe('unavailable')
    }
    expect(settled.at(-1)?.status).toBe('rejected')
  })

  it('of our own opens in memory, and refuses calls after close', async () => {
    const database = openPGlite()
    expect(await database.query('select $1::text as a', ['x'])).toEqual([{ a: 'x' }])
    await database.close()
    await expect(database.query('select 1', [])).rejects.toBeInstanceOf(StoreNotConfiguredError)
  })
})
