import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { CommitUnknown, type SqlDatabase } from '../../adapters/postgres/sql-database.js'
import { sqlStateOf, translateSqlError } from '../../adapters/postgres/sql-errors.js'

import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { type Opened, onServer, embedded, throughDrizzle } from './drivers.js'

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
