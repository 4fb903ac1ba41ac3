import { fakeStripe, testClock, type FakeStripe } from 'creditkit/testing'
import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const PACK = {
  mode: 'payment',
  success_url: 'https://shop.test/done',
  line_items: [{ price_data: { currency: 'usd', unit_amount: 999, product_data: { name: 'Pack' } }, quantity: 1 }],
} satisfies Stripe.Checkout.SessionCreateParams

const clock = testClock()
let fake: FakeStripe
let stripe: Stripe

beforeEach(async () => {
  fake = await fakeStripe({ clock, stripeConfig: { maxNetworkRetries: 0, timeout: 2_000 } })
  stripe = fake.stripe
})
afterEach(() => fake.close())

/** A call outside the SDK's types, as a caller with old code or a plain HTTP client makes it. */
const post = (path: string, form: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${fake.url}${path}`, {
    method: 'POST',
    body: form,
    headers: { authorization: `Bearer ${fake.secretKey}`, ...headers },
  })

const errorOf = async (response: Response): Promise<Record<string, unknown>> => {
  const { error } = (await response.json()) as { error: Record<string, unknown> }
  return { status: response.status, ...error }
}

/** The error of a session that is made with other parameters than `PACK`. */
const refusal = async (changes: object): Promise<Stripe.errors.StripeError> => {
  const params = { ...PACK, ...changes } as Stripe.Checkout.SessionCreateParams
  const error: unknown = await stripe.checkout.sessions.create(params).catch((reason: unknown) => reason)
  if (error instanceof Stripe.errors.StripeError) return error
  throw new Error('The call was not refused')
}

describe('parameters', () => {
  it.each([
    ['an unknown one', { colour: 'red' }, 'parameter_unknown', 'colour', 'Received unknown parameter: colour'],
    [
      'an unknown one further down',
      { payment_intent_data: { colour: 'red' } },
      'parameter_unknown',
      'payment_intent_data[colour]',
      'Received unknown parameter: payment_intent_data[colour]',
    ],
    ['two unknown ones', { a: '1', b: '2' }, 'parameter_unknown', 'a', 'Received unknown parameters: a, b'],
    [
      'payment_method_types, which is gone',
      { payment_method_types: ['card'] },
      'payment_method_types_no_longer_supported',
      'payment_method_types',
      'no longer supported',
    ],
    ['no mode', { mode: undefined }, 'parameter_missing', 'mode', 'Missing required param: mode.'],
    [
      'no success_url on the hosted page',
      { success_url: undefined },
      'parameter_missing',
      'success_url',
      'success_url',
    ],
    ['no line items', { line_items: undefined }, 'parameter_missing', 'line_items', 'line_items'],
    ['an old name of ui_mode', { ui_mode: 'hosted' }, undefined, 'ui_mode', 'must be one of elements'],
    ['an unknown mode', { mode: 'gift' }, undefined, 'mode', 'must be one of payment, setup, or subscription'],
    ['a relative success_url', { success_url: '/done' }, 'url_invalid', 'success_url', 'Not a valid URL'],
    ['a script as success_url', { success_url: 'javascript:1' }, 'url_invalid', 'success_url', 'Not a valid URL'],
    ['a session of ten minutes', { expires_at: 0 }, undefined, 'expires_at', 'at least 30 minutes'],
    [
      'a customer and an email',
      { customer: 'cus_1', customer_email: 'a@b.c' },
      undefined,
      'customer',
      'only specify one',
    ],
    ['an unknown customer', { customer: 'cus_1' }, 'resource_missing', 'customer', "No such customer: 'cus_1'"],
    [
      'an unknown price',
      { line_items: [{ price: 'p', quantity: 1 }] },
      'resource_missing',
      'line_items[0][price]',
      'No such',
    ],
    ['no quantity', { line_items: [{ price: 'p' }] }, 'parameter_missing', 'line_items[0][quantity]', 'quantity'],
    ['an empty text', { client_reference_id: '' }, 'parameter_invalid_empty', 'client_reference_id', 'empty string'],
    [
      'a long reference',
      { client_reference_id: 'x'.repeat(201) },
      'parameter_invalid_string',
      'client_reference_id',
      '200',
    ],
    ['an expansion that is none', { expand: ['colour'] }, undefined, 'expand', 'cannot be expanded (colour)'],
  ])('refuses %s', async (_what, changes, code, param, message) => {
    const error = await refusal(changes)
    expect(error).toMatchObject({ statusCode: 400, type: 'StripeInvalidRequestError', param })
    expect(error.code).toBe(code)
    expect(error.message).toContain(message)
    expect(await stripe.checkout.sessions.list()).toMatchObject({ data: [] })
  })

  it.each([
    ['a fraction of a cent', { unit_amount: 9.5 }, 'unit_amount', 'Invalid integer: 9.5'],
    ['a negative amount', { unit_amount: -1 }, 'unit_amount', 'greater than or equal to 0'],
    ['an amount over 8 digits', { unit_amount: 100_000_000 }, 'unit_amount', '999,999.99'],
    ['a currency there is not', { currency: 'xyz' }, 'currency', 'Invalid currency: xyz'],
    ['no amount', { unit_amount: undefined }, 'unit_amount', 'Missing required param'],
  ])('refuses %s', async (_what, changes, field, message) => {
    const data = { currency: 'usd', unit_amount: 999, product_data: { name: 'Pack' }, ...changes }
    const error = await refusal({ line_items: [{ quantity: 1, price_data: data }] })
    expect(error.param).toBe(`line_items[0][price_data][${field}]`)
    expect(error.message).toContain(message)
  })

  it('refuses less than the smallest charge of the currency', async () => {
    const price = await stripe.prices.create({ currency: 'usd', unit_amount: 49, product_data: { name: 'Tiny' } })
    const error = await refusal({ line_items: [{ price: price.id, quantity: 1 }] })
    expect(error).toMatchObject({ code: 'amount_too_small' })
    expect(error.message).toContain('$0.50')
  })

  it('keeps metadata to 50 keys of 40 characters with 500 each', async () => {
    const keys = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']))
    expect((await refusal({ metadata: keys(51) })).message).toContain('50')
    expect((await refusal({ metadata: { ['k'.repeat(41)]: 'v' } })).message).toContain('40 characters')
    expect((await refusal({ metadata: { k: 'v'.repeat(501) } })).message).toContain('500 characters')
    const most = { ...keys(49), ['k'.repeat(40)]: 'ü'.repeat(500) }
    const session = await stripe.checkout.sessions.create({ ...PACK, metadata: most })
    expect(session.metadata).toEqual(most)
  })

  it('treats hostile keys as any others', async () => {
    const hostile = 'email=a@b.c&metadata[__proto__]=polluted&metadata[constructor]=x'
    const response = await post('/v1/customers', hostile)
    const body = await response.text()
    expect(response.status).toBe(200)
    expect(body).toContain('"__proto__": "polluted"')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    const deep = `a${'[b]'.repeat(50)}=1`
    expect(await errorOf(await post('/v1/customers', deep))).toMatchObject({ status: 400 })
    expect(await errorOf(await post('/v1/customers', 'a=1&a[b]=2'))).toMatchObject({ status: 400 })
    expect(await errorOf(await post('/v1/customers', 'a[b=2'))).toMatchObject({ status: 400 })
    expect(await errorOf(await post('/v1/customers', '__proto__[x]=2'))).toMatchObject({ code: 'parameter_unknown' })
    expect(await errorOf(await post('/v1/customers?expand[]=__proto__', 'expand[]=constructor'))).toMatchObject({
      status: 400,
    })
  })

  it('lets older API versions pass payment_method_types', async () => {
    const form = `mode=payment&success_url=https://a.b&line_items[0][quantity]=1&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=999&line_items[0][price_data][product_data][name]=P&payment_method_types[]=card`
    expect((await post('/v1/checkout/sessions', form, { 'stripe-version': '2025-03-31.basil' })).status).toBe(200)
    expect(await errorOf(await post('/v1/checkout/sessions', form))).toMatchObject({
      code: 'payment_method_types_no_longer_supported',
    })
  })
})

describe('the key', () => {
  it('must be the right one, as bearer or basic', async () => {
    const stranger = new Stripe('sk_test_stranger', { host: fake.host, port: fake.port, protocol: 'http' })
    await expect(stranger.customers.list()).rejects.toMatchObject({
      statusCode: 401,
      type: 'StripeAuthenticationError',
    })
    expect(await errorOf(await post('/v1/customers', '', { authorization: '' }))).toMatchObject({ status: 401 })
    const basic = `Basic ${Buffer.from(`${fake.secretKey}:`).toString('base64')}`
    expect((await post('/v1/customers', '', { authorization: basic })).status).toBe(200)
  })
})

describe('what is not built', () => {
  it('is answered with 501 and an error, never with something the SDK takes for success', async () => {
    await expect(stripe.payouts.list()).rejects.toMatchObject({ statusCode: 501, code: 'not_implemented' })
    await expect(
      stripe.checkout.sessions.create({ ...PACK, shipping_address_collection: { allowed_countries: ['DE'] } }),
    ).rejects.toMatchObject({ statusCode: 501 })
    expect(await errorOf(await fetch(`${fake.url}/nowhere`))).toMatchObject({ status: 501, code: 'not_implemented' })
    await expect(refusal({ invoice_creation: { enabled: true } })).resolves.toMatchObject({ statusCode: 501 })
  })

  it('is not confused with an object that does not exist', async () => {
    await expect(stripe.refunds.retrieve('re_none')).rejects.toMatchObject({
      statusCode: 404,
      code: 'resource_missing',
    })
    await expect(stripe.checkout.sessions.retrieve('cs_test_none')).rejects.toMatchObject({
      statusCode: 404,
      param: 'session',
    })
  })
})

describe('idempotency keys', () => {
  it('replay the first answer', async () => {
    const first = await stripe.checkout.sessions.create(PACK, { idempotencyKey: 'k1' })
    const again = await stripe.checkout.sessions.create(PACK, { idempotencyKey: 'k1' })
    expect(again.id).toBe(first.id)
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true')
    expect(fake.calls.map((call) => call.replayed)).toEqual([false, true])
    expect((await stripe.checkout.sessions.list()).data).toHaveLength(1)
  })

  it('refuse other parameters', async () => {
    await stripe.customers.create({ email: 'a@b.c' }, { idempotencyKey: 'k1' })
    await expect(stripe.customers.create({ email: 'x@b.c' }, { idempotencyKey: 'k1' })).rejects.toMatchObject({
      statusCode: 400,
      type: 'StripeIdempotencyError',
    })
  })

  it('replay errors of calls that were carried out, and not of calls that were refused', async () => {
    const pay = (payment_method: string) =>
      stripe.paymentIntents.create(
        { amount: 999, currency: 'usd', payment_method, confirm: true, return_url: 'https://shop.example/' },
        { idempotencyKey: 'declined' },
      )
    const first: unknown = await pay('pm_card_chargeDeclined').catch((error: unknown) => error)
    const second: unknown = await pay('pm_card_chargeDeclined').catch((error: unknown) => error)
    expect(first).toMatchObject({ statusCode: 402, code: 'card_declined' })
    expect(second).toMatchObject({ statusCode: 402, code: 'card_declined' })
    expect(fake.calls.map((call) => call.replayed)).toEqual([false, true])
    expect((await stripe.paymentIntents.list()).data).toHaveLength(1)
    const wrong = stripe.customers.create({ email: '' }, { idempotencyKey: 'free' })
    await expect(wrong).rejects.toMatchObject({ statusCode: 400 })
    await stripe.customers.create({ email: 'a@b.c' }, { idempotencyKey: 'free' })
  })

  it('refuse a twin while the first call runs', async () => {
    fake.failNext({ delayMs: 100 })
    const first = stripe.customers.create({}, { idempotencyKey: 'k1' })
    await expect.poll(() => fake.calls.length).toBe(1)
    await expect(stripe.customers.create({}, { idempotencyKey: 'k1' })).rejects.toMatchObject({ statusCode: 409 })
    const customer = await first
    expect((await stripe.customers.create({}, { idempotencyKey: 'k1' })).id).toBe(customer.id)
  })

  it('are forgotten after 24 hours', async () => {
    const first = await stripe.customers.create({}, { idempotencyKey: 'k1' })
    clock.advance(24 * 60 * 60 * 1000)
    expect((await stripe.customers.create({}, { idempotencyKey: 'k1' })).id).not.toBe(first.id)
  })
})

describe('failures on demand', () => {
  it('hit the next matching call, as often as asked', async () => {
    fake.failNext({ path: '/v1/customers', method: 'POST', status: 503, times: 2 })
    await stripe.customers.list()
    await expect(stripe.customers.create({})).rejects.toMatchObject({ statusCode: 503 })
    await expect(stripe.customers.create({})).rejects.toMatchObject({ statusCode: 503 })
    await stripe.customers.create({})
    fake.failNext({ status: 429 })
    await expect(stripe.customers.list()).rejects.toMatchObject({ type: 'StripeRateLimitError' })
  })

  it('are retried by the SDK under one key, with one effect', async () => {
    const patient = new Stripe(fake.secretKey, {
      host: fake.host,
      port: fake.port,
      protocol: 'http',
      maxNetworkRetries: 2,
    })
    fake.failNext({ status: 500, afterEffect: true })
    const customer = await patient.customers.create({})
    expect((await stripe.customers.list()).data.map((entry) => entry.id)).toEqual([customer.id])
    expect(fake.calls.map((call) => [call.status, call.replayed])).toEqual([
      [500, false],
      [200, true],
      [200, false],
    ])
    expect(fake.calls[0]?.idempotencyKey).toMatch(/^stripe-node-retry-/)
  })

  it('can be kept under the key, like an error from halfway through', async () => {
    fake.failNext({ status: 500, saved: true })
    await expect(stripe.customers.create({}, { idempotencyKey: 'k' })).rejects.toMatchObject({ statusCode: 500 })
    await expect(stripe.customers.create({}, { idempotencyKey: 'k' })).rejects.toMatchObject({ statusCode: 500 })
    expect(fake.events).toEqual([])
  })

  it('can lose the answer of a call that was carried out', async () => {
    fake.failNext({ hang: true, afterEffect: true })
    await expect(stripe.customers.create({}, { idempotencyKey: 'k', timeout: 100 })).rejects.toMatchObject({
      type: 'StripeConnectionError',
    })
    const customer = await stripe.customers.create({}, { idempotencyKey: 'k' })
    expect((await stripe.customers.list()).data.map((entry) => entry.id)).toEqual([customer.id])
  })

  it('can cut the connection before anything happened', async () => {
    // The SDK retries a reset once even at maxNetworkRetries 0.
    fake.failNext({ reset: true, times: 2 })
    await expect(stripe.customers.create({})).rejects.toMatchObject({ type: 'StripeConnectionError' })
    fake.clearFailures()
    expect((await stripe.customers.list()).data).toEqual([])
  })
})

describe('lists', () => {
  it('come newest first, in pages walked by cursor', async () => {
    const made: string[] = []
    for (let index = 0; index < 5; index += 1) made.unshift((await stripe.customers.create({ name: `c${index}` })).id)
    const first = await stripe.customers.list({ limit: 2 })
    expect(first).toMatchObject({ object: 'list', has_more: true, url: '/v1/customers' })
    expect(first.data.map((entry) => entry.id)).toEqual(made.slice(0, 2))
    const next = await stripe.customers.list({ limit: 10, starting_after: String(made[1]) })
    expect(next).toMatchObject({ has_more: false })
    expect(next.data.map((entry) => entry.id)).toEqual(made.slice(2))
    const before = await stripe.customers.list({ limit: 2, ending_before: String(made[4]) })
    expect(before.data.map((entry) => entry.id)).toEqual(made.slice(2, 4))
    expect(before.has_more).toBe(true)
    const all = await stripe.customers.list({ limit: 2 }).autoPagingToArray({ limit: 100 })
    expect(all.map((entry) => entry.id)).toEqual(made)
    await expect(stripe.customers.list({ limit: 101 })).rejects.toMatchObject({ statusCode: 400, param: 'limit' })
  })

  it('can be limited to a time', async () => {
    const early = await stripe.customers.create({})
    clock.advance(60_000)
    const late = await stripe.customers.create({})
    const ids = async (created: Stripe.RangeQueryParam): Promise<string[]> =>
      (await stripe.customers.list({ created })).data.map((entry) => entry.id)
    expect(await ids({ gt: early.created })).toEqual([late.id])
    expect(await ids({ lt: late.created })).toEqual([early.id])
    expect(await ids({ gte: early.created, lte: late.created })).toEqual([late.id, early.id])
  })

  it('expand inside their entries', async () => {
    const price = await stripe.prices.create({ currency: 'jpy', unit_amount: 999, product_data: { name: 'Pack' } })
    const { data } = await stripe.prices.list({ expand: ['data.product'] })
    expect(data[0]).toMatchObject({ id: price.id, product: { object: 'product', name: 'Pack' } })
    expect(String(data[0]?.unit_amount_decimal)).toBe('999')
    await expect(stripe.prices.list({ expand: ['product'] })).rejects.toMatchObject({ statusCode: 400 })
  })
})

describe('the journal', () => {
  it('tells what was asked', async () => {
    await stripe.customers.create({ metadata: { a: 'b' } }, { idempotencyKey: 'k', stripeAccount: 'acct_1' })
    expect(fake.calls).toEqual([
      {
        method: 'POST',
        path: '/v1/customers',
        params: { metadata: { a: 'b' } },
        idempotencyKey: 'k',
        stripeAccount: 'acct_1',
        status: 200,
        replayed: false,
      },
    ])
  })
})
