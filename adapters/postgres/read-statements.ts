import { type AccountKey, availableCredits } from '../../src/ledger/account.js'
import { type Balance, balanceOf } from '../../src/ledger/balance.js'
import type { Transaction } from '../../src/ledger/transaction.js'
import type { TransactionQuery, Usage } from '../../src/ports/store.js'
import { accountSums, decodeAccountState, type JsonAccountState, overdueState } from './account-states.js'
import { clockOr } from './clock.js'
import { ACCOUNT_COLUMNS, decodeTransaction, epochMs, fromJsonRow, jsonRow, TRANSACTION_COLUMNS } from './columns.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/** A user's balances (of one credit type, or of all there are), from one snapshot. */
export async function selectBalances(
  sql: SqlExecutor,
  tables: SqlTables,
  account: { userId: string; creditType: string | null },
  now: Date | null,
): Promise<Balance[]> {
  const rows = await selectBalanceRows(sql, tables, account, now, false)
  // Rare, and a quarter of the statement's time if it were always asked for: all is read anew, by one statement again.
  const overdue = rows.some(({ isOverdue }) => isOverdue)
  return (overdue ? await selectBalanceRows(sql, tables, account, now, true) : rows).map(decodeBalance)
}

/** `withState`: also what the balance of an account must be computed from where something is overdue. */
async function selectBalanceRows(
  sql: SqlExecutor,
  tables: SqlTables,
  { userId, creditType }: { userId: string; creditType: string | null },
  now: Date | null,
  withState: boolean,
): Promise<JsonBalance[]> {
  const { names, userIdType } = tables
  const rows = await sql.query(
    `with input as materialized (
       select $1::text::${userIdType} as user_id, $2::text as credit_type,
         ${clockOr('$3')} as now
     )
     select json_build_object(
       'now', ${epochMs('input.now')}, 'account', ${jsonRow(ACCOUNT_COLUMNS, 'a')},
       'usable', sums.usable, 'paid', sums.paid,
       'nextExpiry', ${epochMs('sums.next_expiry')}, 'nextDueAt', ${epochMs('due.next_due_at')},
       'isOverdue', due.is_overdue,
       'overdue', ${withState ? `case when due.is_overdue then ${overdueState(tables)} end` : 'null'}
     )::text as row
     from input join ${names.userCredits} a
       on a.user_id = input.user_id and (input.credit_type is null or a.credit_type = input.credit_type)
     ${accountSums(tables)}`,
    [userId, creditType, now?.toISOString() ?? null],
  )
  return rows.map(({ row }) => JSON.parse(String(row)) as JsonBalance)
}

interface JsonBalance {
  now: number
  account: unknown
  /** Sums of usable credits. */
  usable: number
  paid: number
  nextExpiry: number | null
  nextDueAt: number | null
  /** A hold or a period is overdue: the sums alone don't say the balance. */
  isOverdue: boolean
  overdue: Pick<JsonAccountState, 'grants' | 'holds' | 'schedules'> | null
}

function decodeBalance({ now, account: row, usable, paid, nextExpiry, nextDueAt, overdue }: JsonBalance): Balance {
  const account = fromJsonRow(ACCOUNT_COLUMNS, row)
  if (overdue !== null) return balanceOf(decodeAccountState({ ...overdue, usable, nextDueAt }, account), new Date(now))
  const { creditType, balance, held, debt, totalPurchased, totalUsed, version } = account
  return {
    creditType,
    balance: availableCredits(debt, usable),
    paid,
    promotional: usable - paid,
    owned: balance + debt,
    held,
    debt,
    totalPurchased,
    totalUsed,
    nextExpiry: nextExpiry === null ? null : new Date(nextExpiry),
    version,
    staleAfterMs: nextDueAt === null ? null : nextDueAt - now,
  }
}

/** A page of a user's transactions, newest first. Every account gives at most a page; the newest of all make the page. */
export async function selectTransactions(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  query: TransactionQuery,
): Promise<Transaction[]> {
  const { userId, creditType, transactionType, from, to, limit, offset, after } = query
  const one = creditType !== null
  const order = one ? 'seq desc' : 'created_at desc, seq desc, credit_type'
  const position = one
    ? `t.seq < (j->'after'->>'seq')::bigint`
    : `(t.created_at, t.seq) < (after.created_at, after.seq)
         or (t.created_at, t.seq) = (after.created_at, after.seq) and t.credit_type > after.credit_type`
  const conditions = [
    transactionType === null ? null : `t.transaction_type = j->>'transactionType'`,
    from === null ? null : `t.created_at >= (j->>'from')::timestamptz`,
    to === null ? null : `t.created_at < (j->>'to')::timestamptz`,
    after === null ? null : `(${position})`,
  ].filter((condition) => condition !== null)
  const rows = await sql.query(
    `with input as materialized (select $1::text::jsonb as j)
     select ${jsonRow(TRANSACTION_COLUMNS, 'page')}::text as row from (
       select t.* from input
       join ${names.userCredits} a on a.user_id = (j->>'userId')::${userIdType}${one ? ` and a.credit_type = j->>'creditType'` : ''}
       ${
         after === null || one
           ? ''
           : `cross join lateral (select (j->'after'->>'createdAt')::timestamptz as created_at,
         (j->'after'->>'seq')::bigint as seq, j->'after'->>'creditType' as credit_type) after`
       }
       cross join lateral (
         select t.* from ${names.creditTransactions} t
         where t.user_id = a.user_id and t.credit_type = a.credit_type${conditions.map((condition) => ` and ${condition}`).join('')}
         order by t.seq desc limit (j->>'reach')::bigint
       ) t
       order by ${order} limit (select (j->>'limit')::bigint from input) offset (select (j->>'offset')::bigint from input)
     ) page
     order by ${order}`,
    [JSON.stringify({ userId, creditType, transactionType, from, to, after, limit, offset, reach: limit + offset })],
  )
  return rows.map(({ row }) => decodeTransaction(JSON.parse(String(row))))
}

/** Sums of one account's ledger, by UTC day. */
export async function selectUsage(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  key: AccountKey,
  from: Date | null,
  to: Date | null,
  now: Date | null,
): Promise<Usage> {
  const [row] = await sql.query(
    `with input as materialized (
       select $1::text::${userIdType} as user_id, $2::text as credit_type, $3::text::timestamptz as from_time, $4::text::timestamptz as to_time,
         ${clockOr('$5')} as now
     ), days as (
       select (t.created_at at time zone 'UTC')::date as day, count(*) as transactions,
         sum(case when t.transaction_type = 'usage' then -t.amount else 0 end) as used,
         sum(case when t.transaction_type = 'purchase' then t.amount else 0 end) as purchased,
         sum(case when t.transaction_type = 'refund' and t.related_id is not null then t.amount else 0 end) as refunded,
         sum(greatest(t.amount, 0)) as added
       from input join ${names.creditTransactions} t on t.user_id = input.user_id and t.credit_type = input.credit_type
       where (input.from_time is null or t.created_at >= input.from_time) and (input.to_time is null or t.created_at < input.to_time)
       group by 1
     )
     select json_build_object(
       'totalUsed', coalesce(sum(used), 0), 'totalPurchased', coalesce(sum(purchased), 0),
       'totalRefunded', coalesce(sum(refunded), 0), 'transactions', coalesce(sum(transactions), 0),
       'daily', coalesce(json_agg(json_build_object('date', to_char(day, 'YYYY-MM-DD'), 'used', used, 'added', added) order by day), '[]'),
       'from', (select ${epochMs(`coalesce(input.from_time, (select min(t.created_at) from ${names.creditTransactions} t
          where t.user_id = input.user_id and t.credit_type = input.credit_type and t.seq = 1))`)} from input),
       'to', (select ${epochMs('coalesce(input.to_time, input.now)')} from input)
     )::text as row from days`,
    [key.userId, key.creditType, from?.toISOString() ?? null, to?.toISOString() ?? null, now?.toISOString() ?? null],
  )
  const usage = JSON.parse(String(row?.row)) as Omit<Usage, 'from' | 'to'> & { from: number | null; to: number }
  return { ...usage, from: usage.from === null ? null : new Date(usage.from), to: new Date(usage.to) }
}
