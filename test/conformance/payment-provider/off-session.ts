import { describe, expect, it } from 'vitest'
import type { OffSessionRequest } from '../../../src/ports/payments.js'
import {
  type Bench,
  charged,
  codeOf,
  DAY,
  last,
  listed,
  offSessionRequest,
  ofKind,
  opened,
  saveCardRequest,
  SECOND,
  there,
  wholeSecond,
} from './bench.js'

export function testOffSession(bench: Bench): void {
  const { newBuyer, eventsOf } = bench

  /** Every payment on record that names the purchase. */
  const paymentsOf = async (purchaseId: string, from: Date) => {
    const to = new Date(bench.act.now().getTime() + SECOND)
    const payments = await listed(bench.provider.records.payments({ from, to }))
    return payments.filter((payment) => payment.purchaseId === purchaseId)
  }

  /** What a payment fails with whose answer is lost. */
  const lostCharge = (request: OffSessionRequest) =>
    bench.act.disturbed('loses_answers', () => codeOf(bench.provider.chargeOffSession(request)))

  describe('payments from a saved card', () => {
    it('are taken, and give our purchase back', async () => {
      const buyer = await newBuyer()
      await bench.act.saveCard(buyer.customerId, 'pays')
      const request = offSessionRequest(buyer)
      let payment = await bench.provider.getPayment('')
      const events = await eventsOf(async () => (payment = await bench.provider.chargeOffSession(request)))
      const { purchaseId } = request
      expect(payment).toEqual({
        ...{ paymentId: expect.any(String) as string, purchaseId, state: 'succeeded', amountMinor: 2000 },
        ...{ currency: 'usd', customerId: buyer.customerId, failure: null, livemode: false },
      })
      const { paymentId } = there(payment)
      expect(await bench.provider.getPayment(paymentId ?? '')).toEqual(payment)
      expect(ofKind(events, 'payment_succeeded')).toEqual([{ kind: 'payment_succeeded', paymentId, purchaseId }])
      expect(await bench.provider.findCheckoutByPayment(paymentId ?? '')).toBeNull()
    })

    it('never take money twice when repeated, also ten times at once', async () => {
      const from = await wholeSecond(bench)
      const buyer = await newBuyer()
      await bench.act.saveCard(buyer.customerId, 'pays')
      const request = offSessionRequest(buyer)
      const first = await bench.provider.chargeOffSession(request)
      const repeats = await Promise.all(Array.from({ length: 10 }, () => bench.provider.chargeOffSession(request)))
      for (const repeat of repeats) expect(repeat).toEqual(first)
      await bench.act.pass(DAY - 60 * SECOND)
      expect(await bench.provider.chargeOffSession(request)).toEqual(first)
      expect(await paymentsOf(request.purchaseId, from)).toEqual([first])
    })

    it('are processing while the money is on its way', async () => {
      const { payment } = await charged(bench, 'pays_later')
      expect(payment).toMatchObject({ state: 'processing', amountMinor: 0, failure: null })
      expect(await bench.provider.getPayment(there(payment.paymentId))).toEqual(payment)
    })

    it.each(['authentication_required', 'hard', 'soft'] as const)(
      'that are refused are answered, not thrown: %s',
      async (kind) => {
        const from = await wholeSecond(bench)
        const { payment, request } = await charged(bench, kind)
        const { purchaseId, customerId } = request
        expect(payment).toMatchObject({ purchaseId, customerId, state: 'failed', amountMinor: 0, currency: 'usd' })
        expect(payment.failure).toEqual({
          kind,
          code: expect.any(String) as string,
          message: expect.any(String) as string,
        })
        expect(payment.failure?.message).not.toMatch(/\d{4}/)
        const asItStands = await bench.provider.getPayment(there(payment.paymentId))
        expect(asItStands).toMatchObject({ purchaseId, state: 'failed', amountMinor: 0, failure: { kind } })
        expect(await bench.provider.chargeOffSession(request)).toMatchObject({ state: 'failed', failure: { kind } })
        expect(await paymentsOf(purchaseId, from)).toHaveLength(1)
      },
    )

    it('that are refused say so once more as an event', async () => {
      const buyer = await newBuyer()
      await bench.act.saveCard(buyer.customerId, 'soft')
      const request = offSessionRequest(buyer)
      const events = await eventsOf(() => bench.provider.chargeOffSession(request))
      const { purchaseId } = request
      expect(ofKind(events, 'payment_failed')).toMatchObject([{ purchaseId, code: expect.any(String) as string }])
      expect(ofKind(events, 'payment_succeeded')).toEqual([])
    })

    it('have no payment when there is nothing to pay with, and are taken once there is', async () => {
      const buyer = await newBuyer()
      const request = offSessionRequest(buyer)
      const { purchaseId } = request
      expect(await bench.provider.chargeOffSession(request)).toMatchObject({
        ...{ paymentId: null, purchaseId, state: 'failed', amountMinor: 0, currency: 'usd' },
        ...{ failure: { kind: 'card_missing' } },
      })
      await bench.act.saveCard(buyer.customerId, 'pays')
      expect(await bench.provider.chargeOffSession(request)).toMatchObject({ state: 'succeeded', amountMinor: 2000 })
    })

    it('have nothing to pay with when the customer is gone', async () => {
      const buyer = await newBuyer()
      await bench.act.saveCard(buyer.customerId, 'pays')
      await bench.act.deleteCustomer(buyer.customerId)
      const payment = await bench.provider.chargeOffSession(offSessionRequest(buyer))
      expect(payment).toMatchObject({ paymentId: null, state: 'failed', failure: { kind: 'card_missing' } })
    })

    it('are taken from the card that was saved last', async () => {
      const { customerId, userId } = await newBuyer()
      await bench.act.saveCard(customerId, 'pays')
      await bench.act.pass(SECOND)
      await bench.act.saveCard(customerId, 'authentication_required')
      const payment = await bench.provider.chargeOffSession(offSessionRequest({ customerId, userId }))
      expect(payment).toMatchObject({ state: 'failed', failure: { kind: 'authentication_required' } })
    })

    it('succeed when their buyer comes and authenticates', async () => {
      const { payment, request } = await charged(bench, 'authentication_required')
      const paymentId = there(payment.paymentId)
      const events = await eventsOf(() => bench.act.authenticate(paymentId))
      const { purchaseId } = request
      expect(await bench.provider.getPayment(paymentId)).toMatchObject({
        ...{ purchaseId, state: 'succeeded', amountMinor: 2000, failure: null },
      })
      expect(ofKind(events, 'payment_succeeded')).toEqual([{ kind: 'payment_succeeded', paymentId, purchaseId }])
    })
  })

  describe('a payment whose answer was lost', () => {
    it('is of unknown outcome, is found, and is not taken again when repeated', async () => {
      const from = await wholeSecond(bench)
      const buyer = await newBuyer()
      await bench.act.saveCard(buyer.customerId, 'pays')
      const request = offSessionRequest(buyer)
      const { purchaseId, customerId } = request
      expect(await lostCharge(request)).toBe('OUTCOME_UNKNOWN')
      const found = there(await bench.provider.findPayment({ purchaseId, customerId, since: from }))
      expect(found).toMatchObject({ purchaseId, state: 'succeeded', amountMinor: 2000 })
      expect(await bench.provider.chargeOffSession(request)).toEqual(found)
      expect(await paymentsOf(purchaseId, from)).toEqual([found])
    })

    it('is found as it stands now, when the bank had refused it', async () => {
      const from = await wholeSecond(bench)
      const buyer = await newBuyer()
      await bench.act.saveCard(buyer.customerId, 'hard')
      const request = offSessionRequest(buyer)
      const { purchaseId, customerId } = request
      expect(await lostCharge(request)).toBe('OUTCOME_UNKNOWN')
      const found = await bench.provider.findPayment({ purchaseId, customerId, since: from })
      expect(found).toMatchObject({ purchaseId, state: 'failed', amountMinor: 0, failure: { kind: 'hard' } })
    })
  })

  describe('finding a payment', () => {
    it('finds the one that names the purchase, among any number of the customer', async () => {
      const from = await wholeSecond(bench)
      const { buyer, request, payment } = await charged(bench, 'pays')
      for (let count = 0; count < 101; count += 1) {
        await bench.provider.chargeOffSession(offSessionRequest(buyer, { amountMinor: 100 + count }))
      }
      const { purchaseId, customerId } = request
      expect(await bench.provider.findPayment({ purchaseId, customerId, since: from })).toEqual(payment)
    })

    it("finds neither another customer's, nor one that was made before, nor one that names nothing known", async () => {
      const { buyer, request } = await charged(bench, 'pays')
      const { purchaseId, customerId } = request
      const since = new Date(bench.act.now().getTime() - SECOND)
      expect(await bench.provider.findPayment({ purchaseId, customerId, since })).not.toBeNull()
      const other = await newBuyer()
      expect(await bench.provider.findPayment({ purchaseId, customerId: other.customerId, since })).toBeNull()
      const { purchaseId: unpaid } = offSessionRequest(buyer)
      expect(await bench.provider.findPayment({ purchaseId: unpaid, customerId, since })).toBeNull()
      const later = await wholeSecond(bench)
      expect(await bench.provider.findPayment({ purchaseId, customerId, since: later })).toBeNull()
    })
  })

  describe('giving up a payment', () => {
    it('cancels one that waits for its buyer, once, and says so', async () => {
      const { payment, request } = await charged(bench, 'authentication_required')
      const paymentId = there(payment.paymentId)
      const { purchaseId } = request
      const events = await eventsOf(async () => {
        expect(await bench.provider.cancelPayment(paymentId)).toBe(true)
      })
      expect(events).toEqual([{ kind: 'payment_canceled', paymentId, purchaseId }])
      expect(await bench.provider.getPayment(paymentId)).toMatchObject({ state: 'canceled', amountMinor: 0 })
      expect(await bench.provider.cancelPayment(paymentId)).toBe(false)
    })

    it('leaves alone what was paid, and what nobody knows', async () => {
      const { payment } = await charged(bench, 'pays')
      const paymentId = there(payment.paymentId)
      expect(await bench.provider.cancelPayment(paymentId)).toBe(false)
      expect(await bench.provider.getPayment(paymentId)).toEqual(payment)
      expect(await bench.provider.cancelPayment('pi_nobody_knows')).toBe(false)
    })
  })

  describe('checkouts that save a card', () => {
    it('open one session for one `requestId`, that charges nothing', async () => {
      const request = saveCardRequest(await newBuyer())
      const checkout = opened(await bench.provider.createSaveCardCheckout(request))
      expect(checkout).toMatchObject({
        ...{ url: expect.any(String) as string, clientSecret: null, purchaseId: null, state: 'open', mode: 'setup' },
        ...{
          savesCard: true,
          subtotalMinor: 0,
          totalMinor: 0,
          paymentId: null,
          customerId: request.customerId,
          livemode: false,
        },
      })
      const again = opened(await bench.provider.createSaveCardCheckout(request))
      expect(again.sessionId).toBe(checkout.sessionId)
      const other = opened(await bench.provider.createSaveCardCheckout(saveCardRequest(request)))
      expect(other.sessionId).not.toBe(checkout.sessionId)
    })

    it('save a card that can be charged while its owner is away, and say so', async () => {
      const buyer = await newBuyer()
      const { sessionId } = opened(await bench.provider.createSaveCardCheckout(saveCardRequest(buyer)))
      const savedAt = await wholeSecond(bench)
      const events = await eventsOf(() => bench.act.pay(sessionId))
      expect(last(ofKind(events, 'card_saved'))).toEqual({
        ...{ kind: 'card_saved', customerId: buyer.customerId, savedAt },
      })
      const closed = { state: 'free', mode: 'setup', url: null, purchaseId: null, paymentId: null }
      expect(await bench.provider.getCheckout(sessionId)).toMatchObject(closed)
      expect(await bench.provider.chargeOffSession(offSessionRequest(buyer))).toMatchObject({ state: 'succeeded' })
    })

    it('say that the customer is gone', async () => {
      const buyer = await newBuyer()
      await bench.act.deleteCustomer(buyer.customerId)
      expect(await bench.provider.createSaveCardCheckout(saveCardRequest(buyer))).toBe('customer_gone')
    })
  })

  describe('cards that are saved away from any checkout', () => {
    it('say so, and since when, however late it is heard', async () => {
      const { customerId } = await newBuyer()
      const savedAt = await wholeSecond(bench)
      const events = await eventsOf(async () => {
        await bench.act.saveCard(customerId, 'pays')
        await bench.act.pass(60 * SECOND)
      })
      expect(last(ofKind(events, 'card_saved'))).toEqual({ kind: 'card_saved', customerId, savedAt })
    })
  })
}
