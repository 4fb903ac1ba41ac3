import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { selectDueAccounts } from '../../adapters/postgres/due-statements.js'
import { loadState } from '../../adapters/postgres/load-statement.js'
import { migrate } from '../../adapters/postgres/index.js'
import { DEFAULT_SCHEMA } from '../../adapters/postgres/migrate.js'
import { selectQuarantine } from '../../adapters/postgres/quarantine-statements.js'
import { selectInvoicePurchases, selectPurchases } from '../../adapters/postgres/selling-statements.js'
import { selectBalances } from '../../adapters/postgres/read-statements.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { selectDueTopups } from '../../adapters/postgres/topup-statements.js'
import { newCommand } from '../conformance/credit-store/bench.js'
import { emptyAccount } from '../../src/ledger/account.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { Plans } from './plans.js'

/* What sweeps and payments look for is found by an index that holds little else, whatever lies around it. */

const NOW = new Date('2026-05-04T08:00:00.000Z')
const tables = ownTables(DEFAULT_SCHEMA)

let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  pool = new pg.Pool({ connectionString: database.url, max: 1 })
  await pool.query(`set search_path = ${DEFAULT_SCHEMA}`)
  const users = `select 'user-' || n as user_id, 'calling' as credit_type, n from generate_series(1, 5000) n`
  const past = `timestamptz '2026-01-01T00:00:00Z'`
  await pool.query(`
    insert into user_credits (balance, held, debt, total_purchased, total_used, head_remaining, scheduled, seq, version,
      key_version, last_credit, topup_due, created_at, updated_at, user_id, credit_type)
    select 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, n % 1000 = 0, ${past}, ${past}, user_id, credit_type from (${users}) u;
    -- All of them have waited for their payment for months.
    insert into credit_schedules (amount, period_granted, undelivered, raises, anchor_at, next_at, period_from, paid_until,
      created_at, updated_at, id, priority, grace_seconds, user_id, credit_type, plan, every, source, status, subscription_id)
    select 10, 10, 0, '[]', ${past}, ${past}, ${past}, ${past}, ${past}, ${past}, gen_random_uuid(), 0, 0, user_id, credit_type, 'pro',
      'month', 'subscription', 'active', 'si_' || n from (${users}) u;
    insert into credit_auto_topups (threshold, month_minor, month_start, created_at, updated_at, package_id, quantity,
      failures, month_count, user_id, credit_type, status, open_purchase_id, open_since)
    select 1, 0, ${past}, ${past}, ${past}, 7, 1, 0, 0, user_id, credit_type, 'active',
      case when n % 1000 = 1 then gen_random_uuid() end, case when n % 1000 = 1 then ${past} end from (${users}) u;
    insert into credit_purchases (credits, unit_price_minor, clawed, withheld, absorbed, created_at, updated_at, id,
      quantity, livemode, user_id, credit_type, origin, package_name, currency, status, provider, invoice_id)
    select 10, 999, 0, 0, 0, ${past}, ${past}, gen_random_uuid(), 1, true, user_id, credit_type, 'invoice', 'pro', 'eur',
      case when n % 1000 = 1 then 'pending' else 'fulfilled' end, 'stripe', 'in_' || n from (${users}) u;
    insert into credit_purchase_references (purchase_id, reference, user_id)
    select id, invoice_id, user_id from credit_purchases;
    insert into credit_quarantine (created_at, resolved_at, id, reason, details)
    select ${past}, case when n % 1000 <> 1 then ${past} end, gen_random_uuid(), 'unknown', '{}' from (${users}) u;
    -- One account with a long history.
    insert into credit_grants (amount, remaining, held, shortfall, written_off, seq, created_at, id, purchase_id, priority,
      open, user_id, credit_type, source)
    select 10, 0, 0, 0, 0, n, ${past}, gen_random_uuid(), gen_random_uuid(), 0, false, 'user-1', 'calling', 'purchase'
      from generate_series(1, 5000) n;
    insert into credit_transactions (seq, amount, balance_after, created_at, id, related_id, user_id, credit_type,
      transaction_type, description)
    select n, 1, n, ${past}, gen_random_uuid(), gen_random_uuid(), 'user-1', 'calling', 'refund', ''
      from generate_series(1, 5000) n`)
  await pool.query('analyze')
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const newPlans = () => new Plans(pool)

describe('a sweep', () => {
  it('reads no schedule that waits for its payment', async () => {
    const plans = newPlans()
    const due = await selectDueAccounts(plans, tables, {
      now: NOW,
      expiringWithinSeconds: null,
      limit: 100,
      after: null,
    })
    expect(due).toEqual([])
    expect(plans.indexes).toContain('credit_schedules_next')
    expect(plans.rows).toBe(0)
  })

  it('reads the top-ups that have something to do, and their accounts', async () => {
    const plans = newPlans()
    const due = await selectDueTopups(plans, tables, { now: NOW, openBefore: NOW, limit: 100, after: null })
    expect(due).toHaveLength(10)
    expect(plans.indexes).toEqual(expect.arrayContaining(['credit_auto_topups_open', 'user_credits_topup_due']))
    expect(plans.rows).toBeLessThan(50)
  })

  it('reads the purchases nobody has paid for yet', async () => {
    const plans = newPlans()
    const query = { from: new Date(0), to: NOW, limit: 100, after: null }
    expect(await selectPurchases(plans, tables, { ...query, statuses: ['pending', 'processing'] })).toHaveLength(5)
    expect(await selectPurchases(plans, tables, { ...query, statuses: ['pending'] })).toHaveLength(5)
    expect(plans.indexes).toContain('credit_purchases_unsettled')
    expect(plans.rows).toBeLessThan(50)
  })
})

describe('an account whose schedule waits for its payment', () => {
  const key = { userId: 'user-7', creditType: 'calling' }

  it('has its balance read by one statement: nothing is overdue', async () => {
    const plans = newPlans()
    expect(await selectBalances(plans, tables, key, NOW)).toMatchObject([{ balance: 0, staleAfterMs: null }])
    expect(plans.statements).toBe(1)
  })

  it('hands no schedule to commands that ask for none', async () => {
    const command = newCommand([key], { load: { grants: { covering: 1 } }, now: NOW })
    const { accounts } = await loadState(newPlans(), tables, command, [emptyAccount(key, NOW)])
    expect(accounts).toMatchObject([{ schedules: [], nextDueAt: null }])
  })
})

describe('a look-up', () => {
  it('of open quarantine reads what is open', async () => {
    const plans = newPlans()
    expect(await selectQuarantine(plans, tables, { open: true, limit: 100, after: null })).toHaveLength(5)
    expect(plans.indexes).toContain('credit_quarantine_open')
    expect(plans.rows).toBeLessThan(50)
  })

  it("of an invoice's purchases reads these", async () => {
    const plans = newPlans()
    expect(await selectInvoicePurchases(plans, tables, 'in_7')).toHaveLength(1)
    expect(plans.rows).toBeLessThanOrEqual(4)
  })

  it("of a purchase's grants and corrections reads these, however long the account's history is", async () => {
    const plans = newPlans()
    const key = { userId: 'user-1', creditType: 'calling' }
    const { rows } = await pool.query<{ id: string }>('select purchase_id as id from credit_grants limit 1')
    const purchases = [{ userId: key.userId, id: rows[0]?.id ?? '' }]
    const command = newCommand([key], { purchases, load: { grants: { covering: 1 } }, id: uuidv7() })
    const { accounts } = await loadState(plans, tables, command, [emptyAccount(key, NOW)])
    expect(accounts[0]?.grants).toMatchObject([{ purchaseId: purchases[0]?.id, open: false }])
    expect(plans.indexes).toEqual(expect.arrayContaining(['credit_grants_purchase', 'credit_transactions_related']))
    expect(plans.rows).toBeLessThan(50)
  })
})
