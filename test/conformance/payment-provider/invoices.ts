import { describe, expect, it } from 'vitest'
import { type Bench, DAY, last, ofKind, subscribed, there } from './bench.js'

export function testInvoices(bench: Bench): void {
  const { eventsOf } = bench
  const now = async (invoiceId: string) => there(await bench.provider.getInvoice(invoiceId))

  describe('invoices', () => {
    it('tell whose they are, what paid them and each line', async () => {
      const { buyer, priceId, subscriptionId, invoiceId } = await subscribed(bench, { quantity: 2 })
      const { items } = there(await bench.provider.getSubscription(subscriptionId))
      const { itemId, periodStart: from, periodEnd: until } = last(items)
      const invoice = await now(invoiceId)
      expect(invoice).toEqual({
        ...{ invoiceId, status: 'paid', subscriptionId, customerId: buyer.customerId, userId: buyer.userId },
        ...{ paidMinor: 3000, currency: 'usd', paymentId: expect.any(String) as string },
        ...{ url: expect.stringMatching(/^https?:\/\//) as string, livemode: false },
        lines: [
          {
            lineId: expect.any(String) as unknown,
            itemId,
            priceId,
            quantity: 2,
            proration: false,
            trial: false,
            amountMinor: 3000,
            from,
            until,
          },
        ],
      })
      expect(await bench.provider.getPayment(there(invoice.paymentId))).toMatchObject({
        ...{ state: 'succeeded', amountMinor: 3000, purchaseId: null, customerId: buyer.customerId },
      })
    })

    it('say that they were paid', async () => {
      let begun = { invoiceId: '' }
      const events = await eventsOf(async () => (begun = await subscribed(bench)))
      const paid = ofKind(events, 'invoice').filter(({ invoice }) => invoice.status === 'paid')
      expect(last(paid).invoice).toEqual(await now(begun.invoiceId))
    })

    it('bill one period after the other, half-open', async () => {
      const { subscriptionId, invoiceId } = await subscribed(bench)
      const first = last((await now(invoiceId)).lines)
      let renewal = ''
      const events = await eventsOf(async () => (renewal = await bench.act.renew(subscriptionId)))
      const invoice = await now(renewal)
      expect(renewal).not.toBe(invoiceId)
      expect(invoice).toMatchObject({ status: 'paid', subscriptionId, paidMinor: 1500 })
      expect(invoice.lines).toMatchObject([{ itemId: first.itemId, from: first.until, proration: false }])
      expect(last(ofKind(events, 'invoice')).invoice).toEqual(invoice)
      expect(await now(invoiceId)).toMatchObject({ status: 'paid', lines: [first] })
    })

    it('say that nothing is due in a trial, and bill the whole period after it', async () => {
      const { subscriptionId, invoiceId } = await subscribed(bench, { trialDays: 7, quantity: 2 })
      const { trialEndsAt } = there(await bench.provider.getSubscription(subscriptionId))
      const trial = await now(invoiceId)
      expect(trial).toMatchObject({ status: 'paid', paidMinor: 0, paymentId: null })
      const line = { quantity: 2, proration: false }
      expect(trial.lines).toMatchObject([{ ...line, trial: true, amountMinor: 0, until: there(trialEndsAt) }])
      const first = await now(await bench.act.renew(subscriptionId))
      expect(first).toMatchObject({ status: 'paid', paidMinor: 3000, paymentId: expect.any(String) as string })
      expect(first.lines).toMatchObject([{ ...line, trial: false, amountMinor: 3000, from: there(trialEndsAt) }])
    })

    it('bill part of a period when something was changed in the middle of it', async () => {
      const { subscriptionId, invoiceId, priceId } = await subscribed(bench)
      const { itemId, until } = last((await now(invoiceId)).lines)
      await bench.act.pass(10 * DAY)
      const invoice = await now(await bench.act.changeQuantity(subscriptionId, 3))
      expect(invoice).toMatchObject({ status: 'paid', subscriptionId, currency: 'usd' })
      const sum = invoice.lines.reduce((total, { amountMinor }) => total + amountMinor, 0)
      expect(sum).toBe(invoice.paidMinor)
      // Two more, for about 20 of 30 days.
      expect(sum).toBeGreaterThan(1500)
      expect(sum).toBeLessThan(2500)
      for (const line of invoice.lines) expect(line).toMatchObject({ proration: true, itemId, priceId, until })
      const added = there(invoice.lines.find(({ amountMinor }) => amountMinor > 0))
      expect(added.quantity).toBe(3)
      expect(Math.abs(added.from.getTime() - bench.act.now().getTime())).toBeLessThanOrEqual(1000)
    })

    it('bill the new quantity from the next period on', async () => {
      const { subscriptionId } = await subscribed(bench)
      await bench.act.changeQuantity(subscriptionId, 3)
      const { lines, paidMinor } = await now(await bench.act.renew(subscriptionId))
      expect({ lines, paidMinor }).toMatchObject({ paidMinor: 4500, lines: [{ quantity: 3, proration: false }] })
    })

    it('tell each line before discounts, and what was paid after them', async () => {
      const { invoiceId, checkout } = await subscribed(bench, { discount: 400 })
      const { paidMinor, lines } = await now(invoiceId)
      expect({ paidMinor, lines }).toMatchObject({ paidMinor: 1100, lines: [{ amountMinor: 1500, trial: false }] })
      expect(checkout).toMatchObject({ state: 'paid', totalMinor: 1100 })
    })

    it('are paid, and no trial, when a discount leaves nothing to pay', async () => {
      const { invoiceId, subscriptionId, checkout } = await subscribed(bench, { discount: 1500 })
      const { status, paidMinor, paymentId, lines } = await now(invoiceId)
      expect({ status, paidMinor, paymentId }).toEqual({ status: 'paid', paidMinor: 0, paymentId: null })
      expect(lines).toMatchObject([{ amountMinor: 1500, trial: false, quantity: 1 }])
      expect(checkout).toMatchObject({ state: 'free', totalMinor: 0 })
      expect((await bench.provider.getSubscription(subscriptionId))?.status).toBe('active')
    })

    it('have lines of no item, for what is nothing of ours', async () => {
      const { subscriptionId, priceId } = await subscribed(bench)
      await bench.act.addToNextInvoice(subscriptionId, 700)
      const { lines, paidMinor } = await now(await bench.act.renew(subscriptionId))
      expect(paidMinor).toBe(2200)
      expect(lines).toHaveLength(2)
      const [period, extra] = [lines.find(({ itemId }) => itemId !== null), lines.find(({ itemId }) => itemId === null)]
      expect(period).toMatchObject({ priceId, amountMinor: 1500, proration: false })
      expect(extra).toMatchObject({ amountMinor: 700, trial: false })
    })

    it('name no payment when they were paid elsewhere', async () => {
      const { subscriptionId, buyer } = await subscribed(bench)
      await bench.act.saveCard(buyer.customerId, 'hard')
      const invoiceId = await bench.act.renew(subscriptionId)
      const events = await eventsOf(() => bench.act.payInvoice(invoiceId, true))
      const { status, paymentId } = await now(invoiceId)
      expect({ status, paymentId }).toEqual({ status: 'paid', paymentId: null })
      expect(last(ofKind(events, 'invoice')).invoice).toMatchObject({ invoiceId, status: 'paid' })
    })

    it('say nothing of a user when the subscription was made without us, and are told all the same', async () => {
      const { customerId } = await bench.newBuyer()
      await bench.act.saveCard(customerId, 'pays')
      const priceId = await bench.act.newPrice({ unitPriceMinor: 1500, currency: 'usd', monthly: true })
      let subscriptionId = ''
      const events = await eventsOf(async () => {
        subscriptionId = await bench.act.subscribeElsewhere(customerId, priceId)
      })
      const subscription = there(await bench.provider.getSubscription(subscriptionId))
      expect(subscription).toMatchObject({ userId: null, customerId, status: 'active', items: [{ priceId }] })
      expect(last(ofKind(events, 'subscription')).subscription).toEqual(subscription)
      const { invoice } = last(ofKind(events, 'invoice'))
      expect(invoice).toMatchObject({ subscriptionId, userId: null, customerId, status: 'paid', paidMinor: 1500 })
      expect(await now(invoice.invoiceId)).toEqual(invoice)
    })

    it('are open when the payment does not come, say so, and can be paid on their page', async () => {
      const { subscriptionId, buyer } = await subscribed(bench)
      await bench.act.saveCard(buyer.customerId, 'soft')
      let invoiceId = ''
      const failing = await eventsOf(async () => (invoiceId = await bench.act.renew(subscriptionId)))
      const open = { invoiceId, status: 'open', paidMinor: 0, url: expect.any(String) as string }
      expect(await now(invoiceId)).toMatchObject(open)
      expect(last(ofKind(failing, 'invoice')).invoice).toMatchObject(open)
      const paying = await eventsOf(() => bench.act.payInvoice(invoiceId))
      expect(await now(invoiceId)).toMatchObject({ status: 'paid', paidMinor: 1500 })
      expect(last(ofKind(paying, 'invoice')).invoice).toEqual(await now(invoiceId))
    })

    it('say that they were given up', async () => {
      const { subscriptionId, buyer } = await subscribed(bench)
      await bench.act.saveCard(buyer.customerId, 'soft')
      const invoiceId = await bench.act.renew(subscriptionId)
      const events = await eventsOf(() => bench.act.giveUpInvoice(invoiceId))
      const { status, paidMinor } = await now(invoiceId)
      expect({ status, paidMinor }).toEqual({
        status: expect.stringMatching(/^(uncollectible|void)$/) as string,
        paidMinor: 0,
      })
      expect(last(ofKind(events, 'invoice')).invoice).toMatchObject({ invoiceId, status })
    })

    it('are not paid while nothing is collected', async () => {
      const { subscriptionId } = await subscribed(bench)
      await bench.act.pauseCollection(subscriptionId, true)
      const invoice = await now(await bench.act.renew(subscriptionId))
      expect(invoice.status).not.toBe('paid')
      expect(invoice.paidMinor).toBe(0)
    })
  })
}
