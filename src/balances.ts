import type { AccountKey } from './ledger/account.js'
import type { BalanceCache } from './ports/cache.js'
import type { Logger } from './ports/logger.js'
import type { CreditStore } from './ports/store.js'
import { SharedWork } from './shared-work.js'

/** The guide's cache key. Credit types hold no colon, so no two accounts share a key. */
export function balanceCacheKey({ userId, creditType }: AccountKey): string {
  return `user_credits:${userId}:${creditType}`
}

/**
 * Balances for display, remembered in the cache. Nothing here may fail because of the cache: a miss reads the store, and
 * what can't be invalidated ends with the cache's time to live. Decisions never come here.
 */
export class Balances {
  readonly #cache: BalanceCache | null
  readonly #logger: Logger
  readonly #reads = new SharedWork<number>()

  constructor(cache: BalanceCache | null, logger: Logger) {
    this.#cache = cache
    this.#logger = logger
  }

  /**
   * Credits available now, at most the cache's time to live old, and never older than this process's last write. Those who
   * ask for one account at the same time share one reading of the store.
   */
  async read(store: CreditStore, key: AccountKey, now: Date | null): Promise<number> {
    const cacheKey = balanceCacheKey(key)
    const cached = await this.#attempt(null, (cache) => cache.get(cacheKey))
    if (cached !== null) return cached.balance
    // By an injected clock, what is true at one time is not at another.
    return this.#reads.run(`${cacheKey}@${now?.getTime() ?? ''}`, async () => {
      const { balance, version, staleAfterMs } = await store.readBalance(key, now)
      await this.#attempt(undefined, (cache) =>
        cache.set(cacheKey, { balance, version }, Math.min(staleAfterMs ?? Infinity, cache.ttlSeconds * 1000)),
      )
      return balance
    })
  }

  /** Let nobody read older than these rows, as far as their version is known. */
  async forget(accounts: readonly (AccountKey & { version?: number })[]): Promise<void> {
    if (this.#cache === null) return
    await Promise.all(
      accounts.map((account) =>
        this.#attempt(undefined, (cache) => cache.invalidate(balanceCacheKey(account), account.version)),
      ),
    )
  }

  async invalidate(cacheKey: string): Promise<void> {
    await this.#attempt(undefined, (cache) => cache.invalidate(cacheKey))
  }

  /** Reads that neither ask the cache nor tell it anything. */
  uncached(): Balances {
    return new Balances(null, this.#logger)
  }

  async close(): Promise<void> {
    await this.#cache?.close?.()
  }

  /** A cache is an answer for display: when it fails, the store knows, and its entries end by themselves. */
  async #attempt<R>(otherwise: R, work: (cache: BalanceCache) => Promise<R>): Promise<R> {
    if (this.#cache === null) return otherwise
    try {
      return await work(this.#cache)
    } catch (error) {
      this.#logger.debug({ err: error }, 'the balance cache failed; going on without it')
      return otherwise
    }
  }
}
