import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { selectDueAccounts } from '../../adapters/postgres/due-statements.js'
import {
  selectGrant,
  selectHold,
  selectOpenGrants,
  selectOpenHolds,
  selectTransaction,
} from '../../adapters/postgres/find-statements.js'
import { migrate } from '../../adapters/postgres/index.js'
import { loadState, selectKnownCommands } from '../../adapters/postgres/load-statement.js'
import { DEFAULT_SCHEMA } from '../../adapters/postgres/migrate.js'
import { selectPurchaseWithFacts, selectUserPurchases } from '../../adapters/postgres/purchase-statements.js'
import { selectBalances, selectTransactions } from '../../adapters/postgres/read-statements.js'
import { fastPath } from '../../adapters/postgres/spend.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { selectUsage, selectUsageToRollUp, sumUsage } from '../../adapters/postgres/usage-statements.js'
import { selectUsers } from '../../adapters/postgres/user-statements.js'
import { type AccountKey, emptyAccount } from '../../src/ledger/account.js'
import type { TransactionPage } from '../../src/ledger/transaction-positions.js'
import type { SpendCommand, SpendOutcome, TransactionQuery } from '../../src/ports/store.js'
import { newCommand } from '../conformance/credit-store/bench.js'
import { hold, use } from '../conformance/credit-store/spending-bench.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { Plans } from './plans.js'

/*
 * No statement of a hot path reads more as the tables grow. Counted here: rows read, in a ledger of 100 thousand
 * transactions, one in ten of them somebody's who has 8,000 of one credit type and 2,000 of another, ten minutes apart.
 */

const NOW = new Date('2026-05-04T08:00:00.000Z')
const HEAVY = { userId: 'user-0', creditType: 'calling' }
const PAGE = 50
const tables = ownTables(DEFAULT_SCHEMA)

describe.each([
  ['for the first time', { again: false }],
  ['again and again', { again: true }],
  ['on a ledger in partitions', { again: false, partitions: 4 }],
  ['again and again on a ledger in partitions', { again: true, partitions: 4 }],
])('run %s', (_, { again, partitions }: { again: boolean; partitions?: number }) => {
  let database: TestDatabase
  let pool: pg.Pool

  beforeAll(async () => {
    database = await createTestDatabase()
    await migrate(database.url, { partitions })
    pool = new pg.Pool({ connectionString: database.url, max: 1 })
    await pool.query(`set search_path = ${DEFAULT_SCHEMA}`)
    await pool.query(FILL)
    await pool.query('analyze')
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  /** Does it with a plan that reads no table from end to end (but the empty one). Returns what came out, and what was read. */
  async function explained<R>(work: (plans: Plans) => Promise<R>): Promise<{ result: R; plans: Plans }> {
    const plans = new Plans(pool, { again })
    const result = await work(plans)
    expect(plans.wholeTables.filter((name) => name !== 'credit_schedules')).toEqual([])
    return { result, plans }
  }

  const idOf = async (table: string): Promise<string> => {
    const { rows } = await pool.query<{ id: string }>(`select id from ${table} where user_id = 'user-77' limit 1`)
    return rows[0]?.id ?? ''
  }

  describe('a balance', () => {
    it('is read by one statement, by its key', async () => {
      const { result, plans } = await explained((sql) => selectBalances(sql, tables, HEAVY, NOW))
      expect(result).toHaveLength(1)
      expect(plans.statements).toBe(1)
      expect(plans.rows).toBeLessThan(20)
    })

    it('of every credit type is read by one statement for all of them', async () => {
      const all = { userId: HEAVY.userId, creditType: null }
      const { result, plans } = await explained((sql) => selectBalances(sql, tables, all, NOW))
      expect(result).toHaveLength(2)
      expect(plans.statements).toBe(1)
      expect(plans.rows).toBeLessThan(60)
    })
  })

  describe('a page of the history', () => {
    const query = { userId: HEAVY.userId, transactionType: null, from: null, to: null, limit: PAGE, offset: 0 }
    const deep = new Map([
      ['calling', 1_000],
      ['scraping', 250],
    ])
    const rowsRead = async (rest: Pick<TransactionQuery, 'creditType' | 'after'> & Partial<TransactionQuery>) => {
      const { result, plans } = await explained((sql) => selectTransactions(sql, tables, { ...query, ...rest }))
      expect(result.transactions.length).toBeGreaterThan(0)
      return plans
    }

    it.each([null, deep])('reads its own rows and no other, first and deep: %s', async (after) => {
      expect((await rowsRead({ creditType: 'calling', after })).rows).toBeLessThanOrEqual(PAGE + 1 + 5)
    })

    it.each([null, deep])('of all credit types reads a page of each, first and deep: %s', async (after) => {
      expect((await rowsRead({ creditType: null, after })).rows).toBeLessThanOrEqual(2 * (PAGE + 1) + 5)
    })

    it.each(['purchase', 'refund', 'usage'] as const)('of one type of transaction reads these: %s', async (type) => {
      for (const creditType of ['calling', null]) {
        const plans = await rowsRead({ creditType, after: deep, transactionType: type })
        expect(plans.rows).toBeLessThanOrEqual(2 * (PAGE + 1) + 15)
        expect(plans.removed).toBeLessThanOrEqual(10)
      }
    })
  })

  describe('an account of many transactions', () => {
    it('has its usage summed up step by step, each reading its own transactions', async () => {
      const page = { limit: 100, after: null }
      const { result, plans } = await explained((sql) => selectUsageToRollUp(sql, tables, page))
      expect(result).toEqual([HEAVY, { ...HEAVY, creditType: 'scraping' }])
      expect(plans.rows).toBeLessThan(20)
      for (const key of result) {
        for (let more = true; more;) {
          const step = await explained((sql) => sumUsage(sql, tables, key, 1_000))
          more = step.result
          // Each transaction is read once; the rest are its sums by day.
          expect(step.plans.rows).toBeLessThan(1_100)
        }
      }
      await pool.query('analyze')
      const rest = await explained((sql) => selectUsageToRollUp(sql, tables, page))
      expect(rest.result).toEqual([])
      expect(rest.plans.rows).toBeLessThan(20)
    })

    it('then has its statistics read from the sums of its days, and of a day that the range cuts', async () => {
      const whole = await explained((sql) => selectUsage(sql, tables, HEAVY, null, null, NOW))
      expect(whole.result.transactions).toBe(8_000)
      // 56 days.
      expect(whole.plans.rows).toBeLessThan(200)
      const [from, to] = [new Date('2026-01-20T12:00:00Z'), new Date('2026-01-25T18:00:00Z')]
      const cut = await explained((sql) => selectUsage(sql, tables, HEAVY, from, to, NOW))
      expect(cut.result.transactions).toBe(5.25 * 144)
      // Two days of 144.
      expect(cut.plans.rows).toBeLessThan(600)
    })

    it('and pages of its history in a range read no more than the page and the days at the ends of the range', async () => {
      const range = { from: new Date('2026-01-20T12:00:00Z'), to: new Date('2026-01-25T18:00:00Z') }
      const base = { userId: HEAVY.userId, creditType: HEAVY.creditType, limit: PAGE, offset: 0, ...range }
      let page: TransactionPage = { transactions: [], next: null }
      let count = 0
      do {
        const query = { ...base, transactionType: null, after: page.next }
        const step = await explained((sql) => selectTransactions(sql, tables, query))
        expect(step.plans.rows).toBeLessThanOrEqual(PAGE + 1 + 144 + 30)
        page = step.result
        count += page.transactions.length
      } while (page.next !== null)
      expect(count).toBe(5.25 * 144)
      const rare = { ...base, transactionType: 'refund', after: null } as const
      const { result, plans } = await explained((sql) => selectTransactions(sql, tables, rare))
      expect(result.transactions).toHaveLength(2)
      expect(plans.rows).toBeLessThan(50)
    })
  })

  describe('a look-up', () => {
    it.each(['transaction', 'hold', 'grant'] as const)('of a %s by its id reads that one', async (kind) => {
      const id = await idOf(`credit_${kind}s`)
      const { result, plans } = await explained<object | null>((sql) => {
        if (kind === 'hold') return selectHold(sql, tables, id, NOW)
        return kind === 'grant' ? selectGrant(sql, tables, id) : selectTransaction(sql, tables, id)
      })
      expect(result).toMatchObject({ id, userId: 'user-77' })
      expect(plans.rows).toBeLessThan(10)
    })

    it('of a key reads what it was used for', async () => {
      const asked = ['key-40', 'nobody used this'].map((key) => ({ id: randomUUID(), userId: 'user-77', key }))
      const { result, plans } = await explained((sql) => selectKnownCommands(sql, tables, asked))
      expect(result).toMatchObject([{ transaction: { seq: 20 } }, null])
      expect(plans.rows).toBeLessThan(10)
    })

    it("of a user's grants reads these", async () => {
      const of = { userId: 'user-77', creditType: null }
      const grants = await explained((sql) => selectOpenGrants(sql, tables, of, NOW))
      expect(grants.result).toHaveLength(1)
      expect(grants.plans.rows).toBeLessThan(10)
    })
  })

  describe('what doors show', () => {
    it("a page of a user's purchases reads these and what went back for them, first and deep", async () => {
      const query = { userId: HEAVY.userId, limit: PAGE }
      const first = await explained((sql) => selectUserPurchases(sql, tables, { ...query, after: null }))
      const { rows } = await pool.query<{ id: string }>(
        `select id from credit_purchases where user_id = $1 order by created_at desc offset 1500 limit 1`,
        [HEAVY.userId],
      )
      const after = rows[0]?.id ?? ''
      const deep = await explained((sql) => selectUserPurchases(sql, tables, { ...query, after }))
      for (const { result, plans } of [first, deep]) {
        expect(result).toHaveLength(PAGE)
        expect(result[0]?.facts).toHaveLength(1)
        expect(plans.indexes).toContain('credit_purchases_user')
        expect(plans.rows).toBeLessThanOrEqual(2 * PAGE + 2)
      }
    })

    it('a purchase by its id reads that one', async () => {
      const id = await idOf('credit_purchases')
      const { result, plans } = await explained((sql) => selectPurchaseWithFacts(sql, tables, id))
      expect(result).toMatchObject({ purchase: { id, userId: 'user-77' }, facts: [{ purchaseId: id }] })
      expect(plans.rows).toBe(2)
    })

    it("a user's open holds read these", async () => {
      const query = { userId: 'user-600', creditType: null }
      const now = new Date('2026-01-15T00:00:00Z')
      const { result, plans } = await explained((sql) => selectOpenHolds(sql, tables, query, now))
      expect(result).toHaveLength(4)
      expect(plans.rows).toBeLessThan(10)
    })

    it.each([
      ['a rare beginning', { prefix: 'user-77', after: null }, 11],
      ['a common one', { prefix: 'user-', after: null }, PAGE],
      ['no beginning', { prefix: '', after: null }, PAGE],
      ['a page in the midst', { prefix: 'user-', after: 'user-2000' }, PAGE],
      ['a beginning that nobody has', { prefix: 'user-77x', after: null }, 0],
    ])('users by %s read their accounts and a few others', async (_, query, count) => {
      const { result, plans } = await explained((sql) => selectUsers(sql, tables, { ...query, limit: PAGE }, NOW))
      expect(result).toHaveLength(count)
      expect(plans.statements).toBe(1)
      expect(plans.indexes).toContain('user_credits_user')
      // The index's rows, and of each user the account, its open grant with the account again, and holds that were open.
      expect(plans.rows).toBeLessThanOrEqual(PAGE + 1 + 5 * count + 10)
    })
  })

  it('what a keyed deduction decides from is read by keys, of somebody with a long history, too', async () => {
    for (const key of [HEAVY, { userId: 'user-77', creditType: 'calling' }]) {
      const command = newCommand([key], { key: randomUUID(), load: { grants: { covering: 5 } }, now: NOW })
      const { result, plans } = await explained((sql) => loadState(sql, tables, command, [emptyAccount(key, NOW)]))
      expect(result.known).toBeNull()
      expect(result.accounts[0]?.grants).toHaveLength(1)
      expect(plans.rows).toBeLessThan(20)
    }
  })

  it('a refund reads its use and the refunds of it, of somebody with a long history, too', async () => {
    for (const userId of [HEAVY.userId, 'user-77']) {
      const key = { userId, creditType: 'calling' }
      const { rows } = await pool.query<{ id: string }>(
        `select id from credit_transactions where user_id = $1 and credit_type = 'calling' and seq = 20`,
        [userId],
      )
      const load = { grants: { covering: 0 }, transactions: [rows[0]?.id ?? ''] }
      const command = newCommand([key], { load, now: NOW })
      const { result, plans } = await explained((sql) => loadState(sql, tables, command, [emptyAccount(key, NOW)]))
      expect(result.transactions).toHaveLength(1)
      expect(plans.rows).toBeLessThan(30)
    }
  })

  describe('what the account rows decide', () => {
    const spend = (sql: Plans, commands: SpendCommand[], wait: boolean): Promise<SpendOutcome[]> => {
      const notAsked = (): never => {
        throw new Error('one statement is all that a batch takes')
      }
      const database = { query: sql.query.bind(sql), transaction: notAsked, hostTransaction: notAsked, close: notAsked }
      return fastPath(database, tables)(commands, () => null, { now: NOW, wait })
    }

    it.each(['without a key', 'with a key'])('a lone deduction %s reads its account alone', async (kind) => {
      for (const userId of [HEAVY.userId, 'user-77']) {
        const call = use({ userId, creditType: 'calling' }, 1, { key: kind === 'with a key' ? randomUUID() : null })
        const { result, plans } = await explained((sql) => spend(sql, [call], true))
        expect(result).toMatchObject([{ status: 'applied' }])
        expect(plans.rows).toBeLessThan(10)
      }
    })

    it.each([
      ['deductions', (key: AccountKey) => use(key, 1)],
      ['deductions with keys', (key: AccountKey) => use(key, 1, { key: randomUUID() })],
      ['holds', (key: AccountKey) => hold(key, 1, { key: randomUUID() })],
    ])('a batch of %s reads its accounts a few times', async (_, call) => {
      const users = Array.from({ length: 20 }, (_, n) => ({ userId: `user-${n}`, creditType: 'calling' }))
      const { result, plans } = await explained((sql) => spend(sql, [...users, ...users].map(call), false))
      expect(result.map(({ status }) => status)).toEqual(result.map(() => 'applied'))
      expect(result).toHaveLength(40)
      expect(plans.rows).toBeLessThanOrEqual(20 * 6)
    })
  })

  it('what is due is found among what is open', async () => {
    const page = { now: NOW, limit: 100, after: null }
    const { result, plans } = await explained((sql) =>
      selectDueAccounts(sql, tables, { ...page, expiringWithinSeconds: 86_400 }),
    )
    expect(result).toHaveLength(5)
    expect(plans.rows).toBeLessThan(100)
  })
})

/** 3,000 users of 30 transactions, and the one of 10,000. Not a sound ledger, but one of the size. */
const FILL = `
  create temporary table accounts as
    select 'user-0' as user_id, 'calling' as credit_type, 8000 as n, gen_random_uuid() as grant_id
    union all select 'user-0', 'scraping', 2000, gen_random_uuid()
    union all select 'user-' || n, 'calling', 30, gen_random_uuid() from generate_series(1, 3000) n;
  insert into user_credits (balance, held, debt, total_purchased, total_used, head_remaining, head_grant_id, scheduled, seq,
    version, key_version, last_credit, topup_due, created_at, updated_at, user_id, credit_type)
  select 1000, 0, 0, 0, 0, 1000, grant_id, 0, n, n, 0, 0, false, '2026-01-01Z', '2026-01-01Z', user_id, credit_type from accounts;
  -- Every account has an open grant and three that are used up; three of the open ones have ended.
  insert into credit_grants (amount, remaining, held, shortfall, written_off, seq, created_at, id, priority, open, user_id,
    credit_type, source, expires_at)
  select 1000, case when i = 0 then 1000 else 0 end, 0, 0, 0, i, '2026-01-01Z', case when i = 0 then grant_id else gen_random_uuid() end,
    0, i = 0, user_id, credit_type, 'purchase',
    case when user_id in ('user-500', 'user-1000', 'user-1500') then timestamptz '2026-02-01Z' else '2027-01-01Z' end
  from accounts, generate_series(0, 3) i;
  insert into credit_holds (amount, captured, expires_at, created_at, updated_at, id, user_id, credit_type, status,
    description, allocations)
  select 1, 0, '2026-02-01Z', '2026-01-01Z', '2026-01-01Z', gen_random_uuid(), user_id, credit_type,
    case when user_id in ('user-600', 'user-1600') then 'open' else 'captured' end, '', '[]'
  from accounts, generate_series(0, 3) i;
  -- The one has bought 2,000 times, everybody else twice; of each some money went back.
  insert into credit_purchases (credits, unit_price_minor, clawed, withheld, absorbed, created_at, updated_at, id, quantity,
    livemode, user_id, credit_type, origin, package_name, currency, status, provider)
  select 10, 999, 0, 0, 0, timestamptz '2026-01-01Z' + i * interval '10 minutes', '2026-01-01Z', gen_random_uuid(), 1, true,
    user_id, credit_type, 'checkout', 'Small', 'eur', 'fulfilled', 'stripe'
  from accounts, generate_series(1, case when user_id = 'user-0' then 1000 else 2 end) i;
  insert into credit_payment_facts (amount_minor, updated_at, purchase_id, id, payment_id, user_id, kind, currency, status)
  select 1, '2026-01-01Z', id, 're_' || id, 'pi_' || id, user_id, 'refund', 'eur', 'succeeded' from credit_purchases;
  insert into credit_commands (created_at, id, user_id, idempotency_key)
  select '2026-01-01Z', gen_random_uuid(), user_id, 'hold-' || credit_type from accounts;
  -- All others have been summed up.
  insert into credit_usage_marks (seq, user_id, credit_type) select n, user_id, credit_type from accounts where n = 30;
  insert into credit_usage_daily (transactions, used, purchased, refunded, added, first_seq, last_seq, day, user_id, credit_type)
  select n, n, 0, 0, 0, 1, n, '2026-01-01', user_id, credit_type from accounts where n = 30;
  -- As they would have come: everybody's first, then everybody's second.
  insert into credit_transactions (seq, amount, balance_after, created_at, id, related_id, grant_id, user_id, credit_type,
    transaction_type, description, idempotency_key)
  select seq, case when seq % 400 in (1, 201) then 1 else -1 end, 1000, timestamptz '2026-01-01Z' + (seq - 1) * interval '10 minutes',
    gen_random_uuid(), case when seq % 400 = 201 then gen_random_uuid() end, grant_id, user_id, credit_type,
    case when seq % 400 = 1 then 'purchase' when seq % 400 = 201 then 'refund' else 'usage' end, 'Call',
    case when seq % 2 = 0 then 'key-' || seq * 2 || case when credit_type = 'calling' then '' else '-scraping' end end
  from accounts, generate_series(1, n) seq order by seq, user_id;
`
