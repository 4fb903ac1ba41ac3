import type { QuarantineEntry } from '../../src/ledger/purchase.js'
import type { PurchaseStore } from '../../src/ports/purchase-store.js'
import { fromJsonRow, jsonRow, QUARANTINE_COLUMNS } from './columns.js'
import type { SqlExecutor, SqlRow } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

export async function selectQuarantineEntry(
  sql: SqlExecutor,
  { names }: SqlTables,
  id: string,
): Promise<QuarantineEntry | null> {
  const [row] = await sql.query(
    `select ${jsonRow(QUARANTINE_COLUMNS, 'q')}::text as row from ${names.creditQuarantine} q where q.id = $1::text::uuid`,
    [id],
  )
  return row === undefined ? null : toEntry(row)
}

export async function selectQuarantine(
  sql: SqlExecutor,
  { names }: SqlTables,
  { open, limit, after }: Parameters<PurchaseStore['listQuarantine']>[0],
): Promise<QuarantineEntry[]> {
  const rows = await sql.query(
    `select ${jsonRow(QUARANTINE_COLUMNS, 'q')}::text as row from ${names.creditQuarantine} q
     where ($1::text is null or q.id > $1::text::uuid) ${open ? 'and q.resolved_at is null' : ''}
     order by q.id limit $2::text::bigint`,
    [after, String(limit)],
  )
  return rows.map(toEntry)
}

function toEntry({ row }: SqlRow): QuarantineEntry {
  return fromJsonRow(QUARANTINE_COLUMNS, JSON.parse(String(row)))
}
