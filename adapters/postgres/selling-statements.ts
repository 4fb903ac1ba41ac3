import type { Purchase, PurchaseStatus } from '../../src/ledger/purchase.js'
import type { CreditPackage, PackageDraft } from '../../src/ports/package-store.js'
import type { PurchaseReference, PurchaseStore } from '../../src/ports/purchase-store.js'
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
  const [row] = await sql.query(
    byId
      ? `select ${jsonRow(PURCHASE_COLUMNS, 'p')}::text as row from ${names.creditPurchases} p where p.id = $1::text::uuid`
      : `select ${jsonRow(PURCHASE_COLUMNS, 'p')}::text as row from ${names.creditPurchaseReferences} r
         join ${names.creditPurchases} p on p.user_id = r.user_id and p.id = r.purchase_id where r.reference = $1::text`,
    [byId ? reference.id : providerId(reference)],
  )
  return row === undefined ? null : toPurchase(row)
}

function providerId(reference: Exclude<PurchaseReference, { id: string }>): string {
  if ('sessionId' in reference) return reference.sessionId
  return 'paymentId' in reference ? reference.paymentId : reference.invoiceId
}

export async function selectInvoicePurchases(
  sql: SqlExecutor,
  { names }: SqlTables,
  invoiceId: string,
): Promise<Purchase[]> {
  const rows = await sql.query(
    `select ${jsonRow(PURCHASE_COLUMNS, 'p')}::text as row from ${names.creditPurchaseReferences} r
     join ${names.creditPurchases} p on p.user_id = r.user_id and p.invoice_id = r.reference
     where r.reference = $1::text order by p.id`,
    [invoiceId],
  )
  return rows.map(toPurchase)
}

export async function selectPurchases(
  sql: SqlExecutor,
  { names }: SqlTables,
  { statuses, from, to, limit, after }: Parameters<PurchaseStore['listPurchases']>[0],
): Promise<Purchase[]> {
  // In the words of the partial index, which the bound statuses can't be compared with.
  const unsettled = statuses.every((status) => UNSETTLED.includes(status))
    ? `and p.status in (${UNSETTLED.map((status) => `'${status}'`).join(', ')})`
    : ''
  const rows = await sql.query(
    `select ${jsonRow(PURCHASE_COLUMNS, 'p')}::text as row from ${names.creditPurchases} p
     where p.status = any(array(select jsonb_array_elements_text($1::text::jsonb))) ${unsettled}
       and p.created_at >= $2::text::timestamptz and p.created_at < $3::text::timestamptz
       and ($4::text is null or p.id > $4::text::uuid)
     order by p.id limit $5::text::bigint`,
    [JSON.stringify(statuses), from.toISOString(), to.toISOString(), after, String(limit)],
  )
  return rows.map(toPurchase)
}

const UNSETTLED: readonly PurchaseStatus[] = ['pending', 'processing']

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

function toPurchase({ row }: SqlRow): Purchase {
  return fromJsonRow(PURCHASE_COLUMNS, JSON.parse(String(row)))
}

function toPackage({ row }: SqlRow): CreditPackage {
  return fromJsonRow(PACKAGE_COLUMNS, JSON.parse(String(row)))
}
