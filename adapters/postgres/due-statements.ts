import type { AccountKey } from '../../src/ledger/account.js'
import type { DueQuery } from '../../src/ports/due-store.js'
import { RENEWING_SCHEDULE } from './account-states.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/**
 * By `statement_timestamp`, which the planner can look up in an index, unlike `clock_timestamp`. Nothing is locked here,
 * so no time passes between the statement's beginning and its reading.
 */
const NOW = 'coalesce($1::text::timestamptz, statement_timestamp())'

/**
 * Accounts with something due, in the order of their keys. Each kind is found by its partial index on time, so the work
 * grows with what is due, not with what there is.
 */
export async function selectDueAccounts(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { now, expiringWithinSeconds, limit, after }: DueQuery,
): Promise<AccountKey[]> {
  const kinds = [
    `${names.creditOpenGrants} where remaining > 0 and expires_at <= ${NOW}`,
    `${names.creditHolds} where status = 'open' and expires_at <= ${NOW}`,
    `${names.creditSchedules} where ${RENEWING_SCHEDULE} and next_at <= ${NOW}`,
  ]
  if (expiringWithinSeconds !== null) {
    kinds.push(
      `${names.creditOpenGrants} where remaining > 0 and expires_at > ${NOW} and noticed_at is null and voided_at is null
         and expires_at <= ${NOW} + make_interval(secs => $2::text::double precision)`,
    )
  }
  const behind = after === null ? '' : ` and (user_id, credit_type) > ($3::text::${userIdType}, $4::text)`
  const rows = await sql.query(
    `select distinct user_id, user_id::text as user_id_text, credit_type from (
       ${kinds.map((kind) => `select user_id, credit_type from ${kind}${behind}`).join('\n       union all\n       ')}
     ) due, (select $2::text, $3::text, $4::text) sent
     order by user_id, credit_type limit $5::text::bigint`,
    [
      now?.toISOString() ?? null,
      expiringWithinSeconds === null ? null : String(expiringWithinSeconds),
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
