import type { CustomerRecord, PurchaseStore, SubscriptionRecord } from '../../src/ports/purchase-store.js'
import {
  assignments,
  columnNames,
  CUSTOMER_COLUMNS,
  fromJsonRow,
  jsonRow,
  recordset,
  SUBSCRIPTION_COLUMNS,
  toJsonRows,
} from './columns.js'
import type { SqlExecutor, SqlRow } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/** By the user, or by the customer: then of several users the one who had it first. */
export async function selectCustomer(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  query: Parameters<PurchaseStore['findCustomer']>[0],
): Promise<CustomerRecord | null> {
  const byUser = 'userId' in query
  const [row] = await sql.query(
    `select ${jsonRow(CUSTOMER_COLUMNS, 'c')}::text as row from ${names.creditCustomers} c
     where c.provider = $1::text and c.livemode = $2::text::boolean
       and ${byUser ? `c.user_id = $3::text::${userIdType}` : 'c.customer_id = $3::text'}
     order by c.created_at, c.user_id limit 1`,
    [query.provider, String(query.livemode), byUser ? query.userId : query.customerId],
  )
  return row === undefined ? null : toCustomer(row)
}

/**
 * Insert, or put in the place of the customer it replaces; anyone else's stays. One statement that always writes a row, so
 * that of several at once each is told what the last of them left.
 */
export async function insertCustomer(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  customer: CustomerRecord,
  replaces: string | null,
): Promise<CustomerRecord> {
  const replaced = ['customer_id', 'created_at', 'updated_at'].map(
    (column) => `${column} = case when c.customer_id = $2::text then excluded.${column} else c.${column} end`,
  )
  const [row] = await sql.query(
    `insert into ${names.creditCustomers} as c (${columnNames(CUSTOMER_COLUMNS)})
     select ${columnNames(CUSTOMER_COLUMNS, 'x')} from ${recordset('$1::text::jsonb', 'x', CUSTOMER_COLUMNS, userIdType)}
     on conflict (user_id, provider, livemode) do update set ${replaced.join(', ')}
     returning ${jsonRow(CUSTOMER_COLUMNS, 'c')}::text as row`,
    [JSON.stringify(toJsonRows(CUSTOMER_COLUMNS, [customer])), replaces],
  )
  if (row === undefined) throw new Error('insertCustomer: no row was written')
  return toCustomer(row)
}

export async function deleteCustomer(
  sql: SqlExecutor,
  { names }: SqlTables,
  { provider, livemode, customerId }: Parameters<PurchaseStore['deleteCustomer']>[0],
): Promise<void> {
  await sql.query(
    `delete from ${names.creditCustomers}
     where provider = $1::text and livemode = $2::text::boolean and customer_id = $3::text`,
    [provider, String(livemode), customerId],
  )
}

/** Insert, or overwrite a picture that counts less. When we first saw it never changes. */
export async function insertSubscription(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  subscription: SubscriptionRecord,
): Promise<void> {
  await sql.query(
    `insert into ${names.creditSubscriptions} as s (${columnNames(SUBSCRIPTION_COLUMNS)})
     select ${columnNames(SUBSCRIPTION_COLUMNS, 'x')}
     from ${recordset('$1::text::jsonb', 'x', SUBSCRIPTION_COLUMNS, userIdType)}
     on conflict (id) do update set ${assignments(SUBSCRIPTION_COLUMNS, 'excluded', ['id', 'created_at'])}
       where (s.ended_at is not null, s.updated_at) <= (excluded.ended_at is not null, excluded.updated_at)`,
    [JSON.stringify(toJsonRows(SUBSCRIPTION_COLUMNS, [subscription]))],
  )
}

export async function selectSubscriptions(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  userId: string,
): Promise<SubscriptionRecord[]> {
  const rows = await sql.query(
    `select ${jsonRow(SUBSCRIPTION_COLUMNS, 's')}::text as row from ${names.creditSubscriptions} s
     where s.user_id = $1::text::${userIdType} order by s.created_at desc, s.id collate "C"`,
    [userId],
  )
  return rows.map(toSubscription)
}

export async function selectSubscription(
  sql: SqlExecutor,
  { names }: SqlTables,
  id: string,
): Promise<SubscriptionRecord | null> {
  const [row] = await sql.query(
    `select ${jsonRow(SUBSCRIPTION_COLUMNS, 's')}::text as row from ${names.creditSubscriptions} s where s.id = $1::text`,
    [id],
  )
  return row === undefined ? null : toSubscription(row)
}

function toCustomer({ row }: SqlRow): CustomerRecord {
  return fromJsonRow(CUSTOMER_COLUMNS, JSON.parse(String(row)))
}

function toSubscription({ row }: SqlRow): SubscriptionRecord {
  return fromJsonRow(SUBSCRIPTION_COLUMNS, JSON.parse(String(row)))
}
