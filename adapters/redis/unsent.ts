import { LRUCache } from 'lru-cache'

/**
 * Keys whose last write may not have reached Redis, with the version that must be the lowest there. Until it has been
 * sent again, what Redis says about such a key may be old.
 *
 * Bounded in number and in time: a balance that was in Redis then has ended by itself after one time to live. If there
 * are too many to remember, nothing is believed for that long.
 */
export class UnsentVersions {
  readonly #versions: LRUCache<string, number>
  #nothingCountsUntil = 0

  constructor(ttlMs: number, max = 10_000) {
    this.#versions = new LRUCache<string, number>({
      max,
      ttl: ttlMs,
      ttlResolution: 0,
      dispose: (_version, _key, reason) => {
        if (reason === 'evict') this.#nothingCountsUntil = performance.now() + ttlMs
      },
    })
  }

  /** Whether what Redis says about this key may be older than what it was told. */
  doubts(key: string): boolean {
    return this.#versions.has(key) || performance.now() < this.#nothingCountsUntil
  }

  add(key: string, version: number): void {
    this.#versions.set(key, Math.max(version, this.#versions.peek(key) ?? 0))
  }

  /** Redis knows of `version` now. */
  sent(key: string, version: number): void {
    const waiting = this.#versions.peek(key)
    if (waiting !== undefined && waiting <= version) this.#versions.delete(key)
  }

  all(): [string, number][] {
    return [...this.#versions.entries()]
  }

  get isEmpty(): boolean {
    this.#versions.purgeStale()
    return this.#versions.size === 0
  }
}
