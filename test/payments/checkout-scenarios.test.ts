import type Stripe from 'stripe'
import { CreditService, isRetryable } from 'creditkit'
import { postgresStore } from 'creditkit/adapters/postgres'
import { stripePayments, type StripePaymentsOptions } from 'creditkit/adapters/stripe'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

/* reference/stripe.md, 3.B and 3.D: what a checkout is opened with, and what its amounts may look like. */

const SESSIONS = { path: '/v1/checkout/sessions', method: 'POST' } as const
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

let shop: Shop

beforeAll(async () => {
  shop = await openShop()
})
afterEach(() => shop.stripe.clearFailures())
afterAll(() => shop.close())

/** The shop's service with other options, on the same database and the same Stripe. */
function otherwise(options: Partial<StripePaymentsOptions>): CreditService {
  const { stripe, webhookSecret } = shop.stripe
  const payments = stripePayments({ stripe, webhookSecret, appUrl: 'https://shop.example', ...options })
  return new CreditService({ store: postgresStore(shop.pool), payments, logger: quiet })
}

async function purchases(userId: string): Promise<string[]> {
  const { rows } = await shop.pool.query<{ status: string }>(
    'select status from creditkit.credit_purchases where user_id = $1 order by created_at',
    [userId],
  )
  return rows.map(({ status }) => status)
}

const sessionOf = (sessionId: string): Promise<Stripe.Checkout.Session> =>
  shop.stripe.stripe.checkout.sessions.retrieve(sessionId)

/** Calls that opened a session since `before`. */
const creations = (before: number) =>
  shop.stripe.calls.slice(before).filter(({ method, path }) => method === SESSIONS.method && path === SESSIONS.path)

describe('two clicks on Buy', () => {
  it('64 with one key open one checkout, also when Stripe is still working on the first', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click' }
    const { marketplace } = shop.credits
    // The customer exists, so that both clicks are at Stripe at once.
    await marketplace.createCheckout({ ...input, idempotencyKey: 'before' })
    shop.stripe.failNext({ ...SESSIONS, delayMs: 300 })
    const [first, second] = await Promise.allSettled([
      marketplace.createCheckout(input),
      marketplace.createCheckout(input),
    ])
    const opened = [first, second].flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    expect(opened.length).toBeGreaterThan(0)
    for (const result of [first, second]) {
      if (result.status === 'rejected') expect(isRetryable(result.reason)).toBe(true)
    }
    expect(await marketplace.createCheckout(input)).toEqual(opened[0])
    expect(await purchases(input.userId)).toHaveLength(2)
  })

  it('64 without a key open two checkouts, and only what is paid is granted', async () => {
    const userId = shop.newBuyer()
    const first = await shop.checkout(userId)
    const second = await shop.checkout(userId)
    expect(first).not.toBe(second)
    await shop.stripe.complete(second)
    await shop.stripe.expire(first)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    expect((await purchases(userId)).sort()).toEqual(['expired', 'fulfilled'])
    const third = await shop.buy(userId)
    expect(third).not.toBe(second)
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'purchase 100'])
  })
})

describe('Stripe while a checkout is opened', () => {
  it('65 that limits the rate for a moment is asked again', async () => {
    shop.stripe.failNext({ ...SESSIONS, status: 429, times: 2 })
    const userId = shop.newBuyer()
    await shop.buy(userId)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('65 that goes on limiting it makes the call retryable; the same key opens the checkout later', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click' }
    shop.stripe.failNext({ ...SESSIONS, status: 429, times: 10 })
    const refused = await shop.credits.marketplace.createCheckout(input).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'UNAVAILABLE' })
    expect(isRetryable(refused)).toBe(true)
    expect(await purchases(input.userId)).toEqual(['pending'])
    expect(await shop.ledger(input.userId)).toEqual([])
    shop.stripe.clearFailures()
    const { sessionId } = await shop.credits.marketplace.createCheckout(input)
    await shop.stripe.complete(sessionId)
    expect(await purchases(input.userId)).toEqual(['fulfilled'])
  })

  it.each([
    ['answers 500', { status: 500 }],
    ['answers 503', { status: 503 }],
    ['cuts the connection', { reset: true, times: 2 }],
    ['does it and then answers 500', { status: 500, afterEffect: true }],
  ])('66 that %s leaves the purchase waiting; the same key opens its one checkout', async (_how, failure) => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click' }
    const before = shop.stripe.calls.length
    shop.stripe.failNext({ ...SESSIONS, ...failure })
    const refused = shop.credits.marketplace.createCheckout(input)
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await purchases(input.userId)).toEqual(['pending'])
    const { sessionId } = await shop.credits.marketplace.createCheckout(input)
    expect(new Set(creations(before).map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1)
    await shop.stripe.complete(sessionId)
    expect(await purchases(input.userId)).toEqual(['fulfilled'])
    expect(await shop.ledger(input.userId)).toEqual(['purchase 100'])
  })

  it('66 that keeps a failure under the key repeats it; another key opens a checkout', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId }
    const { marketplace } = shop.credits
    shop.stripe.failNext({ ...SESSIONS, status: 500, saved: true })
    for (const idempotencyKey of ['first', 'first']) {
      const refused = marketplace.createCheckout({ ...input, idempotencyKey })
      await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
    const { sessionId } = await marketplace.createCheckout({ ...input, idempotencyKey: 'second' })
    await shop.stripe.complete(sessionId)
    expect(await purchases(input.userId)).toEqual(['pending', 'fulfilled'])
  })

  it('68 that was asked for something else under the key says so, and nothing is written', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click' }
    shop.stripe.failNext({ ...SESSIONS, afterEffect: true, reset: true, times: 2 })
    await expect(shop.credits.marketplace.createCheckout(input)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    // A deployment later the shop leads its buyers elsewhere.
    const deployed = otherwise({ successUrl: '/thanks' })
    const again = deployed.marketplace.createCheckout(input)
    await expect(again).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
    expect(await purchases(input.userId)).toEqual(['pending'])
    expect(await shop.ledger(input.userId)).toEqual([])
  })

  it('71 is never told which means of payment to take', async () => {
    const before = shop.stripe.calls.length
    await shop.checkout(shop.newBuyer())
    const { marketplace } = otherwise({ promotionCodes: true, automaticTax: true })
    await marketplace.createCheckout({ userId: shop.newBuyer(), packageId: shop.packageId, saveCard: true })
    const names = creations(before).flatMap(({ params }) => Object.keys(params))
    expect(names).toContain('line_items')
    expect(names.filter((name) => /payment_method_types|optional_items|adaptive_pricing/.test(name))).toEqual([])
  })
})

describe('133 the Stripe customer of a buyer', () => {
  it('is made with the first checkout, and used by all others', async () => {
    const userId = shop.newBuyer()
    const ids = await Promise.all([1, 2, 3].map(() => shop.checkout(userId)))
    const customers = await Promise.all(ids.map(async (id) => (await sessionOf(id)).customer))
    expect(new Set(customers).size).toBe(1)
    expect(customers[0]).toMatch(/^cus_/)
  })

  it('that was deleted is replaced once by the next checkout, and old payments can still be refunded', async () => {
    const userId = shop.newBuyer()
    const paid = await shop.buy(userId)
    const { customer: old } = await sessionOf(paid)
    if (typeof old !== 'string') throw new Error('the session has no customer')
    // The event is lost: only the next checkout finds out.
    shop.stripe.delivery = 'drop'
    await shop.stripe.stripe.customers.del(old)
    shop.stripe.delivery = 'auto'
    const ids = await Promise.all([1, 2, 3].map(() => shop.checkout(userId)))
    const customers = await Promise.all(ids.map(async (id) => (await sessionOf(id)).customer))
    expect(new Set(customers).size).toBe(1)
    expect(customers[0]).not.toBe(old)
    await shop.stripe.complete(ids[0] ?? '')
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'purchase 100'])
    await shop.stripe.refund({ sessionId: paid })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'purchase 100', 'clawback -100'])
  })

  it('that was deleted, as we were told, is replaced, too', async () => {
    const userId = shop.newBuyer()
    const { customer: old } = await sessionOf(await shop.checkout(userId))
    await shop.stripe.stripe.customers.del(typeof old === 'string' ? old : '')
    await shop.stripe.idle()
    const { customer } = await sessionOf(await shop.buy(userId))
    expect(customer).not.toBe(old)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })
})

describe('an embedded checkout', () => {
  const ui = 'embedded'

  it('is shown with a client secret and the publishable key, and paid like any other', async () => {
    const { marketplace } = otherwise({ publishableKey: 'pk_test_1' })
    const userId = shop.newBuyer()
    const input = { userId, packageId: shop.packageId, ui, idempotencyKey: 'click' } as const
    const opened = await marketplace.createCheckout(input)
    expect(opened).toMatchObject({ success: true, checkoutUrl: '', publishableKey: 'pk_test_1' })
    expect(opened.clientSecret).toContain(opened.sessionId)
    expect(await marketplace.createCheckout(input)).toEqual(opened)
    expect(await sessionOf(opened.sessionId)).toMatchObject({
      ui_mode: 'embedded_page',
      return_url: 'https://shop.example/?checkout=success&session_id={CHECKOUT_SESSION_ID}',
      success_url: null,
      cancel_url: null,
    })
    await shop.stripe.complete(opened.sessionId)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    const { sessionId } = opened
    expect(await marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'fulfilled' })
    await expect(marketplace.createCheckout(input)).rejects.toThrow(/use a new key/)
  })

  it('is refused without a publishable key, before anything is written or asked', async () => {
    const userId = shop.newBuyer()
    const before = shop.stripe.calls.length
    const opening = shop.credits.marketplace.createCheckout({ userId, packageId: shop.packageId, ui })
    await expect(opening).rejects.toThrow(/STRIPE_PUBLISHABLE_KEY/)
    expect(await purchases(userId)).toEqual([])
    expect(shop.stripe.calls).toHaveLength(before)
  })

  it('is another request than a page under the same key', async () => {
    const { marketplace } = otherwise({ publishableKey: 'pk_test_1' })
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click' }
    const page = await marketplace.createCheckout(input)
    expect([page.clientSecret, page.publishableKey]).toEqual([undefined, undefined])
    expect(page.checkoutUrl).toMatch(/^http/)
    const other = marketplace.createCheckout({ ...input, ui })
    await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field: 'ui' })
  })
})

describe('promotion codes and tax', () => {
  it('23, 24 are taken only where they are wanted; a discount lowers the price and not the credits', async () => {
    const { stripe } = shop.stripe
    const coupon = await stripe.coupons.create({ amount_off: 200, currency: 'usd', duration: 'once' })
    await stripe.promotionCodes.create({ promotion: { type: 'coupon', coupon: coupon.id }, code: 'LESS200' })
    /** What a buyer who types the code in pays in the end. */
    const payWithCode = async (credits: CreditService, userId: string): Promise<number | null> => {
      const input = { userId, packageId: shop.packageId }
      const { checkoutUrl, sessionId } = await credits.marketplace.createCheckout(input)
      for (const form of [{ action: 'apply_code', promotion_code: 'LESS200' }, { action: 'pay' }]) {
        await fetch(checkoutUrl, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
      }
      return (await sessionOf(sessionId)).amount_total
    }
    expect(await payWithCode(shop.credits, shop.newBuyer())).toBe(999)
    const userId = shop.newBuyer()
    expect(await payWithCode(otherwise({ promotionCodes: true }), userId)).toBe(799)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    const { rows } = await shop.pool.query('select paid_minor from creditkit.credit_purchases where user_id = $1', [
      userId,
    ])
    expect(rows).toEqual([{ paid_minor: '799' }])
  })

  it('25 are asked of Stripe, with the address the buyer enters, and added on top', async () => {
    const { marketplace } = otherwise({ automaticTax: true })
    const userId = shop.newBuyer()
    const before = shop.stripe.calls.length
    const { sessionId } = await marketplace.createCheckout({ userId, packageId: shop.packageId })
    expect(creations(before)).toMatchObject([
      { params: { automatic_tax: { enabled: 'true' }, customer_update: { address: 'auto' } } },
    ])
    await shop.stripe.complete(sessionId, 'paid', { tax: 190 })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    await shop.stripe.refund({ sessionId })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(0)
  })

  it('23 of 100 % for two buyers grant both, though there is no payment to tell them apart', async () => {
    const buyers = [shop.newBuyer(), shop.newBuyer()]
    for (const userId of buyers) {
      const sessionId = await shop.checkout(userId)
      await shop.stripe.complete(sessionId, 'no_payment_required', { discount: 999 })
      expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    }
  })
})

describe('the currency of a checkout', () => {
  it('26 is multiplied by the quantity, once', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId, { quantity: 3 })
    expect(await sessionOf(sessionId)).toMatchObject({ amount_subtotal: 2997 })
    await shop.stripe.complete(sessionId)
    await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(await shop.ledger(userId)).toEqual(['purchase 300'])
    await shop.stripe.refund({ sessionId, amount: 999 })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(200)
  })

  it.each([
    ['jpy', 999, 333],
    ['kwd', 9990, 3330],
  ])('33 %s is never divided by 100', async (currency, price, refunded) => {
    const pack = await shop.credits.marketplace.createPackage({
      name: `In ${currency}`,
      creditAmount: 100,
      price,
      currency,
      creditType: 'enrichment',
    })
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId, { packageId: pack.id })
    expect(await sessionOf(sessionId)).toMatchObject({ currency, amount_total: price })
    await shop.stripe.complete(sessionId)
    await shop.stripe.refund({ sessionId, amount: refunded })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -33'])
  })

  it('32 is the one it was sold in, whatever the buyer was shown', async () => {
    const presented: object = { presentment_details: { presentment_amount: 950, presentment_currency: 'eur' } }
    // As API versions before 2025-03-31 say the same.
    const converted: object = {
      currency: 'eur',
      amount_subtotal: 950,
      amount_total: 950,
      currency_conversion: { source_currency: 'usd', amount_subtotal: 999, amount_total: 999, fx_rate: '0.95' },
    }
    for (const overrides of [presented, converted]) {
      const userId = shop.newBuyer()
      const sessionId = await shop.checkout(userId)
      await shop.stripe.complete(sessionId, 'paid', { overrides })
      expect(await shop.ledger(userId), JSON.stringify(overrides)).toEqual(['purchase 100'])
    }
  })
})
