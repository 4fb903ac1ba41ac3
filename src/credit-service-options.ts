import type { DefaultCreditType } from './credit-types.js'
import type { ClawbackPolicy } from './ledger/clawback.js'
import type { BalanceCache } from './ports/cache.js'
import type { Clock } from './ports/clock.js'
import type { Logger } from './ports/logger.js'
import type { PaymentProvider } from './ports/payments.js'
import type { CreditStore } from './ports/store.js'

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
  /** A clock instead of the database's, for tests; balances are not cached then. */
  clock?: Clock | undefined
  /** Where we report what no caller waits for. Default: warnings and errors on the console. */
  logger?: Logger | undefined
}
