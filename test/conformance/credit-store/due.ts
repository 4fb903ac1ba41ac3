import { describe, expect, it } from 'vitest'
import type { AccountKey } from '../../../src/ledger/account.js'
import { addCredits } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import { captureHold, holdCredits } from '../../../src/ledger/hold.js'
import type { Posting } from '../../../src/ledger/posting.js'
import { assignPlan, type PlanGrant } from '../../../src/ledger/schedule.js'
import { voidGrant } from '../../../src/ledger/void.js'
import type { DueQuery } from '../../../src/ports/due-store.js'
import { addition, type Bench, change, details, DAY, later, named, SECOND, stoppedClock, times } from './bench.js'

const HOUR = 3600 * SECOND

export function testDue(bench: Bench): void {
  /** Everything due at `now`, page by page; it is in one order, and nothing comes twice. */
  async function findAll(now: Date, expiringWithinSeconds: number | null, limit = 100): Promise<AccountKey[]> {
    const found: AccountKey[] = []
    for (let after: DueQuery['after'] = null; ;) {
      const page = await bench.store.findDue({ now, expiringWithinSeconds, limit, after })
      expect(page.length).toBeLessThanOrEqual(limit)
      found.push(...page)
      after = page.at(-1) ?? null
      if (page.length < limit) break
    }
    expect(new Set(found.map(({ userId, creditType }) => JSON.stringify([userId, creditType]))).size).toBe(found.length)
    return found
  }

  /** An account on a clock of its own. Other tests' accounts may be due as well: each looks for its own. */
  async function open() {
    const [clock, key] = [stoppedClock(), { userId: await bench.newUser(), creditType: 'calling' }]
    return {
      clock,
      key,
      change: (work: (posting: Posting) => void, load = {}) =>
        change(bench.store, key, clock.now(), work, { load: { schedules: true, ...load } }),
      isDue: async (expiringWithinSeconds: number | null = null) => {
        const due = await findAll(clock.now(), expiringWithinSeconds)
        const own = due.filter(({ userId }) => userId === key.userId)
        expect([[], [key]]).toContainEqual(own)
        return own.length === 1
      },
    }
  }

  const daily: PlanGrant = {
    creditType: 'calling',
    amount: 10,
    every: 'day',
    rolloverMax: null,
    source: 'promotional',
    priority: 0,
    trialAmount: 0,
    graceSeconds: 0,
  }

  describe('what is due', () => {
    it('is a grant that has ended with free credits, from the moment itself until it is written', async () => {
      const { clock, change, isDue } = await open()
      await change((posting) => addCredits(posting, addition(10, { expiresAt: later(clock, HOUR) })))
      clock.advance(HOUR - 1)
      expect(await isDue()).toBe(false)
      clock.advance(1)
      expect(await isDue()).toBe(true)
      await change(() => undefined)
      expect(await isDue()).toBe(false)
    })

    it('is such a grant also when others burn before it', async () => {
      const { clock, change, isDue } = await open()
      await change((posting) => addCredits(posting, addition(10, { priority: -1 })))
      await change((posting) => addCredits(posting, addition(10, { expiresAt: later(clock, HOUR) })))
      clock.advance(HOUR)
      expect(await isDue()).toBe(true)
    })

    it('is no grant that was used up, voided, or never ends', async () => {
      const { clock, change, isDue } = await open()
      const [used, voided] = [1, 2].map(() => addition(10, { expiresAt: later(clock, HOUR) }))
      await change((posting) => {
        if (used !== undefined) addCredits(posting, used)
        deductCredits(posting, { ...details(), amount: 10 })
        if (voided !== undefined) addCredits(posting, voided)
        addCredits(posting, addition(5))
      })
      await change((posting) => voidGrant(posting, voided?.grantId ?? '', details()))
      clock.advance(2 * HOUR)
      expect(await isDue()).toBe(false)
    })

    it('is a hold whose time has run out, until that is written', async () => {
      const { clock, change, isDue } = await open()
      await change((posting) => addCredits(posting, addition(10)))
      await change((posting) => holdCredits(posting, { ...details(), amount: 4, expiresInSeconds: 60 }))
      clock.advance(60 * SECOND - 1)
      expect(await isDue()).toBe(false)
      clock.advance(1)
      expect(await isDue()).toBe(true)
      await change(() => undefined)
      expect(await isDue()).toBe(false)
    })

    it('is no hold that has ended, and no grant whose last credits are held', async () => {
      const { clock, change, isDue } = await open()
      const captured = details()
      await change((posting) => addCredits(posting, addition(10, { expiresAt: later(clock, HOUR) })))
      await change((posting) => holdCredits(posting, { ...captured, amount: 4, expiresInSeconds: 60 }))
      await change((posting) => holdCredits(posting, { ...details(), amount: 6, expiresInSeconds: 86_400 }))
      const whole = { amount: null, final: true, allowOver: false }
      await change((posting) => captureHold(posting, named(posting.holds, captured.id), whole, details()), {
        holds: [captured.id],
      })
      clock.advance(2 * HOUR)
      expect(await isDue()).toBe(false)
      clock.advance(DAY)
      expect(await isDue()).toBe(true)
    })

    it('is an active schedule whose period has ended, until the next is written', async () => {
      const { clock, change, isDue } = await open()
      const plan = { plan: 'pro', subscriptionId: null, anchorAt: null }
      await change((posting) => assignPlan(posting, { ...plan, grants: [daily] }))
      clock.advance(DAY - 1)
      expect(await isDue()).toBe(false)
      clock.advance(1)
      expect(await isDue()).toBe(true)
      await change(() => undefined)
      expect(await isDue()).toBe(false)
      await change((posting) => deductCredits(posting, { ...details(), amount: 20 }))
      await change((posting) => assignPlan(posting, { ...plan, grants: [] }))
      clock.advance(5 * DAY)
      expect(await isDue()).toBe(false)
    })

    it('is told once per account, however much of it is due', async () => {
      const { clock, change, isDue } = await open()
      await change((posting) => {
        for (const amount of [1, 2, 3]) addCredits(posting, addition(amount, { expiresAt: later(clock, HOUR) }))
        assignPlan(posting, { plan: 'pro', subscriptionId: null, anchorAt: null, grants: [daily] })
      })
      for (const amount of [1, 2])
        await change((posting) => holdCredits(posting, { ...details(), amount, expiresInSeconds: 60 }))
      clock.advance(2 * DAY)
      expect(await isDue()).toBe(true)
    })

    it("is judged by the store's own clock where none is given", async () => {
      const key = { userId: await bench.newUser(), creditType: 'calling' }
      const at = (hours: number) => new Date(Date.now() + hours * HOUR)
      const scraping = { ...key, creditType: 'scraping' }
      await change(bench.store, key, at(-3), (posting) => addCredits(posting, addition(1, { expiresAt: at(-2) })))
      await change(bench.store, scraping, at(-3), (posting) => addCredits(posting, addition(1, { expiresAt: at(2) })))
      const found: AccountKey[] = []
      for (let after: DueQuery['after'] = null; ;) {
        const page = await bench.store.findDue({ now: null, expiringWithinSeconds: null, limit: 100, after })
        found.push(...page)
        after = page.at(-1) ?? null
        if (page.length < 100) break
      }
      expect(found).toContainEqual(key)
      expect(found).not.toContainEqual(scraping)
    })
  })

  describe('what will end soon', () => {
    it('is found so many seconds before, where asked for, until it was announced', async () => {
      const { clock, change, isDue } = await open()
      const { id } = details()
      await change((posting) => addCredits(posting, addition(10, { grantId: id, expiresAt: later(clock, HOUR) })))
      expect(await isDue(3599)).toBe(false)
      expect(await isDue(3600)).toBe(true)
      expect(await isDue(null)).toBe(false)
      await change((posting) => posting.noticeExpiry(id))
      expect((await bench.store.findGrant(id))?.noticedAt).toEqual(clock.now())
      expect(await isDue(3600)).toBe(false)
      await change((posting) => posting.changeExpiry(id, later(clock, HOUR / 2)))
      expect(await isDue(3600)).toBe(true)
    })

    it('is no grant with nothing left, none that was voided, and none without an end', async () => {
      const { clock, change, isDue } = await open()
      const voided = addition(10, { expiresAt: later(clock, HOUR) })
      await change((posting) => {
        addCredits(posting, addition(10, { expiresAt: later(clock, HOUR) }))
        deductCredits(posting, { ...details(), amount: 10 })
        addCredits(posting, voided)
        addCredits(posting, addition(5))
      })
      await change((posting) => voidGrant(posting, voided.grantId, details()))
      expect(await isDue(7200)).toBe(false)
    })
  })

  describe('finding what is due', () => {
    it('goes on after the last account of a page, whatever its length, in one order', async () => {
      const clock = stoppedClock('2019-01-01T00:00:00.000Z')
      const keys = (await Promise.all(times(5, () => bench.newUser()))).flatMap((userId) =>
        ['calling', 'scraping'].map((creditType) => ({ userId, creditType })),
      )
      for (const key of keys)
        await change(bench.store, key, clock.now(), (posting) =>
          addCredits(posting, addition(10, { expiresAt: later(clock, HOUR) })),
        )
      const now = later(clock, HOUR)
      const whole = await findAll(now, null)
      for (const key of keys) expect(whole).toContainEqual(key)
      for (const limit of [1, 3, whole.length]) expect(await findAll(now, null, limit)).toEqual(whole)
    })
  })
}
