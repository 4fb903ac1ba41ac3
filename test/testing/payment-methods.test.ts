import { fakeStripe, testClock, type FakeStripe } from 'creditkit/testing'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { idOf, newCustomer, typesSince } from './billing-support.js'

const clock = testClock()
let fake: FakeStripe
let stripe: Stripe

beforeEach(async () => {
  fake = await fakeStripe({ clock, delivery: 'hold', stripeConfig: { maxNetworkRetries: 0 } })
  stripe = fake.stripe
})
afterEach(() => fake.close())

const topUp = (
  customer: string,
  payment_method: string,
  params: Partial<Stripe.PaymentIntentCreateParams> = {},
): Promise<Stripe.PaymentIntent> =>
  stripe.paymentIntents.create({
    amount: 999,
    currency: 'usd',
    customer,
    payment_method,
    off_session: true,
    confirm: true,
    ...params,
  })

describe('a payment method', () => {
  it('becomes a real one when a test payment method is attached, and belongs to its customer', async () => {
    const { id: customer } = await stripe.customers.create({})
    const method = await stripe.paymentMethods.attach('pm_card_visa', { customer })
    expect(method).toMatchObject({ object: 'payment_method', type: 'card', customer, card: { last4: '4242' } })
    expect(method.id).toMatch(/^pm_[A-Za-z0-9]{24}$/)
    expect(fake.events.at(-1)).toMatchObject({ type: 'payment_method.attached', data: { object: { id: method.id } } })
    expect((await stripe.customers.listPaymentMethods(customer)).data.map(({ id }) => id)).toEqual([method.id])
    expect((await stripe.paymentMethods.list({ customer, type: 'card' })).data).toHaveLength(1)
    expect((await stripe.paymentMethods.list({ customer, type: 'sepa_debit' })).data).toEqual([])
    expect(await stripe.customers.retrievePaymentMethod(customer, method.id)).toMatchObject({ id: method.id })
    const other = await stripe.customers.create({})
    await expect(stripe.customers.retrievePaymentMethod(other.id, method.id)).rejects.toMatchObject({ statusCode: 404 })
    await expect(stripe.paymentMethods.attach(method.id, { customer: other.id })).rejects.toThrow(
      'already been attached',
    )
  })

  it('can be made of a token or number, changed, and made the customer’s default', async () => {
    const { id: customer } = await stripe.customers.create({})
    const made = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_mastercard' } })
    expect(made).toMatchObject({ customer: null, card: { brand: 'mastercard', last4: '4444' } })
    await stripe.paymentMethods.attach(made.id, { customer })
    await stripe.paymentMethods.update(made.id, { card: { exp_month: 1, exp_year: 2040 }, metadata: { a: 'b' } })
    expect(fake.events.at(-1)?.type).toBe('payment_method.updated')
    await expect(
      stripe.customers.update(customer, { invoice_settings: { default_payment_method: 'pm_card_visa' } }),
    ).rejects.toThrow('does not have a payment method')
    const settings = { invoice_settings: { default_payment_method: made.id } }
    const expand = ['invoice_settings.default_payment_method']
    const updated = await stripe.customers.update(customer, { ...settings, expand })
    expect(updated.invoice_settings.default_payment_method).toMatchObject({ id: made.id, card: { exp_year: 2040 } })
    await expect(stripe.paymentMethods.create({ type: 'card' })).rejects.toMatchObject({ code: 'parameter_missing' })
  })

  it('can never be used again once it is detached', async () => {
    const { customer, method } = await newCustomer(stripe)
    expect(await stripe.paymentMethods.detach(method)).toMatchObject({ id: method, customer: null })
    expect(fake.events.at(-1)).toMatchObject({
      type: 'payment_method.detached',
      data: { previous_attributes: { customer } },
    })
    expect(await stripe.customers.retrieve(customer)).toMatchObject({
      invoice_settings: { default_payment_method: null },
    })
    await expect(topUp(customer, method)).rejects.toMatchObject({ statusCode: 400, type: 'StripeInvalidRequestError' })
    await expect(stripe.paymentMethods.attach(method, { customer })).rejects.toThrow('may not be used again')
    await expect(stripe.paymentMethods.detach(method)).rejects.toThrow('not attached')
  })

  it('is used up by a payment while it belongs to nobody', async () => {
    const { id } = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } })
    const params = { amount: 999, currency: 'usd', payment_method: id, confirm: true }
    const pay = () => stripe.paymentIntents.create({ ...params, return_url: 'https://shop.example/' })
    expect(await pay()).toMatchObject({ status: 'succeeded' })
    await expect(pay()).rejects.toThrow('may not be used again')
  })

  it('that declines cannot be attached, except for the one made for that', async () => {
    const { id: customer } = await stripe.customers.create({})
    await expect(stripe.paymentMethods.attach('pm_card_chargeDeclinedLostCard', { customer })).rejects.toMatchObject({
      statusCode: 402,
      code: 'card_declined',
      decline_code: 'lost_card',
    })
    const { id } = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer })
    await expect(topUp(customer, id)).rejects.toMatchObject({ code: 'card_declined', decline_code: 'generic_decline' })
  })

  it('that nobody knows is not taken for a good one', async () => {
    const { id: customer } = await stripe.customers.create({})
    await expect(topUp(customer, 'pm_none')).rejects.toMatchObject({
      statusCode: 400,
      code: 'resource_missing',
      param: 'payment_method',
    })
    await expect(stripe.paymentMethods.retrieve('pm_none')).rejects.toMatchObject({ statusCode: 404 })
  })
})

describe('a payment that may lead its buyer away', () => {
  const params = { amount: 999, currency: 'usd', payment_method: 'pm_card_visa', confirm: true }
  const return_url = 'https://shop.example/back'
  const lost = { statusCode: 400, type: 'StripeInvalidRequestError' }

  it('is refused without a page to come back to, as it is since 2023-08-16', async () => {
    await expect(stripe.paymentIntents.create(params)).rejects.toMatchObject(lost)
    const always = { enabled: true, allow_redirects: 'always' } as const
    await expect(stripe.paymentIntents.create({ ...params, automatic_payment_methods: always })).rejects.toThrow(
      'you must provide a `return_url`',
    )
    const { id } = await stripe.paymentIntents.create({ amount: 999, currency: 'usd' })
    const payment_method = 'pm_card_visa'
    await expect(stripe.paymentIntents.confirm(id, { payment_method })).rejects.toMatchObject(lost)
    expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({ status: 'requires_payment_method' })
  })

  it('is taken by older versions of the API when its types are named', async () => {
    const typed = { ...params, payment_method_types: ['card'] }
    const old = { apiVersion: '2025-03-31.basil' }
    expect(await stripe.paymentIntents.create(typed, old)).toMatchObject({ status: 'succeeded' })
    await expect(stripe.paymentIntents.create(params, old)).rejects.toMatchObject(lost)
  })

  it('is taken with one, without the buyer, or when it may not lead away', async () => {
    const { customer, method } = await newCustomer(stripe)
    const never = { enabled: true, allow_redirects: 'never' } as const
    expect(await stripe.paymentIntents.create({ ...params, return_url })).toMatchObject({ status: 'succeeded' })
    expect(await topUp(customer, method)).toMatchObject({
      status: 'succeeded',
      automatic_payment_methods: { enabled: true, allow_redirects: 'always' },
    })
    const { id, automatic_payment_methods } = await stripe.paymentIntents.create({
      amount: 999,
      currency: 'usd',
      automatic_payment_methods: never,
    })
    expect(automatic_payment_methods).toEqual(never)
    expect(await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' })).toMatchObject({
      status: 'succeeded',
    })
  })
})

describe('a payment without the buyer', () => {
  it('succeeds with a saved card', async () => {
    const { customer, method } = await newCustomer(stripe)
    const intent = await topUp(customer, method, { metadata: { topup: 't1' } })
    expect(intent).toMatchObject({ status: 'succeeded', customer, payment_method: method, metadata: { topup: 't1' } })
    const other = await newCustomer(stripe)
    await expect(topUp(other.customer, method)).rejects.toThrow('belongs to the Customer')
    await stripe.customers.del(customer)
    await expect(topUp(customer, method)).rejects.toMatchObject({ code: 'resource_missing', param: 'customer' })
  })

  it('that needs the buyer is declined, and is made good by the buyer on the same intent', async () => {
    const { customer, method } = await newCustomer(stripe, 'pm_card_authenticationRequired')
    const error = (await topUp(customer, method, { metadata: { topup: 't1' } }).catch(
      (reason: unknown) => reason,
    )) as Stripe.errors.StripeCardError
    expect(error).toMatchObject({
      statusCode: 402,
      type: 'StripeCardError',
      code: 'authentication_required',
      decline_code: 'authentication_required',
      payment_method: { id: method },
      payment_intent: {
        status: 'requires_payment_method',
        last_payment_error: { code: 'authentication_required', payment_method: { id: method } },
      },
    })
    const id = String(error.payment_intent?.id)
    const return_url = 'https://shop.example/'
    const confirmed = await stripe.paymentIntents.confirm(id, { payment_method: method, return_url })
    expect(confirmed).toMatchObject({ status: 'requires_action', next_action: { type: 'use_stripe_sdk' } })
    const seen = typesSince(fake)
    expect(await fake.authenticate(id)).toMatchObject({ status: 'succeeded', metadata: { topup: 't1' } })
    expect(seen()).toEqual(['charge.succeeded', 'payment_intent.succeeded', 'charge.updated'])
    await expect(fake.authenticate(id)).rejects.toThrow('waits for no authentication')
  })

  it('can be authenticated by the buyer in one step, or not at all', async () => {
    const { customer, method } = await newCustomer(stripe, 'pm_card_authenticationRequired')
    await expect(topUp(customer, method)).rejects.toMatchObject({ code: 'authentication_required' })
    const [intent] = (await stripe.paymentIntents.list({ customer })).data
    const failed = await fake.authenticate(String(intent?.id), 'failed')
    expect(failed).toMatchObject({
      status: 'requires_payment_method',
      last_payment_error: { code: 'payment_intent_authentication_failure' },
    })
    expect(await fake.authenticate(String(intent?.id))).toMatchObject({ status: 'succeeded' })
  })

  it.each([
    ['pm_card_authenticationRequired', 'authentication_required'],
    ['pm_card_authenticationRequiredOnSetup', 'authentication_required'],
    ['pm_card_authenticationRequiredSetupForOffSession', undefined],
    ['pm_card_authenticationRequiredChargeDeclinedInsufficientFunds', 'card_declined'],
  ])('with %s, attached but not set up, ends in %s', async (name, code) => {
    const { customer, method } = await newCustomer(stripe, name)
    const outcome: unknown = await topUp(customer, method).catch((reason: unknown) => reason)
    expect(outcome).toMatchObject(code === undefined ? { status: 'succeeded' } : { statusCode: 402, code })
  })

  it('needs no buyer once they have set the card up', async () => {
    const { id: customer } = await stripe.customers.create({})
    const setup = await stripe.setupIntents.create({
      customer,
      payment_method: 'pm_card_authenticationRequiredOnSetup',
      confirm: true,
    })
    expect(setup.status).toBe('requires_action')
    const done = await fake.authenticate(setup.id)
    expect(done).toMatchObject({ object: 'setup_intent', status: 'succeeded' })
    expect(await topUp(customer, idOf(done.payment_method))).toMatchObject({ status: 'succeeded' })
  })

  it.each([
    ['pm_card_chargeDeclined', 'card_declined', 'generic_decline', 'try_again_later'],
    ['pm_card_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds', 'try_again_later'],
    ['pm_card_chargeDeclinedLostCard', 'card_declined', 'lost_card', 'do_not_try_again'],
    ['pm_card_chargeDeclinedStolenCard', 'card_declined', 'stolen_card', 'do_not_try_again'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'expired_card', 'confirm_card_data'],
    ['pm_card_chargeDeclinedProcessingError', 'processing_error', 'processing_error', 'try_again_later'],
  ])('can be made to end like %s whatever the card', async (like, code, decline_code, advice_code) => {
    const { customer, method } = await newCustomer(stripe)
    fake.failPayments(customer, like)
    await expect(topUp(customer, method)).rejects.toMatchObject({ statusCode: 402, code, decline_code, advice_code })
    fake.failPayments(customer, false)
    expect(await topUp(customer, method)).toMatchObject({ status: 'succeeded' })
    expect(() => fake.failPayments(customer, 'pm_card_nonsense')).toThrow('no test payment method')
  })

  it('can be made while its answer is lost, and found by its key or its metadata', async () => {
    const { customer, method } = await newCustomer(stripe)
    const params = {
      amount: 999,
      currency: 'usd',
      customer,
      payment_method: method,
      off_session: true,
      confirm: true,
      metadata: { app: 'shop', topup: "it's" },
    }
    fake.failNext({ path: '/v1/payment_intents', reset: true, afterEffect: true })
    // The SDK retries a reset once by itself, under the same key.
    const intent = await stripe.paymentIntents.create(params, { idempotencyKey: 'topup-1' })
    expect(fake.calls.filter((call) => call.path === '/v1/payment_intents').map(({ status }) => status)).toEqual([
      0, 200,
    ])
    const query = String.raw`metadata['app']:'shop' AND metadata['topup']:'it\'s'`
    const found = await stripe.paymentIntents.search({ query })
    expect(found).toMatchObject({ object: 'search_result', has_more: false, data: [{ id: intent.id }] })
    expect((await stripe.paymentIntents.search({ query: "metadata['app']:'other'" })).data).toEqual([])
    expect((await stripe.paymentIntents.search({ query: "status:'succeeded' AND amount>998" })).data).toHaveLength(1)
    expect((await stripe.paymentIntents.search({ query: "-status:'succeeded' OR amount<10" })).data).toEqual([])
    await expect(stripe.paymentIntents.search({ query: 'nonsense' })).rejects.toMatchObject({ statusCode: 400 })
  })
})

describe('a setup intent', () => {
  it('saves a card for later', async () => {
    const { id: customer } = await stripe.customers.create({})
    const intent = await stripe.setupIntents.create({ customer, usage: 'off_session', metadata: { user: 'u' } })
    expect(intent).toMatchObject({ status: 'requires_payment_method', usage: 'off_session' })
    const seen = typesSince(fake)
    const done = await stripe.setupIntents.confirm(intent.id, { payment_method: 'pm_card_visa' })
    expect(done).toMatchObject({ status: 'succeeded', customer, metadata: { user: 'u' } })
    expect(seen()).toEqual(['payment_method.attached', 'setup_intent.succeeded'])
    expect((await stripe.customers.listPaymentMethods(customer)).data[0]?.id).toBe(done.payment_method)
    expect((await stripe.setupIntents.list({ customer })).data.map(({ id }) => id)).toEqual([intent.id])
    await expect(stripe.setupIntents.cancel(intent.id)).rejects.toMatchObject({ code: 'setup_intent_unexpected_state' })
  })

  it('fails with a card whose bank refuses, and can be canceled', async () => {
    const { id: customer } = await stripe.customers.create({})
    const intent = await stripe.setupIntents.create({ customer })
    const confirm = stripe.setupIntents.confirm(intent.id, { payment_method: 'pm_card_chargeDeclined' })
    await expect(confirm).rejects.toMatchObject({ statusCode: 402, code: 'card_declined' })
    expect(fake.events.at(-1)?.type).toBe('setup_intent.setup_failed')
    expect(await stripe.setupIntents.retrieve(intent.id)).toMatchObject({
      status: 'requires_payment_method',
      last_setup_error: { code: 'card_declined' },
    })
    expect(await stripe.setupIntents.cancel(intent.id)).toMatchObject({ status: 'canceled' })
  })
})
