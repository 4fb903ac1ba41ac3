import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Finding } from 'creditkit'
import { DAY, HOUR, openSubscribingShop, RENEWED, type SubscribingShop } from './subscribing-shop.js'

let shop: SubscribingShop

beforeEach(async () => {
  shop = await openSubscribingShop()
})
afterEach(() => shop.close())

/** As every night: the last two days. */
async function reconcile(apply: boolean): Promise<Finding[]> {
  const to = new Date(shop.now().getTime() + 1000)
  const from = new Date(to.getTime() - 2 * DAY)
  return (await shop.credits.marketplace.reconcile({ from, to, apply })).findings
}

describe('reconciliation of invoices', () => {
  it('finds a renewal that was made long before the window, and paid in it', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    shop.stripe.failPayments(subscribed.customerId)
    await shop.goTo(RENEWED)
    shop.stripe.failPayments(subscribed.customerId, false)
    await shop.pass(2 * DAY)
    shop.stripe.delivery = 'drop'
    await shop.pass(2 * DAY)
    const { id: reference, status } = await shop.lastInvoice(subscribed)
    expect([status, await shop.balance(userId)]).toEqual(['paid', 0])
    const missing = { kind: 'paid_not_granted', reference, credits: 100 }
    expect(await reconcile(false)).toMatchObject([{ ...missing, repaired: false }])
    expect(await reconcile(true)).toMatchObject([{ ...missing, repaired: true }])
    expect(await shop.balance(userId)).toBe(100)
    shop.stripe.delivery = 'auto'
  })

  it('finds an upgrade in the middle of a period that nobody heard of', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.pass(HOUR)
    shop.stripe.delivery = 'drop'
    const items = [{ id: subscribed.itemId, price: shop.prices.pro }]
    await shop.change(subscribed, { items, proration_behavior: 'always_invoice' })
    const { id: reference } = await shop.lastInvoice(subscribed)
    expect(await reconcile(false)).toMatchObject([{ kind: 'paid_not_granted', reference, repaired: false }])
    expect(await reconcile(true)).toMatchObject([{ kind: 'paid_not_granted', reference, repaired: true }])
    expect(await shop.balance(userId)).toBeGreaterThan(240)
    expect(await reconcile(true)).toEqual([])
    shop.stripe.delivery = 'auto'
  })
})
