import { fakeStripe, testClock, type FakeStripe } from 'creditkit/testing'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, HOUR, idOf, newPrice, typesSince } from './billing-support.js'

const clock = testClock(new Date('2026-01-15T00:00:00Z'))
let fake: FakeStripe
let stripe: Stripe

beforeEach(async () => {
  fake = await fakeStripe({ clock, delivery: 'hold', taxPercent: 20, stripeConfig: { maxNetworkRetries: 0 } })
  stripe = fake.stripe
})
afterEach(() => fake.close())

const plan = async (changes: Partial<Stripe.Checkout.SessionCreateParams> = {}): Promise<Stripe.Checkout.Session> =>
  stripe.checkout.sessions.create({
    mode: 'subscription',
    success_url: 'https://shop.test/done',
    line_items: [{ price: await newPrice(stripe, 2_000), quantity: 1 }],
    ...changes,
  })
const subscriptionOf = (session: Stripe.Checkout.Session): Promise<Stripe.Subscription> =>
  stripe.subscriptions.retrieve(idOf(session.subscription), { expand: ['latest_invoice'] })

describe('a session in subscription mode', () => {
  it('makes the customer, saves the card and subscribes, and is completed last', async () => {
    const open = await plan({ subscription_data: { metadata: { user: 'u1' } }, metadata: { on: 'session' } })
    expect(open).toMatchObject({ mode: 'subscription', amount_total: 2_000, subscription: null, invoice: null })
    const seen = typesSince(fake)
    const session = await fake.complete(open.id)
    expect(session).toMatchObject({ status: 'complete', payment_status: 'paid', payment_intent: null })
    expect(seen()).toEqual([
      'customer.created',
      'payment_method.attached',
      'customer.subscription.created',
      'invoice.created',
      'invoice.finalized',
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'invoice_payment.paid',
      'customer.subscription.updated',
      'invoice.updated',
      'invoice.paid',
      'invoice.payment_succeeded',
      'charge.updated',
      'checkout.session.completed',
    ])
    const created = fake.events.find(({ type }) => type === 'customer.subscription.created')
    expect(created?.data.object).toMatchObject({ status: 'incomplete' })
    const subscription = await subscriptionOf(session)
    expect(subscription).toMatchObject({ status: 'active', metadata: { user: 'u1' }, customer: session.customer })
    expect(subscription.latest_invoice).toMatchObject({
      id: session.invoice,
      status: 'paid',
      parent: { subscription_details: { metadata: { user: 'u1' } } },
    })
    expect(subscription.default_payment_method).toMatch(/^pm_/)
    const found = await stripe.checkout.sessions.list({ subscription: subscription.id })
    expect(found.data.map(({ id }) => id)).toEqual([open.id])
    clock.advance(31 * DAY + HOUR)
    await fake.tick()
    expect((await stripe.invoices.list({ subscription: subscription.id })).data.map(({ status }) => status)).toEqual([
      'paid',
      'paid',
    ])
  })

  it('stays open when the card is declined, and takes another one', async () => {
    const { id } = await plan()
    const declined = await fake.complete(id, 'declined')
    expect(declined).toMatchObject({ status: 'open', subscription: null })
    expect(fake.events.at(-1)?.type).toBe('payment_intent.payment_failed')
    const paid = await fake.complete(id, 'paid', { paymentMethod: 'pm_card_authenticationRequired' })
    expect(paid).toMatchObject({ status: 'complete', payment_status: 'paid' })
    expect((await stripe.subscriptions.list({ status: 'all' })).data).toHaveLength(1)
  })

  it('starts a trial for nothing, with a quantity, and with one-time things on the first invoice', async () => {
    const price = await newPrice(stripe, 1_000)
    const once = await stripe.prices.create({ currency: 'usd', unit_amount: 700, product_data: { name: 'Setup' } })
    const session = await plan({
      subscription_data: { trial_period_days: 14 },
      line_items: [
        { price, quantity: 3 },
        { price: once.id, quantity: 1 },
      ],
    })
    expect(session.amount_total).toBe(700)
    const done = await fake.complete(session.id)
    const subscription = await subscriptionOf(done)
    expect(subscription).toMatchObject({ status: 'trialing', items: { data: [{ quantity: 3, price: { id: price } }] } })
    expect(subscription.latest_invoice).toMatchObject({ status: 'paid', amount_paid: 700 })
    const free = await fake.complete((await plan({ subscription_data: { trial_period_days: 14 } })).id)
    expect(free).toMatchObject({ payment_status: 'no_payment_required', amount_total: 0 })
  })

  it('takes coupons, typed codes and tax', async () => {
    const coupon = await stripe.coupons.create({ percent_off: 100, duration: 'once' })
    await stripe.promotionCodes.create({ promotion: { type: 'coupon', coupon: coupon.id }, code: 'FREE' })
    const withCoupon = await plan({ discounts: [{ coupon: coupon.id }] })
    const free = await fake.complete(withCoupon.id)
    expect(free).toMatchObject({ amount_total: 0, payment_status: 'no_payment_required' })
    const subscription = await subscriptionOf(free)
    expect(subscription.latest_invoice).toMatchObject({ status: 'paid', subtotal: 2_000, total: 0, amount_paid: 0 })
    const next = await fake.renew(subscription.id)
    expect(next.total).toBe(2_000)
    const taxed = await fake.complete((await plan({ automatic_tax: { enabled: true } })).id)
    expect(taxed.amount_total).toBe(2_400)
    expect((await subscriptionOf(taxed)).latest_invoice).toMatchObject({ total: 2_400, subtotal: 2_000 })
    const coded = await plan({ allow_promotion_codes: true })
    const body = 'action=apply_code&promotion_code=free'
    await fetch(coded.url ?? '', { method: 'POST', body, redirect: 'manual' })
    expect(await stripe.checkout.sessions.retrieve(coded.id)).toMatchObject({ amount_total: 0 })
  })

  it('settles a bank debit later', async () => {
    const { id } = await plan()
    const unpaid = await fake.complete(id, 'unpaid')
    expect(unpaid).toMatchObject({ status: 'complete', payment_status: 'unpaid' })
    const seen = typesSince(fake)
    expect(await fake.settle(id, 'succeeded')).toMatchObject({ payment_status: 'paid' })
    expect(seen()).toContain('invoice.paid')
    expect(seen().at(-1)).toBe('checkout.session.async_payment_succeeded')
  })

  it.each([
    ['only one-time prices', 'subscription', 'line_items', 'at least one recurring price'],
    ['what belongs to payments', 'subscription', 'payment_intent_data', 'in `subscription` mode'],
    ['a recurring price in payment mode', 'payment', 'line_items[0][price]', 'passed a recurring price'],
    ['what belongs to subscriptions', 'payment', 'subscription_data', 'in `payment` mode'],
    ['no currency in setup mode', 'setup', 'currency', 'Missing required param'],
  ] as const)('is refused with %s', async (_what, mode, param, message) => {
    const price = await newPrice(stripe, 2_000)
    const once = await stripe.prices.create({ currency: 'usd', unit_amount: 700, product_data: { name: 'Setup' } })
    const line = param === 'line_items' ? once.id : price
    const create = stripe.checkout.sessions.create({
      mode,
      success_url: 'https://shop.test/done',
      ...(mode !== 'setup' && { line_items: [{ price: line, quantity: 1 }] }),
      ...(param === 'payment_intent_data' && { payment_intent_data: { description: 'x' } }),
      ...(param === 'subscription_data' && { subscription_data: { description: 'x' } }),
    })
    const error: unknown = await create.catch((reason: unknown) => reason)
    expect(error).toMatchObject({ statusCode: 400, param })
    expect(String(error)).toContain(message)
  })
})

describe('a session in setup mode', () => {
  it('saves the card on the customer and costs nothing', async () => {
    const { id: customer } = await stripe.customers.create({})
    const open = await stripe.checkout.sessions.create({
      mode: 'setup',
      customer,
      currency: 'usd',
      success_url: 'https://shop.test/done',
      setup_intent_data: { metadata: { user: 'u1' } },
    })
    expect(open).toMatchObject({ amount_total: null, payment_status: 'no_payment_required', payment_intent: null })
    expect(open.setup_intent).toMatch(/^seti_/)
    const seen = typesSince(fake)
    expect(await fake.complete(open.id, 'declined')).toMatchObject({ status: 'open' })
    const session = await fake.complete(open.id, 'paid', { paymentMethod: 'pm_card_authenticationRequiredOnSetup' })
    expect(session.status).toBe('complete')
    expect(seen()).toEqual([
      'setup_intent.setup_failed',
      'payment_method.attached',
      'setup_intent.succeeded',
      'checkout.session.completed',
    ])
    const setup = await stripe.setupIntents.retrieve(idOf(session.setup_intent), { expand: ['payment_method'] })
    expect(setup).toMatchObject({ status: 'succeeded', metadata: { user: 'u1' }, payment_method: { customer } })
  })
})

describe('a session in payment mode', () => {
  it('saves the card when told to, on a customer it makes for that', async () => {
    const { id } = await stripe.checkout.sessions.create({
      mode: 'payment',
      success_url: 'https://shop.test/done',
      line_items: [{ price_data: { currency: 'usd', unit_amount: 999, product_data: { name: 'Pack' } }, quantity: 1 }],
      payment_intent_data: { setup_future_usage: 'off_session' },
    })
    const session = await fake.complete(id, 'paid', { paymentMethod: 'pm_card_authenticationRequiredOnSetup' })
    const customer = idOf(session.customer)
    const [method] = (await stripe.customers.listPaymentMethods(customer)).data
    const intent = await stripe.paymentIntents.create({
      amount: 500,
      currency: 'usd',
      customer,
      payment_method: String(method?.id),
      off_session: true,
      confirm: true,
    })
    expect(intent.status).toBe('succeeded')
  })

  it('can be embedded: a client secret and a way back instead of a page', async () => {
    const params = {
      mode: 'payment',
      ui_mode: 'embedded_page',
      return_url: 'https://shop.test/back?id={CHECKOUT_SESSION_ID}',
      line_items: [{ price_data: { currency: 'usd', unit_amount: 999, product_data: { name: 'Pack' } }, quantity: 1 }],
    } satisfies Stripe.Checkout.SessionCreateParams
    const session = await stripe.checkout.sessions.create(params)
    expect(session).toMatchObject({ url: null, success_url: null, ui_mode: 'embedded_page', status: 'open' })
    expect(session.client_secret).toMatch(new RegExp(`^${session.id}_secret_`))
    await expect(
      stripe.checkout.sessions.create({ ...params, success_url: 'https://shop.test' }),
    ).rejects.toMatchObject({ statusCode: 400, param: 'success_url' })
    const { return_url: _return, ...incomplete } = params
    await expect(stripe.checkout.sessions.create(incomplete)).rejects.toMatchObject({ param: 'return_url' })
    expect(await fake.complete(session.id)).toMatchObject({ payment_status: 'paid' })
  })
})

describe('the page', () => {
  it('subscribes and leads back to the shop, and offers to save a card', async () => {
    const session = await plan()
    const page = await fetch(session.url ?? '')
    expect(await page.text()).toContain('Pay $20.00')
    const paid = await fetch(session.url ?? '', { method: 'POST', body: 'action=pay', redirect: 'manual' })
    expect([paid.status, paid.headers.get('location')]).toEqual([303, 'https://shop.test/done'])
    expect((await stripe.subscriptions.list()).data).toHaveLength(1)
    const setup = await stripe.checkout.sessions.create({
      mode: 'setup',
      currency: 'usd',
      success_url: 'https://shop.test/done',
    })
    expect(await (await fetch(setup.url ?? '')).text()).toContain('Save card')
  })
})
