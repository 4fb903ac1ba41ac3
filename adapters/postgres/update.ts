import { InvalidInputError, isCreditError, OutcomeUnknownError } from '../../src/errors.js'
import type { Account, AccountKey } from '../../src/ledger/account.js'
import type { Decision } from '../../src/ledger/decision.js'
import type { Purchase } from '../../src/ledger/purchase.js'
import type { Applied, Command, CompareRequest, Conflict, Decide, Replayed } from '../../src/ports/store.js'
import { clockOr } from './clock.js'
import { ACCOUNT_COLUMNS, fromJsonRow, jsonRow, PURCHASE_COLUMNS } from './columns.js'
import type { DrizzleExecutor } from './databases/drizzle-executor.js'
import { type KnownCommand, type Loaded, loadState } from './load-statement.js'
import { ofRoutedUser, target } from './routing.js'
import { CommitUnknown, type SqlDatabase, type SqlExecutor } from './sql-database.js'
import { toCreditError, translateSqlError } from './sql-errors.js'
import type { SqlTables } from './sql-tables.js'
import { writeDecision } from './write-statement.js'

type Outcome<R> = Applied<R> | Replayed | Conflict

/** How often one command is tried, when it loses against others or its outcome has to be found out. */
const MAX_TRIES = 6

/** `CreditStore.update` on Postgres: lock, load, decide, write, commit; again with the same ids when it must be. */
export async function updateInOwnTransaction<R>(
  database: SqlDatabase,
  tables: SqlTables,
  command: Command,
  decide: Decide<R>,
  compare: CompareRequest,
): Promise<Outcome<R>> {
  let unsettled: CommitUnknown | null = null
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.transaction((sql) => attemptCommand(sql, tables, command, decide, compare))
    } catch (error) {
      if (error instanceof Undo) return error.outcome as Outcome<R>
      if (error instanceof DecisionFailed) throw error.cause
      // The next try waits on the account's lock until the lost transaction has ended, and then finds its row or none.
      if (error instanceof CommitUnknown) unsettled = error
      if (attempt < MAX_TRIES && mayRunAgain(error)) {
        await pause(attempt)
        continue
      }
      if (unsettled !== null) {
        throw new OutcomeUnknownError(
          'It could not be settled whether the write happened; retry with the same idempotency key',
          { cause: error },
        )
      }
      throw toCreditError(error)
    }
  }
}

/** The same inside of the host's transaction: nothing committed, and nothing left behind by a refusal. */
export async function updateInHostTransaction<R>(
  sql: SqlExecutor,
  tables: SqlTables,
  command: Command,
  decide: Decide<R>,
  compare: CompareRequest,
): Promise<Outcome<R>> {
  const created: AccountKey[] = []
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptCommand(sql, tables, command, decide, compare, created)
    } catch (error) {
      if (error instanceof Undo) {
        await removeUntouched(sql, tables, created)
        return error.outcome as Outcome<R>
      }
      if (error instanceof DecisionFailed) {
        await removeUntouched(sql, tables, created)
        throw error.cause
      }
      // What we raced with is committed now, so a second look finds it. Nothing of ours was written.
      if (error instanceof Raced && attempt < MAX_TRIES) continue
      throw toCreditError(error)
    }
  }
}

/** A command that must leave nothing behind, with what it found out: rolled back where the transaction is ours. */
class Undo extends Error {
  constructor(readonly outcome: Outcome<unknown>) {
    super('nothing to write')
  }
}

/** Somebody committed between two of our statements what the later one can't go on from; a second look finds it. */
class Raced extends Error {}

/** What the decision threw: the caller's business, not the database's. */
class DecisionFailed extends Error {
  constructor(override readonly cause: unknown) {
    super('the decision was refused')
  }
}

/** One try. Accounts that it makes are put into `created`, those of earlier tries in the same transaction stand there. */
async function attemptCommand<R>(
  sql: SqlExecutor,
  tables: SqlTables,
  command: Command,
  decide: Decide<R>,
  compare: CompareRequest,
  created: AccountKey[] = [],
): Promise<Outcome<R>> {
  const purchases = await lockPurchases(sql, tables, command)
  created.push(...(await createAccounts(sql, tables, command)))
  const accounts = await lockAccounts(sql, tables, command)
  await assertNoneAppeared(sql, tables, command, purchases.length)
  const loaded = await loadState(sql, tables, command, accounts)
  const known = knownOutcome(command, loaded, accounts, compare)
  if (known !== null) throw new Undo(known)
  const state = {
    accounts: loaded.accounts,
    purchases: purchases.map((purchase) => ({
      purchase,
      facts: loaded.facts.filter(({ purchaseId }) => purchaseId === purchase.id),
      history: loaded.corrections.filter(({ relatedId }) => relatedId === purchase.id),
    })),
    transactions: loaded.transactions,
    items: loaded.items.map((item) => item?.transaction ?? null),
  }
  const decision = refusable(() => decide(state, loaded.now))
  if (!(await writeDecision(sql, tables, command, decision, loaded.now)))
    throw new Raced('key or id was used meanwhile')
  await removeUntouched(sql, tables, leftAlone(created, decision))
  return { status: 'applied', result: decision.result, accounts: decision.accounts.map(({ account }) => account) }
}

/** Of the accounts that were made, those the decision says nothing about. */
function leftAlone<R>(created: readonly AccountKey[], { accounts }: Decision<R>): AccountKey[] {
  return created.filter(
    ({ userId, creditType }) =>
      !accounts.some(({ account }) => account.userId === userId && account.creditType === creditType),
  )
}

/** Did this command, or one of its items for something else, happen before? Found by key, or (our own retry) by id. */
function knownOutcome(
  { key, request, items = [] }: Command,
  loaded: Loaded,
  accounts: Account[],
  compare: CompareRequest,
): Replayed | Conflict | null {
  const differing = (asked: Pick<Command, 'key' | 'request'>, known: KnownCommand | null): string | null =>
    known === null || asked.key === null ? null : compare(asked.request, known)
  const field = differing({ key, request }, loaded.known)
  if (field !== null) return { status: 'conflict', field }
  if (loaded.known !== null) {
    const { transaction, keptResult } = loaded.known
    return { status: 'replayed', transaction, keptResult, accounts: accounts.filter(({ version }) => version > 0) }
  }
  for (const [index, item] of items.entries()) {
    const itemField = differing(item, loaded.items[index] ?? null)
    if (itemField !== null) return { status: 'conflict', field: `items.${index}.${itemField}` }
  }
  return null
}

/** Purchases before accounts, and each in one order, so that no two commands wait for each other. */
async function lockPurchases(sql: SqlExecutor, tables: SqlTables, { purchases = [] }: Command): Promise<Purchase[]> {
  if (purchases.length === 0) return []
  const rows = await sql.query(
    `select ${jsonRow(PURCHASE_COLUMNS, 'p')}::text as row from ${target(tables, 'creditPurchases')} p
     join jsonb_to_recordset($1::text::jsonb) as x("userId" ${tables.userIdType}, id uuid)
       on p.user_id = x."userId" and p.id = x.id${ofRoutedUser(tables, 'p')}
     order by p.id, p.user_id for update of p`,
    [JSON.stringify(purchases.map(({ userId, id }) => ({ userId, id })))],
  )
  return rows.map(({ row }) => fromJsonRow(PURCHASE_COLUMNS, JSON.parse(String(row))))
}

/** A purchase that did not exist can't be locked: whoever made it while we waited for the accounts has to be seen. */
async function assertNoneAppeared(
  sql: SqlExecutor,
  tables: SqlTables,
  { purchases = [], accounts }: Command,
  found: number,
): Promise<void> {
  if (found === purchases.length || accounts.length === 0) return
  const [row] = await sql.query(
    `select count(*)::text as count from ${target(tables, 'creditPurchases')} p
     join jsonb_to_recordset($1::text::jsonb) as x("userId" ${tables.userIdType}, id uuid)
       on p.user_id = x."userId" and p.id = x.id${ofRoutedUser(tables, 'p')}`,
    [JSON.stringify(purchases.map(({ userId, id }) => ({ userId, id })))],
  )
  if (Number(row?.count) !== found) throw new Raced('a purchase was made meanwhile')
}

/** Insert the accounts that don't exist, in the order in which they are locked. Returns which were new. */
async function createAccounts(sql: SqlExecutor, tables: SqlTables, { accounts, now }: Command): Promise<AccountKey[]> {
  if (accounts.length === 0) return []
  const zero = [
    'balance',
    'held',
    'debt',
    'total_purchased',
    'total_used',
    'head_remaining',
    'scheduled',
    'last_credit',
    'seq',
    'version',
    'key_version',
  ]
  const rows = await sql.query(
    `insert into ${target(tables, 'userCredits')} (user_id, credit_type, ${zero.join(', ')}, topup_due, created_at, updated_at)
     select x."userId", x."creditType", ${zero.map(() => '0').join(', ')}, false, clock.now, clock.now
     from jsonb_to_recordset($1::text::jsonb) as x("userId" ${tables.userIdType}, "creditType" text),
       (select ${clockOr('$2')} as now) clock
     order by 1, 2 on conflict do nothing returning user_id::text as user_id, credit_type`,
    [accountKeys(accounts), now?.toISOString() ?? null],
  )
  return rows.map(({ user_id, credit_type }) => ({ userId: String(user_id), creditType: String(credit_type) }))
}

/** The accounts' rows under their locks, in the order the command named them. Ordered by SQL: collations differ. */
async function lockAccounts(sql: SqlExecutor, tables: SqlTables, { accounts }: Command): Promise<Account[]> {
  if (accounts.length === 0) return []
  const rows = await sql.query(
    `select ${jsonRow(ACCOUNT_COLUMNS, 'a')}::text as row from ${target(tables, 'userCredits')} a
     join jsonb_to_recordset($1::text::jsonb) as x("userId" ${tables.userIdType}, "creditType" text)
       on a.user_id = x."userId" and a.credit_type = x."creditType"${ofRoutedUser(tables, 'a')}
     order by a.user_id, a.credit_type for update of a`,
    [accountKeys(accounts)],
  )
  const locked = rows.map(({ row }) => fromJsonRow(ACCOUNT_COLUMNS, JSON.parse(String(row))))
  return accounts.map(({ userId, creditType }) => {
    const account = locked.find((row) => row.userId === userId && row.creditType === creditType)
    // It was there a statement ago: its user was forgotten meanwhile, and the row has another id now.
    if (account === undefined) throw new Raced('an account was renamed or deleted before it could be locked')
    return account
  })
}

/** Take back the rows that this command made and its decision left alone. */
async function removeUntouched(sql: SqlExecutor, tables: SqlTables, accounts: readonly AccountKey[]): Promise<void> {
  if (accounts.length === 0) return
  await sql.query(
    `delete from ${target(tables, 'userCredits')} a
     using jsonb_to_recordset($1::text::jsonb) as x("userId" ${tables.userIdType}, "creditType" text)
     where a.user_id = x."userId" and a.credit_type = x."creditType" and a.version = 0${ofRoutedUser(tables, 'a')}`,
    [accountKeys(accounts)],
  )
}

function accountKeys(accounts: readonly AccountKey[]): string {
  return JSON.stringify(accounts.map(({ userId, creditType }) => ({ userId, creditType })))
}

/** The account was there, or was made, a moment ago: it has been renamed since (`anonymizeUser`), so look again. */
function refusable<R>(work: () => R): R {
  try {
    return work()
  } catch (error) {
    throw new DecisionFailed(error)
  }
}

function mayRunAgain(error: unknown): boolean {
  if (error instanceof Raced || error instanceof CommitUnknown) return true
  if (isCreditError(error)) return false
  return translateSqlError(error).kind === 'retry'
}

/** Wait a little longer each time, and never as long as the one we collided with. */
async function pause(attempt: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2 ** attempt * (1 + Math.random())))
}

/** The host's transaction, for `drizzleExecutor`. */
export function hostTransaction(tx: unknown): DrizzleExecutor {
  if (
    typeof tx === 'object' &&
    tx !== null &&
    'execute' in tx &&
    'rollback' in tx &&
    typeof tx.execute === 'function'
  ) {
    // Whatever has `execute` is asked to run Drizzle's `sql`; nothing else of it is used.
    return tx as DrizzleExecutor
  }
  throw new InvalidInputError([
    { path: 'tx', message: 'must be a Drizzle transaction (not the database itself) on the database the store uses' },
  ])
}
