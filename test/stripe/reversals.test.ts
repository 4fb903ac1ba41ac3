import { afterEach, describe, expect, it } from 'vitest'
import type { DisputeStatus } from '../../adapters/testing/index.js'
import type { PaymentDispute } from '../../src/ports/payments.js'
import { foreignSubscription, giveCard, subscribe } from './subscribing.js'
import { openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())

/** A till with one paid purchase of ours. */
async function open(...options: Parameters<typeof openTill>) {
  till = await openTill(...options)
  const { sessionId, purchaseId } = await till.sell()
  await till.fake.complete(sessionId)
  const paid = await till.payments.getCheckout(sessionId)
  return { ...till, till, sessionId, purchaseId, paymentId: paid?.paymentId ?? '' }
}

describe('getReversals', () => {
  it('tells of a payment whose money stayed, too', async () => {
    const { payments, paymentId, purchaseId } = await open()
    expect(await payments.getReversals(paymentId)).toEqual({
      paymentId,
      chargeId: expect.stringMatching(/^ch_/) as unknown,
      purchaseId,
      invoiceId: null,
      capturedMinor: 999,
      currency: 'usd',
      refunds: [],
      disputes: [],
      livemode: false,
    })
  })

  it('tells of refunds with where they stand, and which of them were goodwill', async () => {
    const { fake, payments, paymentId, sessionId } = await open()
    await fake.refund({ sessionId, amount: 100 })
    await fake.refund({ sessionId, amount: 200, metadata: { keep_credits: 'true' } })
    await fake.refund({ sessionId, amount: 300, metadata: { keep_credits: 'no' }, status: 'requires_action' })
    const failing = await fake.refund({ sessionId, amount: 50 })
    await fake.updateRefund(failing.id, 'failed')
    const { refunds = [] } = (await payments.getReversals(paymentId)) ?? {}
    const told = refunds.map(({ amountMinor, status, keepCredits }) => [amountMinor, status, keepCredits])
    expect(told.sort()).toEqual([
      [100, 'succeeded', false],
      [200, 'succeeded', true],
      [300, 'pending', false],
      [50, 'failed', false],
    ])
    expect(refunds).toContainEqual({
      refundId: failing.id,
      amountMinor: 50,
      currency: 'usd',
      status: 'failed',
      keepCredits: false,
    })
  })

  it.each<[DisputeStatus, PaymentDispute['status']]>([
    ['warning_needs_response', 'inquiry'],
    ['warning_under_review', 'inquiry'],
    ['warning_closed', 'inquiry'],
    ['needs_response', 'open'],
    ['under_review', 'open'],
    ['appeal_needs_response', 'open'],
    ['appeal_under_review', 'open'],
    ['won', 'won'],
    ['lost', 'lost'],
    ['prevented', 'prevented'],
  ])('tells of a dispute in %s as %s', async (stripeStatus, status) => {
    const { fake, payments, paymentId, sessionId } = await open()
    const { id } = await fake.dispute({ sessionId, amount: 500, status: stripeStatus })
    expect(await payments.getReversals(paymentId)).toMatchObject({
      refunds: [],
      disputes: [{ disputeId: id, amountMinor: 500, currency: 'usd', status }],
    })
  })

  it('takes the money of a dispute whose status nobody knows as gone', async () => {
    const { fake, payments, paymentId, sessionId } = await open()
    const dispute = await fake.dispute({ sessionId })
    const answer = { object: 'list', data: [{ ...dispute, status: 'future_value' }], has_more: false }
    Object.assign(fake.stripe.disputes, { list: () => Promise.resolve(answer) })
    expect(await payments.getReversals(paymentId)).toMatchObject({ disputes: [{ status: 'open' }] })
  })

  it('knows a dispute that names only its charge', async () => {
    const { fake, payments, paymentId, sessionId } = await open()
    const dispute = await fake.dispute({ sessionId })
    const { disputes } = fake.stripe
    const list = (params: { charge?: string }) => {
      const data = params.charge === dispute.charge ? [{ ...dispute, payment_intent: null }] : []
      return Promise.resolve({ object: 'list', data, has_more: false })
    }
    Object.assign(disputes, { list })
    expect(await payments.getReversals(paymentId)).toMatchObject({ disputes: [{ disputeId: dispute.id }] })
  })

  it('follows a dispute from an inquiry to a late win', async () => {
    const { fake, payments, paymentId, sessionId } = await open()
    const { id } = await fake.dispute({ sessionId, status: 'warning_needs_response' })
    const seen: unknown[] = []
    for (const status of ['needs_response', 'lost', 'won'] as const) {
      await fake.updateDispute(id, status)
      seen.push((await payments.getReversals(paymentId))?.disputes.map((dispute) => dispute.status))
    }
    expect(seen).toEqual([['open'], ['lost'], ['won']])
  })

  it('leads from the payment of an invoice to the invoice', async () => {
    const opened = await open()
    const { fake, payments, latest } = opened
    const { invoiceId } = await subscribe(opened.till)
    const { paymentId = '' } = (await payments.getInvoice(invoiceId)) ?? {}
    await fake.refund({ paymentIntent: paymentId ?? '', amount: 500 })
    const reversals = await payments.getReversals(paymentId ?? '')
    expect(reversals).toMatchObject({
      purchaseId: null,
      invoiceId,
      capturedMinor: 2_000,
      refunds: [{ amountMinor: 500 }],
    })
    expect(await latest('charge.refunded')).toEqual({ kind: 'payment_reversed', reversals })
  })

  it('is null for payments that could not be ours, and of those that there are not', async () => {
    const { fake, payments, customerId, till: opened } = await open()
    const card = await giveCard(opened)
    const foreign = await fake.stripe.paymentIntents.create({
      amount: 100,
      currency: 'usd',
      customer: customerId,
      payment_method: card,
      confirm: true,
      off_session: true,
      metadata: { app: 'another', purchase_id: 'p1' },
    })
    expect(foreign.status).toBe('succeeded')
    for (const id of [foreign.id, 'pi_unknown', 'ch_1', '']) expect(await payments.getReversals(id)).toBeNull()
  })

  it('asks for the connected account, and is null in the other mode', async () => {
    const { fake, payments, paymentId } = await open({ account: 'acct_1' })
    const before = fake.calls.length
    await payments.getReversals(paymentId)
    const accounts = fake.calls.slice(before).map(({ stripeAccount }) => stripeAccount)
    expect(accounts.length).toBeGreaterThan(2)
    expect(new Set(accounts)).toEqual(new Set(['acct_1']))
    const intent = await fake.stripe.paymentIntents.retrieve(paymentId, { expand: ['latest_charge'] })
    Object.assign(fake.stripe.paymentIntents, { retrieve: () => Promise.resolve({ ...intent, livemode: true }) })
    expect(await payments.getReversals(paymentId)).toBeNull()
    expect(await payments.getPayment(paymentId)).toBeNull()
  })
})

describe('the events of a dispute', () => {
  it('each tell the whole picture as it is now', async () => {
    const { fake, latest, sessionId, purchaseId } = await open()
    const { id } = await fake.dispute({ sessionId })
    await fake.updateDispute(id, 'under_review')
    await fake.updateDispute(id, 'won')
    const types = ['created', 'funds_withdrawn', 'updated', 'funds_reinstated', 'closed'] as const
    for (const type of types) {
      expect(await latest(`charge.dispute.${type}`)).toMatchObject({
        kind: 'payment_reversed',
        reversals: { purchaseId, disputes: [{ disputeId: id, status: 'won' }] },
      })
    }
  })

  it('are understood where they name only the charge, and ignored where it is not ours', async () => {
    const { fake, event, translate, sessionId, till: opened, latest } = await open()
    await fake.dispute({ sessionId })
    const created = event('charge.dispute.created')
    const bare = { ...created, data: { object: { ...created.data.object, payment_intent: null } } }
    expect(await translate(bare)).toMatchObject({ reversals: { disputes: [{ status: 'open' }] } })
    const gone = { ...created, data: { object: { ...created.data.object, payment_intent: null, charge: 'ch_gone' } } }
    expect(await translate(gone)).toBeNull()

    await giveCard(opened)
    const { id } = await foreignSubscription(opened)
    const { data } = await fake.stripe.invoices.list({ subscription: id })
    const invoice = await opened.payments.getInvoice(data[0]?.id ?? '')
    await fake.dispute({ paymentIntent: invoice?.paymentId ?? '' })
    // Whose subscription it is, its invoice says.
    expect(await latest('charge.dispute.created')).toMatchObject({ reversals: { invoiceId: invoice?.invoiceId } })
  })
})
