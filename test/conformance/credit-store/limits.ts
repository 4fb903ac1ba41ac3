import { describe, expect, it } from 'vitest'
import type { CreditServiceOptions } from '../../../src/credit-service-options.js'
import type { AccountRules } from '../../../src/ledger/account-state.js'
import { addCredits } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import type { LimitCount } from '../../../src/ledger/limit.js'
import {
  accountStateOf,
  addition,
  type Bench,
  change,
  details,
  DAY,
  expectSound,
  outcomes,
  stoppedClock,
  times,
} from './bench.js'

const RULES: AccountRules = {
  limits: [
    { max: 5, per: 'day', of: 'calls' },
    { max: 1000, per: 'month', of: 'credits' },
  ],
  alerts: [],
  announce: new Set(),
}

const FIVE_A_DAY: CreditServiceOptions = { limits: { calling: [{ max: 5, per: 'day' }] } }

export function testLimits(bench: Bench): void {
  /** An account with 100 credits and two limits, on a clock of its own. */
  async function open() {
    const [clock, key] = [
      stoppedClock('2026-03-10T23:30:00.000Z'),
      { userId: await bench.newUser(), creditType: 'calling' },
    ]
    await change(bench.store, key, clock.now(), (posting) => addCredits(posting, addition(100)))
    return {
      clock,
      key,
      use: (amount: number) =>
        change(bench.store, key, clock.now(), (posting) => deductCredits(posting, { ...details(), amount }), {
          rules: RULES,
          load: { limits: true },
        }),
      counts: async (): Promise<LimitCount[]> => {
        const { limitCounts } = await accountStateOf(bench.store, key, { now: clock.now(), load: { limits: true } })
        return limitCounts.sort((a, b) => (a.limitName < b.limitName ? -1 : 1))
      },
    }
  }

  describe('counts for limits', () => {
    it('are written with the decision they belong to, one row per limit, and handed over where asked for', async () => {
      const { key, use, counts } = await open()
      expect(await counts()).toEqual([])
      await use(30)
      await use(12)
      expect(await counts()).toEqual([
        { ...key, limitName: 'calls/day', windowStart: new Date('2026-03-10T00:00:00Z'), used: 2 },
        { ...key, limitName: 'credits/month', windowStart: new Date('2026-03-01T00:00:00Z'), used: 42 },
      ])
    })

    it('begin anew with their window, each its own, in the same row', async () => {
      const { key, clock, use, counts } = await open()
      await use(30)
      clock.advance(DAY / 48)
      await use(5)
      expect(await counts()).toEqual([
        { ...key, limitName: 'calls/day', windowStart: new Date('2026-03-11T00:00:00Z'), used: 1 },
        { ...key, limitName: 'credits/month', windowStart: new Date('2026-03-01T00:00:00Z'), used: 35 },
      ])
    })

    it('are not written by a decision that throws', async () => {
      const { use, counts } = await open()
      await use(30)
      const before = await counts()
      await expect(use(80)).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS' })
      await expect(use(1000)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
      expect(await counts()).toEqual(before)
    })

    it('belong to their account: of the same user, and of everybody else, nothing is counted', async () => {
      const [{ clock, key, use }, other] = [await open(), await open()]
      await use(1)
      const now = clock.now()
      const scraping = await accountStateOf(
        bench.store,
        { ...key, creditType: 'scraping' },
        { now, load: { limits: true } },
      )
      expect([scraping.limitCounts, await other.counts()]).toEqual([[], []])
    })

    it('are kept by every service on the store, for all of them', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const [first, second] = [bench.credits(clock, FIVE_A_DAY), bench.credits(clock, FIVE_A_DAY)]
      await first.addCredits(userId, 100, 'calling', 'Welcome')
      for (const credits of [first, second, first, second, first])
        await credits.deductCredits(userId, 1, 'calling', 'Call')
      await expect(second.deductCredits(userId, 1, 'calling', 'Call')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
      clock.advance(DAY)
      await second.deductCredits(userId, 1, 'calling', 'Call')
    })

    it('let as many of many callers at once through as there is room for', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock, FIVE_A_DAY)
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const { succeeded, codes } = await outcomes<unknown>(
        times(20, (index) =>
          index % 2 === 0
            ? credits.deductCredits(userId, 1, 'calling', 'Call')
            : credits.holdCredits({ userId, amount: 1, creditType: 'calling', description: 'Job' }),
        ),
      )
      expect(succeeded).toHaveLength(5)
      expect(codes).toEqual({ LIMIT_EXCEEDED: 15 })
      await expectSound(credits, userId)
    })
  })
}
