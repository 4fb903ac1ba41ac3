import { PGlite } from '@electric-sql/pglite'
import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import { drizzle as drizzleProxy } from 'drizzle-orm/pg-proxy'
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { drizzleDatabase, drizzleExecutor, type DrizzleDatabase } from '../../adapters/postgres/databases/drizzle.js'
import { nodePostgresDatabase, openNodePostgres } from '../../adapters/postgres/databases/node-postgres.js'
import { openDatabase } from '../../adapters/postgres/databases/open.js'
import { openPGlite, pgliteDatabase } from '../../adapters/postgres/databases/pglite.js'
import { postgresJsDatabase } from '../../adapters/postgres/databases/postgres-js.js'
import { CommitUnknown, type SqlDatabase } from '../../adapters/postgres/sql-database.js'
import { sqlStateOf, translateSqlError } from '../../adapters/postgres/sql-errors.js'
import { StoreNotConfiguredError, UnavailableError } from '../../src/errors.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

interface Opened {
  database: SqlDatabase
  end(): Promise<void>
}

/** How the same database is reached; `url` is of a real server. */
type Open = (url: string) => Opened | Promise<Opened>

/** Hides the client, as a driver does that we don't know: everything goes through Drizzle. */
function generic(db: DrizzleDatabase): SqlDatabase {
  Object.defineProperty(db, '$client', { value: undefined })
  return drizzleDatabase(db)
}

function overPool(make: (pool: pg.Pool) => SqlDatabase): Open {
  return (url) => {
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    return { database: make(pool), end: () => pool.end() }
  }
}

function overPostgresJs(make: (sql: postgres.Sql) => SqlDatabase, options: postgres.Options<never> = {}): Open {
  return (url) => {
    const sql = postgres(url, { max: 4, onnotice: () => {}, backoff: () => 0.01, ...options })
    return { database: make(sql), end: () => sql.end({ timeout: 1 }) }
  }
}

function overPGlite(make: (pglite: PGlite) => SqlDatabase): Open {
  return async () => {
    const pglite = await PGlite.create()
    return { database: make(pglite), end: () => pglite.close() }
  }
}

const onServer: Record<string, Open> = {
  'a pg pool': overPool((pool) => nodePostgresDatabase(pool)),
  'a pg pool without prepared statements': overPool((pool) => nodePostgresDatabase(pool, { prepare: false })),
  'a connection string': (url) => {
    const database = openNodePostgres(url)
    return { database, end: () => database.close() }
  },
  'a postgres.js client': overPostgresJs((sql) => postgresJsDatabase(sql)),
  'a postgres.js client without prepared statements': overPostgresJs((sql) => postgresJsDatabase(sql), {
    prepare: false,
  }),
  'Drizzle on a pg pool': overPool((pool) => drizzleDatabase(drizzleNodePostgres(pool))),
  'Drizzle on postgres.js': overPostgresJs((sql) => drizzleDatabase(drizzlePostgresJs(sql))),
}

const embedded: Record<string, Open> = {
  'a PGlite instance': overPGlite((pglite) => pgliteDatabase(pglite)),
  'Drizzle on PGlite': overPGlite((pglite) => drizzleDatabase(drizzlePGlite(pglite))),
  'Drizzle on a driver like PGlite that is not known': overPGlite((pglite) => generic(drizzlePGlite(pglite))),
}

/** Drivers we don't know have to look after lost connections themselves. */
const throughDrizzle: Record<string, Open> = {
  'Drizzle on a driver like pg that is not known': overPool((pool) => generic(drizzleNodePostgres(pool))),
  'Drizzle on a driver like postgres.js that is not known': overPostgresJs((sql) => generic(drizzlePostgresJs(sql))),
}

let test: TestDatabase

beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(async () => {
  await test.drop()
})

describe.each(Object.entries({ ...onServer, ...embedded, ...throughDrizzle }))('through %s,', (_name, open) => {
  let opened: Opened
  let database: SqlDatabase
  let table: string

  beforeAll(async () => {
    opened = await open(test.url)
    database = opened.database
  })
  afterAll(async () => {
    await database.close()
    await opened.end()
  })
  beforeEach(async () => {
    table = `t${Math.random().toString(36).slice(2)}`
    await database.query(`create table ${table} (id int primary key, n int not null default 0)`, [])
  })

  const count = async () => (await database.query(`select count(*)::int as n from ${table}`, []))[0]?.['n']
  const insert = (id: number) => [`insert into ${table} (id) values ($1::text::int)`, [String(id)]] as const

  it.each([
    ['quotes', `it's "quoted" \\ \`$1\` $$ ;--`],
    ['Unicode', 'Zażółć 漢字 🏳️‍🌈 \u202e'],
    ['line breaks', 'a\r\n\tb'],
    ['digits', '007'],
    ['what looks like an array', '{a,b}'],
    ['the empty text', ''],
  ])('gives back %s as they were sent', async (_what, value) => {
    expect(await database.query('select $1::text as value', [value])).toEqual([{ value }])
  })

  it('tells null from text', async () => {
    expect(await database.query('select $1::text as a, $2::text as b', [null, 'null'])).toEqual([
      { a: null, b: 'null' },
    ])
  })

  it('casts text to what the statement wants and back', async () => {
    const big = '9007199254740993'
    const json = '{"a": [1, "é", null]}'
    expect(
      await database.query(
        `select $1::text::bigint::text as big, $2::text::jsonb::text as json, $3::text::timestamptz = now() as flag,
          array_length($4::text::text[], 1) as small, $1::text as again`,
        [big, json, '2026-01-01T00:00:00.000Z', '{"x,y",z}'],
      ),
    ).toEqual([{ big, json, flag: false, small: 2, again: big }])
  })

  it('returns many rows in order, and none as an empty list', async () => {
    const text = `select g::text as g from generate_series(1, $1::text::int) g order by g.g`
    const rows = await database.query(text, ['1000'])
    expect([rows.length, rows[0], rows[999]]).toEqual([1000, { g: '1' }, { g: '1000' }])
    expect(await database.query(text, ['0'])).toEqual([])
  })

  it('returns rows of inserts, and none of plain ones', async () => {
    expect(await database.query(`insert into ${table} (id) values ($1::text::int) returning id`, ['1'])).toEqual([
      { id: 1 },
    ])
    expect(await database.query(...insert(2))).toEqual([])
  })

  it('keeps what a transaction wrote, and returns what the work returned', async () => {
    const result = await database.transaction(async (tx) => {
      await tx.query(...insert(1))
      await tx.query(...insert(2))
      return (await tx.query(`select id from ${table} order by id`, [])).map(({ id }) => id)
    })
    expect(result).toEqual([1, 2])
    expect(await count()).toBe(2)
  })

  it("undoes a transaction whose work throws, and throws the work's own error", async () => {
    const error = new Error('changed my mind')
    const work = database.transaction(async (tx) => {
      await tx.query(...insert(1))
      throw error
    })
    await expect(work).rejects.toBe(error)
    expect(await count()).toBe(0)
  })

  it('shows the SQLSTATE of what the server refused, and goes on working', async () => {
    await database.query(...insert(1))
    const refused: unknown = await database.query(...insert(1)).catch((error: unknown) => error)
    expect(translateSqlError(refused)).toEqual({ kind: 'unique', sqlState: '23505', mayHaveApplied: false })
    const missing: unknown = await database
      .query('select 1 from nowhere where $1::text is null', [''])
      .catch((e: unknown) => e)
    expect(sqlStateOf(missing)).toBe('42P01')
    const inside: unknown = await database.transaction((tx) => tx.query(...insert(1))).catch((error: unknown) => error)
    expect(sqlStateOf(inside)).toBe('23505')
    expect(await count()).toBe(1)
  })

  it('runs a prepared statement again after it failed', async () => {
    const text = 'select (6 / $1::text::int)::text as n'
    for (const divisor of ['0', '0', '2', '0', '3']) {
      const rows: unknown = await database.query(text, [divisor]).catch((error: unknown) => sqlStateOf(error))
      expect(rows).toEqual(divisor === '0' ? '22012' : [{ n: String(6 / Number(divisor)) }])
    }
  })

  it('never reports a commit for a transaction the server has given up', async () => {
    const work = database.transaction(async (tx) => {
      await tx.query(...insert(1))
      await tx.query(...insert(1)).catch(() => 'swallowed')
      return 'done'
    })
    await expect(work).rejects.toThrow()
    expect(await count()).toBe(0)
    await database.transaction((tx) => tx.query(...insert(1)))
    expect(await count()).toBe(1)
  })

  it("reports a COMMIT that the server refused as the server's error", async () => {
    await database.query(
      `alter table ${table} add constraint ${table}_later unique (n) deferrable initially deferred`,
      [],
    )
    const work = database.transaction(async (tx) => {
      await tx.query(...insert(1))
      await tx.query(...insert(2))
    })
    const error: unknown = await work.catch((caught: unknown) => caught)
    expect(error).not.toBeInstanceOf(CommitUnknown)
    expect(sqlStateOf(error)).toBe('23505')
    expect(await count()).toBe(0)
  })

  it('reads with READ COMMITTED, or from one snapshot where nothing can be written', async () => {
    const isolation = `select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as readonly`
    const read = (snapshot: boolean) => database.transaction((tx) => tx.query(isolation, []), { snapshot })
    expect(await read(false)).toEqual([{ level: 'read committed', readonly: 'off' }])
    expect(await read(true)).toEqual([{ level: 'repeatable read', readonly: 'on' }])
    const write = database.transaction((tx) => tx.query(...insert(1)), { snapshot: true })
    expect(sqlStateOf(await write.catch((error: unknown) => error))).toBe('25006')
  })

  it('finishes many statements and transactions at once, each with its own result', async () => {
    await database.query(...insert(0))
    const echo = Array.from({ length: 200 }, async (_, i) => {
      expect(await database.query('select $1::text as value', [String(i)])).toEqual([{ value: String(i) }])
    })
    const increments = Array.from({ length: 40 }, (_, i) =>
      database
        .transaction(async (tx) => {
          const rows = await tx.query(`select n from ${table} where id = $1::text::int for update`, ['0'])
          await tx.query(`update ${table} set n = $1::text::int where id = 0`, [String(Number(rows[0]?.['n']) + 1)])
          if (i % 4 === 0) throw new Error('undo')
        })
        .catch((error: unknown) => expect(error).toEqual(new Error('undo'))),
    )
    await Promise.all([...echo, ...increments])
    expect(await database.query(`select n from ${table}`, [])).toEqual([{ n: 30 }])
  })
})

describe.each(Object.entries(onServer))('on a server, through %s,', (_name, open) => {
  let proxy: Proxy
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

  it('ends calls after close as unavailable, and closes without ever having opened', async () => {
    const database = openDatabase(test.url)
    await database.close()
    await database.close()
    await expect(database.query('select 1', [])).rejects.toBeInstanceOf(UnavailableError)
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
    const pglite = await PGlite.create()
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
    const pglite = await PGlite.create()
    const database = pgliteDatabase(pglite)
    const echo = () => database.query('select $1::text as a', ['x'])
    await echo()
    await pglite.exec('deallocate all')
    await echo().catch(() => 'the first one may fail')
    expect(await echo()).toEqual([{ a: 'x' }])
    await pglite.close()
  })

  it('ends calls once it was closed, also those that waited', async () => {
    const pglite = await PGlite.create()
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

  it('of our own opens in memory, and ends calls after close', async () => {
    const database = openPGlite()
    expect(await database.query('select $1::text as a', ['x'])).toEqual([{ a: 'x' }])
    await database.close()
    await expect(database.query('select 1', [])).rejects.toBeInstanceOf(UnavailableError)
  })
})

interface Proxy {
  url: string
  /** Let the statement through, but close the connection instead of passing on the answer. */
  swallowAnswerTo(statement: string): void
  /** Let the statement through and never answer. */
  freezeAnswerTo(statement: string): void
  /** Close the connection instead of passing on the statement. */
  cutBefore(statement: string): void
  /** Refuse connections that bring this setting, in PgBouncer's words. */
  refuseStartupWith(setting: string): void
  behave(): void
  close(): Promise<void>
}

/** A network that fails on demand, between a driver and the server behind `url`. */
async function startProxy(url: string, port = 0): Promise<Proxy> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let fault: { kind: 'swallow' | 'freeze' | 'cut' | 'refuse'; text: string } | undefined

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let silent = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('close', () => setTimeout(() => upstream.destroy(), 50))
    upstream.on('close', () => client.destroy())
    upstream.on('data', (answer) => {
      if (!silent) client.write(answer)
      else if (fault?.kind === 'swallow') client.destroy()
    })
    client.on('data', (request) => {
      if (fault && request.toString('latin1').toLowerCase().includes(fault.text)) {
        if (fault.kind === 'refuse') {
          client.end(errorResponse('08P01', `unsupported startup parameter: ${fault.text.replace('\0', '')}`))
          return
        }
        if (fault.kind === 'cut') {
          upstream.destroy()
          return
        }
        silent = true
      }
      upstream.write(request)
    })
  })
  await new Promise<void>((ready) => server.listen(port, '127.0.0.1', ready))
  const through = new URL(url)
  // A TCP server's address is never a path.
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url: through.href,
    swallowAnswerTo: (text) => (fault = { kind: 'swallow', text }),
    freezeAnswerTo: (text) => (fault = { kind: 'freeze', text }),
    cutBefore: (text) => (fault = { kind: 'cut', text }),
    refuseStartupWith: (text) => (fault = { kind: 'refuse', text }),
    behave: () => (fault = undefined),
    close: async () => {
      const closed = new Promise((done) => server.close(done))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}
