import { describe, expect, it } from 'vitest'
import type { RefundPolicy } from '../../src/index.js'
import { DAY, expectSound, later, outcomes, times } from '../conformance/credit-store/bench.js'
import { buyCredits } from './purchase.js'
import { HOUR, ledgerOf, onEveryStore, type OpenStage } from './stage.js'

/** 40 credits for a day and 60 for ever; 50 used after an hour, so that the day had 23 hours left. */
async function usedShortLived(open: OpenStage, refundPolicy: RefundPolicy) {
  const stage = open()
  const { service, userId, clock } = stage
  const credits = service({ refundPolicy })
  const add = { userId, amount: 60, creditType: 'calling', description: 'Grant' } as const
  const { id: lasting } = await credits.addCredits(add)
  const day = { ...add, amount: 40, expiresAt: later(clock, DAY), priority: 3, source: 'promotional' } as const
  await credits.addCredits({ ...add, amount: 1, priority: 9 })
  const { id: shortLived } = await credits.addCredits({ ...day, priority: -1, paidAmount: 500, currency: 'usd' })
  clock.advance(HOUR)
  const use = await credits.deductCredits(userId, 50, 'calling', 'Use')
  expect(use.allocations).toEqual([
    { grantId: shortLived, amount: 40 },
    { grantId: lasting, amount: 10 },
  ])
  return { ...stage, credits, shortLived, lasting, use }
}

onEveryStore('refunds', (open) => {
  describe('a refund of credits whose grant has expired meanwhile', () => {
    it('lets them end at once by default', async () => {
      const { credits, userId, clock, use } = await usedShortLived(open, 'expire')
      clock.advance(DAY)
      await credits.refundCredits(use.id)
      expect((await ledgerOf(credits, userId)).slice(4)).toEqual(['refund 50', 'expiration -40'])
      expect(await credits.getBalance(userId, 'calling')).toBe(61)
      await expectSound(credits, userId)
    })

    it('brings them back as a new grant with policy regrant, for as long as they had when they were used', async () => {
      const { credits, userId, clock, use, lasting } = await usedShortLived(open, 'regrant')
      clock.advance(5 * DAY)
      const refund = await credits.refundCredits(use.id)
      const [given] = await credits.getGrants(userId)
      expect(refund.allocations).toEqual([
        { grantId: lasting, amount: 10 },
        { grantId: given?.id, amount: 40 },
      ])
      expect(given).toMatchObject({
        amount: 40,
        remaining: 40,
        priority: -1,
        source: 'promotional',
        expiresAt: later(clock, 23 * HOUR),
        paidAmount: null,
        purchaseId: null,
      })
      expect(await credits.getBalance(userId, 'calling')).toBe(101)
      clock.advance(23 * HOUR)
      expect(await credits.getBalance(userId, 'calling')).toBe(61)
      await expectSound(credits, userId)
    })

    it('lets their grant live again with policy extend, for as long as they had when they were used', async () => {
      const { credits, userId, clock, use, shortLived } = await usedShortLived(open, 'extend')
      clock.advance(5 * DAY)
      await credits.refundCredits(use.id)
      expect((await credits.getGrants(userId))[0]).toMatchObject({
        id: shortLived,
        amount: 40,
        remaining: 40,
        expiresAt: later(clock, 23 * HOUR),
      })
      expect(await credits.getBalance(userId, 'calling')).toBe(101)
      clock.advance(23 * HOUR)
      expect(await credits.getBalance(userId, 'calling')).toBe(61)
      await expectSound(credits, userId)
    })

    it.each(['expire', 'regrant', 'extend'] as const)('changes no end that is still to come: %s', async (policy) => {
      const { credits, userId, clock, use, shortLived } = await usedShortLived(open, policy)
      const [before] = await credits.getGrants(userId)
      expect(before?.id).not.toBe(shortLived)
      clock.advance(22 * HOUR)
      await credits.refundCredits(use.id)
      const [grant] = await credits.getGrants(userId)
      expect(grant).toMatchObject({ id: shortLived, remaining: 40, expiresAt: later(clock, HOUR) })
      await expectSound(credits, userId)
    })

    it.each(['regrant', 'extend'] as const)('C6 never makes credits that have expired already: %s', async (policy) => {
      const { credits, userId, clock, use } = await usedShortLived(open, policy)
      clock.advance(400 * DAY)
      await credits.refundCredits({ transactionId: use.id, amount: 45 })
      for (const { expiresAt } of await credits.getGrants(userId)) {
        if (expiresAt !== null) expect(expiresAt.getTime()).toBeGreaterThan(clock.now().getTime())
      }
      expect(await credits.getBalance(userId, 'calling')).toBe(96)
      await credits.runDue()
      expect((await ledgerOf(credits, userId)).at(-1)).toBe('refund 45')
      await expectSound(credits, userId)
    })

    it.each(['expire', 'regrant', 'extend'] as const)(
      'in two parts gives back each credit once: %s',
      async (policy) => {
        const { credits, userId, clock, use } = await usedShortLived(open, policy)
        clock.advance(5 * DAY)
        await credits.refundCredits({ transactionId: use.id, amount: 25 })
        await credits.refundCredits({ transactionId: use.id, amount: 25 })
        await expect(credits.refundCredits(use.id)).rejects.toMatchObject({ code: 'ALREADY_REFUNDED' })
        expect(await credits.getBalance(userId, 'calling')).toBe(policy === 'expire' ? 61 : 101)
        expect((await credits.getAllBalances(userId)).calling).toMatchObject({ totalUsed: 0 })
        await expectSound(credits, userId)
      },
    )

    it.each(['regrant', 'extend'] as const)('whose grant was voided stays void: %s', async (policy) => {
      const { credits, userId, clock, use, shortLived } = await usedShortLived(open, policy)
      await credits.refundCredits({ transactionId: use.id, amount: 15 })
      await credits.voidGrant({ grantId: shortLived, reason: 'Fraud' })
      clock.advance(5 * DAY)
      await credits.refundCredits(use.id)
      expect(await credits.getBalance(userId, 'calling')).toBe(61)
      expect((await ledgerOf(credits, userId)).slice(4)).toEqual(['refund 15', 'void -5', 'refund 35', 'void -35'])
      await expectSound(credits, userId)
    })
  })

  describe('a refund of a use of credits that were bought and refunded', () => {
    it('settles what the clawback could not take first, with policy clamp', async () => {
      const stage = open()
      const { credits, purchaseId, refundPayment } = await buyCredits(stage, { credits: 100, policy: 'clamp' })
      const { userId } = stage
      await credits.addCredits(userId, 10, 'calling', 'Gift')
      await credits.deductCredits(userId, 10, 'calling', 'Use of the gift')
      const use = await credits.deductCredits(userId, 90, 'calling', 'Use')
      expect(use.allocations).toEqual([{ grantId: purchaseId, amount: 90 }])
      await refundPayment(700)
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      await credits.refundCredits({ transactionId: use.id, amount: 50 })
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      await credits.refundCredits({ transactionId: use.id, amount: 15 })
      expect(await credits.getBalance(userId, 'calling')).toBe(5)
      await credits.refundCredits(use.id)
      expect(await credits.getBalance(userId, 'calling')).toBe(30)
      expect((await credits.getGrants(userId)).map(({ id, remaining }) => [id, remaining])).toEqual([[purchaseId, 30]])
      await expectSound(credits, userId)
    })

    it('repays the debt first, with policy debt', async () => {
      const stage = open()
      const { credits, purchaseId, refundPayment } = await buyCredits(stage, { credits: 100 })
      const { userId } = stage
      const use = await credits.deductCredits(userId, 80, 'calling', 'Use')
      await refundPayment()
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: -80, owned: 0, debt: 80 })
      const part = await credits.refundCredits({ transactionId: use.id, amount: 30 })
      expect(part).toMatchObject({ amount: 30, balanceAfter: -50, allocations: [{ grantId: purchaseId, debt: 30 }] })
      await credits.addCredits(userId, 20, 'calling', 'Gift')
      const rest = await credits.refundCredits(use.id)
      expect(rest.allocations).toEqual([
        { grantId: purchaseId, amount: 20 },
        { grantId: purchaseId, debt: 30 },
      ])
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 20, owned: 20, debt: 0 })
      await expectSound(credits, userId)
    })

    it('settles the claim on its own grant before debt of another purchase', async () => {
      const stage = open()
      const { userId } = stage
      const clamped = await buyCredits(stage, { credits: 100, policy: 'clamp' })
      const { credits } = clamped
      const use = await credits.deductCredits(userId, 100, 'calling', 'Use')
      await clamped.refundPayment(600)
      const owed = await buyCredits(stage, { credits: 50, policy: 'debt' })
      await credits.deductCredits(userId, 50, 'calling', 'Use of the next')
      await owed.refundPayment()
      await credits.refundCredits({ transactionId: use.id, amount: 70 })
      expect((await ledgerOf(credits, userId)).slice(-2)).toEqual(['refund 70', 'clawback -60'])
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: -40, owned: 0, debt: 40 })
      await expectSound(credits, userId)
    })
  })

  describe('a refund of a capture', () => {
    async function captured() {
      const stage = open()
      const { credits, userId } = stage
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const hold = { userId, amount: 60, creditType: 'calling', description: 'Call' } as const
      const { id: holdId } = await credits.holdCredits(hold)
      const use = await credits.captureHold({ holdId, amount: 75, allowOver: true })
      return { ...stage, holdId, use }
    }

    it('gives the credits back, and leaves the hold as it ended', async () => {
      const { credits, userId, use, holdId, store, clock } = await captured()
      expect(await credits.refundCredits(use.id)).toMatchObject({
        transactionType: 'refund',
        amount: 75,
        relatedTransactionId: use.id,
        description: 'Refund: Call',
      })
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 100, held: 0, totalUsed: 0 })
      expect(await store.findHold(holdId, clock.now())).toMatchObject({ status: 'captured', captured: 75 })
      await expectSound(credits, userId)
    })

    it('works while the hold goes on, and gives nothing back to it', async () => {
      const { credits, userId } = open()
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const hold = { userId, amount: 60, creditType: 'calling', description: 'Call' } as const
      const { id: holdId } = await credits.holdCredits(hold)
      const part = await credits.captureHold({ holdId, amount: 20, final: false })
      await credits.refundCredits(part.id)
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 60, owned: 100, held: 40 })
      await expect(credits.captureHold({ holdId, amount: 41 })).rejects.toThrow('left of the hold (40)')
      await credits.captureHold({ holdId })
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 60, owned: 60, totalUsed: 40 })
      await expectSound(credits, userId)
    })

    it('D10 ten times at once: credited once, the others hear that it has been refunded', async () => {
      const { credits, userId, use } = await captured()
      const { succeeded, codes } = await outcomes(times(10, () => credits.refundCredits(use.id)))
      expect(succeeded).toHaveLength(1)
      expect(codes).toEqual({ ALREADY_REFUNDED: 9 })
      await expect(credits.refundCredits(use.id)).rejects.toThrow('Transaction has already been refunded')
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      await expectSound(credits, userId)
    })

    it('of one credit more than is left is refused, and nothing comes back', async () => {
      const { credits, userId, use } = await captured()
      const refused = credits.refundCredits({ transactionId: use.id, amount: 76 })
      await expect(refused).rejects.toThrow('Only 75 credits of this transaction are left to refund')
      expect(await credits.getBalance(userId, 'calling')).toBe(25)
    })

    it('D11 in parts: ten of 10 at once on 75, capped by the original', async () => {
      const { credits, userId, use } = await captured()
      const part = { transactionId: use.id, amount: 10 }
      const { succeeded, codes } = await outcomes(times(10, () => credits.refundCredits(part)))
      expect(succeeded).toHaveLength(7)
      expect(codes).toEqual({ NOT_REFUNDABLE: 3 })
      await expect(credits.refundCredits(part)).rejects.toThrow('Only 5 credits of this transaction are left to refund')
      expect(await credits.refundCredits(use.id)).toMatchObject({ amount: 5 })
      await expect(credits.refundCredits(part)).rejects.toMatchObject({ code: 'ALREADY_REFUNDED' })
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      await expectSound(credits, userId)
    })
  })

  describe('what can not be refunded', () => {
    it('D10 is everything but a use: purchases, refunds, transfers, expiries, clawbacks', async () => {
      const stage = open()
      const { userId, clock, newUser } = stage
      const { credits, refundPayment } = await buyCredits(stage, { credits: 100 })
      const day = {
        userId,
        amount: 10,
        creditType: 'calling',
        description: 'Day',
        expiresAt: later(clock, DAY),
      } as const
      await credits.addCredits(day)
      const use = await credits.deductCredits(userId, 5, 'calling', 'Use')
      await credits.refundCredits(use.id)
      const { id: grantId } = await credits.addCredits(userId, 7, 'calling', 'Mistake')
      await credits.voidGrant({ grantId, reason: 'Mistake' })
      clock.advance(DAY)
      const sent = { fromUserId: userId, toUserId: newUser(), amount: 1, creditType: 'calling' } as const
      const { to } = await credits.transferCredits(sent)
      await refundPayment()
      const rows = await credits.getTransactionHistory(userId)
      const others = [...rows.filter(({ transactionType }) => transactionType !== 'usage'), to]
      const types = new Set(others.map(({ transactionType }) => transactionType))
      expect([...types].sort()).toEqual(
        ['adjustment', 'clawback', 'expiration', 'purchase', 'refund', 'transfer', 'void'].sort(),
      )
      for (const { id, transactionType } of others) {
        const refused = credits.refundCredits(id)
        await expect(refused).rejects.toMatchObject({ code: 'NOT_REFUNDABLE' })
        await expect(refused).rejects.toThrow(
          `Only uses can be refunded; this transaction is of type ${transactionType}`,
        )
      }
      expect(await credits.getTransactionHistory(userId)).toEqual(rows)
    })
  })

  describe('money that goes back in parts', () => {
    it('D3 refunds of $3.33 three times and the rest of $10 take exactly 1000 credits; repeats change nothing', async () => {
      const stage = open()
      const { credits, refundPayment, redeliver } = await buyCredits(stage, { credits: 1000, price: 1000 })
      const seen = []
      for (const minor of [333, 333, 333, 1]) {
        await refundPayment(minor)
        seen.push(await credits.getBalance(stage.userId, 'calling'))
        // The till refuses to give back more than is left, and tells the same picture again.
        await refundPayment(10_000)
        await redeliver()
      }
      expect(seen).toEqual([667, 334, 1, 0])
      const taken = ['clawback -333', 'clawback -333', 'clawback -333', 'clawback -1']
      expect(await ledgerOf(credits, stage.userId)).toEqual(['purchase 1000', ...taken])
      await expectSound(credits, stage.userId)
    })
  })
})
