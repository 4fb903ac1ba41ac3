import { LRUCache } from 'lru-cache'
import { checkCacheOptions } from '../src/cache-options.js'
import type { BalanceCache } from '../src/ports/cache.js'
import { Circuit } from './redis/circuit.js'
import { redisCommands, type RedisClient } from './redis/client.js'
import { bury, getWithLife, readEntry, setIfNotOlder, writeEntry, type Entry } from './redis/entry.js'
import { UnsentVersions } from './redis/unsent.js'

export type { RedisClient } from './redis/client.js'

/**
 * How long `redisCache` remembers and waits, and under which keys. All processes that share balances must use one
 * `keyPrefix`, or they miss each other's invalidations.
 */
export interface RedisCacheOptions {
  /**
   * How long a balance, or the memory that it was invalidated, is kept at most, in seconds. Default 60, at most 31
   * days.
   */
  ttlSeconds?: number | undefined
  /** How long one call may wait for Redis, in milliseconds. Default 250, at most a minute. */
  timeoutMs?: number | undefined
  /** Put before every key. Default empty, so keys are `user_credits:{userId}:{creditType}`. */
  keyPrefix?: string | undefined
}

/** Pause between two tries to tell Redis what it missed. */
const resendMs = 1000

/**
 * Balances remembered in a Redis that all processes share, through the client the host already has: ioredis,
 * node-redis or @upstash/redis. The client stays the host's: it is neither connected nor closed here. If nobody
 * listens to its 'error' events, a silent listener is added, so that a lost connection can't end the process.
 *
 * Never rejects. A Redis that is down, frozen, full, flushed or filled with something else costs a miss, and after the
 * first `timeoutMs` next to no time. A write it missed is sent again when it is back; until then its key is a miss in
 * this process, and other processes may see the old balance until it ends, at most `ttlSeconds` after it was written.
 *
 * @throws {InvalidInputError} An option that can't be meant.
 */
export function redisCache(client: RedisClient, options: RedisCacheOptions = {}): BalanceCache {
  checkCacheOptions(options)
  const { ttlSeconds = 60, timeoutMs = 250, keyPrefix = '' } = options
  const fullTtlMs = Math.round(ttlSeconds * 1000)
  const redis = redisCommands(client)
  const circuit = new Circuit({ timeoutMs, isReady: () => redis.isReady() })
  const unsent = new UnsentVersions(fullTtlMs)
  // A Redis that lost its memory, or a replica behind its master, must not take this process back in time.
  const seen = new LRUCache<string, number>({ max: 10_000, ttl: fullTtlMs, ttlResolution: 0 })
  let resending = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let closed = false

  return {
    ttlSeconds,

    async get(key) {
      if (unsent.doubts(key)) return null
      const entry = await read(key)
      if (entry === null || entry.balance === null) return null
      // Looked at after the answer: a write may have failed meanwhile.
      if (unsent.doubts(key) || entry.version < (seen.peek(key) ?? 0)) return null
      seen.set(key, entry.version)
      return { balance: entry.balance, version: entry.version }
    },

    async set(key, value, ttlMs) {
      const life = Math.floor(Math.min(ttlMs, fullTtlMs))
      if (value.version < (seen.peek(key) ?? 0)) return
      if (life < 1) return tombstone(key, value.version)
      const entry = writeEntry(value, life, fullTtlMs)
      return write(key, value.version, () => redis.run(setIfNotOlder, keyPrefix + key, value.version, entry, fullTtlMs))
    },

    async invalidate(key, minVersion) {
      return tombstone(key, minVersion ?? seen.peek(key) ?? 0)
    },

    async close() {
      closed = true
      clearTimeout(timer)
    },
  }

  async function read(key: string): Promise<Entry | null> {
    try {
      const entry = readEntry(await circuit.run(() => redis.get(keyPrefix + key)))
      if (entry?.until === undefined) return entry
      const reply = await circuit.run(() => redis.run(getWithLife, keyPrefix + key))
      const [text, life] = Array.isArray(reply) ? (reply as unknown[]) : []
      const now = readEntry(text)
      return now !== null && Number(life) > (now.until ?? 0) ? now : null
    } catch {
      // A cache that can't answer is a miss; the database can.
      return null
    }
  }

  function tombstone(key: string, version: number): Promise<void> {
    return write(key, version, () => redis.run(bury, keyPrefix + key, version, fullTtlMs))
  }

  async function write(key: string, version: number, send: () => Promise<unknown>): Promise<void> {
    if (version > (seen.peek(key) ?? -1)) seen.set(key, version)
    try {
      await circuit.run(send)
      unsent.sent(key, version)
    } catch {
      // Not lost: this process remembers it, does without Redis for this key, and sends it again.
      unsent.add(key, version)
      resendLater()
    }
  }

  function resendLater(): void {
    if (timer !== undefined || closed) return
    timer = setTimeout(() => void resend(), resendMs)
    // Timers of edge runtimes are numbers; in Node they must not keep the process alive.
    ;(timer as { unref?: () => void }).unref?.()
  }

  /** Tell Redis what it missed. A tombstone says it all: also of a balance whose arrival is in doubt. */
  async function resend(): Promise<void> {
    timer = undefined
    if (resending) return
    resending = true
    try {
      for (const [key, version] of unsent.all()) {
        await circuit.run(() => redis.run(bury, keyPrefix + key, version, fullTtlMs))
        unsent.sent(key, version)
      }
    } catch {
      // Still away; what is left stays in `unsent`.
    } finally {
      resending = false
      if (!unsent.isEmpty) resendLater()
    }
  }
}
