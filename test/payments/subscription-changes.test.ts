import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  DAY,
  HOUR,
  idOf,
  MIDDLE,
  openSubscribingShop,
  RENEWED,
  type Subscribed,
  type SubscribingShop,
} from './subscribing-shop.js'

/* What a subscription turns into: other intervals, other plans, other prices, and news of it in any order. */

let shop: SubscribingShop

beforeEach(async () => {
  shop = await openSubscribingShop()
})
afterEach(() => shop.close())

type Prices = SubscribingShop['prices']

const changeTo = ({ itemId, ...subscribed }: Subscribed, price: keyof Prices, quantity = 1): Promise<void> =>
  shop.change(
    { itemId, ...subscribed },
    { items: [{ id: itemId, price: shop.prices[price], quantity }], proration_behavior: 'always_invoice' },
  )
const refundInvoice = async (invoiceId: string): Promise<void> => {
  await shop.stripe.refund({ paymentIntent: await shop.paymentOf(invoiceId) })
  await shop.settled()
}
const both = async (userId: string) => [await shop.balance(userId), await shop.balance(userId, 'scraping')]

describe('a yearly plan changed to a monthly one', () => {
  it('ends with the change: its money went back, and the month brings its own credits', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.pass(HOUR)
    await changeTo(subscribed, 'basic')
    expect(await shop.balance(userId)).toBe(100)
    for (let month = 2; month <= 4; month += 1) {
      await shop.pass(31 * DAY)
      expect(await shop.balance(userId)).toBe(100)
    }
  })

  it('ends the same when the month’s invoice is heard of first', async () => {
    const userId = shop.newUser()
    shop.stripe.delivery = 'hold'
    const subscribed = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.pass(HOUR)
    await changeTo(subscribed, 'basic')
    await shop.stripe.deliver({ order: 'reversed' })
    shop.stripe.delivery = 'auto'
    expect(await shop.balance(userId)).toBe(100)
    await shop.pass(31 * DAY)
    expect(await shop.balance(userId)).toBe(100)
  })

  it('brings once what its credits that were used before leave of the month’s, however often it is told of', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.credits.deductCredits(userId, 250, 'enrichment', 'Lookup')
    await shop.pass(HOUR)
    await changeTo(subscribed, 'basic')
    expect(await shop.balance(userId)).toBe(0)
    await shop.stripe.deliver({ eventIds: shop.stripe.events.map(({ id }) => id) })
    expect(await shop.balance(userId)).toBe(0)
  })
})

describe('a refund of a yearly plan with more seats', () => {
  it('of the upgrade leaves the first seat’s months, and takes the second one’s to come', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.pass(DAY)
    await changeTo(subscribed, 'proYear', 2)
    expect(await shop.balance(userId)).toBe(491)
    await refundInvoice(idOf(await shop.lastInvoice(subscribed)))
    expect(await shop.balance(userId)).toBe(250)
    await shop.pass(32 * DAY)
    expect(await shop.balance(userId)).toBe(250)
  })

  it('of both invoices leaves nothing, now and later', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.pass(DAY)
    await changeTo(subscribed, 'proYear', 2)
    await shop.pass(31 * DAY)
    expect(await shop.balance(userId)).toBe(500)
    await refundInvoice(subscribed.invoiceId)
    expect(await shop.balance(userId)).toBe(250)
    await refundInvoice(idOf(await shop.lastInvoice(subscribed)))
    expect(await shop.balance(userId)).toBe(0)
    await shop.pass(31 * DAY)
    expect(await shop.balance(userId)).toBe(0)
  })
})

describe('a subscription whose end is heard of before its invoice', () => {
  it('brings the running month and none of those to come', async () => {
    const userId = shop.newUser()
    shop.stripe.delivery = 'hold'
    const { subscriptionId } = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.pass(HOUR)
    await shop.stripe.cancelSubscription(subscriptionId)
    await shop.stripe.deliver({ types: ['customer.subscription.deleted'] })
    expect(await shop.statuses(userId)).toEqual(['canceled'])
    await shop.stripe.deliver()
    shop.stripe.delivery = 'auto'
    expect(await shop.balance(userId)).toBe(250)
    await shop.pass(40 * DAY)
    expect(await shop.balance(userId)).toBe(0)
    expect((await shop.ledger(userId)).filter((row) => row.startsWith('adj'))).toEqual(['adjustment 250'])
  })
})

describe('a yearly plan changed to one of another credit type', () => {
  it.each(['as it happens', 'reversed'] as const)('ends with the change, told of %s', async (order) => {
    const userId = shop.newUser()
    if (order === 'reversed') shop.stripe.delivery = 'hold'
    const subscribed = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.pass(HOUR)
    await changeTo(subscribed, 'scrapeYear')
    if (order === 'reversed') await shop.stripe.deliver({ order })
    shop.stripe.delivery = 'auto'
    await shop.pass(31 * DAY)
    expect(await both(userId)).toEqual([0, 100])
    await shop.pass(31 * DAY)
    expect(await both(userId)).toEqual([0, 100])
  })

  it('and back again goes on with the first one only', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.pass(HOUR)
    await changeTo(subscribed, 'scrapeYear')
    await shop.pass(HOUR)
    await changeTo(subscribed, 'proYear')
    await shop.pass(40 * DAY)
    expect(await both(userId)).toEqual([250, 0])
  })

  it('that was one of two items ends when its item is removed', async () => {
    const userId = shop.newUser()
    const metadata = { app: 'creditkit', user_id: userId }
    const subscribed = await shop.subscribeDirectly(['proYear', 'scrapeYear'], { metadata })
    await shop.pass(HOUR)
    const items = [{ id: subscribed.itemId, deleted: true }]
    await shop.change(subscribed, { items, proration_behavior: 'always_invoice' })
    await shop.pass(31 * DAY)
    expect(await both(userId)).toEqual([0, 100])
  })
})

describe('seats that were changed twice in one moment', () => {
  it('bring the last number’s share', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    const seats = (quantity: number) => ({ items: [{ id: subscribed.itemId, quantity }] })
    await shop.change(subscribed, { ...seats(2), proration_behavior: 'create_prorations' })
    await shop.change(subscribed, { ...seats(3), proration_behavior: 'always_invoice' })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'adjustment 100'])
    await shop.goTo(RENEWED)
    expect(await shop.balance(userId)).toBe(300)
  })

  it('and back bring nothing', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    const seats = (quantity: number) => ({ items: [{ id: subscribed.itemId, quantity }] })
    await shop.change(subscribed, { ...seats(2), proration_behavior: 'create_prorations' })
    await shop.change(subscribed, { ...seats(1), proration_behavior: 'always_invoice' })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
  })
})

describe('a paid invoice whose price sells no plan', () => {
  const openEntries = () => shop.credits.marketplace.listQuarantine()

  it('of a subscription that we know waits for a person, who dismisses it', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    const items = [{ id: subscribed.itemId, price: shop.prices.other }]
    await shop.change(subscribed, { items, proration_behavior: 'none' })
    await shop.goTo(RENEWED)
    const [entry] = await openEntries()
    const { id: invoiceId } = await shop.lastInvoice(subscribed)
    expect(entry).toMatchObject({ invoiceId, reason: 'its price sells no plan' })
    const range = { from: new Date(shop.now().getTime() - 2 * DAY), to: new Date(shop.now().getTime() + DAY) }
    const report = await shop.credits.marketplace.reconcile(range)
    expect(report.findings).toMatchObject([{ kind: 'quarantined', reference: invoiceId, repaired: false }])
    await shop.credits.marketplace.releaseQuarantine({ quarantineId: entry?.id ?? '', action: 'dismiss' })
    expect((await shop.credits.marketplace.reconcile(range)).findings).toEqual([])
  })

  it('of a subscription that bears our mark waits, too', async () => {
    const metadata = { app: 'creditkit', user_id: shop.newUser() }
    const { invoiceId } = await shop.subscribeDirectly(['other'], { metadata })
    const [entry] = await openEntries()
    expect(entry).toMatchObject({ invoiceId, reason: 'its price sells no plan' })
    await shop.credits.marketplace.releaseQuarantine({ quarantineId: entry?.id ?? '', action: 'dismiss' })
  })
})

describe('an upgrade’s invoice that we never heard of', () => {
  it('is found by reconciliation, and brings its share', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    shop.stripe.delivery = 'drop'
    await changeTo(subscribed, 'pro')
    shop.stripe.delivery = 'auto'
    const range = { from: new Date(shop.now().getTime() - HOUR), to: new Date(shop.now().getTime() + HOUR) }
    const { findings } = await shop.credits.marketplace.reconcile(range)
    const { id: reference } = await shop.lastInvoice(subscribed)
    expect(findings).toMatchObject([{ kind: 'paid_not_granted', reference, repaired: false }])
    await shop.credits.marketplace.reconcile({ ...range, apply: true })
    expect(await shop.balance(userId)).toBe(175)
  })
})

describe('a trial longer than a period of its plan', () => {
  it('brings its credits once, and they last as long as it does', async () => {
    const userId = shop.newUser()
    await shop.subscribe(userId, 'tried', { trialDays: 90 })
    await shop.credits.deductCredits(userId, 5, 'enrichment', 'Lookup')
    for (let month = 1; month <= 2; month += 1) {
      await shop.pass(32 * DAY)
      expect(await shop.balance(userId)).toBe(15)
    }
    await shop.pass(26 * DAY + 2 * HOUR)
    expect(await shop.balance(userId)).toBe(100)
    expect(await shop.ledger(userId)).toEqual(['adjustment 20', 'usage -5', 'expiration -15', 'adjustment 100'])
  })
})
