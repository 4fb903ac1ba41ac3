import { CreditService } from 'creditkit'
import { memoryCache, memoryStore } from 'creditkit/adapters/memory'
import { describe, expect, it } from 'vitest'
import type { BalanceCache } from '../../src/ports/cache.js'

/* What the service tells a cache, and what it believes of it. The caches themselves: test/cache. */

const CALL = { userId: 'ann', creditType: 'calling', description: 'Cached' } as const

/** A cache that notes for how long each balance was given to it, in milliseconds. */
function notingCache(): { cache: BalanceCache; lives: number[] } {
  const lives: number[] = []
  const inner = memoryCache()
  const set: BalanceCache['set'] = (key, value, ttlMs) => {
    lives.push(ttlMs)
    return inner.set(key, value, ttlMs)
  }
  return { cache: { ...inner, set }, lives }
}

describe('a remembered balance', () => {
  it('lives for a minute at most, and never past the moment at which time alone changes it', async () => {
    const { cache, lives } = notingCache()
    const credits = new CreditService({ store: memoryStore(), cache })
    await credits.addCredits({ ...CALL, amount: 10 })
    await credits.getBalance('ann', 'calling')
    await credits.addCredits({ ...CALL, amount: 5, expiresAt: new Date(Date.now() + 40_000) })
    await credits.getBalance('ann', 'calling')
    await credits.holdCredits({ ...CALL, amount: 1, expiresInSeconds: 20 })
    await credits.getBalance('ann', 'calling')
    const [forAMinute, ofTheGrant = NaN, ofTheHold = NaN, ...more] = lives
    expect([forAMinute, more]).toEqual([60_000, []])
    expect(ofTheGrant).toBeLessThanOrEqual(40_000)
    expect(ofTheGrant).toBeGreaterThan(20_000)
    expect(ofTheHold).toBeLessThanOrEqual(20_000)
    await credits.close()
  })

  it('is never older than the last write of the one who asks', async () => {
    const credits = new CreditService({ store: memoryStore(), cache: memoryCache() })
    await credits.addCredits({ ...CALL, amount: 10 })
    expect(await credits.getBalance('ann', 'calling')).toBe(10)
    await credits.deductCredits({ ...CALL, amount: 3 })
    expect(await credits.getBalance('ann', 'calling')).toBe(7)
    const hold = await credits.holdCredits({ ...CALL, amount: 2 })
    expect(await credits.getBalance('ann', 'calling')).toBe(5)
    await credits.releaseHold({ holdId: hold.id })
    expect(await credits.getBalance('ann', 'calling')).toBe(7)
    await credits.close()
  })
})
