import { describe, expect, it } from 'vitest'
import { TransactionNotFoundError } from '../../src/index.js'
import { DAY, later } from '../conformance/credit-store/bench.js'
import { buyCredits } from './purchase.js'
import { onEveryStore } from './stage.js'

onEveryStore('explain', (open) => {
  describe('explaining a use', () => {
    it('names its grants in order, and the rule that put each before the next', async () => {
      const { credits, userId, clock } = open()
      const add = { userId, amount: 1, creditType: 'calling', description: 'Grant' } as const
      const effectiveAt = later(clock, -DAY)
      const paid = { source: 'purchase' } as const
      const ends = { expiresAt: later(clock, DAY) }
      const inOrder = [
        { ...add, priority: -1 },
        { ...add, ...ends },
        add,
        { ...add, ...paid, effectiveAt },
        { ...add, ...paid, effectiveAt: clock.now() },
        { ...add, ...paid, effectiveAt: clock.now() },
      ]
      const ids: string[] = []
      // The last two in their order, since that is what decides between them; all others backwards.
      for (const grant of [...inOrder.slice(4), ...inOrder.slice(0, 4).reverse()]) {
        ids.push((await credits.addCredits(grant)).id)
      }
      const use = await credits.deductCredits(userId, 6, 'calling', 'Use')
      const { transaction, parts, relatedTransaction } = await credits.explain(use.id)
      expect(transaction).toEqual(use)
      expect(relatedTransaction).toBeNull()
      expect(parts.map(({ grant }) => grant?.id)).toEqual([...ids.slice(2).reverse(), ...ids.slice(0, 2)])
      expect(parts.map(({ before }) => before)).toEqual([
        'priority',
        'expiry',
        'promotional',
        'effectiveAt',
        'granted',
        null,
      ])
      expect(parts[1]).toEqual({
        amount: 1,
        debt: false,
        grant: {
          id: ids[4],
          source: 'adjustment',
          priority: 0,
          effectiveAt: null,
          expiresAt: later(clock, DAY),
          amount: 1,
          paidAmount: null,
          currency: null,
          createdAt: clock.now(),
        },
        paidMinor: null,
        payment: null,
        before: 'expiry',
      })
    })

    it('says which payment brought the credits, and what was paid for this part, rounded down', async () => {
      const stage = open()
      const { userId } = stage
      const { credits, purchaseId, paymentId } = await buyCredits(stage, { credits: 300, price: 1000 })
      const { id: gift } = await credits.addCredits(userId, 10, 'calling', 'Gift')
      const use = await credits.deductCredits(userId, 110, 'calling', 'Use')
      const { parts } = await credits.explain(use.id)
      expect(parts).toMatchObject([
        { amount: 10, grant: { id: gift }, paidMinor: null, payment: null, before: 'promotional' },
        {
          amount: 100,
          grant: { id: purchaseId, source: 'purchase', paidAmount: 1000, currency: 'usd' },
          paidMinor: 333,
          payment: { id: purchaseId, packageName: 'Pack', paymentId, paidMinor: 1000, currency: 'usd' },
          before: null,
        },
      ])
    })

    it('goes on saying so when the grants are used up, have ended or were voided', async () => {
      const { credits, userId, clock } = open()
      const add = { userId, amount: 10, creditType: 'calling', description: 'Grant' } as const
      const first = await credits.addCredits({ ...add, expiresAt: later(clock, DAY) })
      const second = await credits.addCredits(add)
      const use = await credits.deductCredits(userId, 15, 'calling', 'Use')
      const before = await credits.explain(use.id)
      await credits.voidGrant({ grantId: second.id, reason: 'Mistake' })
      clock.advance(2 * DAY)
      await credits.runDue()
      expect(await credits.explain(use.id)).toEqual(before)
      expect(before.parts.map(({ grant }) => grant?.id)).toEqual([first.id, second.id])
    })

    it('of a priced operation shows the version of the price list', async () => {
      const { service, userId, credits } = open()
      await credits.addCredits(userId, 100, 'scraping', 'Welcome')
      const priced = (version: string, cost: number) =>
        service({
          creditTypes: ['calling', 'scraping'],
          operations: { page: { creditType: 'scraping', cost, version } },
        })
      const call = { userId, operation: 'page', params: { url: 'https://example.com' } }
      const old = await priced('2025', 2).spend(call)
      const recent = await priced('2026', 3).spend(call)
      for (const [use, priceVersion] of [
        [old, '2025'],
        [recent, '2026'],
      ] as const) {
        const { transaction } = await credits.explain(use.id)
        expect(transaction.operation).toEqual({ name: 'page', params: call.params, priceVersion })
      }
    })
  })

  describe('explaining other transactions', () => {
    it('of a refund shows the use it answers, and the grants it went back to, the last taken first', async () => {
      const { credits, userId } = open()
      const add = { userId, amount: 10, creditType: 'calling', description: 'Grant' } as const
      const [first, second] = [await credits.addCredits(add), await credits.addCredits(add)]
      const use = await credits.deductCredits(userId, 15, 'calling', 'Use')
      const refund = await credits.refundCredits(use.id)
      const { parts, relatedTransaction } = await credits.explain(refund.id)
      expect(relatedTransaction).toEqual(use)
      expect(parts).toMatchObject([
        { amount: 5, debt: false, grant: { id: second.id }, before: null },
        { amount: 10, debt: false, grant: { id: first.id }, before: null },
      ])
    })

    it('of a clawback and of what repaid it tells credits from debt', async () => {
      const stage = open()
      const { userId } = stage
      const { credits, purchaseId, refundPayment } = await buyCredits(stage, { credits: 100 })
      await credits.deductCredits(userId, 70, 'calling', 'Use')
      await refundPayment()
      const [clawback] = await credits.getTransactionHistory(userId)
      const taken = await credits.explain(clawback?.id ?? '')
      expect(taken.relatedTransaction).toMatchObject({ id: purchaseId, transactionType: 'purchase' })
      expect(taken.parts).toMatchObject([
        { amount: 30, debt: false, grant: { id: purchaseId }, paidMinor: 300 },
        { amount: 70, debt: true, grant: null, paidMinor: null, payment: null, before: null },
      ])
      const next = await credits.addCredits(userId, 90, 'calling', 'Next')
      expect((await credits.explain(next.id)).parts).toMatchObject([
        { amount: 20, debt: false, grant: { id: next.id } },
        { amount: 70, debt: true, grant: { id: next.id } },
      ])
    })

    it('of a transfer shows both sides; what arrived keeps its share of the price', async () => {
      const stage = open()
      const { userId: fromUserId, newUser } = stage
      const { credits, purchaseId } = await buyCredits(stage, { credits: 100, price: 1000 })
      const sent = { fromUserId, toUserId: newUser(), amount: 40, creditType: 'calling' } as const
      const { from, to } = await credits.transferCredits(sent)
      const there = await credits.explain(from.id)
      expect(there.relatedTransaction).toEqual(to)
      expect(there.parts).toMatchObject([{ amount: 40, grant: { id: purchaseId }, paidMinor: 400 }])
      const arrived = await credits.explain(to.id)
      expect(arrived.relatedTransaction).toEqual(from)
      expect(arrived.parts).toMatchObject([{ amount: 40, grant: { paidAmount: 400 }, paidMinor: 400, payment: null }])
    })

    it('of a capture shows the grants that were held', async () => {
      const { credits, userId } = open()
      const add = { userId, amount: 10, creditType: 'calling', description: 'Grant' } as const
      const { id: grantId } = await credits.addCredits(add)
      const { id: holdId } = await credits.holdCredits({ ...add, amount: 6 })
      const use = await credits.captureHold({ holdId, amount: 4 })
      const { parts, transaction, relatedTransaction } = await credits.explain(use.id)
      expect(parts).toMatchObject([{ amount: 4, grant: { id: grantId } }])
      expect([transaction.relatedTransactionId, relatedTransaction]).toEqual([holdId, null])
    })

    it('finds only what is there, and only for its owner where one is named', async () => {
      const { credits, userId, newUser } = open()
      const { id } = await credits.addCredits(userId, 10, 'calling', 'Welcome')
      const stranger = newUser()
      for (const wrong of [{ transactionId: id, userId: stranger }, stranger.slice(5), '1', '']) {
        const refused = credits.explain(wrong)
        await expect(refused).rejects.toBeInstanceOf(TransactionNotFoundError)
        await expect(refused).rejects.toThrow(/^Transaction not found$/)
      }
      expect((await credits.explain({ transactionId: id.toUpperCase(), userId })).transaction.id).toBe(id)
    })
  })
})
