import type { Balance } from '../ledger/balance.js'
import type { Metrics, MetricsQuery } from '../ledger/metrics.js'

/** A user with the balances of all their accounts. */
export interface UserBalances {
  userId: string
  balances: Balance[]
}

/** Figures for operators, from the ledger; not for hot paths. */
export interface ReportStore {
  /** Everything from one snapshot. */
  readMetrics(query: MetricsQuery): Promise<Metrics>

  /**
   * Users who have an account and whose id, as text, begins with `prefix` (to the letter: capitals count, and no character
   * stands for others), in order of id as text, by code points; keyset by `after`, the last id of the page before. Each with
   * the balances of all their accounts, as `readBalances` has them; the whole page from one snapshot. `now` as in a command.
   *
   * Reads a page's users and their accounts, however many users there are. (In memory: every account.)
   */
  findUsers(query: { prefix: string; limit: number; after: string | null }, now: Date | null): Promise<UserBalances[]>

  /**
   * Forget a person and keep the ledger: descriptions, references, metadata, requests and actors of everything of theirs
   * and callers' keys are emptied, and waiting events are dropped; where user ids are text, theirs is replaced by `replacement`, which must
   * not exist; customers and subscriptions stay under it. Automatic top-ups are switched off. Amounts, times, keys' uniqueness and payments' references stay. All or nothing, under the accounts' locks.
   * Returns how many accounts and purchases there were; without any there is no such user.
   */
  anonymizeUser(userId: string, replacement: string): Promise<{ accounts: number; purchases: number }>
}
