import type Stripe from 'stripe'
import { afterEach, describe, expect, it } from 'vitest'
import { foreignSubscription, giveCard, subscribe } from './subscribing.js'
import { openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())

/** A till with a subscription of ours. */
async function open() {
  till = await openTill()
  return { ...till, till, ...(await subscribe(till, { quantity: 2 })) }
}

/** Let a part of the SDK answer so. */
function stub(part: object, method: string, answer: object): void {
  Object.assign(part, { [method]: () => Promise.resolve(answer) })
}

/** An object without the fields that its older version did not have. */
function without(object: object, ...fields: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)))
}

describe('an event that was written by an older version of the API', () => {
  it('leads from its invoice to the subscription that stood on it', async () => {
    const { event, translate, invoiceId, subscriptionId } = await open()
    const paid = event('invoice.paid')
    for (const subscription of [subscriptionId, { id: subscriptionId, object: 'subscription' }]) {
      const object = { ...without(paid.data.object, 'parent'), subscription, payment_intent: 'pi_1', charge: 'ch_1' }
      const old = { ...paid, api_version: '2022-11-15', data: { object } }
      expect(await translate(old)).toMatchObject({
        kind: 'invoice',
        invoice: { invoiceId, subscriptionId, userId: 'user_1', lines: [{ quantity: 2 }] },
      })
    }
    const none = { ...without(paid.data.object, 'parent'), subscription: null }
    expect(await translate({ ...paid, data: { object: none } })).toBeNull()
  })

  it('tells its subscription as it is now, wherever its period stood', async () => {
    const { event, translate, payments, subscriptionId } = await open()
    const created = event('customer.subscription.created')
    const object = { ...created.data.object, current_period_start: 1, current_period_end: 2, items: { data: [] } }
    expect(await translate({ ...created, api_version: '2020-08-27', data: { object } })).toEqual({
      kind: 'subscription',
      subscription: await payments.getSubscription(subscriptionId),
    })
  })

  it('does not believe the refunds and totals that a charge carried', async () => {
    const { fake, event, translate, sell } = await open()
    const { sessionId, purchaseId } = await sell()
    await fake.complete(sessionId)
    await fake.refund({ sessionId, amount: 333 })
    const refunded = event('charge.refunded')
    const object = {
      ...refunded.data.object,
      amount_refunded: 999,
      refunds: { data: [{ amount: 999 }] },
      invoice: 'in_1',
    }
    expect(await translate({ ...refunded, api_version: '2020-08-27', data: { object } })).toMatchObject({
      reversals: { purchaseId, refunds: [{ amountMinor: 333 }] },
    })
  })

  it('has references expanded, or objects with fewer fields', async () => {
    const { fake, event, translate, sell } = await open()
    const { sessionId, purchaseId } = await sell()
    await fake.complete(sessionId)
    await fake.refund({ sessionId, amount: 333 })
    const created = event('refund.created')
    const { payment_intent, charge } = Object(created.data.object) as { payment_intent: string; charge: string }
    const intent = { id: payment_intent, object: 'payment_intent' }
    const shapes = [
      { id: 're_1', object: 'refund', payment_intent: intent },
      { id: 're_1', object: 'refund', charge },
      { id: 're_1', object: 'refund', charge: { id: charge, object: 'charge', payment_intent } },
    ]
    for (const object of shapes) {
      expect(await translate({ ...created, data: { object } })).toMatchObject({ reversals: { purchaseId } })
    }
    expect(await translate({ ...created, data: { object: { id: 're_1', object: 'refund' } } })).toBeNull()
  })
})

describe("a host's client that is pinned to an older version of the API", () => {
  it('tells of invoices whose subscription, payment and prices stood elsewhere', async () => {
    const { fake, payments, invoiceId, subscriptionId, priceId } = await open()
    const { paymentId } = (await payments.getInvoice(invoiceId)) ?? {}
    const subscription = await payments.getSubscription(subscriptionId)
    const itemId = subscription?.items[0]?.itemId
    const invoice = await fake.stripe.invoices.retrieve(invoiceId)
    const [line] = invoice.lines.data
    const oldLine = {
      ...without(line ?? {}, 'parent', 'pricing'),
      price: { id: priceId, object: 'price' },
      proration: false,
      subscription: subscriptionId,
      subscription_item: itemId,
      type: 'subscription',
    }
    const proration = { ...without(oldLine, 'subscription_item'), id: 'il_2', amount: -500, proration: true }
    stub(fake.stripe.invoices, 'retrieve', {
      ...without(invoice, 'parent', 'payments', 'confirmation_secret'),
      subscription: subscriptionId,
      subscription_details: { metadata: { app: 'creditkit', user_id: 'user_1' } },
      payment_intent: paymentId,
      lines: { object: 'list', data: [oldLine, proration], has_more: false },
    })
    expect(await payments.getInvoice(invoiceId)).toMatchObject({
      subscriptionId,
      userId: 'user_1',
      paymentId,
      lines: [
        { itemId, priceId, quantity: 2, proration: false, trial: false, amountMinor: 4_000 },
        { itemId, priceId, proration: true, amountMinor: -500 },
      ],
    })
    const calls = fake.calls.length
    await payments.getInvoice(invoiceId)
    expect(fake.calls.slice(calls).map(({ path }) => path)).not.toContain('/v1/invoice_payments')
  })

  it('tells of subscriptions that have one period', async () => {
    const { fake, payments, subscriptionId } = await open()
    const subscription = await fake.stripe.subscriptions.retrieve(subscriptionId)
    const [item = {}] = subscription.items.data
    const data = [without(item, 'current_period_start', 'current_period_end', 'quantity')]
    stub(fake.stripe.subscriptions, 'retrieve', {
      ...without(subscription, 'pause_collection'),
      current_period_start: 1_800_000_000,
      current_period_end: 1_802_000_000,
      items: { object: 'list', data, has_more: false },
    })
    expect(await payments.getSubscription(subscriptionId)).toMatchObject({
      collectionPaused: false,
      cancelAtPeriodEnd: false,
      items: [{ quantity: 1, periodStart: new Date(1_800_000_000_000), periodEnd: new Date(1_802_000_000_000) }],
    })
  })

  it('tells of payments that name their invoice', async () => {
    const { fake, payments, till: shared } = await open()
    await giveCard(shared)
    const { id: subscription } = await foreignSubscription(shared)
    const { data } = await fake.stripe.invoices.list({ subscription })
    const { paymentId } = (await payments.getInvoice(data[0]?.id ?? '')) ?? {}
    const intent = await fake.stripe.paymentIntents.retrieve(paymentId ?? '')
    const calls = fake.calls.length
    stub(fake.stripe.paymentIntents, 'retrieve', { ...intent, invoice: data[0]?.id })
    expect(await payments.getReversals(intent.id)).toMatchObject({ invoiceId: data[0]?.id, purchaseId: null })
    stub(fake.stripe.paymentIntents, 'retrieve', { ...intent, invoice: null })
    expect(await payments.getReversals(intent.id)).toBeNull()
    expect(fake.calls.slice(calls).map(({ path }) => path)).not.toContain('/v1/invoice_payments')
  })

  it('tells of sessions and refunds with fewer fields', async () => {
    const { fake, payments, sell } = await open()
    const { sessionId, purchaseId } = await sell()
    const session = await fake.complete(sessionId)
    const old = without(session, 'presentment_details', 'client_secret', 'invoice', 'subscription')
    stub(fake.stripe.checkout.sessions, 'retrieve', old)
    expect(await payments.getCheckout(sessionId)).toMatchObject({
      purchaseId,
      state: 'paid',
      clientSecret: null,
      invoiceId: null,
      subscriptionId: null,
    })
  })

  it('opens embedded checkouts under the name that its version has for them', async () => {
    // The driver's edge: the SDK's types know only its own version.
    const apiVersion = '2024-06-20' as Stripe.LatestApiVersion
    till = await openTill({ publishableKey: 'pk_test_1' }, { stripeConfig: { apiVersion } })
    const { fake, sell } = till
    const session = await fake.stripe.checkout.sessions.retrieve((await sell()).sessionId)
    const asked: unknown[] = []
    const create = (params: unknown) => {
      asked.push(params)
      return Promise.resolve({ ...session, url: null, client_secret: 'cs_1_secret_1' })
    }
    Object.assign(fake.stripe.checkout.sessions, { create })
    expect(await sell({ ui: 'embedded' })).toMatchObject({ url: null, clientSecret: 'cs_1_secret_1' })
    expect(asked).toMatchObject([{ ui_mode: 'embedded' }])
  })
})
