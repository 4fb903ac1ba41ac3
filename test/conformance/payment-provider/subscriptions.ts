import { describe, expect, it } from 'vitest'
import { type Bench, DAY, last, ofKind, opened, subscribed, subscribeRequest, there } from './bench.js'

export function testSubscriptions(bench: Bench): void {
  const { newBuyer, eventsOf } = bench
  const now = async (subscriptionId: string) => there(await bench.provider.getSubscription(subscriptionId))
  const invoiceOf = async (invoiceId: string) => there(await bench.provider.getInvoice(invoiceId))

  describe('checkouts of a subscription', () => {
    const newPrice = () => bench.act.newPrice({ unitPriceMinor: 1500, currency: 'usd', monthly: true })

    it('open one session for one `requestId`, that sells no package', async () => {
      const request = subscribeRequest(await newBuyer(), await newPrice(), { quantity: 2 })
      const checkout = opened(await bench.provider.createSubscribeCheckout(request))
      expect(checkout).toEqual({
        ...{ sessionId: expect.any(String) as string, url: expect.any(String) as string, clientSecret: null },
        ...{ purchaseId: null, state: 'open', mode: 'subscription', currency: 'usd', subtotalMinor: 3000 },
        ...{ totalMinor: 3000, paymentId: null, customerId: request.customerId, subscriptionId: null },
        ...{ invoiceId: null, savesCard: expect.any(Boolean) as boolean, livemode: false },
      })
      const again = opened(await bench.provider.createSubscribeCheckout(request))
      expect(again.sessionId).toBe(checkout.sessionId)
      const other = subscribeRequest(request, request.priceId)
      expect(opened(await bench.provider.createSubscribeCheckout(other)).sessionId).not.toBe(checkout.sessionId)
    })

    it('are named by hosts at any length', async () => {
      const buyer = await newBuyer()
      const priceId = await newPrice()
      const request = subscribeRequest(buyer, priceId, { requestId: `${'ü '.repeat(300)}${buyer.userId}` })
      const { sessionId } = opened(await bench.provider.createSubscribeCheckout(request))
      expect(opened(await bench.provider.createSubscribeCheckout(request)).sessionId).toBe(sessionId)
    })

    it('say that the customer is gone', async () => {
      const buyer = await newBuyer()
      const request = subscribeRequest(buyer, await newPrice())
      await bench.act.deleteCustomer(buyer.customerId)
      expect(await bench.provider.createSubscribeCheckout(request)).toBe('customer_gone')
      const { customerId } = await bench.provider.createCustomer({ ...buyer, replaces: buyer.customerId })
      const checkout = opened(await bench.provider.createSubscribeCheckout({ ...request, customerId }))
      expect(checkout).toMatchObject({ customerId, state: 'open' })
    })

    it('say what was begun, and its first invoice', async () => {
      const { checkout, subscriptionId, invoiceId } = await subscribed(bench)
      expect(checkout).toMatchObject({
        ...{ state: 'paid', mode: 'subscription', url: null, purchaseId: null, paymentId: null, totalMinor: 1500 },
        ...{ subscriptionId, invoiceId },
      })
      expect(await invoiceOf(invoiceId)).toMatchObject({ status: 'paid', subscriptionId })
    })
  })

  describe('subscriptions', () => {
    it('are told with whose they are, their items and periods', async () => {
      const { buyer, priceId, subscriptionId, invoiceId } = await subscribed(bench, { quantity: 2 })
      const [line] = (await invoiceOf(invoiceId)).lines
      const { itemId, from: periodStart, until: periodEnd } = there(line)
      expect(await now(subscriptionId)).toEqual({
        ...{ subscriptionId, customerId: buyer.customerId, userId: buyer.userId, status: 'active' },
        ...{ items: [{ itemId, priceId, quantity: 2, periodStart, periodEnd }], cancelAtPeriodEnd: false },
        ...{ collectionPaused: false, endedAt: null, trialEndsAt: null, livemode: false },
      })
    })

    it('say when they begin, change and end', async () => {
      let begun = { subscriptionId: '' }
      const beginning = await eventsOf(async () => (begun = await subscribed(bench)))
      const { subscriptionId } = begun
      expect(last(ofKind(beginning, 'subscription')).subscription).toEqual(await now(subscriptionId))
      const changing = await eventsOf(() => bench.act.changeQuantity(subscriptionId, 3))
      expect(last(ofKind(changing, 'subscription')).subscription.items).toMatchObject([{ quantity: 3 }])
      const ending = await eventsOf(() => bench.provider.cancelSubscription(subscriptionId, 'now'))
      expect(last(ofKind(ending, 'subscription')).subscription).toMatchObject({ subscriptionId, status: 'canceled' })
    })

    it('run from period to period', async () => {
      const { subscriptionId } = await subscribed(bench)
      const [first] = (await now(subscriptionId)).items
      const { periodStart, periodEnd } = there(first)
      const days = (periodEnd.getTime() - periodStart.getTime()) / DAY
      expect(days).toBeGreaterThanOrEqual(28)
      expect(days).toBeLessThanOrEqual(31)
      await bench.act.renew(subscriptionId)
      const [second] = (await now(subscriptionId)).items
      expect(second).toMatchObject({ periodStart: periodEnd, itemId: there(first).itemId })
    })

    it('begin with a trial, until the first invoice that is due', async () => {
      const { subscriptionId, checkout } = await subscribed(bench, { trialDays: 7 })
      expect(checkout).toMatchObject({ state: 'free', totalMinor: 0 })
      const { status, trialEndsAt, items } = await now(subscriptionId)
      expect(status).toBe('trialing')
      expect(items).toMatchObject([{ periodEnd: there(trialEndsAt) }])
      expect(Math.round((there(trialEndsAt).getTime() - bench.act.now().getTime()) / DAY)).toBe(7)
      await bench.act.renew(subscriptionId)
      expect((await now(subscriptionId)).status).toBe('active')
    })

    it('are past due when a payment does not come, and active again when it does', async () => {
      const { subscriptionId, buyer } = await subscribed(bench)
      await bench.act.saveCard(buyer.customerId, 'soft')
      let invoiceId = ''
      const failing = await eventsOf(async () => (invoiceId = await bench.act.renew(subscriptionId)))
      expect((await now(subscriptionId)).status).toBe('past_due')
      expect(last(ofKind(failing, 'invoice')).invoice).toMatchObject({ invoiceId, status: 'open', paidMinor: 0 })
      await bench.act.payInvoice(invoiceId)
      expect((await now(subscriptionId)).status).toBe('active')
    })

    it('say that nothing is collected at present', async () => {
      const { subscriptionId } = await subscribed(bench)
      await bench.act.pauseCollection(subscriptionId, true)
      expect(await now(subscriptionId)).toMatchObject({ status: 'active', collectionPaused: true })
      await bench.act.pauseCollection(subscriptionId, false)
      expect((await now(subscriptionId)).collectionPaused).toBe(false)
    })

    it('end at the end of what is paid, and say so before; a repeat changes nothing', async () => {
      const { subscriptionId } = await subscribed(bench)
      const cancelled = await bench.provider.cancelSubscription(subscriptionId, 'period_end')
      expect(cancelled).toMatchObject({ status: 'active', cancelAtPeriodEnd: true, endedAt: null })
      expect(await now(subscriptionId)).toEqual(cancelled)
      expect(await bench.provider.cancelSubscription(subscriptionId, 'period_end')).toEqual(cancelled)
    })

    it('end at once; a repeat changes nothing', async () => {
      const { subscriptionId } = await subscribed(bench)
      const ended = there(await bench.provider.cancelSubscription(subscriptionId, 'now'))
      expect(ended.status).toBe('canceled')
      expect(Math.abs(there(ended.endedAt).getTime() - bench.act.now().getTime())).toBeLessThanOrEqual(1000)
      expect(await now(subscriptionId)).toEqual(ended)
      await bench.act.pass(DAY)
      expect(await bench.provider.cancelSubscription(subscriptionId, 'now')).toEqual(ended)
      expect(await bench.provider.cancelSubscription(subscriptionId, 'period_end')).toEqual(ended)
    })

    it('end at once also after they were to end with their period', async () => {
      const { subscriptionId } = await subscribed(bench)
      await bench.provider.cancelSubscription(subscriptionId, 'period_end')
      expect((await bench.provider.cancelSubscription(subscriptionId, 'now'))?.status).toBe('canceled')
    })
  })
}
