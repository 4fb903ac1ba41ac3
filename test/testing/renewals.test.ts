import { fakeStripe, testClock, type FakeStripe } from 'creditkit/testing'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, HOUR, newCustomer, subscribe, typesSince } from './billing-support.js'

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

describe('a renewal', () => {
  it('is a draft for an hour, then final and paid', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    const seen = typesSince(fake)
    await pass(28 * DAY)
    const [draft] = await invoicesOf(subscription.id)
    expect(draft).toMatchObject({ status: 'draft', billing_reason: 'subscription_cycle', total: 2_000 })
    expect(seen()).toEqual(['invoice.created', 'customer.subscription.updated'])
    await stripe.subscriptions.update(subscription.id, { metadata: { user: 'u2' } })
    await pass(HOUR)
    const paid = await stripe.invoices.retrieve(String(draft?.id))
    expect(paid).toMatchObject({
      status: 'paid',
      status_transitions: { paid_at: at('2026-02-28T13:00:00Z') },
      parent: { subscription_details: { metadata: { user: 'u2' } } },
    })
    expect(seen().slice(3)).toEqual([
      'invoice.finalized',
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'invoice_payment.paid',
      'invoice.updated',
      'invoice.paid',
      'invoice.payment_succeeded',
      'charge.updated',
    ])
  })

  it('keeps to the day it began on, and to the last day where a month has no such day', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    await pass(100 * DAY)
    const periods = (await invoicesOf(subscription.id)).map((invoice) => invoice.lines.data[0]?.period)
    expect(periods.reverse()).toEqual([
      { start: at('2026-01-31T12:00:00Z'), end: at('2026-02-28T12:00:00Z') },
      { start: at('2026-02-28T12:00:00Z'), end: at('2026-03-31T12:00:00Z') },
      { start: at('2026-03-31T12:00:00Z'), end: at('2026-04-30T12:00:00Z') },
      { start: at('2026-04-30T12:00:00Z'), end: at('2026-05-31T12:00:00Z') },
    ])
  })

  it('that fails is tried again after 3, 5 and 7 days, and then the subscription ends', async () => {
    const { customer, method } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    fake.failPayments(method, 'pm_card_chargeDeclinedInsufficientFunds')
    const seen = typesSince(fake)
    await pass(28 * DAY + HOUR)
    const [invoice] = await invoicesOf(subscription.id)
    const due = at('2026-02-28T13:00:00Z')
    expect(invoice).toMatchObject({ status: 'open', attempt_count: 1, next_payment_attempt: due + 3 * 86_400 })
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'past_due' })
    await pass(3 * DAY)
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({
      attempt_count: 2,
      next_payment_attempt: due + 8 * 86_400,
    })
    await pass(12 * DAY)
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({ attempt_count: 4, next_payment_attempt: null })
    expect(seen().filter((type) => type === 'invoice.payment_failed')).toHaveLength(4)
    expect(seen().at(-1)).toBe('customer.subscription.deleted')
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
      status: 'canceled',
      cancellation_details: { reason: 'payment_failed' },
    })
  })

  it('that fails and then succeeds is the same invoice, and the subscription is active again', async () => {
    const { customer, method } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    fake.failPayments(method)
    await pass(28 * DAY + HOUR)
    const [failed] = await invoicesOf(subscription.id)
    fake.failPayments(method, false)
    await pass(3 * DAY)
    const [paid] = await invoicesOf(subscription.id)
    expect(paid).toMatchObject({ id: failed?.id, status: 'paid', attempt_count: 2 })
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
  })

  it('that needs the buyer asks for them and goes on when they come', async () => {
    const { customer } = await newCustomer(stripe, 'pm_card_authenticationRequired')
    const subscription = await subscribe(stripe, customer, { amount: 2_000, trial_period_days: 1 })
    const seen = typesSince(fake)
    await pass(DAY + HOUR)
    expect(seen().slice(-4)).toEqual([
      'customer.subscription.updated',
      'invoice.payment_action_required',
      'invoice.payment_failed',
      'invoice.updated',
    ])
    const [invoice] = await invoicesOf(subscription.id)
    await expect(stripe.invoices.pay(String(invoice?.id))).rejects.toMatchObject({
      statusCode: 402,
      code: 'invoice_payment_intent_requires_action',
    })
    await fake.payInvoice(String(invoice?.id))
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
  })

  it('leaves an unpaid subscription’s invoices as drafts, where the account is set up so', async () => {
    await fake.close()
    fake = await fakeStripe({ clock, delivery: 'drop', afterRetries: 'mark_unpaid', retryDays: [1] })
    stripe = fake.stripe
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    fake.failPayments(customer)
    await pass(28 * DAY + HOUR + DAY)
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'unpaid' })
    await pass(31 * DAY)
    expect((await invoicesOf(subscription.id)).map(({ status }) => status)).toEqual(['draft', 'open', 'paid'])
  })

  it.each([
    ['keep_as_draft', 'draft', undefined],
    ['void', 'void', 'invoice.voided'],
    ['mark_uncollectible', 'uncollectible', 'invoice.marked_uncollectible'],
  ] as const)('is not collected while collection is paused (%s)', async (behavior, status, event) => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    const resumes = at('2026-03-15T00:00:00Z')
    await stripe.subscriptions.update(subscription.id, { pause_collection: { behavior, resumes_at: resumes } })
    const seen = typesSince(fake)
    await pass(28 * DAY + HOUR)
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({ status, amount_paid: 0 })
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
    if (event !== undefined) expect(seen()).toContain(event)
    expect(seen()).not.toContain('invoice.paid')
    await pass(32 * DAY)
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ pause_collection: null })
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({ status: 'paid' })
  })

  it('can be made to happen without touching the clock', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    const invoice = await fake.renew(subscription.id)
    expect(invoice).toMatchObject({ status: 'paid', billing_reason: 'subscription_cycle' })
    const next = await fake.renew(subscription.id)
    expect(next.lines.data[0]?.period).toEqual({ start: at('2026-03-31T12:00:00Z'), end: at('2026-04-30T12:00:00Z') })
    await pass(35 * DAY)
    expect(await invoicesOf(subscription.id)).toHaveLength(3)
  })

  it('after a trial is the first charge that a coupon for one charge lowers', async () => {
    const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'once' })
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, {
      amount: 2_000,
      trial_period_days: 7,
      discounts: [{ coupon: coupon.id }],
    })
    expect((await fake.renew(subscription.id)).amount_paid).toBe(1_000)
    expect((await fake.renew(subscription.id)).amount_paid).toBe(2_000)
  })
})
