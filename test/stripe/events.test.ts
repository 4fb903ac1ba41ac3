import { afterEach, describe, expect, it } from 'vitest'
import { STRIPE_WEBHOOK_EVENTS } from '../../adapters/stripe/index.js'
import { isCreditError } from '../../src/errors.js'
import { openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())

/** A till with one open session of ours. */
async function open(...options: Parameters<typeof openTill>) {
  till = await openTill(...options)
  const { sessionId, purchaseId } = await till.sell()
  return { ...till, sessionId, purchaseId }
}

describe('the events of a checkout', () => {
  it('completed, paid', async () => {
    const { fake, latest, sessionId, purchaseId } = await open()
    await fake.complete(sessionId)
    expect(await latest('checkout.session.completed')).toMatchObject({
      kind: 'checkout',
      failed: false,
      checkout: { sessionId, purchaseId, state: 'paid' },
    })
    const succeeded = await latest('payment_intent.succeeded')
    expect(succeeded).toMatchObject({ kind: 'payment_succeeded', purchaseId })
    const paymentId = succeeded?.kind === 'payment_succeeded' ? succeeded.paymentId : ''
    expect(await till?.payments.findCheckoutByPayment(paymentId)).toMatchObject({ sessionId })
  })

  it('completed without a payment', async () => {
    const { fake, latest, sessionId } = await open()
    await fake.complete(sessionId, 'no_payment_required', { discount: 999 })
    expect(await latest('checkout.session.completed')).toMatchObject({ checkout: { state: 'free', totalMinor: 0 } })
  })

  it('delayed and then paid: a stale `completed` tells what is true now', async () => {
    const { fake, latest, sessionId } = await open()
    await fake.complete(sessionId, 'unpaid')
    expect(await latest('checkout.session.completed')).toMatchObject({ checkout: { state: 'unpaid' }, failed: false })
    await fake.settle(sessionId, 'succeeded')
    expect(await latest('checkout.session.async_payment_succeeded')).toMatchObject({ checkout: { state: 'paid' } })
    expect(await latest('checkout.session.completed')).toMatchObject({ checkout: { state: 'paid' } })
  })

  it('delayed and then failed', async () => {
    const { fake, latest, sessionId } = await open()
    await fake.complete(sessionId, 'unpaid')
    await fake.settle(sessionId, 'failed')
    expect(await latest('checkout.session.async_payment_failed')).toMatchObject({
      failed: true,
      checkout: { state: 'unpaid' },
    })
  })

  it('a failure delivered after the success is none any more', async () => {
    const { fake, event, translate, sessionId } = await open()
    await fake.complete(sessionId)
    const late = { ...event('checkout.session.completed'), type: 'checkout.session.async_payment_failed' }
    expect(await translate(late)).toMatchObject({ failed: false, checkout: { state: 'paid' } })
  })

  it('expired', async () => {
    const { fake, latest, sessionId } = await open()
    await fake.expire(sessionId)
    expect(await latest('checkout.session.expired')).toMatchObject({ checkout: { state: 'expired' } })
  })

  it('an attempt that was declined', async () => {
    const { fake, latest, sessionId, purchaseId } = await open()
    await fake.complete(sessionId, 'declined')
    expect(await latest('payment_intent.payment_failed')).toMatchObject({
      kind: 'payment_failed',
      purchaseId,
      code: 'card_declined',
    })
  })
})

describe('money that goes back', () => {
  /** The refunds an event tells of: amount and status. */
  const refundsOf = (event: Awaited<ReturnType<TestTill['translate']>>) =>
    event?.kind === 'payment_reversed'
      ? event.reversals.refunds.map(({ amountMinor, status }) => `${amountMinor} ${status}`).sort()
      : event

  it('is told whole by every event, whatever its own age', async () => {
    const { fake, latest, translate, sessionId, purchaseId } = await open()
    await fake.complete(sessionId)
    await fake.refund({ sessionId, amount: 333 })
    const first = fake.events.find(({ type }) => type === 'charge.refunded')
    await fake.refund({ sessionId, amount: 666 })
    const both = ['333 succeeded', '666 succeeded']
    expect(first && refundsOf(await translate(first))).toEqual(both)
    expect(refundsOf(await latest('refund.created'))).toEqual(both)
    expect(await latest('charge.refunded')).toMatchObject({
      kind: 'payment_reversed',
      reversals: { purchaseId, capturedMinor: 999, currency: 'usd', livemode: false },
    })
  })

  it('comes back when a refund fails or is cancelled', async () => {
    const { fake, latest, sessionId } = await open()
    await fake.complete(sessionId)
    const pending = await fake.refund({ sessionId, amount: 333, status: 'pending' })
    expect(refundsOf(await latest('refund.created'))).toEqual(['333 pending'])
    await fake.updateRefund(pending.id, 'failed')
    expect(refundsOf(await latest('refund.failed'))).toEqual(['333 failed'])
    expect(refundsOf(await latest('refund.created'))).toEqual(['333 failed'])
    const held = await fake.refund({ sessionId, amount: 100, status: 'requires_action' })
    await fake.updateRefund(held.id, 'canceled')
    expect(refundsOf(await latest('refund.updated'))).toEqual(['100 failed', '333 failed'])
  })

  it('is counted over many pages', async () => {
    const { fake, latest, sessionId } = await open()
    await fake.complete(sessionId)
    fake.delivery = 'drop'
    for (let i = 0; i < 120; i++) await fake.refund({ sessionId, amount: 1 })
    expect(refundsOf(await latest('charge.refunded'))).toHaveLength(120)
  })

  it('is measured by what was captured, tax included', async () => {
    const { fake, latest, sessionId } = await open()
    await fake.complete(sessionId, 'paid', { tax: 190 })
    await fake.refund({ sessionId })
    expect(await latest('charge.refunded')).toMatchObject({ reversals: { capturedMinor: 1189 } })
  })

  it('is understood from the legacy event, and from refunds that name only their charge', async () => {
    const { fake, event, translate, sessionId } = await open()
    await fake.complete(sessionId)
    await fake.refund({ sessionId, amount: 333 })
    const created = event('refund.created')
    const legacy = { ...created, type: 'charge.refund.updated' }
    expect(refundsOf(await translate(legacy))).toEqual(['333 succeeded'])
    const bare = { ...created, data: { object: Object.assign({}, created.data.object, { payment_intent: null }) } }
    expect(refundsOf(await translate(bare))).toEqual(['333 succeeded'])
  })

  it('asks to be told again while Stripe does not answer', async () => {
    const { fake, event, verify, sessionId } = await open()
    await fake.complete(sessionId)
    await fake.refund({ sessionId })
    const verified = await verify(event('charge.refunded'))
    fake.failNext({ status: 500 })
    await expect(verified.translate()).rejects.toSatisfy((error) => isCreditError(error, 'UNAVAILABLE'))
    expect(await verified.translate()).toMatchObject({ kind: 'payment_reversed' })
  })
})

describe('what is not ours', () => {
  it('is ignored when another app of the same Stripe account sold it', async () => {
    const { fake, latest } = await open()
    const session = await fake.stripe.checkout.sessions.create({
      mode: 'payment',
      success_url: 'https://other.example/',
      metadata: { app: 'another' },
      line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'X' } } }],
    })
    await fake.complete(session.id)
    await fake.refund({ sessionId: session.id })
    const types = [
      'checkout.session.completed',
      'payment_intent.succeeded',
      'charge.refunded',
      'refund.created',
    ] as const
    for (const type of types) expect([type, await latest(type)]).toEqual([type, null])
  })

  it('is ignored in the other mode, of another account, and of unknown types, without a call', async () => {
    const { fake, event, translate, sessionId } = await open()
    await fake.complete(sessionId)
    const calls = fake.calls.length
    const completed: object = event('checkout.session.completed')
    const others = [
      { ...completed, livemode: true },
      { ...completed, account: 'acct_other' },
      { ...completed, type: 'charge.succeeded' },
      { ...completed, type: 'foo.bar' },
      { ...completed, type: 'constructor' },
      { ...completed, type: '__proto__' },
    ]
    for (const other of others) expect(await translate(other)).toBeNull()
    expect(fake.calls).toHaveLength(calls)
  })

  it('is heard for the configured account alone', async () => {
    const { fake, event, translate, sessionId } = await open({ account: 'acct_1' })
    await fake.complete(sessionId)
    const completed = event('checkout.session.completed')
    expect(await translate(completed)).toBeNull()
    expect(await translate({ ...completed, account: 'acct_1' })).toMatchObject({ kind: 'checkout' })
    expect(fake.calls.at(-1)).toMatchObject({ stripeAccount: 'acct_1' })
  })

  it('is a session that does not exist any more', async () => {
    const { fake, event, translate, sessionId } = await open()
    await fake.complete(sessionId)
    const completed = event('checkout.session.completed')
    const gone = { ...completed, data: { object: Object.assign({}, completed.data.object, { id: 'cs_test_gone' }) } }
    expect(await translate(gone)).toBeNull()
  })

  it('keeps two installations in one Stripe account apart by their `app`', async () => {
    const { fake, latest, sessionId } = await open({ app: 'staging' })
    await fake.complete(sessionId)
    expect(await latest('checkout.session.completed')).toMatchObject({ checkout: { sessionId } })
    expect(fake.calls.find(({ path }) => path === '/v1/checkout/sessions')?.params).toMatchObject({
      metadata: { app: 'staging' },
    })
  })
})

describe('STRIPE_WEBHOOK_EVENTS', () => {
  it('lists what the Dashboard has to enable', () => {
    expect(STRIPE_WEBHOOK_EVENTS).toHaveLength(28)
    expect([...STRIPE_WEBHOOK_EVENTS].sort()).toEqual([
      'charge.dispute.closed',
      'charge.dispute.created',
      'charge.dispute.funds_reinstated',
      'charge.dispute.funds_withdrawn',
      'charge.dispute.updated',
      'charge.refunded',
      'checkout.session.async_payment_failed',
      'checkout.session.async_payment_succeeded',
      'checkout.session.completed',
      'checkout.session.expired',
      'customer.deleted',
      'customer.subscription.created',
      'customer.subscription.deleted',
      'customer.subscription.paused',
      'customer.subscription.resumed',
      'customer.subscription.updated',
      'invoice.paid',
      'invoice.payment_action_required',
      'invoice.payment_failed',
      'invoice.voided',
      'payment_intent.canceled',
      'payment_intent.payment_failed',
      'payment_intent.succeeded',
      'payment_method.detached',
      'refund.created',
      'refund.failed',
      'refund.updated',
      'setup_intent.succeeded',
    ])
  })
})
