import type { Account } from '../../src/ledger/account.js'
import type { AccountState } from '../../src/ledger/account-state.js'
import type { PaymentFact } from '../../src/ledger/purchase.js'
import type { StoredRequest } from '../../src/ledger/request.js'
import type { JsonObject, Transaction } from '../../src/ledger/transaction.js'
import type { Command } from '../../src/ports/store.js'
import {
  commandStates,
  decodeAccountState,
  type JsonAccountState,
  namesPurchases,
  namesTransactions,
  stateParts,
} from './account-states.js'
import { clockOr } from './clock.js'
import { decodeTransaction, epochMs, FACT_COLUMNS, fromJsonRow, jsonRow, TRANSACTION_COLUMNS } from './columns.js'
import type { SqlExecutor } from './sql-database.js'
import type { SqlTables } from './sql-tables.js'

/** What the statement after the locks finds: the time, the command's own past, and the state to decide from. */
export interface Loaded {
  now: Date
  /** What the command's key or id was used for before; null: nothing. */
  known: KnownCommand | null
  /** The same of each of the command's items. */
  items: (KnownCommand | null)[]
  accounts: AccountState[]
  /** Of the command's purchases: the money that went back, and what was corrected for them, oldest first. */
  facts: PaymentFact[]
  corrections: Transaction[]
  transactions: { transaction: Transaction; related: Transaction[] }[]
}

/** A command that has happened: by its row in the ledger, or what was kept of one without. */
export interface KnownCommand extends StoredRequest {
  keptResult: JsonObject | null
}

/**
 * Read everything a decision needs, in one statement that starts after the locks are held: a statement that locks *and*
 * reads other rows would read them from a snapshot taken before its wait, and so would its clock.
 */
export async function loadState(
  sql: SqlExecutor,
  tables: SqlTables,
  command: Command,
  locked: readonly Account[],
): Promise<Loaded> {
  const { id, userId, key, load, now, accounts, items = [], purchases = [] } = command
  const input = {
    id,
    userId,
    key,
    now: now?.toISOString() ?? null,
    accounts: accounts.map(({ userId: owner, creditType }) => ({ userId: owner, creditType })),
    items: items.map((item) => ({ id: item.id, userId: item.userId, key: item.key })),
    covering: typeof load.grants === 'object' ? load.grants.covering : null,
    transactions: load.transactions,
    holds: load.holds,
    grantIds: load.grantIds,
    purchases: purchases.map((purchase) => ({ userId: purchase.userId, id: purchase.id })),
  }
  const [row] = await sql.query(loadStatement(tables, command), [JSON.stringify(input)])
  return decodeLoaded(JSON.parse(String(row?.loaded)) as JsonLoaded, locked)
}

interface JsonLoaded {
  now: number
  known: JsonKnown
  items: JsonKnown[] | null
  accounts: JsonAccountState[] | null
  facts: unknown[] | null
  corrections: unknown[] | null
  transactions: { transaction: unknown; related: unknown[] | null }[] | null
}

interface JsonKnown {
  byKey: unknown
  byId: unknown
  kept: { request: JsonObject | null; result: JsonObject | null } | null
}

function decodeLoaded(json: JsonLoaded, accounts: readonly Account[]): Loaded {
  return {
    now: new Date(json.now),
    known: decodeKnown(json.known),
    items: (json.items ?? []).map(decodeKnown),
    accounts: (json.accounts ?? []).map((state, index) => {
      const account = accounts[index]
      if (account === undefined) throw new Error('loadState: more accounts than were locked')
      return decodeAccountState(state, account)
    }),
    facts: (json.facts ?? []).map((fact) => fromJsonRow(FACT_COLUMNS, fact)),
    corrections: (json.corrections ?? []).map(decodeTransaction),
    transactions: (json.transactions ?? []).map(({ transaction, related }) => ({
      transaction: decodeTransaction(transaction),
      related: (related ?? []).map(decodeTransaction),
    })),
  }
}

/** A key counts before an id: an id alone is known only to our own retries. */
function decodeKnown({ byKey, byId, kept }: JsonKnown): KnownCommand | null {
  if (byKey === null && kept !== null) return { transaction: null, request: kept.request, keptResult: kept.result }
  const row = byKey ?? byId
  if (row === null) return null
  const transaction = decodeTransaction(row)
  return { transaction, request: transaction.request, keptResult: null }
}

/** What the keys and ids of commands were used for; null: nothing. In their order. */
export async function selectKnownCommands(
  sql: SqlExecutor,
  tables: SqlTables,
  commands: readonly Pick<Command, 'id' | 'userId' | 'key'>[],
): Promise<(KnownCommand | null)[]> {
  const items = commands.map(({ id, userId, key }) => ({ id, userId, key }))
  const [row] = await sql.query(
    `with input as materialized (select $1::text::jsonb as j) select ${knownItems(tables)}::text as known from input`,
    [JSON.stringify({ items })],
  )
  return (JSON.parse(String(row?.known)) as JsonKnown[]).map(decodeKnown)
}

/** Only the parts a command needs stand in its statement; there are a handful of different texts. */
function loadStatement(tables: SqlTables, command: Command): string {
  const { key, accounts, items = [], load } = command
  const { userIdType } = tables
  const withAccounts = accounts.length > 0
  const withPurchases = namesPurchases(command)
  // A command that writes no transaction and has no key is known by nothing; its user may be no user at all.
  const mayBeKnown = withAccounts || key !== null
  const own = { id: `(j->>'id')::uuid`, userId: 'input.user_id', key: key === null ? null : `j->>'key'` }
  return `with input as materialized (
      select j, ${mayBeKnown ? `(j->>'userId')::${userIdType}` : 'null'} as user_id,
        ${clockOr(`(j->>'now')`)} as now
      from (select $1::text::jsonb as j) sent
    )${withAccounts ? `, ${stateParts(tables, command)}` : ''}
    select json_build_object(
      'now', ${epochMs('input.now')},
      'known', ${mayBeKnown ? knownCommand(tables, own) : UNKNOWN},
      'items', ${items.length === 0 ? 'null' : knownItems(tables)},
      'accounts', ${withAccounts ? commandStates(tables, command) : 'null'},
      'facts', ${withPurchases ? paymentFacts(tables) : 'null'},
      'corrections', ${withAccounts && withPurchases ? corrections() : 'null'},
      'transactions', ${withAccounts && namesTransactions(load) ? namedTransactions() : 'null'}
    )::text as loaded
    from input`
}

/** What a key (null: none) and an id of a user's were used for. */
function knownCommand(
  { names }: SqlTables,
  { id, userId, key }: { id: string; userId: string; key: string | null },
): string {
  const row = jsonRow(TRANSACTION_COLUMNS, 't')
  const byKey = `(select ${row} from ${names.creditTransactions} t where t.user_id = ${userId} and t.idempotency_key = ${key})`
  const kept = `(select json_build_object('request', c.request, 'result', c.result) from ${names.creditCommands} c
        where c.user_id = ${userId} and c.idempotency_key = ${key})`
  return `json_build_object(
        'byKey', ${key === null ? 'null' : byKey},
        'kept', ${key === null ? 'null' : kept},
        'byId', (select ${row} from ${names.creditTransactions} t where t.id = ${id} and t.user_id = ${userId}))`
}

const UNKNOWN = `json_build_object('byKey', null, 'kept', null, 'byId', null)`

function knownItems(tables: SqlTables): string {
  const item = {
    id: `(item->>'id')::uuid`,
    userId: `(item->>'userId')::${tables.userIdType}`,
    key: `item->>'key'`,
  }
  return `(select json_agg(${knownCommand(tables, item)} order by position)
        from jsonb_array_elements(j->'items') with ordinality sent(item, position))`
}

function paymentFacts({ names, userIdType }: SqlTables): string {
  return `(select json_agg(${jsonRow(FACT_COLUMNS, 'f')} order by f.id collate "C")
        from jsonb_to_recordset(j->'purchases') as p("userId" ${userIdType}, id uuid)
        join ${names.creditPaymentFacts} f on f.user_id = p."userId" and f.purchase_id = p.id)`
}

function corrections(): string {
  return `(select json_agg(${jsonRow(TRANSACTION_COLUMNS, 'c')} order by c.created_at, c.seq) from corrections c)`
}

function namedTransactions(): string {
  return `(select json_agg(json_build_object(
        'transaction', ${jsonRow(TRANSACTION_COLUMNS, 'asked')},
        'related', (select json_agg(${jsonRow(TRANSACTION_COLUMNS, 'related')} order by related.seq) from related
          where related.related_id = asked.id)
      ) order by asked.position) from asked)`
}
