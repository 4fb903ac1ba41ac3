import type { AccountKey } from '../ledger/account.js'

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

/**
 * What accounts were used for. A store may keep sums of the older part of a ledger, by UTC day, so that reading them does
 * not grow with it. Nobody can tell from what is read whether it does: what is newer than the sums is always read beside.
 */
export interface UsageStore {
  /** Totals and days of one account from its ledger, half-open [from, to), UTC. Always exact, from one snapshot. */
  readUsage(key: AccountKey, from: Date | null, to: Date | null, now: Date | null): Promise<Usage>

  /**
   * Accounts whose ledger has grown enough since it was last summed up for that to be worth it; each once, in a fixed
   * order of the store's own, after `after`. Locks nothing.
   */
  findUsageToRollUp(query: { limit: number; after: AccountKey | null }): Promise<AccountKey[]>

  /**
   * Sum up an account's next transactions, `limit` at most. True: there may be more. Counts each transaction once, however
   * many do it at the same time and whatever is written meanwhile; uses don't wait for it.
   */
  rollUpUsage(key: AccountKey, limit: number): Promise<boolean>

  /** Forget an account's sums, where the ledger they were made from was repaired by hand; they are made again. */
  forgetUsageSums(key: AccountKey): Promise<void>
}
