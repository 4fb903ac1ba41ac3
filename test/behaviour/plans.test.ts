import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService, InvalidInputError } from '../../src/index.js'
import { DAY, expectSound, outcomes, times } from '../conformance/credit-store/bench.js'
import { grantedByPlans, ledger, planned } from './planning.js'
import { HOUR, onEveryStore } from './stage.js'

onEveryStore('a plan', (open) => {
  it('grants the credits of the running period at once, until the period ends', async () => {
    const { userId, ...stage } = open()
    const credits = planned(stage)
    const nextAt = new Date('2026-04-10T12:00:00.000Z')
    const basic = { creditType: 'calling', amount: 100, every: 'month', rolloverMax: 0, nextAt }
    expect(await credits.startPlan({ userId, plan: 'basic' })).toEqual({
      plan: 'basic',
      status: 'active',
      grants: [basic],
    })
    expect(await credits.getPlan(userId)).toEqual({ plan: 'basic', status: 'active', grants: [basic] })
    expect(await credits.getTransactionHistory(userId)).toMatchObject([
      {
        transactionType: 'adjustment',
        amount: 100,
        description: 'Plan credits: basic',
        referenceId: 'basic',
        referenceType: 'plan',
        effectiveAt: new Date('2026-03-10T12:00:00.000Z'),
      },
    ])
    expect(await credits.getGrants(userId)).toMatchObject([
      { amount: 100, remaining: 100, source: 'promotional', priority: 0, expiresAt: nextAt },
    ])
    await expectSound(credits, userId)
  })

  it('is nobody’s before it is started', async () => {
    const { userId, ...stage } = open()
    const credits = planned(stage)
    expect(await credits.getPlan(userId)).toBeNull()
    expect(await credits.endPlan({ userId })).toBeNull()
    expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
  })

  it('G7 anchored on 31 January grants on 28 February and on 31 March', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    clock.set('2026-01-31T10:00:00.000Z')
    await credits.startPlan({ userId, plan: 'basic' })
    for (const [last, next] of [
      ['2026-02-28T09:59:59.999Z', '2026-02-28T10:00:00.000Z'],
      ['2026-03-31T09:59:59.999Z', '2026-03-31T10:00:00.000Z'],
      ['2026-04-30T09:59:59.999Z', '2026-04-30T10:00:00.000Z'],
    ] as const) {
      clock.set(last)
      await credits.deductCredits(userId, 1, 'calling', 'The last call of the period')
      clock.set(next)
      await credits.deductCredits(userId, 1, 'calling', 'The first of the next')
    }
    expect((await ledger(credits, userId)).filter((row) => row.startsWith('adj'))).toEqual([
      'adjustment 100 @ 2026-01-31',
      'adjustment 100 @ 2026-02-28',
      'adjustment 100 @ 2026-03-31',
      'adjustment 100 @ 2026-04-30',
    ])
    expect(await credits.getBalance(userId, 'calling')).toBe(99)
  })

  it.each([
    ['daily', '2026-03-11T12:00:00.000Z', 10],
    ['weekly', '2026-03-17T12:00:00.000Z', 10],
    ['basic', '2026-04-10T12:00:00.000Z', 100],
    ['yearly', '2027-03-10T12:00:00.000Z', 1000],
  ])('in its rhythm grants anew with the first millisecond of the next period: %s', async (plan, next, amount) => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan })
    await credits.deductCredits(userId, amount, 'calling', 'Everything')
    clock.set(next)
    clock.advance(-1)
    await expect(credits.deductCredits(userId, 1, 'calling', 'Too early')).rejects.toMatchObject({ available: 0 })
    clock.advance(1)
    expect(await credits.deductCredits(userId, amount, 'calling', 'Everything')).toMatchObject({ balanceAfter: 0 })
    expect(await grantedByPlans(credits, userId)).toBe(2 * amount)
  })

  it('that is due is there for whoever asks first, with nobody sweeping', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    await credits.startPlan({ userId, plan: 'basic' })
    await credits.deductCredits(userId, 30, 'calling', 'Call')
    clock.set('2026-04-10T12:00:00.000Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    expect(await credits.checkBalance(userId, 'calling', 100)).toMatchObject({ hasSufficient: true })
    expect((await credits.getAllBalances(userId)).calling).toMatchObject({
      balance: 100,
      nextExpiry: new Date('2026-05-10T12:00:00.000Z'),
    })
    await credits.deductCredits(userId, 100, 'calling', 'Call')
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-03-10',
      'usage -30',
      'expiration -70 @ 2026-04-10',
      'adjustment 100 @ 2026-04-10',
      'usage -100',
    ])
    await expectSound(credits, userId)
  })

  it('grants one period once, whoever comes across it and how many at once', async () => {
    const { userId, clock, ...stage } = open()
    const [credits, other] = [planned(stage), planned(stage)]
    await credits.startPlan({ userId, plan: 'basic' })
    clock.set('2026-04-10T12:00:00.000Z')
    const { codes } = await outcomes<unknown>([
      ...times(8, (index) => (index % 2 === 0 ? credits : other).deductCredits(userId, 10, 'calling', 'Call')),
      ...times(4, (index) => (index % 2 === 0 ? credits : other).runDue()),
      credits.startPlan({ userId, plan: 'basic' }),
      credits.addCredits(userId, 1, 'calling', 'Gift'),
    ])
    expect(codes).toEqual({})
    expect(await grantedByPlans(credits, userId)).toBe(200)
    expect(await credits.getBalance(userId, 'calling')).toBe(21)
    await expectSound(credits, userId)
  })

  it('G7 catches up on periods that nobody came across, each with its own beginning and end', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    clock.set('2026-01-31T10:00:00.000Z')
    await credits.startPlan({ userId, plan: 'basic' })
    await credits.deductCredits(userId, 60, 'calling', 'Call')
    clock.set('2026-04-15T00:00:00.000Z')
    await credits.runDue()
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-01-31',
      'usage -60',
      'expiration -40 @ 2026-02-28',
      'adjustment 100 @ 2026-02-28',
      'expiration -100 @ 2026-03-31',
      'adjustment 100 @ 2026-03-31',
    ])
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    await expectSound(credits, userId)
  })

  it('that saves what is left catches up on the same credits, swept in between or not', async () => {
    const balances = []
    for (const isSwept of [true, false]) {
      const { userId, clock, ...stage } = open()
      const credits = planned(stage)
      for (const plan of ['saving', 'capped']) {
        const saver = `${userId}-${plan}`
        clock.set('2026-01-31T10:00:00.000Z')
        await credits.startPlan({ userId: saver, plan })
        for (const day of ['2026-02-28', '2026-03-31', '2026-04-30']) {
          clock.set(`${day}T10:00:00.000Z`)
          if (isSwept) await credits.runDue()
        }
        await credits.deductCredits(saver, 1, 'calling', 'Call')
        balances.push(await credits.getBalance(saver, 'calling'))
        await expectSound(credits, saver)
      }
    }
    expect(balances).toEqual([399, 129, 399, 129])
  })

  it('of several credit types and rhythms grants and renews each for itself', async () => {
    const { userId, clock, ...stage } = open()
    const credits = planned(stage)
    const { grants } = await credits.startPlan({ userId, plan: 'team' })
    expect(grants).toHaveLength(3)
    expect(await credits.getAllBalances(userId)).toMatchObject({ calling: { balance: 55 }, scraping: { balance: 7 } })
    await credits.deductCredits(userId, 55, 'calling', 'Everything')
    clock.advance(DAY)
    expect(await credits.getAllBalances(userId)).toMatchObject({ calling: { balance: 5 }, scraping: { balance: 7 } })
    clock.set('2026-04-10T12:00:00.000Z')
    expect(await credits.getAllBalances(userId)).toMatchObject({ calling: { balance: 55 }, scraping: { balance: 7 } })
    await expectSound(credits, userId)
  })

  it('goes on as it was when its name is no longer configured', async () => {
    const { userId, clock, ...stage } = open()
    await planned(stage).startPlan({ userId, plan: 'basic' })
    const without = planned(stage, {})
    clock.set('2026-04-10T12:00:00.000Z')
    await without.deductCredits(userId, 100, 'calling', 'Call')
    expect(await without.getPlan(userId)).toMatchObject({ plan: 'basic', status: 'active' })
    expect(await without.endPlan({ userId })).toMatchObject({ plan: 'basic', status: 'ended' })
  })

  describe('with an anchor', () => {
    it('in the past grants the running period from its beginning, and nothing of those before', async () => {
      const { userId, ...stage } = open()
      const credits = planned(stage)
      const anchor = new Date('2025-12-31T18:00:00.000Z')
      const { grants } = await credits.startPlan({ userId, plan: 'basic', anchor })
      expect(grants).toMatchObject([{ nextAt: new Date('2026-03-31T18:00:00.000Z') }])
      expect(await ledger(credits, userId)).toEqual(['adjustment 100 @ 2026-02-28'])
    })

    it('in the future grants nothing before, and the first period with its first millisecond', async () => {
      const { userId, clock, ...stage } = open()
      const credits = planned(stage)
      const anchor = new Date('2026-03-15T00:00:00.000Z')
      const { grants } = await credits.startPlan({ userId, plan: 'basic', anchor })
      expect(grants).toMatchObject([{ nextAt: anchor }])
      clock.set('2026-03-14T23:59:59.999Z')
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      await expect(credits.deductCredits(userId, 1, 'calling', 'Too early')).rejects.toMatchObject({ available: 0 })
      clock.advance(1)
      await credits.deductCredits(userId, 40, 'calling', 'Call')
      expect(await ledger(credits, userId)).toEqual(['adjustment 100 @ 2026-03-15', 'usage -40'])
      expect((await credits.getPlan(userId))?.grants[0]?.nextAt).toEqual(new Date('2026-04-15T00:00:00.000Z'))
    })

    it('in the future that is given up can be started at once', async () => {
      const { userId, ...stage } = open()
      const credits = planned(stage)
      await credits.startPlan({ userId, plan: 'basic', anchor: new Date('2026-03-25T00:00:00.000Z') })
      await credits.endPlan({ userId })
      await credits.startPlan({ userId, plan: 'basic' })
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
    })
  })

  describe('repeated with its key', () => {
    it('is started once', async () => {
      const { userId, clock, ...stage } = open()
      const credits = planned(stage)
      const start = { userId, plan: 'basic', idempotencyKey: 'sub-1' }
      const { codes } = await outcomes(times(5, () => credits.startPlan(start)))
      expect(codes).toEqual({})
      clock.advance(HOUR)
      await credits.endPlan({ userId, idempotencyKey: 'end-1' })
      expect(await credits.startPlan(start)).toMatchObject({ plan: 'basic', status: 'ended' })
      expect(await ledger(credits, userId)).toEqual(['adjustment 100 @ 2026-03-10'])
    })

    it('is not changed again after another change', async () => {
      const { userId, ...stage } = open()
      const credits = planned(stage)
      await credits.startPlan({ userId, plan: 'basic' })
      const change = { userId, plan: 'pro', idempotencyKey: 'change-1' }
      await credits.changePlan(change)
      await credits.changePlan({ userId, plan: 'basic', idempotencyKey: 'change-2' })
      expect(await credits.changePlan(change)).toMatchObject({ plan: 'basic', status: 'active' })
    })

    it('but another plan or anchor is a conflict', async () => {
      const { userId, ...stage } = open()
      const credits = planned(stage)
      const start = { userId, plan: 'basic', idempotencyKey: 'sub-1' }
      await credits.startPlan(start)
      const conflict = (field: string) => ({ code: 'IDEMPOTENCY_CONFLICT', field })
      await expect(credits.startPlan({ ...start, plan: 'pro' })).rejects.toMatchObject(conflict('plan'))
      await expect(credits.changePlan(start)).rejects.toMatchObject(conflict('operation'))
      const anchored = credits.startPlan({ ...start, anchor: new Date('2026-01-01T00:00:00Z') })
      await expect(anchored).rejects.toMatchObject(conflict('anchor'))
    })
  })

  describe('is refused, with nothing written,', () => {
    it('when it is unknown', async () => {
      const { userId, ...stage } = open()
      const credits = planned(stage, { basic: { grants: [{ creditType: 'calling', amount: 1, every: 'day' }] } })
      for (const ask of [
        () => credits.startPlan({ userId, plan: 'gold' }),
        () => credits.changePlan({ userId, plan: 'gold' }),
      ]) {
        const asking = ask()
        await expect(asking).rejects.toBeInstanceOf(InvalidInputError)
        await expect(asking).rejects.toThrow('plan: "gold" is not configured; known: basic')
      }
      expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
    })

    it('when the user has another one, or none to change', async () => {
      const { userId, ...stage } = open()
      const credits = planned(stage)
      await expect(credits.changePlan({ userId, plan: 'pro' })).rejects.toThrow(
        'plan: the user has no plan to change; use startPlan',
      )
      await credits.startPlan({ userId, plan: 'basic' })
      await expect(credits.startPlan({ userId, plan: 'pro', idempotencyKey: 'sub-1' })).rejects.toThrow(
        'plan: the user already has the plan "basic"; use changePlan',
      )
      expect(await ledger(credits, userId)).toEqual(['adjustment 100 @ 2026-03-10'])
      await credits.endPlan({ userId })
      await expect(credits.changePlan({ userId, plan: 'pro' })).rejects.toBeInstanceOf(InvalidInputError)
      expect(await credits.startPlan({ userId, plan: 'pro', idempotencyKey: 'sub-1' })).toMatchObject({ plan: 'pro' })
    })

    it('when two are started at once: the user has exactly one of them', async () => {
      const { userId, ...stage } = open()
      const credits = planned(stage)
      const { codes } = await outcomes([
        credits.startPlan({ userId, plan: 'basic' }),
        credits.startPlan({ userId, plan: 'team' }),
      ])
      expect(codes).toEqual({ INVALID_INPUT: 1 })
      const plan = (await credits.getPlan(userId))?.plan
      expect(await credits.getBalance(userId, 'calling')).toBe(plan === 'basic' ? 100 : 55)
    })
  })
})

describe('plans in the options', () => {
  const day = { creditType: 'calling', amount: 1, every: 'day' }
  const wrong: Record<string, unknown> = {
    'without grants': { grants: [] },
    'of 0 credits': { grants: [{ ...day, amount: 0 }] },
    'of half a credit': { grants: [{ ...day, amount: 0.5 }] },
    'per fortnight': { grants: [{ ...day, every: 'fortnight' }] },
    'of an unknown credit type': { grants: [{ ...day, creditType: 'gold' }] },
    'from an unknown source': { grants: [{ ...day, source: 'lottery' }] },
    'that roll 0 credits over': { grants: [{ ...day, rollover: { max: 0 } }] },
    'with a field nobody knows': { grants: [{ ...day, amout: 5 }] },
    'that grant one credit type twice in one rhythm': { grants: [day, { ...day, amount: 2 }] },
  }
  it.each(Object.keys(wrong))('%s are refused when the service is made', (name) => {
    const make = () =>
      Reflect.construct(CreditService, [{ store: memoryStore(), plans: { odd: wrong[name] } }]) as unknown
    expect(make).toThrow(InvalidInputError)
  })

  it('may be none: the error says so', async () => {
    const credits = new CreditService({ store: memoryStore() })
    await expect(credits.startPlan({ userId: 'ann', plan: 'basic' })).rejects.toThrow(
      '"basic" is not configured; known: none',
    )
  })
})
