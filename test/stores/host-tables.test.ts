import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { creditTables, postgresStore } from '../../adapters/postgres/index.js'
import type { AnyCreditTables } from '../../adapters/postgres/tables.js'
import { CreditService, InvalidInputError } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { testCreditStore } from '../conformance/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

/* Tables the host owns, as drizzle-kit makes them from the host's schema, in one database. */

const users = pgTable('users', { id: integer('id').primaryKey().generatedAlwaysAsIdentity(), name: text('name') })
const people = pgTable('people', { id: uuid('id').primaryKey().defaultRandom() })

const integerTables = creditTables({
  schema: 'billing',
  userId: () =>
    integer('user_id')
      .notNull()
      .references(() => users.id),
})
const uuidTables = creditTables({
  prefix: 'app_',
  userId: () =>
    uuid('user_id')
      .notNull()
      .references(() => people.id),
})

let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 8 })
  const exported = new Map<string, unknown>([
    ['users', users],
    ['people', people],
  ])
  for (const [name, tables] of Object.entries({ integerTables, uuidTables })) {
    for (const [key, table] of Object.entries(tables)) exported.set(`${name}${key}`, table)
  }
  const generated = await generateMigration(generateDrizzleJson({}), generateDrizzleJson(Object.fromEntries(exported)))
  for (const statement of generated) await pool.query(statement)
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

const openStore =
  (tables: AnyCreditTables, isClientKnown = true) =>
  async (): Promise<CreditStore> => {
    const db = drizzle({ client: pool })
    // Of another driver than those we know: every statement goes through Drizzle.
    if (!isClientKnown) Object.defineProperty(db, '$client', { value: undefined })
    return postgresStore(db, { tables })
  }

async function newId(statement: string): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(statement)
  return String(rows[0]?.id)
}

const ofAnyDrizzle = openStore(integerTables, false)
testCreditStore("postgresStore on any Drizzle and the host's tables, integer user ids", ofAnyDrizzle, {
  newUser: () => newId(`insert into users (name) values ('Ann') returning id`),
})
// Of another user id, only with `npm run test:long`: what depends on it is tested below.
if (process.env.TEST_HISTORIES !== undefined)
  testCreditStore("postgresStore on the host's tables, prefixed, uuid user ids", openStore(uuidTables), {
    newUser: () => newId('insert into people default values returning id'),
  })

describe("user ids of the host's type", () => {
  it('are one user as a number and as its text', async () => {
    const credits = new CreditService({ store: await openStore(integerTables)() })
    const id = Number(await newId(`insert into users (name) values ('Bob') returning id`))
    await credits.addCredits(id, 5, 'calling', 'Number')
    expect(await credits.addCredits(String(id), 7, 'calling', 'Text')).toMatchObject({ userId: String(id), seq: 2 })
    expect(await credits.getBalance(id, 'calling')).toBe(12)
  })

  it.each(['01', '+1', ' 1', '1.0', '1e3', '0x1', 'ann', '-1', '2147483648', 2_147_483_648])(
    'refuses %j as an integer, before the database is asked',
    async (userId) => {
      const credits = new CreditService({ store: await openStore(integerTables)() })
      await expect(credits.addCredits(userId, 5, 'calling', 'Wrong')).rejects.toBeInstanceOf(InvalidInputError)
    },
  )

  it('are one user in upper and lower case when they are uuids', async () => {
    const credits = new CreditService({ store: await openStore(uuidTables)() })
    const id = await newId('insert into people default values returning id')
    await credits.addCredits(id.toUpperCase(), 5, 'calling', 'Upper')
    expect(await credits.getBalance(id, 'calling')).toBe(5)
    await expect(credits.getBalance('1', 'calling')).rejects.toThrow('must be a UUID')
  })
})
