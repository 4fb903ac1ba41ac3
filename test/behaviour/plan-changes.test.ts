import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { expectSound, outcomes, times } from '../conformance/credit-store/bench.js'
import { grantedByPlans, ledger, planned, PLANS } from './planning.js'
import { onEveryStore, openStage } from './stage.js'

const NEXT_PERIOD = '2026-04-10T12:00:00.000Z'
const PERIOD_AFTER = '2026-05-10T12:00:00.000Z'

onEveryStore('a change of plans', (open) => {
  it('to a larger one grants the difference, until the end of the running period', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'basic' })
    await credits.deductCredits(userId, 80, 'calling', 'Call')
    clock.set('2026-03-20T00:00:00.000Z')
    expect(await credits.changePlan({ userId, plan: 'pro' })).toMatchObject({
      plan: 'pro',
      status: 'active',
      grants: [{ amount: 250, nextAt: new Date(NEXT_PERIOD) }],
    })
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-03-10',
      'usage -80',
      'adjustment 150 @ 2026-03-20',
    ])
    expect((await credits.getGrants(userId)).map(({ expiresAt }) => expiresAt)).toEqual([
      new Date(NEXT_PERIOD),
      new Date(NEXT_PERIOD),
    ])
    clock.set(NEXT_PERIOD)
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    await expectSound(credits, userId)
  })

  it('to a smaller one takes nothing, and grants the smaller amount from the next period on', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'pro' })
    await credits.changePlan({ userId, plan: 'basic' })
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    clock.set(NEXT_PERIOD)
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
  })

  it('to and fro gains nothing, nor does ending and starting again within the period', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'basic' })
    for (let turns = 0; turns < 3; turns += 1) {
      await credits.changePlan({ userId, plan: 'pro' })
      await credits.deductCredits(userId, 50, 'calling', 'Call')
      await credits.changePlan({ userId, plan: 'basic' })
      await credits.endPlan({ userId })
      await credits.startPlan({ userId, plan: turns === 1 ? 'pro' : 'basic' })
      if (turns === 1) await credits.changePlan({ userId, plan: 'basic' })
      clock.advance(1000)
    }
    expect(await grantedByPlans(credits, userId)).toBe(250)
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    await expectSound(credits, userId)
  })

  it('to another rhythm and back gains nothing', async () => {
    const { userId, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'basic' })
    await credits.changePlan({ userId, plan: 'yearly' })
    expect(await credits.getBalance(userId, 'calling')).toBe(1100)
    for (const plan of ['basic', 'yearly', 'basic', 'yearly']) await credits.changePlan({ userId, plan })
    expect(await grantedByPlans(credits, userId)).toBe(1100)
  })

  it('to another rhythm ends what the old one granted with its period, and grants nothing more of it', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'basic' })
    await credits.changePlan({ userId, plan: 'yearly' })
    clock.set(NEXT_PERIOD)
    expect(await credits.getBalance(userId, 'calling')).toBe(1000)
    expect((await credits.getPlan(userId))?.grants).toHaveLength(1)
  })

  it('to another credit type ends the one and starts the other', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage, {
      ...PLANS,
      scraper: { grants: [{ creditType: 'scraping', amount: 9, every: 'month' }] },
    })
    await credits.startPlan({ userId, plan: 'basic' })
    const { grants } = await credits.changePlan({ userId, plan: 'scraper' })
    expect(grants.map(({ creditType }) => creditType)).toEqual(['scraping'])
    expect(await credits.getAllBalances(userId)).toMatchObject({ calling: { balance: 100 }, scraping: { balance: 9 } })
    clock.set(NEXT_PERIOD)
    expect(await credits.getAllBalances(userId)).toMatchObject({ calling: { balance: 0 }, scraping: { balance: 9 } })
  })

  it('made many times at once grants each difference once', async () => {
    const { userId, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'basic' })
    const { codes } = await outcomes(
      times(12, (index) => credits.changePlan({ userId, plan: index % 2 === 0 ? 'pro' : 'basic' })),
    )
    expect(codes).toEqual({})
    expect(await grantedByPlans(credits, userId)).toBe(250)
    await expectSound(credits, userId)
  })

  it('brings a plan up to date whose amounts were raised in the options, when it is started again', async () => {
    const { userId, clock, ...stage } = open()
    await planned(stage).startPlan({ userId, plan: 'basic' })
    const raised = planned(stage, { basic: { grants: [{ creditType: 'calling', amount: 130, every: 'month' }] } })
    clock.advance(1000)
    await raised.startPlan({ userId, plan: 'basic' })
    await raised.startPlan({ userId, plan: 'basic' })
    expect(await grantedByPlans(raised, userId)).toBe(130)
    clock.set(NEXT_PERIOD)
    expect(await raised.getBalance(userId, 'calling')).toBe(130)
  })

  it('from one that saves what is left to one that does not lets it end with the running period, and back', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'saving' })
    clock.set(NEXT_PERIOD)
    await credits.runDue()
    expect(await credits.getBalance(userId, 'calling')).toBe(200)
    const ends = async () => (await credits.getGrants(userId)).map(({ expiresAt }) => expiresAt)
    await credits.changePlan({ userId, plan: 'basic' })
    expect(await ends()).toEqual([new Date(PERIOD_AFTER), new Date(PERIOD_AFTER)])
    await credits.changePlan({ userId, plan: 'saving' })
    expect(await ends()).toEqual([null, null])
    clock.set(PERIOD_AFTER)
    expect(await credits.getBalance(userId, 'calling')).toBe(300)
    await expectSound(credits, userId)
  })
})

onEveryStore('what is left of a period', (open) => {
  it('ends with it, stays up to a maximum, or stays', async () => {
    const balances: Record<string, number[]> = {}
    for (const plan of ['basic', 'capped', 'saving']) {
      const { userId, clock, ...stage } = open()
      const credits = planned(stage)
      await credits.startPlan({ userId, plan })
      await credits.deductCredits(userId, 20, 'calling', 'Call')
      const seen = []
      for (const begins of [NEXT_PERIOD, PERIOD_AFTER]) {
        clock.set(begins)
        seen.push(await credits.getBalance(userId, 'calling'))
      }
      await credits.runDue()
      balances[plan] = [...seen, await credits.getBalance(userId, 'calling')]
      await expectSound(credits, userId)
    }
    expect(balances).toEqual({ basic: [100, 100, 100], capped: [130, 130, 130], saving: [180, 280, 280] })
  })

  it('below its maximum stays as it is', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'capped' })
    await credits.deductCredits(userId, 90, 'calling', 'Call')
    clock.set(NEXT_PERIOD)
    await credits.runDue()
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-03-10',
      'usage -90',
      'adjustment 100 @ 2026-04-10',
    ])
    expect(await credits.getBalance(userId, 'calling')).toBe(110)
  })

  it('above its maximum ends as of the end of the period, whenever that is written', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'capped' })
    clock.set('2026-04-25T00:00:00.000Z')
    await credits.deductCredits(userId, 1, 'calling', 'Call')
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-03-10',
      'expiration -70 @ 2026-04-10',
      'adjustment 100 @ 2026-04-10',
      'usage -1',
    ])
  })

  it('is counted before what a hold gives back only later, also when both are written at once', async () => {
    for (const isSwept of [true, false]) {
      const { userId, clock, ...stage } = open()
      const credits = planned(stage)
      await credits.startPlan({ userId, plan: 'capped' })
      clock.set('2026-04-10T11:59:00.000Z')
      await credits.holdCredits({
        userId,
        amount: 50,
        creditType: 'calling',
        description: 'Work',
        expiresInSeconds: 120,
      })
      clock.set(NEXT_PERIOD)
      if (isSwept) await credits.runDue()
      clock.set('2026-04-10T12:01:00.000Z')
      await credits.runDue()
      expect(await ledger(credits, userId)).toEqual([
        'adjustment 100 @ 2026-03-10',
        'expiration -20 @ 2026-04-10',
        'adjustment 100 @ 2026-04-10',
      ])
      expect(await credits.getBalance(userId, 'calling')).toBe(180)
    }
  })

  it('and is set aside by a hold can still be captured, and is gone when it is released', async () => {
    for (const isCaptured of [true, false]) {
      const { userId, clock, ...stage } = open()
      const credits = planned(stage)
      await credits.startPlan({ userId, plan: 'basic' })
      const week = 7 * 86_400
      clock.set('2026-04-09T12:00:00.000Z')
      const work = {
        userId,
        amount: 60,
        creditType: 'calling',
        description: 'Long work',
        expiresInSeconds: week,
      } as const
      const { id: holdId } = await credits.holdCredits(work)
      clock.set(NEXT_PERIOD)
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 100, held: 60 })
      if (isCaptured) await credits.captureHold({ holdId })
      else await credits.releaseHold({ holdId })
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      expect(await ledger(credits, userId)).toEqual([
        'adjustment 100 @ 2026-03-10',
        'expiration -40 @ 2026-04-10',
        'adjustment 100 @ 2026-04-10',
        isCaptured ? 'usage -60' : 'expiration -60 @ 2026-04-10',
      ])
      await expectSound(credits, userId)
    }
  })
})

onEveryStore('a plan that ends', (open) => {
  it.each(['basic', 'saving'])(
    'leaves what it granted until its period is over, and grants no more: %s',
    async (plan) => {
      const { userId, clock, ...stage } = open()
      const credits = planned(stage)
      await credits.startPlan({ userId, plan })
      expect(await credits.endPlan({ userId })).toMatchObject({ plan, status: 'ended' })
      expect(await credits.endPlan({ userId })).toMatchObject({ plan, status: 'ended' })
      clock.set(NEXT_PERIOD)
      clock.advance(-1)
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      clock.advance(1)
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      clock.set(PERIOD_AFTER)
      await credits.runDue()
      expect(await ledger(credits, userId)).toEqual(['adjustment 100 @ 2026-03-10', 'expiration -100 @ 2026-04-10'])
      await expectSound(credits, userId)
    },
  )

  it('G2 takes nothing of the credits that were bought, and neither does a change nor a new period', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    const paid = { creditType: 'calling', transactionType: 'purchase', paidAmount: 999, currency: 'usd' } as const
    await credits.addCredits({ ...paid, userId, amount: 300, description: 'Bought' })
    const bought = async () => (await credits.getGrants(userId)).filter(({ source }) => source === 'purchase')
    const before = await bought()
    await credits.startPlan({ userId, plan: 'capped' })
    await credits.changePlan({ userId, plan: 'pro' })
    clock.set(NEXT_PERIOD)
    await credits.runDue()
    await credits.changePlan({ userId, plan: 'basic' })
    clock.set(PERIOD_AFTER)
    await credits.endPlan({ userId })
    clock.set('2026-07-01T00:00:00.000Z')
    await credits.runDue()
    expect(await bought()).toEqual(before)
    expect(await credits.getBalance(userId, 'calling')).toBe(300)
    await expectSound(credits, userId)
  })

  it('begins anew from the day on which it is started again after its period', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'basic' })
    await credits.endPlan({ userId })
    clock.set('2026-06-20T08:00:00.000Z')
    const { grants } = await credits.startPlan({ userId, plan: 'basic' })
    expect(grants).toMatchObject([{ nextAt: new Date('2026-07-20T08:00:00.000Z') }])
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-03-10',
      'expiration -100 @ 2026-04-10',
      'adjustment 100 @ 2026-06-20',
    ])
  })
})

describe('any sequence of starting, changing and ending plans within one period', () => {
  type Step = { do: 'start' | 'change'; plan: string } | { do: 'end' }
  const plan = fc.constantFrom('basic', 'pro', 'saving', 'capped', 'yearly', 'team')
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('start' as const), plan }),
    fc.record({ do: fc.constant('change' as const), plan }),
    fc.constant({ do: 'end' as const }),
  )
  const AMOUNTS: Record<string, { month?: number; year?: number; day?: number }> = {
    basic: { month: 100 },
    pro: { month: 250 },
    saving: { month: 100 },
    capped: { month: 100 },
    yearly: { year: 1000 },
    team: { month: 50, day: 5 },
  }

  it('grants of each rhythm as much as the largest of its plans, and the next period what is left of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const { userId, clock, ...stage } = openStage(memoryStore())
        const credits = planned(stage)
        const had = { month: 0, year: 0, day: 0 }
        let current: string | null = null
        for (const each of steps) {
          clock.advance(60_000)
          if (each.do === 'end') {
            await credits.endPlan({ userId })
            current = null
            continue
          }
          const isAllowed: boolean = each.do === 'change' ? current !== null : current === null || current === each.plan
          const asked =
            each.do === 'change'
              ? credits.changePlan({ userId, plan: each.plan })
              : credits.startPlan({ userId, plan: each.plan })
          if (!isAllowed) {
            await expect(asked).rejects.toMatchObject({ code: 'INVALID_INPUT' })
            continue
          }
          await asked
          current = each.plan
          for (const rhythm of ['month', 'year', 'day'] as const)
            had[rhythm] = Math.max(had[rhythm], AMOUNTS[each.plan]?.[rhythm] ?? 0)
        }
        expect(await grantedByPlans(credits, userId)).toBe(had.month + had.year + had.day)
        expect(await credits.getBalance(userId, 'calling')).toBe(had.month + had.year + had.day)
        await expectSound(credits, userId)
        clock.set('2026-04-10T12:30:00.000Z')
        await credits.runDue()
        const next = current === null ? {} : AMOUNTS[current]
        const carried = current === 'saving' ? had.month : current === 'capped' ? Math.min(30, had.month) : 0
        expect(await credits.getBalance(userId, 'calling')).toBe(
          (next?.month ?? 0) + (next?.day ?? 0) + had.year + carried,
        )
        await expectSound(credits, userId)
      }),
      { numRuns: 150 },
    )
  })
})
