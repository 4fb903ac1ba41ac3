import type { AccountKey } from '../../src/ledger/account.js'
import type { Usage } from '../../src/ports/usage-store.js'
import { clockOr } from './clock.js'
import { epochMs } from './columns.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/*
 * `credit_usage_daily` holds, by UTC day, the sums of exactly those transactions of an account whose seq its row in
 * `credit_usage_marks` has reached. The ledger only grows, and without gaps: what any snapshot shows of an account are its
 * first transactions. So an old snapshot is as good as a new one, and writers need not be kept away.
 */

/** The sums of one day of transactions `t`, in the order of {@link SUMS}. */
const DAY_OF_USE = `(t.created_at at time zone 'UTC')::date as day, count(*) as transactions,
         sum(case when t.transaction_type = 'usage' then -t.amount else 0 end) as used,
         sum(case when t.transaction_type = 'purchase' then t.amount else 0 end) as purchased,
         sum(case when t.transaction_type = 'refund' and t.related_id is not null then t.amount else 0 end) as refunded,
         sum(greatest(t.amount, 0)) as added`

const SUMS = ['transactions', 'used', 'purchased', 'refunded', 'added'] as const

/** The beginning of a UTC day. */
function startOf(day: string): string {
  return `(${day})::timestamp at time zone 'UTC'`
}

/**
 * Sums of one account, by UTC day, from one snapshot: of whole days as they are kept, of days that the range cuts from
 * their part of the ledger, and of what is newer than the mark from the ledger.
 */
export async function selectUsage(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  key: AccountKey,
  from: Date | null,
  to: Date | null,
  now: Date | null,
): Promise<Usage> {
  const inRange = `(input.from_time is null or t.created_at >= input.from_time)
         and (input.to_time is null or t.created_at < input.to_time)`
  const [row] = await sql.query(
    `with sent as materialized (
       select $1::text::${userIdType} as user_id, $2::text as credit_type, $3::text::timestamptz as from_time, $4::text::timestamptz as to_time,
         ${clockOr('$5')} as now
     ), input as materialized (
       select sent.*, coalesce((select m.seq from ${names.creditUsageMarks} m
         where m.user_id = sent.user_id and m.credit_type = sent.credit_type), 0) as mark from sent
     ), kept as materialized (
       select d.*, (input.from_time is null or ${startOf('d.day')} >= input.from_time)
         and (input.to_time is null or ${startOf('d.day + 1')} <= input.to_time) as is_whole
       from input join ${names.creditUsageDaily} d on d.user_id = input.user_id and d.credit_type = input.credit_type
         and d.day >= coalesce((input.from_time at time zone 'UTC')::date, '-infinity')
         and d.day <= coalesce((input.to_time at time zone 'UTC')::date, 'infinity')
     ), parts as (
       select day, ${SUMS.join(', ')} from kept where is_whole
       union all
       select part.* from input, kept cross join lateral (
         select ${DAY_OF_USE} from ${names.creditTransactions} t
         where not kept.is_whole and t.user_id = input.user_id and t.credit_type = input.credit_type
           and t.seq between kept.first_seq and kept.last_seq and (t.created_at at time zone 'UTC')::date = kept.day and ${inRange}
         group by 1
       ) part
       union all
       select part.* from input cross join lateral (
         select ${DAY_OF_USE} from ${names.creditTransactions} t
         where t.user_id = input.user_id and t.credit_type = input.credit_type and t.seq > input.mark and ${inRange}
         group by 1
       ) part
     ), days as (
       select day, ${SUMS.map((column) => `sum(${column}) as ${column}`).join(', ')} from parts group by day
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

/**
 * Every account's 1000th, 2000th, … transaction, where it is a use. In these words it is found in an index of little else.
 * A thousand rows that are not summed up make a reading of statistics by less than half slower.
 */
function isThousandthUse(alias: string): string {
  return `${alias}.transaction_type = 'usage' and ${alias}.seq % 1000 = 0`
}

/**
 * Accounts with such a use behind their mark, in the order of their keys. From one account the index leads straight to the
 * next: the work grows with the accounts that have them, and not with accounts or transactions.
 */
export async function selectUsageToRollUp(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { limit, after }: { limit: number; after: AccountKey | null },
): Promise<AccountKey[]> {
  const firstAfter = (condition: string): string =>
    `select t.user_id, t.credit_type, exists (
           select 1 from ${names.creditTransactions} newer where newer.user_id = t.user_id
             and newer.credit_type = t.credit_type and ${isThousandthUse('newer')}
             and newer.seq > coalesce((select m.seq from ${names.creditUsageMarks} m
               where m.user_id = t.user_id and m.credit_type = t.credit_type), 0)
         ) as is_due
       from ${names.creditTransactions} t where ${isThousandthUse('t')}${condition}
       order by t.user_id, t.credit_type limit 1`
  const rows = await sql.query(
    `with recursive grown as (
       (${firstAfter(after === null ? '' : ` and (t.user_id, t.credit_type) > ($1::text::${userIdType}, $2::text)`)})
       union all
       select next.* from grown cross join lateral (
         ${firstAfter(' and (t.user_id, t.credit_type) > (grown.user_id, grown.credit_type)')}
       ) next
     )
     select user_id::text as user_id_text, credit_type, $1::text as after_user, $2::text as after_type
     from grown where is_due limit $3::text::bigint`,
    [after?.userId ?? null, after?.creditType ?? null, String(limit)],
  )
  return rows.map(({ user_id_text, credit_type }) => ({
    userId: String(user_id_text),
    creditType: String(credit_type),
  }))
}

/**
 * Add an account's next transactions to its days and move its mark, in one statement. Whoever moved the mark meanwhile has
 * counted these transactions: then the mark is not where this statement saw it, and nothing is written. The lock lets uses
 * pass; it keeps the account from being renamed or rebuilt.
 */
export async function sumUsage(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  key: AccountKey,
  limit: number,
): Promise<boolean> {
  const [row] = await sql.query(
    `with account as materialized (
       select a.user_id, a.credit_type from ${names.userCredits} a
       where a.user_id = $1::text::${userIdType} and a.credit_type = $2::text for key share
     ), mark as materialized (
       select account.*, coalesce(m.seq, 0) as seq from account
       left join ${names.creditUsageMarks} m on m.user_id = account.user_id and m.credit_type = account.credit_type
     ), days as materialized (
       select ${DAY_OF_USE}, min(t.seq) as first_seq, max(t.seq) as last_seq
       from mark join ${names.creditTransactions} t on t.user_id = mark.user_id and t.credit_type = mark.credit_type
         and t.seq > mark.seq and t.seq <= mark.seq + $3::text::bigint
       group by 1
     ), moved as (
       insert into ${names.creditUsageMarks} as kept (seq, user_id, credit_type)
       select max(days.last_seq), mark.user_id, mark.credit_type from mark, days group by mark.user_id, mark.credit_type
       on conflict (user_id, credit_type) do update set seq = excluded.seq where kept.seq = (select mark.seq from mark)
       returning seq
     ), added as (
       insert into ${names.creditUsageDaily} as kept (${SUMS.join(', ')}, first_seq, last_seq, day, user_id, credit_type)
       select ${SUMS.map((column) => `days.${column}`).join(', ')}, days.first_seq, days.last_seq, days.day, mark.user_id, mark.credit_type
       from moved, mark, days
       on conflict (user_id, credit_type, day) do update set
         ${SUMS.map((column) => `${column} = kept.${column} + excluded.${column}`).join(', ')},
         first_seq = least(kept.first_seq, excluded.first_seq), last_seq = greatest(kept.last_seq, excluded.last_seq)
     )
     select (moved.seq - mark.seq)::text as counted from moved, mark`,
    [key.userId, key.creditType, String(limit)],
  )
  return row !== undefined && Number(row['counted']) >= limit
}

/**
 * Under the account's lock, which nobody who sums up has at the same time. The mark goes back and stays there: who saw it
 * further on must not take it for one that was never made.
 */
export async function resetUsageSums(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  key: AccountKey,
): Promise<void> {
  const ofAccount = `user_id = $1::text::${userIdType} and credit_type = $2::text`
  const values = [key.userId, key.creditType]
  await sql.query(`select 1 as locked from ${names.userCredits} where ${ofAccount} for update`, values)
  await sql.query(`update ${names.creditUsageMarks} set seq = 0 where ${ofAccount}`, values)
  await sql.query(`delete from ${names.creditUsageDaily} where ${ofAccount}`, values)
}

/** What is kept of account `a`, as `RolledUpUsage` of the ledger. */
export function rolledUpUsage(names: SqlTables['names']): string {
  const fields = SUMS.map((column) => `'${column}', d.${column}`).join(', ')
  return `json_build_object(
          'seq', coalesce((select m.seq from ${names.creditUsageMarks} m
            where m.user_id = a.user_id and m.credit_type = a.credit_type), 0),
          'days', (select coalesce(json_agg(json_build_object('date', to_char(d.day, 'YYYY-MM-DD'), ${fields},
              'firstSeq', d.first_seq, 'lastSeq', d.last_seq) order by d.day), '[]')
            from ${names.creditUsageDaily} d where d.user_id = a.user_id and d.credit_type = a.credit_type))`
}
