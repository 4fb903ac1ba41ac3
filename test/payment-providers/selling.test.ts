import { CreditService, type CreditServiceOptions } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { type MemoryPayments, memoryPayments, type MemoryPaymentsOptions, testClock } from 'creditkit/testing'
import { describe, expect, it } from 'vitest'

/* A second payment provider sells everything that Stripe's does: nothing in src knows of it. */

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const userId = 'buyer'

interface Shop {
  payments: MemoryPayments
  credits: CreditService
  packageId: number
  balance: () => Promise<number>
  /** Open a checkout of the package of 100 credits for 9.99. */
  checkout: () => Promise<string>
}

async function openShop(options: MemoryPaymentsOptions = {}, more: Partial<CreditServiceOptions> = {}): Promise<Shop> {
  const payments = memoryPayments(options)
  return openShopWith(payments, more)
}

async function openShopWith(payments: MemoryPayments, more: Partial<CreditServiceOptions> = {}): Promise<Shop> {
  const credits = new CreditService({ store: memoryStore(), payments, cache: null, logger: quiet, ...more })
  payments.registerEndpoint((request) => credits.handleWebhook(request))
  const { id: packageId } = await credits.marketplace.createPackage({
    name: 'Starter',
    creditAmount: 100,
    price: 999,
    creditType: 'enrichment',
  })
  return {
    payments,
    credits,
    packageId,
    balance: () => credits.getBalance(userId, 'enrichment'),
    checkout: async () => (await credits.marketplace.createCheckout({ userId, packageId })).sessionId,
  }
}

describe('credits sold through the provider in memory', () => {
  it('are there when the checkout is paid, and go with the money', async () => {
    const { payments, credits, balance, checkout } = await openShop()
    const sessionId = await checkout()
    expect(await balance()).toBe(0)
    await payments.complete(sessionId)
    expect(await balance()).toBe(100)
    expect(await credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'fulfilled' })
    const { refundId } = await payments.refund({ sessionId, amount: 333 })
    expect(await balance()).toBe(67)
    await payments.updateRefund(refundId, 'failed')
    expect(await balance()).toBe(100)
    const { disputeId } = await payments.dispute({ sessionId })
    expect(await balance()).toBe(0)
    await payments.updateDispute(disputeId, 'won')
    expect(await balance()).toBe(100)
  })

  it('come once, in whichever order and however often the events come', async () => {
    const { payments, balance, checkout } = await openShop({ delivery: 'hold' })
    const sessionId = await checkout()
    await payments.complete(sessionId)
    await payments.refund({ sessionId, amount: 333 })
    expect(await balance()).toBe(0)
    const deliveries = await payments.deliver({ order: 'reversed', copies: 3, concurrently: true })
    expect(new Set(deliveries.map(({ status }) => status))).toEqual(new Set([200]))
    expect(await balance()).toBe(67)
    expect(payments.held).toEqual([])
    await payments.deliver({ eventIds: payments.events.map(({ id }) => id) })
    expect(await balance()).toBe(67)
  })

  it('come when an event that met an outage is delivered again', async () => {
    const { payments, balance, checkout } = await openShop()
    const sessionId = await checkout()
    payments.failNext({ call: 'translate', times: 3 })
    await payments.complete(sessionId)
    expect(payments.deliveries.filter(({ status }) => status === 503)).not.toEqual([])
    expect(payments.held).not.toEqual([])
    payments.clearFailures()
    await payments.deliver()
    expect(await balance()).toBe(100)
  })

  it('are found by reconciliation when no event ever came', async () => {
    const { payments, credits, balance, checkout } = await openShop({ delivery: 'drop' })
    await payments.complete(await checkout())
    const range = { from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 60_000) }
    const report = await credits.marketplace.reconcile({ ...range, apply: true })
    expect(report).toMatchObject({ isClean: true })
    expect(await balance()).toBe(100)
  })

  it('come with each paid invoice of a plan, and none with one that is not paid', async () => {
    const clock = testClock()
    const payments = memoryPayments({ clock })
    const stripePriceId = payments.addPrice({ unitPriceMinor: 1500, every: 'month' })
    const grants = [{ creditType: 'enrichment' as const, amount: 50, every: 'month' as const, rollover: {} }]
    const { credits, balance } = await openShopWith(payments, { clock, plans: { pro: { stripePriceId, grants } } })
    const { sessionId } = await credits.marketplace.subscribe({ userId, plan: 'pro' })
    await payments.complete(sessionId)
    expect(await balance()).toBe(50)
    const [subscription] = await credits.marketplace.getSubscriptions({ userId })
    expect(subscription).toMatchObject({ status: 'active', items: [{ plan: 'pro', quantity: 1 }] })
    const { customerId } = await payments.createCustomer({ userId, replaces: null })
    payments.failPayments(customerId, 'soft')
    clock.advance(31 * 86_400_000)
    const invoice = await payments.renew(subscription?.id ?? '')
    expect(await balance()).toBe(50)
    expect(await credits.marketplace.getSubscriptions({ userId })).toMatchObject([{ status: 'past_due' }])
    await payments.payInvoice(invoice?.invoiceId ?? '')
    expect(await balance()).toBe(100)
  })

  it('come by an automatic top-up from the saved card, once', async () => {
    const { payments, credits, balance, checkout, packageId } = await openShop()
    await payments.complete(await checkout())
    const { customerId } = await payments.createCustomer({ userId, replaces: null })
    await payments.saveCard(customerId)
    await credits.marketplace.configureAutoTopup({ userId, creditType: 'enrichment', threshold: 20, packageId })
    payments.failNext({ call: 'chargeOffSession', afterEffect: true })
    await credits.deductCredits({ userId, creditType: 'enrichment', amount: 90, description: 'Used' })
    await credits.runDue()
    await payments.idle()
    expect(await balance()).toBe(110)
    await credits.runDue()
    expect(await balance()).toBe(110)
  })
})
