import type { AccountKey } from '../ledger/account.js'

/** Something about an account that time alone has done, or soon will. */
export interface DueQuery {
  /** As in a command. */
  now: Date | null
  /** Also accounts with open grants that end within so many seconds and whose end has not been announced; null: not. */
  expiringWithinSeconds: number | null
  limit: number
  /** Continue after this account, in the order of the list. */
  after: AccountKey | null
}

/** Where work for the sweeper is found. Finding locks nothing: what is found is looked at again under its lock. */
export interface DueStore {
  /**
   * Accounts with an open grant that has ended with free credits, an open hold whose time has run out, or an active
   * schedule whose period has ended; each once, in a fixed order of the store's own.
   */
  findDue(query: DueQuery): Promise<AccountKey[]>
}
