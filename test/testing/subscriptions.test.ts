import { fakeStripe, testClock, type FakeStripe } from 'creditkit/testing'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, HOUR, idOf, newCustomer, newPrice, subscribe, typesSince } from './billing-support.js'

const clock = testClock(new Date('2026-01-31T12:00:00Z'))
let fake: FakeStripe
let stripe: Stripe

beforeEach(async () => {
  clock.advance(new Date('2026-01-31T12:00:00Z').getTime() - clock.now().getTime())
  fake = await fakeStripe({ clock, delivery: 'hold', stripeConfig: { maxNetworkRetries: 0 } })
  stripe = fake.stripe
})
afterEach(() => fake.close())

/** Move the clock and let happen what becomes due. */
const pass = async (ms: number): Promise<void> => {
  clock.advance(ms)
  await fake.tick()
}
const at = (iso: string): number => new Date(iso).getTime() / 1000
const invoicesOf = async (subscription: string): Promise<Stripe.Invoice[]> =>
  (await stripe.invoices.list({ subscription, limit: 100 })).data

describe('a new subscription', () => {
  it('is active once its first invoice is paid, with the events in Stripe’s order', async () => {
    const { customer } = await newCustomer(stripe)
    const price = await newPrice(stripe, 2_000)
    const seen = typesSince(fake)
    const subscription = await stripe.subscriptions.create({
      customer,
      items: [{ price, quantity: 3 }],
      metadata: { user: 'u1' },
      expand: ['latest_invoice.payments', 'latest_invoice.confirmation_secret'],
    })
    expect(subscription).toMatchObject({ status: 'active', cancel_at_period_end: false, metadata: { user: 'u1' } })
    expect(subscription.items.data[0]).toMatchObject({
      quantity: 3,
      current_period_start: at('2026-01-31T12:00:00Z'),
      current_period_end: at('2026-02-28T12:00:00Z'),
      price: { id: price, recurring: { interval: 'month' } },
    })
    const invoice = subscription.latest_invoice as Stripe.Invoice
    expect(invoice).toMatchObject({
      status: 'paid',
      billing_reason: 'subscription_create',
      amount_paid: 6_000,
      parent: {
        type: 'subscription_details',
        subscription_details: { subscription: subscription.id, metadata: { user: 'u1' } },
      },
      confirmation_secret: { type: 'payment_intent' },
    })
    expect(invoice).not.toHaveProperty('payment_intent')
    expect(invoice.lines.data[0]).toMatchObject({
      amount: 6_000,
      quantity: 3,
      pricing: { price_details: { price } },
      parent: {
        subscription_item_details: {
          proration: false,
          subscription: subscription.id,
          subscription_item: subscription.items.data[0]?.id,
        },
      },
      period: { start: at('2026-01-31T12:00:00Z'), end: at('2026-02-28T12:00:00Z') },
    })
    expect(seen()).toEqual([
      'invoice.created',
      'invoice.finalized',
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'invoice_payment.paid',
      'customer.subscription.created',
      'invoice.updated',
      'invoice.paid',
      'invoice.payment_succeeded',
      'charge.updated',
    ])
  })

  it('leads from its payment to its invoice and back', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    const invoice = idOf(subscription.latest_invoice)
    const { data: payments } = await stripe.invoicePayments.list({ invoice })
    const intent = idOf(payments[0]?.payment.payment_intent)
    expect(payments).toMatchObject([{ status: 'paid', amount_paid: 2_000, invoice, is_default: true }])
    const found = await stripe.invoicePayments.list({ payment: { type: 'payment_intent', payment_intent: intent } })
    expect(found.data.map((entry) => entry.invoice)).toEqual([invoice])
    const expanded = await stripe.invoicePayments.list({ invoice, expand: ['data.payment.payment_intent'] })
    expect(expanded.data[0]?.payment.payment_intent).toMatchObject({ id: intent, amount: 2_000, status: 'succeeded' })
  })

  it('is refused without anything to collect from', async () => {
    const price = await newPrice(stripe, 2_000)
    const { id: customer } = await stripe.customers.create({})
    await expect(stripe.subscriptions.create({ customer, items: [{ price }] })).rejects.toMatchObject({
      statusCode: 400,
      code: 'resource_missing',
    })
    expect((await stripe.subscriptions.list({ status: 'all' })).data).toEqual([])
    expect((await stripe.invoices.list()).data).toEqual([])
  })

  it('stays incomplete while the payment fails, and expires after 23 hours', async () => {
    const { customer } = await newCustomer(stripe, 'pm_card_chargeCustomerFail')
    const seen = typesSince(fake)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    expect(subscription.status).toBe('incomplete')
    expect(seen().filter((type) => /^(customer|invoice)\./.test(type))).toEqual([
      'invoice.created',
      'invoice.finalized',
      'customer.subscription.created',
      'invoice.payment_failed',
      'invoice.updated',
    ])
    await pass(22 * HOUR)
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'incomplete' })
    await pass(HOUR)
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'incomplete_expired' })
    expect((await invoicesOf(subscription.id)).map((invoice) => invoice.status)).toEqual(['void'])
    expect(seen().slice(-4)).toEqual([
      'customer.subscription.updated',
      'payment_intent.canceled',
      'invoice.voided',
      'invoice.updated',
    ])
  })

  it('becomes active when the buyer pays the first invoice in time', async () => {
    const { customer } = await newCustomer(stripe, 'pm_card_authenticationRequired')
    const seen = typesSince(fake)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    expect(subscription.status).toBe('incomplete')
    expect(seen()).toContain('invoice.payment_action_required')
    const { data: payments } = await stripe.invoicePayments.list({ invoice: idOf(subscription.latest_invoice) })
    await fake.authenticate(idOf(payments[0]?.payment.payment_intent))
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
    expect(seen().slice(-7)).toEqual([
      'payment_intent.succeeded',
      'invoice_payment.paid',
      'customer.subscription.updated',
      'invoice.updated',
      'invoice.paid',
      'invoice.payment_succeeded',
      'charge.updated',
    ])
  })

  it('waits for the buyer with default_incomplete, and is not made at all with error_if_incomplete', async () => {
    const { customer } = await newCustomer(stripe)
    const waiting = await subscribe(stripe, customer, { amount: 500, payment_behavior: 'default_incomplete' })
    expect(waiting.status).toBe('incomplete')
    const { data } = await stripe.invoicePayments.list({ invoice: idOf(waiting.latest_invoice) })
    await stripe.paymentIntents.confirm(idOf(data[0]?.payment.payment_intent), {
      payment_method: 'pm_card_visa',
      return_url: 'https://shop.example/',
    })
    expect(await stripe.subscriptions.retrieve(waiting.id)).toMatchObject({ status: 'active' })
    const poor = await newCustomer(stripe, 'pm_card_chargeCustomerFail')
    await expect(
      subscribe(stripe, poor.customer, { amount: 500, payment_behavior: 'error_if_incomplete' }),
    ).rejects.toMatchObject({ statusCode: 402, code: 'card_declined' })
    expect((await stripe.subscriptions.list({ customer: poor.customer, status: 'all' })).data).toEqual([])
  })

  it('costs nothing in a trial, which is announced to end and then ends in an invoice', async () => {
    const { customer } = await newCustomer(stripe)
    const seen = typesSince(fake)
    const subscription = await subscribe(stripe, customer, { amount: 2_000, trial_period_days: 7 })
    expect(subscription).toMatchObject({ status: 'trialing', trial_end: at('2026-02-07T12:00:00Z') })
    const [first] = await invoicesOf(subscription.id)
    expect(first).toMatchObject({ status: 'paid', total: 0, billing_reason: 'subscription_create' })
    expect(seen().filter((type) => type.startsWith('payment_intent'))).toEqual([])
    expect(seen()).toContain('invoice.paid')
    await pass(4 * DAY)
    expect(seen().at(-1)).toBe('customer.subscription.trial_will_end')
    await pass(3 * DAY)
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({ status: 'draft', total: 2_000 })
    await pass(HOUR)
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({
      status: 'paid',
      billing_reason: 'subscription_cycle',
      amount_paid: 2_000,
    })
  })

  it.each([
    ['pause', 'paused', 'customer.subscription.paused'],
    ['cancel', 'canceled', 'customer.subscription.deleted'],
  ] as const)('can %s at the end of a trial without a payment method', async (behavior, status, event) => {
    const { id: customer } = await stripe.customers.create({})
    const subscription = await subscribe(stripe, customer, {
      amount: 2_000,
      trial_period_days: 7,
      trial_settings: { end_behavior: { missing_payment_method: behavior } },
    })
    await pass(8 * DAY)
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status })
    expect(fake.events.at(-1)?.type).toBe(event)
    expect(await invoicesOf(subscription.id)).toHaveLength(1)
  })
})

describe('the end of a subscription', () => {
  it('comes at the end of the period, without another invoice, when so asked', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    const ending = await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true })
    expect(ending).toMatchObject({ status: 'active', cancel_at: at('2026-02-28T12:00:00Z') })
    await pass(40 * DAY)
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
      status: 'canceled',
      ended_at: at('2026-02-28T12:00:00Z'),
    })
    expect(await invoicesOf(subscription.id)).toHaveLength(1)
    expect(fake.events.at(-1)?.type).toBe('customer.subscription.deleted')
  })

  it('comes at once when canceled or when its customer is deleted', async () => {
    const { customer } = await newCustomer(stripe)
    const [first, second] = [
      await subscribe(stripe, customer, { amount: 2_000 }),
      await subscribe(stripe, customer, { amount: 900 }),
    ]
    expect(await stripe.subscriptions.cancel(first.id)).toMatchObject({ status: 'canceled' })
    await expect(stripe.subscriptions.cancel(first.id)).rejects.toMatchObject({ code: 'resource_missing' })
    await expect(stripe.subscriptions.update(first.id, { description: 'x' })).rejects.toMatchObject({
      code: 'invalid_canceled_subscription_fields',
    })
    const seen = typesSince(fake)
    await stripe.customers.del(customer)
    expect(seen()).toEqual(['customer.subscription.deleted', 'payment_method.detached', 'customer.deleted'])
    expect(await stripe.subscriptions.retrieve(second.id)).toMatchObject({ status: 'canceled' })
    expect(await stripe.customers.retrieve(customer)).toMatchObject({ deleted: true })
    await expect(subscribe(stripe, customer, { amount: 500 })).rejects.toMatchObject({ code: 'resource_missing' })
    await pass(90 * DAY)
    expect(await invoicesOf(second.id)).toHaveLength(1)
    const statuses = async (status: Stripe.SubscriptionListParams.Status): Promise<number> =>
      (await stripe.subscriptions.list({ status })).data.length
    expect([await statuses('all'), await statuses('canceled'), await statuses('active')]).toEqual([2, 2, 0])
  })

  it('is put off by pausing, until it is resumed and paid', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    expect(await stripe.subscriptions.pause(subscription.id, { type: 'subscription' })).toMatchObject({
      status: 'paused',
    })
    expect(fake.events.at(-1)?.type).toBe('customer.subscription.paused')
    await pass(60 * DAY)
    expect(await invoicesOf(subscription.id)).toHaveLength(1)
    const resumed = await stripe.subscriptions.resume(subscription.id)
    expect(resumed).toMatchObject({ status: 'active', billing_cycle_anchor: clock.now().getTime() / 1000 })
    expect(fake.events.map((event) => event.type)).toContain('customer.subscription.resumed')
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({ status: 'paid', amount_paid: 2_000 })
  })
})
