import type { Purchase } from '../../src/ledger/purchase.js'
import type { CreditPackage, PackageDraft } from '../../src/ports/package-store.js'
import type { PurchaseReference } from '../../src/ports/purchase-store.js'
import {
  assignments,
  columnNames,
  fromJsonRow,
  jsonRow,
  PACKAGE_COLUMNS,
  PURCHASE_COLUMNS,
  recordset,
  toJsonRows,
} from './columns.js'
import type { SqlExecutor, SqlRow } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

const NOW = `coalesce($2::text::timestamptz, date_trunc('milliseconds', clock_timestamp()))`

/** What a package draft may set; the rest is the store's. */
const DRAFT_COLUMNS = PACKAGE_COLUMNS.filter(([field]) => !['id', 'createdAt', 'updatedAt'].includes(field))

export async function selectPackages(
  sql: SqlExecutor,
  { names }: SqlTables,
  creditType: string | null,
  includeInactive: boolean,
): Promise<CreditPackage[]> {
  const rows = await sql.query(
    `select ${jsonRow(PACKAGE_COLUMNS, 'p')}::text as row from ${names.creditPackages} p
     where ($1::text is null or p.credit_type = $1::text) ${includeInactive ? '' : 'and p.is_active'}
     order by p.sort_order, p.id`,
    [creditType],
  )
  return rows.map(toPackage)
}

export async function selectPackage(sql: SqlExecutor, { names }: SqlTables, id: number): Promise<CreditPackage | null> {
  const [row] = await sql.query(
    `select ${jsonRow(PACKAGE_COLUMNS, 'p')}::text as row from ${names.creditPackages} p where p.id = $1::text::integer`,
    [String(id)],
  )
  return row === undefined ? null : toPackage(row)
}

/** Insert; a package of the same key is changed or left alone. One statement, so two at once make one package. */
export async function insertPackage(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  draft: PackageDraft,
  whenKeyExists: 'replace' | 'refuse',
  now: Date | null,
): Promise<CreditPackage | null> {
  const onConflict =
    whenKeyExists === 'refuse'
      ? 'do nothing'
      : `do update set ${assignments(DRAFT_COLUMNS, 'excluded', ['key'])}, updated_at = excluded.updated_at`
  const [row] = await sql.query(
    `insert into ${names.creditPackages} as p (${columnNames(DRAFT_COLUMNS)}, created_at, updated_at)
     select ${columnNames(DRAFT_COLUMNS, 'x')}, ${NOW}, ${NOW}
     from ${recordset('$1::text::jsonb', 'x', DRAFT_COLUMNS, userIdType)}
     on conflict (key) ${onConflict} returning ${jsonRow(PACKAGE_COLUMNS, 'p')}::text as row`,
    [JSON.stringify(toJsonRows(DRAFT_COLUMNS, [draft])), now?.toISOString() ?? null],
  )
  return row === undefined ? null : toPackage(row)
}

/** Change the given columns and no others. */
export async function updatePackage(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  id: number,
  changes: Partial<PackageDraft>,
  now: Date | null,
): Promise<CreditPackage | null> {
  const changed = DRAFT_COLUMNS.filter(([field]) => field in changes)
  const set = changed.length === 0 ? '' : `${assignments(changed, 'x', [])}, `
  const source = changed.length === 0 ? '(select $1::text) x' : recordset('$1::text::jsonb', 'x', changed, userIdType)
  const [row] = await sql.query(
    `update ${names.creditPackages} p set ${set}updated_at = ${NOW} from ${source}
     where p.id = $3::text::integer returning ${jsonRow(PACKAGE_COLUMNS, 'p')}::text as row`,
    [JSON.stringify(toJsonRows(changed, [changes])), now?.toISOString() ?? null, String(id)],
  )
  return row === undefined ? null : toPackage(row)
}

export async function selectPurchase(
  sql: SqlExecutor,
  { names }: SqlTables,
  reference: PurchaseReference,
): Promise<Purchase | null> {
  const byId = 'id' in reference
  const value = byId ? reference.id : 'sessionId' in reference ? reference.sessionId : reference.paymentId
  const [row] = await sql.query(
    byId
      ? `select ${jsonRow(PURCHASE_COLUMNS, 'p')}::text as row from ${names.creditPurchases} p where p.id = $1::text::uuid`
      : `select ${jsonRow(PURCHASE_COLUMNS, 'p')}::text as row from ${names.creditPurchaseReferences} r
         join ${names.creditPurchases} p on p.user_id = r.user_id and p.id = r.purchase_id where r.reference = $1::text`,
    [value],
  )
  return row === undefined ? null : fromJsonRow(PURCHASE_COLUMNS, JSON.parse(String(row.row)))
}

export async function insertWebhookEvent(
  sql: SqlExecutor,
  { names }: SqlTables,
  event: { id: string; provider: string; type: string; livemode: boolean; created: Date },
): Promise<void> {
  await sql.query(
    `insert into ${names.creditWebhookEvents} (id, provider, type, livemode, created_at, received_at)
     values ($1::text, $2::text, $3::text, $4::text::boolean, $5::text::timestamptz, clock_timestamp()) on conflict do nothing`,
    [event.id, event.provider, event.type, String(event.livemode), event.created.toISOString()],
  )
}

function toPackage({ row }: SqlRow): CreditPackage {
  return fromJsonRow(PACKAGE_COLUMNS, JSON.parse(String(row)))
}
