import { type MemoryPayments, memoryPayments, type MemoryPaymentsOptions, testClock } from 'creditkit/testing'
import type { CheckoutRequest } from '../../src/ports/payments.js'
import { describe, expect, it } from 'vitest'

/* What tests let happen at the payment service in memory, beyond what its contract asks for. */

const DAY = 86_400_000

interface Opened {
  payments: MemoryPayments
  customerId: string
  request: CheckoutRequest
  /** Open a checkout; returns the session's id. */
  checkout: (changes?: Partial<CheckoutRequest>) => Promise<string>
  /** Begin a monthly subscription for 30.00; returns its id. */
  subscribe: () => Promise<string>
}

async function open(options: MemoryPaymentsOptions = {}): Promise<Opened> {
  const payments = memoryPayments(options)
  const userId = 'buyer'
  const { customerId } = await payments.createCustomer({ userId, replaces: null })
  const pages = { ui: 'page' as const, successUrl: null, cancelUrl: null }
  const buyer = { userId, customerId, ...pages, quantity: 1 }
  const pack = { packageId: 1, creditType: 'calling', creditAmount: 100, name: 'Pack', description: null }
  const price = { unitPriceMinor: 999, currency: 'usd', priceId: null, saveCard: false }
  const request = { ...buyer, purchaseId: 'purchase', ...pack, ...price }
  return {
    payments,
    customerId,
    request,
    checkout: async (changes = {}) => {
      const checkout = await payments.createCheckout({ ...request, ...changes })
      return checkout === 'customer_gone' ? checkout : checkout.sessionId
    },
    subscribe: async () => {
      const priceId = payments.addPrice({ unitPriceMinor: 3000, every: 'month' })
      const asked = { ...buyer, requestId: priceId, priceId, plan: 'pro', trialDays: null }
      const checkout = await payments.createSubscribeCheckout(asked)
      if (checkout === 'customer_gone') throw new Error(checkout)
      return (await payments.complete(checkout.sessionId)).subscriptionId ?? ''
    },
  }
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => null,
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  )

describe('the payment service in memory', () => {
  it('lets nothing happen that cannot: it throws', async () => {
    const { payments, checkout } = await open()
    const sessionId = await checkout()
    await expect(payments.refund({ sessionId })).rejects.toThrow('there is no payment')
    await expect(payments.complete(sessionId, 'no_payment_required')).rejects.toThrow('costs 999')
    await expect(payments.settle(sessionId, 'succeeded')).rejects.toThrow('does not wait')
    await payments.complete(sessionId)
    await expect(payments.complete(sessionId)).rejects.toThrow('is paid, not open')
    await expect(payments.refund({ sessionId, amount: 1000 })).rejects.toThrow("can't be refunded")
    const { refundId } = await payments.refund({ sessionId, status: 'failed' })
    await expect(payments.updateRefund(refundId, 'succeeded')).rejects.toThrow('has failed')
    await expect(payments.renew('nobody')).rejects.toThrow('there is no subscription')
  })

  it('refuses another request under the same name', async () => {
    const { checkout } = await open()
    await checkout()
    expect(await codeOf(checkout({ unitPriceMinor: 1 }))).toBe('IDEMPOTENCY_CONFLICT')
  })

  it('sells only prices of the right kind that are for sale, and leads back only to allowed origins', async () => {
    const { payments, checkout } = await open({ allowedOrigins: ['https://other.example'] })
    const priceId = payments.addPrice({ unitPriceMinor: 100 })
    const monthly = payments.addPrice({ unitPriceMinor: 100, every: 'month' })
    expect(await codeOf(checkout({ purchaseId: '1', priceId: monthly }))).toBe('INVALID_INPUT')
    expect(await codeOf(checkout({ purchaseId: '2', priceId }))).toBeNull()
    payments.archivePrice(priceId)
    expect(await codeOf(checkout({ purchaseId: '3', priceId }))).toBe('INVALID_INPUT')
    expect(await codeOf(checkout({ purchaseId: '4', successUrl: 'https://evil.example' }))).toBe('INVALID_INPUT')
    expect(await codeOf(checkout({ purchaseId: '5', cancelUrl: 'https://other.example/back' }))).toBeNull()
  })

  it('expires sessions by its clock', async () => {
    const clock = testClock()
    const { payments, checkout } = await open({ clock })
    const sessionId = await checkout()
    clock.advance(DAY - 1)
    expect((await payments.getCheckout(sessionId))?.state).toBe('open')
    clock.advance(1)
    expect((await payments.getCheckout(sessionId))?.state).toBe('expired')
    expect(payments.events.at(-1)?.type).toBe('session.expired')
  })

  it('gives each caller an answer of its own', async () => {
    const { payments, checkout } = await open()
    const sessionId = await checkout()
    const first = await payments.getCheckout(sessionId)
    if (first !== null) first.totalMinor = 1
    expect((await payments.getCheckout(sessionId))?.totalMinor).toBe(999)
  })

  it('keeps an event while the endpoint does not take it, and loses what is discarded', async () => {
    const { payments, checkout } = await open()
    let status = 500
    payments.registerEndpoint(() => new Response(null, { status }))
    payments.discard()
    await payments.complete(await checkout())
    const types = ['payment.succeeded', 'session.completed']
    expect(payments.held.map(({ type }) => type)).toEqual(types)
    status = 200
    payments.discard({ types: ['payment.succeeded'] })
    expect((await payments.deliver()).map(({ type }) => type)).toEqual(['session.completed'])
    expect(payments.held).toEqual([])
    payments.delivery = 'drop'
    await payments.complete(await checkout({ purchaseId: 'another' }))
    expect(payments.held).toEqual([])
  })

  it('bills several items, one line for each', async () => {
    const { payments, subscribe } = await open({ clock: testClock() })
    const subscriptionId = await subscribe()
    const more = payments.addPrice({ unitPriceMinor: 500, every: 'month' })
    expect(await payments.addItem(subscriptionId, more, 2)).toMatchObject({
      paidMinor: 1000,
      lines: [{ priceId: more, quantity: 2, proration: true }],
    })
    const renewal = await payments.renew(subscriptionId)
    expect(renewal).toMatchObject({ status: 'paid', paidMinor: 4000 })
    expect(renewal?.lines.map(({ amountMinor }) => amountMinor)).toEqual([3000, 1000])
    const [first] = renewal?.lines ?? []
    const other = payments.addPrice({ unitPriceMinor: 6000, every: 'month' })
    const change = { itemId: first?.itemId ?? '', priceId: other }
    expect(await payments.changeSubscription(subscriptionId, change)).toMatchObject({
      paidMinor: 3000,
      lines: [{ amountMinor: -3000 }, { amountMinor: 6000, priceId: other }],
    })
  })

  it('ends a cancelled subscription with its period', async () => {
    const { payments, subscribe } = await open()
    const subscriptionId = await subscribe()
    await payments.cancelSubscription(subscriptionId, 'period_end')
    expect(await payments.renew(subscriptionId)).toBeNull()
    expect((await payments.getSubscription(subscriptionId))?.status).toBe('canceled')
    await expect(payments.renew(subscriptionId)).rejects.toThrow('does not renew')
  })

  it('collects an invoice whose payment the buyer authenticates', async () => {
    const { payments, customerId, subscribe } = await open()
    const subscriptionId = await subscribe()
    payments.failPayments(customerId, 'authentication_required')
    const invoice = await payments.renew(subscriptionId)
    expect(invoice).toMatchObject({ status: 'open', paidMinor: 0 })
    await payments.authenticate(invoice?.paymentId ?? '', 'failed')
    expect((await payments.getInvoice(invoice?.invoiceId ?? ''))?.status).toBe('open')
    await payments.authenticate(invoice?.paymentId ?? '')
    expect((await payments.getInvoice(invoice?.invoiceId ?? ''))?.status).toBe('paid')
    expect((await payments.getSubscription(subscriptionId))?.status).toBe('active')
  })

  it('moves to real money by an option, and to a webhook without a secret by another', async () => {
    const { payments, checkout } = await open({ livemode: true, webhookSecret: null })
    expect(payments.livemode).toBe(true)
    expect((await payments.getCheckout(await checkout()))?.livemode).toBe(true)
    const verify = payments.verifyWebhook(new Uint8Array(), 'signature')
    expect(await codeOf(verify)).toBe('PAYMENTS_NOT_CONFIGURED')
  })
})
