import { fakeStripe, testClock, type FakeStripe } from 'creditkit/testing'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, idOf, newCustomer, subscribe } from './billing-support.js'

const clock = testClock()
let fake: FakeStripe
let stripe: Stripe

beforeEach(async () => {
  fake = await fakeStripe({ clock, delivery: 'drop', stripeConfig: { maxNetworkRetries: 0 } })
  stripe = fake.stripe
})
afterEach(() => fake.close())

/** A paid session, refunded and disputed in part, and a subscription; every kind there is a list of. */
const everything = async (): Promise<{ intent: string; sessionId: string; customer: string; subscription: string }> => {
  const { customer } = await newCustomer(stripe)
  const { id: sessionId } = await stripe.checkout.sessions.create({
    mode: 'payment',
    customer,
    success_url: 'https://shop.test/done',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 999, product_data: { name: 'Pack' } }, quantity: 1 }],
  })
  const session = await fake.complete(sessionId)
  await fake.refund({ sessionId, amount: 100 })
  await fake.dispute({ sessionId, amount: 100 })
  const { id: subscription } = await subscribe(stripe, customer, { amount: 2_000 })
  return { intent: idOf(session.payment_intent), sessionId, customer, subscription }
}

type List = (params: Stripe.CustomerListParams) => Promise<Stripe.ApiList<{ id: string; created: number }>>
const LISTS: Record<string, (stripe: Stripe) => List> = {
  charges:
    ({ charges }) =>
    (params) =>
      charges.list(params),
  'checkout sessions':
    ({ checkout }) =>
    (params) =>
      checkout.sessions.list(params),
  disputes:
    ({ disputes }) =>
    (params) =>
      disputes.list(params),
  events:
    ({ events }) =>
    (params) =>
      events.list(params),
  'invoice payments':
    ({ invoicePayments }) =>
    (params) =>
      invoicePayments.list(params),
  invoices:
    ({ invoices }) =>
    (params) =>
      invoices.list(params),
  'payment intents':
    ({ paymentIntents }) =>
    (params) =>
      paymentIntents.list(params),
  refunds:
    ({ refunds }) =>
    (params) =>
      refunds.list(params),
  subscriptions:
    ({ subscriptions }) =>
    (params) =>
      subscriptions.list(params),
}

describe.each(Object.keys(LISTS))('the list of %s', (kind) => {
  it('can be narrowed to a time and walked page by page', async () => {
    const list = (LISTS[kind] ?? (() => () => Promise.reject(new Error('no such list'))))(stripe)
    await everything()
    clock.advance(DAY)
    const border = Math.floor(clock.now().getTime() / 1000)
    await everything()
    const all = (await list({ limit: 100 })).data.map(({ id }) => id)
    const newer = (await list({ limit: 100, created: { gte: border } })).data.map(({ id }) => id)
    const older = (await list({ limit: 100, created: { lt: border } })).data.map(({ id }) => id)
    expect(newer.length).toBeGreaterThan(0)
    expect([...newer, ...older]).toEqual(all)
    expect((await list({ created: { gt: border + DAY } })).data).toEqual([])
    expect((await list({ created: { lte: border - 1 }, limit: 100 })).data).toHaveLength(older.length)
    const first = await list({ limit: 1 })
    expect(first).toMatchObject({ has_more: true, data: [{ id: all[0] }] })
    expect((await list({ limit: 1, starting_after: String(all[0]) })).data[0]?.id).toBe(all[1])
    expect((await list({ limit: 100, ending_before: String(all.at(-1)) })).data.map(({ id }) => id)).toEqual(
      all.slice(0, -1),
    )
  })
})

describe('lists', () => {
  it('are narrowed by what an object belongs to', async () => {
    const mine = await everything()
    await everything()
    const { intent, customer, subscription, sessionId } = mine
    const count = ({ data }: { data: unknown[] }): number => data.length
    expect(count(await stripe.checkout.sessions.list({ payment_intent: intent, status: 'complete' }))).toBe(1)
    expect(count(await stripe.checkout.sessions.list({ customer, status: 'open' }))).toBe(0)
    expect((await stripe.checkout.sessions.list({ customer })).data[0]?.id).toBe(sessionId)
    expect(count(await stripe.charges.list({ payment_intent: intent }))).toBe(1)
    expect(count(await stripe.charges.list({ customer }))).toBe(2)
    expect(count(await stripe.paymentIntents.list({ customer }))).toBe(2)
    expect(count(await stripe.refunds.list({ payment_intent: intent }))).toBe(1)
    expect(count(await stripe.disputes.list({ payment_intent: intent }))).toBe(1)
    expect(count(await stripe.invoices.list({ subscription, customer, status: 'paid' }))).toBe(1)
    expect(count(await stripe.subscriptions.list({ customer, status: 'active' }))).toBe(1)
    const events = { types: ['invoice.paid', 'charge.refunded'], delivery_success: false }
    expect(count(await stripe.events.list(events))).toBe(4)
  })
})

describe('the Stripe CLI', () => {
  /** The calls of `stripe trigger checkout.session.async_payment_…`, version 1.52.0: no version, older parameters. */
  const trigger = async (iban: string): Promise<string> => {
    const call = async (path: string, form?: string): Promise<{ id: string }> => {
      const response = await fetch(`${fake.url}${path}`, {
        ...(form !== undefined && { method: 'POST', body: form }),
        headers: { authorization: `Bearer ${fake.secretKey}`, 'user-agent': 'Stripe/v1 stripe-cli/1.52.0' },
      })
      expect(response.status).toBe(200)
      return (await response.json()) as { id: string }
    }
    const price = await call('/v1/prices', 'currency=eur&unit_amount=1500&product_data[name]=P')
    const session = await call(
      '/v1/checkout/sessions',
      `mode=payment&success_url=https://a.b&cancel_url=https://a.b&payment_method_types[]=sepa_debit&line_items[0][price]=${price.id}&line_items[0][quantity]=2&payment_intent_data[setup_future_usage]=off_session`,
    )
    await call(`/v1/payment_pages/${session.id}`)
    const method = await call('/v1/payment_methods', `type=sepa_debit&sepa_debit[iban]=${iban}`)
    const confirm = `payment_method=${method.id}&expected_amount=3000`
    await call(`/v1/payment_pages/${session.id}/confirm`, confirm)
    return session.id
  }

  it.each([
    ['AT611904300234573201', 'succeeded', 'paid'],
    ['IT60X0542811101000000123456', 'failed', 'unpaid'],
  ])('pays sessions through their page, and the debit of %s %s a moment later', async (iban, outcome, status) => {
    const id = await trigger(iban)
    expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'complete', payment_status: 'unpaid' })
    clock.advance(5_000)
    await fake.tick()
    expect(fake.events.map((event) => event.type)).toContain(`checkout.session.async_payment_${outcome}`)
    expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ payment_status: status })
  })
})
