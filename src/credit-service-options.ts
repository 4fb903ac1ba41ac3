import type { DefaultCreditType } from './credit-types.js'
import type { EventCallbacks } from './event-delivery.js'
import type { ClawbackPolicy } from './ledger/clawback.js'
import type { LimitPeriod } from './ledger/limit.js'
import type { RefundPolicy } from './ledger/refund.js'
import type { Operation } from './operations.js'
import type { Plan } from './plans.js'
import type { BalanceCache } from './ports/cache.js'
import type { Clock } from './ports/clock.js'
import type { Logger } from './ports/logger.js'
import type { PaymentProvider } from './ports/payments.js'
import type { CreditStore } from './ports/store.js'
import type { Telemetry } from './ports/telemetry.js'

/**
 * One limit of each account of a credit type. A use or hold that would go beyond it throws `LimitExceededError` and
 * writes nothing; refunds and released holds give room back while its window runs. One limit per pair of `per` and
 * `of`.
 */
export interface LimitOption {
  /** At most so many per window; a positive integer. */
  max: number
  /** Fixed windows in UTC: the full second, minute, hour, day, week from Monday, or month. */
  per: LimitPeriod
  /** What is counted: uses and holds (`calls`, the default), or their credits. */
  of?: 'calls' | 'credits' | undefined
}

/**
 * What `new CreditService()` takes. Everything may be left out. What can't be meant is refused at once
 * (`InvalidInputError`); the database is opened with the first call.
 */
export interface CreditServiceOptions<T extends string = DefaultCreditType> {
  /** The kinds of credit there are. Default: enrichment, calling, scraping. */
  creditTypes?: readonly T[] | undefined
  /** Default: `DATABASE_URL`, else PGlite in `CREDITS_DATA_DIR`, else PGlite in memory (refused in production). */
  store?: CreditStore | undefined
  /** Remembers balances for display. Default: 60 s in memory for embedded stores, none for shared ones; null: none. */
  cache?: BalanceCache | null | undefined
  /** The till. Default: none, and everything about buying throws `PaymentsNotConfiguredError`. */
  payments?: PaymentProvider | undefined
  /** What a payment refund does with credits that were spent. Default `debt`: the next credits repay it. */
  clawbackPolicy?: ClawbackPolicy | undefined
  /** What becomes of refunded credits whose grant has expired. Default `expire`: they end at once. */
  refundPolicy?: RefundPolicy | undefined
  // `NoInfer`: credit types are what `creditTypes` says, not what prices and plans happen to name.
  /** Prices by name, for `quote`, `spend` and `withHold`. */
  operations?: { [name: string]: Operation<NoInfer<T>> } | undefined
  /** Credits that come again and again, by the name of the plan, for `startPlan`. */
  plans?: { [name: string]: Plan<NoInfer<T>> } | undefined
  /** At most so many uses, or used credits, per window of time and account. */
  limits?: { [K in NoInfer<T>]?: readonly LimitOption[] } | undefined
  /** Balances at which `on.balanceLow` is told: credits, or a percentage of the last addition ("10%"); per type or for all. */
  lowBalance?: readonly (number | string)[] | { [K in NoInfer<T>]?: readonly (number | string)[] } | undefined
  /** `on.expiringSoon` is told so long before credits expire. Default 7 days. */
  expiringSoonSeconds?: number | undefined
  /** Callbacks for what happened, told after the commit, at least once. Only what is listened to is recorded. */
  on?: EventCallbacks | undefined
  /** On serverless: keeps the process alive until callbacks have been told (`ctx.waitUntil`, Next's `after`). */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined
  /** A clock instead of the database's, for tests; balances are not cached then. */
  clock?: Clock | undefined
  /**
   * Send concurrent deductions and holds of this service together: one statement for many, in the order of their calls.
   * Default true; `false` sends each by itself, at the same time as the others.
   */
  batching?: boolean | undefined
  /** Where we report what no caller waits for. Default: warnings and errors on the console. */
  logger?: Logger | undefined
  /** Traces and metrics of every call, such as `openTelemetry()` of `creditkit/opentelemetry`. Default: none, at no cost. */
  telemetry?: Telemetry | undefined
}
