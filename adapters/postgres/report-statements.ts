import { UnavailableError } from '../../src/errors.js'
import type { Metrics, MetricsQuery } from '../../src/ledger/metrics.js'
import { PAID } from './account-states.js'
import { allocationRows } from './report-views.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables, TableName } from './sql-tables.js'

/** Figures over all users, as `metricsOf` of the ledger has them: one statement, so one snapshot. Reads the whole ledger. */
export async function selectMetrics(
  sql: SqlExecutor,
  { names }: SqlTables,
  { from, to, creditType }: MetricsQuery,
): Promise<Metrics> {
  const inRange = (column: string): string => `${column} >= input.from_time and ${column} < input.to_time`
  const asked = (alias: string): string => `(input.credit_type is null or ${alias}.credit_type = input.credit_type)`
  const use = `transaction_type = 'usage'`
  const refund = `transaction_type = 'refund' and related_id is not null`
  const [row] = await sql.query(
    `with input as materialized (
       select $1::text::timestamptz as from_time, $2::text::timestamptz as to_time, $3::text as credit_type
     ), flows as (
       select count(*) as transactions, count(*) filter (where ${use}) as uses, count(*) filter (where ${refund}) as refunds,
         count(distinct user_id) filter (where ${use}) as active_users,
         coalesce(sum(amount) filter (where transaction_type = 'purchase'), 0) as purchased,
         coalesce(-sum(amount) filter (where ${use}), 0) as used,
         coalesce(sum(amount) filter (where ${refund}), 0) as refunded,
         coalesce(-sum(amount) filter (where transaction_type in ('expiration', 'void')), 0) as breakage,
         coalesce(-sum(amount) filter (where transaction_type = 'clawback'), 0) as clawed_back
       from input join ${names.creditTransactions} t on ${asked('t')} and ${inRange('created_at')}
     ), parts as (
       select coalesce(sum(credits) filter (where not is_debt and ${PAID}), 0) as paid,
         coalesce(sum(credits) filter (where not is_debt and not ${PAID}), 0) as promotional,
         coalesce(sum(credits) filter (where is_debt and grant_id is null and transaction_type = 'reinstatement'
           and created_at >= input.from_time), 0) as debt_settled
       from input join (${allocationRows(names.creditTransactions, names.creditGrants)}) part
         on ${asked('part')} and part.created_at < input.to_time
     ), sold as (
       select p.* from input join ${names.creditPurchases} p on ${asked('p')} and ${inRange('fulfilled_at')}
     ), packages as (
       select package_id, count(*) as purchases, sum(credits) as credits,
         (array_agg(package_name order by fulfilled_at desc, id desc))[1] as name,
         (select json_object_agg(currency, minor) from (
            select currency, sum(coalesce(paid_minor, 0)) as minor from sold same
            where same.package_id = sold.package_id group by currency) by_currency) as revenue
       from sold where package_id is not null group by package_id
     )
     select json_build_object(
       'purchased', purchased, 'used', used, 'refunded', refunded, 'breakage', breakage,
       'clawedBack', clawed_back - debt_settled, 'transactions', transactions, 'uses', uses, 'refunds', refunds,
       'activeUsers', active_users, 'outstanding', json_build_object('paid', paid, 'promotional', promotional),
       'packages', (select coalesce(json_agg(json_build_object('packageId', package_id, 'name', name,
          'purchases', purchases, 'credits', credits, 'revenue', revenue) order by purchases desc, package_id), '[]')
          from packages)
     )::text as row from flows, parts`,
    [from.toISOString(), to.toISOString(), creditType],
  )
  // The statement makes one object with the fields of Metrics.
  return JSON.parse(String(row?.row)) as Metrics
}

/**
 * Forget a person: empty what could tell who they are, and (where user ids are text) put `replacement` for their id. The
 * one exception to the promise that the ledger is only ever added to. Amounts, times and payments' ids stay. Run it in a
 * transaction of its own: all or nothing.
 *
 * @throws {UnavailableError} The person came to new credits or a new checkout meanwhile; undo, and try again.
 */
export async function anonymizeUser(
  sql: SqlExecutor,
  tables: SqlTables,
  userId: string,
  replacement: string,
): Promise<{ accounts: number; purchases: number }> {
  const newId = tables.userIdType === 'text' ? replacement : null
  if (newId !== null && (await countRows(sql, tables, 'userCredits', newId, null)) > 0)
    throw new Error('anonymizeUser: the replacement is a user already')
  // In the one order of all commands: purchases, then accounts.
  const purchases = await lockRows(sql, tables, 'creditPurchases', 'id', userId)
  const accounts = await lockRows(sql, tables, 'userCredits', 'credit_type', userId)
  for (const [table, emptied] of FORGOTTEN) await forgetRows(sql, tables, table, emptied, userId, newId)
  for (const table of DROPPED) await deleteRows(sql, tables, table, userId)
  // Nobody can lock rows that are not there yet: of a new account some rows could have been changed and others not.
  const now = {
    purchases: await countRows(sql, tables, 'creditPurchases', userId, newId),
    accounts: await countRows(sql, tables, 'userCredits', userId, newId),
  }
  if (now.purchases !== purchases || now.accounts !== accounts)
    throw new UnavailableError('The user came to new credits while being forgotten; try again')
  return { accounts, purchases }
}

/** Keys could name a person; ours don't, and they keep payments and captures from happening twice. */
const ANONYMOUS_KEY = `idempotency_key = case when idempotency_key like 'creditkit:%' then idempotency_key
  when idempotency_key is not null then 'anonymous:' || id end`

const SILENT = `description = '', reference_id = null, reference_type = null, metadata = null, request = null, actor = null`

/** Every table that keeps its rows of a user, and what is emptied there. */
const FORGOTTEN: readonly (readonly [table: TableName, emptied: string | null])[] = [
  ['creditPurchases', null],
  ['creditPurchaseReferences', null],
  ['creditPaymentFacts', null],
  ['creditQuarantine', `details = '{}', resolved_by = null`],
  ['creditCustomers', null],
  ['creditSubscriptions', null],
  ['creditAutoTopups', `status = 'off', recovery_url = null`],
  ['userCredits', 'topup_threshold = null, topup_due = false'],
  ['creditTransactions', `${SILENT}, ${ANONYMOUS_KEY}`],
  ['creditCommands', `request = null, result = null, ${ANONYMOUS_KEY}`],
  ['creditGrants', null],
  ['creditHolds', SILENT],
  ['creditSchedules', null],
  ['creditLimitWindows', null],
  ['creditUsageDaily', null],
  ['creditUsageMarks', null],
]

/** What is not told any more. */
const DROPPED = ['creditOutbox'] as const

/** Lock a user's rows, in the order of their primary key. Returns how many there are. */
async function lockRows(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  table: TableName,
  order: string,
  userId: string,
): Promise<number> {
  const rows = await sql.query(
    `select 1 as locked from ${names[table]} where user_id = $1::text::${userIdType} order by user_id, ${order} for update`,
    [userId],
  )
  return rows.length
}

async function countRows(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  table: TableName,
  userId: string,
  otherId: string | null,
): Promise<number> {
  const [row] = await sql.query(
    `select count(*)::text as count from ${names[table]}
     where user_id = $1::text::${userIdType} or user_id = $2::text::${userIdType}`,
    [userId, otherId],
  )
  return Number(row?.count)
}

/** Empty what the table says of a user beside numbers; `newId` null: the user's id stays. */
async function forgetRows(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  table: TableName,
  emptied: string | null,
  userId: string,
  newId: string | null,
): Promise<void> {
  const changes = [newId === null ? null : 'user_id = $2::text', emptied].filter((change) => change !== null)
  if (changes.length === 0) return
  // The quarantine's user ids are text, whatever the host's are.
  const type = table === 'creditQuarantine' ? 'text' : userIdType
  await sql.query(
    `update ${names[table]} set ${changes.join(', ')} where user_id = $1::text::${type}`,
    newId === null ? [userId] : [userId, newId],
  )
}

async function deleteRows(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  table: TableName,
  userId: string,
): Promise<void> {
  await sql.query(`delete from ${names[table]} where user_id = $1::text::${userIdType}`, [userId])
}
