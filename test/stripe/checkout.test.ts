import { afterEach, describe, expect, it } from 'vitest'
import { isCreditError } from '../../src/errors.js'
import { opened, openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())
const open = async (...options: Parameters<typeof openTill>) => (till = await openTill(...options))

const codeOf = (error: unknown) => (isCreditError(error) ? error.code : error)

describe('createCheckout', () => {
  it('opens a session that carries the purchase everywhere Stripe gives it back', async () => {
    const { fake, payments, request: newRequest, customerId } = await open()
    const request = newRequest()
    const checkout = opened(await payments.createCheckout(request))
    expect(checkout).toMatchObject({
      purchaseId: request.purchaseId,
      state: 'open',
      mode: 'payment',
      clientSecret: null,
      currency: 'usd',
      subtotalMinor: 999,
      totalMinor: 999,
      paymentId: null,
      customerId,
      subscriptionId: null,
      invoiceId: null,
      livemode: false,
    })
    expect(checkout.url).toMatch(/^http/)
    expect(fake.calls.at(-1)).toMatchObject({
      idempotencyKey: `creditkit:checkout:${request.purchaseId}:${customerId}`,
      params: {
        mode: 'payment',
        customer: customerId,
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
    const named = Object.keys(fake.calls.at(-1)?.params ?? {})
    for (const name of ['payment_method_types', 'allow_promotion_codes', 'automatic_tax', 'ui_mode']) {
      expect(named).not.toContain(name)
    }
  })

  it('returns the first session to a repeat, also when the first answer got lost', async () => {
    const { fake, payments, ...till } = await open()
    const request = till.request()
    fake.failNext({ afterEffect: true, reset: true, times: 2 })
    await expect(payments.createCheckout(request)).rejects.toSatisfy((error) => isCreditError(error, 'UNAVAILABLE'))
    fake.clearFailures()
    const first = await payments.createCheckout(request)
    expect(await payments.createCheckout(request)).toEqual(first)
    expect((await fake.stripe.checkout.sessions.list()).data).toHaveLength(1)
  })

  it('refuses the same purchase with another request', async () => {
    const { payments, ...till } = await open()
    const request = till.request()
    await payments.createCheckout(request)
    const other = payments.createCheckout({ ...request, unitPriceMinor: 1 })
    expect(await other.catch(codeOf)).toBe('IDEMPOTENCY_CONFLICT')
  })

  it('sells several units, and prices in currencies without minor units', async () => {
    const { sell } = await open()
    const checkout = await sell({ quantity: 3, currency: 'jpy', description: '' })
    expect(checkout).toMatchObject({ currency: 'jpy', subtotalMinor: 2997 })
  })

  it("sells Stripe's own price object", async () => {
    const { fake, payments, sell } = await open()
    const price = await fake.stripe.prices.create({ currency: 'eur', unit_amount: 500, product_data: { name: 'P' } })
    expect(await payments.getPrice(price.id)).toEqual({
      currency: 'eur',
      unitPriceMinor: 500,
      recurring: false,
    })
    const checkout = await sell({ priceId: price.id, quantity: 2 })
    expect(checkout).toMatchObject({ currency: 'eur', subtotalMinor: 1000 })
  })

  it('takes allowed return URLs and refuses others before calling Stripe', async () => {
    const { fake, sell } = await open({ successUrl: '/thanks', allowedOrigins: ['https://shop.example'] })
    await sell({ cancelUrl: 'https://shop.example/back' })
    expect(fake.calls.at(-1)?.params).toMatchObject({
      success_url: 'https://app.example/thanks',
      cancel_url: 'https://shop.example/back',
    })
    const calls = fake.calls.length
    const evil = sell({ successUrl: 'https://evil.example/' })
    expect(await evil.catch(codeOf)).toBe('INVALID_INPUT')
    expect(fake.calls).toHaveLength(calls)
  })

  it('says what Stripe did not like', async () => {
    const { sell } = await open()
    const refused = sell({ currency: 'xxx' })
    await expect(refused).rejects.toSatisfy((error) => isCreditError(error, 'INVALID_INPUT'))
    await expect(refused).rejects.toThrow('Stripe refused it')
  })

  it('refuses a key whose mode is not the configured one', async () => {
    const { sell } = await open({ livemode: true })
    expect(await sell().catch(codeOf)).toBe('PAYMENTS_NOT_CONFIGURED')
  })

  it('survives Stripe limiting the rate for a moment', async () => {
    const { fake, sell } = await open()
    fake.failNext({ status: 429, times: 2 })
    expect(await sell()).toMatchObject({ state: 'open' })
  })

  it('says when the customer is gone, and opens a session for the next one under another key', async () => {
    const { fake, payments, customerId, ...till } = await open()
    const request = till.request()
    await fake.stripe.customers.del(customerId)
    expect(await payments.createCheckout(request)).toBe('customer_gone')
    expect(await payments.createCheckout({ ...request, customerId: 'cus_unknown' })).toBe('customer_gone')
    const next = await payments.createCustomer({ userId: 'user_1', replaces: customerId })
    expect(await payments.createCheckout({ ...request, ...next })).toMatchObject({ state: 'open', ...next })
  })

  it('shows a checkout within the page of the host, and keeps the card when asked to', async () => {
    const { fake, sell } = await open({ publishableKey: 'pk_test_1' })
    const checkout = await sell({ ui: 'embedded', successUrl: '/done', saveCard: true })
    expect(checkout).toMatchObject({ url: null, clientSecret: expect.stringContaining('_secret_') as unknown })
    expect([checkout.savesCard, (await sell()).savesCard]).toEqual([true, false])
    const params = fake.calls.find(({ path, method }) => method === 'POST' && path === '/v1/checkout/sessions')?.params
    expect(params).toMatchObject({
      ui_mode: 'embedded_page',
      return_url: 'https://app.example/done',
      payment_intent_data: { setup_future_usage: 'off_session' },
    })
    expect(Object.keys(params ?? {})).not.toContain('success_url')
    expect(Object.keys(params ?? {})).not.toContain('cancel_url')
  })

  it('lets buyers enter promotion codes and adds taxes when configured', async () => {
    till = await openTill({ promotionCodes: true, automaticTax: true }, { taxPercent: 19 })
    const { fake, payments, sell } = till
    const { sessionId } = await sell()
    expect(fake.calls.at(-1)?.params).toMatchObject({
      allow_promotion_codes: expect.anything() as unknown,
      automatic_tax: { enabled: expect.anything() as unknown },
      customer_update: { address: 'auto' },
    })
    await fake.complete(sessionId)
    expect(await payments.getCheckout(sessionId)).toMatchObject({ subtotalMinor: 999, totalMinor: 1189 })
  })
})

describe('getCheckout', () => {
  it('follows a session from open to paid, and is found by its payment', async () => {
    const { fake, payments, sell } = await open()
    const { sessionId, purchaseId } = await sell()
    expect(await payments.getCheckout(sessionId)).toMatchObject({ state: 'open' })
    await fake.complete(sessionId, 'paid', { discount: 200, tax: 100 })
    const paid = await payments.getCheckout(sessionId)
    expect(paid).toMatchObject({ state: 'paid', url: null, subtotalMinor: 999, totalMinor: 899 })
    expect(paid?.purchaseId).toBe(purchaseId)
    expect(await payments.findCheckoutByPayment(paid?.paymentId ?? '')).toEqual(paid)
  })

  it('knows delayed, free and expired sessions', async () => {
    const { fake, payments, sell } = await open()
    const ids = await Promise.all([1, 2, 3].map(async () => (await sell()).sessionId))
    const [delayed = '', free = '', expired = ''] = ids
    await fake.complete(delayed, 'unpaid')
    await fake.complete(free, 'no_payment_required', { discount: 999 })
    await fake.expire(expired)
    expect(await payments.getCheckout(delayed)).toMatchObject({ state: 'unpaid' })
    expect(await payments.getCheckout(free)).toMatchObject({ state: 'free', totalMinor: 0, paymentId: null })
    expect(await payments.getCheckout(expired)).toMatchObject({ state: 'expired', url: null })
  })

  it('grants nothing for a payment status that nobody knows', async () => {
    const { fake, payments, sell } = await open()
    const { sessionId } = await sell()
    const session = await fake.complete(sessionId)
    const answer = { ...session, payment_status: 'future_value' }
    Object.assign(fake.stripe.checkout.sessions, { retrieve: () => Promise.resolve(answer) })
    expect(await payments.getCheckout(sessionId)).toMatchObject({ state: 'unpaid' })
  })

  it('reads the currency of the package from sessions of old API versions', async () => {
    const { fake, payments, sell } = await open()
    const { sessionId } = await sell()
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
    const { fake, payments, sell } = await open()
    const { sessionId } = await sell()
    const session = await fake.stripe.checkout.sessions.retrieve(sessionId)
    Object.assign(fake.stripe.checkout.sessions, {
      retrieve: () => Promise.resolve({ ...session, mode: 'setup', currency: null, amount_subtotal: null }),
    })
    expect(await payments.getCheckout(sessionId)).toMatchObject({
      mode: 'setup',
      purchaseId: null,
      currency: '',
      subtotalMinor: 0,
    })
  })
})

describe('getPrice', () => {
  it('knows what packages and plans can be sold for', async () => {
    const { fake, payments } = await open()
    const { prices, products } = fake.stripe
    const [product_data, recurring] = [{ name: 'P' }, { interval: 'month' as const }]
    const monthly = await prices.create({ currency: 'usd', unit_amount: 1, product_data, recurring })
    expect(await payments.getPrice(monthly.id)).toEqual({ currency: 'usd', unitPriceMinor: 1, recurring: true })

    const inactive = await prices.create({ currency: 'usd', unit_amount: 1, product_data, active: false })
    const product = await products.create({ name: 'archived' })
    const archived = await prices.create({ currency: 'usd', unit_amount: 1, product: product.id })
    await products.update(product.id, { active: false })
    for (const id of [inactive.id, archived.id, 'price_unknown']) {
      expect([id, await payments.getPrice(id)]).toEqual([id, null])
    }
  })
})

describe('getPrice, where the price times the quantity is not what is charged', () => {
  it.each([
    ['tiers', { billing_scheme: 'tiered', unit_amount: null }],
    ['an amount that the buyer names', { unit_amount: null, custom_unit_amount: {} }],
    ['fractions of a cent', { unit_amount: null, unit_amount_decimal: '0.5' }],
    ['what was used', { recurring: { interval: 'month', usage_type: 'metered' } }],
    ['packs of units', { transform_quantity: { divide_by: 10, round: 'up' } }],
    ['the other mode', { livemode: true }],
  ])('is null: %s', async (_, change) => {
    const { fake, payments } = await open()
    const price = await fake.stripe.prices.create({ currency: 'eur', unit_amount: 500, product_data: { name: 'P' } })
    Object.assign(fake.stripe.prices, { retrieve: () => Promise.resolve({ ...price, ...change }) })
    expect(await payments.getPrice(price.id)).toBeNull()
  })
})

describe('a connected account', () => {
  it('is named in every call', async () => {
    const { fake, payments, sell } = await open({ account: 'acct_1' })
    const before = fake.calls.length
    const { sessionId } = await sell()
    await payments.getCheckout(sessionId)
    await payments.findCheckoutByPayment('pi_1')
    expect(fake.calls.slice(before).map(({ stripeAccount }) => stripeAccount)).toEqual(['acct_1', 'acct_1', 'acct_1'])
  })
})
