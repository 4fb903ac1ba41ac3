import type { TransactionType } from '../ledger/transaction.js'

/** One call of a public method of the service. */
export interface TelemetryCall {
  /** The method's name: `deductCredits`, `marketplace.createCheckout`. One of a few dozen. */
  operation: string
  /** What it was given. Holds user ids, keys and texts: for metrics never, for traces only where the host says so. */
  args: readonly unknown[]
  /**
   * The configured credit type it is about, by what it was given or else by its result; null: of none, of several, or
   * nobody can tell. Never a name that came from outside.
   */
  creditTypeOf(result?: unknown): string | null
}

/** Credits that came to an account or left it, by one row of the ledger. */
export interface CreditMovement {
  creditType: string
  transactionType: TransactionType
  /** Credits, signed as in the ledger. */
  amount: number
}

/** Where traces and metrics go. Nothing of it may throw by itself, or keep a caller waiting. */
export interface Telemetry {
  /** Run `work`, at once and once, and settle as it does. Whatever `work` begins is part of this call. */
  call<R>(call: TelemetryCall, work: () => Promise<R>): Promise<R>

  /** What was written. In a host's own transaction: when it was written, not when it was committed. Replays are left out. */
  moved(movements: readonly CreditMovement[]): void

  /** Somebody wanted to use `amount` credits, and there were not enough. `creditType`: null for several types at once. */
  refused(refusal: { creditType: string | null; amount: number }): void
}
