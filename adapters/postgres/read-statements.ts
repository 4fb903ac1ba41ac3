import { availableCredits } from '../../src/ledger/account.js'
import { type Balance, balanceOf } from '../../src/ledger/balance.js'
import type { TransactionQuery } from '../../src/ports/store.js'
import { pagePositions, type TransactionPage } from '../../src/ledger/transaction-positions.js'
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
     select ${balanceJson(tables, withState)}::text as row
     from input join ${names.userCredits} a
       on a.user_id = input.user_id and (input.credit_type is null or a.credit_type = input.credit_type)
     ${accountSums(tables)}`,
    [userId, creditType, now?.toISOString() ?? null],
  )
  return rows.map(({ row }) => JSON.parse(String(row)) as JsonBalance)
}

/** What {@link decodeBalance} takes of account `a`, to which {@link accountSums} are joined. `withState` as above. */
export function balanceJson(tables: SqlTables, withState: boolean): string {
  return `json_build_object(
       'now', ${epochMs('input.now')}, 'account', ${jsonRow(ACCOUNT_COLUMNS, 'a')},
       'usable', sums.usable, 'paid', sums.paid,
       'nextExpiry', ${epochMs('sums.next_expiry')}, 'nextDueAt', ${epochMs('due.next_due_at')},
       'isOverdue', due.is_overdue,
       'overdue', ${withState ? `case when due.is_overdue then ${overdueState(tables)} end` : 'null'}
     )`
}

export interface JsonBalance {
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

export function decodeBalance({
  now,
  account: row,
  usable,
  paid,
  nextExpiry,
  nextDueAt,
  overdue,
}: JsonBalance): Balance {
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

/**
 * A page of a user's transactions, newest first. Every account gives at most a page, from where the last one ended; the
 * newest of all make the page. So a page reads no more rows than there are accounts times its length, wherever it stands.
 */
export async function selectTransactions(
  sql: SqlExecutor,
  tables: SqlTables,
  query: TransactionQuery,
): Promise<TransactionPage> {
  const { names, userIdType } = tables
  const { userId, creditType, transactionType, from, to, limit, offset, after } = query
  const one = creditType !== null
  const position = after === null ? 'a.seq + 1' : `(j->'after'->>a.credit_type)::bigint`
  // Where the clock went back, rows stand where the oldest before them does, so that an account's keep their order.
  const order = one ? 'seq desc' : 'place desc, seq desc, credit_type'
  const place = one ? '' : ', min(t.created_at) over (partition by t.credit_type order by t.seq desc) as place'
  const [row] = await sql.query(
    `with input as materialized (select $1::text::jsonb as j), accounts as materialized (
       select a.user_id, a.credit_type, ${position} as position
       from input join ${names.userCredits} a on a.user_id = (j->>'userId')::${userIdType}${one ? ` and a.credit_type = j->>'creditType'` : ''}
     ), page as materialized (
       select t.*${place} from input cross join accounts a ${accountPage(tables, query)}
       order by ${order} limit (select (j->>'limit')::bigint from input) offset (select (j->>'offset')::bigint from input)
     )
     select json_build_object(
       'start', (select json_agg(json_build_array(credit_type, position)) from accounts where position is not null),
       'rows', (select json_agg(${jsonRow(TRANSACTION_COLUMNS, 'page')} order by ${order}) from page)
     )::text as page`,
    [
      JSON.stringify({
        ...{ userId, creditType, transactionType, from, to, offset },
        after: after === null ? null : Object.fromEntries(after),
        // One more than the page tells whether the list goes on.
        ...{ limit: limit + 1, reach: limit + 1 + offset },
      }),
    ],
  )
  const { start, rows } = JSON.parse(String(row?.['page'])) as JsonPage
  return pagePositions(new Map(start ?? []), (rows ?? []).map(decodeTransaction), limit)
}

interface JsonPage {
  start: [creditType: string, position: number][] | null
  rows: unknown[] | null
}

/** The next rows `t` of account `a`, as many as the page could need. */
function accountPage({ names }: SqlTables, { transactionType, from, to }: TransactionQuery): string {
  const conditions = [
    transactionType === null ? null : `t.transaction_type = j->>'transactionType'`,
    // In so many words, which is how the index of all others is found.
    transactionType === null || transactionType === 'usage' ? null : `t.transaction_type <> 'usage'`,
    from === null ? null : `t.created_at >= (j->>'from')::timestamptz`,
    to === null ? null : `t.created_at < (j->>'to')::timestamptz`,
  ].filter((condition) => condition !== null)
  const rows = (...more: string[]): string =>
    `select t.* from ${names.creditTransactions} t
         where ${['t.user_id = a.user_id', 't.credit_type = a.credit_type', 't.seq < a.position', ...more, ...conditions].join(' and ')}
         order by t.seq desc limit (j->>'reach')::bigint`
  if (from === null && to === null) return `cross join lateral (${rows()}) t`
  // Of what is summed up by day, a range has its days; what is newer has to be looked at.
  return `cross join lateral (
         select coalesce((select m.seq from ${names.creditUsageMarks} m
           where m.user_id = a.user_id and m.credit_type = a.credit_type), 0) as seq
       ) mark cross join lateral (
         select coalesce(min(d.first_seq), 0) as first_seq, coalesce(max(d.last_seq), 0) as last_seq
         from ${names.creditUsageDaily} d where d.user_id = a.user_id and d.credit_type = a.credit_type
           and d.day >= coalesce(((j->>'from')::timestamptz at time zone 'UTC')::date, '-infinity')
           and d.day <= coalesce(((j->>'to')::timestamptz at time zone 'UTC')::date, 'infinity')
       ) days cross join lateral (
         select t.* from (
           (${rows('t.seq > mark.seq')})
           union all
           (${rows('t.seq >= days.first_seq', 't.seq <= days.last_seq')})
         ) t order by t.seq desc limit (j->>'reach')::bigint
       ) t`
}
