import { clockOr } from './clock.js'
import { epochMs } from './columns.js'
import { LOCK_TIMEOUT_MS } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/** What the calls of a batch need beyond plain deductions; each combination is a text of its own, prepared once. */
export interface SpendFeatures {
  /** Some have keys. */
  keys: boolean
  /** Some are holds. */
  holds: boolean
  /** Somebody listens to low balances. */
  alerts: boolean
  /** Wait for locked accounts. */
  wait: boolean
}

/** Calls as they are sent: `$1` is a list of these, `$2` the injected time. */
export interface SentCall {
  n: number
  id: string
  user_id: string
  credit_type: string
  amount: number
  description: string
  reference_id: string | null
  reference_type: string | null
  metadata: unknown
  actor: string | null
  request: unknown
  idempotency_key: string | null
  hold_seconds: number | null
  kept_key: string | null
  kept_request: unknown
  kept_result: unknown
  alerts: unknown
}

/** What the statement answers: of the database, and of each call in the order of the calls. */
export interface JsonAnswer {
  isolation: string
  citus: boolean
  now: number
  calls: (readonly [
    outcome: 'applied' | 'known' | 'refused' | 'undecided' | 'busy',
    seq: number | null,
    balanceAfter: number | null,
    grantId: string | null,
    version: number | null,
    available: number | null,
  ])[]
}

/**
 * How long calls of several accounts wait together, in milliseconds: not for accounts, but for a key that somebody is about
 * to use, or for a row of the host's that a foreign key names. Then each account waits by itself.
 */
const SHARED_LOCK_TIMEOUT_MS = 200

/** Amounts are safe integers in TypeScript, so totals must stay so. */
export const MAX_SAFE = '9007199254740991'

/** The highest threshold below what is available: as `crossedThresholds` of the ledger has it. */
const ARMED_BELOW = `coalesce((select max(threshold) from (
            select coalesce((alert->>'credits')::float8,
              floor(last_credit::float8 / 100 * (alert->>'percent')::float8)) as threshold
            from jsonb_array_elements(alerts) alert) armed where threshold < available), -1)`

/**
 * Decide deductions and holds from their account rows, and write those that the rows can tell about, in one statement.
 * Locks first (in key order), reads the clock after the locks, and decides from the locked rows alone. What else is read
 * (used keys) may be as old as the statement: `key_version` tells when it is too old.
 *
 * Calls of one account are decided by running sums in their order. Once one of them can't be told, those behind it can't
 * be either; a call that is surely not covered is refused and overtaken.
 */
export function spendStatement({ names, userIdType }: SqlTables, features: SpendFeatures): string {
  const { keys, holds, alerts, wait } = features
  const when = (condition: boolean, text: string): string => (condition ? text : '')
  const isUse = when(holds, ' and hold_seconds is null')
  return `with sent as materialized (
      select * from jsonb_to_recordset($1::text::jsonb) as x(n integer, id uuid, user_id ${userIdType}, credit_type text,
        amount bigint, description text, reference_id text, reference_type text, metadata jsonb, actor text, request jsonb,
        idempotency_key text${when(holds, ', hold_seconds integer, kept_key text, kept_request jsonb, kept_result jsonb')}${when(alerts, ', alerts jsonb')})
      where (select set_config('lock_timeout', '${wait ? LOCK_TIMEOUT_MS : SHARED_LOCK_TIMEOUT_MS}', true)) is not null
    ), accounts as materialized (select distinct user_id, credit_type from sent order by 1, 2), locked as materialized (
      select a.* from accounts k cross join lateral (
        select a.*${when(
          keys,
          `, (select s.version from ${names.userCredits} s
            where s.user_id = k.user_id and s.credit_type = k.credit_type) as seen_version`,
        )}
        from ${names.userCredits} a where a.user_id = k.user_id and a.credit_type = k.credit_type
        for no key update of a${when(!wait, ' skip locked')}
      ) a
    ), moment as materialized (
      select ${clockOr('$2')} as now from (select count(*) from locked) after_the_locks
    ), calls as materialized (
      select s.*, a.user_id is not null as is_locked, a.balance, a.head_grant_id, a.head_remaining, a.total_used, a.seq, a.version,
        a.topup_due, a.topup_threshold, a.alert_floor, ${when(alerts, 'a.last_credit, ')}moment.now,
        a.balance - a.held - a.scheduled as available,
        a.debt = 0 and (a.next_due_at is null or a.next_due_at > moment.now) as is_settled,
        ${keys ? keyConditions(names, holds) : 'false as is_known, true as sees_keys'}${when(holds, `, ${headCondition(names)}`)}
      from moment cross join sent s
      left join locked a on a.user_id = s.user_id and a.credit_type = s.credit_type
    ), totals as (
      select *, ${soFar('sum', 'amount', 'not is_known')} as total from calls
    ), covered as (
      select *, not is_known and coalesce(${soFar(
        'bool_and',
        // What is null can't be told, and is not to be passed over by the aggregate.
        `coalesce(is_settled and sees_keys ${when(holds, 'and sees_head ')}and total < head_remaining and total_used + total <= ${MAX_SAFE}
          and not topup_due and (topup_threshold is null or available - total > topup_threshold)
          ${when(alerts, `and (alerts is null or (alert_floor = ${ARMED_BELOW} and available - total > alert_floor))`)}, false)`,
        'not is_known',
      )}, false) as applies
      from totals
    ), applied as (
      select *, coalesce(${soFar('sum', 'amount', 'applies')}, 0) as taken,
        coalesce(${soFar('sum', 'amount', `applies${isUse}`)}, 0) as used, count(*) filter (where applies${isUse}) ${UP_TO_THIS} as uses,${when(
          holds,
          `
        count(*) filter (where applies) ${UP_TO_THIS} as steps,`,
        )}
        ${soFar('min', 'amount', 'not applies and not is_known')} as least_left
      from covered
    ), decided as materialized (
      select *, case
          when is_known then 'known'
          when applies then 'applied'
          when not is_locked then case when exists (select 1 from ${names.userCredits} s
            where s.user_id = applied.user_id and s.credit_type = applied.credit_type) then 'busy' else 'refused' end
          when is_settled and least_left > available - taken then 'refused'
          else 'undecided' end as outcome
      from applied
    ), changes as materialized (
      select user_id, credit_type, head_grant_id, max(taken) as taken, max(used) as used, max(uses) as uses, count(*) as steps,
        max(now) as now${when(holds, ", min(now + hold_seconds * interval '1 second') as ends_at")}
      from decided where applies group by user_id, credit_type, head_grant_id
    ), written as (
      insert into ${names.creditTransactions} (seq, amount, balance_after, created_at, id, grant_id, user_id, credit_type,
        transaction_type, description, reference_id, reference_type, idempotency_key, actor, metadata, request)
      select seq + uses, -amount, balance - used, now, id, head_grant_id, user_id, credit_type, 'usage', description,
        reference_id, reference_type, idempotency_key, actor, metadata, request
      from decided where applies${isUse}
    )${when(holds, `, ${holdWrites(names)}`)}, spent as (
      update ${names.userCredits} a set balance = a.balance - c.used, total_used = a.total_used + c.used,
        head_remaining = a.head_remaining - c.taken, seq = a.seq + c.uses, version = a.version + c.steps, updated_at = c.now${when(
          holds,
          `,
        held = a.held + c.taken - c.used, next_due_at = least(a.next_due_at, c.ends_at),
        key_version = case when c.taken > c.used then a.version + c.steps else a.key_version end`,
        )}
      from (select * from changes limit (select 2147483647)) c where a.user_id = c.user_id and a.credit_type = c.credit_type
    )
    select json_build_object('isolation', current_setting('transaction_isolation'),
      'citus', current_setting('citus.shard_count', true) is not null,
      'now', (select ${epochMs('now')} from moment),
      'calls', (select json_agg(json_build_array(outcome, seq + uses, balance - used, head_grant_id, version + ${holds ? 'steps' : 'uses'}, available - taken)
        order by n) from decided))::text as row`
}

const UP_TO_THIS = 'over (partition by user_id, credit_type order by n)'

/** `aggregate` of `value` over the calls of an account up to this one, those that are `counted`. */
function soFar(aggregate: 'sum' | 'bool_and' | 'min', value: string, counted: string): string {
  return `${aggregate}(${value}) filter (where ${counted}) ${UP_TO_THIS}`
}

/**
 * Has the key been used, and can this statement know? A transaction that it can't see stops it by its unique key. A command
 * without one does not: it must not be younger than what the statement sees; nor may anything that a hold can't see.
 */
function keyConditions({ creditTransactions, creditCommands }: SqlTables['names'], holds: boolean): string {
  const used = (table: string): string =>
    `exists (select 1 from ${table} k where k.user_id = s.user_id and k.idempotency_key = s.idempotency_key offset 0)`
  const sees = holds
    ? 'case when s.hold_seconds is null then a.key_version <= a.seen_version else a.version = a.seen_version end'
    : 'a.key_version <= a.seen_version'
  return `s.idempotency_key is not null and (${used(creditTransactions)} or ${used(creditCommands)}) as is_known,
        s.idempotency_key is null or ${sees} as sees_keys`
}

/** A hold pins the head grant, which this statement must see: one that was made while it waited for the account, it can't. */
function headCondition({ creditGrants }: SqlTables['names']): string {
  return `s.hold_seconds is null or exists (select 1 from ${creditGrants} g
          where g.user_id = s.user_id and g.id = a.head_grant_id offset 0) as sees_head`
}

/** Rows of holds, of what is kept under their keys, and what they pin of the head. */
function holdWrites({ creditHolds, creditCommands, creditGrants }: SqlTables['names']): string {
  return `held as (
      insert into ${creditHolds} (amount, captured, expires_at, created_at, updated_at, id, user_id, credit_type, status,
        description, reference_id, reference_type, actor, metadata, request, allocations)
      select amount, 0, now + hold_seconds * interval '1 second', now, now, id, user_id, credit_type, 'open',
        description, reference_id, reference_type, actor, metadata, request,
        jsonb_build_array(jsonb_build_object('grantId', head_grant_id, 'amount', amount))
      from decided where applies and hold_seconds is not null
    ), kept as (
      insert into ${creditCommands} (created_at, id, user_id, idempotency_key, request, result)
      select now, id, user_id, kept_key, kept_request, kept_result
      from decided where applies and hold_seconds is not null
    ), pinned as (
      update ${creditGrants} g set held = g.held + c.taken - c.used
      from changes c where c.taken > c.used and g.user_id = c.user_id and g.id = c.head_grant_id
    )`
}
