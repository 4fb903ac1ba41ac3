import { describe, expect, it } from 'vitest'
import { addCredits } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import { assignPlan, type PlanGrant } from '../../../src/ledger/schedule.js'
import {
  accountStateOf,
  addition,
  type Bench,
  change,
  details,
  DAY,
  expectSound,
  later,
  named,
  outcomes,
  stoppedClock,
  times,
} from './bench.js'

const DAILY: PlanGrant = {
  creditType: 'calling',
  amount: 10,
  every: 'day',
  rolloverMax: 0,
  source: 'promotional',
  priority: 0,
  trialAmount: 0,
  graceSeconds: 0,
}

export function testSchedules(bench: Bench): void {
  /** An account without a plan, on a clock of its own. */
  async function open() {
    const [clock, key] = [stoppedClock(), { userId: await bench.newUser(), creditType: 'calling' }]
    return {
      clock,
      key,
      /** Give the account a plan of these grants; none: end it. Returns its schedules as written. */
      assign: async (grants: PlanGrant[], anchorAt: Date | null = null, creditType = 'calling') => {
        const assignment = { plan: 'pro', grants, subscriptionId: null, anchorAt }
        const { schedules } = await change(
          bench.store,
          { ...key, creditType },
          clock.now(),
          (posting) => assignPlan(posting, assignment),
          { load: { schedules: true } },
        )
        return schedules
      },
      use: (amount: number) =>
        change(bench.store, key, clock.now(), (posting) => deductCredits(posting, { ...details(), amount })),
      balance: () => bench.store.readBalance(key, clock.now()),
      see: (load: { schedules?: boolean } = {}) => accountStateOf(bench.store, key, { now: clock.now(), load }),
    }
  }

  describe('schedules', () => {
    it('are listed with every field they were written with', async () => {
      const { clock, key, assign } = await open()
      const anchor = later(clock, -3 * DAY)
      const grant: PlanGrant = { ...DAILY, every: 'month', rolloverMax: null, source: 'subscription', priority: -2 }
      const [written, ...others] = await assign([grant], anchor)
      expect(others).toEqual([])
      expect(written).toMatchObject({
        ...key,
        plan: 'pro',
        amount: 10,
        every: 'month',
        rolloverMax: null,
        priority: -2,
      })
      expect(written).toMatchObject({ source: 'subscription', anchorAt: anchor, status: 'active', periodGranted: 10 })
      expect(await bench.store.listSchedules(key.userId)).toEqual([written])
      expect(await bench.store.listSchedules(await bench.newUser())).toEqual([])
    })

    it('are listed for all credit types, active and ended, oldest first', async () => {
      const { clock, key, assign } = await open()
      await assign([{ ...DAILY, creditType: 'scraping' }], null, 'scraping')
      clock.advance(1)
      await assign([DAILY])
      clock.advance(1)
      await assign([{ ...DAILY, creditType: 'enrichment' }], null, 'enrichment')
      clock.advance(1)
      await assign([])
      clock.advance(DAY)
      const found = await bench.store.listSchedules(key.userId)
      expect(found.map(({ creditType, status }) => `${creditType} ${status}`)).toEqual([
        'scraping active',
        'calling ended',
        'enrichment active',
      ])
    })

    it('are written whole when they change, under their own id', async () => {
      const { clock, key, assign } = await open()
      const [first] = await assign([DAILY])
      clock.advance(1000)
      const [changed] = await assign([{ ...DAILY, amount: 25, rolloverMax: 7, priority: 3 }])
      expect(changed).toMatchObject({ id: first?.id, amount: 25, periodGranted: 25, createdAt: first?.createdAt })
      expect(await bench.store.listSchedules(key.userId)).toEqual([changed])
    })
  })

  describe('the schedules a command sees', () => {
    it('are, unasked, the active ones whose period has ended, from the moment itself on, with the grants they made', async () => {
      const { clock, key, assign, see } = await open()
      await change(bench.store, key, clock.now(), (posting) => addCredits(posting, addition(5, { priority: -1 })))
      const [written] = await assign([{ ...DAILY, rolloverMax: null, priority: 5 }])
      clock.advance(DAY - 1)
      expect((await see()).nextDueAt).toEqual(written?.nextAt)
      clock.advance(1)
      const { schedules, grants } = await see()
      expect(schedules).toEqual([written])
      expect(grants.filter(({ scheduleId }) => scheduleId === written?.id)).toMatchObject([
        { remaining: 10, open: true },
      ])
    })

    it('are the others, too, where it asks: active ones, and ended ones whose period still runs', async () => {
      const { assign, see } = await open()
      const [daily] = await assign([DAILY])
      const [ended, weekly] = await assign([{ ...DAILY, every: 'week' }])
      expect([ended?.id, ended?.status]).toEqual([daily?.id, 'ended'])
      const { schedules, grants } = await see({ schedules: true })
      expect(named(schedules, ended?.id)).toEqual(ended)
      expect(named(schedules, weekly?.id)).toEqual(weekly)
      for (const id of [ended?.id, weekly?.id])
        expect(grants.filter(({ scheduleId }) => scheduleId === id)).toMatchObject([{ remaining: 10 }])
    })

    it('are those of its own accounts only', async () => {
      const [{ see, clock }, other] = [await open(), await open()]
      await other.assign([DAILY])
      clock.advance(DAY)
      expect((await see({ schedules: true })).schedules).toEqual([])
    })

    it('come with the history of a rebuild, as far as they are active', async () => {
      const { clock, key, assign } = await open()
      await assign([{ ...DAILY, every: 'year' }])
      const written = (await assign([DAILY])).find(({ status }) => status === 'active')
      const load = { grants: 'every', history: true } as const
      const { history } = await accountStateOf(bench.store, key, { now: clock.now(), load })
      expect(history?.schedules).toEqual([written])
    })
  })

  describe('balances with schedules', () => {
    it('foresee the period that has begun, and what ended with the last one', async () => {
      const { clock, assign, use, balance } = await open()
      await assign([DAILY])
      await use(4)
      expect(await balance()).toMatchObject({ balance: 6, owned: 6, nextExpiry: later(clock, DAY), staleAfterMs: DAY })
      clock.advance(DAY)
      // What has ended is owned until that is written.
      expect(await balance()).toMatchObject({ balance: 10, promotional: 10, paid: 0, owned: 16, staleAfterMs: DAY })
      expect((await balance()).nextExpiry).toEqual(later(clock, DAY))
      clock.advance(3 * DAY + 1)
      expect(await balance()).toMatchObject({ balance: 10, staleAfterMs: DAY - 1 })
      await use(1)
      expect(await balance()).toMatchObject({ balance: 9, owned: 9 })
    })

    it('foresee what may stay of earlier periods', async () => {
      const { clock, key, assign, use, balance } = await open()
      await assign([{ ...DAILY, rolloverMax: 7, source: 'subscription' }])
      await use(1)
      clock.advance(DAY)
      expect(await balance()).toMatchObject({ balance: 17, paid: 17, promotional: 0, owned: 19, nextExpiry: null })
      clock.advance(5 * DAY)
      expect(await balance()).toMatchObject({ balance: 17, paid: 17 })
      await change(bench.store, key, clock.now(), () => undefined)
      expect(await balance()).toMatchObject({ balance: 17, paid: 17, owned: 17 })
    })

    it('foresee a first period that begins later', async () => {
      const { clock, assign, balance } = await open()
      await assign([DAILY], later(clock, 2 * DAY))
      expect(await balance()).toMatchObject({ balance: 0, staleAfterMs: 2 * DAY })
      clock.advance(2 * DAY)
      expect(await balance()).toMatchObject({ balance: 10, nextExpiry: later(clock, DAY) })
    })

    it('foresee nothing after the end of a plan but the end of its last period', async () => {
      const { clock, assign, balance } = await open()
      await assign([DAILY])
      await assign([])
      expect(await balance()).toMatchObject({ balance: 10, staleAfterMs: DAY })
      clock.advance(DAY)
      expect(await balance()).toMatchObject({ balance: 0, owned: 10, staleAfterMs: null })
    })

    it('are the same one by one and all together', async () => {
      const { clock, key, assign } = await open()
      await assign([DAILY])
      await assign([{ ...DAILY, creditType: 'scraping', amount: 3, rolloverMax: null }], null, 'scraping')
      for (const now of [clock.now(), later(clock, 3 * DAY)]) {
        const all = await bench.store.readBalances(key.userId, now)
        const each = ['calling', 'scraping'].map((creditType) => bench.store.readBalance({ ...key, creditType }, now))
        expect(all.sort((a, b) => (a.creditType < b.creditType ? -1 : 1))).toEqual(await Promise.all(each))
      }
    })
  })

  describe('many callers at the beginning of a period', () => {
    it('write it once between them', async () => {
      const { clock, key, assign } = await open()
      const credits = bench.credits(clock)
      await assign([DAILY])
      clock.advance(2 * DAY)
      const { userId } = key
      const { succeeded, codes } = await outcomes(times(12, () => credits.deductCredits(userId, 1, 'calling', 'Call')))
      expect(succeeded).toHaveLength(10)
      expect(codes).toEqual({ INSUFFICIENT_CREDITS: 2 })
      const rows = await credits.getTransactionHistory(userId)
      const added = rows.filter(({ transactionType }) => transactionType === 'adjustment')
      expect(added.map(({ amount, effectiveAt }) => [amount, effectiveAt])).toEqual(
        [0, -1, -2].map((days) => [10, later(clock, days * DAY)]),
      )
      await expectSound(credits, userId)
    })
  })
}
