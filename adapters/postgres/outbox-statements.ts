import type { EventRecord } from '../../src/ledger/event.js'
import type { ClaimedEvent, ClaimQuery } from '../../src/ports/outbox-store.js'
import { clockOr } from './clock.js'
import { EVENT_COLUMNS, fromJsonRow, jsonRow } from './columns.js'
import type { SqlExecutor, SqlRow } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

const CLAIMED_COLUMNS = [...EVENT_COLUMNS, ['failures', 'attempts', 'integer']] as const

/**
 * Lease events to whoever delivers them: of every account whose first event is due and can be told, that one and those
 * behind it, up to one that can't.
 *
 * The lock on an account's first event decides who gets the account: it is skipped where somebody else has it, and looked
 * at again once it is held, so that a lease given meanwhile is seen. Accounts are visited one by one along the index of
 * waiting events, until the page is full; what waits behind a first event is not looked at. A page is shared out: first
 * events first, so that an account with many keeps no other one waiting.
 */
export async function leaseEvents(sql: SqlExecutor, { names }: SqlTables, query: ClaimQuery): Promise<ClaimedEvent[]> {
  const outbox = names.creditOutbox
  const inOrder = 'o.user_id, o.credit_type, o.seq, o.position'
  const told = `o.kind = any(array(select jsonb_array_elements_text($4::text::jsonb)))`
  const first = `${inOrder}, o.next_attempt_at`
  const rows = await sql.query(
    `with recursive input as materialized (
       select make_interval(secs => $2::text::double precision) as lease, ${clockOr('$3')} as now
     ), waiting as (
       (select ${first} from ${outbox} o where o.parked_at is null order by ${inOrder} limit 1)
       union all
       select next.* from waiting w cross join lateral (
         select ${first} from ${outbox} o
         where o.parked_at is null and (o.user_id, o.credit_type) > (w.user_id, w.credit_type)
         order by ${inOrder} limit 1
       ) next
     ), firsts as materialized (
       select first.* from input cross join waiting w cross join lateral (
         select ${inOrder} from ${outbox} o
         where (${inOrder}) = (w.user_id, w.credit_type, w.seq, w.position)
           and o.parked_at is null and o.next_attempt_at <= input.now and ${told}
         for update skip locked
       ) first
       where w.next_attempt_at <= input.now limit $1::text::bigint
     ), page as materialized (
       select event.user_id, event.id from firsts f cross join lateral (
         select o.user_id, o.id, row_number() over behind as place, bool_and(${told}) over behind as is_told
         from ${outbox} o
         where o.user_id = f.user_id and o.credit_type = f.credit_type and o.parked_at is null
           and (o.seq, o.position) >= (f.seq, f.position)
         window behind as (order by o.seq, o.position)
         order by o.seq, o.position limit $1::text::bigint
       ) event
       where event.is_told order by event.place limit $1::text::bigint
     ), leased as (
       update ${outbox} o set next_attempt_at = input.now + input.lease from input, page
       where o.user_id = page.user_id and o.id = page.id returning o.*
     )
     select ${jsonRow(CLAIMED_COLUMNS, 'o')}::text as row from leased o order by ${inOrder}`,
    [String(query.limit), String(query.leaseSeconds), query.now?.toISOString() ?? null, JSON.stringify(query.kinds)],
  )
  return rows.map(toEvent)
}

export async function deleteEvent(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { userId, id }: Pick<EventRecord, 'userId' | 'id'>,
): Promise<void> {
  await sql.query(`delete from ${names.creditOutbox} where user_id = $1::text::${userIdType} and id = $2::text::uuid`, [
    userId,
    id,
  ])
}

/** Count a failure; let the event wait, or park it. Those leased together with it are free again. */
export async function postponeEvent(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { userId, id }: Pick<EventRecord, 'userId' | 'id'>,
  delaySeconds: number | null,
  at: Date | null,
): Promise<void> {
  await sql.query(
    `with input as materialized (
       select make_interval(secs => $3::text::double precision) as delay, ${clockOr('$4')} as now
     ), failed as (
       update ${names.creditOutbox} o set attempts = o.attempts + 1, next_attempt_at = input.now + coalesce(input.delay, '0'),
         parked_at = case when input.delay is null then input.now end
       from input where o.user_id = $1::text::${userIdType} and o.id = $2::text::uuid
       returning o.user_id, o.credit_type, o.seq, o.position
     )
     update ${names.creditOutbox} o set next_attempt_at = input.now from input, failed f
     where o.user_id = f.user_id and o.credit_type = f.credit_type and o.parked_at is null
       and (o.seq, o.position) > (f.seq, f.position) and o.next_attempt_at > input.now`,
    [userId, id, delaySeconds === null ? null : String(delaySeconds), at?.toISOString() ?? null],
  )
}

export async function selectParkedEvents(
  sql: SqlExecutor,
  { names }: SqlTables,
  limit: number,
): Promise<ClaimedEvent[]> {
  const rows = await sql.query(
    `select ${jsonRow(CLAIMED_COLUMNS, 'o')}::text as row from ${names.creditOutbox} o where o.parked_at is not null
     order by o.created_at, o.user_id, o.credit_type, o.seq, o.position limit $1::text::bigint`,
    [String(limit)],
  )
  return rows.map(toEvent)
}

function toEvent({ row }: SqlRow): ClaimedEvent {
  return fromJsonRow<ClaimedEvent>(CLAIMED_COLUMNS, JSON.parse(String(row)))
}
