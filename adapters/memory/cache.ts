import { LRUCache } from 'lru-cache'
import { checkCacheOptions } from '../../src/cache-options.js'
import type { BalanceCache } from '../../src/ports/cache.js'

export interface MemoryCacheOptions {
  /** How long a balance, or the memory that it was invalidated, is kept at most. Default 60. */
  ttlSeconds?: number | undefined
  /** How many accounts are remembered; the least recently used are forgotten first. Default 10,000 (about 2 MB). */
  maxEntries?: number | undefined
}

/** What is known of one key. It outlives the balance in it, so that an older balance can't come back. */
interface Entry {
  /** No balance of a lower version is accepted while this is remembered. */
  version: number
  /** Null: a tombstone. */
  balance: number | null
  /** When the balance ends, on the clock of `performance.now()`. */
  until: number
}

/**
 * Balances remembered in this process, for one process: two processes with a cache each would disagree for up to
 * `ttlSeconds`, so give several processes a `redisCache`. Never waits, never rejects, starts no timer.
 *
 * @throws {InvalidInputError} An option that can't be meant.
 */
export function memoryCache(options: MemoryCacheOptions = {}): BalanceCache {
  checkCacheOptions(options)
  const { ttlSeconds = 60, maxEntries = 10_000 } = options
  const ttl = ttlSeconds * 1000
  // With a resolution of 0 the cache reads the clock each time instead of keeping a timer.
  const entries = new LRUCache<string, Entry>({ max: maxEntries, ttl, ttlResolution: 0 })

  return {
    ttlSeconds,

    async get(key) {
      const entry = entries.get(key)
      if (entry === undefined || entry.balance === null || performance.now() >= entry.until) return null
      return { balance: entry.balance, version: entry.version }
    },

    async set(key, { balance, version }, ttlMs) {
      const known = entries.peek(key)
      if (known !== undefined && known.version > version) return
      entries.set(key, { balance, version, until: performance.now() + Math.min(ttlMs, ttl) })
    },

    async invalidate(key, minVersion) {
      const known = entries.peek(key)?.version ?? minVersion
      if (known === undefined) return
      entries.set(key, { balance: null, version: Math.max(known, minVersion ?? 0), until: 0 })
    },
  }
}
