import type { AccountKey } from '../../src/ledger/account.js'
import type { AutoTopup } from '../../src/ledger/auto-topup.js'
import type { PurchaseStore } from '../../src/ports/purchase-store.js'
import { clockOr } from './clock.js'
import { fromJsonRow, jsonRow, TOPUP_COLUMNS } from './columns.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

export async function selectTopups(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  userId: string,
): Promise<AutoTopup[]> {
  const rows = await sql.query(
    `select ${jsonRow(TOPUP_COLUMNS, 't')}::text as row from ${names.creditAutoTopups} t
     where t.user_id = $1::text::${userIdType} order by t.credit_type collate "C"`,
    [userId],
  )
  return rows.map(({ row }) => fromJsonRow<AutoTopup>(TOPUP_COLUMNS, JSON.parse(String(row))))
}

/**
 * In the order of their keys. Both kinds are found by a partial index (of the top-ups whose payment is under way, of the
 * accounts that ask for one), so the work grows with what there is to do.
 */
export async function selectDueTopups(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { now, openBefore, limit, after }: Parameters<PurchaseStore['findDueTopups']>[0],
): Promise<AccountKey[]> {
  const behind = after === null ? '' : `where (user_id, credit_type) > ($3::text::${userIdType}, $4::text)`
  const rows = await sql.query(
    `select user_id::text as user_id_text, credit_type from (
       select user_id, credit_type from ${names.creditAutoTopups}
       where open_purchase_id is not null and open_since < $2::text::timestamptz
       union all
       select t.user_id, t.credit_type from ${names.userCredits} a
       join ${names.creditAutoTopups} t on t.user_id = a.user_id and t.credit_type = a.credit_type
       where a.topup_due and t.status = 'active' and t.open_purchase_id is null
         and (t.retry_at is null or t.retry_at <= ${clockOr('$1')})
     ) due cross join (select $3::text, $4::text) sent ${behind}
     order by user_id, credit_type limit $5::text::bigint`,
    [
      now?.toISOString() ?? null,
      openBefore.toISOString(),
      after?.userId ?? null,
      after?.creditType ?? null,
      String(limit),
    ],
  )
  return rows.map(({ user_id_text, credit_type }) => ({
    userId: String(user_id_text),
    creditType: String(credit_type),
  }))
}
