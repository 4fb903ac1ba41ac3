import type { Account, AccountKey } from '../ledger/account.js'
import type { Threshold } from '../ledger/alert.js'
import type { AccountHistory } from '../ledger/audit.js'
import type { Balance } from '../ledger/balance.js'
import type { Decision, State } from '../ledger/decision.js'
import type { Grant } from '../ledger/grant.js'
import type { Hold } from '../ledger/hold.js'
import type { CommandRequest, StoredRequest } from '../ledger/request.js'
import type { Schedule } from '../ledger/schedule.js'
import type { Spent } from '../ledger/spent.js'
import type { TransactionPage, TransactionPositions } from '../ledger/transaction-positions.js'
import type { JsonObject, Transaction, TransactionType } from '../ledger/transaction.js'
import type { DueStore } from './due-store.js'
import type { OutboxStore } from './outbox-store.js'
import type { PackageStore } from './package-store.js'
import type { PurchaseStore } from './purchase-store.js'
import type { ReportStore } from './report-store.js'
import type { UsageStore } from './usage-store.js'

/**
 * What a command may see of its accounts. Beyond what is asked for, a store always loads of each account: its open grants
 * that have expired; its open holds whose time has run out; its active schedules of which a period has begun that is not
 * written (`nextAt` has passed, and lies before `paidUntil` where there is one); every hold that a loaded transaction
 * captured; every grant that a loaded transaction (or a correction of it) touched, that a loaded hold pins, that a loaded
 * schedule made and that is open, or that names a purchase of the command (open or not); every grant that a correction of
 * such a purchase touched; and of an account with a due schedule, every open grant.
 */
export interface StateQuery {
  /**
   * Open grants, for every account of the command. `{ covering: n }`: the account's head, and in burn-down order as many
   * usable ones as cover `n` credits, and one more when they cover it exactly. `'open'`: all open ones. `'every'`: closed ones too.
   */
  grants: { covering: number } | 'open' | 'every'
  /** Transactions by id, each with its corrections (`relatedId`), from the command's accounts. */
  transactions?: readonly string[]
  /** Holds by id, from the command's accounts. */
  holds?: readonly string[]
  /** Grants by id, from the command's accounts, open or closed. */
  grantIds?: readonly string[]
  /** Every active schedule of the command's accounts, and ended ones whose period still runs. */
  schedules?: boolean
  /** What has been counted for the accounts' limits. */
  limits?: boolean
  /** The accounts' automatic top-ups. */
  topup?: boolean
  /** Everything about the command's accounts, with every open hold and active schedule; for `rebuild` alone. */
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
  /** Parts with ids and keys of their own, each a transaction of one of the accounts; see {@link CommandItem}. */
  items?: readonly CommandItem[]
  /** Purchases to lock, before the accounts. */
  purchases?: readonly { userId: string; id: string }[]
  load: StateQuery
  /** The time to decide by, in tests; null: the store's own clock, read after the locks are held. */
  now: Date | null
}

/**
 * One of several transactions that a command writes all or none of. An item whose key or id had been used before is handed
 * to `decide` as done (and is a conflict where its request differs); the decision writes the others.
 */
export type CommandItem = Pick<Command, 'id' | 'userId' | 'key' | 'request'>

/** The decision was made and is committed (within a host's transaction: will be, when the host commits). */
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
  /** The first field that differs; of an item, `items.<index>.<field>`. */
  field: string
}

/** Called with a locked, true state; pure and synchronous; may run again; throws a `CreditError` to refuse. */
export type Decide<R> = (state: State, now: Date) => Decision<R>

/** Tells in which field a repeated key's request differs from the first; null: it is the same request. */
export type CompareRequest = (asked: CommandRequest, stored: StoredRequest) => string | null

/** A deduction or a hold, as far as an account row alone can decide it. */
export interface SpendCommand extends AccountKey {
  /** As in {@link Command}: the id of the transaction, or of the hold. */
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
  /** What is kept beside the columns; see `Transaction.request`. */
  kept: JsonObject | null
  /** Set the credits aside instead of taking them, and keep the command under `key` with `result`, as `update` does. */
  hold: { seconds: number; key: string; result: JsonObject } | null
  /** Balances at which somebody is to be told; null: nobody listens. */
  alerts: readonly Threshold[] | null
}

/** What became of one call of a batch; the others are not affected. */
export type SpendOutcome =
  | ({ status: 'applied' } & Spent)
  | Replayed
  | Conflict
  /** Surely not covered; nothing was written. */
  | { status: 'insufficient'; available: number }
  /** The row alone can't tell, or an earlier call of the account could not be told: ask `update`. Nothing was written. */
  | { status: 'undecided' }
  /** Somebody else holds the account; nothing was written. */
  | { status: 'busy' }

export interface SpendOptions {
  /** The time to decide by, as in {@link Command}. */
  now: Date | null
  /** Wait for accounts that somebody else holds (for a bounded time) instead of calling them busy. */
  wait: boolean
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
  /** Go on where another page of the same list ended. */
  after: TransactionPositions | null
}

/** The kind of ids the host's users have. */
export type UserIdType = 'text' | 'integer' | 'bigint' | 'uuid'

/**
 * Where balances and transactions live. Stores keep invariants; they hold no rules about credits.
 *
 * Every method ends in bounded time. Rejections: `UnavailableError` (surely nothing was written), `OutcomeUnknownError`
 * (only from `update` and `spend`: it could not be settled), `StoreNotConfiguredError` (no tables), and what `decide` throws.
 */
export interface CreditStore extends PackageStore, PurchaseStore, DueStore, OutboxStore, ReportStore, UsageStore {
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
   * Of a store made by `within`, the write becomes the host's: no retry, nothing is committed here.
   */
  update<R>(command: Command, decide: Decide<R>, compare: CompareRequest): Promise<Applied<R> | Replayed | Conflict>

  /**
   * Optional fast path: decide deductions and holds from their account rows alone, in one statement for all of them;
   * outcomes in the order of the commands. Never decides differently from `update` in their order; whatever needs more
   * than the row (another grant than the head, something due, debt, an alert) is `undecided`, and so are the calls of its
   * account behind it; only refused calls are overtaken. No two commands of a batch have one user and key. Not for host
   * transactions, nor for accounts with limits or with listeners to every use.
   *
   * Rejects as a whole, with `OutcomeUnknownError` when the answer was lost: `update` with the same ids settles it.
   */
  spend?(commands: readonly SpendCommand[], compare: CompareRequest, options: SpendOptions): Promise<SpendOutcome[]>

  /**
   * This store as seen from inside of a host's own database transaction `tx`: all its methods run there, and share its
   * fate. The view has no `close` of its own.
   *
   * @throws {InvalidInputError} Not a transaction, or a store that has none.
   */
  within(tx: unknown): CreditStore

  /**
   * Open a database transaction, run `work` in it once, and commit; roll back when `work` throws, and then its error comes
   * out unchanged. `tx` is what `within` takes, and the host's to use for its own statements.
   */
  transaction<R>(work: (tx: unknown) => Promise<R>): Promise<R>

  /** One transaction by id; null: no such id. */
  findTransaction(id: string): Promise<Transaction | null>

  /** One hold by id, `expired` when its time has run out, written or not; null: no such id. `now` as in a command. */
  findHold(id: string, now: Date | null): Promise<Hold | null>

  /**
   * A user's open holds whose time has not run out, of one credit type or of all: soonest to end first, then by id. `now` as in
   * a command.
   */
  listHolds(query: { userId: string; creditType: string | null }, now: Date | null): Promise<Hold[]>

  /** One grant by id, with its true remaining; null: no such id. */
  findGrant(id: string): Promise<Grant | null>

  /**
   * A user's grants in burn-down order per credit type: those with something left that have not ended; a scheduled one is
   * among them. `now` as in a command.
   */
  listGrants(query: { userId: string; creditType: string | null }, now: Date | null): Promise<Grant[]>

  /** Grants by id, open or not, of one user; those that don't exist are left out. */
  findGrants(userId: string, ids: readonly string[]): Promise<Grant[]>

  /** All schedules of a user, active and ended, oldest first. */
  listSchedules(userId: string): Promise<Schedule[]>

  /** One account's balance as it is now, from one snapshot; zeros for an unknown account. `now` as in a command. */
  readBalance(key: AccountKey, now: Date | null): Promise<Balance>

  /** All of a user's accounts, in one snapshot. Accounts that don't exist are not listed. */
  readBalances(userId: string, now: Date | null): Promise<Balance[]>

  /**
   * Newest first: within one account by `seq`, whatever the clocks said; of several accounts always the newest of their next
   * ones, by `createdAt`, then `seq`, then credit type. Rows that are written meanwhile are in no later page.
   */
  listTransactions(query: TransactionQuery): Promise<TransactionPage>

  /**
   * Visit every account (of one user, or of all; of one credit type, or of all), each read from the same snapshot as the
   * others. `holds`: the open ones, or every one there ever was.
   */
  scanAccounts(
    query: { userId: string | null; creditType?: string; holds?: 'open' | 'every' },
    visit: (history: AccountHistory) => void,
  ): Promise<void>

  /** End what the store itself opened. */
  close(): Promise<void>
}
