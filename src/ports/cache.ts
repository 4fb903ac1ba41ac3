/** What a cache holds for one account: an answer for display, never for a decision. */
export interface CachedBalance {
  /** Credits available when the value was read. */
  balance: number
  /** The account's version the value was read at; a higher version is newer. */
  version: number
}

/**
 * Where balances are remembered for display. A cache may lose anything at any time; it must never answer with an older
 * version once it has seen a newer one for the same key (while it remembers the key), and never outlive its time.
 *
 * Every method is bounded in time and may reject: callers treat a rejection as a miss. Implementations must not queue
 * work for a dead server, and must not keep the process alive.
 */
export interface BalanceCache {
  /** How long anything is remembered at most. */
  readonly ttlSeconds: number

  /** The remembered balance, or null when unknown, expired, unreadable or invalidated. */
  get(key: string): Promise<CachedBalance | null>

  /**
   * Remember a balance for at most `ttlMs` (and at most the cache's own time to live), unless a newer version is there
   * already, or the key was invalidated with a `minVersion` above this one. Atomic: two writers leave the newer version.
   */
  set(key: string, value: CachedBalance, ttlMs: number): Promise<void>

  /**
   * Forget the balance, and refuse any value whose version is below `minVersion` from now on (a tombstone, kept for the
   * cache's time to live; it never lowers an earlier one). Without `minVersion`, just forget. Repeating changes nothing.
   */
  invalidate(key: string, minVersion?: number): Promise<void>

  /** End what the cache itself opened. A client handed in by the host stays open. */
  close?(): Promise<void>
}
