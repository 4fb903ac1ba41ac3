import { describe, expect, it } from 'vitest'
import {
  type Bench,
  bought,
  charged,
  checkoutRequest,
  codeOf,
  DAY,
  listed,
  newUserId,
  offSessionRequest,
  opened,
  saveCardRequest,
  subscribed,
  subscribeRequest,
  there,
  wholeSecond,
} from './bench.js'

export function testFaults(bench: Bench): void {
  /** Every call that needs the service, each about objects that are there. */
  const allCalls = async () => {
    const { provider, act, newBuyer } = bench
    const { sessionId, paymentId, buyer } = await bought(bench)
    const { subscriptionId, invoiceId, priceId } = await subscribed(bench)
    const waiting = there((await charged(bench, 'authentication_required')).payment.paymentId)
    const { customerId } = await newBuyer()
    await act.saveCard(buyer.customerId, 'pays')
    const range = { from: new Date(act.now().getTime() - DAY), to: new Date(act.now().getTime() + DAY) }
    const since = range.from
    return {
      createCustomer: () => provider.createCustomer({ userId: newUserId(), replaces: null }),
      createCheckout: () => provider.createCheckout(checkoutRequest(buyer)),
      createSubscribeCheckout: () => provider.createSubscribeCheckout(subscribeRequest(buyer, priceId)),
      createSaveCardCheckout: () => provider.createSaveCardCheckout(saveCardRequest(buyer)),
      createPortalSession: () => provider.createPortalSession({ customerId, returnUrl: null }),
      getCheckout: () => provider.getCheckout(sessionId),
      findCheckoutByPayment: () => provider.findCheckoutByPayment(paymentId),
      chargeOffSession: () => provider.chargeOffSession(offSessionRequest(buyer)),
      getPayment: () => provider.getPayment(paymentId),
      findPayment: () => provider.findPayment({ purchaseId: newUserId(), customerId, since }),
      cancelPayment: () => provider.cancelPayment(waiting),
      getInvoice: () => provider.getInvoice(invoiceId),
      getSubscription: () => provider.getSubscription(subscriptionId),
      cancelSubscription: () => provider.cancelSubscription(subscriptionId, 'now'),
      getReversals: () => provider.getReversals(paymentId),
      getPrice: () => provider.getPrice(priceId),
      undeliveredEvents: () => listed(provider.records.undeliveredEvents(range)),
      checkouts: () => listed(provider.records.checkouts(range)),
      payments: () => listed(provider.records.payments(range)),
      reversals: () => listed(provider.records.reversals(range)),
      invoices: () => listed(provider.records.invoices(range)),
    }
  }
  const codesOf = async (calls: Record<string, () => Promise<unknown>>) => {
    const codes = await Promise.all(
      Object.entries(calls).map(async ([name, call]) => [name, await codeOf(call())] as const),
    )
    return Object.fromEntries(codes)
  }
  const allAs = (names: object, code: string | null) =>
    Object.fromEntries(Object.keys(names).map((name) => [name, code]))

  describe('a service that is away', () => {
    it('is told by every method as unavailable, and the same calls work when it is back', async () => {
      const calls = await allCalls()
      expect(await bench.act.disturbed('refuses', () => codesOf(calls))).toEqual(allAs(calls, 'UNAVAILABLE'))
      expect(await codesOf(calls)).toEqual(allAs(calls, null))
    })

    it('that never answers keeps no method waiting for ever', async () => {
      const { chargeOffSession, ...calls } = await allCalls()
      const codes = await bench.act.disturbed('hangs', () => codesOf({ chargeOffSession, ...calls }))
      const { chargeOffSession: charge, ...others } = codes
      expect(others).toEqual(allAs(calls, 'UNAVAILABLE'))
      expect(['UNAVAILABLE', 'OUTCOME_UNKNOWN']).toContain(charge)
    })

    it('took nothing: the payment is taken once, when it is repeated', async () => {
      const since = await wholeSecond(bench)
      const buyer = await bench.newBuyer()
      await bench.act.saveCard(buyer.customerId, 'pays')
      const request = offSessionRequest(buyer)
      const refused = await bench.act.disturbed('refuses', () => codeOf(bench.provider.chargeOffSession(request)))
      expect(refused).toBe('UNAVAILABLE')
      expect(await bench.provider.findPayment({ ...request, since })).toBeNull()
      expect(await bench.provider.chargeOffSession(request)).toMatchObject({ state: 'succeeded', amountMinor: 2000 })
    })

    it('lets a webhook be delivered again: what it means is unavailable, and told later', async () => {
      await bench.act.loseWebhooks()
      const { sessionId } = await bought(bench)
      const webhooks = await bench.act.takeWebhooks()
      const events = await Promise.all(
        webhooks.map(({ rawBody, signature }) => bench.provider.verifyWebhook(rawBody, signature)),
      )
      const codes = await bench.act.disturbed('refuses', () =>
        Promise.all(events.map((event) => codeOf(event.translate()))),
      )
      const later = await Promise.all(events.map((event) => event.translate()))
      const index = later.findIndex((event) => event?.kind === 'checkout' && event.checkout.sessionId === sessionId)
      expect(index).toBeGreaterThanOrEqual(0)
      expect(codes[index]).toBe('UNAVAILABLE')
    })
  })

  describe('an answer that was lost', () => {
    /** Lose the answer to a call; it surely does nothing that a repeat would double. */
    const lost = async (call: () => Promise<unknown>) => {
      expect(await bench.act.disturbed('loses_answers', () => codeOf(call()))).toBe('UNAVAILABLE')
    }

    it('is given to the same call when it is made again: customers', async () => {
      const request = { userId: newUserId(), replaces: null }
      await lost(() => bench.provider.createCustomer(request))
      const first = await bench.provider.createCustomer(request)
      expect(await bench.provider.createCustomer(request)).toEqual(first)
    })

    it('is given to the same call when it is made again: checkouts', async () => {
      const buyer = await bench.newBuyer()
      const priceId = await bench.act.newPrice({ unitPriceMinor: 1500, currency: 'usd', monthly: true })
      const [request, plan, card] = [checkoutRequest(buyer), subscribeRequest(buyer, priceId), saveCardRequest(buyer)]
      for (const call of [
        () => bench.provider.createCheckout(request),
        () => bench.provider.createSubscribeCheckout(plan),
        () => bench.provider.createSaveCardCheckout(card),
      ]) {
        await lost(call)
        const { sessionId, state } = opened(await call())
        expect(state).toBe('open')
        expect(opened(await call()).sessionId).toBe(sessionId)
      }
    })

    it('leaves a subscription ended', async () => {
      const { subscriptionId } = await subscribed(bench)
      await lost(() => bench.provider.cancelSubscription(subscriptionId, 'now'))
      const ended = await bench.provider.cancelSubscription(subscriptionId, 'now')
      expect(ended).toMatchObject({ subscriptionId, status: 'canceled' })
    })

    it('leaves a payment cancelled', async () => {
      const paymentId = there((await charged(bench, 'authentication_required')).payment.paymentId)
      await lost(() => bench.provider.cancelPayment(paymentId))
      expect(await bench.provider.cancelPayment(paymentId)).toBe(false)
      expect(await bench.provider.getPayment(paymentId)).toMatchObject({ state: 'canceled' })
    })
  })
}
