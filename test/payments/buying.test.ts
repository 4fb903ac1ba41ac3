import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

describe('buying credits through Stripe', () => {
  let shop: Shop

  beforeAll(async () => {
    shop = await openShop()
  })
  afterAll(() => shop.close())

  it('grants a paid checkout once, and verifying it afterwards adds nothing', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const verified = await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(verified).toMatchObject({
      success: true,
      status: 'fulfilled',
      metadata: { userId, creditType: 'enrichment', creditAmount: '100' },
    })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('keeps the session and payment intent ids on the transaction', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const session = await shop.stripe.stripe.checkout.sessions.retrieve(sessionId)
    const [transaction] = await shop.credits.getTransactionHistory(userId)
    expect(transaction).toMatchObject({
      transactionType: 'purchase',
      referenceId: sessionId,
      referenceType: 'checkout_session',
      metadata: {
        stripeSessionId: sessionId,
        stripePaymentIntentId: session.payment_intent,
        packageId: shop.packageId,
      },
    })
  })

  it('grants once when one event is delivered twenty times at once', async () => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'hold'
    await shop.buy(userId)
    const deliveries = await shop.stripe.deliver({
      types: ['checkout.session.completed'],
      copies: 20,
      concurrently: true,
    })
    shop.stripe.discard()
    shop.stripe.delivery = 'auto'
    expect(deliveries.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('grants once when webhook, success page and administrator come at the same time', async () => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'hold'
    const sessionId = await shop.buy(userId)
    const { marketplace } = shop.credits
    await Promise.all([
      shop.stripe.deliver({ copies: 5, concurrently: true }),
      ...Array.from({ length: 5 }, () => marketplace.verifyCheckout({ userId, sessionId })),
      ...Array.from({ length: 5 }, () => marketplace.fulfillCheckoutSession({ sessionId })),
    ])
    shop.stripe.delivery = 'auto'
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('grants from the success page when no webhook ever comes', async () => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'drop'
    const sessionId = await shop.buy(userId)
    shop.stripe.delivery = 'auto'
    expect(await shop.ledger(userId)).toEqual([])
    await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('grants from payment_intent.succeeded when the session event got lost', async () => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'hold'
    await shop.buy(userId)
    await shop.stripe.deliver({ types: ['payment_intent.succeeded'] })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    await shop.stripe.deliver()
    shop.stripe.delivery = 'auto'
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('waits for a delayed payment, and grants when it arrives', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'unpaid')
    expect(await shop.credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({
      success: false,
      status: 'processing',
    })
    expect(await shop.ledger(userId)).toEqual([])
    await shop.stripe.settle(sessionId, 'succeeded')
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('grants nothing when a delayed payment bounces', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'unpaid')
    await shop.stripe.settle(sessionId, 'failed')
    expect(await shop.credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({
      success: false,
      status: 'failed',
    })
    expect(await shop.ledger(userId)).toEqual([])
  })

  it('ends alike when the late success is delivered before the completion', async () => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'hold'
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'unpaid')
    await shop.stripe.settle(sessionId, 'succeeded')
    await shop.stripe.deliver({ order: 'reversed' })
    shop.stripe.delivery = 'auto'
    expect(await shop.credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'fulfilled' })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('tells an abandoned checkout from an open one', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    expect(await shop.credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'open' })
    await shop.stripe.expire(sessionId)
    expect(await shop.credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({
      success: false,
      status: 'expired',
    })
    await expect(shop.credits.marketplace.fulfillCheckoutSession({ sessionId })).rejects.toMatchObject({
      code: 'CHECKOUT_NOT_PAID',
    })
  })

  it('lets the buyer try again after a declined card', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'declined')
    expect(await shop.ledger(userId)).toEqual([])
    await shop.stripe.complete(sessionId)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('grants what was sold for a discounted, taxed or free checkout', async () => {
    for (const options of [{ discount: 200 }, { tax: 190 }, { discount: 999 }]) {
      const userId = shop.newBuyer()
      const sessionId = await shop.checkout(userId)
      await shop.stripe.complete(sessionId, options.discount === 999 ? 'no_payment_required' : 'paid', options)
      expect(await shop.ledger(userId), JSON.stringify(options)).toEqual(['purchase 100'])
    }
  })

  it('grants every unit of the quantity, once', async () => {
    const userId = shop.newBuyer()
    await shop.buy(userId, { quantity: 3 })
    expect(await shop.ledger(userId)).toEqual(['purchase 300'])
  })

  it('grants what was sold, whatever became of the package meanwhile', async () => {
    const userId = shop.newBuyer()
    const { marketplace } = shop.credits
    const pack = await marketplace.createPackage({
      name: 'Edited later',
      creditAmount: 70,
      price: 500,
      creditType: 'enrichment',
    })
    const sessionId = await shop.checkout(userId, { packageId: pack.id })
    await marketplace.updatePackage({ id: pack.id, creditAmount: 5, price: 9999, isActive: false })
    await shop.stripe.complete(sessionId)
    expect(await shop.ledger(userId)).toEqual(['purchase 70'])
    await expect(shop.checkout(userId, { packageId: pack.id })).rejects.toMatchObject({ code: 'PACKAGE_INACTIVE' })
  })

  it('quarantines a payment that is not what was sold, and answers 200', async () => {
    for (const overrides of [{ amount_subtotal: 1 }, { currency: 'eur' }]) {
      const userId = shop.newBuyer()
      const sessionId = await shop.checkout(userId)
      await shop.stripe.complete(sessionId, 'paid', { overrides })
      expect(await shop.ledger(userId)).toEqual([])
      const { rows } = await shop.pool.query<{ reason: string }>(
        'select reason from creditkit.credit_quarantine where user_id = $1',
        [userId],
      )
      expect(rows).toHaveLength(1)
      expect(await shop.credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({
        success: false,
        status: 'processing',
      })
    }
    expect(shop.stripe.deliveries.every(({ status }) => status === 200)).toBe(true)
  })

  it('says that a quarantined payment was paid, and settles it when the money has gone back', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'paid', { overrides: { amount_subtotal: 1 } })
    const byHand = shop.credits.marketplace.fulfillCheckoutSession({ sessionId })
    await expect(byHand).rejects.toThrow(
      'Checkout session was paid, but not for what was sold: a person has to look at it',
    )
    await shop.stripe.refund({ sessionId })
    expect(await shop.credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'refunded' })
    expect(await shop.ledger(userId)).toEqual([])
  })

  it('ignores checkouts of other applications on the same Stripe account', async () => {
    const session = await shop.stripe.stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [
        { quantity: 1, price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'Somebody else’s' } } },
      ],
      metadata: { userId: 'victim', creditAmount: '1000000' },
      success_url: 'https://other.example/',
    })
    await shop.stripe.complete(session.id)
    expect(await shop.ledger('victim')).toEqual([])
    expect(shop.stripe.deliveries.at(-1)?.status).toBe(200)
  })

  it('shows a session to its buyer alone', async () => {
    const sessionId = await shop.buy(shop.newBuyer())
    const verify = shop.credits.marketplace.verifyCheckout({ userId: shop.newBuyer(), sessionId })
    await expect(verify).rejects.toMatchObject({ code: 'CHECKOUT_NOT_FOUND' })
    const unknown = shop.credits.marketplace.verifyCheckout({ userId: shop.newBuyer(), sessionId: 'cs_test_unknown' })
    await expect(unknown).rejects.toMatchObject({ code: 'CHECKOUT_NOT_FOUND' })
  })
})
