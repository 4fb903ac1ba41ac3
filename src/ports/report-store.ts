import type { Metrics, MetricsQuery } from '../ledger/metrics.js'

/** Figures for operators, from the ledger; not for hot paths. */
export interface ReportStore {
  /** Everything from one snapshot. */
  readMetrics(query: MetricsQuery): Promise<Metrics>

  /**
   * Forget a person and keep the ledger: descriptions, references, metadata, requests and actors of everything of theirs
   * and callers' keys are emptied, and waiting events are dropped; where user ids are text, theirs is replaced by `replacement`, which must
   * not exist; customers and subscriptions stay under it. Automatic top-ups are switched off. Amounts, times, keys' uniqueness and payments' references stay. All or nothing, under the accounts' locks.
   * Returns how many accounts and purchases there were; without any there is no such user.
   */
  anonymizeUser(userId: string, replacement: string): Promise<{ accounts: number; purchases: number }>
}
