import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { creditTables, migrate, postgresStore } from '../../adapters/postgres/index.js'
import { creditViews } from '../../adapters/postgres/report-views.js'
import { CreditService } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { DAY, later, stoppedClock } from '../conformance/credit-store/bench.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { Scenario } from './scenario.js'

let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 4 })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

async function rows(select: string): Promise<unknown[]> {
  const found = await pool.query<Record<string, unknown>>(select)
  return found.rows
}

/** Two days of a user with 300 credits for 10 USD, 50 free ones for a day, and 20 for 5 EUR that are voided. */
async function live(store: CreditStore, userId: string): Promise<void> {
  const clock = stoppedClock('2026-03-10T23:00:00.000Z')
  const credits = new CreditService({ store, clock, cache: null })
  const account = { userId, creditType: 'calling' as const, description: 'By hand' }
  const bought = { ...account, transactionType: 'purchase' as const }
  await credits.addCredits({ ...bought, amount: 300, paidAmount: 1000, currency: 'usd' })
  await credits.addCredits({ ...account, amount: 50, source: 'promotional', expiresAt: later(clock, DAY) })
  // 50 free ones and 10 paid; 10 paid and 10 free ones come back.
  const use = await credits.deductCredits({ ...account, amount: 60 })
  await credits.refundCredits({ transactionId: use.id, amount: 20 })
  const { id: holdId } = await credits.holdCredits({ ...account, amount: 30, expiresInSeconds: (3 * DAY) / 1000 })
  clock.advance(2 * DAY)
  // 5 free ones; the 5 that come back end at once, the 20 paid ones are free again.
  await credits.captureHold({ holdId, amount: 5 })
  await credits.deductCredits({ ...account, amount: 45 })
  await credits.holdCredits({ ...account, amount: 55 })
  const voided = await credits.addCredits({ ...bought, amount: 20, paidAmount: 500, currency: 'eur' })
  await credits.voidGrant({ grantId: voided.id, reason: 'By hand' })
}

const REPORTS = {
  credit_outstanding: 'select credit_type, source, currency, credits::int, held::int, paid_value::float from %',
  credit_breakage: `select day::text, credit_type, source, currency, credits::int, paid_value::float from %
    order by day, currency`,
  credit_revenue: `select day::text, credit_type, source, currency, credits::int, paid_value::float from %
    order by day, source`,
  credit_usage_by_source: `select day::text, credit_type, source, used::int, refunded::int from % order by day, source`,
}

async function reports(place: string): Promise<Record<string, unknown>> {
  const entries = Object.entries(REPORTS).map(
    async ([view, select]) => [view, await rows(select.replace('%', `${place}${view}`))] as const,
  )
  return Object.fromEntries(await Promise.all(entries))
}

const credit_type = 'calling'
const [purchase, promotional] = [
  { credit_type, source: 'purchase', currency: 'usd' },
  { credit_type, source: 'promotional', currency: null },
]
const EXPECTED = {
  credit_outstanding: [{ ...purchase, credits: 255, held: 55, paid_value: 850 }],
  credit_breakage: [
    { day: '2026-03-12', ...purchase, currency: 'eur', credits: 20, paid_value: 500 },
    { day: '2026-03-12', ...promotional, credits: 5, paid_value: null },
  ],
  credit_revenue: [
    { day: '2026-03-10', ...promotional, credits: 40, paid_value: null },
    { day: '2026-03-10', ...purchase, credits: 0, paid_value: 0 },
    { day: '2026-03-12', ...promotional, credits: 5, paid_value: null },
    { day: '2026-03-12', ...purchase, credits: 45, paid_value: 150 },
  ],
  credit_usage_by_source: [
    { day: '2026-03-10', credit_type, source: 'promotional', used: 50, refunded: 10 },
    { day: '2026-03-10', credit_type, source: 'purchase', used: 10, refunded: 10 },
    { day: '2026-03-12', credit_type, source: 'promotional', used: 5, refunded: 0 },
    { day: '2026-03-12', credit_type, source: 'purchase', used: 45, refunded: 0 },
  ],
}

describe('the views for reports', () => {
  it('tell what is owed, what ended unused, what was earned and what was used, in any time zone', async () => {
    await migrate(database.url)
    const store = postgresStore(pool)
    await live(store, 'ann')
    expect(await reports('creditkit.')).toEqual(EXPECTED)
    await pool.query(`alter database ${new URL(database.url).pathname.slice(1)} set timezone = 'Pacific/Auckland'`)
    const elsewhere = new pg.Client({ connectionString: database.url })
    await elsewhere.connect()
    const { rows: days } = await elsewhere.query<{ day: string }>('select day::text from creditkit.credit_breakage')
    await elsewhere.end()
    expect(days.map(({ day }) => day)).toEqual(['2026-03-12', '2026-03-12'])
  })

  it('say what they are', async () => {
    await migrate(database.url)
    const described = await rows(`select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where nspname = 'creditkit' and relkind = 'v' and obj_description(c.oid, 'pg_class') is not null order by relname`)
    expect(described).toEqual(['credit_allocations', ...Object.keys(REPORTS)].sort().map((relname) => ({ relname })))
  })

  it('agree with the ledger after anything that can happen to credits', { timeout: 120_000 }, async () => {
    await migrate(database.url, { schema: 'played' })
    const store = postgresStore(pool, { schema: 'played' })
    const scenario = new Scenario(store, 13, '2026-04-01T08:00:00.000Z')
    await scenario.play(250)
    const metrics = await scenario.credits.getMetrics({ from: new Date(0), to: new Date('2030-01-01') })
    const [sums] = await rows(`select
      (select sum(credits) from played.credit_allocations)::int as balance,
      (select -sum(credits) from played.credit_allocations where is_debt)::int as debt,
      (select sum(credits) from played.credit_outstanding)::int as outstanding,
      (select sum(held) from played.credit_outstanding)::int as held,
      (select sum(credits) from played.credit_breakage)::int as breakage,
      (select sum(credits) from played.credit_revenue)::int as revenue,
      (select sum(used) from played.credit_usage_by_source)::int as used,
      (select sum(refunded) from played.credit_usage_by_source)::int as refunded`)
    const [accounts] = await rows(`select sum(balance)::int as balance, sum(debt)::int as debt, sum(held)::int as held
      from played.user_credits`)
    const { breakage, used, refunded, outstanding } = metrics
    const owed = outstanding.paid + outstanding.promotional
    const figures = { breakage, used, refunded, outstanding: owed, revenue: used - refunded }
    expect(sums).toEqual({ ...Object(accounts), ...figures })
  })

  it("stand on the host's own tables, with a prefix and the host's user ids", async () => {
    const tables = creditTables({ prefix: 'app_', userId: () => integer('user_id').notNull() })
    const generated = await generateMigration(generateDrizzleJson({}), generateDrizzleJson({ ...tables }))
    for (const statement of generated) await pool.query(statement)
    await pool.query(creditViews({ prefix: 'app_' }))
    await live(postgresStore(drizzle({ client: pool }), { tables }), '7')
    expect(await reports('app_')).toEqual(EXPECTED)
  })
})
