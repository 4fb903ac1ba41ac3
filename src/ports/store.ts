import type { Account, AccountKey } from '../ledger/account.js'
import type { AccountHistory } from '../ledger/audit.js'
import type { Decision, State } from '../ledger/decision.js'
import type { CommandRequest, StoredRequest } from '../ledger/request.js'
import type { JsonObject, Transaction, TransactionType } from '../ledger/transaction.js'
import type { PackageStore } from './package-store.js'
import type { PurchaseStore } from './purchase-store.js'

/**
 * What a command may see of its accounts. Beyond what is asked for, a store always loads each account's open grants that
 * have expired, and every grant that a loaded transaction (or a correction of it) touched.
 */
export interface StateQuery {
  /**
   * Open grants, for every account of the command. `{ covering: n }`: the account's head, and in burn-down order as many
   * usable ones as cover `n` credits, and one more when they cover it exactly. `'open'`: all open ones. `'every'`: closed ones too.
   */
  grants: { covering: number } | 'open' | 'every'
  /** Transactions by id, each with its corrections (`relatedId`), from the command's accounts. */
  transactions?: readonly string[]
  /** Every transaction of the command's accounts, with what open holds pin; for `rebuild` alone. */
  history?: boolean
}

/** One write, asked of the store. */
export interface Command {
  /** UUIDv7, made by the caller once per call: the token that makes our own retries exactly-once. */
  id: string
  /** Whose key it is: the user of the idempotency key. */
  userId: string
  /** The caller's (or our internal) idempotency key; null: none. */
  key: string | null
  /** What was asked, to tell a repeated key from a misused one. */
  request: CommandRequest
  /** Accounts to lock; those that don't exist are created, unless the decision leaves them alone or is refused. */
  accounts: readonly AccountKey[]
  /** Purchases to lock, before the accounts. */
  purchases?: readonly { userId: string; id: string }[]
  load: StateQuery
  /** The time to decide by, in tests; null: the store's own clock, read after the locks are held. */
  now: Date | null
  /** The host's own database transaction, where it wants our write to share its fate. */
  tx?: unknown
}

/** The decision was made and is committed (with `tx`: will be, when the host commits). */
export interface Applied<R> {
  status: 'applied'
  result: R
  /** The account rows as written. */
  accounts: Account[]
}

/** The command had happened before, by its key or by its id; nothing was written now. */
export interface Replayed {
  status: 'replayed'
  /** The command's accounts that exist, as they are now. */
  accounts: Account[]
  transaction: Transaction | null
  /** What the first decision kept (`keptResult`). */
  keptResult: JsonObject | null
}

/** The key was used before for something else; nothing was written. */
export interface Conflict {
  status: 'conflict'
  /** The first field that differs. */
  field: string
}

/** Called with a locked, true state; pure and synchronous; may run again; throws a `CreditError` to refuse. */
export type Decide<R> = (state: State, now: Date) => Decision<R>

/** Tells in which field a repeated key's request differs from the first; null: it is the same request. */
export type CompareRequest = (asked: CommandRequest, stored: StoredRequest) => string | null

/** A plain deduction, as far as an account row alone can decide it. */
export interface SpendCommand extends AccountKey {
  /** As in {@link Command}: the new transaction's id. */
  id: string
  key: string | null
  request: CommandRequest
  /** Credits, a positive integer. */
  amount: number
  description: string
  referenceId: string | null
  referenceType: string | null
  metadata: JsonObject | null
  actor: string | null
  now: Date | null
}

/** What became of one deduction of a batch; the others are not affected. */
export type SpendOutcome =
  | { status: 'applied'; transaction: Transaction; account: Account }
  | Replayed
  | Conflict
  /** Surely not covered; nothing was written. */
  | { status: 'insufficient'; available: number }
  /** The row alone can't tell: ask `update`. Nothing was written. */
  | { status: 'undecided' }
  /** Somebody else holds the account; nothing was written. */
  | { status: 'busy' }

/** Credits that can be spent now, and what stands beside them. */
export interface Balance {
  creditType: string
  /** Available now; negative: debt. */
  balance: number
  owned: number
  held: number
  debt: number
  totalPurchased: number
  totalUsed: number
  /** When the next usable credits end; null: none will. */
  nextExpiry: Date | null
  /** The account's version; 0 for an account that does not exist. */
  version: number
  /** Milliseconds from now until time alone changes the balance; null: never. */
  staleAfterMs: number | null
}

export interface TransactionQuery {
  userId: string
  creditType: string | null
  transactionType: TransactionType | null
  /** Half-open range of `createdAt`. */
  from: Date | null
  to: Date | null
  limit: number
  /** Rows to leave out at the beginning. */
  offset: number
  /** Continue after this row, in the order of the list. */
  after: TransactionPosition | null
}

/** Where a transaction stands in the list of a user's transactions, newest first. */
export interface TransactionPosition {
  createdAt: Date
  seq: number
  creditType: string
}

/** Sums of one account over a range of time. Credits, positive. */
export interface Usage {
  totalUsed: number
  totalPurchased: number
  totalRefunded: number
  /** Number of transactions. */
  transactions: number
  /** Beginning of the range: as asked, else the first transaction's time; null: nothing happened. */
  from: Date | null
  /** End of the range: as asked, else now. */
  to: Date
  /** UTC days on which something happened, in order; `date` is `YYYY-MM-DD`. */
  daily: { date: string; used: number; added: number }[]
}

/** The kind of ids the host's users have. */
export type UserIdType = 'text' | 'integer' | 'bigint' | 'uuid'

/**
 * Where balances and transactions live. Stores keep invariants; they hold no rules about credits.
 *
 * Every method ends in bounded time. Rejections: `UnavailableError` (surely nothing was written), `OutcomeUnknownError`
 * (only from `update`: it could not be settled), `StoreNotConfiguredError` (no tables), and what `decide` throws.
 */
export interface CreditStore extends PackageStore, PurchaseStore {
  readonly userIdType: UserIdType
  /**
   * Stores with the same scope show the same balances, and only this process changes them, so one cache in its memory can
   * serve them all. Null: other processes may change them, too, and a cache in memory would show old balances.
   */
  readonly memoryScope: object | null

  /**
   * Lock what the command names, hand its state to `decide`, and write what it returns: all of it or nothing.
   *
   * Serialised per account and per purchase: of two concurrent decisions that only one balance can cover, the second
   * sees the first. A key or an id that has been used is found before `decide` is called: the same request (by
   * `compare`) is `replayed`, another is a `conflict`. A decision that throws writes nothing and burns no key. Locks are
   * taken in one order (purchases, then accounts), so commands never deadlock one another.
   *
   * With `tx` the write becomes the host's: no retry, nothing is committed here.
   */
  update<R>(command: Command, decide: Decide<R>, compare: CompareRequest): Promise<Applied<R> | Replayed | Conflict>

  /**
   * Optional fast path: decide deductions from their account rows alone, in one statement for all of them, outcomes in
   * the order of the commands. Never decides differently from `update`; everything that needs more than the row (another
   * grant than the head, something due, debt) is `undecided`. Not for host transactions.
   */
  spend?(commands: readonly SpendCommand[]): Promise<SpendOutcome[]>

  /** Which account a transaction or grant belongs to; null: no such id. */
  locate(id: string, tx?: unknown): Promise<AccountKey | null>

  /** One account's balance as it is now, from one snapshot; zeros for an unknown account. `now` as in a command. */
  readBalance(key: AccountKey, now: Date | null): Promise<Balance>

  /** All of a user's accounts, in one snapshot. Accounts that don't exist are not listed. */
  readBalances(userId: string, now: Date | null): Promise<Balance[]>

  /** Newest first: by `createdAt`, then `seq`, then credit type; within one account always by `seq`. */
  listTransactions(query: TransactionQuery): Promise<Transaction[]>

  /** Totals and days of one account from its ledger, half-open [from, to), UTC. */
  readUsage(key: AccountKey, from: Date | null, to: Date | null, now: Date | null): Promise<Usage>

  /** Visit every account (of one user, or of all), each read from the same snapshot as the others. */
  scanAccounts(userId: string | null, visit: (history: AccountHistory) => void): Promise<void>

  /** End what the store itself opened. */
  close(): Promise<void>
}
