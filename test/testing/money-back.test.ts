import { fakeStripe, testClock, type FakeStripe, type CompleteOptions } from 'creditkit/testing'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const clock = testClock()
let fake: FakeStripe
let stripe: Stripe

beforeEach(async () => {
  fake = await fakeStripe({ clock, delivery: 'hold' })
  stripe = fake.stripe
})
afterEach(() => fake.close())

const idOf = (reference: string | { id: string } | null): string =>
  typeof reference === 'string' ? reference : (reference?.id ?? '')

/** A checkout for 9.99 USD that was paid; events up to then are forgotten. */
async function paid(options: CompleteOptions = {}): Promise<{ sessionId: string; intent: string; charge: string }> {
  const { id } = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://shop.test/done',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 999, product_data: { name: 'Pack' } }, quantity: 1 }],
    payment_intent_data: { metadata: { purchase_id: 'p1' } },
  })
  const session = await fake.complete(id, 'paid', options)
  const intent = await stripe.paymentIntents.retrieve(idOf(session.payment_intent))
  fake.discard()
  return { sessionId: id, intent: intent.id, charge: idOf(intent.latest_charge) }
}

const heldTypes = (): string[] => fake.held.map((event) => event.type)

describe('a refund', () => {
  it('gives everything back by default', async () => {
    const { intent, charge } = await paid()
    const refund = await stripe.refunds.create({ payment_intent: intent, metadata: { why: 'asked' } })
    expect(refund).toMatchObject({
      amount: 999,
      status: 'succeeded',
      charge,
      payment_intent: intent,
      metadata: { why: 'asked' },
    })
    expect(heldTypes()).toEqual(['refund.created', 'charge.refunded'])
    const event = fake.held[1]?.data.object as Stripe.Charge
    expect(event).toMatchObject({ amount_refunded: 999, refunded: true, metadata: { purchase_id: 'p1' } })
    expect(event.refunds).toBeUndefined()
    await expect(stripe.refunds.create({ charge })).rejects.toMatchObject({ code: 'charge_already_refunded' })
  })

  it('adds up over parts', async () => {
    const { intent, charge } = await paid()
    for (const amount of [333, 333]) await stripe.refunds.create({ payment_intent: intent, amount })
    const tooMuch = stripe.refunds.create({ charge, amount: 334 })
    await expect(tooMuch).rejects.toThrow('Refund amount ($3.34) is greater than unrefunded amount on charge ($3.33)')
    await fake.refund({ charge, amount: 333, reason: 'requested_by_customer' })
    const totals = fake.held
      .filter((event) => event.type === 'charge.refunded')
      .map((event) => event.data.object.amount_refunded)
    expect(totals).toEqual([333, 666, 999])
    expect((await stripe.refunds.list({ payment_intent: intent })).data).toHaveLength(3)
    expect((await stripe.refunds.list({ charge })).data).toHaveLength(3)
    const expanded = await stripe.charges.retrieve(charge, { expand: ['refunds'] })
    expect(expanded.refunds?.data).toHaveLength(3)
  })

  it('can be pending and then succeed', async () => {
    const { sessionId, charge } = await paid()
    const refund = await fake.refund({ sessionId, status: 'pending' })
    expect(refund).toMatchObject({ status: 'pending', pending_reason: 'processing' })
    expect(heldTypes()).toEqual(['refund.created'])
    await fake.updateRefund(refund.id, 'succeeded')
    expect(heldTypes()).toEqual(['refund.created', 'refund.updated', 'charge.refund.updated', 'charge.refunded'])
    expect(await stripe.charges.retrieve(charge)).toMatchObject({ amount_refunded: 999, refunded: true })
  })

  it('can succeed and then fail, which gives the money back to the merchant', async () => {
    const { sessionId, charge } = await paid()
    const refund = await fake.refund({ sessionId, amount: 500 })
    const failed = await fake.updateRefund(refund.id, 'failed', 'lost_or_stolen_card')
    expect(failed).toMatchObject({ status: 'failed', failure_reason: 'lost_or_stolen_card' })
    expect(heldTypes()).toEqual([
      'refund.created',
      'charge.refunded',
      'refund.updated',
      'charge.refund.updated',
      'refund.failed',
    ])
    expect(await stripe.charges.retrieve(charge)).toMatchObject({ amount_refunded: 0, refunded: false })
    const full = await stripe.refunds.retrieve(refund.id, { expand: ['failure_balance_transaction', 'charge'] })
    expect(full).toMatchObject({ failure_balance_transaction: { amount: 500 }, charge: { id: charge } })
  })

  it('fails by itself when the card is one whose refunds fail', async () => {
    const { intent } = await paid({ paymentMethod: 'pm_card_refundFail' })
    const refund = await stripe.refunds.create({ payment_intent: intent })
    expect(refund.status).toBe('succeeded')
    clock.advance(5_000)
    expect((await stripe.refunds.retrieve(refund.id)).status).toBe('failed')
    expect(heldTypes().at(-1)).toBe('refund.failed')
  })

  it('can be canceled only while the buyer has to act', async () => {
    const { sessionId } = await paid()
    const refund = await fake.refund({ sessionId, status: 'requires_action' })
    expect(await stripe.refunds.cancel(refund.id)).toMatchObject({ status: 'canceled' })
    await expect(stripe.refunds.cancel(refund.id)).rejects.toMatchObject({ statusCode: 400 })
    expect(heldTypes()).toEqual(['refund.created', 'refund.updated', 'charge.refund.updated'])
  })

  it('needs a payment that succeeded and a positive amount', async () => {
    await expect(stripe.refunds.create({})).rejects.toThrow('payment_intent or charge')
    const { intent } = await paid()
    await expect(stripe.refunds.create({ payment_intent: intent, amount: 0 })).rejects.toThrow(
      'Invalid positive integer',
    )
    const open = await stripe.paymentIntents.create({ amount: 999, currency: 'usd' })
    await expect(stripe.refunds.create({ payment_intent: open.id })).rejects.toThrow(
      'does not have a successful charge',
    )
  })
})

describe('a dispute', () => {
  it('takes the money at once and gives it back when won', async () => {
    const { sessionId, charge, intent } = await paid()
    const dispute = await fake.dispute({ sessionId })
    expect(dispute).toMatchObject({ status: 'needs_response', amount: 999, charge, payment_intent: intent })
    expect((await stripe.charges.retrieve(charge)).disputed).toBe(true)
    await expect(stripe.refunds.create({ charge })).rejects.toMatchObject({ code: 'charge_disputed' })
    const won = await fake.updateDispute(dispute.id, 'won')
    expect(won.balance_transactions.map((entry) => entry.amount)).toEqual([-999, 999])
    expect(heldTypes()).toEqual([
      'charge.dispute.created',
      'charge.dispute.funds_withdrawn',
      'charge.dispute.funds_reinstated',
      'charge.dispute.closed',
    ])
    expect((await stripe.disputes.list({ payment_intent: intent })).data).toHaveLength(1)
  })

  it('moves no money while it is an inquiry, and may escalate', async () => {
    const { charge } = await paid()
    const inquiry = await fake.dispute({ charge, status: 'warning_needs_response', amount: 500 })
    expect(inquiry.balance_transactions).toEqual([])
    await fake.updateDispute(inquiry.id, 'needs_response')
    await stripe.disputes.close(inquiry.id)
    expect(heldTypes()).toEqual([
      'charge.dispute.created',
      'charge.dispute.funds_withdrawn',
      'charge.dispute.updated',
      'charge.dispute.closed',
    ])
    expect(await stripe.disputes.retrieve(inquiry.id)).toMatchObject({ status: 'lost', amount: 500 })
  })
})

describe('a dispute in its later stages', () => {
  it('may be lost, appealed and won after all', async () => {
    const { charge } = await paid()
    const dispute = await fake.dispute({ charge, amount: 400 })
    await fake.updateDispute(dispute.id, 'lost')
    await fake.updateDispute(dispute.id, 'appeal_needs_response')
    await fake.updateDispute(dispute.id, 'appeal_under_review')
    const won = await fake.updateDispute(dispute.id, 'won')
    expect(won.balance_transactions.map(({ amount }) => amount)).toEqual([-400, 400])
    expect(heldTypes()).toEqual([
      'charge.dispute.created',
      'charge.dispute.funds_withdrawn',
      'charge.dispute.closed',
      'charge.dispute.updated',
      'charge.dispute.updated',
      'charge.dispute.funds_reinstated',
      'charge.dispute.closed',
    ])
  })

  it('takes no money when it was prevented', async () => {
    const { charge } = await paid()
    const dispute = await fake.dispute({ charge, status: 'prevented' })
    expect(dispute).toMatchObject({ status: 'prevented', balance_transactions: [], is_charge_refundable: true })
    expect(await stripe.refunds.create({ charge })).toMatchObject({ status: 'succeeded' })
  })

  it('comes by itself with the cards made for it', async () => {
    const return_url = 'https://shop.example/'
    const pay = (payment_method: string) =>
      stripe.paymentIntents.create({ amount: 999, currency: 'usd', payment_method, confirm: true, return_url })
    const [real, inquiry] = [await pay('pm_card_createDispute'), await pay('pm_card_createDisputeInquiry')]
    const of = async (intent: Stripe.PaymentIntent): Promise<unknown[]> =>
      (await stripe.disputes.list({ payment_intent: intent.id })).data.map(({ status }) => status)
    expect(await of(real)).toEqual(['needs_response'])
    expect(await of(inquiry)).toEqual(['warning_needs_response'])
    expect((await stripe.disputes.list({ created: { gt: real.created + 3_600 } })).data).toEqual([])
  })
})

describe('a payment intent', () => {
  it('is paid off session, or tells why not', async () => {
    const customer = await stripe.customers.create({})
    const pay = (payment_method: string) =>
      stripe.paymentIntents.create({
        amount: 999,
        currency: 'usd',
        customer: customer.id,
        payment_method,
        off_session: true,
        confirm: true,
        metadata: { topup: 't1' },
      })
    expect(await pay('pm_card_visa')).toMatchObject({ status: 'succeeded', amount_received: 999 })
    expect(await pay('pm_usBankAccount_success')).toMatchObject({ status: 'processing' })
    await expect(pay('pm_card_authenticationRequired')).rejects.toMatchObject({
      statusCode: 402,
      code: 'authentication_required',
      payment_intent: { status: 'requires_payment_method', metadata: { topup: 't1' } },
    })
    await expect(pay('pm_card_chargeDeclinedLostCard')).rejects.toMatchObject({
      type: 'StripeCardError',
      decline_code: 'lost_card',
      advice_code: 'do_not_try_again',
    })
  })

  it('can be made first and confirmed or canceled later', async () => {
    const intent = await stripe.paymentIntents.create({ amount: 999, currency: 'usd' })
    expect(intent.status).toBe('requires_payment_method')
    await expect(stripe.paymentIntents.confirm(intent.id)).rejects.toThrow('missing a payment method')
    const params = { payment_method: 'pm_card_visa', return_url: 'https://shop.example/' }
    expect((await stripe.paymentIntents.confirm(intent.id, params)).status).toBe('succeeded')
    await expect(stripe.paymentIntents.cancel(intent.id)).rejects.toMatchObject({
      code: 'payment_intent_unexpected_state',
    })
    const other = await stripe.paymentIntents.create({ amount: 999, currency: 'usd' })
    const canceled = await stripe.paymentIntents.cancel(other.id, { cancellation_reason: 'abandoned' })
    expect(canceled).toMatchObject({ status: 'canceled', cancellation_reason: 'abandoned' })
    expect(heldTypes().at(-1)).toBe('payment_intent.canceled')
  })
})
