import { fakeStripe, testClock, type FakeStripe } from 'creditkit/testing'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const PACK = {
  mode: 'payment',
  success_url: 'https://shop.test/done?session={CHECKOUT_SESSION_ID}',
  cancel_url: 'https://shop.test/cart',
  line_items: [
    { price_data: { currency: 'usd', unit_amount: 999, product_data: { name: '100 <credits>' } }, quantity: 1 },
  ],
} satisfies Stripe.Checkout.SessionCreateParams

let fake: FakeStripe
let stripe: Stripe

beforeEach(async () => {
  fake = await fakeStripe({ delivery: 'hold' })
  stripe = fake.stripe
})
afterEach(() => fake.close())

const idOf = (reference: string | { id: string } | null): string =>
  typeof reference === 'string' ? reference : (reference?.id ?? '')

const eventTypes = (): string[] =>
  fake.events.map((event) => event.type).filter((type) => !/^(product|price)\./.test(type))

describe('a checkout session', () => {
  it('starts open and unpaid, with a page for the buyer and no line items in it', async () => {
    const session = await stripe.checkout.sessions.create({
      ...PACK,
      client_reference_id: 'purchase_1',
      metadata: { app: 'a', __proto__x: 'y' },
    })
    expect(session).toMatchObject({
      object: 'checkout.session',
      status: 'open',
      payment_status: 'unpaid',
      mode: 'payment',
      amount_subtotal: 999,
      amount_total: 999,
      currency: 'usd',
      client_reference_id: 'purchase_1',
      metadata: { app: 'a', __proto__x: 'y' },
      payment_intent: null,
      livemode: false,
    })
    expect(session.id).toMatch(/^cs_test_/)
    expect(session.url).toBe(`${fake.url}/c/pay/${session.id}`)
    expect(session.line_items).toBeUndefined()
    expect(session.expires_at - session.created).toBe(24 * 60 * 60)
  })

  it('gives its line items to callers that expand or list them', async () => {
    const { id } = await stripe.checkout.sessions.create(PACK)
    const session = await stripe.checkout.sessions.retrieve(id, {
      expand: ['line_items', 'line_items.data.price.product'],
    })
    const line = session.line_items?.data[0]
    expect(line).toMatchObject({ description: '100 <credits>', quantity: 1, amount_total: 999 })
    expect(line?.price?.product).toMatchObject({ object: 'product', name: '100 <credits>' })
    const lines = await stripe.checkout.sessions.listLineItems(id)
    expect(lines.data.map((entry) => entry.id)).toEqual([line?.id])
  })

  it('becomes complete and paid, with the events of a paid card in order', async () => {
    const { id } = await stripe.checkout.sessions.create({
      ...PACK,
      metadata: { on: 'session' },
      payment_intent_data: { metadata: { on: 'intent' } },
    })
    const session = await fake.complete(id)
    expect(session).toMatchObject({ status: 'complete', payment_status: 'paid', url: null })
    expect(session.customer_details?.email).toBe('buyer@example.com')
    expect(eventTypes()).toEqual([
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'checkout.session.completed',
      'charge.updated',
    ])
    const found = await stripe.checkout.sessions.list({ payment_intent: idOf(session.payment_intent), limit: 1 })
    expect(found.data.map((entry) => entry.id)).toEqual([id])
    const expanded = await stripe.checkout.sessions.retrieve(id, {
      expand: ['payment_intent.latest_charge.balance_transaction'],
    })
    const intent = expanded.payment_intent as Stripe.PaymentIntent
    const charge = intent.latest_charge as Stripe.Charge
    expect(intent).toMatchObject({ status: 'succeeded', amount_received: 999, metadata: { on: 'intent' } })
    expect(charge).toMatchObject({ status: 'succeeded', amount_captured: 999, metadata: { on: 'intent' } })
    expect(charge.refunds).toBeUndefined()
    expect(charge.balance_transaction).toMatchObject({ amount: 999, type: 'charge' })
  })

  it('copies metadata from the payment intent to the charge once', async () => {
    const { id } = await stripe.checkout.sessions.create({ ...PACK, payment_intent_data: { metadata: { a: '1' } } })
    const session = await fake.complete(id)
    const intentId = idOf(session.payment_intent)
    await stripe.paymentIntents.update(intentId, { metadata: { a: '2' } })
    const charges = await stripe.charges.list({ payment_intent: intentId })
    expect(charges.data[0]?.metadata).toEqual({ a: '1' })
  })

  it('completes unpaid with a delayed method and settles later', async () => {
    const { id } = await stripe.checkout.sessions.create(PACK)
    await fake.complete(id, 'unpaid')
    const completed = fake.events.find((event) => event.type === 'checkout.session.completed')
    expect(completed?.data.object).toMatchObject({ status: 'complete', payment_status: 'unpaid' })
    await fake.settle(id, 'succeeded')
    expect(eventTypes()).toEqual([
      'payment_intent.created',
      'charge.pending',
      'payment_intent.processing',
      'checkout.session.completed',
      'charge.succeeded',
      'payment_intent.succeeded',
      'charge.updated',
      'checkout.session.async_payment_succeeded',
    ])
    expect((await stripe.checkout.sessions.retrieve(id)).payment_status).toBe('paid')
    // The earlier event still shows the session as it was then.
    expect(completed?.data.object).toMatchObject({ payment_status: 'unpaid' })
    await expect(fake.settle(id, 'failed')).rejects.toThrow('does not wait for a delayed payment')
  })

  it('stays unpaid when the delayed payment fails', async () => {
    const { id } = await stripe.checkout.sessions.create(PACK)
    await fake.complete(id, 'unpaid')
    const session = await fake.settle(id, 'failed')
    expect(session).toMatchObject({ status: 'complete', payment_status: 'unpaid' })
    expect(eventTypes().slice(-3)).toEqual([
      'charge.failed',
      'payment_intent.payment_failed',
      'checkout.session.async_payment_failed',
    ])
  })

  it('stays open after a decline, and the next attempt uses the same payment intent', async () => {
    const { id } = await stripe.checkout.sessions.create(PACK)
    const declined = await fake.complete(id, 'declined')
    expect(declined.status).toBe('open')
    expect(eventTypes()).toEqual(['payment_intent.created', 'charge.failed', 'payment_intent.payment_failed'])
    const paid = await fake.complete(id)
    expect(paid.payment_intent).toBe(declined.payment_intent)
    expect(paid.payment_status).toBe('paid')
  })

  it('needs no payment when a coupon takes everything', async () => {
    const coupon = await stripe.coupons.create({ percent_off: 100 })
    const { id } = await stripe.checkout.sessions.create({ ...PACK, discounts: [{ coupon: coupon.id }] })
    const session = await fake.complete(id)
    expect(session).toMatchObject({
      payment_status: 'no_payment_required',
      amount_subtotal: 999,
      amount_total: 0,
      payment_intent: null,
      discounts: [{ coupon: coupon.id, promotion_code: null }],
    })
    expect(eventTypes()).toEqual(['coupon.created', 'checkout.session.completed'])
  })

  it('adds up quantity, discount and tax over its lines', async () => {
    const coupon = await stripe.coupons.create({ amount_off: 100, currency: 'usd' })
    const line = (unit_amount: number, quantity: number): Stripe.Checkout.SessionCreateParams.LineItem => ({
      price_data: { currency: 'usd', unit_amount, product_data: { name: 'Pack' } },
      quantity,
    })
    const { id } = await stripe.checkout.sessions.create({
      ...PACK,
      line_items: [line(333, 3), line(1, 1)],
      discounts: [{ coupon: coupon.id }],
    })
    const session = await fake.complete(id, 'paid', { tax: 190, quantity: 4 })
    expect(session).toMatchObject({
      amount_subtotal: 1333,
      amount_total: 1423,
      total_details: { amount_discount: 100, amount_tax: 190 },
    })
    const { data } = await stripe.checkout.sessions.listLineItems(id)
    expect(data.reduce((sum, entry) => sum + entry.amount_total, 0)).toBe(1423)
    expect(data.reduce((sum, entry) => sum + entry.amount_discount, 0)).toBe(100)
  })

  it('can be tampered with, so that shops can be tested for it', async () => {
    const { id } = await stripe.checkout.sessions.create(PACK)
    await fake.complete(id, 'paid', { overrides: { amount_subtotal: 1, amount_total: 1, currency: 'eur' } })
    const session = await stripe.checkout.sessions.retrieve(id, { expand: ['payment_intent'] })
    expect(session).toMatchObject({
      amount_subtotal: 1,
      currency: 'eur',
      payment_intent: { amount: 1, currency: 'eur' },
    })
  })

  it('makes a customer when asked to, and keeps a given one', async () => {
    const always = await stripe.checkout.sessions.create({
      ...PACK,
      customer_creation: 'always',
      customer_email: 'a@b.c',
    })
    const made = await fake.complete(always.id)
    expect(await stripe.customers.retrieve(idOf(made.customer))).toMatchObject({ email: 'a@b.c' })
    expect(eventTypes()[0]).toBe('customer.created')
    const customer = await stripe.customers.create({ email: 'old@b.c' })
    const known = await stripe.checkout.sessions.create({ ...PACK, customer: customer.id })
    expect((await fake.complete(known.id)).customer).toBe(customer.id)
    await stripe.customers.del(customer.id)
    expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ deleted: true })
    await expect(stripe.checkout.sessions.create({ ...PACK, customer: customer.id })).rejects.toMatchObject({
      code: 'resource_missing',
      param: 'customer',
    })
  })

  it('expires when asked, once, and only while open', async () => {
    const { id } = await stripe.checkout.sessions.create(PACK)
    expect(await stripe.checkout.sessions.expire(id)).toMatchObject({ status: 'expired', url: null })
    expect(eventTypes()).toEqual(['checkout.session.expired'])
    await expect(stripe.checkout.sessions.expire(id)).rejects.toThrow(
      'Only Checkout Sessions with a status in ["open"]',
    )
    await expect(fake.complete(id)).rejects.toThrow('is expired, not open')
  })

  it('expires by the clock', async () => {
    const clock = testClock(new Date('2026-01-01T00:00:00Z'))
    const timed = await fakeStripe({ clock, delivery: 'hold' })
    const { id } = await timed.stripe.checkout.sessions.create({
      ...PACK,
      expires_at: clock.now().getTime() / 1000 + 1800,
    })
    clock.advance(1_799_000)
    expect((await timed.stripe.checkout.sessions.retrieve(id)).status).toBe('open')
    clock.advance(1_000)
    expect((await timed.stripe.checkout.sessions.retrieve(id)).status).toBe('expired')
    const event = timed.held.at(-1)
    expect(event).toMatchObject({ type: 'checkout.session.expired', created: clock.now().getTime() / 1000 })
    await timed.close()
  })

  it('lives in the mode of the key', async () => {
    const live = await fakeStripe({ secretKey: 'sk_live_x' })
    const session = await live.stripe.checkout.sessions.create(PACK)
    expect(session.livemode).toBe(true)
    expect(session.id).toMatch(/^cs_live_/)
    expect(live.events.every((event) => event.livemode)).toBe(true)
    await live.close()
  })
})

describe("the buyer's page", () => {
  const press = (url: string | null, form: Record<string, string>): Promise<Response> =>
    fetch(String(url), { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })

  it('shows what is bought, escaped, and the amount', async () => {
    const session = await stripe.checkout.sessions.create(PACK)
    const response = await fetch(String(session.url))
    const html = await response.text()
    expect(response.headers.get('content-type')).toContain('text/html')
    expect(html).toContain('100 &lt;credits&gt;')
    expect(html).not.toContain('<credits>')
    expect(html).toContain('Pay $9.99')
  })

  it('redirects to the shop with the session id after paying, once the webhooks were told', async () => {
    const told: string[] = []
    fake.delivery = 'auto'
    fake.registerEndpoint(async (request) => {
      const event = (await request.json()) as Stripe.Event
      told.push(event.type)
      return new Response('ok')
    })
    const session = await stripe.checkout.sessions.create(PACK)
    const response = await press(session.url, { action: 'pay', email: 'eve@example.com' })
    expect(response.status).toBe(303)
    expect(response.headers.get('location')).toBe(`https://shop.test/done?session=${session.id}`)
    expect(told).toContain('checkout.session.completed')
    const paid = await stripe.checkout.sessions.retrieve(session.id)
    expect(paid).toMatchObject({ payment_status: 'paid', customer_details: { email: 'eve@example.com' } })
    expect(await (await fetch(String(session.url))).text()).toContain('This order is complete')
  })

  it('goes back to the cart on cancel and leaves the session open', async () => {
    const session = await stripe.checkout.sessions.create(PACK)
    const response = await press(session.url, { action: 'cancel' })
    expect(response.headers.get('location')).toBe('https://shop.test/cart')
    expect((await stripe.checkout.sessions.retrieve(session.id)).status).toBe('open')
  })

  it('says that the card was declined and lets the buyer try again', async () => {
    const session = await stripe.checkout.sessions.create(PACK)
    const response = await press(session.url, { action: 'decline' })
    const page = await fetch(new URL(String(response.headers.get('location')), fake.url))
    expect(await page.text()).toContain('Your card was declined')
    expect((await press(session.url, { action: 'pay' })).status).toBe(303)
    expect((await stripe.checkout.sessions.retrieve(session.id)).payment_status).toBe('paid')
  })

  it('completes unpaid with a bank debit', async () => {
    const session = await stripe.checkout.sessions.create(PACK)
    expect((await press(session.url, { action: 'pay_later' })).status).toBe(303)
    expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({
      status: 'complete',
      payment_status: 'unpaid',
    })
  })

  it('takes promotion codes where the shop allows them', async () => {
    const coupon = await stripe.coupons.create({ percent_off: 20 })
    await stripe.promotionCodes.create({ promotion: { type: 'coupon', coupon: coupon.id }, code: 'SAVE20' })
    const session = await stripe.checkout.sessions.create({ ...PACK, allow_promotion_codes: true })
    const wrong = await press(session.url, { action: 'apply_code', promotion_code: 'nope' })
    expect(wrong.headers.get('location')).toContain('notice=code')
    await press(session.url, { action: 'apply_code', promotion_code: 'save20' })
    expect(await (await fetch(String(session.url))).text()).toContain('Pay $7.99')
    await press(session.url, { action: 'pay' })
    expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({
      amount_subtotal: 999,
      amount_total: 799,
    })
  })

  it('answers 404 for a session there is not', async () => {
    expect((await fetch(`${fake.url}/c/pay/cs_test_none`)).status).toBe(404)
  })
})
