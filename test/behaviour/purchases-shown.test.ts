import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { InvalidInputError, isCreditError } from '../../src/index.js'
import type { PaymentFact, Purchase } from '../../src/ledger/purchase.js'
import { later, SECOND, times } from '../conformance/credit-store/bench.js'
import { purchaseOf, writePurchases } from '../conformance/credit-store/records.js'
import { buyCredits } from './purchase.js'
import { onEveryStore } from './stage.js'

onEveryStore('purchases as they are shown', (open) => {
  const factOf = ({ userId, id: purchaseId, updatedAt }: Purchase, given: Partial<PaymentFact>): PaymentFact => {
    const base = { userId, purchaseId, updatedAt, paymentId: 'pi_1', kind: 'refund', currency: 'eur' } as const
    return { ...base, id: `re_${uuidv7()}`, amountMinor: 100, status: 'succeeded', ...given }
  }

  describe('a purchase', () => {
    it('that was paid is shown with its ids, what was paid, and the transaction that brought the credits', async () => {
      const stage = open()
      const { purchaseId, paymentId, credits } = await buyCredits(stage, { credits: 100, price: 1000 })
      const shown = await credits.marketplace.getPurchase({ purchaseId })
      const { packageId, sessionId, provider, livemode } = shown
      expect(shown).toEqual({
        id: purchaseId,
        userId: stage.userId,
        origin: 'checkout',
        packageId: expect.any(Number) as number,
        packageName: 'Pack',
        quantity: 1,
        creditType: 'calling',
        credits: 100,
        unitPriceMinor: 1000,
        currency: 'usd',
        status: 'fulfilled',
        provider: expect.any(String) as string,
        livemode: false,
        sessionId: expect.stringMatching(/^cs_/) as string,
        paymentId,
        invoiceId: null,
        paidMinor: 1000,
        reversedMinor: 0,
        clawed: 0,
        transactionId: purchaseId,
        createdAt: stage.clock.now(),
        fulfilledAt: stage.clock.now(),
      })
      const row = await stage.store.findPurchase({ id: purchaseId })
      expect({ packageId, sessionId, provider, livemode }).toEqual({
        packageId: row?.packageId,
        sessionId: row?.sessionId,
        provider: row?.provider,
        livemode: row?.livemode,
      })
      const { transactionId } = shown
      const transaction = await credits.getTransaction({ transactionId: transactionId ?? '' })
      expect(transaction).toMatchObject({ transactionType: 'purchase', amount: 100 })
    })

    it('that nobody has paid for yet has brought nothing', async () => {
      const { userId, store, credits } = open()
      const purchase = purchaseOf(userId)
      await writePurchases(store, [purchase])
      const none = { paidMinor: null, reversedMinor: 0, clawed: 0, transactionId: null, fulfilledAt: null }
      const shown = await credits.marketplace.getPurchase({ purchaseId: purchase.id })
      expect(shown).toMatchObject({ status: 'pending', ...none })
    })

    it('shows the money that went back and the credits taken for it', async () => {
      const { credits, purchaseId, refundPayment } = await buyCredits(open(), { credits: 100, price: 1000 })
      const shown = () => credits.marketplace.getPurchase({ purchaseId })
      await refundPayment(250)
      expect(await shown()).toMatchObject({ status: 'fulfilled', paidMinor: 1000, reversedMinor: 250, clawed: 25 })
      await refundPayment(750)
      expect(await shown()).toMatchObject({ status: 'refunded', paidMinor: 1000, reversedMinor: 1000, clawed: 100 })
    })

    it('counts refunds under way and as goodwill and lost disputes; not what failed, was won, or is of another payment', async () => {
      const { userId, store, credits } = open()
      const purchase = purchaseOf(userId, { status: 'fulfilled', paymentId: 'pi_1', paidMinor: 9999 })
      const facts = [
        factOf(purchase, { amountMinor: 1, status: 'pending' }),
        factOf(purchase, { amountMinor: 20, status: 'waived' }),
        factOf(purchase, { amountMinor: 300, kind: 'dispute', status: 'lost' }),
        factOf(purchase, { amountMinor: 4000, status: 'failed' }),
        factOf(purchase, { amountMinor: 4000, kind: 'dispute', status: 'won' }),
        factOf(purchase, { amountMinor: 4000, kind: 'dispute', status: 'inquiry' }),
        factOf(purchase, { amountMinor: 4000, paymentId: 'pi_2' }),
      ]
      await writePurchases(store, [purchase], facts)
      expect(await credits.marketplace.getPurchase({ purchaseId: purchase.id })).toMatchObject({ reversedMinor: 321 })
    })

    it('of an invoice counts all its payments, and names no transaction: its credits come period by period', async () => {
      const { userId, store, credits, clock } = open()
      const fulfilledAt = clock.now()
      const invoice = { origin: 'invoice', packageId: null, invoiceId: `in_${uuidv7()}` } as const
      const purchase = purchaseOf(userId, { ...invoice, status: 'fulfilled', paidMinor: 500, fulfilledAt })
      const facts = ['pi_1', 'pi_2'].map((paymentId) => factOf(purchase, { paymentId }))
      await writePurchases(store, [purchase], facts)
      const shown = await credits.marketplace.getPurchase({ purchaseId: purchase.id })
      expect(shown).toMatchObject({ ...invoice, fulfilledAt, reversedMinor: 200, transactionId: null })
    })

    it('is found by its id in capitals, too', async () => {
      const { userId, store, credits } = open()
      const { id } = purchaseOf(userId)
      await writePurchases(store, [purchaseOf(userId, { id })])
      expect(await credits.marketplace.getPurchase({ purchaseId: id.toUpperCase(), userId })).toMatchObject({ id })
    })

    it("is not found where it is unknown, no id at all, or another user's", async () => {
      const { userId, newUser, store, credits } = open()
      const { id } = purchaseOf(userId)
      await writePurchases(store, [purchaseOf(userId, { id })])
      const asked = [{ purchaseId: uuidv7() }, { purchaseId: 'cs_1' }, { purchaseId: id, userId: newUser() }]
      for (const input of asked) {
        const error: unknown = await credits.marketplace.getPurchase(input).catch((thrown: unknown) => thrown)
        expect(isCreditError(error, 'PURCHASE_NOT_FOUND')).toBe(true)
      }
    })
  })

  describe('the list', () => {
    it('goes on page by page, newest first, until there are no more', async () => {
      const { userId, store, credits, clock } = open()
      const made = times(5, (n) => purchaseOf(userId, { createdAt: later(clock, n * SECOND) }))
      await writePurchases(store, made)
      const newest = made.map(({ id }) => id).reverse()
      const page = async (cursor: string | null, limit = 2) => {
        const { purchases, nextCursor } = await credits.marketplace.getPurchases({ userId, limit, cursor })
        return { ids: purchases.map(({ id }) => id), nextCursor }
      }
      const first = await page(null)
      const second = await page(first.nextCursor)
      const third = await page(second.nextCursor)
      expect([first.ids, second.ids, third.ids]).toEqual([newest.slice(0, 2), newest.slice(2, 4), newest.slice(4)])
      expect(third.nextCursor).toBeNull()
      expect(await page(null, 5)).toEqual({ ids: newest, nextCursor: null })
    })

    it('gives 50 by default, each as it is shown alone', async () => {
      const { userId, store, credits } = open()
      await writePurchases(
        store,
        times(51, () => purchaseOf(userId)),
      )
      const { purchases, nextCursor } = await credits.marketplace.getPurchases({ userId })
      expect(purchases).toHaveLength(50)
      expect(nextCursor).not.toBeNull()
      const [first] = purchases
      expect(first).toEqual(await credits.marketplace.getPurchase({ purchaseId: first?.id ?? '' }))
    })

    it('of somebody who has bought nothing is empty', async () => {
      const { userId, credits } = open()
      expect(await credits.marketplace.getPurchases({ userId })).toEqual({ purchases: [], nextCursor: null })
    })

    it('refuses pages of no length or too long, and what is no cursor', async () => {
      const { userId, credits } = open()
      for (const wrong of [{ limit: 0 }, { limit: 201 }, { limit: 1.5 }, { cursor: 'next' }, { cursor: '' }])
        await expect(credits.marketplace.getPurchases({ userId, ...wrong })).rejects.toBeInstanceOf(InvalidInputError)
    })
  })
})
