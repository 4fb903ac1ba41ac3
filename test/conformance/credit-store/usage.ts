import { describe, expect, it } from 'vitest'
import { type Bench, DAY, expectSound, later, stoppedClock, times } from './bench.js'

export function testUsage(bench: Bench): void {
  /** Two days at the end of February: uses at both ends of a UTC day. */
  async function twoDays() {
    const [clock, userId] = [stoppedClock('2026-02-27T08:00:00.000Z'), await bench.newUser()]
    const credits = bench.credits(clock)
    await credits.addCredits(userId, 1000, 'calling', 'Sold', 'purchase')
    await credits.addCredits(userId, 50, 'calling', 'Gift')
    clock.set('2026-02-27T23:59:59.999Z')
    const used = await credits.deductCredits(userId, 100, 'calling', 'Late')
    clock.set('2026-02-28T00:00:00.000Z')
    await credits.deductCredits(userId, 30, 'calling', 'Early')
    clock.set('2026-02-28T12:00:00.000Z')
    await credits.refundCredits({ transactionId: used.id, amount: 40 })
    await credits.deductCredits(userId, 7, 'scraping', 'Elsewhere').catch(() => undefined)
    return { clock, userId, credits }
  }

  describe('usage statistics', () => {
    it('sum up the whole history by default, gross, with UTC days', async () => {
      const { credits, userId } = await twoDays()
      expect(await credits.getUsageStats(userId, 'calling')).toEqual({
        totalUsed: 130,
        totalPurchased: 1000,
        totalRefunded: 40,
        balance: 960,
        averageDaily: 65,
        transactions: 5,
        daily: [
          { date: '2026-02-27', used: 100, added: 1050 },
          { date: '2026-02-28', used: 30, added: 40 },
        ],
      })
    })

    it('take half-open ranges: the first moment is in, the last is not', async () => {
      const { credits, userId } = await twoDays()
      const midnight = new Date('2026-02-28T00:00:00.000Z')
      const before = await credits.getUsageStats(userId, 'calling', new Date('2026-02-27T00:00:00.000Z'), midnight)
      expect(before).toMatchObject({ totalUsed: 100, totalRefunded: 0, averageDaily: 100, transactions: 3 })
      const after = await credits.getUsageStats(userId, 'calling', midnight, new Date('2026-03-01T00:00:00.000Z'))
      expect(after).toMatchObject({ totalUsed: 30, totalRefunded: 40, averageDaily: 30, transactions: 2 })
      expect(after).toMatchObject({ totalPurchased: 0, balance: 960, daily: [{ date: '2026-02-28' }] })
    })

    it('divide by the UTC days the range touches, not by those with uses', async () => {
      const { clock, credits, userId } = await twoDays()
      const day = (text: string) => new Date(`${text}.000Z`)
      const range = await credits.getUsageStats(
        userId,
        'calling',
        day('2026-02-20T12:00:00'),
        day('2026-03-01T12:00:00'),
      )
      expect(range.averageDaily).toBe(13)
      clock.set('2026-03-08T00:00:00.001Z')
      expect((await credits.getUsageStats(userId, 'calling')).averageDaily).toBe(13)
      clock.set('2026-03-08T00:00:00.000Z')
      expect((await credits.getUsageStats(userId, 'calling')).averageDaily).toBeCloseTo(130 / 9)
      expect((await credits.getUsageStats(userId, 'calling', clock.now(), clock.now())).averageDaily).toBe(0)
    })

    it('are zero for an account nothing has happened to', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      expect(await credits.getUsageStats(userId, 'calling')).toEqual({
        totalUsed: 0,
        totalPurchased: 0,
        totalRefunded: 0,
        balance: 0,
        averageDaily: 0,
        transactions: 0,
        daily: [],
      })
    })

    it('are the same whatever part of the ledger has been summed up, for every range, also where the clock went back', async () => {
      const [clock, userId] = [stoppedClock('2026-02-27T21:00:00.000Z'), await bench.newUser()]
      const [credits, key] = [bench.credits(clock), { userId, creditType: 'calling' }]
      await credits.addCredits(userId, 1000, 'calling', 'Sold', 'purchase')
      const start = clock.now()
      for (const index of times(24, (n) => n)) {
        const { id } = await credits.deductCredits(userId, 1 + index, 'calling', 'Call')
        if (index % 5 === 0) await credits.refundCredits({ transactionId: id, amount: 1 })
        if (index % 7 === 0) await credits.addCredits(userId, 3, 'calling', 'Gift')
        clock.advance(index % 6 === 5 ? -DAY : 5 * 3_600_000)
      }
      const moments = [null, ...times(6, (n) => later({ now: () => start }, (n - 1) * 15 * 3_600_000 + 3 * 3_600_000))]
      const everyRange = async () => {
        const ranges = moments.flatMap((from) => moments.map((to) => [from, to] as const))
        const valid = ranges.filter(([from, to]) => from === null || to === null || from <= to)
        return Promise.all(valid.map(([from, to]) => bench.store.readUsage(key, from, to, clock.now())))
      }
      const before = await everyRange()
      expect(new Set(before.map(({ transactions }) => transactions)).size).toBeGreaterThan(5)
      // Where a store keeps no sums, there is nothing to do the first time.
      for (let more = true; more;) {
        more = await bench.store.rollUpUsage(key, 7)
        expect(await everyRange()).toEqual(before)
        await expectSound(credits, userId)
      }
      await credits.deductCredits(userId, 1, 'calling', 'Newer')
      const { totalUsed } = await bench.store.readUsage(key, null, null, null)
      expect(totalUsed).toBe((before[0]?.totalUsed ?? 0) + 1)
      await credits.rebuild({ userId, creditType: 'calling' })
      expect(await bench.store.readUsage(key, null, null, null)).toMatchObject({ totalUsed })
      expect(await bench.store.readUsage({ userId, creditType: 'scraping' }, null, null, null)).toMatchObject({
        transactions: 0,
      })
    })

    it('are summed up of nobody who is not there', async () => {
      const key = { userId: await bench.newUser(), creditType: 'calling' }
      expect(await bench.store.rollUpUsage(key, 10)).toBe(false)
      await bench.store.forgetUsageSums(key)
      expect(await bench.store.readUsage(key, null, null, null)).toMatchObject({ transactions: 0, from: null })
    })
  })
}
