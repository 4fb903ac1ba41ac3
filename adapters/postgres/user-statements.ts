import type { ReportStore, UserBalances } from '../../src/ports/report-store.js'
import { accountSums } from './account-states.js'
import { clockOr } from './clock.js'
import { balanceJson, decodeBalance, type JsonBalance } from './read-statements.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/** User ids as their index has them: as text, in an order that no locale changes. */
const ID = `a.user_id::text collate "C"`

/**
 * A page of the users whose id begins with `prefix`, with their balances, from one snapshot. In this order everything that
 * begins alike stands together, and begins with the prefix itself: so a page is read from there (or from the last page's end),
 * and what it holds beyond the last match is left out.
 */
export async function selectUsers(
  sql: SqlExecutor,
  tables: SqlTables,
  { prefix, limit, after }: Parameters<ReportStore['findUsers']>[0],
  now: Date | null,
): Promise<UserBalances[]> {
  const { userCredits } = tables.names
  const rows = await sql.query(
    `with input as materialized (select ${clockOr('$1')} as now),
     page as materialized (
       select distinct on (${ID}) a.user_id from ${userCredits} a
       where ${ID} >= $2::text ${after === null ? '' : `and ${ID} > $4::text`}
       order by ${ID} limit $3::text::bigint
     )
     select json_build_object('userId', a.user_id::text, 'balance', ${balanceJson(tables, true)})::text as row
     from input cross join page join ${userCredits} a on a.user_id = page.user_id
     ${accountSums(tables)}
     where starts_with(page.user_id::text, $2::text)
     order by ${ID}, a.credit_type collate "C"`,
    [now?.toISOString() ?? null, prefix, String(limit), ...(after === null ? [] : [after])],
  )
  const users = new Map<string, UserBalances>()
  for (const { row } of rows) {
    const { userId, balance } = JSON.parse(String(row)) as { userId: string; balance: JsonBalance }
    const user = users.get(userId) ?? { userId, balances: [] }
    users.set(userId, user)
    user.balances.push(decodeBalance(balance))
  }
  return [...users.values()]
}
