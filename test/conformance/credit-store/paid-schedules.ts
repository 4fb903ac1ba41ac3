import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { AccountKey } from '../../../src/ledger/account.js'
import type { Schedule } from '../../../src/ledger/schedule.js'
import { accountStateOf, type Bench, change, DAY, later, named, SECOND, stoppedClock } from './bench.js'

const GRACE = 3600 * SECOND

export function testPaidSchedules(bench: Bench): void {
  /** An account with a daily plan of 10 credits, paid for two days with 15, of which what has begun is written. */
  async function open(given: Partial<Schedule> = {}) {
    const [clock, key] = [stoppedClock(), { userId: await bench.newUser(), creditType: 'calling' }]
    const schedule: Schedule = {
      ...key,
      id: uuidv7(),
      plan: 'pro',
      amount: 10,
      every: 'day',
      rolloverMax: 0,
      source: 'subscription',
      priority: 0,
      anchorAt: clock.now(),
      nextAt: clock.now(),
      periodFrom: clock.now(),
      periodGranted: 0,
      status: 'active',
      subscriptionId: 'sub_1',
      itemId: 'si_1',
      priceId: 'price_1',
      paidFrom: clock.now(),
      changedFrom: clock.now(),
      paidUntil: later(clock, 2 * DAY),
      purchaseId: uuidv7(),
      undelivered: 15,
      raises: [],
      graceSeconds: GRACE / SECOND,
      createdAt: clock.now(),
      updatedAt: clock.now(),
      ...given,
    }
    const settle = (save?: Schedule) =>
      change(bench.store, key, clock.now(), (posting) => (save === undefined ? undefined : posting.saveSchedule(save)))
    await settle(schedule)
    return {
      clock,
      key,
      schedule,
      /** Write what time has done; `save`: and this. */
      settle,
      balance: () => bench.store.readBalance(key, clock.now()),
      see: (load: { schedules?: boolean } = {}) => accountStateOf(bench.store, key, { now: clock.now(), load }),
      isDue: async () => (await dueAt(clock.now())).some(({ userId }) => userId === key.userId),
    }
  }

  async function dueAt(now: Date): Promise<AccountKey[]> {
    const found: AccountKey[] = []
    for (let after: AccountKey | null = null; ;) {
      const page: AccountKey[] = await bench.store.findDue({ now, expiringWithinSeconds: null, limit: 100, after })
      found.push(...page)
      after = page.at(-1) ?? null
      if (page.length < 100) return found
    }
  }

  describe('schedules that are paid for', () => {
    it('are listed with every field they were written with', async () => {
      const { key, schedule } = await open({
        undelivered: Number.MAX_SAFE_INTEGER,
        raises: [{ purchaseId: uuidv7(), amount: 3, undelivered: 6 }],
      })
      expect(await bench.store.listSchedules(key.userId)).toEqual([schedule])
      const bare = {
        subscriptionId: null,
        itemId: null,
        priceId: null,
        paidFrom: null,
        changedFrom: null,
        paidUntil: null,
        purchaseId: null,
        undelivered: null,
        graceSeconds: 0,
      }
      const other = await open(bare)
      expect(await bench.store.listSchedules(other.key.userId)).toEqual([other.schedule])
    })

    it('are due when a period has begun that lies before the end of what is paid, until that is written', async () => {
      const { clock, schedule, settle, isDue, see } = await open({ nextAt: new Date('2026-03-10T12:00:01.000Z') })
      expect(await isDue()).toBe(false)
      expect((await see()).nextDueAt).toEqual(schedule.nextAt)
      clock.advance(SECOND)
      expect(await isDue()).toBe(true)
      expect((await see()).schedules).toEqual([schedule])
      await settle()
      expect(await isDue()).toBe(false)
    })

    it('wait for their payment from the end of what is paid on: nothing is due, and nothing will be by time alone', async () => {
      const { clock, key, settle, isDue, see, balance } = await open()
      clock.advance(DAY)
      await settle()
      // What is left of the last period ends a little later than the period.
      expect(await balance()).toMatchObject({ balance: 5, staleAfterMs: DAY + GRACE })
      expect((await see()).nextDueAt).toEqual(later(clock, DAY + GRACE))
      clock.advance(DAY)
      expect(await balance()).toMatchObject({ balance: 5, staleAfterMs: GRACE })
      expect((await see()).nextDueAt).toEqual(later(clock, GRACE))
      expect(await isDue()).toBe(false)
      clock.advance(GRACE)
      expect(await isDue()).toBe(true)
      await settle()
      for (let months = 0; months < 2; months += 1) {
        expect(await isDue()).toBe(false)
        expect(await see()).toMatchObject({ nextDueAt: null, account: { nextDueAt: null } })
        expect(await balance()).toMatchObject({ balance: 0, staleAfterMs: null })
        clock.advance(30 * DAY)
      }
      expect(await bench.store.listSchedules(key.userId)).toMatchObject([{ status: 'active', undelivered: 0 }])
    })

    it('go on once there is a payment', async () => {
      const { clock, settle, schedule, isDue, balance, key } = await open()
      clock.advance(2 * DAY + GRACE)
      await settle()
      const [waiting] = await bench.store.listSchedules(key.userId)
      const paidUntil = later(clock, 2 * DAY)
      const again = { ...schedule, ...waiting, nextAt: clock.now(), anchorAt: clock.now(), paidUntil, undelivered: 20 }
      clock.advance(1)
      await change(bench.store, key, later(clock, -1), (posting) => posting.saveSchedule(again))
      expect(await isDue()).toBe(true)
      expect(await balance()).toMatchObject({ balance: 10, paid: 10 })
      await settle()
      expect(await isDue()).toBe(false)
      expect(await bench.store.listSchedules(key.userId)).toMatchObject([
        { undelivered: 10, nextAt: later(clock, DAY - 1) },
      ])
    })

    it('are seen while they wait where a command asks for schedules, with the grants they made', async () => {
      const { clock, settle, see, schedule } = await open({ rolloverMax: null })
      clock.advance(40 * DAY)
      await settle()
      const { schedules, grants } = await see({ schedules: true })
      expect(named(schedules, schedule.id)).toMatchObject({ status: 'active', paidUntil: schedule.paidUntil })
      const own = grants.filter(({ scheduleId }) => scheduleId === schedule.id)
      expect(own.map(({ remaining }) => remaining).sort()).toEqual([10, 5])
    })

    it('are seen where they have ended and their period still runs', async () => {
      const { clock, settle, see, schedule } = await open()
      await settle()
      const [running] = (await see({ schedules: true })).schedules
      await settle({ ...schedule, ...running, status: 'ended' })
      clock.advance(DAY - 1)
      expect(named((await see({ schedules: true })).schedules, schedule.id)).toMatchObject({ status: 'ended' })
    })

    it('foresee in balances what is paid for and no more', async () => {
      const begins = new Date('2026-03-11T12:00:00.000Z')
      const paidUntil = new Date('2026-03-13T12:00:00.000Z')
      const { clock, balance } = await open({ anchorAt: begins, nextAt: begins, paidUntil })
      expect(await balance()).toMatchObject({ balance: 0, staleAfterMs: DAY })
      clock.advance(DAY)
      expect(await balance()).toMatchObject({ balance: 10, paid: 10, staleAfterMs: DAY })
      clock.advance(DAY)
      expect(await balance()).toMatchObject({ balance: 5, staleAfterMs: DAY + GRACE })
      clock.advance(DAY)
      expect(await balance()).toMatchObject({ balance: 5, staleAfterMs: GRACE })
      clock.advance(GRACE)
      expect(await balance()).toMatchObject({ balance: 0, staleAfterMs: null })
    })
  })
}
