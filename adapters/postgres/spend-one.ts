import type { SpendCommand } from '../../src/ports/store.js'
import { clockOr } from './clock.js'
import { epochMs } from './columns.js'
import { type JsonAnswer, MAX_SAFE } from './spend-statement.js'
import { LOCK_TIMEOUT_MS, type SqlRow, type SqlValue } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/**
 * One plain deduction by itself, decided as {@link spendStatement} decides it, in half of its time: the update is its own
 * lock. After a wait, its conditions are looked at again with the row as it is by then, and with the time; where nobody has
 * changed the row, the time before the wait is as good. The row it writes is never younger than what the conditions allow.
 * What it refuses, it reads without a lock.
 */
export function spendOneStatement({ names, userIdType }: SqlTables, { keys }: { keys: boolean }): string {
  const [id, user, creditType, amount, description, referenceId, referenceType, metadata, actor, request, now, key] = [
    '$1::text::uuid',
    `$2::text::${userIdType}`,
    '$3::text',
    '$4::text::bigint',
    '$5::text',
    '$6::text',
    '$7::text',
    '$8::text::jsonb',
    '$9::text',
    '$10::text::jsonb',
    '$11',
    keys ? '$12::text' : 'null',
  ]
  const account = (alias: string): string => `${alias}.user_id = ${user} and ${alias}.credit_type = ${creditType}`
  const used = (table: string): string =>
    `exists (select 1 from ${table} k where k.user_id = ${user} and k.idempotency_key = ${key})`
  const isKnown = keys ? `(${used(names.creditTransactions)} or ${used(names.creditCommands)})` : 'false'
  const sees = `(select s.version from ${names.userCredits} s where ${account('s')})`
  const isSettled = `a.debt = 0 and (a.next_due_at is null or a.next_due_at > ${clockOr(now)})`
  const available = 'a.balance - a.held - a.scheduled'
  return `with spent as (
      update ${names.userCredits} a set balance = a.balance - ${amount}, total_used = a.total_used + ${amount},
        head_remaining = a.head_remaining - ${amount}, seq = a.seq + 1, version = a.version + 1,
        updated_at = coalesce(${now}::text::timestamptz,
          least(date_trunc('milliseconds', clock_timestamp()), a.next_due_at - interval '1 millisecond'))
      where (select set_config('lock_timeout', '${LOCK_TIMEOUT_MS}', true)) is not null and ${account('a')} and ${isSettled}
        and a.head_remaining > ${amount} and a.total_used + ${amount} <= ${MAX_SAFE} and not a.topup_due
        and (a.topup_threshold is null or ${available} - ${amount} > a.topup_threshold)
        ${keys ? `and not ${isKnown} and a.key_version <= ${sees}` : ''}
      returning a.seq, a.balance, a.head_grant_id, a.version, a.updated_at, ${available} as available
    ), written as (
      insert into ${names.creditTransactions} (seq, amount, balance_after, created_at, id, grant_id, user_id, credit_type,
        transaction_type, description, reference_id, reference_type, idempotency_key, actor, metadata, request)
      select seq, -${amount}, balance, updated_at, ${id}, head_grant_id, ${user}, ${creditType}, 'usage', ${description},
        ${referenceId}, ${referenceType}, ${key}, ${actor}, ${metadata}, ${request} from spent
    )
    select seq::text, balance::text, head_grant_id::text, version::text, ${epochMs('updated_at')}::text as at,
      available::text, current_setting('transaction_isolation') as isolation,
      current_setting('citus.shard_count', true) as citus,
      case when seq is null then ${isKnown} end as is_known,
      case when seq is null then (select json_build_array(${isSettled}, ${available})::text
        from ${names.userCredits} a where ${account('a')}) end as account
    from (select 1) one left join spent on true`
}

export function spendOneValues(command: SpendCommand, now: Date | null): SqlValue[] {
  const { id, userId, creditType, amount, description, referenceId, referenceType, metadata, actor, kept, key } =
    command
  const json = (value: object | null): string | null => (value === null ? null : JSON.stringify(value))
  const values = [
    id,
    userId,
    creditType,
    String(amount),
    description,
    referenceId,
    referenceType,
    json(metadata),
    actor,
  ]
  values.push(json(kept), now?.toISOString() ?? null)
  return key === null ? values : [...values, key]
}

/** The same answer as for many calls. */
export function spendOneAnswer(row: SqlRow | undefined, { amount }: SpendCommand): JsonAnswer {
  if (row === undefined) throw new Error('spend: the statement returned no row')
  const {
    seq,
    balance,
    head_grant_id: grantId,
    version,
    at,
    available,
    isolation,
    citus,
    is_known: isKnown,
    account,
  } = row
  const settings = { isolation: String(isolation), citus: citus !== null, now: Number(at) }
  if (seq !== null) {
    const call = ['applied', Number(seq), Number(balance), String(grantId), Number(version), Number(available)] as const
    return { ...settings, calls: [call] }
  }
  const [isSettled, left] = typeof account === 'string' ? (JSON.parse(account) as [boolean, number]) : [true, 0]
  const outcome = isKnown === true ? 'known' : isSettled && amount > left ? 'refused' : 'undecided'
  return { ...settings, calls: [[outcome, null, null, null, null, left]] }
}
