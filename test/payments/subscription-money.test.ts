import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  DAY,
  HOUR,
  idOf,
  MIDDLE,
  openSubscribingShop,
  RENEWED,
  START,
  type Subscribed,
  type SubscribingShop,
} from './subscribing-shop.js'

/* Subscriptions that change in the middle of a period, and whose money goes back: what docs/stripe.md promises. */

let shop: SubscribingShop
const NEXT_RENEWAL = new Date('2031-05-10T13:00:01.000Z')

beforeEach(async () => {
  shop = await openSubscribingShop()
})
afterEach(() => shop.close())

type Prices = SubscribingShop['prices']
type Proration = 'always_invoice' | 'create_prorations' | 'none'

const changePrice = (subscribed: Subscribed, price: keyof Prices, proration_behavior?: Proration): Promise<void> =>
  shop.change(subscribed, {
    items: [{ id: subscribed.itemId, price: shop.prices[price] }],
    ...(proration_behavior !== undefined && { proration_behavior }),
  })
const changeQuantity = ({ itemId, ...subscribed }: Subscribed, quantity: number): Promise<void> =>
  shop.change({ itemId, ...subscribed }, { items: [{ id: itemId, quantity }], proration_behavior: 'always_invoice' })

describe('a change in the middle of a period', () => {
  it('upgrade billed at once brings its share of the credits at once, and all of them from the next period on', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    await changePrice(subscribed, 'pro', 'always_invoice')
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ amount_paid: 750, status: 'paid' })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'adjustment 75'])
    const [subscription] = await shop.credits.marketplace.getSubscriptions({ userId })
    expect(subscription?.items.map(({ plan }) => plan)).toEqual(['pro'])
    await shop.goTo(RENEWED)
    expect(await shop.balance(userId)).toBe(250)
    expect((await shop.ledger(userId)).at(-1)).toBe('adjustment 250')
  })

  it('upgrade whose payment fails brings nothing until its invoice is paid', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    shop.stripe.failPayments(subscribed.customerId)
    await changePrice(subscribed, 'pro', 'always_invoice')
    expect(await shop.statuses(userId)).toEqual(['past_due'])
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    shop.stripe.failPayments(subscribed.customerId, false)
    await shop.pass(3 * DAY)
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'adjustment 75'])
  })

  it('upgrade billed with the next period brings nothing before, and then exactly the better plan’s credits', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    await changePrice(subscribed, 'pro')
    await shop.pass(DAY)
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    await shop.goTo(RENEWED)
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ amount_paid: 2500 + 750 })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'expiration -100', 'adjustment 250'])
  })

  it('upgrade and back, three times over, gains nothing more than one upgrade', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    for (let round = 0; round < 3; round += 1) {
      await changePrice(subscribed, 'pro', 'always_invoice')
      await changePrice(subscribed, 'basic', 'always_invoice')
    }
    expect(await shop.balance(userId)).toBe(175)
    await shop.goTo(RENEWED)
    expect(await shop.balance(userId)).toBe(100)
  })

  it('downgrade takes nothing, and brings less from the next period on', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'pro')
    await shop.goTo(MIDDLE)
    await changePrice(subscribed, 'basic', 'always_invoice')
    expect(await shop.ledger(userId)).toEqual(['adjustment 250'])
    await shop.goTo(RENEWED)
    // The credit of the unused time pays this invoice; it counts as paid all the same.
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ total: 1000, status: 'paid' })
    expect(await shop.ledger(userId)).toEqual(['adjustment 250', 'expiration -250', 'adjustment 100'])
  })

  it('more seats bring their share; fewer and more again bring nothing', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic', { quantity: 2 })
    expect(await shop.balance(userId)).toBe(200)
    await shop.goTo(MIDDLE)
    await changeQuantity(subscribed, 3)
    expect(await shop.balance(userId)).toBe(250)
    await shop.pass(HOUR)
    await changeQuantity(subscribed, 1)
    await shop.pass(HOUR)
    await changeQuantity(subscribed, 3)
    expect(await shop.balance(userId)).toBe(250)
    await shop.pass(HOUR)
    await changeQuantity(subscribed, 1)
    await shop.goTo(RENEWED)
    expect(await shop.balance(userId)).toBe(100)
  })

  it('a second item added brings its share beside the first one’s', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    await shop.change(subscribed, { items: [{ price: shop.prices.team }], proration_behavior: 'always_invoice' })
    expect([await shop.balance(userId), await shop.balance(userId, 'scraping')]).toEqual([125, 3])
    await shop.goTo(RENEWED)
    expect([await shop.balance(userId), await shop.balance(userId, 'scraping')]).toEqual([150, 7])
  })

  it('monthly to yearly ends the month and begins the year’s months', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'pro')
    await shop.credits.deductCredits(userId, 50, 'enrichment', 'Lookup')
    await shop.goTo(MIDDLE)
    await changePrice(subscribed, 'proYear')
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ amount_paid: 24_000 - 1250, status: 'paid' })
    // 200 were left, 125 of them for time that was given back; the new month brings 250.
    expect(await shop.ledger(userId)).toEqual([
      'adjustment 250',
      'usage -50',
      'expiration -125',
      'expiration -75',
      'adjustment 250',
    ])
    await shop.goTo(new Date('2031-04-26T00:00:00.000Z'))
    expect(await shop.balance(userId)).toBe(250)
    await shop.goTo(new Date('2032-03-26T02:00:00.000Z'))
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ amount_paid: 24_000 })
    expect((await shop.ledger(userId)).filter((row) => row === 'adjustment 250')).toHaveLength(14)
  })
})

describe('a yearly price', () => {
  it('brings its credits month by month as the clock moves, and none when the year is over', async () => {
    const userId = shop.newUser()
    const { subscriptionId } = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.pass(DAY)
    await shop.credits.marketplace.cancelSubscription({ userId, subscriptionId })
    await shop.credits.deductCredits(userId, 50, 'enrichment', 'Lookup')
    expect(await shop.balance(userId)).toBe(200)
    for (const month of ['2031-04', '2031-09', '2032-02']) {
      await shop.goTo(new Date(`${month}-10T12:00:00.000Z`))
      expect(await shop.balance(userId)).toBe(250)
    }
    await shop.goTo(new Date('2032-03-10T12:00:01.000Z'))
    expect(await shop.statuses(userId)).toEqual(['canceled'])
    expect(await shop.balance(userId)).toBe(0)
    expect((await shop.ledger(userId)).filter((row) => row === 'adjustment 250')).toHaveLength(12)
  })

  it('refunded in part after some months first gives up the months to come', async () => {
    const userId = shop.newUser()
    const { invoiceId } = await shop.subscribe(userId, 'pro', { price: 'proYear' })
    await shop.goTo(new Date('2031-05-20T12:00:00.000Z'))
    await shop.stripe.refund({ paymentIntent: await shop.paymentOf(invoiceId), amount: 18_000 })
    expect(await shop.balance(userId)).toBe(250)
    await shop.goTo(new Date('2031-06-20T12:00:00.000Z'))
    expect(await shop.balance(userId)).toBe(0)
    expect((await shop.ledger(userId)).filter((row) => row.startsWith('claw'))).toEqual([])
  })
})

describe('money that goes back for an invoice', () => {
  it('whole takes the credits back, once, and names the invoice', async () => {
    const userId = shop.newUser()
    const { invoiceId } = await shop.subscribe(userId, 'basic')
    shop.stripe.delivery = 'hold'
    await shop.stripe.refund({ paymentIntent: await shop.paymentOf(invoiceId) })
    await shop.stripe.deliver({ order: 'reversed', copies: 3, concurrently: true })
    shop.stripe.delivery = 'auto'
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'clawback -100'])
    const [clawback] = await shop.credits.getTransactionHistory(userId)
    expect(clawback?.metadata).toMatchObject({ stripeInvoiceId: invoiceId })
  })

  it('in parts takes them in proportion, rounded so that they add up', async () => {
    const userId = shop.newUser()
    const { invoiceId } = await shop.subscribe(userId, 'basic')
    const paymentIntent = await shop.paymentOf(invoiceId)
    for (const amount of [333, 333, 334]) await shop.stripe.refund({ paymentIntent, amount })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'clawback -33', 'clawback -33', 'clawback -34'])
  })

  it('in part leaves the renewal whole', async () => {
    const userId = shop.newUser()
    const { invoiceId } = await shop.subscribe(userId, 'basic')
    await shop.stripe.refund({ paymentIntent: await shop.paymentOf(invoiceId), amount: 500 })
    expect(await shop.balance(userId)).toBe(50)
    await shop.goTo(RENEWED)
    expect(await shop.balance(userId)).toBe(100)
    await shop.goTo(NEXT_RENEWAL)
    expect(await shop.balance(userId)).toBe(100)
  })

  it('comes back when the refund fails', async () => {
    const userId = shop.newUser()
    const { invoiceId } = await shop.subscribe(userId, 'basic')
    await shop.credits.deductCredits(userId, 70, 'enrichment', 'Lookup')
    const { id } = await shop.stripe.refund({ paymentIntent: await shop.paymentOf(invoiceId) })
    expect(await shop.balance(userId)).toBe(-70)
    await shop.stripe.updateRefund(id, 'failed', 'lost_or_stolen_card')
    expect(await shop.balance(userId)).toBe(30)
  })

  it('is taken of every credit type, also when we hear of it before the invoice', async () => {
    const userId = shop.newUser()
    shop.stripe.delivery = 'hold'
    const { invoiceId } = await shop.subscribe(userId, 'team')
    await shop.stripe.refund({ paymentIntent: await shop.paymentOf(invoiceId), amount: 750 })
    await shop.stripe.deliver({ order: 'reversed' })
    shop.stripe.delivery = 'auto'
    expect([await shop.balance(userId), await shop.balance(userId, 'scraping')]).toEqual([25, 4])
  })

  it('of a disputed invoice is taken while the dispute is open and comes back when it is won', async () => {
    const userId = shop.newUser()
    const { invoiceId } = await shop.subscribe(userId, 'basic')
    const { id } = await shop.stripe.dispute({ paymentIntent: await shop.paymentOf(invoiceId) })
    expect(await shop.balance(userId)).toBe(0)
    await shop.stripe.updateDispute(id, 'won')
    expect(await shop.balance(userId)).toBe(100)
  })

  it('of an upgrade takes what the upgrade brought, and leaves the rest', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.goTo(MIDDLE)
    await changePrice(subscribed, 'pro', 'always_invoice')
    const { id } = await shop.lastInvoice(subscribed)
    await shop.stripe.refund({ paymentIntent: await shop.paymentOf(idOf(id)) })
    expect(await shop.balance(userId)).toBe(100)
  })

  it('115 after the end of the subscription takes its last credits, and never bought ones', async () => {
    const userId = shop.newUser()
    const { sessionId } = await shop.credits.marketplace.createCheckout({ userId, packageId: shop.packageId })
    await shop.stripe.complete(sessionId)
    const { invoiceId, subscriptionId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    await shop.stripe.cancelSubscription(subscriptionId)
    expect(await shop.statuses(userId)).toEqual(['canceled'])
    expect(await shop.balance(userId)).toBe(200)
    await shop.stripe.refund({ paymentIntent: await shop.paymentOf(invoiceId) })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'adjustment 100', 'clawback -100'])
  })

  it('115 for a period that is over takes nothing that was bought', async () => {
    const userId = shop.newUser()
    const { sessionId } = await shop.credits.marketplace.createCheckout({ userId, packageId: shop.packageId })
    await shop.stripe.complete(sessionId)
    const { invoiceId, subscriptionId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    await shop.stripe.cancelSubscription(subscriptionId)
    await shop.goTo(new Date(START.getTime() + 40 * DAY))
    expect(await shop.balance(userId)).toBe(100)
    await shop.stripe.refund({ paymentIntent: await shop.paymentOf(invoiceId) })
    expect(await shop.balance(userId)).toBe(100)
  })
})
