import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'

import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'

import pg from 'pg'

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

import { nodePostgresDatabase } from '../../adapters/postgres/databases/node-postgres.js'

import { postgresJsDatabase } from '../../adapters/postgres/databases/postgres-js.js'
import { CommitUnknown, type SqlDatabase } from '../../adapters/postgres/sql-database.js'
import { translateSqlError } from '../../adapters/postgres/sql-errors.js'

import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type Opened, type Open, onServer, throughDrizzle, overPool, overPostgresJs, generic } from './drivers.js'
import { type FailingProxy, startProxy } from './failing-proxy.js'

let test: TestDatabase

beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(async () => {
  await test.drop()
})

describe.each(Object.entries(onServer))('on a server, through %s,', (_name, open) => {
  let proxy: FailingProxy
  let opened: Opened
  let database: SqlDatabase
  let admin: pg.Client
  let table: string

  beforeEach(async () => {
    proxy = await startProxy(test.url)
    opened = await open(proxy.url)
    database = opened.database
    admin = new pg.Client({ connectionString: test.url })
    await admin.connect()
    table = `t${Math.random().toString(36).slice(2)}`
    await admin.query(`create table ${table} (id int primary key)`)
  })
  afterEach(async () => {
    await proxy.close()
    await Promise.race([Promise.all([database.close(), opened.end()]), new Promise((done) => setTimeout(done, 3000))])
    await admin.end()
  })

  const ids = async () =>
    (await admin.query<{ id: number }>(`select id from ${table} order by id`)).rows.map(({ id }) => id)
  const insert = (id: number) => [`insert into ${table} (id) values ($1::text::int)`, [String(id)]] as const
  const pid = 'select pg_backend_pid()::text as pid'
  const terminate = (of: unknown) => admin.query('select pg_terminate_backend($1::int, 5000)', [of])

  it('survives a server that ends idle connections', async () => {
    await Promise.all([1, 2, 3].map(() => database.query('select pg_sleep(0.05)::text as slept', [])))
    await admin.query(
      'select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    )
    await new Promise((done) => setTimeout(done, 50))
    await Promise.all(Array.from({ length: 8 }, () => database.query('select 1', [])))
    await database.transaction((tx) => tx.query(...insert(1)))
    expect(await ids()).toEqual([1])
  })

  it.each(['during a statement', 'between two statements'])(
    'undoes a transaction that loses its connection %s',
    async (when) => {
      let after = 0
      const work = database.transaction(async (tx) => {
        await tx.query(...insert(1))
        const rows = await tx.query(pid, [])
        if (when === 'during a statement') {
          const sleeping = tx.query('select pg_sleep($1::text::float8)::text as slept', ['10'])
          setTimeout(() => void terminate(rows[0]?.['pid']), 50)
          await sleeping
        } else {
          await terminate(rows[0]?.['pid'])
          await new Promise((done) => setTimeout(done, 50))
        }
        await tx.query(...insert(2))
        after += 1
      })
      const error: unknown = await work.catch((caught: unknown) => caught)
      expect(error).not.toBeInstanceOf(CommitUnknown)
      expect(translateSqlError(error).kind).toBe('unavailable')
      expect(after).toBe(0)
      expect(await ids()).toEqual([])
      await Promise.all(Array.from({ length: 12 }, (_, i) => database.transaction((tx) => tx.query(...insert(i)))))
      expect((await ids()).length).toBe(12)
    },
  )

  it('does not let work that swallowed the loss of its connection go on elsewhere', async () => {
    const work = database.transaction(async (tx) => {
      await tx.query(...insert(1))
      await terminate((await tx.query(pid, []))[0]?.['pid'])
      await new Promise((done) => setTimeout(done, 50))
      // Others take over the connection's place in the pool.
      await Promise.all(Array.from({ length: 4 }, () => database.query('select 1', [])))
      await tx.query(...insert(2)).catch(() => 'swallowed')
      await tx.query(...insert(3)).catch(() => 'swallowed')
    })
    await expect(work).rejects.toThrow()
    expect(await ids()).toEqual([])
  })

  it('says that the outcome of COMMIT is unknown when its answer was lost', async () => {
    proxy.swallowAnswerTo('commit\0')
    const work = database.transaction((tx) => tx.query(...insert(1)))
    const error: unknown = await work.catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(CommitUnknown)
    // This time it had happened.
    await vi.waitFor(async () => expect(await ids()).toEqual([1]))
    proxy.behave()
    await Promise.all(Array.from({ length: 8 }, (_, i) => database.transaction((tx) => tx.query(...insert(2 + i)))))
    expect((await ids()).length).toBe(9)
  })

  it('says so, too, when COMMIT never arrived', async () => {
    proxy.cutBefore('commit\0')
    const work = database.transaction((tx) => tx.query(...insert(1)))
    await expect(work).rejects.toBeInstanceOf(CommitUnknown)
    expect(await ids()).toEqual([])
  })
})

describe('a lock that another session holds', () => {
  it('is waited for through every driver, but not for long', { timeout: 20_000 }, async () => {
    const admin = new pg.Client({ connectionString: test.url })
    await admin.connect()
    await admin.query('create table contended (id int)')
    await admin.query('begin; lock table contended in access exclusive mode')
    const waits = Object.values({ ...onServer, ...throughDrizzle }).map(async (open) => {
      const opened = await open(test.url)
      const insert = opened.database.transaction((tx) => tx.query('insert into contended values (1)', []))
      const error: unknown = await insert.catch((caught: unknown) => caught)
      await opened.database.close()
      await opened.end()
      return translateSqlError(error)
    })
    for (const meaning of await Promise.all(waits)) {
      expect(meaning).toEqual({ kind: 'busy', sqlState: '55P03', mayHaveApplied: false })
    }
    await admin.end()
  })
})

describe('a driver that is not known', () => {
  it.each<[string, Open]>([
    [
      'pg',
      overPool((pool) => {
        pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}))
        return generic(drizzleNodePostgres(pool))
      }),
    ],
    ['postgres.js', overPostgresJs((sql) => generic(drizzlePostgresJs(sql)))],
  ])('reports a lost answer to COMMIT as unknown, too: one like %s', async (_name, open) => {
    const proxy = await startProxy(test.url)
    const opened = await open(proxy.url)
    proxy.swallowAnswerTo('commit\0')
    const work = opened.database.transaction((tx) => tx.query('select $1::text', ['x']))
    await expect(work).rejects.toBeInstanceOf(CommitUnknown)
    await proxy.close()
    await opened.end()
  })
})

describe('a COMMIT that stays unanswered', () => {
  it.each<[string, Open]>([
    ['a pg pool', overPool((pool) => nodePostgresDatabase(pool, { commitTimeoutMs: 200 }))],
    ['postgres.js', overPostgresJs((sql) => postgresJsDatabase(sql, { commitTimeoutMs: 200 }))],
  ])('ends as unknown in time on %s', async (_name, open) => {
    const proxy = await startProxy(test.url)
    const opened = await open(proxy.url)
    const { database } = opened
    await database.query('select 1', [])
    proxy.freezeAnswerTo('commit\0')
    await expect(database.transaction((tx) => tx.query('select 1', []))).rejects.toBeInstanceOf(CommitUnknown)
    proxy.behave()
    expect(await database.transaction((tx) => tx.query('select 1 as one', []))).toEqual([{ one: 1 }])
    await proxy.close()
    await opened.end()
  })
})
