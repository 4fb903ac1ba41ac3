import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { creditViews, migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService, InsufficientCreditsError } from '../../src/index.js'
import { commandLine, json } from '../cli/command-line.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { describeSchema } from './describe-schema.js'
import { adoptedFile, hostApp, type HostApp, type HostSchema, usersFile } from './host-app.js'

/*
 * An app that keeps credits in a column of its own takes this library over with the real drizzle-kit: as its developers
 * would, in a folder of their own, with their own schema file.
 */

let database: TestDatabase
let pool: pg.Pool

beforeEach(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 8 })
})

afterEach(async () => {
  await pool.end()
  await database.drop()
})

const serialIds: HostSchema = {
  id: `serial('id').primaryKey()`,
  userId: `integer('user_id')`,
  columns: ['serial'],
}
const uuidIds: HostSchema = {
  id: `uuid('id').primaryKey().defaultRandom()`,
  userId: `uuid('user_id')`,
  columns: ['uuid'],
  schema: 'billing',
}
const bigintIds: HostSchema = {
  // Beyond what a JavaScript number can tell apart.
  id: `bigint('id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity({ startWith: '9007199254740993' })`,
  userId: `bigint('user_id', { mode: 'bigint' })`,
  columns: ['bigint'],
  prefix: 'app_',
}
const textIds: HostSchema = {
  id: `text('id').primaryKey().default(sql\`'user-' || gen_random_uuid()\`)`,
  userId: `text('user_id')`,
  columns: ['text'],
  schema: 'money',
  prefix: 'app_',
}

const USERS = 40
/** User n has n % 7, so that some have none: these, and so much in sum. */
const FUNDED = 35
const SUM = 120

/** Fill the app's column, as the app has done over the years. */
async function fillColumn(): Promise<void> {
  await pool.query(`insert into users (credits) select n % 7 from generate_series(1, ${USERS}) n`)
}

const COLUMN = ['--table', 'users', '--column', 'credits', '--credit-type', 'calls']

/** Import the column, reconcile it in three ways, and use what was imported. */
async function importAndSpend(app: HostApp, userCredits: string, idType: string): Promise<void> {
  const tables = await app.tables()
  const service = () =>
    new CreditService({ creditTypes: ['calls'], store: postgresStore(drizzle({ client: pool }), { tables }) })
  const { creditkit } = commandLine(service)
  const apply = ['import', ...COLUMN, '--apply', '--yes', '--json']
  expect(json(await creditkit(...apply))).toMatchObject({
    ...{ rows: FUNDED, granted: FUNDED, credits: SUM, inLedger: SUM, difference: 0, refused: 0, failed: 0 },
  })
  expect(json(await creditkit(...apply))).toMatchObject({ granted: 0, before: FUNDED, inLedger: SUM, difference: 0 })
  expect(json(await creditkit('shadow', ...COLUMN, '--json'))).toMatchObject({ compared: USERS, equal: USERS })
  // Joined by the host's own ids, of the host's own type.
  const { rows: reconciled } = await pool.query(
    `select count(*) filter (where u.credits <> coalesce(c.balance, 0))::int as differing, sum(c.balance)::int as ours,
       max(pg_typeof(c.user_id)::text) as type
     from users u left join ${userCredits} c on c.user_id = u.id and c.credit_type = 'calls'`,
  )
  expect(reconciled).toEqual([{ differing: 0, ours: SUM, type: idType }])

  const { rows } = await pool.query<{ id: string }>('select id::text from users where credits = 6 order by id')
  const userId = String(rows[0]?.id)
  const credits = service()
  const spend = (amount: number) =>
    credits.deductCredits({
      userId,
      amount,
      creditType: 'calls',
      description: 'Call',
      idempotencyKey: `call-${amount}`,
    })
  await Promise.all([spend(1), spend(2), spend(1)])
  await expect(spend(4)).rejects.toBeInstanceOf(InsufficientCreditsError)
  await credits.holdCredits({ userId, amount: 3, creditType: 'calls', description: 'Long call', expiresInSeconds: 60 })
  expect(await credits.getBalance(userId, 'calls')).toBe(0)
  expect(await credits.verify()).toEqual({ accounts: FUNDED, violations: [] })
  await credits.close()
  expect(await creditkit('verify')).toMatchObject({ code: 0 })
  // Whoever has credits is not deleted by accident.
  await expect(pool.query('delete from users where id::text = $1', [userId])).rejects.toMatchObject({ code: '23503' })
}

describe('a Drizzle app with a users table (integer ids) and a credits column', () => {
  it('adopts it: generate, migrate, import, reconciled to the credit; then spends', async () => {
    const app = hostApp(database.url, serialIds)
    app.write('schema.ts', usersFile(serialIds))
    await app.drizzleKit('generate')
    await app.drizzleKit('migrate')
    await fillColumn()

    app.write('schema.ts', adoptedFile(serialIds))
    await app.drizzleKit('generate')
    await app.drizzleKit('generate', '--custom', '--name', 'credit_views')
    expect(app.migrations()).toHaveLength(3)
    app.write(`drizzle/${app.migrations().at(-1)}`, creditViews())
    await app.drizzleKit('migrate')
    await importAndSpend(app, 'user_credits', 'integer')
    // Nothing is left to generate, now or ever; and the views are there.
    expect(await app.drizzleKit('generate')).toContain('No schema changes')
    const { rows } = await pool.query('select sum(credits)::int as credits from credit_outstanding')
    expect(rows).toEqual([{ credits: SUM - 3 }])
  })

  it('leaves a schema of ours alone when it pushes its own tables', async () => {
    await migrate(database.url)
    const ours = await schemaOf('creditkit')
    const app = hostApp(database.url, serialIds)
    app.write('schema.ts', usersFile(serialIds))
    await app.drizzleKit('push', '--force')
    expect(await app.drizzleKit('push', '--force')).toContain('No changes detected')
    expect(await schemaOf('creditkit')).toEqual(ours)
  })
})

describe.each([
  ['uuid ids, credits in a schema of its own', uuidIds, '"billing".user_credits', 'uuid'],
  ['bigint ids, credits under a prefix', bigintIds, 'app_user_credits', 'bigint'],
  ['text ids, credits under a prefix in a schema of its own', textIds, 'money.app_user_credits', 'text'],
])('a Drizzle app with %s', (_, host, userCredits, idType) => {
  it('adopts it the same way', async () => {
    const app = hostApp(database.url, host)
    app.write('schema.ts', adoptedFile(host))
    await app.drizzleKit('generate')
    await app.drizzleKit('migrate')
    await fillColumn()
    await importAndSpend(app, userCredits, idType)
  })
})

describe.each([
  ['in the default schema', serialIds, 'public', 'user_credits'],
  ['in a schema that its configuration names', uuidIds, 'billing', 'billing.user_credits'],
])('drizzle-kit push, with the tables %s', (_, host, schema, userCredits) => {
  it('makes what its migrations make, and loses nothing when it is repeated', async () => {
    const app = hostApp(database.url, host)
    app.write('schema.ts', adoptedFile(host))
    await app.drizzleKit('generate')
    await app.drizzleKit('migrate')
    const migrated = await schemaOf(schema)

    const pushedTo = await createTestDatabase()
    await pool.end()
    await database.drop()
    database = pushedTo
    pool = new pg.Pool({ connectionString: database.url, max: 8 })
    const pushing = hostApp(database.url, host)
    pushing.write('schema.ts', adoptedFile(host))
    await pushing.drizzleKit('push', '--force')
    expect(await schemaOf(schema)).toEqual(migrated)
    await fillColumn()
    await importAndSpend(pushing, userCredits, host === serialIds ? 'integer' : 'uuid')

    const again = await pushing.drizzleKit('push', '--force', '--verbose')
    // This drizzle-kit forgets the order of a key's columns and makes such keys anew (drizzle-orm issue 6193), the same.
    const asked = again.split('\n').filter((line) => /^(alter|create|drop|truncate|delete|comment)\b/i.test(line))
    const others = asked.filter((line) => !/^ALTER TABLE \S+ (DROP|ADD) CONSTRAINT "\w+_(pkey|id_key)"/.test(line))
    expect(others).toEqual([])
    // Nor does it do so to keys of one column, whose order it can't forget.
    expect(asked.join('\n')).not.toMatch(/CASCADE|(quarantine|subscriptions|packages|references)_pkey/)
    expect(await schemaOf(schema)).toEqual(migrated)
    const { rows } = await pool.query(`select sum(balance)::int as ours from ${userCredits}`)
    expect(rows).toEqual([{ ours: SUM - 3 }])
  })
})

async function schemaOf(schema: string) {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    return await describeSchema(client, schema)
  } finally {
    await client.end()
  }
}
