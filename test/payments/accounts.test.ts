import { CreditService } from 'creditkit'
import { postgresStore } from 'creditkit/adapters/postgres'
import { stripePayments } from 'creditkit/adapters/stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, HOUR, idOf, openSubscribingShop, RENEWED, type SubscribingShop } from './subscribing-shop.js'

/* Whose money it is, and what becomes of it when they go: reference/stripe.md, section 3.I, 104 and 132 to 133. */

const ignore = (): void => undefined

let shop: SubscribingShop

beforeEach(async () => {
  shop = await openSubscribingShop()
})
afterEach(() => shop.close())

describe('a customer', () => {
  it('is made once by ten first checkouts at once', async () => {
    const userId = shop.newUser()
    const { packageId } = shop
    const { marketplace } = shop.credits
    await Promise.all([
      ...Array.from({ length: 8 }, () => marketplace.createCheckout({ userId, packageId })),
      marketplace.subscribe({ userId, plan: 'basic' }),
      marketplace.createCardSetup({ userId }),
    ])
    const customers = (await shop.api.customers.list({ limit: 100 })).data
    expect(customers).toMatchObject([{ metadata: { app: 'creditkit', user_id: userId } }])
    const sessions = (await shop.api.checkout.sessions.list({ limit: 100 })).data
    expect(new Set(sessions.map(({ customer }) => customer))).toEqual(new Set([customers[0]?.id]))
    expect(sessions).toHaveLength(10)
  })

  it('is known by the metadata of a subscription made with the SDK', async () => {
    const userId = shop.newUser()
    await shop.subscribeDirectly(['basic'], { metadata: { app: 'creditkit', user_id: userId } })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    await shop.goTo(RENEWED)
    expect(await shop.balance(userId)).toBe(100)
    // Their next checkout is for the same customer.
    await shop.credits.marketplace.createCheckout({ userId, packageId: shop.packageId })
    expect((await shop.api.customers.list()).data).toHaveLength(1)
  })

  it('that is linked is known, whatever the subscription says', async () => {
    const userId = shop.newUser()
    const { customerId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    const [card] = (await shop.api.customers.listPaymentMethods(customerId)).data
    await shop.api.subscriptions.create({
      customer: customerId,
      items: [{ price: shop.prices.team }],
      default_payment_method: idOf(card),
    })
    await shop.settled()
    expect([await shop.balance(userId), await shop.balance(userId, 'scraping')]).toEqual([150, 7])
    expect(await shop.statuses(userId)).toEqual(['active', 'active'])
  })

  it('104 that nobody knows waits for a person, once, and then is known for good', async () => {
    const userId = shop.newUser()
    await shop.subscribeDirectly(['basic'])
    const { marketplace } = shop.credits
    const [entry, ...others] = await marketplace.listQuarantine()
    expect(others).toEqual([])
    expect(entry).toMatchObject({ userId: null, reason: 'nobody knows which user pays it' })
    const quarantineId = entry?.id ?? ''
    await expect(marketplace.releaseQuarantine({ quarantineId })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(await marketplace.releaseQuarantine({ quarantineId, userId, actor: 'eve' })).toMatchObject({
      resolution: 'granted',
      resolvedBy: 'eve',
    })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    await shop.goTo(RENEWED)
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'expiration -100', 'adjustment 100'])
    expect(await marketplace.listQuarantine()).toEqual([])
    expect(await shop.statuses(userId)).toEqual(['active'])
  })

  it('104 that nobody knows and a person dismisses is settled for good', async () => {
    const { marketplace } = shop.credits
    const { invoiceId } = await shop.subscribeDirectly(['basic'])
    const [entry] = await marketplace.listQuarantine()
    await marketplace.releaseQuarantine({ quarantineId: entry?.id ?? '', action: 'dismiss' })
    const range = { from: new Date(shop.now().getTime() - DAY), to: new Date(shop.now().getTime() + DAY) }
    const { findings } = await marketplace.reconcile({ ...range, apply: true })
    expect(findings.filter(({ reference }) => reference === invoiceId)).toEqual([])
    expect(await marketplace.listQuarantine()).toEqual([])
  })

  it('104 that nobody knows is granted to whom a person says, whatever is known by then', async () => {
    const [userId, other] = [shop.newUser(), shop.newUser()]
    const subscribed = await shop.subscribeDirectly(['basic'])
    await shop.change(subscribed, { metadata: { app: 'creditkit', user_id: other } })
    expect(await shop.statuses(other)).toEqual(['active'])
    const { marketplace } = shop.credits
    const [entry] = await marketplace.listQuarantine()
    await marketplace.releaseQuarantine({ quarantineId: entry?.id ?? '', userId })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    expect(await shop.ledger(other)).toEqual([])
  })

  it('104 that nobody knows stays in quarantine while nothing can be granted for it', async () => {
    const userId = shop.newUser()
    const { marketplace } = shop.credits
    await shop.subscribeDirectly(['basic'])
    const quarantineId = (await marketplace.listQuarantine())[0]?.id ?? ''
    // A deployment whose plans have another price.
    const newer = new CreditService({
      store: postgresStore(shop.pool),
      payments: stripePayments({
        stripe: shop.api,
        webhookSecret: shop.stripe.webhookSecret,
        appUrl: 'https://shop.example',
      }),
      clock: { now: () => shop.now() },
      logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      plans: {
        basic: { stripePriceId: 'price_new', grants: [{ creditType: 'enrichment', amount: 1, every: 'month' }] },
      },
    })
    const release = newer.marketplace.releaseQuarantine({ quarantineId, userId, actor: 'eve' })
    await expect(release).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await newer.close()
    expect(await marketplace.listQuarantine()).toMatchObject([{ id: quarantineId, resolution: null, resolvedBy: null }])
    await marketplace.releaseQuarantine({ quarantineId, userId })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
  })

  it('104 of a subscription that another app has marked is not ours', async () => {
    const userId = shop.newUser()
    await shop.subscribeDirectly(['basic'], { metadata: { app: 'other', user_id: userId } })
    expect(await shop.ledger(userId)).toEqual([])
    expect(await shop.credits.marketplace.listQuarantine({ includeResolved: true })).toEqual([])
  })
})

describe('the success page of a subscription', () => {
  it('grants without any webhook, and to the buyer alone', async () => {
    const [userId, stranger] = [shop.newUser(), shop.newUser()]
    const { marketplace } = shop.credits
    shop.stripe.delivery = 'hold'
    const { sessionId } = await marketplace.subscribe({ userId, plan: 'basic' })
    expect(await marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ success: false, status: 'open' })
    await shop.stripe.complete(sessionId)
    const verify = marketplace.verifyCheckout({ userId: stranger, sessionId })
    await expect(verify).rejects.toMatchObject({ code: 'CHECKOUT_NOT_FOUND' })
    expect(await shop.ledger(userId)).toEqual([])
    for (let visit = 0; visit < 3; visit += 1) {
      expect(await marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({
        success: true,
        status: 'fulfilled',
        metadata: { userId, creditType: 'enrichment', creditAmount: '100' },
      })
    }
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
    expect(await shop.ledger(stranger)).toEqual([])
    await shop.stripe.deliver()
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
  })

  it('waits for a bank debit, and grants when its money is there', async () => {
    const userId = shop.newUser()
    const { marketplace } = shop.credits
    const { sessionId } = await marketplace.subscribe({ userId, plan: 'basic' })
    await shop.stripe.complete(sessionId, 'paid', { paymentMethod: 'pm_usBankAccount_success' })
    expect(await marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'processing' })
    expect(await shop.ledger(userId)).toEqual([])
    await shop.stripe.settle(sessionId, 'succeeded')
    expect(await marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'fulfilled' })
    expect(await shop.ledger(userId)).toEqual(['adjustment 100'])
  })
})

describe('the portal', () => {
  it('opens for its customer, and leads back to our origin alone', async () => {
    const userId = shop.newUser()
    const { subscriptionId } = await shop.subscribe(userId, 'basic')
    const { marketplace } = shop.credits
    const { url } = await marketplace.createPortalSession({ userId, returnUrl: '/account' })
    const page = await (await fetch(url)).text()
    expect(page).toContain(subscriptionId)
    expect(page).toContain('https://shop.example/account')
    const elsewhere = marketplace.createPortalSession({ userId, returnUrl: 'https://evil.example/' })
    await expect(elsewhere).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })
})

describe('cancelling', () => {
  it('at the period’s end leaves the credits until then, and bought ones for ever', async () => {
    const userId = shop.newUser()
    const { marketplace } = shop.credits
    const { sessionId } = await marketplace.createCheckout({ userId, packageId: shop.packageId })
    await shop.stripe.complete(sessionId)
    const { subscriptionId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    expect(await marketplace.cancelSubscription({ userId, subscriptionId })).toMatchObject({
      status: 'active',
      cancelAtPeriodEnd: true,
    })
    await marketplace.cancelSubscription({ userId, subscriptionId })
    expect(await shop.balance(userId)).toBe(200)
    await shop.goTo(new Date('2031-04-10T12:00:01.000Z'))
    expect(await shop.statuses(userId)).toEqual(['canceled'])
    expect(await shop.balance(userId)).toBe(100)
    await shop.goTo(RENEWED)
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'adjustment 100', 'expiration -100'])
  })

  it('at once leaves what is paid until its period’s end, and no other user can', async () => {
    const userId = shop.newUser()
    const { marketplace } = shop.credits
    const { subscriptionId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    const stranger = marketplace.cancelSubscription({ userId: shop.newUser(), subscriptionId, when: 'now' })
    await expect(stranger).rejects.toMatchObject({ code: 'SUBSCRIPTION_NOT_FOUND' })
    const canceled = await marketplace.cancelSubscription({ userId, subscriptionId, when: 'now' })
    expect(canceled).toMatchObject({ status: 'canceled' })
    expect(await marketplace.cancelSubscription({ userId, subscriptionId, when: 'now' })).toEqual(canceled)
    await shop.settled()
    expect(await shop.balance(userId)).toBe(100)
    await shop.goTo(RENEWED)
    expect(await shop.balance(userId)).toBe(0)
    await shop.credits.runDue()
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'expiration -100'])
  })

  it('in the portal, and subscribing anew, brings each subscription’s own credits', async () => {
    const userId = shop.newUser()
    const { subscriptionId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    await shop.stripe.cancelSubscription(subscriptionId, 'at_period_end')
    expect(await shop.credits.marketplace.getSubscriptions({ userId })).toMatchObject([{ cancelAtPeriodEnd: true }])
    await shop.subscribe(userId, 'pro')
    expect(await shop.balance(userId)).toBe(350)
    await shop.goTo(new Date('2031-04-11T14:00:00.000Z'))
    expect(await shop.balance(userId)).toBe(250)
    expect(await shop.statuses(userId)).toEqual(['active', 'canceled'])
  })
})

describe('a user who goes', () => {
  it('132 pays no more, and what comes of old payments is still written down', async () => {
    const userId = shop.newUser()
    const { packageId } = shop
    const { marketplace } = shop.credits
    const bought = await marketplace.createCheckout({ userId, packageId, saveCard: true })
    await shop.stripe.complete(bought.sessionId)
    const opened = await marketplace.createCheckout({ userId, packageId })
    const { subscriptionId, customerId } = await shop.subscribe(userId, 'basic')
    await marketplace.configureAutoTopup({ userId, creditType: 'enrichment', threshold: 300, packageId })
    await shop.pass(HOUR)
    const forgotten = await shop.credits.anonymizeUser({ userId })
    await shop.settled()
    expect(await shop.api.subscriptions.retrieve(subscriptionId)).toMatchObject({ status: 'canceled' })
    expect(await shop.ledger(userId)).toEqual([])
    await shop.credits.deductCredits(forgotten.userId, 1, 'enrichment', 'Lookup')
    await shop.settled()
    await shop.credits.runDue()
    const payments = (await shop.api.paymentIntents.list({ customer: customerId })).data
    expect(payments.filter(({ status }) => status === 'succeeded')).toHaveLength(2)

    await shop.stripe.refund({ sessionId: bought.sessionId })
    await shop.stripe.complete(opened.sessionId)
    expect(shop.stripe.deliveries.every(({ status }) => status === 200)).toBe(true)
    expect(await shop.ledger(userId)).toEqual([])
    expect(await shop.ledger(forgotten.userId)).toEqual([
      'purchase 100',
      'adjustment 100',
      'usage -1',
      'clawback -100',
      'purchase 100',
    ])
    const { rows } = await shop.pool.query('select 1 from creditkit.credit_customers where user_id = $1', [userId])
    expect(rows).toEqual([])
  })

  it('132 whose subscription we heard of from the success page alone pays no more, too', async () => {
    const userId = shop.newUser()
    const { marketplace } = shop.credits
    shop.stripe.delivery = 'hold'
    const { sessionId } = await marketplace.subscribe({ userId, plan: 'basic' })
    const session = await shop.stripe.complete(sessionId)
    expect(await marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'fulfilled' })
    await shop.credits.anonymizeUser({ userId })
    expect(await shop.api.subscriptions.retrieve(idOf(session.subscription))).toMatchObject({ status: 'canceled' })
    await shop.stripe.deliver()
    expect(await shop.ledger(userId)).toEqual([])
  })

  it('132 while an automatic top-up waits for them is not asked for that money any more', async () => {
    const userId = shop.newUser()
    const { packageId } = shop
    await shop.credits.addCredits({ userId, amount: 50, creditType: 'enrichment', description: 'Welcome' })
    await shop.saveCard(userId)
    await shop.credits.marketplace.configureAutoTopup({ userId, creditType: 'enrichment', threshold: 10, packageId })
    const customer = idOf((await shop.api.customers.list()).data[0])
    shop.stripe.failPayments(customer, 'pm_card_authenticationRequired')
    await shop.credits.deductCredits(userId, 45, 'enrichment', 'Lookup')
    await shop.settled()
    const forgotten = await shop.credits.anonymizeUser({ userId })
    await shop.settled()
    const payments = (await shop.api.paymentIntents.list({ customer })).data
    expect(payments.map(({ status }) => status)).toEqual(['canceled'])
    const topup = await shop.credits.marketplace.getAutoTopup({ userId: forgotten.userId, creditType: 'enrichment' })
    expect(topup).toMatchObject({ status: 'off', isPaying: false, recoveryUrl: null })
  })

  it('132 is not forgotten while Stripe cannot be asked to stop, and is with the next call', async () => {
    const userId = shop.newUser()
    const { subscriptionId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    shop.stripe.failNext({ path: '/v1/subscriptions', status: 503 })
    await expect(shop.credits.anonymizeUser({ userId })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await shop.balance(userId)).toBe(100)
    await shop.credits.anonymizeUser({ userId })
    await shop.settled()
    expect(await shop.api.subscriptions.retrieve(subscriptionId)).toMatchObject({ status: 'canceled' })
  })

  it('133 as a customer in the Dashboard is unlinked, and their next checkout makes a new customer', async () => {
    const userId = shop.newUser()
    const { packageId } = shop
    const { marketplace } = shop.credits
    const bought = await marketplace.createCheckout({ userId, packageId, saveCard: true })
    await shop.stripe.complete(bought.sessionId)
    const { customerId } = await shop.subscribe(userId, 'basic')
    await marketplace.configureAutoTopup({ userId, creditType: 'enrichment', threshold: 199, packageId })
    await shop.pass(DAY)
    await shop.api.customers.del(customerId)
    await shop.settled()
    expect(await shop.statuses(userId)).toEqual(['canceled'])
    expect(await marketplace.getAutoTopup({ userId, creditType: 'enrichment' })).toMatchObject({
      status: 'suspended',
      lastFailure: 'customer_deleted',
    })
    await shop.credits.deductCredits(userId, 1, 'enrichment', 'Lookup')
    await shop.settled()
    const again = await marketplace.createCheckout({ userId, packageId })
    await shop.stripe.complete(again.sessionId)
    const session = await shop.api.checkout.sessions.retrieve(again.sessionId)
    expect(session.customer).not.toBe(customerId)
    expect(await shop.balance(userId)).toBe(299)
    // Refunds of old payments still count.
    await shop.stripe.refund({ sessionId: bought.sessionId })
    expect(await shop.balance(userId)).toBe(199)
  })

  it('133 as a customer without our hearing of it gets a new one with the next checkout, portal or card', async () => {
    const userId = shop.newUser()
    const { packageId } = shop
    const { marketplace } = shop.credits
    const { customerId } = await shop.subscribe(userId, 'basic')
    await shop.pass(DAY)
    shop.stripe.delivery = 'hold'
    await shop.api.customers.del(customerId)
    const [first] = await Promise.all([
      marketplace.createCheckout({ userId, packageId }),
      marketplace.createCheckout({ userId, packageId }),
      marketplace.createPortalSession({ userId }),
      marketplace.createCardSetup({ userId }),
    ])
    shop.stripe.delivery = 'auto'
    expect((await shop.api.customers.list()).data).toHaveLength(1)
    await shop.stripe.complete(first.sessionId)
    expect(await shop.ledger(userId)).toEqual(['adjustment 100', 'purchase 100'])
    // What we hear now is of the old customer, and leaves the new one alone.
    await shop.stripe.deliver()
    await marketplace.createCheckout({ userId, packageId })
    expect((await shop.api.customers.list()).data).toHaveLength(1)
  })
})
