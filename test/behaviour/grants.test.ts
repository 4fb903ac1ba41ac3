import { describe, expect, it } from 'vitest'
import { type CreditServiceOptions, GrantNotFoundError } from '../../src/index.js'
import { DAY, expectSound, later, SECOND } from '../conformance/credit-store/bench.js'
import { buyCredits } from './purchase.js'
import { HOUR, ledgerOf, onEveryStore } from './stage.js'

onEveryStore('grants', (open) => {
  describe('the list of grants', () => {
    it('is in burn-down order per credit type, scheduled ones among them, with what is left of each', async () => {
      const { credits, userId, clock } = open()
      const add = { userId, amount: 10, creditType: 'calling', description: 'Grant' } as const
      const last = await credits.addCredits({ ...add, priority: 1 })
      const never = await credits.addCredits(add)
      const scheduled = await credits.addCredits({
        ...add,
        effectiveAt: later(clock, HOUR),
        expiresAt: later(clock, DAY),
      })
      const soon = await credits.addCredits({ ...add, expiresAt: later(clock, DAY) })
      const other = await credits.addCredits({ ...add, creditType: 'scraping' })
      await credits.deductCredits(userId, 3, 'calling', 'Use')
      await credits.holdCredits({ ...add, amount: 2 })
      const listed = await credits.getGrants(userId, 'calling')
      expect(listed.map(({ id, remaining, held }) => [id, remaining, held])).toEqual([
        [soon.id, 5, 2],
        [scheduled.id, 10, 0],
        [never.id, 10, 0],
        [last.id, 10, 0],
      ])
      expect(listed[1]).toEqual({
        id: scheduled.id,
        userId,
        creditType: 'calling',
        amount: 10,
        remaining: 10,
        held: 0,
        source: 'adjustment',
        priority: 0,
        effectiveAt: later(clock, HOUR),
        expiresAt: later(clock, DAY),
        voidedAt: null,
        paidAmount: null,
        currency: null,
        purchaseId: null,
        createdAt: clock.now(),
        costBasis: null,
      })
      const all = await credits.getGrants(userId)
      expect(all).toHaveLength(5)
      expect(all.filter(({ creditType }) => creditType === 'calling')).toEqual(listed)
      expect(all.find(({ creditType }) => creditType === 'scraping')).toMatchObject({ id: other.id })
    })

    it('leaves out what is used up, has ended or was voided, and is empty for somebody unknown', async () => {
      const { credits, userId, clock, newUser } = open()
      const add = { userId, amount: 10, creditType: 'calling', description: 'Grant' } as const
      await credits.addCredits({ ...add, priority: -1 })
      await credits.deductCredits(userId, 10, 'calling', 'All of it')
      await credits.addCredits({ ...add, expiresAt: later(clock, HOUR) })
      const { id: grantId } = await credits.addCredits(add)
      await credits.voidGrant({ grantId, reason: 'Mistake' })
      const { id: kept } = await credits.addCredits(add)
      expect(await credits.getGrants(userId)).toHaveLength(2)
      clock.advance(HOUR)
      expect((await credits.getGrants(userId)).map(({ id }) => id)).toEqual([kept])
      expect(await credits.getGrants(newUser())).toEqual([])
    })

    it('tells what was paid for the credits that are left, held ones included, rounded down', async () => {
      const { credits, userId } = open()
      const { id: grantId } = await credits.addCredits({
        userId,
        amount: 300,
        creditType: 'calling',
        description: 'Sold elsewhere',
        transactionType: 'purchase',
        paidAmount: 1000,
        currency: 'eur',
      })
      const grant = async () => (await credits.getGrants(userId))[0]
      expect(await grant()).toMatchObject({ id: grantId, paidAmount: 1000, currency: 'eur', costBasis: 1000 })
      await credits.deductCredits(userId, 100, 'calling', 'Use')
      expect(await grant()).toMatchObject({ remaining: 200, paidAmount: 1000, costBasis: 666 })
      await credits.holdCredits({ userId, amount: 199, creditType: 'calling', description: 'Hold' })
      expect(await grant()).toMatchObject({ remaining: 1, held: 199, costBasis: 666 })
      await credits.deductCredits(userId, 1, 'calling', 'Use')
      expect(await grant()).toMatchObject({ remaining: 0, held: 199, costBasis: 663 })
    })

    it('knows the purchase a grant came from, and what was paid for it', async () => {
      const stage = open()
      const { credits, purchaseId } = await buyCredits(stage, { credits: 100, price: 999 })
      expect(await credits.getGrants(stage.userId)).toMatchObject([
        { id: purchaseId, purchaseId, source: 'purchase', paidAmount: 999, currency: 'usd', costBasis: 999 },
      ])
    })
  })

  describe('voiding a grant', () => {
    it('ends its free credits at once, with the reason and who did it', async () => {
      const { credits, userId, clock } = open()
      const { id: grantId } = await credits.addCredits(userId, 100, 'calling', 'Welcome')
      await credits.addCredits(userId, 10, 'calling', 'Other')
      await credits.deductCredits(userId, 30, 'calling', 'Use')
      const metadata = { ticket: 7 }
      const voided = await credits.voidGrant({ grantId, reason: 'Fraud', actor: 'admin-1', metadata, userId })
      expect(voided).toMatchObject({ id: grantId, amount: 100, remaining: 0, held: 0, voidedAt: clock.now() })
      expect((await credits.getTransactionHistory(userId))[0]).toMatchObject({
        transactionType: 'void',
        amount: -70,
        balanceAfter: 10,
        description: 'Fraud',
        actor: 'admin-1',
        metadata,
        allocations: [{ grantId, amount: 70 }],
      })
      expect(await credits.getBalance(userId, 'calling')).toBe(10)
      await expect(credits.deductCredits(userId, 11, 'calling', 'Too much')).rejects.toThrow('Available: 10')
      await expectSound(credits, userId)
    })

    it('a second time, or when nothing is left of it, changes nothing', async () => {
      const { credits, userId } = open()
      const { id: grantId } = await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const { id: used } = await credits.addCredits({
        userId,
        amount: 5,
        creditType: 'calling',
        description: 'First',
        priority: -1,
      })
      await credits.deductCredits(userId, 5, 'calling', 'Use')
      await credits.voidGrant({ grantId, reason: 'Fraud' })
      const before = await ledgerOf(credits, userId)
      expect(await credits.voidGrant({ grantId, reason: 'Again' })).toMatchObject({ remaining: 0 })
      expect(await credits.voidGrant({ grantId: used, reason: 'Used up' })).toMatchObject({
        remaining: 0,
        voidedAt: null,
      })
      expect(await ledgerOf(credits, userId)).toEqual(before)
      await expectSound(credits, userId)
    })

    it('repeated with its key changes nothing; the key of something else is a conflict', async () => {
      const { credits, userId } = open()
      const { id: grantId } = await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const { id: other } = await credits.addCredits(userId, 10, 'calling', 'Other')
      const input = { grantId, reason: 'Fraud', idempotencyKey: 'void' }
      const first = await credits.voidGrant(input)
      expect(await credits.voidGrant(input)).toEqual(first)
      await expect(credits.voidGrant({ ...input, grantId: other })).rejects.toMatchObject({ field: 'grantId' })
      await expect(credits.voidGrant({ ...input, reason: 'Other' })).rejects.toMatchObject({ field: 'reason' })
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100', 'adjustment 10', 'void -100'])
    })

    it('does not find the grant of somebody else, nor one that does not exist', async () => {
      const { credits, userId, newUser } = open()
      const { id: grantId } = await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const stranger = newUser()
      for (const wrong of [{ grantId, userId: stranger }, { grantId: stranger.slice(5) }, { grantId: 'g1' }]) {
        const refused = credits.voidGrant({ ...wrong, reason: 'Fraud' })
        await expect(refused).rejects.toBeInstanceOf(GrantNotFoundError)
        await expect(refused).rejects.toThrow(/^Grant not found$/)
      }
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
    })

    it('that has not begun ends it, too', async () => {
      const { credits, userId, clock } = open()
      const effectiveAt = later(clock, HOUR)
      const add = { userId, amount: 10, creditType: 'calling', description: 'Later', effectiveAt } as const
      const { id: grantId } = await credits.addCredits(add)
      await credits.voidGrant({ grantId, reason: 'Mistake' })
      clock.advance(HOUR)
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      await expectSound(credits, userId)
    })

    it('makes a refund of what it paid void at once', async () => {
      const { credits, userId } = open()
      const { id: grantId } = await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const use = await credits.deductCredits(userId, 30, 'calling', 'Use')
      await credits.voidGrant({ grantId, reason: 'Fraud' })
      await credits.refundCredits(use.id)
      expect((await ledgerOf(credits, userId)).slice(2)).toEqual(['void -70', 'refund 30', 'void -30'])
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      await expectSound(credits, userId)
    })
  })

  describe('the end of grants', () => {
    it('C3 two sweepers at once: one expiry row per lot, and the history explains the drop', async () => {
      const { credits, userId, clock, service } = open()
      const add = { userId, amount: 100, creditType: 'calling', description: 'Short' } as const
      const lots = []
      for (const seconds of [1, 2, 3]) {
        lots.push((await credits.addCredits({ ...add, expiresAt: later(clock, seconds * SECOND) })).id)
      }
      await credits.deductCredits(userId, 30, 'calling', 'Use')
      clock.advance(HOUR)
      await Promise.all([service().runDue(), service().runDue(), service().runDue()])
      const rows = (await credits.getTransactionHistory(userId)).reverse().slice(4)
      expect(
        rows.map(({ transactionType, amount, allocations }) => ({ transactionType, amount, allocations })),
      ).toEqual([
        { transactionType: 'expiration', amount: -70, allocations: [{ grantId: lots[0], amount: 70 }] },
        { transactionType: 'expiration', amount: -100, allocations: [{ grantId: lots[1], amount: 100 }] },
        { transactionType: 'expiration', amount: -100, allocations: [{ grantId: lots[2], amount: 100 }] },
      ])
      expect(rows.map(({ balanceAfter }) => balanceAfter)).toEqual([200, 100, 0])
      await service().runDue()
      expect(await credits.getTransactionHistory(userId)).toHaveLength(7)
      await expectSound(credits, userId)
    })

    it('C7 expires_at == now: over for read, deduct and sweep alike, and a millisecond before for none of them', async () => {
      const { credits, userId, clock } = open()
      const add = { userId, amount: 100, creditType: 'calling', description: 'Short' } as const
      await credits.addCredits({ ...add, expiresAt: later(clock, HOUR) })
      clock.advance(HOUR - 1)
      await credits.runDue()
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100'])
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      expect(await credits.getGrants(userId)).toHaveLength(1)
      await credits.deductCredits(userId, 1, 'calling', 'In time')
      clock.advance(1)
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      expect(await credits.getGrants(userId)).toEqual([])
      await expect(credits.deductCredits(userId, 1, 'calling', 'Too late')).rejects.toThrow('Available: 0')
      await expect(credits.holdCredits({ ...add, amount: 1 })).rejects.toThrow('Available: 0')
      await credits.runDue()
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100', 'usage -1', 'expiration -99'])
      await expectSound(credits, userId)
    })

    it('C9 a renewal that caps or replaces what is left never reduces purchased lots', async () => {
      const stage = open()
      const { clock } = stage
      const monthly = { creditType: 'calling', amount: 100, every: 'month' } as const
      const plans: NonNullable<CreditServiceOptions['plans']> = {
        replacing: { grants: [monthly] },
        capped: { grants: [{ ...monthly, rollover: { max: 20 } }] },
      }
      for (const [plan, left] of [
        ['replacing', 100],
        ['capped', 120],
      ] as const) {
        const own = { ...stage, userId: stage.newUser() }
        const { purchaseId } = await buyCredits(own, { credits: 300 })
        const credits = stage.service({ plans })
        await credits.startPlan({ userId: own.userId, plan })
        clock.advance(31 * DAY)
        expect(await credits.getBalance(own.userId, 'calling')).toBe(300 + left)
        await credits.runDue()
        expect(await credits.getBalance(own.userId, 'calling')).toBe(300 + left)
        const grants = await credits.getGrants(own.userId)
        expect(grants.find(({ id }) => id === purchaseId)).toMatchObject({ amount: 300, remaining: 300 })
        await expectSound(credits, own.userId)
      }
    })
  })

  describe('a payment', () => {
    it('B7 whose events come again 30 days later credits nothing more', async () => {
      const stage = open()
      const { credits, redeliver } = await buyCredits(stage, { credits: 100 })
      await credits.deductCredits(stage.userId, 40, 'calling', 'Use')
      stage.clock.advance(30 * DAY)
      await redeliver()
      expect(await ledgerOf(credits, stage.userId)).toEqual(['purchase 100', 'usage -40'])
      expect(await credits.getBalance(stage.userId, 'calling')).toBe(60)
    })
  })
})
