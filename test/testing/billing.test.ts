import { fakeStripe, testClock, type FakeStripe } from 'creditkit/testing'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, HOUR, idOf, newCustomer, newPrice, subscribe, typesSince } from './billing-support.js'

const START = new Date('2026-04-01T00:00:00Z')
const clock = testClock(START)
let fake: FakeStripe
let stripe: Stripe

beforeEach(async () => {
  clock.advance(START.getTime() - clock.now().getTime())
  fake = await fakeStripe({ clock, delivery: 'hold', stripeConfig: { maxNetworkRetries: 0 } })
  stripe = fake.stripe
})
afterEach(() => fake.close())

const pass = async (ms: number): Promise<void> => {
  clock.advance(ms)
  await fake.tick()
}
const at = (iso: string): number => new Date(iso).getTime() / 1000
const invoicesOf = async (subscription: string): Promise<Stripe.Invoice[]> =>
  (await stripe.invoices.list({ subscription })).data
const itemOf = (subscription: Stripe.Subscription): string => subscription.items.data[0]?.id ?? ''
const amountsOf = (invoice: Stripe.Invoice | undefined): number[] =>
  invoice?.lines.data.map(({ amount }) => amount) ?? []

describe('a change in the middle of a period', () => {
  it('puts the difference on the next invoice', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 3_000 })
    await pass(15 * DAY)
    const seen = typesSince(fake)
    await stripe.subscriptions.update(subscription.id, { items: [{ id: itemOf(subscription), quantity: 3 }] })
    expect(seen()).toEqual(['invoiceitem.created', 'invoiceitem.created', 'customer.subscription.updated'])
    const pending = await stripe.invoiceItems.list({ customer, pending: true })
    expect(pending.data.map(({ amount, proration }) => [amount, proration])).toEqual([
      [4_500, true],
      [-1_500, true],
    ])
    await pass(15 * DAY + HOUR)
    const [invoice] = await invoicesOf(subscription.id)
    expect(invoice).toMatchObject({ billing_reason: 'subscription_cycle', total: 12_000, status: 'paid' })
    expect(amountsOf(invoice)).toEqual([-1_500, 4_500, 9_000])
    expect(invoice?.lines.data[0]).toMatchObject({
      description: 'Unused time on Plan 3000 after 16 Apr 2026',
      quantity: 1,
      period: { start: at('2026-04-16T00:00:00Z'), end: at('2026-05-01T00:00:00Z') },
      parent: {
        type: 'subscription_item_details',
        subscription_item_details: {
          proration: true,
          subscription: subscription.id,
          subscription_item: itemOf(subscription),
        },
      },
    })
    expect(invoice?.lines.data[2]?.parent?.subscription_item_details?.proration).toBe(false)
    expect((await stripe.invoiceItems.list({ customer, pending: true })).data).toEqual([])
  })

  it('is billed at once with always_invoice', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 3_000 })
    const pro = await newPrice(stripe, 9_000)
    await pass(10 * DAY)
    const updated = await stripe.subscriptions.update(subscription.id, {
      items: [{ id: itemOf(subscription), price: pro }],
      proration_behavior: 'always_invoice',
      expand: ['latest_invoice'],
    })
    expect(updated.latest_invoice).toMatchObject({
      billing_reason: 'subscription_update',
      status: 'paid',
      amount_paid: 4_000,
    })
    expect(amountsOf((await invoicesOf(subscription.id))[0])).toEqual([-2_000, 6_000])
    expect(updated.items.data[0]).toMatchObject({
      id: itemOf(subscription),
      price: { id: pro },
      current_period_end: at('2026-05-01T00:00:00Z'),
    })
  })

  it('costs and credits nothing with none', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 3_000 })
    await pass(10 * DAY)
    const item = { id: itemOf(subscription), quantity: 5 }
    await stripe.subscriptions.update(subscription.id, { items: [item], proration_behavior: 'none' })
    expect((await stripe.invoiceItems.list({ customer })).data).toEqual([])
    await pass(20 * DAY + HOUR)
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({ amount_paid: 15_000 })
  })

  it('to something cheaper becomes credit, which pays the following invoices', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 9_000 })
    const small = await newPrice(stripe, 900)
    await pass(10 * DAY)
    await stripe.subscriptions.update(subscription.id, {
      items: [{ id: itemOf(subscription), price: small }],
      proration_behavior: 'always_invoice',
    })
    const [credit] = await invoicesOf(subscription.id)
    expect(credit).toMatchObject({ status: 'paid', total: -5_400, amount_due: 0, ending_balance: -5_400 })
    expect((await stripe.invoicePayments.list({ invoice: String(credit?.id) })).data).toEqual([])
    expect(await stripe.customers.retrieve(customer)).toMatchObject({ balance: -5_400 })
    const seen = typesSince(fake)
    await pass(20 * DAY + HOUR)
    const [next] = await invoicesOf(subscription.id)
    expect(next).toMatchObject({ status: 'paid', total: 900, starting_balance: -5_400, ending_balance: -4_500 })
    expect(seen().filter((type) => type.startsWith('payment_intent'))).toEqual([])
    expect(seen()).toContain('invoice.paid')
  })

  it('of the interval begins a new period and is billed at once', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 3_000 })
    const yearly = await newPrice(stripe, 30_000, { interval: 'year' })
    await pass(15 * DAY)
    const updated = await stripe.subscriptions.update(subscription.id, {
      items: [{ id: itemOf(subscription), price: yearly }],
    })
    const start = at('2026-04-16T00:00:00Z')
    expect(updated).toMatchObject({ billing_cycle_anchor: start })
    expect(updated.items.data[0]).toMatchObject({
      current_period_start: start,
      current_period_end: at('2027-04-16T00:00:00Z'),
    })
    const [invoice] = await invoicesOf(subscription.id)
    expect(invoice).toMatchObject({ status: 'paid', amount_paid: 28_500 })
    expect(amountsOf(invoice)).toEqual([-1_500, 30_000])
  })

  it('can begin a new period by itself, and end a trial', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 3_000 })
    await pass(15 * DAY)
    await stripe.subscriptions.update(subscription.id, { billing_cycle_anchor: { type: 'now' } })
    expect(amountsOf((await invoicesOf(subscription.id))[0])).toEqual([-1_500, 3_000])
    const trial = await subscribe(stripe, customer, { amount: 500, trial_period_days: 30 })
    expect(await stripe.subscriptions.update(trial.id, { trial_end: 'now' })).toMatchObject({ status: 'active' })
    expect((await invoicesOf(trial.id)).map(({ amount_paid: paid }) => paid)).toEqual([500, 0])
  })

  it('that cannot be paid leaves the subscription past due, or is refused where asked', async () => {
    const { customer, method } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 3_000 })
    await pass(10 * DAY)
    fake.failPayments(method)
    const item = { id: itemOf(subscription), quantity: 2 }
    const update: Stripe.SubscriptionUpdateParams = { items: [item], proration_behavior: 'always_invoice' }
    await expect(
      stripe.subscriptions.update(subscription.id, { ...update, payment_behavior: 'error_if_incomplete' }),
    ).rejects.toMatchObject({ statusCode: 402 })
    expect((await stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.quantity).toBe(1)
    expect(await stripe.subscriptions.update(subscription.id, update)).toMatchObject({ status: 'past_due' })
    const [open] = await invoicesOf(subscription.id)
    fake.failPayments(method, false)
    expect(await stripe.invoices.pay(String(open?.id))).toMatchObject({ status: 'paid' })
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
  })

  it('adds and removes items, each prorated', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 3_000 })
    const seats = await newPrice(stripe, 1_000)
    await pass(15 * DAY)
    const item = await stripe.subscriptionItems.create({ subscription: subscription.id, price: seats, quantity: 4 })
    expect((await stripe.subscriptionItems.list({ subscription: subscription.id })).data).toHaveLength(2)
    await stripe.subscriptionItems.update(item.id, { quantity: 2 })
    await stripe.subscriptionItems.del(item.id, { proration_behavior: 'create_prorations' })
    const amounts = (await stripe.invoiceItems.list({ customer })).data.map(({ amount }) => amount)
    expect(amounts.reverse()).toEqual([2_000, -2_000, 1_000, -1_000])
    await expect(stripe.subscriptionItems.del(itemOf(subscription))).rejects.toThrow('at least one')
  })
})

describe('coupons', () => {
  it.each([
    ['once', undefined, [1_500, 2_000, 2_000, 2_000]],
    ['repeating', 2, [1_500, 1_500, 2_000, 2_000]],
    ['forever', undefined, [1_500, 1_500, 1_500, 1_500]],
  ] as const)('lower the price %s', async (duration, months, paid) => {
    const coupon = await stripe.coupons.create({
      percent_off: 25,
      duration,
      ...(months !== undefined && { duration_in_months: months }),
    })
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000, discounts: [{ coupon: coupon.id }] })
    await pass(95 * DAY)
    const invoices = (await invoicesOf(subscription.id)).reverse()
    expect(invoices.map(({ amount_paid: amount }) => amount)).toEqual(paid)
    expect(invoices[0]).toMatchObject({ subtotal: 2_000, total_discount_amounts: [{ amount: 500 }] })
    const full = await stripe.invoices.retrieve(String(invoices[0]?.id), { expand: ['discounts.source.coupon'] })
    expect(full.discounts[0]).toMatchObject({ object: 'discount', source: { coupon: { id: coupon.id } } })
    expect(full.lines.data[0]).toMatchObject({ amount: 2_000, discount_amounts: [{ amount: 500 }] })
    expect(await stripe.coupons.retrieve(coupon.id)).toMatchObject({ times_redeemed: 1 })
  })

  it('of 100 % make an invoice of nothing, which is paid without a payment', async () => {
    const coupon = await stripe.coupons.create({ percent_off: 100, duration: 'once' })
    const { id: customer } = await stripe.customers.create({})
    const { method } = await newCustomer(stripe)
    expect(method).toMatch(/^pm_/)
    const price = await newPrice(stripe, 0)
    const free = await stripe.subscriptions.create({ customer, items: [{ price }], discounts: [{ coupon: coupon.id }] })
    expect(free.status).toBe('active')
    expect((await invoicesOf(free.id))[0]).toMatchObject({ status: 'paid', total: 0, amount_paid: 0 })
    expect((await stripe.paymentIntents.list({ customer })).data).toEqual([])
  })

  it('take an amount off all lines together', async () => {
    const coupon = await stripe.coupons.create({ amount_off: 1_000, currency: 'usd', duration: 'once' })
    const { customer } = await newCustomer(stripe)
    const [a, b] = [await newPrice(stripe, 1_000), await newPrice(stripe, 2_000)]
    const items = [{ price: a }, { price: b }]
    const subscription = await stripe.subscriptions.create({ customer, items, discounts: [{ coupon: coupon.id }] })
    const [invoice] = await invoicesOf(subscription.id)
    expect(invoice).toMatchObject({ subtotal: 3_000, total: 2_000 })
    expect(invoice?.lines.data.map((line) => line.discount_amounts?.[0]?.amount)).toEqual([333, 667])
  })
})

describe('an invoice', () => {
  it('can be made by hand, filled, finalised and paid', async () => {
    const { customer } = await newCustomer(stripe)
    await stripe.invoiceItems.create({ customer, amount: 700, currency: 'usd', description: 'Pending' })
    const draft = await stripe.invoices.create({ customer, pending_invoice_items_behavior: 'include' })
    await stripe.invoiceItems.create({ customer, amount: 300, currency: 'usd', invoice: draft.id })
    expect(await stripe.invoices.retrieve(draft.id)).toMatchObject({ status: 'draft', total: 1_000, parent: null })
    const open = await stripe.invoices.finalizeInvoice(draft.id)
    expect(open).toMatchObject({ status: 'open', billing_reason: 'manual', amount_remaining: 1_000 })
    await expect(stripe.invoices.finalizeInvoice(draft.id)).rejects.toMatchObject({ statusCode: 400 })
    const page = await fetch(open.hosted_invoice_url ?? '')
    expect(await page.text()).toContain('Pay $10.00')
    expect(await stripe.invoices.pay(draft.id)).toMatchObject({ status: 'paid', amount_paid: 1_000 })
    await expect(stripe.invoices.pay(draft.id)).rejects.toMatchObject({ code: 'invoice_already_paid' })
    await expect(stripe.invoices.voidInvoice(draft.id)).rejects.toMatchObject({ statusCode: 400 })
  })

  it('paid outside of Stripe has no payment and no payment_succeeded', async () => {
    const { customer } = await newCustomer(stripe, 'pm_card_chargeCustomerFail')
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    const invoice = idOf(subscription.latest_invoice)
    const seen = typesSince(fake)
    expect(await stripe.invoices.pay(invoice, { paid_out_of_band: true })).toMatchObject({
      status: 'paid',
      amount_paid_off_stripe: 2_000,
    })
    expect(seen()).toContain('invoice.paid')
    expect(seen()).not.toContain('invoice.payment_succeeded')
    expect((await stripe.invoicePayments.list({ invoice, status: 'paid' })).data).toEqual([])
    expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
  })

  it('whose payment fails says so to who paid, and stays open', async () => {
    const { customer } = await newCustomer(stripe)
    const { id } = await stripe.invoices.create({ customer })
    await stripe.invoiceItems.create({ customer, amount: 700, currency: 'usd', invoice: id })
    fake.failPayments(customer, 'pm_card_chargeDeclinedInsufficientFunds')
    await expect(stripe.invoices.pay(id)).rejects.toMatchObject({
      type: 'StripeCardError',
      decline_code: 'insufficient_funds',
    })
    expect(await stripe.invoices.retrieve(id)).toMatchObject({ status: 'open', attempt_count: 1 })
    await stripe.invoices.markUncollectible(id)
    fake.failPayments(customer, false)
    expect(await fake.payInvoice(id)).toMatchObject({ status: 'paid' })
  })

  it('of less than can be charged waits on the customer’s balance', async () => {
    const { customer } = await newCustomer(stripe)
    await stripe.invoiceItems.create({ customer, amount: 20, currency: 'usd' })
    const { id } = await stripe.invoices.create({ customer, pending_invoice_items_behavior: 'include' })
    expect(await stripe.invoices.finalizeInvoice(id)).toMatchObject({ status: 'paid', amount_due: 0, total: 20 })
    expect(await stripe.customers.retrieve(customer)).toMatchObject({ balance: 20 })
  })

  it('shows ten lines and lists them all', async () => {
    const { customer } = await newCustomer(stripe)
    for (let index = 0; index < 12; index += 1) {
      await stripe.invoiceItems.create({ customer, amount: 100 + index, currency: 'usd' })
    }
    const invoice = await stripe.invoices.create({ customer, pending_invoice_items_behavior: 'include' })
    expect(invoice.total).toBe(1_266)
    expect(invoice.lines).toMatchObject({ has_more: true, url: `/v1/invoices/${invoice.id}/lines` })
    expect(invoice.lines.data).toHaveLength(10)
    const all = await stripe.invoices.listLineItems(invoice.id, { limit: 5 }).autoPagingToArray({ limit: 100 })
    expect(all.map(({ amount }) => amount)).toEqual(Array.from({ length: 12 }, (_, index) => 100 + index))
  })

  it('to come can be looked at', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    const preview = await stripe.invoices.createPreview({ subscription: subscription.id })
    expect(preview).toMatchObject({ total: 2_000, status: 'draft' })
    expect(preview.lines.data[0]?.period.start).toBe(at('2026-05-01T00:00:00Z'))
    expect(await invoicesOf(subscription.id)).toHaveLength(1)
  })

  it('is found by customer, status and time', async () => {
    const { customer } = await newCustomer(stripe)
    await subscribe(stripe, customer, { amount: 2_000 })
    const ids = async (params: Stripe.InvoiceListParams): Promise<number> =>
      (await stripe.invoices.list(params)).data.length
    expect(await ids({ customer, status: 'paid' })).toBe(1)
    expect(await ids({ status: 'open' })).toBe(0)
    expect(await ids({ created: { gt: at('2026-04-01T00:00:00Z') } })).toBe(0)
    expect(await ids({ created: { gte: at('2026-04-01T00:00:00Z') } })).toBe(1)
  })
})

describe('the end of a subscription', () => {
  it('can give credit for the rest of the period', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 3_000 })
    await pass(15 * DAY)
    const canceled = await stripe.subscriptions.cancel(subscription.id, { prorate: true, invoice_now: true })
    expect(canceled.status).toBe('canceled')
    expect((await invoicesOf(subscription.id))[0]).toMatchObject({ status: 'paid', total: -1_500 })
    expect(await stripe.customers.retrieve(customer)).toMatchObject({ balance: -1_500 })
  })
})

describe('a test clock', () => {
  it('moves only its own customers', async () => {
    const own = await stripe.testHelpers.testClocks.create({ frozen_time: at('2026-01-31T00:00:00Z') })
    const clocked = await newCustomer(stripe, 'pm_card_visa', { test_clock: own.id })
    const other = await newCustomer(stripe)
    const first = await subscribe(stripe, clocked.customer, { amount: 2_000 })
    const second = await subscribe(stripe, other.customer, { amount: 2_000 })
    expect(first).toMatchObject({ created: at('2026-01-31T00:00:00Z'), test_clock: own.id })
    const target = at('2026-03-31T02:00:00Z')
    expect(await stripe.testHelpers.testClocks.advance(own.id, { frozen_time: target })).toMatchObject({
      status: 'advancing',
    })
    expect(await stripe.testHelpers.testClocks.retrieve(own.id)).toMatchObject({ status: 'ready', frozen_time: target })
    expect((await invoicesOf(first.id)).map(({ status, created }) => [status, created])).toEqual([
      ['paid', at('2026-03-31T00:00:00Z')],
      ['paid', at('2026-02-28T00:00:00Z')],
      ['paid', at('2026-01-31T00:00:00Z')],
    ])
    expect(await invoicesOf(second.id)).toHaveLength(1)
    await expect(stripe.testHelpers.testClocks.advance(own.id, { frozen_time: target - 1 })).rejects.toMatchObject({
      statusCode: 400,
    })
    await stripe.testHelpers.testClocks.del(own.id)
    expect(await stripe.customers.retrieve(clocked.customer)).toMatchObject({ deleted: true })
    expect(await stripe.subscriptions.retrieve(first.id)).toMatchObject({ status: 'canceled' })
  })
})

describe('the customer portal', () => {
  it('has a page that says what it is', async () => {
    const { customer } = await newCustomer(stripe)
    const subscription = await subscribe(stripe, customer, { amount: 2_000 })
    const session = await stripe.billingPortal.sessions.create({
      customer,
      return_url: 'https://shop.test/account?<x>',
      flow_data: { type: 'subscription_cancel', subscription_cancel: { subscription: subscription.id } },
    })
    expect(session).toMatchObject({ customer, flow: { type: 'subscription_cancel' } })
    const page = await fetch(session.url)
    const html = await page.text()
    expect(page.status).toBe(200)
    expect(html).toContain('Customer portal')
    expect(html).toContain(subscription.id)
    expect(html).toContain('https://shop.test/account?&lt;x&gt;')
    expect((await fetch(`${fake.url}/p/session/none`)).status).toBe(404)
    expect((await stripe.billingPortal.configurations.list({ is_default: true })).data).toHaveLength(1)
    await stripe.billingPortal.configurations.create({ features: { invoice_history: { enabled: true } } })
    await expect(stripe.billingPortal.sessions.create({ customer: 'cus_none' })).rejects.toMatchObject({
      code: 'resource_missing',
    })
  })
})
