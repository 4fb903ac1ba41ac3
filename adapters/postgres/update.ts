import { InvalidInputError, isCreditError, OutcomeUnknownError } from '../../src/errors.js'
import type { Account, AccountKey } from '../../src/ledger/account.js'
import type { Purchase } from '../../src/ledger/purchase.js'
import type { Applied, Command, CompareRequest, Conflict, Decide, Replayed } from '../../src/ports/store.js'
import { ACCOUNT_COLUMNS, fromJsonRow, jsonRow, PURCHASE_COLUMNS } from './columns.js'
import { drizzleExecutor } from './databases/drizzle.js'
import { type Loaded, loadState } from './load-statement.js'
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

/** The same inside of the host's transaction: one try, nothing committed, and nothing left behind by a refusal. */
export async function updateInHostTransaction<R>(
  tables: SqlTables,
  command: Command,
  decide: Decide<R>,
  compare: CompareRequest,
): Promise<Outcome<R>> {
  const sql = drizzleExecutor(hostTransaction(command.tx))
  const created: AccountKey[] = []
  const undo = async (): Promise<void> => {
    if (created.length > 0) await removeUntouched(sql, tables, created)
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptCommand(sql, tables, command, decide, compare, (keys) => created.push(...keys))
    } catch (error) {
      if (error instanceof Undo) {
        await undo()
        return error.outcome as Outcome<R>
      }
      if (error instanceof DecisionFailed) {
        await undo()
        throw error.cause
      }
      // The row we raced with is committed now, so a second look finds it. Nothing of ours was written.
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

/** Another command with the same key or id committed between our look and our write. */
class Raced extends Error {}

/** What the decision threw: the caller's business, not the database's. */
class DecisionFailed extends Error {
  constructor(override readonly cause: unknown) {
    super('the decision was refused')
  }
}

async function attemptCommand<R>(
  sql: SqlExecutor,
  tables: SqlTables,
  command: Command,
  decide: Decide<R>,
  compare: CompareRequest,
  onCreated: (keys: AccountKey[]) => unknown = () => undefined,
): Promise<Outcome<R>> {
  const purchases = await lockPurchases(sql, tables, command)
  const created = await createAccounts(sql, tables, command)
  onCreated(created)
  const accounts = await lockAccounts(sql, tables, command)
  const loaded = await loadState(sql, tables, command, { accounts, purchases })
  const known = knownOutcome(command, loaded, accounts, compare)
  if (known !== null) throw new Undo(known)
  const state = {
    accounts: loaded.accounts.map((rest, index) => ({ account: accounts[index] ?? missing(), ...rest })),
    purchases: purchases.map((purchase) => ({
      purchase,
      facts: loaded.facts.filter(({ purchaseId }) => purchaseId === purchase.id),
    })),
    transactions: loaded.transactions,
  }
  const decision = refusable(() => decide(state, loaded.now))
  if (!(await writeDecision(sql, tables, command, decision, loaded.now)))
    throw new Raced('key or id was used meanwhile')
  if (decision.accounts.length < created.length) await removeUntouched(sql, tables, created)
  return { status: 'applied', result: decision.result, accounts: decision.accounts.map(({ account }) => account) }
}

/** Did this command happen before? Found by its key, or (our own retry) by its id. */
function knownOutcome(
  { key, request }: Command,
  { transaction, kept }: Loaded,
  accounts: Account[],
  compare: CompareRequest,
): Replayed | Conflict | null {
  if (transaction === null && kept === null) return null
  const stored = { transaction, request: transaction === null ? (kept?.request ?? null) : transaction.request }
  const field = key === null ? null : compare(request, stored)
  return field === null
    ? {
        status: 'replayed',
        transaction,
        keptResult: kept?.result ?? null,
        accounts: accounts.filter(({ version }) => version > 0),
      }
    : { status: 'conflict', field }
}

/** Purchases before accounts, and each in one order, so that no two commands wait for each other. */
async function lockPurchases(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { purchases = [] }: Command,
): Promise<Purchase[]> {
  if (purchases.length === 0) return []
  const rows = await sql.query(
    `select ${jsonRow(PURCHASE_COLUMNS, 'p')}::text as row from ${names.creditPurchases} p
     join jsonb_to_recordset($1::text::jsonb) as x("userId" ${userIdType}, id uuid) on p.user_id = x."userId" and p.id = x.id
     order by p.user_id, p.id for update of p`,
    [JSON.stringify(purchases.map(({ userId, id }) => ({ userId, id })))],
  )
  return rows.map(({ row }) => fromJsonRow(PURCHASE_COLUMNS, JSON.parse(String(row))))
}

/** Insert the accounts that don't exist, in the order in which they are locked. Returns which were new. */
async function createAccounts(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { accounts, now }: Command,
): Promise<AccountKey[]> {
  if (accounts.length === 0) return []
  const zero = ['balance', 'held', 'debt', 'total_purchased', 'total_used', 'head_remaining', 'seq', 'version']
  const rows = await sql.query(
    `insert into ${names.userCredits} (user_id, credit_type, ${zero.join(', ')}, created_at, updated_at)
     select x."userId", x."creditType", ${zero.map(() => '0').join(', ')}, clock.now, clock.now
     from jsonb_to_recordset($1::text::jsonb) as x("userId" ${userIdType}, "creditType" text),
       (select coalesce($2::text::timestamptz, date_trunc('milliseconds', clock_timestamp())) as now) clock
     order by 1, 2 on conflict do nothing returning user_id::text as user_id, credit_type`,
    [accountKeys(accounts), now?.toISOString() ?? null],
  )
  return rows.map(({ user_id, credit_type }) => ({ userId: String(user_id), creditType: String(credit_type) }))
}

/** The accounts' rows under their locks, in the order the command named them. Ordered by SQL: collations differ. */
async function lockAccounts(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  { accounts }: Command,
): Promise<Account[]> {
  if (accounts.length === 0) return []
  const rows = await sql.query(
    `select ${jsonRow(ACCOUNT_COLUMNS, 'a')}::text as row from ${names.userCredits} a
     join jsonb_to_recordset($1::text::jsonb) as x("userId" ${userIdType}, "creditType" text)
       on a.user_id = x."userId" and a.credit_type = x."creditType"
     order by a.user_id, a.credit_type for update of a`,
    [accountKeys(accounts)],
  )
  const locked = rows.map(({ row }) => fromJsonRow(ACCOUNT_COLUMNS, JSON.parse(String(row))))
  return accounts.map(
    ({ userId, creditType }) =>
      locked.find((account) => account.userId === userId && account.creditType === creditType) ?? missing(),
  )
}

/** Take back the rows that this command made and its decision left alone. */
async function removeUntouched(
  sql: SqlExecutor,
  { names, userIdType }: SqlTables,
  accounts: readonly AccountKey[],
): Promise<void> {
  await sql.query(
    `delete from ${names.userCredits} a
     using jsonb_to_recordset($1::text::jsonb) as x("userId" ${userIdType}, "creditType" text)
     where a.user_id = x."userId" and a.credit_type = x."creditType" and a.version = 0`,
    [accountKeys(accounts)],
  )
}

function accountKeys(accounts: readonly AccountKey[]): string {
  return JSON.stringify(accounts.map(({ userId, creditType }) => ({ userId, creditType })))
}

function missing(): never {
  throw new Error('update: an account is missing right after it was created; are rows of user_credits deleted by hand?')
}

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

/** The host's transaction as an executor of ours. */
export function hostTransaction(tx: unknown): Parameters<typeof drizzleExecutor>[0] {
  if (
    typeof tx === 'object' &&
    tx !== null &&
    'execute' in tx &&
    'rollback' in tx &&
    typeof tx.execute === 'function'
  ) {
    // Whatever has `execute` is asked to run Drizzle's `sql`; nothing else of it is used.
    return tx as Parameters<typeof drizzleExecutor>[0]
  }
  throw new InvalidInputError([
    { path: 'tx', message: 'must be a Drizzle transaction (not the database itself) on the database the store uses' },
  ])
}
