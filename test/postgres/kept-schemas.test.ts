import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pgliteStore } from '../../adapters/pglite.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { MIGRATIONS } from '../../adapters/postgres/migrations.js'
import { TABLE_NAMES } from '../../adapters/postgres/sql-tables.js'
import { testClock } from '../../adapters/testing/index.js'
import { CreditService } from '../../src/index.js'
import { createTestPGlite } from '../support/pglite.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { fillEventfully } from './eventful-ledger.js'
import { keptNumbers, readKeptSchema } from './kept-schema.js'
import { readTables, type Run, writeTables } from './table-rows.js'

let database: TestDatabase
let client: Client
let run: Run

beforeEach(async () => {
  database = await createTestDatabase()
  client = new Client({ connectionString: database.url })
  await client.connect()
  run = async (text, values) => (await client.query<Record<string, unknown>>(text, values)).rows
})
afterEach(async () => {
  await client.end()
  await database.drop()
})

const numbers = keptNumbers()

describe('every released migration', () => {
  it('is kept, with rows in every table', () => {
    expect(numbers.sort()).toEqual(MIGRATIONS.map(({ number }) => number))
    for (const number of numbers) expect(Object.keys(readKeptSchema(number).rows)).toContain('credit_migrations')
    const newest = readKeptSchema(Math.max(...numbers)).rows
    const tables = Object.values(TABLE_NAMES).filter((name) => name !== TABLE_NAMES.creditOpenGrants)
    expect(tables.filter((table) => !(table in newest))).toEqual([])
  })
})

describe.each(numbers)('a database at migration %d', (number) => {
  it('was made by statements that are the same today', () => {
    const today = MIGRATIONS.filter((migration) => migration.number <= number)
    expect(today.map(({ statements }) => statements('creditkit', { partitions: null }))).toEqual(
      readKeptSchema(number).statements,
    )
  })

  it('is brought up to date with all its rows, and served on', async () => {
    const kept = readKeptSchema(number)
    await makeKept(kept)
    const later = MIGRATIONS.filter((migration) => migration.number > number)
    expect((await migrate(database.url)).applied).toEqual(later.map((migration) => migration.number))
    expect(await totals()).toEqual(kept.totals)
    await serveOn()
    for (const [table, rows] of Object.entries(kept.rows)) {
      // What they are written as, counted.
      const count = (JSON.parse(rows) as unknown[]).length
      const [found] = await run(`select count(*) >= $1 as complete from creditkit.${table}`, [count])
      expect([table, found]).toEqual([table, { complete: true }])
    }
  })

  it('is brought up to date once by many at a time', async () => {
    await makeKept(readKeptSchema(number))
    const results = await Promise.all(Array.from({ length: 8 }, () => migrate(database.url)))
    const later = MIGRATIONS.filter((migration) => migration.number > number)
    expect(results.flatMap(({ applied }) => applied)).toEqual(later.map((migration) => migration.number))
    await serveOn()
  })
})

describe('a PGlite whose rows are copied to PostgreSQL', () => {
  it('goes on there, with every row and every sum', async () => {
    const embedded = await createTestPGlite()
    await migrate(embedded)
    await fillEventfully(pgliteStore({ client: embedded }), 150)
    const rows = await readTables(
      async (text, values) => (await embedded.query<Record<string, unknown>>(text, values)).rows,
      'creditkit',
    )
    await embedded.close()

    await migrate(database.url)
    await client.query('delete from creditkit.credit_migrations')
    await writeTables(run, 'creditkit', rows)
    expect(await readTables(run, 'creditkit')).toEqual(rows)
    await serveOn()
  })
})

async function makeKept({ statements, rows }: ReturnType<typeof readKeptSchema>): Promise<void> {
  await client.query('create schema creditkit')
  await client.query(
    `create table creditkit.credit_migrations (number integer not null, name text not null,
      applied_at timestamptz not null, constraint credit_migrations_pkey primary key (number))`,
  )
  for (const statement of statements.flat()) await client.query(statement)
  await writeTables(run, 'creditkit', rows)
}

async function totals(): Promise<unknown> {
  const [found] = await run(
    'select count(*)::int as accounts, sum(balance)::text as balance from creditkit.user_credits',
    [],
  )
  return found
}

/** All books are in order; and what the service does next finds keys, holds and packages where they were. */
async function serveOn(): Promise<void> {
  // In the minute after they were kept: by now their hold has ended.
  const [newest] = await run('select max(created_at) as kept from creditkit.credit_transactions', [])
  const clock = testClock(newest?.['kept'] as Date)
  const credits = new CreditService({ store: postgresStore(database.url), cache: null, clock })
  try {
    expect((await credits.verify()).violations).toEqual([])
    const repeat = { userId: 'eve', creditType: 'enrichment', amount: 90, description: 'Use' } as const
    expect(await credits.deductCredits({ ...repeat, idempotencyKey: 'use-1' })).toMatchObject({ replayed: true })
    const [hold] = await credits.getHolds('eve')
    const captured = await credits.captureHold({ holdId: hold?.id ?? '' })
    expect(captured).toMatchObject({ amount: -5, replayed: false })
    const before = await credits.marketplace.getPackages()
    const pack = { name: 'New', creditAmount: 1, price: 100, creditType: 'calling' } as const
    const added = await credits.marketplace.createPackage(pack)
    expect(before.map(({ id }) => id)).not.toContain(added.id)
    await credits.runDue()
    expect((await credits.verify()).violations).toEqual([])
  } finally {
    await credits.close()
  }
}
