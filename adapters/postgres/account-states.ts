import type { Account } from '../../src/ledger/account.js'
import type { AccountState } from '../../src/ledger/account-state.js'
import type { Command, StateQuery } from '../../src/ports/store.js'
import {
  decodeTransaction,
  epochMs,
  fromJsonRow,
  GRANT_COLUMNS,
  HOLD_COLUMNS,
  jsonRow,
  LIMIT_COLUMNS,
  SCHEDULE_COLUMNS,
  TOPUP_COLUMNS,
  TRANSACTION_COLUMNS,
} from './columns.js'
import type { SqlTables } from './sql-tables.js'

/*
 * Parts of statements that read what is to be known of an account. They stand where `input.now` is the time, and `a` is
 * the account, by `user_id` and `credit_type`.
 */

/** Paid for, as `isPaid` of the ledger has it. */
export const PAID = `source in ('purchase', 'subscription')`

/** Burn-down order, as `compareBurnDown` of the ledger has it. */
export const BURN_DOWN_ORDER = `priority, coalesce(expires_at, 'infinity'), (${PAID}),
  coalesce(effective_at, '-infinity'), seq, id`

/** Usable at `input.now`, as `isUsable` of the ledger has it. */
export const USABLE = `(voided_at is null and (effective_at is null or effective_at <= input.now)
  and (expires_at is null or expires_at > input.now))`

const OF_ACCOUNT = 'user_id = a.user_id and credit_type = a.credit_type'

/** Open holds whose time has run out, as `isOverdue` of the ledger has it. */
const OVERDUE_HOLD = `status = 'open' and expires_at <= input.now`

/** Schedules that go on by themselves, as `nextPeriodAt` of the ledger has it: in the words of their index on `next_at`. */
export const RENEWING_SCHEDULE = `status = 'active' and (paid_until is null or next_at < paid_until)`

/** Schedules of which a period has begun that is not written, as `isDue` of the ledger has it. */
const DUE_SCHEDULE = `${RENEWING_SCHEDULE} and next_at <= input.now`

/**
 * Joins to `a` what can be read of an account in one pass each over its open grants, open holds and active schedules:
 * `sums` (`usable`, `paid` of it, `next_expiry` of it), `next_due_at`, the next moment at which time alone changes
 * something, and `is_overdue`: time has done more to the account than to end or begin grants.
 */
export function accountSums({ names }: SqlTables): string {
  const sum = (condition: string): string => `coalesce(sum(remaining) filter (where ${condition}), 0)::bigint`
  const next = (column: string): string => `min(${column}) filter (where ${column} > input.now)`
  return `cross join lateral (
        select ${sum(USABLE)} as usable, ${sum(`${USABLE} and ${PAID}`)} as paid,
          min(expires_at) filter (where remaining > 0 and ${USABLE}) as next_expiry,
          least(${next('expires_at')}, ${next('effective_at')}) as next_change
        from ${names.creditOpenGrants} own where ${OF_ACCOUNT}
      ) sums
      cross join lateral (
        select ${next('expires_at')} as next_change, bool_or(${OVERDUE_HOLD}) as is_overdue
        from ${names.creditHolds} own where ${OF_ACCOUNT} and status = 'open'
      ) held
      cross join lateral (
        select ${next('next_at')} as next_change, bool_or(${DUE_SCHEDULE}) as is_overdue
        from ${names.creditSchedules} own where ${OF_ACCOUNT} and ${RENEWING_SCHEDULE}
      ) planned
      cross join lateral (
        select least(sums.next_change, held.next_change, planned.next_change) as next_due_at,
          coalesce(held.is_overdue, false) or coalesce(planned.is_overdue, false) as is_overdue
      ) due`
}

/** What the present balance depends on where {@link accountSums} can't say it: open grants, overdue holds, due schedules. */
export function overdueState({ names }: SqlTables): string {
  return `json_build_object(
      'grants', (select json_agg(${jsonRow(GRANT_COLUMNS, 'g')}) from ${names.creditOpenGrants} g
        where g.user_id = a.user_id and g.credit_type = a.credit_type),
      'holds', (select ${jsonList(HOLD_COLUMNS, 'h')} from (
        select * from ${names.creditHolds} own where ${OF_ACCOUNT} and ${OVERDUE_HOLD}) h),
      'schedules', (select ${jsonList(SCHEDULE_COLUMNS, 's')} from (
        select * from ${names.creditSchedules} own where ${OF_ACCOUNT} and ${DUE_SCHEDULE}) s))`
}

/** What {@link commandStates} reads, as JSON. What was not asked for is null. */
export interface JsonAccountState {
  grants: unknown[] | null
  holds: unknown[] | null
  schedules: unknown[] | null
  limitCounts?: unknown[] | null
  topup?: unknown
  usable: number
  nextDueAt: number | null
  history?: unknown[] | null
}

export function decodeAccountState(json: JsonAccountState, account: Account): AccountState {
  const grants = (json.grants ?? []).map((row) => fromJsonRow(GRANT_COLUMNS, row))
  const holds = (json.holds ?? []).map((row) => fromJsonRow(HOLD_COLUMNS, row))
  const schedules = (json.schedules ?? []).map((row) => fromJsonRow(SCHEDULE_COLUMNS, row))
  const topup = json.topup ?? null
  const transactions = json.history?.map(decodeTransaction)
  const history =
    transactions === undefined
      ? null
      : {
          account,
          grants,
          transactions,
          holds: holds.filter(({ status }) => status === 'open'),
          schedules: schedules.filter(({ status }) => status === 'active'),
        }
  return {
    account,
    grants,
    holds,
    schedules,
    limitCounts: (json.limitCounts ?? []).map((row) => fromJsonRow(LIMIT_COLUMNS, row)),
    topup: topup === null ? null : fromJsonRow(TOPUP_COLUMNS, topup),
    usable: json.usable,
    nextDueAt: json.nextDueAt === null ? null : new Date(json.nextDueAt),
    history,
  }
}

/** What a command asks for, beside its accounts. */
type Asked = Pick<Command, 'load' | 'purchases'>

/**
 * CTEs behind {@link commandStates}: the command's accounts, the transactions it names with their corrections, those of its
 * purchases, the holds and schedules to load, and the grants these touch. Only what the command asks for. Fenced by
 * `offset 0`, so that every account looks into the indexes, however few rows the planner has seen.
 */
export function stateParts(tables: SqlTables, asked: Asked): string {
  const { userIdType } = tables
  const { load } = asked
  const parts = [
    `accounts as materialized (
      select (key->>'userId')::${userIdType} as user_id, key->>'creditType' as credit_type, position
      from input cross join jsonb_array_elements(j->'accounts') with ordinality sent(key, position)
    )`,
    ...(namesTransactions(load) ? namedTransactionParts(tables) : []),
    ...(namesPurchases(asked) ? [correctionsPart(tables)] : []),
    holdsPart(tables, load),
    schedulesPart(tables, load),
    touchedPart(tables, asked),
  ]
  return parts.join(', ')
}

export function namesTransactions({ transactions = [] }: StateQuery): boolean {
  return transactions.length > 0
}

export function namesPurchases({ purchases = [] }: Pick<Command, 'purchases'>): boolean {
  return purchases.length > 0
}

/** Ids of the command's purchases, whether or not they are written. */
const NAMED_PURCHASES = `(select (sent->>'id')::uuid as id from input cross join jsonb_array_elements(j->'purchases') sent) named`

/** What was corrected for the command's purchases, on its accounts. */
function correctionsPart({ names }: SqlTables): string {
  return `corrections as materialized (
      select t.* from ${NAMED_PURCHASES} cross join accounts a cross join lateral (
        select * from ${names.creditTransactions} own where related_id = named.id and user_id = a.user_id offset 0
      ) t where t.credit_type = a.credit_type
    )`
}

/** The named transactions that belong to the command's accounts, and their corrections. */
function namedTransactionParts({ names }: SqlTables): string[] {
  return [
    `asked as materialized (
      select t.*, named.position from input
      cross join jsonb_array_elements_text(j->'transactions') with ordinality named(id, position)
      cross join accounts a cross join lateral (
        select * from ${names.creditTransactions} own where id = named.id::uuid and user_id = a.user_id offset 0
      ) t where t.credit_type = a.credit_type
    )`,
    `related as materialized (
      select t.* from asked cross join lateral (
        select * from ${names.creditTransactions} own where related_id = asked.id and user_id = asked.user_id offset 0
      ) t where t.credit_type = asked.credit_type
    )`,
  ]
}

/** Holds whose time has run out; the named ones, and those that a named transaction captured; for a history, all open ones. */
function holdsPart({ names }: SqlTables, load: StateQuery): string {
  const ids = [
    ...((load.holds ?? []).length > 0 ? [`select jsonb_array_elements_text(j->'holds')::uuid from input`] : []),
    ...(namesTransactions(load) ? ['select related_id from asked'] : []),
  ]
  const byId =
    ids.length === 0
      ? ''
      : `
      union
      select h.* from accounts a cross join lateral (
        select * from ${names.creditHolds} own where ${OF_ACCOUNT} and id = any(array(${ids.join(' union all ')})) offset 0
      ) h`
  return `loaded_holds as materialized (
      select h.* from input cross join accounts a cross join lateral (
        select * from ${names.creditHolds} own where ${OF_ACCOUNT} and ${load.history === true ? `status = 'open'` : OVERDUE_HOLD} offset 0
      ) h${byId}
    )`
}

/** Schedules of which a period has begun; where asked for, all active ones, and ended ones whose period still runs. */
function schedulesPart({ names }: SqlTables, load: StateQuery): string {
  const all = load.history === true || load.schedules === true
  return `loaded_schedules as materialized (
      select s.* from input cross join accounts a cross join lateral (
        select * from ${names.creditSchedules} own
        where ${OF_ACCOUNT} and ${all ? `(status = 'active' or next_at > input.now)` : DUE_SCHEDULE} offset 0
      ) s
    )`
}

/** Ids of grants that are loaded, open or closed, because something that is loaded touched them. */
function touchedPart({ names }: SqlTables, asked: Asked): string {
  const { load } = asked
  const pinned = `select (part->>'grantId')::uuid as id from loaded_holds cross join jsonb_array_elements(allocations) part
      where status = 'open'`
  const named = `select jsonb_array_elements_text(j->'grantIds')::uuid from input`
  const ofPurchases = `select g.id from accounts a cross join ${NAMED_PURCHASES} cross join lateral (
        select id from ${names.creditGrants} own where ${OF_ACCOUNT} and purchase_id = named.id offset 0
      ) g`
  const parts = [
    pinned,
    ...(namesGrants(load) ? [named] : []),
    ...(namesTransactions(load) ? ['asked', 'related'].map(grantsOf) : []),
    ...(namesPurchases(asked) ? [ofPurchases, grantsOf('corrections')] : []),
  ]
  return `touched as materialized (
      ${parts.join('\n      union\n      ')}
    )`
}

/** Ids of the grants that some transactions touched. */
function grantsOf(transactions: string): string {
  return `select grant_id from ${transactions} where grant_id is not null
      union
      select (part->>'grantId')::uuid from ${transactions} cross join jsonb_array_elements(allocations) part
      where allocations is not null and part ? 'grantId'`
}

function namesGrants({ grantIds = [] }: StateQuery): boolean {
  return grantIds.length > 0
}

/** Per account, in the command's order: what {@link decodeAccountState} takes. Stands behind {@link stateParts}. */
export function commandStates(tables: SqlTables, asked: Asked): string {
  const { names } = tables
  const { load } = asked
  return `(select json_agg(json_build_object(
        'grants', (select json_agg(${jsonRow(GRANT_COLUMNS, 'g')}) from (${chosenGrants(tables, asked)}) g),
        'holds', (select ${jsonList(HOLD_COLUMNS, 'h')} from loaded_holds h where h.user_id = a.user_id and h.credit_type = a.credit_type),
        'schedules', (select ${jsonList(SCHEDULE_COLUMNS, 's')} from loaded_schedules s
          where s.user_id = a.user_id and s.credit_type = a.credit_type),
        'limitCounts', ${load.limits === true ? limitCounts(names.creditLimitWindows) : 'null'},
        'topup', ${load.topup === true ? topup(names.creditAutoTopups) : 'null'},
        'usable', sums.usable,
        'nextDueAt', ${epochMs('due.next_due_at')},
        'history', ${load.history === true ? accountHistory(names.creditTransactions) : 'null'}
      ) order by a.position) from accounts a ${accountSums(tables)})`
}

function chosenGrants({ names }: SqlTables, asked: Asked): string {
  const { load } = asked
  const list = GRANT_COLUMNS.map(([, column]) => column).join(', ')
  const openRows = `select ${list} from (${openGrants(names, load.grants)}) chosen`
  const closed =
    load.grants === 'every'
      ? 'not open'
      : namesGrants(load) || namesTransactions(load) || namesPurchases(asked)
        ? 'not open and id = any(array(select id from touched))'
        : null
  return closed === null
    ? openRows
    : `${openRows} union all select ${list} from ${names.creditGrants} own where ${OF_ACCOUNT} and ${closed}`
}

/** All open grants, or those to cover so many credits; a period that begins can end credits of any of its schedule's. */
function openGrants(names: SqlTables['names'], grants: StateQuery['grants']): string {
  if (typeof grants === 'string') return `select * from ${names.creditOpenGrants} own where ${OF_ACCOUNT}`
  return `select * from (
          select *, sum(case when ${USABLE} then remaining else 0 end)
            over (order by ${BURN_DOWN_ORDER} rows between unbounded preceding and current row) as covered
          from ${names.creditOpenGrants} own where ${OF_ACCOUNT}
        ) ordered
        where (${USABLE} and remaining > 0 and covered - remaining <= (j->>'covering')::bigint)
          or expires_at <= input.now
          or id = (select head_grant_id from ${names.userCredits} own where ${OF_ACCOUNT})
          or id in (select id from touched)
          or exists (select from loaded_schedules s where s.user_id = a.user_id and s.credit_type = a.credit_type)`
}

function limitCounts(table: string): string {
  return `(select json_agg(${jsonRow(LIMIT_COLUMNS, 'w')}) from ${table} w
          where w.user_id = a.user_id and w.credit_type = a.credit_type)`
}

function topup(table: string): string {
  return `(select ${jsonRow(TOPUP_COLUMNS, 't')} from ${table} t where t.user_id = a.user_id and t.credit_type = a.credit_type)`
}

function accountHistory(table: string): string {
  return `(select coalesce(json_agg(${jsonRow(TRANSACTION_COLUMNS, 't')} order by t.seq), '[]') from ${table} t
          where t.user_id = a.user_id and t.credit_type = a.credit_type)`
}

/** Oldest first, so that of two things due at the same moment the same one is always settled first. */
function jsonList(list: typeof HOLD_COLUMNS | typeof SCHEDULE_COLUMNS, alias: string): string {
  return `json_agg(${jsonRow(list, alias)} order by ${alias}.created_at, ${alias}.id)`
}
