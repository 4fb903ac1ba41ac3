import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { nodePostgresDatabase } from '../../adapters/postgres/databases/node-postgres.js'
import { migrate } from '../../adapters/postgres/index.js'
import { DEFAULT_SCHEMA, migrateDatabase } from '../../adapters/postgres/migrate.js'
import { MIGRATIONS } from '../../adapters/postgres/migrations.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { sqlStore } from '../../adapters/postgres/store.js'
import { CreditService } from '../../src/index.js'
import { testCreditStore } from '../conformance/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { CITUS_STAND_IN, refusingAsCitus } from '../postgres/citus-stand-in.js'
import { PER_USER, readWithoutOneUser } from '../postgres/distributable-rules.js'
import { NotedStatements } from '../postgres/noted-statements.js'

/** What the store asks for one user, so that one machine answers. */
const FOR_ONE_USER = [
  ...['findGrants', 'listGrants', 'listHolds', 'listSchedules', 'listTopups', 'listTransactions', 'listUserPurchases'],
  ...['readBalance', 'readBalances', 'readUsage', 'scanAccounts', 'update'],
]

/** As such a statement says it: of what it reads, and of what it locks or changes. */
const NAMES_ONE_USER = /\(select \* from \S+ where user_id = \$\d|and [apt]\.user_id = \$\d/

describe('migrate, distributed by Citus', () => {
  let database: TestDatabase
  let pool: pg.Pool

  beforeEach(async () => {
    database = await createTestDatabase()
    pool = new pg.Pool({ connectionString: database.url, max: 4 })
  })
  afterEach(async () => {
    await pool.end()
    await database.drop()
  })

  const placed = async () => {
    const { rows } = await pool.query<{ name: string; method: string; beside: string | null }>(
      `select c.relname as name, d.partmethod as method, d.colocated_with as beside
       from pg_dist_partition d join pg_class c on c.oid = d.logicalrelid order by 1`,
    )
    return rows
  }

  it('spreads what users have by user_id, all beside their accounts, and keeps the rest on every machine', async () => {
    await pool.query(CITUS_STAND_IN)
    expect(await migrate(pool, { distributed: 'citus' })).toMatchObject({ schema: 'creditkit' })
    const rows = await placed()
    const spread = rows.filter(({ method }) => method === 'h')
    expect(spread.map(({ name }) => name)).toEqual([...PER_USER].sort())
    expect(spread.filter(({ beside }) => beside === 'none').map(({ name }) => name)).toEqual(['user_credits'])
    expect(new Set(spread.map(({ beside }) => beside))).toEqual(new Set(['none', '"creditkit"."user_credits"']))
    expect(rows.filter(({ method }) => method === 'n').map(({ name }) => name)).toEqual([
      ...['credit_migrations', 'credit_packages', 'credit_purchase_references', 'credit_quarantine'],
      ...['credit_subscriptions', 'credit_webhook_events'],
    ])
  })

  it('does so once, by however many at once, and later with what is new', async () => {
    await pool.query(CITUS_STAND_IN)
    await Promise.all([1, 2, 3].map(() => migrate(database.url, { schema: 'Häuser', distributed: 'citus' })))
    const before = await placed()
    expect(before).toHaveLength(PER_USER.size + 6)
    await migrate(pool, { schema: 'Häuser' })
    expect(await placed()).toEqual(before)
    const second = {
      number: 2,
      name: 'more',
      statements: (schema: string) => [`create table ${schema}.credit_more (user_id text primary key)`],
    }
    await migrateDatabase(nodePostgresDatabase(pool), 'Häuser', [...MIGRATIONS, second])
    expect(await placed()).toContainEqual({ name: 'credit_more', method: 'h', beside: '"Häuser"."user_credits"' })
  })

  it('takes tables over that have been on one machine', async () => {
    await migrate(pool)
    await pool.query(CITUS_STAND_IN)
    expect(await migrate(pool, { distributed: 'citus' })).toMatchObject({ applied: [] })
    expect(await placed()).toHaveLength(PER_USER.size + 6)
  })

  it('changes nothing where there is no Citus, nor together with partitions', async () => {
    await expect(migrate(pool, { distributed: 'citus' })).rejects.toThrow('has no Citus')
    await expect(migrate(pool, { distributed: 'citus', partitions: 4 })).rejects.toThrow('not both')
    const { rows } = await pool.query(`select from pg_namespace where nspname = 'creditkit'`)
    expect(rows).toEqual([])
  })

  it('leaves tables alone on a server with Citus, unless it is asked', async () => {
    await pool.query(CITUS_STAND_IN)
    await migrate(pool)
    expect(await placed()).toEqual([])
  })
})

describe('a store on distributed tables', () => {
  let database: TestDatabase
  let pool: pg.Pool
  const noted = new NotedStatements()

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = new pg.Pool({ connectionString: database.url, max: 8 })
    await pool.query(CITUS_STAND_IN)
    await migrate(pool, { distributed: 'citus' })
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  const withClient = async (work: (client: pg.PoolClient) => Promise<void>) => {
    const client = await pool.connect()
    try {
      await work(client)
    } finally {
      client.release()
    }
  }

  const open = () => {
    const refusing = refusingAsCitus(nodePostgresDatabase(pool))
    return { refusing, store: sqlStore(noted.on(refusing), ownTables(DEFAULT_SCHEMA)) }
  }

  testCreditStore('postgresStore on a database that refuses what Citus refuses', async () => noted.of(open().store))

  it('asks each machine for its own users only, in all that a user waits for', async () => {
    const asked = new Set<string>()
    const broken: string[] = []
    await withClient(async (client) => {
      for (const [text, values] of noted.values) {
        const names = [...(noted.sentBy.get(text) ?? [])].filter((name) => FOR_ONE_USER.includes(name))
        // What is sent before the first refusal, or about several users, names none.
        if (names.length === 0 || !NAMES_ONE_USER.test(text)) continue
        for (const name of names) asked.add(name)
        const tables = await readWithoutOneUser(client, text, values)
        if (tables.length > 0) broken.push(`${names.join(', ')} reads ${tables.join(', ')}: ${text}`)
        // Before version 16, Postgres wants a name for what is read in a table's place.
        expect(text).not.toMatch(/where user_id = \$\d+::text::text\)\s*(where|join|order|group|limit|\))/)
      }
    })
    expect(broken).toEqual([])
    expect([...asked].sort()).toEqual(FOR_ONE_USER)
  })

  it.each([
    [
      'select 1 from creditkit.user_credits a join creditkit.credit_grants g using (user_id)',
      'credit_grants, user_credits',
    ],
    [
      `select 1 from creditkit.user_credits a join creditkit.credit_grants g using (user_id) where user_id = $1::text`,
      '',
    ],
    [
      `select 1 from jsonb_to_recordset($1::text::jsonb) as x(id text) join creditkit.credit_grants g on g.user_id = x.id`,
      'credit_grants',
    ],
  ])('negative control: %s reads %j without saying whose', async (text, tables) => {
    await withClient(async (client) => {
      const values = text.includes('$1') ? ['[]'] : []
      expect(await readWithoutOneUser(client, text, values)).toEqual(tables.split(', ').filter((name) => name !== ''))
    })
  })

  it('learns it from the first refusal, once, and leaves the fast path', async () => {
    const { refusing, store } = open()
    const credits = new CreditService({ creditTypes: ['calls'], store: noted.of(store) })
    const user = { userId: 'ann', creditType: 'calls' as const, description: 'Call' }
    // A deduction comes first, before anybody could know.
    await expect(credits.deductCredits({ ...user, amount: 1 })).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS' })
    expect(refusing.refused).toBe(1)
    await credits.addCredits({ ...user, amount: 10 })
    await Promise.all([1, 2, 3].map((amount) => credits.deductCredits({ ...user, amount })))
    expect(await credits.getBalance('ann', 'calls')).toBe(4)
    expect(refusing.refused).toBe(1)
    expect(await credits.verify({ userId: 'ann' })).toEqual({ accounts: 1, violations: [] })
  })

  it('sweeps what is due, and leaves out the sums that no single machine can make', async () => {
    const { refusing, store } = open()
    const now = new Date('2026-05-04T08:00:00Z')
    const at = { time: now }
    const credits = new CreditService({ creditTypes: ['calls'], store: noted.of(store), clock: { now: () => at.time } })
    const expiresAt = new Date(now.getTime() + 1000)
    await credits.addCredits({ userId: 'cid', creditType: 'calls', amount: 5, description: 'Gift', expiresAt })
    at.time = new Date(expiresAt.getTime() + 1)
    await credits.runDue()
    expect(await credits.getTransactionHistory('cid')).toMatchObject([{ transactionType: 'expiration' }, { amount: 5 }])
    expect(refusing.refused).toBe(1)
  })

  it('works within a transaction of the host without having been refused first', async () => {
    const { refusing, store } = open()
    const credits = new CreditService({ creditTypes: ['calls'], store: noted.of(store) })
    await credits.transaction(async ({ credits: inside }) => {
      await inside.addCredits({ userId: 'bob', creditType: 'calls', amount: 5, description: 'Gift' })
      await inside.deductCredits({ userId: 'bob', creditType: 'calls', amount: 2, description: 'Call' })
    })
    expect(await credits.getBalance('bob', 'calls')).toBe(3)
    expect(refusing.refused).toBe(0)
  })
})
