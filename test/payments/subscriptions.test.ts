import { signedWebhook } from 'creditkit/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, HOUR, openSubscribingShop, RENEWED, type SubscribingShop } from './subscribing-shop.js'

/* Subscriptions through Stripe: reference/stripe.md, section 3.G, by its numbers. */

let shop: SubscribingShop

beforeEach(async () => {
  shop = await openSubscribingShop()
})

describe('a subscription bought through Checkout', () => {
  afterEach(() => shop.close())

  it('104 grants with its first invoice, heard of before the subscription and the session, and only then', async () => {
    const userId = shop.newUser()
    shop.stripe.delivery = 'hold'
    await shop.subscribe(userId, 'basic')
    await shop.stripe.deliver({ types: ['invoice.paid'] })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    await shop.stripe.deliver({ order: 'reversed' })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    expect(await shop.statuses(userId)).toEqual(['active'])
  })

  it('104 grants nothing with the subscription, the session and the payment alone', async () => {
    const userId = shop.newUser()
    shop.stripe.delivery = 'hold'
    await shop.subscribe(userId, 'basic')
    const types = shop.stripe.held.map(({ type }) => type).filter((type) => type !== 'invoice.paid')
    await shop.stripe.deliver({ types })
    expect(await shop.ledger(userId)).toEqual([])
    expect(await shop.statuses(userId)).toEqual(['active'])
    await shop.stripe.deliver()
    expect(await shop.balance(userId)).toBe(100)
  })

  it('105 an invoice delivered twenty times at once, and with its twin, grants once', async () => {
    const userId = shop.newUser()
    shop.stripe.delivery = 'hold'
    await shop.subscribe(userId, 'basic')
    const types = ['invoice.paid', 'invoice.payment_succeeded']
    const answers = await shop.stripe.deliver({ types, copies: 20, concurrently: true })
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 200))
    await shop.stripe.deliver()
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
  })

  it('105 an invoice told of by two events grants once', async () => {
    const userId = shop.newUser()
    await shop.subscribe(userId, 'basic')
    const event = shop.stripe.events.find(({ type }) => type === 'invoice.paid')
    const twin = { ...event, id: 'evt_told_a_second_time' }
    const { status } = await fetch(await signedWebhook(twin, shop.stripe.webhookSecret, { url: shop.webhookUrl }))
    expect(status).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
  })

  it('106 renews with the invoice of the next period; what was left ends then', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    await shop.credits.deductCredits(userId, 40, 'enrichment', 'Lookup')
    await shop.goTo(new Date(RENEWED.getTime() - HOUR))
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ status: 'draft' })
    expect(await shop.balance(userId)).toBe(60)
    await shop.goTo(RENEWED)
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'usage -40', 'expiration -60', 'adjustment 100'])
    await shop.pass(61 * DAY)
    expect((await shop.ledger(userId)).filter((row) => row === 'adjustment 100')).toHaveLength(4)
    expect(await shop.balance(userId)).toBe(100)
  })

  it('106 keeps what its plan lets roll over', async () => {
    const userId = shop.newUser()
    await shop.subscribe(userId, 'saving')
    await shop.credits.deductCredits(userId, 20, 'enrichment', 'Lookup')
    await shop.goTo(RENEWED)
    expect(await shop.balance(userId)).toBe(130)
  })

  it('107 grants nothing, and is not made at all, when the card is declined on the page', async () => {
    const userId = shop.newUser()
    const { sessionId } = await shop.credits.marketplace.subscribe({ userId, plan: 'basic' })
    await shop.stripe.complete(sessionId, 'declined')
    expect(await shop.ledger(userId)).toEqual([])
    expect(await shop.statuses(userId)).toEqual([])
    await shop.stripe.complete(sessionId)
    expect(await shop.balance(userId)).toBe(100)
  })

  it('108 grants once when the renewal fails first and the same invoice is paid days later', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic')
    shop.stripe.failPayments(subscribed.customerId, 'pm_card_chargeDeclinedInsufficientFunds')
    await shop.goTo(RENEWED)
    const failed = await shop.lastInvoice(subscribed)
    expect(failed).toMatchObject({ status: 'open', attempt_count: 1 })
    expect(await shop.statuses(userId)).toEqual(['past_due'])
    expect(await shop.balance(userId)).toBe(100)
    await shop.pass(DAY)
    expect(await shop.balance(userId)).toBe(0)
    shop.stripe.failPayments(subscribed.customerId, false)
    await shop.pass(3 * DAY)
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ id: failed.id, status: 'paid' })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'expiration -100', 'adjustment 100'])
    expect(await shop.statuses(userId)).toEqual(['active'])
  })

  it('108 grants nothing more when no attempt to collect succeeds and Stripe ends it', async () => {
    const userId = shop.newUser()
    const { customerId } = await shop.subscribe(userId, 'basic')
    shop.stripe.failPayments(customerId)
    await shop.pass(50 * DAY)
    expect(await shop.statuses(userId)).toEqual(['canceled'])
    expect(await shop.balance(userId)).toBe(0)
    expect((await shop.ledger(userId)).filter((row) => row.startsWith('adjustment'))).toEqual(['adjustment 100'])
  })

  it('112 a free trial brings its own credits, and the first paid period the whole', async () => {
    const [tried, plain] = [shop.newUser(), shop.newUser()]
    await shop.subscribe(tried, 'tried', { trialDays: 14 })
    await shop.subscribe(plain, 'basic', { trialDays: 14 })
    expect(await shop.statuses(tried)).toEqual(['trialing'])
    expect([await shop.balance(tried), await shop.balance(plain)]).toEqual([20, 0])
    await shop.pass(14 * DAY + 2 * HOUR)
    expect([await shop.balance(tried), await shop.balance(plain)]).toEqual([100, 100])
    expect(await shop.statuses(tried)).toEqual(['active'])
  })

  it('112 a trial that is cancelled before it is over brings nothing more', async () => {
    const userId = shop.newUser()
    const { subscriptionId } = await shop.subscribe(userId, 'tried', { trialDays: 14 })
    await shop.pass(DAY)
    await shop.stripe.cancelSubscription(subscriptionId)
    await shop.pass(16 * DAY)
    expect(await shop.balance(userId)).toBe(0)
    expect((await shop.ledger(userId)).filter((row) => row.startsWith('adjustment'))).toEqual(['adjustment 20'])
  })

  it('113 a coupon for everything brings all credits, and so does the period after it', async () => {
    const userId = shop.newUser()
    const subscribed = await shop.subscribe(userId, 'basic', { discount: 1000 })
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ amount_paid: 0, status: 'paid' })
    expect(await shop.balance(userId)).toBe(100)
    await shop.goTo(RENEWED)
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ amount_paid: 1000 })
    expect(await shop.balance(userId)).toBe(100)
  })

  it('113 a coupon for everything for ever goes on bringing all credits', async () => {
    const userId = shop.newUser()
    const coupon = await shop.api.coupons.create({ percent_off: 100, duration: 'forever' })
    const metadata = { app: 'creditkit', user_id: userId }
    const subscribed = await shop.subscribeDirectly(['basic'], { metadata, discounts: [{ coupon: coupon.id }] })
    expect(await shop.balance(userId)).toBe(100)
    await shop.goTo(RENEWED)
    expect(await shop.lastInvoice(subscribed)).toMatchObject({ amount_paid: 0, status: 'paid' })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'expiration -100', 'adjustment 100'])
  })

  it('114 that ends in the moment it began is shown as it is', async () => {
    const userId = shop.newUser()
    const { subscriptionId } = await shop.subscribe(userId, 'basic')
    await shop.stripe.cancelSubscription(subscriptionId)
    expect(await shop.statuses(userId)).toEqual(['canceled'])
  })

  it.each(['keep_as_draft', 'void', 'mark_uncollectible'] as const)(
    '114 whose collection is paused (%s) brings nothing until an invoice is paid again',
    async (behavior) => {
      const userId = shop.newUser()
      const subscribed = await shop.subscribe(userId, 'basic')
      await shop.change(subscribed, { pause_collection: { behavior } })
      await shop.goTo(RENEWED)
      await shop.pass(DAY)
      const [subscription] = await shop.credits.marketplace.getSubscriptions({ userId })
      expect(subscription).toMatchObject({ status: 'active', collectionPaused: true })
      expect(await shop.balance(userId)).toBe(0)
      await shop.change(subscribed, { pause_collection: '' })
      await shop.goTo(new Date('2031-05-10T13:00:01.000Z'))
      expect(await shop.balance(userId)).toBe(100)
      expect((await shop.ledger(userId)).filter((row) => row.startsWith('adjustment'))).toHaveLength(2)
    },
  )

  it('114 that is paused brings nothing, and its credits again once it is resumed and paid', async () => {
    const userId = shop.newUser()
    const { subscriptionId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    await shop.api.subscriptions.pause(subscriptionId, { type: 'subscription' })
    await shop.settled()
    expect(await shop.statuses(userId)).toEqual(['paused'])
    await shop.pass(40 * DAY)
    expect(await shop.balance(userId)).toBe(0)
    await shop.api.subscriptions.resume(subscriptionId)
    await shop.settled()
    expect(await shop.statuses(userId)).toEqual(['active'])
    expect(await shop.balance(userId)).toBe(100)
    await shop.pass(31 * DAY + 2 * HOUR)
    expect(await shop.balance(userId)).toBe(100)
  })

  it('117 paid from the customer’s balance, without any payment, brings its credits', async () => {
    const userId = shop.newUser()
    const metadata = { app: 'creditkit', user_id: userId }
    const { invoiceId } = await shop.subscribeDirectly(['basic'], { metadata }, { balance: -5000 })
    expect(await shop.api.invoices.retrieve(invoiceId)).toMatchObject({ status: 'paid', amount_paid: 0, total: 1000 })
    expect(await shop.balance(userId)).toBe(100)
  })

  it('117 paid outside of Stripe brings its credits', async () => {
    const userId = shop.newUser()
    const metadata = { app: 'creditkit', user_id: userId }
    const card = 'pm_card_chargeCustomerFail'
    const { invoiceId } = await shop.subscribeDirectly(['basic'], { metadata }, { card })
    expect(await shop.statuses(userId)).toEqual(['incomplete'])
    await shop.stripe.payInvoice(invoiceId, { outOfBand: true })
    expect(await shop.balance(userId)).toBe(100)
    const { rows } = await shop.pool.query<{ payment_id: string | null }>(
      'select payment_id from creditkit.credit_purchases where user_id = $1',
      [userId],
    )
    expect(rows).toEqual([{ payment_id: null }])
  })
})

describe('a subscription made with the SDK', () => {
  afterEach(() => shop.close())

  it('107 whose first payment fails brings nothing, also when it expires', async () => {
    const userId = shop.newUser()
    const metadata = { app: 'creditkit', user_id: userId }
    const card = 'pm_card_chargeCustomerFail'
    await shop.subscribeDirectly(['basic'], { metadata }, { card })
    expect(await shop.statuses(userId)).toEqual(['incomplete'])
    await shop.pass(DAY)
    expect(await shop.statuses(userId)).toEqual(['incomplete_expired'])
    expect(await shop.ledger(userId)).toEqual([])
  })

  it('107 whose buyer authenticates the first payment in time brings its credits', async () => {
    const userId = shop.newUser()
    const metadata = { app: 'creditkit', user_id: userId }
    const card = 'pm_card_authenticationRequired'
    const { invoiceId } = await shop.subscribeDirectly(['basic'], { metadata }, { card })
    expect(await shop.ledger(userId)).toEqual([])
    await shop.pass(HOUR)
    await shop.stripe.payInvoice(invoiceId)
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    expect(await shop.statuses(userId)).toEqual(['active'])
  })

  it('118 with several items brings each one’s credits, period after period', async () => {
    const userId = shop.newUser()
    const metadata = { app: 'creditkit', user_id: userId }
    await shop.subscribeDirectly(['basic', 'team', 'other'], { metadata })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'adjustment 50'])
    expect(await shop.balance(userId, 'scraping')).toBe(7)
    const [subscription] = await shop.credits.marketplace.getSubscriptions({ userId })
    expect(subscription?.items.map(({ plan }) => plan)).toEqual(['basic', 'team', null])
    await shop.goTo(RENEWED)
    expect([await shop.balance(userId), await shop.balance(userId, 'scraping')]).toEqual([150, 7])
  })

  it('119 for another product is not ours', async () => {
    const userId = shop.newUser()
    await shop.subscribeDirectly(['other'], { metadata: { user_id: userId } })
    await shop.goTo(RENEWED)
    expect(await shop.credits.getAllBalances(userId)).toMatchObject({ enrichment: { balance: 0 } })
    expect(await shop.statuses(userId)).toEqual([])
    expect(await shop.credits.marketplace.listQuarantine({ includeResolved: true })).toEqual([])
  })
})
