import { describe, expect, it } from 'vitest'
import type { CheckoutRequest } from '../../../src/ports/payments.js'
import { type Bench, bought, checkoutRequest, last, newUserId, ofKind, opened } from './bench.js'

export function testCheckouts(bench: Bench): void {
  const { newBuyer, eventsOf } = bench
  const open = async (changes: Partial<CheckoutRequest> = {}) => {
    const request = checkoutRequest(await newBuyer(), changes)
    return { request, checkout: opened(await bench.provider.createCheckout(request)) }
  }
  const now = async (sessionId: string) => opened(await bench.provider.getCheckout(sessionId))

  describe('checkouts of a package', () => {
    it('open a session that tells what was asked for, and is told so again', async () => {
      const { request, checkout } = await open({ quantity: 3 })
      expect(checkout).toEqual({
        sessionId: expect.any(String) as string,
        url: expect.stringMatching(/^https?:\/\//) as string,
        clientSecret: null,
        purchaseId: request.purchaseId,
        state: 'open',
        mode: 'payment',
        currency: 'usd',
        subtotalMinor: 2997,
        totalMinor: 2997,
        paymentId: null,
        customerId: request.customerId,
        subscriptionId: null,
        invoiceId: null,
        savesCard: false,
        livemode: false,
      })
      expect(await bench.provider.getCheckout(checkout.sessionId)).toEqual(checkout)
    })

    it.each(['usd', 'jpy', 'kwd'])('keep amounts in the minor units of %s', async (currency) => {
      const { currency: told, subtotalMinor } = await bought(bench, { currency, unitPriceMinor: 1230 })
      expect({ told, subtotalMinor }).toEqual({ told: currency, subtotalMinor: 1230 })
    })

    it('return the first session when repeated with the same `purchaseId` and the same request', async () => {
      const { request, checkout } = await open()
      expect(opened(await bench.provider.createCheckout(request)).sessionId).toBe(checkout.sessionId)
      await bench.act.pay(checkout.sessionId)
      expect(opened(await bench.provider.createCheckout(request)).sessionId).toBe(checkout.sessionId)
    })

    it('are one session when asked for ten times at once', async () => {
      const request = checkoutRequest(await newBuyer())
      const made = await Promise.all(Array.from({ length: 10 }, () => bench.provider.createCheckout(request)))
      expect(new Set(made.map((checkout) => opened(checkout).sessionId)).size).toBe(1)
    })

    it('are apart for each `purchaseId`', async () => {
      const { request, checkout } = await open()
      const other = checkoutRequest(request)
      expect(opened(await bench.provider.createCheckout(other)).sessionId).not.toBe(checkout.sessionId)
    })

    it('say that the customer is gone, and open for the one that replaces it', async () => {
      const buyer = await newBuyer()
      const request = checkoutRequest(buyer)
      await bench.act.deleteCustomer(buyer.customerId)
      expect(await bench.provider.createCheckout(request)).toBe('customer_gone')
      const { customerId } = await bench.provider.createCustomer({ ...buyer, replaces: buyer.customerId })
      const checkout = opened(await bench.provider.createCheckout({ ...request, customerId }))
      expect(checkout).toMatchObject({ customerId, purchaseId: request.purchaseId, state: 'open' })
    })

    it('open for the customer that replaces one who was gone only after the session was opened', async () => {
      const { request, checkout } = await open()
      await bench.act.deleteCustomer(request.customerId)
      const { customerId } = await bench.provider.createCustomer({ ...request, replaces: request.customerId })
      const again = opened(await bench.provider.createCheckout({ ...request, customerId }))
      expect(again.sessionId).not.toBe(checkout.sessionId)
      expect(again.customerId).toBe(customerId)
    })

    it("charge a price of the provider's own instead of name, price and currency", async () => {
      const priceId = await bench.act.newPrice({ unitPriceMinor: 750, currency: 'eur', monthly: false })
      const { checkout } = await open({ priceId, quantity: 2 })
      expect(checkout).toMatchObject({ subtotalMinor: 1500, totalMinor: 1500, currency: 'eur', mode: 'payment' })
    })

    it('are shown by `url` as pages, and by `clientSecret` within the page of a host that has a publishable key', async () => {
      const ui = bench.provider.publishableKey === null ? 'page' : 'embedded'
      const { checkout } = await open({ ui, successUrl: `${bench.appUrl}/done` })
      if (ui === 'page') expect(checkout).toMatchObject({ url: expect.any(String) as string, clientSecret: null })
      else expect(checkout).toMatchObject({ url: null, clientSecret: expect.any(String) as string })
    })
  })

  describe('a checkout that is finished', () => {
    it('is paid, closed, and gives our purchase back with the session and with the payment', async () => {
      const { sessionId, purchaseId, paymentId, buyer } = await bought(bench)
      expect(await now(sessionId)).toMatchObject({
        ...{ state: 'paid', url: null, clientSecret: null, purchaseId, totalMinor: 999 },
        ...{ subtotalMinor: 999, customerId: buyer.customerId },
      })
      expect(await bench.provider.getPayment(paymentId)).toEqual({
        ...{ paymentId, purchaseId, state: 'succeeded', amountMinor: 999, currency: 'usd' },
        ...{ customerId: buyer.customerId, failure: null, livemode: false },
      })
    })

    it('is told as it was charged: before discounts and taxes, and after them', async () => {
      const { subtotalMinor, totalMinor, paymentId } = await bought(bench, { discount: 100, tax: 190 })
      expect({ subtotalMinor, totalMinor }).toEqual({ subtotalMinor: 999, totalMinor: 1089 })
      expect(await bench.provider.getPayment(paymentId)).toMatchObject({ amountMinor: 1089 })
      expect(await bench.provider.getReversals(paymentId)).toMatchObject({ capturedMinor: 1089 })
    })

    it('is free when there is nothing to pay, and has no payment', async () => {
      const { checkout } = await open()
      const events = await eventsOf(() => bench.act.pay(checkout.sessionId, { discount: 999 }))
      const free = { state: 'free', subtotalMinor: 999, totalMinor: 0, paymentId: null, url: null }
      expect(await now(checkout.sessionId)).toMatchObject(free)
      expect(last(ofKind(events, 'checkout')).checkout).toMatchObject(free)
    })

    it('is unpaid while the money is on its way, and paid when it has arrived', async () => {
      const { request, checkout } = await open()
      const { purchaseId } = request
      const { sessionId } = checkout
      const told = await eventsOf(() => bench.act.payLater(sessionId))
      expect(await now(sessionId)).toMatchObject({ state: 'unpaid', url: null, purchaseId })
      expect(ofKind(told, 'checkout')).toMatchObject([{ checkout: { state: 'unpaid', purchaseId }, failed: false }])
      expect(ofKind(told, 'payment_succeeded')).toEqual([])
      const { paymentId } = await now(sessionId)
      expect(await bench.provider.getPayment(paymentId ?? '')).toMatchObject({ state: 'processing', amountMinor: 0 })

      const settled = await eventsOf(() => bench.act.settle(sessionId, 'succeeded'))
      expect(await now(sessionId)).toMatchObject({ state: 'paid', totalMinor: 999 })
      expect(last(ofKind(settled, 'checkout'))).toMatchObject({ checkout: { state: 'paid' }, failed: false })
      expect(ofKind(settled, 'payment_succeeded')).toEqual([{ kind: 'payment_succeeded', paymentId, purchaseId }])
    })

    it('stays unpaid, and says that it failed, when the delayed payment did not come', async () => {
      const { checkout } = await open()
      const { sessionId } = checkout
      await bench.act.payLater(sessionId)
      const events = await eventsOf(() => bench.act.settle(sessionId, 'failed'))
      expect(await now(sessionId)).toMatchObject({ state: 'unpaid' })
      expect(last(ofKind(events, 'checkout'))).toMatchObject({ checkout: { state: 'unpaid' }, failed: true })
    })

    it('stays open when the card is declined, since the buyer may try again on the same page', async () => {
      const { request, checkout } = await open()
      const { purchaseId } = request
      const events = await eventsOf(() => bench.act.decline(checkout.sessionId))
      const { state, url, paymentId } = await now(checkout.sessionId)
      expect({ state, url }).toEqual({ state: 'open', url: checkout.url })
      const failures = ofKind(events, 'payment_failed')
      expect(failures).toMatchObject([{ purchaseId, code: expect.any(String) as string }])
      if (paymentId !== null) expect(last(failures).paymentId).toBe(paymentId)
      await bench.act.pay(checkout.sessionId)
      expect(await now(checkout.sessionId)).toMatchObject({ state: 'paid', totalMinor: 999 })
    })

    it('is expired when its time is up, and says so', async () => {
      const { checkout } = await open()
      const events = await eventsOf(() => bench.act.expire(checkout.sessionId))
      expect(await now(checkout.sessionId)).toMatchObject({ state: 'expired', url: null, clientSecret: null })
      expect(last(ofKind(events, 'checkout'))).toMatchObject({ checkout: { state: 'expired' }, failed: false })
    })

    it('is found by its payment', async () => {
      const checkout = await bought(bench)
      expect(await bench.provider.findCheckoutByPayment(checkout.paymentId)).toEqual(await now(checkout.sessionId))
    })

    it('keeps the card for later payments that the buyer is not there for, when it was asked to', async () => {
      const keeping = await bought(bench, { saveCard: true })
      const plain = await bought(bench, { saveCard: false })
      expect([keeping.savesCard, plain.savesCard]).toEqual([true, false])
      const charge = (buyer: { userId: string; customerId: string }, purchaseId: string) => {
        const price = { amountMinor: 2000, currency: 'usd', description: 'Top-up' }
        return bench.provider.chargeOffSession({ ...buyer, purchaseId, ...price })
      }
      expect(await charge(keeping.buyer, newUserId())).toMatchObject({ state: 'succeeded', amountMinor: 2000 })
      const refused = await charge(plain.buyer, newUserId())
      expect(refused).toMatchObject({ state: 'failed', failure: { kind: 'card_missing' } })
    })
  })

  describe("another app's checkout on the same account", () => {
    it('is told without a purchase, and means nothing', async () => {
      let sold = { sessionId: '', paymentId: '' }
      const events = await eventsOf(async () => (sold = await bench.act.sellElsewhere()))
      expect(events).toEqual([])
      expect(await now(sold.sessionId)).toMatchObject({ state: 'paid', purchaseId: null, paymentId: sold.paymentId })
      expect(await bench.provider.getPayment(sold.paymentId)).toMatchObject({ state: 'succeeded', purchaseId: null })
      expect(await bench.provider.getReversals(sold.paymentId)).toBeNull()
    })
  })
}
