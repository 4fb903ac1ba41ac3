import { describe, expect, it } from 'vitest'
import { memoryCache } from '../../adapters/memory/cache.js'
import { memoryStore } from '../../adapters/memory/store.js'
import { type BalanceCache, CreditService, UnavailableError } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { times } from '../conformance/credit-store/bench.js'
import { overriding } from './overriding.js'

/* Reads of one account's balance at the same time share one reading of the store, and none is older than its question. */

/** A service whose store answers only when it is let to, with what was true when it was asked. */
function slowly({ cache = null }: { cache?: BalanceCache | null } = {}) {
  const store: CreditStore = memoryStore()
  const asked: { userId: string; answer: () => void; fail: () => void }[] = []
  const slow = overriding(store, {
    readBalance: async (key, now) => {
      const balance = await store.readBalance(key, now)
      await new Promise<void>((resolve, reject) => {
        const fail = () => reject(new UnavailableError('Failed on purpose'))
        asked.push({ userId: key.userId, answer: resolve, fail })
      })
      return balance
    },
  })
  const credits = new CreditService({ store: slow, cache })
  /** The store's next question. */
  const question = async () => {
    await expect.poll(() => asked.length, { interval: 1 }).toBeGreaterThan(0)
    const next = asked.shift()
    if (next === undefined) throw new Error('slowly: nothing was asked')
    return next
  }
  /** Everything that can happen without an answer has happened. */
  const quiet = () => new Promise((resolve) => setTimeout(resolve, 5))
  return { store, credits, asked, question, quiet }
}

describe.each([
  ['without a cache', () => null],
  ['with one', () => memoryCache()],
])('reads of a balance at the same time, %s', (_, openCache) => {
  it('ask the store once, and once more for all who come while it answers', async () => {
    const { credits, asked, question, quiet } = slowly({ cache: openCache() })
    await credits.addCredits('ann', 10, 'calling', 'Welcome')
    const first = times(20, () => credits.getBalance('ann', 'calling'))
    const one = await question()
    const second = times(20, () => credits.getBalance('ann', 'calling'))
    await quiet()
    expect(asked).toEqual([])
    one.answer()
    expect(await Promise.all(first)).toEqual(times(20, () => 10))
    const two = await question()
    two.answer()
    expect(await Promise.all(second)).toEqual(times(20, () => 10))
    expect(asked).toEqual([])
  })

  it('never give what was read before a write that had finished when they began', async () => {
    const { credits, question } = slowly({ cache: openCache() })
    await credits.addCredits('ann', 10, 'calling', 'Welcome')
    const before = credits.getBalance('ann', 'calling')
    const old = await question()
    await credits.deductCredits('ann', 4, 'calling', 'Call')
    const after = times(3, () => credits.getBalance('ann', 'calling'))
    old.answer()
    expect(await before).toBe(10)
    const fresh = await question()
    fresh.answer()
    expect(await Promise.all(after)).toEqual([6, 6, 6])
  })

  it('nor before a write that we are told nothing of, as when a transaction of the host commits', async () => {
    const { store, credits, question } = slowly({ cache: openCache() })
    const host = new CreditService({ store, cache: null })
    const before = credits.getBalance('ann', 'calling')
    const old = await question()
    await host.addCredits('ann', 7, 'calling', 'Welcome')
    const after = credits.getBalance('ann', 'calling')
    // What the first one remembers is of version 0, and it may be in a cache: that is what a cache is.
    await credits.cache.invalidate('user_credits:ann:calling')
    old.answer()
    expect(await before).toBe(0)
    ;(await question()).answer()
    expect(await after).toBe(7)
  })

  it('are shared by nobody who asks for another account', async () => {
    const { credits, asked, quiet } = slowly({ cache: openCache() })
    const reads = [
      credits.getBalance('ann', 'calling'),
      credits.getBalance('ann', 'scraping'),
      credits.getBalance('bob', 'calling'),
    ]
    await quiet()
    expect(asked.map(({ userId }) => userId)).toEqual(['ann', 'ann', 'bob'])
    for (const { answer } of asked) answer()
    expect(await Promise.all(reads)).toEqual([0, 0, 0])
  })

  it('fail together when the store fails, and those who wait go on by themselves', async () => {
    const { credits, question } = slowly({ cache: openCache() })
    const first = times(2, () => credits.getBalance('ann', 'calling').catch((error: unknown) => error))
    const one = await question()
    const second = credits.getBalance('ann', 'calling')
    one.fail()
    for (const error of await Promise.all(first)) expect(error).toBeInstanceOf(UnavailableError)
    ;(await question()).answer()
    expect(await second).toBe(0)
  })
})
