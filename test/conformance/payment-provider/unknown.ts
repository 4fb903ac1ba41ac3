import { describe, expect, it } from 'vitest'
import type { PaymentProvider } from '../../../src/ports/payments.js'
import { type Bench, bought, DAY, listed, subscribed, there } from './bench.js'

interface Ids {
  session: string
  payment: string
  invoice: string
  subscription: string
  price: string
}

export function testUnknown(bench: Bench): void {
  const allNull = { checkout: null, found: null, payment: null, reversals: null, invoice: null, subscription: null }
  const ask = async (provider: PaymentProvider, { session, payment, invoice, subscription, price }: Ids) => ({
    checkout: await provider.getCheckout(session),
    found: await provider.findCheckoutByPayment(payment),
    payment: await provider.getPayment(payment),
    reversals: await provider.getReversals(payment),
    invoice: await provider.getInvoice(invoice),
    subscription: await provider.getSubscription(subscription),
    price: await provider.getPrice(price),
  })
  const sameForAll = (id: string): Ids => ({ session: id, payment: id, invoice: id, subscription: id, price: id })
  const newIds = async (): Promise<Ids> => {
    const { sessionId: session, paymentId: payment } = await bought(bench)
    const { invoiceId: invoice, subscriptionId: subscription, priceId: price } = await subscribed(bench)
    return { session, payment, invoice, subscription, price }
  }

  describe('null', () => {
    it.each([
      ['an empty id', ''],
      ['another word', 'nobody'],
      ['a path', '../customers'],
      ['a query', 'cs_1?expand=customer'],
      ['white space', 'a b'],
      ['letters of any kind', 'ü😀'],
      ['a control character', '\u0000'],
      ['a very long id', 'x'.repeat(5000)],
    ])('stands for what nobody knows: %s', async (_case, id) => {
      expect(await ask(bench.provider, sameForAll(id))).toEqual({ ...allNull, price: null })
      expect(await bench.provider.cancelSubscription(id, 'now')).toBeNull()
      expect(await bench.provider.cancelPayment(id)).toBe(false)
    })

    it('stands for ids that only look like known ones', async () => {
      const ids = await newIds()
      const altered = (id: string) => `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`
      const { session, payment, invoice, subscription, price } = ids
      const wrong = {
        ...{ session: altered(session), payment: altered(payment), invoice: altered(invoice) },
        ...{ subscription: altered(subscription), price: altered(price) },
      }
      expect(await ask(bench.provider, wrong)).toEqual({ ...allNull, price: null })
    })

    it("stands for another kind of object's id", async () => {
      const { session, payment, invoice, subscription, price } = await newIds()
      const turned = { session: payment, payment: invoice, invoice: subscription, subscription: price, price: session }
      expect(await ask(bench.provider, turned)).toEqual({ ...allNull, price: null })
    })

    it('stands for objects of the other mode', async () => {
      const ids = await newIds()
      expect(await ask(bench.otherMode, ids)).toEqual({ ...allNull, price: null })
      expect(await bench.otherMode.cancelSubscription(ids.subscription, 'now')).toBeNull()
      expect((await bench.provider.getSubscription(ids.subscription))?.status).toBe('active')
    })

    it('stands for the checkout of a payment that came from none', async () => {
      const { invoiceId } = await subscribed(bench)
      const paymentId = there(there(await bench.provider.getInvoice(invoiceId)).paymentId)
      expect(await bench.provider.findCheckoutByPayment(paymentId)).toBeNull()
    })
  })

  describe('records of the other mode', () => {
    it('hold none of the objects', async () => {
      const { paymentId } = await bought(bench)
      await subscribed(bench)
      await bench.act.refund(paymentId, { amount: 1 })
      await bench.act.loseWebhooks()
      const range = { from: new Date(bench.act.now().getTime() - DAY), to: new Date(bench.act.now().getTime() + DAY) }
      const { records } = bench.otherMode
      expect(await listed(records.checkouts(range))).toEqual([])
      expect(await listed(records.payments(range))).toEqual([])
      expect(await listed(records.reversals(range))).toEqual([])
      expect(await listed(records.invoices(range))).toEqual([])
      for (const event of await listed(records.undeliveredEvents(range))) expect(await event.translate()).toBeNull()
    })
  })
}
