import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BalanceCache, CachedBalance } from '../../src/ports/cache.js'

/** A cache for `testCache`, and what the suite may do with it. */
export interface OpenedCache {
  cache: BalanceCache
  /** End what the backend opened, after the suite. */
  close(): Promise<void>
  /** Move the cache's clock, where it has one of its own; else the suite waits. */
  advance?(ms: number): Promise<void> | void
}

/**
 * The contract of `BalanceCache`, run against every cache. No skip list: a cache that fails does not ship.
 *
 * Open the cache with a short time to live (2 seconds is good), since the suite waits for it to pass.
 */
export function testCache(name: string, openCache: () => Promise<OpenedCache>): void {
  describe(`BalanceCache contract: ${name}`, () => {
    let opened: OpenedCache
    let cache: BalanceCache
    let ttlMs: number

    beforeAll(async () => {
      opened = await openCache()
      cache = opened.cache
      ttlMs = cache.ttlSeconds * 1000
    })
    afterAll(() => opened.close())

    const newKey = () => `user_credits:${randomUUID()}:enrichment`
    const pass = (ms: number) => opened.advance?.(ms) ?? new Promise<void>((resolve) => setTimeout(resolve, ms))
    const at = (version: number, balance = version * 10): CachedBalance => ({ balance, version })

    describe('remembering', () => {
      it('knows nothing of an unknown key', async () => {
        expect(await cache.get(newKey())).toBeNull()
      })

      it('answers with the balance and version that were set', async () => {
        const key = newKey()
        await cache.set(key, at(7, 50), ttlMs)
        expect(await cache.get(key)).toEqual({ balance: 50, version: 7 })
      })

      it.each([
        ['zero', at(1, 0)],
        ['the first version', at(0, 5)],
        ['a negative balance, which is debt', at(3, -25)],
        ['the largest numbers', at(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)],
        ['the smallest balance', at(1, Number.MIN_SAFE_INTEGER)],
      ])('remembers %s exactly', async (_case, value) => {
        const key = newKey()
        await cache.set(key, value, ttlMs)
        expect(await cache.get(key)).toEqual(value)
      })

      it('keeps keys apart, byte for byte', async () => {
        const base = newKey()
        const keys = [base, `${base} `, `${base}:b`, base.toUpperCase(), `${base}é`, `${base}e\u0301`, `${base}😀`]
        for (const [index, key] of keys.entries()) await cache.set(key, at(1, index), ttlMs)
        for (const [index, key] of keys.entries()) expect(await cache.get(key)).toEqual(at(1, index))
      })

      it('gives each caller an answer of its own', async () => {
        const key = newKey()
        const given = at(7, 50)
        await cache.set(key, given, ttlMs)
        given.balance = 1
        const first = await cache.get(key)
        if (first !== null) first.balance = 2
        expect(await cache.get(key)).toEqual(at(7, 50))
      })
    })

    describe('versions', () => {
      it('replaces a balance by a newer one', async () => {
        const key = newKey()
        await cache.set(key, at(7), ttlMs)
        await cache.set(key, at(8), ttlMs)
        expect(await cache.get(key)).toEqual(at(8))
      })

      it('never answers with an older version once it has seen a newer one', async () => {
        const key = newKey()
        await cache.set(key, at(8), ttlMs)
        await cache.set(key, at(7), ttlMs)
        expect(await cache.get(key)).toEqual(at(8))
      })

      it('compares versions as numbers, not as text', async () => {
        const key = newKey()
        await cache.set(key, at(9), ttlMs)
        await cache.set(key, at(10), ttlMs)
        expect(await cache.get(key)).toEqual(at(10))
        await cache.set(key, at(9), ttlMs)
        expect(await cache.get(key)).toEqual(at(10))
      })

      it('leaves the newest version of many concurrent writers', async () => {
        const key = newKey()
        const versions = Array.from({ length: 50 }, (_, index) => (index * 37) % 50)
        await Promise.all(versions.map((version) => cache.set(key, at(version), ttlMs)))
        expect(await cache.get(key)).toEqual(at(49))
      })
    })

    describe('invalidating', () => {
      it('forgets the balance', async () => {
        const key = newKey()
        await cache.set(key, at(7), ttlMs)
        await cache.invalidate(key)
        expect(await cache.get(key)).toBeNull()
      })

      it('forgets the balance also at a newer version', async () => {
        const key = newKey()
        await cache.set(key, at(9), ttlMs)
        await cache.invalidate(key, 8)
        expect(await cache.get(key)).toBeNull()
      })

      it('refuses a version below `minVersion` from now on: the slow reader of a fast writer', async () => {
        const key = newKey()
        await cache.invalidate(key, 8)
        await cache.set(key, at(7), ttlMs)
        expect(await cache.get(key)).toBeNull()
      })

      it('accepts `minVersion` itself and newer versions', async () => {
        const key = newKey()
        await cache.invalidate(key, 8)
        await cache.set(key, at(8), ttlMs)
        expect(await cache.get(key)).toEqual(at(8))
        await cache.invalidate(key, 9)
        await cache.set(key, at(12), ttlMs)
        expect(await cache.get(key)).toEqual(at(12))
      })

      it('never lowers what it refuses', async () => {
        const key = newKey()
        await cache.invalidate(key, 8)
        await cache.invalidate(key, 5)
        await cache.invalidate(key)
        await cache.set(key, at(7), ttlMs)
        expect(await cache.get(key)).toBeNull()
        await cache.set(key, at(8), ttlMs)
        expect(await cache.get(key)).toEqual(at(8))
      })

      it('changes nothing when repeated', async () => {
        const key = newKey()
        await cache.set(key, at(7), ttlMs)
        for (let times = 0; times < 3; times++) await cache.invalidate(key, 8)
        expect(await cache.get(key)).toBeNull()
        await cache.set(key, at(8), ttlMs)
        expect(await cache.get(key)).toEqual(at(8))
      })

      it('leaves other keys alone', async () => {
        const [key, other] = [newKey(), newKey()]
        await cache.set(other, at(7), ttlMs)
        await cache.invalidate(key, 100)
        expect(await cache.get(other)).toEqual(at(7))
      })

      it('never shows a stale balance when readers race a writer', async () => {
        const key = newKey()
        for (let version = 1; version <= 25; version++) {
          const slowReader = () => cache.set(key, at(version - 1), ttlMs)
          await Promise.all([slowReader(), cache.invalidate(key, version), slowReader()])
          await slowReader()
          expect((await cache.get(key))?.version ?? version).toBeGreaterThanOrEqual(version)
        }
      })
    })

    describe('time', () => {
      it('forgets a balance after `ttlMs`', async () => {
        const key = newKey()
        await cache.set(key, at(7), ttlMs / 2)
        expect(await cache.get(key)).toEqual(at(7))
        await pass(ttlMs / 2 + 20)
        expect(await cache.get(key)).toBeNull()
      })

      it('still refuses older versions after a short-lived balance has ended', async () => {
        const key = newKey()
        await cache.invalidate(key, 8)
        await cache.set(key, at(8), 20)
        await pass(40)
        await cache.set(key, at(7), ttlMs)
        expect(await cache.get(key)).toBeNull()
        await cache.set(key, at(8), ttlMs)
        expect(await cache.get(key)).toEqual(at(8))
      })

      it.each([0, -1, 0.5])('remembers no balance for %d ms', async (ms) => {
        const key = newKey()
        await cache.set(key, at(7), ttlMs)
        await cache.set(key, at(8), ms)
        await pass(2)
        expect(await cache.get(key)).toBeNull()
      })

      it('never remembers for longer than its own time to live', async () => {
        const [long, refreshed, buried] = [newKey(), newKey(), newKey()]
        await cache.set(long, at(7), ttlMs * 1000)
        await cache.set(refreshed, at(7), ttlMs)
        await cache.invalidate(buried, 8)
        await pass(ttlMs / 2)
        // Reading does not prolong, and a tombstone is kept for the whole time.
        expect(await cache.get(refreshed)).toEqual(at(7))
        await cache.set(buried, at(7), ttlMs)
        expect(await cache.get(buried)).toBeNull()
        await pass(ttlMs / 2 + 20)
        expect(await cache.get(long)).toBeNull()
        expect(await cache.get(refreshed)).toBeNull()
        // Nothing is refused for ever.
        await cache.set(buried, at(7), ttlMs)
        expect(await cache.get(buried)).toEqual(at(7))
      })
    })
  })
}
