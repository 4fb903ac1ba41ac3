import { stripePayments } from 'creditkit/adapters/stripe'
import { CreditService } from 'creditkit'
import { postgresStore } from 'creditkit/adapters/postgres'
import { fakeStripe } from 'creditkit/testing'
import { memoryStore } from 'creditkit/adapters/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

describe('opening a checkout', () => {
  let shop: Shop

  beforeAll(async () => {
    shop = await openShop()
  })
  afterAll(() => shop.close())

  it('returns the same session for a repeated key, and makes one purchase', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click-1' }
    const [first, ...others] = await Promise.all(
      Array.from({ length: 5 }, () => shop.credits.marketplace.createCheckout(input)),
    )
    for (const other of others) expect(other).toEqual(first)
    expect(await shop.credits.marketplace.createCheckout(input)).toEqual(first)
    const { rows } = await shop.pool.query('select 1 from creditkit.credit_purchases where user_id = $1', [
      input.userId,
    ])
    expect(rows).toHaveLength(1)
  })

  it('refuses a key that was used for another checkout, naming the field', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click-1' }
    await shop.credits.marketplace.createCheckout(input)
    const again = shop.credits.marketplace.createCheckout({ ...input, quantity: 2 })
    await expect(again).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field: 'quantity' })
  })

  it('refuses a key whose checkout is over', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click-1' }
    const { sessionId } = await shop.credits.marketplace.createCheckout(input)
    await shop.stripe.expire(sessionId)
    await expect(shop.credits.marketplace.createCheckout(input)).rejects.toThrow(/is expired now; use a new key/)
  })

  it('finds the session again when Stripe made it and its answer got lost', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click-1' }
    const before = shop.stripe.calls.length
    // Twice: the SDK itself tries again once after a reset.
    shop.stripe.failNext({ path: '/v1/checkout/sessions', method: 'POST', afterEffect: true, reset: true, times: 2 })
    await expect(shop.credits.marketplace.createCheckout(input)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const { sessionId } = await shop.credits.marketplace.createCheckout(input)
    const creations = shop.stripe.calls
      .slice(before)
      .filter(({ method, path }) => method === 'POST' && path === '/v1/checkout/sessions')
    expect(creations).toHaveLength(3)
    expect(new Set(creations.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1)
    await shop.stripe.complete(sessionId)
    expect(await shop.ledger(input.userId)).toEqual(['purchase 100'])
  })

  it('refuses unknown and inactive packages, bad quantities and foreign return addresses before Stripe is asked', async () => {
    const userId = shop.newBuyer()
    const before = shop.stripe.calls.length
    const { marketplace } = shop.credits
    const input = { userId, packageId: shop.packageId }
    await expect(marketplace.createCheckout({ userId, packageId: 999_999 })).rejects.toMatchObject({
      code: 'PACKAGE_NOT_FOUND',
      message: 'Package not found',
    })
    for (const quantity of [0, -1, 1.5, 1001]) {
      await expect(marketplace.createCheckout({ ...input, quantity })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    }
    for (const successUrl of [
      'https://evil.example/',
      '//evil.example',
      'javascript:alert(1)',
      'https://shop.example@evil.example',
      'https:\\\\evil.example',
    ]) {
      await expect(marketplace.createCheckout({ ...input, successUrl }), successUrl).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
    }
    expect(shop.stripe.calls.length).toBe(before)
    const { rows } = await shop.pool.query('select 1 from creditkit.credit_purchases where user_id = $1', [userId])
    expect(rows).toHaveLength(0)
  })

  it('sells through an existing price of Stripe, if it costs what the package says', async () => {
    const product = await shop.stripe.stripe.products.create({ name: 'Existing' })
    const price = await shop.stripe.stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 1500 })
    const fields = { name: 'By price', creditAmount: 40, creditType: 'enrichment', stripePriceId: price.id } as const
    await expect(shop.credits.marketplace.createPackage({ ...fields, price: 1 })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
    const pack = await shop.credits.marketplace.createPackage({ ...fields, price: 1500 })
    const userId = shop.newBuyer()
    await shop.buy(userId, { packageId: pack.id })
    expect(await shop.ledger(userId)).toEqual(['purchase 40'])
  })

  it('sells at the first price when a key is repeated after the price has changed', async () => {
    const { products, prices } = shop.stripe.stripe
    const product = await products.create({ name: 'Repriced' })
    const [old, current] = [
      await prices.create({ product: product.id, currency: 'usd', unit_amount: 900 }),
      await prices.create({ product: product.id, currency: 'usd', unit_amount: 1900 }),
    ]
    const fields = {
      name: 'Repriced',
      creditAmount: 40,
      creditType: 'enrichment',
      price: 900,
      stripePriceId: old.id,
    } as const
    const pack = await shop.credits.marketplace.createPackage(fields)
    const input = { userId: shop.newBuyer(), packageId: pack.id, idempotencyKey: 'click-1' }
    shop.stripe.failNext({ path: '/v1/checkout/sessions', method: 'POST', status: 503, times: 3 })
    await expect(shop.credits.marketplace.createCheckout(input)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    shop.stripe.clearFailures()
    await shop.credits.marketplace.updatePackage({ id: pack.id, price: 1900, stripePriceId: current.id })
    const { sessionId } = await shop.credits.marketplace.createCheckout(input)
    expect((await shop.stripe.stripe.checkout.sessions.retrieve(sessionId)).amount_total).toBe(900)
    await shop.stripe.complete(sessionId)
    expect(await shop.ledger(input.userId)).toEqual(['purchase 40'])
  })

  it('refuses a key whose session is at another Stripe account', async () => {
    const input = { userId: shop.newBuyer(), packageId: shop.packageId, idempotencyKey: 'click-1' }
    await shop.credits.marketplace.createCheckout(input)
    const other = await fakeStripe()
    const payments = stripePayments({
      stripe: other.stripe,
      webhookSecret: 'whsec_other',
      appUrl: 'https://shop.example',
    })
    const moved = new CreditService({ store: postgresStore(shop.pool), payments })
    await expect(moved.marketplace.createCheckout(input)).rejects.toThrow(/does not know any more; use a new key/)
    await other.close()
  })

  it('takes a package off sale whose price Stripe has archived', async () => {
    const product = await shop.stripe.stripe.products.create({ name: 'Old' })
    const price = await shop.stripe.stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 700 })
    const fields = {
      name: 'Old',
      creditAmount: 5,
      creditType: 'enrichment',
      price: 700,
      stripePriceId: price.id,
    } as const
    const pack = await shop.credits.marketplace.createPackage(fields)
    await shop.stripe.stripe.prices.update(price.id, { active: false })
    expect(await shop.credits.marketplace.updatePackage({ id: pack.id, isActive: false })).toMatchObject({
      isActive: false,
    })
    const again = shop.credits.marketplace.updatePackage({ id: pack.id, isActive: true })
    await expect(again).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })

  it('creates one package per key, and changes it only when asked to', async () => {
    const fields = { key: 'weekly', name: 'Weekly', creditAmount: 5, price: 100, creditType: 'scraping' } as const
    const pack = await shop.credits.marketplace.createPackage(fields)
    const second = shop.credits.marketplace.createPackage({ ...fields, price: 200 })
    await expect(second).rejects.toThrow('Invalid input: key: belongs to another package')
    expect(await shop.credits.marketplace.upsertPackage({ ...fields, price: 300 })).toMatchObject({
      id: pack.id,
      price: 300,
    })
  })

  it('sells to the Stripe customer the host already has', async () => {
    const customer = await shop.stripe.stripe.customers.create({ email: 'old@example.com' })
    const payments = stripePayments({
      stripe: shop.stripe.stripe,
      webhookSecret: shop.stripe.webhookSecret,
      appUrl: 'https://shop.example',
      customer: async () => ({ id: customer.id }),
    })
    const credits = new CreditService({ store: memoryStore(), payments })
    const pack = await credits.marketplace.createPackage({
      name: 'Any',
      creditAmount: 1,
      price: 100,
      creditType: 'calling',
    })
    const { sessionId } = await credits.marketplace.createCheckout({ userId: 'u', packageId: pack.id })
    expect((await shop.stripe.stripe.checkout.sessions.retrieve(sessionId)).customer).toBe(customer.id)
  })

  it('lists products by credit type and in the old flat shape', async () => {
    const products = await shop.credits.marketplace.getProducts()
    expect(products.enrichment[0]).toMatchObject({
      id: shop.packageId,
      name: 'Starter',
      creditAmount: 100,
      price: 999,
      currency: 'usd',
    })
    expect(products.calling).toEqual([])
    expect(products.legacy[0]).toEqual({
      id: shop.packageId,
      name: 'Starter',
      credits: 100,
      price: 999,
      type: 'enrichment',
    })
  })

  it('says what to configure when there is no payment provider', async () => {
    const credits = new CreditService({ store: memoryStore() })
    const pack = await credits.marketplace.createPackage({
      name: 'Any',
      creditAmount: 1,
      price: 100,
      creditType: 'calling',
    })
    const checkout = credits.marketplace.createCheckout({ userId: 'u', packageId: pack.id })
    await expect(checkout).rejects.toMatchObject({ code: 'PAYMENTS_NOT_CONFIGURED' })
  })
})
