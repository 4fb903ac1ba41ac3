import type { AccountState } from '../../src/ledger/posting.js'
import type { Account } from '../../src/ledger/account.js'
import type { PaymentFact, Purchase } from '../../src/ledger/purchase.js'
import type { JsonObject, Transaction } from '../../src/ledger/transaction.js'
import type { Command } from '../../src/ports/store.js'
import {
  decodeTransaction,
  epochMs,
  FACT_COLUMNS,
  fromJsonRow,
  GRANT_COLUMNS,
  jsonRow,
  TRANSACTION_COLUMNS,
} from './columns.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/** What the statement after the locks finds: the time, the command's own past, and the state to decide from. */
export interface Loaded {
  now: Date
  /** The row with the command's key or id. */
  transaction: Transaction | null
  /** A keyed command that wrote no row. */
  kept: { request: JsonObject | null; result: JsonObject | null } | null
  accounts: Omit<AccountState, 'account'>[]
  facts: PaymentFact[]
  transactions: { transaction: Transaction; related: Transaction[] }[]
}

/**
 * Read everything a decision needs, in one statement that starts after the locks are held: a statement that locks *and*
 * reads other rows would read them from a snapshot taken before its wait, and so would its clock.
 */
export async function loadState(
  sql: SqlExecutor,
  tables: SqlTables,
  command: Command,
  locked: { accounts: Account[]; purchases: Purchase[] },
): Promise<Loaded> {
  const { id, userId, key, load, now } = command
  const input = {
    id,
    userId,
    key,
    now: now?.toISOString() ?? null,
    accounts: command.accounts,
    covering: typeof load.grants === 'object' ? load.grants.covering : null,
    transactions: load.transactions ?? [],
    purchases: locked.purchases.map((purchase) => purchase.id),
  }
  const [row] = await sql.query(loadStatement(tables, command), [JSON.stringify(input)])
  return decodeLoaded(JSON.parse(String(row?.loaded)) as JsonLoaded, locked.accounts)
}

interface JsonLoaded {
  now: number
  byKey: unknown
  byId: unknown
  kept: Loaded['kept']
  accounts:
    | {
        grants: unknown[] | null
        usable: number
        nextDueAt: number | null
        history: unknown[] | null
        heldByHolds: number
      }[]
    | null
  facts: unknown[] | null
  transactions: { transaction: unknown; related: unknown[] | null }[] | null
}

function decodeLoaded(json: JsonLoaded, accounts: readonly Account[]): Loaded {
  const known = json.byKey ?? json.byId
  return {
    now: new Date(json.now),
    transaction: known === null ? null : decodeTransaction(known),
    kept: json.kept,
    accounts: (json.accounts ?? []).map(({ grants: rows, usable, nextDueAt, history, heldByHolds }, index) => {
      const account = accounts[index]
      if (account === undefined) throw new Error('loadState: more accounts than were locked')
      const grants = (rows ?? []).map((grant) => fromJsonRow(GRANT_COLUMNS, grant))
      const transactions = history?.map(decodeTransaction)
      return {
        grants,
        usable,
        nextDueAt: nextDueAt === null ? null : new Date(nextDueAt),
        history: transactions === undefined ? null : { account, grants, transactions, heldByHolds },
      }
    }),
    facts: (json.facts ?? []).map((fact) => fromJsonRow(FACT_COLUMNS, fact)),
    transactions: (json.transactions ?? []).map(({ transaction, related }) => ({
      transaction: decodeTransaction(transaction),
      related: (related ?? []).map(decodeTransaction),
    })),
  }
}

/** Only the parts a command needs stand in its statement; there are a handful of different texts. */
function loadStatement(tables: SqlTables, { key, accounts, purchases, load }: Command): string {
  const { names, userIdType } = tables
  const withTransactions = (load.transactions ?? []).length > 0
  return `with input as materialized (
      select j, (j->>'userId')::${userIdType} as user_id,
        coalesce((j->>'now')::timestamptz, date_trunc('milliseconds', clock_timestamp())) as now
      from (select $1::text::jsonb as j) sent
    )${withTransactions ? `, ${transactionParts(tables)}` : ''}
    select json_build_object(
      'now', ${epochMs('input.now')},
      'byKey', ${key === null ? 'null' : keyedTransaction(names.creditTransactions)},
      'byId', (select ${jsonRow(TRANSACTION_COLUMNS, 't')} from ${names.creditTransactions} t
        where t.id = (j->>'id')::uuid and t.user_id = input.user_id),
      'kept', ${key === null ? 'null' : keptCommand(names.creditCommands)},
      'accounts', ${accounts.length === 0 ? 'null' : accountStates(tables, load, withTransactions)},
      'facts', ${(purchases ?? []).length === 0 ? 'null' : paymentFacts(names.creditPaymentFacts)},
      'transactions', ${withTransactions ? namedTransactions() : 'null'}
    )::text as loaded
    from input`
}

function keyedTransaction(table: string): string {
  return `(select ${jsonRow(TRANSACTION_COLUMNS, 't')} from ${table} t
        where t.user_id = input.user_id and t.idempotency_key = j->>'key')`
}

function keptCommand(table: string): string {
  return `(select json_build_object('request', c.request, 'result', c.result) from ${table} c
        where c.user_id = input.user_id and c.idempotency_key = j->>'key')`
}

function paymentFacts(table: string): string {
  return `(select json_agg(${jsonRow(FACT_COLUMNS, 'f')}) from ${table} f
        where f.user_id = input.user_id and f.purchase_id in (select p::uuid from jsonb_array_elements_text(j->'purchases') p))`
}

/** The named transactions that belong to the command's accounts, their corrections, and the grants all of them touched. */
function transactionParts({ names, userIdType }: SqlTables): string {
  return `asked as (
      select t.*, named.position from input
      cross join jsonb_array_elements_text(j->'transactions') with ordinality named(id, position)
      cross join jsonb_to_recordset(j->'accounts') as a("userId" ${userIdType}, "creditType" text)
      join ${names.creditTransactions} t on t.id = named.id::uuid and t.user_id = a."userId" and t.credit_type = a."creditType"
    ), related as (
      select t.* from asked join ${names.creditTransactions} t
        on t.related_id = asked.id and t.user_id = asked.user_id and t.credit_type = asked.credit_type
    ), touched as (
      select grant_id as id from (select grant_id from asked union all select grant_id from related) whole
      where grant_id is not null
      union
      select (part->>'grantId')::uuid from (select allocations from asked union all select allocations from related) shared
      cross join jsonb_array_elements(allocations) part
      where allocations is not null and part ? 'grantId'
    )`
}

function namedTransactions(): string {
  return `(select json_agg(json_build_object(
        'transaction', ${jsonRow(TRANSACTION_COLUMNS, 'asked')},
        'related', (select json_agg(${jsonRow(TRANSACTION_COLUMNS, 'related')} order by related.seq) from related
          where related.related_id = asked.id)
      ) order by asked.position) from asked)`
}

/** Per account, in the command's order: the grants asked for, what can be spent, and when time changes that. */
function accountStates(tables: SqlTables, load: Command['load'], withTransactions: boolean): string {
  const { names, userIdType } = tables
  return `(select json_agg(json_build_object(
        'grants', (select json_agg(${jsonRow(GRANT_COLUMNS, 'g')}) from (${chosenGrants(tables, load, withTransactions)}) g),
        'usable', ${usableCredits(names.creditOpenGrants)},
        'nextDueAt', ${epochMs(nextDueAt(tables))},
        'heldByHolds', (select coalesce(sum(h.amount - h.captured), 0)::bigint from ${names.creditHolds} h
          where h.user_id = a.user_id and h.credit_type = a.credit_type and h.status = 'open'),
        'history', ${load.history === true ? accountHistory(names.creditTransactions) : 'null'}
      ) order by a.position)
      from jsonb_array_elements(j->'accounts') with ordinality sent(key, position)
      cross join lateral (select (key->>'userId')::${userIdType} as user_id, key->>'creditType' as credit_type, position) a)`
}

/** Burn-down order, as \`compareBurnDown\` of the ledger has it. */
const BURN_DOWN_ORDER = `priority, coalesce(expires_at, 'infinity'), (source in ('purchase', 'subscription')),
  coalesce(effective_at, '-infinity'), seq, id`

/** Usable at \`input.now\`, as \`isUsable\` of the ledger has it. */
export const USABLE = `(voided_at is null and (effective_at is null or effective_at <= input.now)
  and (expires_at is null or expires_at > input.now))`

function chosenGrants({ names }: SqlTables, { grants }: Command['load'], withTransactions: boolean): string {
  const ofAccount = 'user_id = a.user_id and credit_type = a.credit_type'
  const touched = withTransactions ? ' or id in (select id from touched)' : ''
  const open =
    typeof grants === 'string'
      ? `select * from ${names.creditOpenGrants} where ${ofAccount}`
      : `select * from (
          select *, sum(case when ${USABLE} then remaining else 0 end)
            over (order by ${BURN_DOWN_ORDER} rows between unbounded preceding and current row) as covered
          from ${names.creditOpenGrants} where ${ofAccount}
        ) ordered
        where (${USABLE} and remaining > 0 and covered - remaining <= (j->>'covering')::bigint)
          or expires_at <= input.now
          or id = (select head_grant_id from ${names.userCredits} where ${ofAccount})${touched}`
  const list = GRANT_COLUMNS.map(([, column]) => column).join(', ')
  const closed =
    grants === 'every' ? 'not open' : withTransactions ? 'not open and id in (select id from touched)' : null
  const openRows = `select ${list} from (${open}) chosen`
  return closed === null
    ? openRows
    : `${openRows} union all select ${list} from ${names.creditGrants} where ${ofAccount} and ${closed}`
}

/** Σ remaining of the account's grants usable now. */
export function usableCredits(openGrants: string): string {
  return `(select coalesce(sum(remaining), 0)::bigint from ${openGrants} where user_id = a.user_id and credit_type = a.credit_type and ${USABLE})`
}

/** The next moment at which time alone changes something about the account. */
export function nextDueAt({ names }: SqlTables): string {
  return `least(
      (select min(expires_at) from ${names.creditOpenGrants} where user_id = a.user_id and credit_type = a.credit_type and expires_at > input.now),
      (select min(effective_at) from ${names.creditOpenGrants} where user_id = a.user_id and credit_type = a.credit_type and effective_at > input.now),
      (select min(expires_at) from ${names.creditHolds} where user_id = a.user_id and credit_type = a.credit_type and status = 'open' and expires_at > input.now))`
}

function accountHistory(table: string): string {
  return `(select coalesce(json_agg(${jsonRow(TRANSACTION_COLUMNS, 't')} order by t.seq), '[]') from ${table} t
          where t.user_id = a.user_id and t.credit_type = a.credit_type)`
}
