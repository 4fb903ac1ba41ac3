import type { Grant } from '../../src/ledger/grant.js'
import { type Hold, isOverdue } from '../../src/ledger/hold.js'
import type { Schedule } from '../../src/ledger/schedule.js'
import type { Transaction } from '../../src/ledger/transaction.js'
import { BURN_DOWN_ORDER } from './account-states.js'
import { clockOr } from './clock.js'
import {
  decodeTransaction,
  epochMs,
  fromJsonRow,
  GRANT_COLUMNS,
  HOLD_COLUMNS,
  jsonRow,
  SCHEDULE_COLUMNS,
  TRANSACTION_COLUMNS,
} from './columns.js'
import type { SqlExecutor, SqlRow } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

export async function selectTransaction(
  sql: SqlExecutor,
  { names }: SqlTables,
  id: string,
): Promise<Transaction | null> {
  const [row] = await sql.query(
    `select ${jsonRow(TRANSACTION_COLUMNS, 't')}::text as row from ${names.creditTransactions} t where t.id = $1::text::uuid`,
    [id],
  )
  return row === undefined ? null : decodeTransaction(JSON.parse(String(row['row'])))
}

/** A hold as it is by now, whether or not its end has been written. */
export async function selectHold(
  sql: SqlExecutor,
  { names }: SqlTables,
  id: string,
  now: Date | null,
): Promise<Hold | null> {
  const [row] = await sql.query(
    `select json_build_object('hold', ${jsonRow(HOLD_COLUMNS, 'h')},
       'now', ${epochMs(clockOr('$2'))})::text as row
     from ${names.creditHolds} h where h.id = $1::text::uuid`,
    [id, now?.toISOString() ?? null],
  )
  if (row === undefined) return null
  const found = JSON.parse(String(row['row'])) as { hold: unknown; now: number }
  const hold = fromJsonRow<Hold>(HOLD_COLUMNS, found.hold)
  return isOverdue(hold, new Date(found.now)) ? { ...hold, status: 'expired' } : hold
}

/** A user's holds that are open and not at their end, soonest to end first: of one credit type, or of all. */
export async function selectOpenHolds(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { userId, creditType }: { userId: string; creditType: string | null },
  now: Date | null,
): Promise<Hold[]> {
  const rows = await sql.query(
    `with clock as materialized (select ${clockOr('$3')} as now)
     select ${jsonRow(HOLD_COLUMNS, 'h')}::text as row from clock join ${names.creditHolds} h on h.expires_at > clock.now
     where h.user_id = $1::text::${userIdType} and ($2::text is null or h.credit_type = $2::text) and h.status = 'open'
     order by h.expires_at, h.id`,
    [userId, creditType, now?.toISOString() ?? null],
  )
  return rows.map(({ row }) => fromJsonRow<Hold>(HOLD_COLUMNS, JSON.parse(String(row))))
}

export async function selectGrant(sql: SqlExecutor, tables: SqlTables, id: string): Promise<Grant | null> {
  const rows = await sql.query(grantStatement(tables, 'g.id = $1::text::uuid'), [id])
  return rows.map(toGrant)[0] ?? null
}

/** A user's grants by id, open or not, in the order of their ids. */
export async function selectGrants(
  sql: SqlExecutor,
  tables: SqlTables,
  userId: string,
  ids: readonly string[],
): Promise<Grant[]> {
  const rows = await sql.query(
    `${grantStatement(
      tables,
      `g.user_id = $1::text::${tables.userIdType}
         and g.id = any(array(select jsonb_array_elements_text($2::text::jsonb)::uuid))`,
    )} order by g.id`,
    [userId, JSON.stringify(ids)],
  )
  return rows.map(toGrant)
}

/** What is left of a user's grants: of one credit type, or of all, one type after the other. */
export async function selectOpenGrants(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { userId, creditType }: { userId: string; creditType: string | null },
  now: Date | null,
): Promise<Grant[]> {
  const rows = await sql.query(
    `with clock as materialized (select ${clockOr('$3')} as now)
     select ${jsonRow(GRANT_COLUMNS, 'g')}::text as row from clock, ${names.creditOpenGrants} g
     where g.user_id = $1::text::${userIdType} and ($2::text is null or g.credit_type = $2::text)
       and (g.remaining > 0 or g.held > 0) and g.voided_at is null and (g.expires_at is null or g.expires_at > clock.now)
     order by g.credit_type collate "C", ${BURN_DOWN_ORDER}`,
    [userId, creditType, now?.toISOString() ?? null],
  )
  return rows.map(toGrant)
}

export async function selectSchedules(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  userId: string,
): Promise<Schedule[]> {
  const rows = await sql.query(
    `select ${jsonRow(SCHEDULE_COLUMNS, 's')}::text as row from ${names.creditSchedules} s
     where s.user_id = $1::text::${userIdType} order by s.created_at, s.id`,
    [userId],
  )
  return rows.map(({ row }) => fromJsonRow<Schedule>(SCHEDULE_COLUMNS, JSON.parse(String(row))))
}

/** Grants, closed ones too, with their true remaining: the account's row has it of the head. */
function grantStatement({ names }: SqlTables, condition: string): string {
  const values = GRANT_COLUMNS.map(([, column]) =>
    column === 'remaining'
      ? 'case when a.head_grant_id = g.id then a.head_remaining else g.remaining end as remaining'
      : `g.${column}`,
  )
  return `select ${jsonRow(GRANT_COLUMNS, 'x')}::text as row
     from ${names.creditGrants} g join ${names.userCredits} a on a.user_id = g.user_id and a.credit_type = g.credit_type
     cross join lateral (select ${values.join(', ')}) x
     where ${condition}`
}

function toGrant({ row }: SqlRow): Grant {
  return fromJsonRow<Grant>(GRANT_COLUMNS, JSON.parse(String(row)))
}
