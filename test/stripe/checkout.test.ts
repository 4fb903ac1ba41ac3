import { afterEach, describe, expect, it } from 'vitest'
import { isCreditError } from '../../src/errors.js'
import { checkoutRequest, openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())
const open = async (...options: Parameters<typeof openTill>) => (till = await openTill(...options))

const codeOf = (error: unknown) => (isCreditError(error) ? error.code : error)

describe('createCheckout', () => {
  it('opens a session that carries the purchase everywhere Stripe gives it back', async () => {
    const { fake, payments } = await open()
    const request = checkoutRequest()
    const checkout = await payments.createCheckout(request)
    expect(checkout).toMatchObject({
      purchaseId: request.purchaseId,
      state: 'open',
      oneOff: true,
      currency: 'usd',
      subtotalMinor: 999,
      totalMinor: 999,
      paymentId: null,
      livemode: false,
    })
    expect(checkout.url).toMatch(/^http/)
    expect(fake.calls.at(-1)).toMatchObject({
      idempotencyKey: `creditkit:checkout:${request.purchaseId}`,
      params: {
        mode: 'payment',
        client_reference_id: request.purchaseId,
        metadata: {
          app: 'creditkit',
          purchase_id: request.purchaseId,
          userId: 'user_1',
          packageId: '7',
          creditType: 'enrichment',
          creditAmount: '100',
        },
        payment_intent_data: { metadata: { app: 'creditkit', purchase_id: request.purchaseId } },
        success_url: 'https://app.example/?checkout=success&session_id={CHECKOUT_SESSION_ID}',
        cancel_url: 'https://app.example/?checkout=cancelled',
      },
    })
    expect(Object.keys(fake.calls.at(-1)?.params ?? {})).not.toContain('payment_method_types')
  })

  it('returns the first session to a repeat, also when the first answer got lost', async () => {
    const { fake, payments } = await open()
    const request = checkoutRequest()
    fake.failNext({ afterEffect: true, reset: true, times: 2 })
    await expect(payments.createCheckout(request)).rejects.toSatisfy((error) => isCreditError(error, 'UNAVAILABLE'))
    fake.clearFailures()
    const first = await payments.createCheckout(request)
    expect(await payments.createCheckout(request)).toEqual(first)
    expect((await fake.stripe.checkout.sessions.list()).data).toHaveLength(1)
  })

  it('refuses the same purchase with another request', async () => {
    const { payments } = await open()
    const request = checkoutRequest()
    await payments.createCheckout(request)
    const other = payments.createCheckout({ ...request, unitPriceMinor: 1 })
    expect(await other.catch(codeOf)).toBe('IDEMPOTENCY_CONFLICT')
  })

  it('sells several units, and prices in currencies without minor units', async () => {
    const { payments } = await open()
    const checkout = await payments.createCheckout(checkoutRequest({ quantity: 3, currency: 'jpy', description: '' }))
    expect(checkout).toMatchObject({ currency: 'jpy', subtotalMinor: 2997 })
  })

  it("sells Stripe's own price object", async () => {
    const { fake, payments } = await open()
    const price = await fake.stripe.prices.create({ currency: 'eur', unit_amount: 500, product_data: { name: 'P' } })
    expect(await payments.getPrice(price.id)).toEqual({ currency: 'eur', unitPriceMinor: 500 })
    const checkout = await payments.createCheckout(checkoutRequest({ priceId: price.id, quantity: 2 }))
    expect(checkout).toMatchObject({ currency: 'eur', subtotalMinor: 1000 })
  })

  it('takes allowed return URLs and refuses others before calling Stripe', async () => {
    const { fake, payments } = await open({ successUrl: '/thanks', allowedOrigins: ['https://shop.example'] })
    await payments.createCheckout(checkoutRequest({ cancelUrl: 'https://shop.example/back' }))
    expect(fake.calls.at(-1)?.params).toMatchObject({
      success_url: 'https://app.example/thanks',
      cancel_url: 'https://shop.example/back',
    })
    const calls = fake.calls.length
    const evil = payments.createCheckout(checkoutRequest({ successUrl: 'https://evil.example/' }))
    expect(await evil.catch(codeOf)).toBe('INVALID_INPUT')
    expect(fake.calls).toHaveLength(calls)
  })

  it('says what Stripe did not like', async () => {
    const { payments } = await open()
    const refused = payments.createCheckout(checkoutRequest({ currency: 'xxx' }))
    await expect(refused).rejects.toSatisfy((error) => isCreditError(error, 'INVALID_INPUT'))
    await expect(refused).rejects.toThrow('Stripe refused it')
  })

  it('refuses a key whose mode is not the configured one', async () => {
    const { payments } = await open({ livemode: true })
    expect(await payments.createCheckout(checkoutRequest()).catch(codeOf)).toBe('PAYMENTS_NOT_CONFIGURED')
  })

  it('survives Stripe limiting the rate for a moment', async () => {
    const { fake, payments } = await open()
    fake.failNext({ status: 429, times: 2 })
    expect(await payments.createCheckout(checkoutRequest())).toMatchObject({ state: 'open' })
  })
})

describe('the customer of a checkout', () => {
  it('is the linked one, or is filled in with the email address', async () => {
    const { fake, payments } = await open({
      customer: async (userId) => (userId === 'linked' ? { id: customer.id } : { email: 'known@example.com' }),
    })
    const customer = await fake.stripe.customers.create({ email: 'linked@example.com' })
    await payments.createCheckout(checkoutRequest({ userId: 'linked' }))
    expect(fake.calls.at(-1)?.params).toMatchObject({ customer: customer.id })
    await payments.createCheckout(checkoutRequest({ userId: 'other' }))
    expect(fake.calls.at(-1)?.params).toMatchObject({ customer_email: 'known@example.com' })
  })

  it('may have been deleted at Stripe: the buyer is a guest then, and a repeat gets the same session', async () => {
    const { payments } = await open({ customer: async () => ({ id: 'cus_gone', email: 'known@example.com' }) })
    const request = checkoutRequest()
    const checkout = await payments.createCheckout(request)
    expect(checkout.state).toBe('open')
    expect((await payments.createCheckout(request)).sessionId).toBe(checkout.sessionId)
  })
})

describe('getCheckout', () => {
  it('follows a session from open to paid, and is found by its payment', async () => {
    const { fake, payments } = await open()
    const request = checkoutRequest()
    const { sessionId } = await payments.createCheckout(request)
    expect(await payments.getCheckout(sessionId)).toMatchObject({ state: 'open' })
    await fake.complete(sessionId, 'paid', { discount: 200, tax: 100 })
    const paid = await payments.getCheckout(sessionId)
    expect(paid).toMatchObject({ state: 'paid', url: null, subtotalMinor: 999, totalMinor: 899 })
    expect(paid?.purchaseId).toBe(request.purchaseId)
    expect(await payments.findCheckoutByPayment(paid?.paymentId ?? '')).toEqual(paid)
  })

  it('knows delayed, free and expired sessions', async () => {
    const { fake, payments } = await open()
    const ids = await Promise.all(
      [1, 2, 3].map(async () => (await payments.createCheckout(checkoutRequest())).sessionId),
    )
    const [delayed = '', free = '', expired = ''] = ids
    await fake.complete(delayed, 'unpaid')
    await fake.complete(free, 'no_payment_required', { discount: 999 })
    await fake.expire(expired)
    expect(await payments.getCheckout(delayed)).toMatchObject({ state: 'unpaid' })
    expect(await payments.getCheckout(free)).toMatchObject({ state: 'free', totalMinor: 0, paymentId: null })
    expect(await payments.getCheckout(expired)).toMatchObject({ state: 'expired', url: null })
  })

  it('grants nothing for a payment status that nobody knows', async () => {
    const { fake, payments } = await open()
    const { sessionId } = await payments.createCheckout(checkoutRequest())
    const session = await fake.complete(sessionId)
    const answer = { ...session, payment_status: 'future_value' }
    Object.assign(fake.stripe.checkout.sessions, { retrieve: () => Promise.resolve(answer) })
    expect(await payments.getCheckout(sessionId)).toMatchObject({ state: 'unpaid' })
  })

  it('reads the currency of the package from sessions of old API versions', async () => {
    const { fake, payments } = await open()
    const { sessionId } = await payments.createCheckout(checkoutRequest())
    const session = await fake.complete(sessionId)
    const currency_conversion = { source_currency: 'usd', amount_subtotal: 999, amount_total: 999 }
    const answer = { ...session, currency: 'eur', amount_subtotal: 921, amount_total: 921, currency_conversion }
    Object.assign(fake.stripe.checkout.sessions, { retrieve: () => Promise.resolve(answer) })
    expect(await payments.getCheckout(sessionId)).toMatchObject({
      currency: 'usd',
      subtotalMinor: 999,
      totalMinor: 999,
    })
  })

  it('is null for unknown sessions, and knows no purchase for those of others', async () => {
    const { fake, payments } = await open()
    expect(await payments.getCheckout('cs_test_unknown')).toBeNull()
    const foreign = await fake.stripe.checkout.sessions.create({
      mode: 'payment',
      client_reference_id: 'order-1',
      metadata: { app: 'another', purchase_id: 'p1' },
      success_url: 'https://other.example/',
      line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 100, product_data: { name: 'X' } } }],
    })
    expect(await payments.getCheckout(foreign.id)).toMatchObject({ purchaseId: null })
  })

  it('does not take card set-ups for payments', async () => {
    const { fake, payments } = await open()
    const { sessionId } = await payments.createCheckout(checkoutRequest())
    const session = await fake.stripe.checkout.sessions.retrieve(sessionId)
    Object.assign(fake.stripe.checkout.sessions, {
      retrieve: () => Promise.resolve({ ...session, mode: 'setup', currency: null, amount_subtotal: null }),
    })
    expect(await payments.getCheckout(sessionId)).toMatchObject({ oneOff: false, currency: '', subtotalMinor: 0 })
  })
})

describe('getPrice', () => {
  it('knows only what a package can be sold for', async () => {
    const { fake, payments } = await open()
    const { prices, products } = fake.stripe
    const product_data = { name: 'P' }
    const recurring = await prices.create({
      currency: 'usd',
      unit_amount: 1,
      product_data,
      recurring: { interval: 'month' },
    })
    const inactive = await prices.create({ currency: 'usd', unit_amount: 1, product_data, active: false })
    const product = await products.create({ name: 'archived' })
    const archived = await prices.create({ currency: 'usd', unit_amount: 1, product: product.id })
    await products.update(product.id, { active: false })
    for (const id of [recurring.id, inactive.id, archived.id, 'price_unknown']) {
      expect([id, await payments.getPrice(id)]).toEqual([id, null])
    }
  })
})

describe('a connected account', () => {
  it('is named in every call', async () => {
    const { fake, payments } = await open({ account: 'acct_1' })
    const { sessionId } = await payments.createCheckout(checkoutRequest())
    await payments.getCheckout(sessionId)
    await payments.findCheckoutByPayment('pi_1')
    expect(fake.calls.map(({ stripeAccount }) => stripeAccount)).toEqual(['acct_1', 'acct_1', 'acct_1'])
  })
})
