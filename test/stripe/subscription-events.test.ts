import { testClock } from 'creditkit/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { STRIPE_EVENTS } from '../../adapters/stripe/events.js'
import { foreignSubscription, giveCard, subscribe } from './subscribing.js'
import { opened, openTill, type TestTill } from './support.js'

const clock = testClock()
let till: TestTill | undefined
afterEach(() => till?.fake.close())

/** A till with a subscription of ours. */
async function open(options: { trialDays?: number } = {}) {
  till = await openTill({}, { clock })
  return { ...till, till, ...(await subscribe(till, options)) }
}

const DAY_MS = 86_400_000

describe('the events of an invoice', () => {
  it('paid', async () => {
    const { latest, invoiceId, subscriptionId, payments } = await open()
    const invoice = await payments.getInvoice(invoiceId)
    expect(await latest('invoice.paid')).toEqual({ kind: 'invoice', invoice })
    expect(invoice).toMatchObject({ status: 'paid', subscriptionId, userId: 'user_1' })
  })

  it('whose payment failed, and that is given up', async () => {
    const { fake, latest, subscriptionId, customerId } = await open()
    fake.failPayments(customerId)
    const { id: invoiceId } = await fake.renew(subscriptionId)
    expect(await latest('invoice.payment_failed')).toMatchObject({
      kind: 'invoice',
      invoice: { invoiceId, status: 'open', paidMinor: 0, userId: 'user_1', url: expect.any(String) as unknown },
    })
    await fake.stripe.invoices.voidInvoice(invoiceId)
    expect(await latest('invoice.voided')).toMatchObject({ invoice: { invoiceId, status: 'void' } })
    // The failure is delivered again, late: it tells what is true now.
    expect(await latest('invoice.payment_failed')).toMatchObject({ invoice: { status: 'void' } })
  })

  it('that waits for its buyer', async () => {
    const { fake, latest, subscriptionId, customerId } = await open()
    fake.failPayments(customerId, 'pm_card_authenticationRequired')
    const { id: invoiceId } = await fake.renew(subscriptionId)
    expect(await latest('invoice.payment_action_required')).toMatchObject({ invoice: { invoiceId, status: 'open' } })
    fake.failPayments(customerId, false)
    await fake.payInvoice(invoiceId)
    expect(await latest('invoice.paid')).toMatchObject({ invoice: { invoiceId, status: 'paid', paidMinor: 2_000 } })
  })

  it('of no subscription is nothing, without a call', async () => {
    const { fake, event, translate, customerId: customer } = await open()
    await fake.stripe.invoiceItems.create({ customer, amount: 0, currency: 'usd' })
    const { id } = await fake.stripe.invoices.create({ customer })
    await fake.stripe.invoices.finalizeInvoice(id)
    expect(event('invoice.paid').data.object).toMatchObject({ id })
    const calls = fake.calls.length
    expect(await translate(event('invoice.paid'))).toBeNull()
    expect(fake.calls).toHaveLength(calls)
  })

  it('of another app tells no user, and its twin is nothing', async () => {
    const { till: shared, latest } = await open()
    await giveCard(shared)
    const { id: subscriptionId } = await foreignSubscription(shared)
    expect(await latest('invoice.paid')).toMatchObject({ invoice: { subscriptionId, userId: null } })
    expect(await latest('invoice.payment_succeeded')).toBeNull()
  })
})

describe('the events of a subscription', () => {
  it('created, and told as it is by now', async () => {
    const { fake, latest, subscriptionId, payments } = await open()
    const created = { kind: 'subscription', subscription: await payments.getSubscription(subscriptionId) }
    expect(created.subscription).toMatchObject({ status: 'active', userId: 'user_1' })
    expect(await latest('customer.subscription.created')).toEqual(created)
    await fake.cancelSubscription(subscriptionId)
    expect(await latest('customer.subscription.created')).toMatchObject({ subscription: { status: 'canceled' } })
    expect(await latest('customer.subscription.deleted')).toMatchObject({
      kind: 'subscription',
      subscription: { subscriptionId, status: 'canceled', endedAt: expect.any(Date) as unknown },
    })
  })

  it('updated', async () => {
    const { fake, latest, subscriptionId } = await open()
    await fake.cancelSubscription(subscriptionId, 'at_period_end')
    expect(await latest('customer.subscription.updated')).toMatchObject({
      kind: 'subscription',
      subscription: { subscriptionId, status: 'active', cancelAtPeriodEnd: true },
    })
  })

  it('paused and resumed', async () => {
    const { fake, latest, till: shared } = await open()
    const trial_settings = { end_behavior: { missing_payment_method: 'pause' as const } }
    const { id } = await fake.stripe.customers.create({})
    const other = { ...shared, customerId: id }
    const { id: subscriptionId } = await foreignSubscription(other, { trial_period_days: 7, trial_settings })
    clock.advance(8 * DAY_MS)
    await fake.tick()
    expect(await latest('customer.subscription.paused')).toMatchObject({
      subscription: { subscriptionId, status: 'paused' },
    })
    await giveCard(other)
    await fake.stripe.subscriptions.resume(subscriptionId)
    expect(await latest('customer.subscription.resumed')).toMatchObject({
      subscription: { subscriptionId, status: 'active' },
    })
  })

  it('is nothing once Stripe does not know it', async () => {
    const { event, translate } = await open()
    const created = event('customer.subscription.created')
    const gone = { ...created, data: { object: { ...created.data.object, id: 'sub_gone' } } }
    expect(await translate(gone)).toBeNull()
  })
})

describe('the events of a customer', () => {
  it('deleted', async () => {
    const { fake, latest, customerId } = await open()
    await fake.stripe.customers.del(customerId)
    expect(await latest('customer.deleted')).toEqual({ kind: 'customer_deleted', customerId })
    expect(await latest('customer.subscription.deleted')).toMatchObject({ subscription: { status: 'canceled' } })
  })

  it('who saved a card, unless it is only for payments that they are there for', async () => {
    const { fake, latest, event, customerId: customer } = await open()
    const setup = { customer, payment_method: 'pm_card_visa', confirm: true, return_url: 'https://app.example/' }
    await fake.stripe.setupIntents.create(setup)
    const savedAt = new Date(event('setup_intent.succeeded').created * 1000)
    expect(await latest('setup_intent.succeeded')).toEqual({ kind: 'card_saved', customerId: customer, savedAt })
    await fake.stripe.setupIntents.create({ ...setup, usage: 'on_session' })
    expect(await latest('setup_intent.succeeded')).toBeNull()
  })

  it('whose card was detached is nothing we act on', async () => {
    const { fake, latest, till: shared } = await open()
    await fake.stripe.paymentMethods.detach(await giveCard(shared))
    expect(await latest('payment_method.detached')).toBeNull()
  })
})

describe('the events of the sessions that sell no package', () => {
  it('tell what was begun', async () => {
    const { fake, payments, latest, sessionId, subscriptionId, invoiceId, customerId } = await open()
    expect(await latest('checkout.session.completed')).toMatchObject({
      kind: 'checkout',
      failed: false,
      checkout: { sessionId, mode: 'subscription', purchaseId: null, subscriptionId, invoiceId },
    })
    const common = { userId: 'user_1', customerId, ui: 'page' as const, successUrl: null, cancelUrl: null }
    const card = opened(await payments.createSaveCardCheckout({ ...common, requestId: 'r1' }))
    await fake.expire(card.sessionId)
    expect(await latest('checkout.session.expired')).toMatchObject({ checkout: { mode: 'setup', state: 'expired' } })
  })
})

it('translates every event it knows to something else than a failure when its object is gone', async () => {
  const { translate, fake } = await open()
  const calls = fake.calls.length
  for (const type of Object.keys(STRIPE_EVENTS)) {
    const payload = { id: 'gone', object: 'gone', metadata: {}, payment_intent: 'pi_gone', charge: 'ch_gone' }
    const meaning = await translate({ object: 'event', id: 'evt_1', type, data: { object: payload } })
    if (type !== 'customer.deleted') expect([type, meaning]).toEqual([type, null])
  }
  expect(fake.calls.slice(calls).every(({ method }) => method === 'GET')).toBe(true)
})
