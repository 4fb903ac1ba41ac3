import type { PaymentFact, Purchase } from '../../src/ledger/purchase.js'
import type { PurchaseStore, PurchaseWithFacts } from '../../src/ports/purchase-store.js'
import { FACT_COLUMNS, fromJsonRow, jsonRow, PURCHASE_COLUMNS } from './columns.js'
import type { SqlExecutor, SqlRow } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

export async function selectPurchaseWithFacts(
  sql: SqlExecutor,
  tables: SqlTables,
  id: string,
): Promise<PurchaseWithFacts | null> {
  const [row] = await sql.query(`${purchasesWithFacts(tables)} where p.id = $1::text::uuid`, [id])
  return row === undefined ? null : toPurchaseWithFacts(row)
}

/**
 * A page of a user's purchases, newest first, by the index on their time. The page before is known by its last one's id, and
 * not by a time: so none is lost where the database keeps times more exactly than we do.
 */
export async function selectUserPurchases(
  sql: SqlExecutor,
  tables: SqlTables,
  { userId, limit, after }: Parameters<PurchaseStore['listUserPurchases']>[0],
): Promise<PurchaseWithFacts[]> {
  const { names, userIdType } = tables
  const start =
    after === null
      ? ''
      : `and (p.created_at, p.id) < (
           select o.created_at, o.id from ${names.creditPurchases} o
           where o.user_id = $1::text::${userIdType} and o.id = $3::text::uuid)`
  const rows = await sql.query(
    `${purchasesWithFacts(tables)} where p.user_id = $1::text::${userIdType} ${start}
     order by p.created_at desc, p.id desc limit $2::text::bigint`,
    after === null ? [userId, String(limit)] : [userId, String(limit), after],
  )
  return rows.map(toPurchaseWithFacts)
}

/** Purchases `p`, each with its facts. */
function purchasesWithFacts({ names }: SqlTables): string {
  return `select json_build_object('purchase', ${jsonRow(PURCHASE_COLUMNS, 'p')},
       'facts', (select json_agg(${jsonRow(FACT_COLUMNS, 'f')}) from ${names.creditPaymentFacts} f
         where f.user_id = p.user_id and f.purchase_id = p.id))::text as row
     from ${names.creditPurchases} p`
}

function toPurchaseWithFacts({ row }: SqlRow): PurchaseWithFacts {
  const { purchase, facts } = JSON.parse(String(row)) as { purchase: unknown; facts: unknown[] | null }
  return {
    purchase: fromJsonRow<Purchase>(PURCHASE_COLUMNS, purchase),
    facts: (facts ?? []).map((fact) => fromJsonRow<PaymentFact>(FACT_COLUMNS, fact)),
  }
}
