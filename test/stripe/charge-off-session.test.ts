import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { isCreditError, type CreditErrorCode } from '../../src/errors.js'
import type { OffSessionRequest, PaymentFailure } from '../../src/ports/payments.js'
import { giveCard } from './subscribing.js'
import { openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())

/** A till whose customer has a card, and a payment to take from it. */
async function open(card: string | null = 'pm_card_visa') {
  till = await openTill()
  const { fake, customerId } = till
  const request: OffSessionRequest = {
    purchaseId: crypto.randomUUID(),
    userId: 'user_1',
    customerId,
    amountMinor: 999,
    currency: 'usd',
    description: 'Starter Pack',
  }
  const method = card === null ? '' : await giveCard(till, card)
  const taken = async () => (await fake.stripe.paymentIntents.list({ customer: customerId })).data
  return { ...till, till, request, method, taken }
}

async function codeOf(work: Promise<unknown>): Promise<CreditErrorCode> {
  try {
    await work
  } catch (error) {
    if (!isCreditError(error)) throw error
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/sk_test_|_secret_|\b4242\b/)
    return error.code
  }
  throw new Error('codeOf: it did not fail')
}

describe('chargeOffSession', () => {
  it('takes the payment from the saved card, and names our purchase on it', async () => {
    const { fake, payments, request, method, customerId } = await open()
    const payment = await payments.chargeOffSession(request)
    expect(payment).toEqual({
      paymentId: expect.stringMatching(/^pi_/) as unknown,
      purchaseId: request.purchaseId,
      state: 'succeeded',
      amountMinor: 999,
      currency: 'usd',
      customerId,
      failure: null,
      livemode: false,
    })
    expect(await payments.getPayment(payment.paymentId ?? '')).toEqual(payment)
    expect(
      fake.calls.find(({ path, method: verb }) => verb === 'POST' && path === '/v1/payment_intents'),
    ).toMatchObject({
      idempotencyKey: `creditkit:topup:${request.purchaseId}`,
      params: {
        payment_method: method,
        off_session: 'true',
        confirm: 'true',
        description: 'Starter Pack',
        metadata: { app: 'creditkit', purchase_id: request.purchaseId, user_id: 'user_1' },
      },
    })
  })

  it('takes it once however often it is asked', async () => {
    const { payments, request, taken } = await open()
    const first = await payments.chargeOffSession(request)
    expect(await payments.chargeOffSession(request)).toEqual(first)
    const atOnce = await Promise.all([1, 2, 3].map(() => payments.chargeOffSession(request)))
    for (const payment of atOnce) expect(payment).toEqual(first)
    expect(await taken()).toHaveLength(1)
  })

  it('waits for a twin that is still being carried out', async () => {
    const { fake, payments, request, taken } = await open()
    fake.failNext({ method: 'POST', path: '/v1/payment_intents', delayMs: 300 })
    const [one, two] = await Promise.all([payments.chargeOffSession(request), payments.chargeOffSession(request)])
    expect(one).toEqual(two)
    expect(await taken()).toHaveLength(1)
  })

  it('takes the newest card where none is the default', async () => {
    const { fake, payments, request, customerId } = await open(null)
    const { id } = await fake.stripe.paymentMethods.attach('pm_card_mastercard', { customer: customerId })
    expect(await payments.chargeOffSession(request)).toMatchObject({ state: 'succeeded' })
    const used = fake.calls.findLast(({ path, method }) => method === 'POST' && path === '/v1/payment_intents')
    expect(used?.params).toMatchObject({ payment_method: id })
  })

  it('takes a card before a bank account where neither is the default', async () => {
    const { fake, payments, request, customerId } = await open(null)
    const { paymentMethods } = fake.stripe
    const { id } = await paymentMethods.attach('pm_card_visa', { customer: customerId })
    await paymentMethods.attach('pm_usBankAccount_success', { customer: customerId })
    expect(await payments.chargeOffSession(request)).toMatchObject({ state: 'succeeded' })
    const used = fake.calls.findLast(({ path, method }) => method === 'POST' && path === '/v1/payment_intents')
    expect(used?.params).toMatchObject({ payment_method: id })
  })

  it('says that a bank debit is on its way, and settles later', async () => {
    const { payments, request } = await open('pm_sepaDebit_success')
    const payment = await payments.chargeOffSession({ ...request, currency: 'eur' })
    expect(payment).toMatchObject({ state: 'processing', amountMinor: 0, failure: null })
  })
})

describe('a refused payment', () => {
  it.each<[string, PaymentFailure['kind'], string]>([
    ['pm_card_authenticationRequired', 'authentication_required', 'authentication_required'],
    ['pm_card_chargeDeclinedLostCard', 'hard', 'lost_card'],
    ['pm_card_chargeDeclinedStolenCard', 'hard', 'stolen_card'],
    ['pm_card_chargeDeclinedFraudulent', 'hard', 'fraudulent'],
    ['pm_card_chargeDeclinedExpiredCard', 'hard', 'expired_card'],
    ['pm_card_chargeDeclinedInsufficientFunds', 'soft', 'insufficient_funds'],
    ['pm_card_chargeDeclinedProcessingError', 'soft', 'processing_error'],
    ['pm_card_chargeDeclined', 'soft', 'generic_decline'],
  ])('with %s is an answer of the kind %s', async (like, kind, code) => {
    const { fake, payments, request, customerId } = await open()
    fake.failPayments(customerId, like)
    const payment = await payments.chargeOffSession(request)
    expect(payment).toMatchObject({ state: 'failed', amountMinor: 0, purchaseId: request.purchaseId, customerId })
    expect(payment.failure).toMatchObject({ kind, code, message: expect.any(String) as unknown })
    expect(payment.failure?.message).not.toMatch(/\d{4}/)
    const { paymentId } = payment
    expect(await payments.getPayment(paymentId ?? '')).toMatchObject({ state: 'failed', failure: { kind, code } })
    const since = new Date(Date.now() - 60_000)
    expect(await payments.findPayment({ purchaseId: request.purchaseId, customerId, since })).toMatchObject({
      paymentId,
    })
  })

  it('that waits for its buyer succeeds once they are there', async () => {
    const { fake, payments, request } = await open('pm_card_authenticationRequired')
    const { paymentId } = await payments.chargeOffSession(request)
    await fake.authenticate(paymentId ?? '')
    expect(await payments.getPayment(paymentId ?? '')).toMatchObject({ state: 'succeeded', amountMinor: 999 })
  })

  it('is answered again to a repeat, and can be made anew under another name', async () => {
    const { fake, payments, request, customerId, taken } = await open()
    fake.failPayments(customerId)
    const first = await payments.chargeOffSession(request)
    fake.failPayments(customerId, false)
    expect(await payments.chargeOffSession(request)).toEqual(first)
    expect(await taken()).toHaveLength(1)
    const other = await payments.chargeOffSession({ ...request, purchaseId: crypto.randomUUID() })
    expect(other).toMatchObject({ state: 'succeeded' })
  })

  it('by a bank that advises never to try again is hard, whatever its code', async () => {
    const { fake, payments, request } = await open()
    const error = { type: 'card_error', code: 'card_declined', decline_code: 'new_code', message: 'No.' } as const
    fake.failNext({ method: 'POST', status: 402, error: { ...error, advice_code: 'do_not_try_again' } })
    expect(await payments.chargeOffSession(request)).toMatchObject({
      paymentId: null,
      failure: { kind: 'hard', code: 'new_code', message: 'No.' },
    })
  })

  it.each([
    ['in a currency that Stripe does not take', { currency: 'xxx' }, 'currency'],
    ['of less than Stripe takes', { amountMinor: 1 }, 'amount_too_small'],
  ])('%s says nothing against the card', async (_what, wrong, code) => {
    const { payments, request } = await open()
    const payment = await payments.chargeOffSession({ ...request, ...wrong })
    expect(payment).toMatchObject({ paymentId: null, state: 'failed', failure: { kind: 'not_tried' } })
    expect(`${payment.failure?.code} ${payment.failure?.message}`).toContain(code)
  })

  it('over parameters that clash in the account’s settings says nothing against the card', async () => {
    const { fake, payments, request } = await open()
    const message = 'This PaymentIntent is configured to accept payment methods enabled in your Dashboard.'
    fake.failNext({ method: 'POST', status: 400, error: { type: 'invalid_request_error', message } })
    expect(await payments.chargeOffSession(request)).toMatchObject({
      failure: { kind: 'not_tried', code: null, message },
    })
  })
})

describe('a payment with nothing to pay with', () => {
  const missing = { paymentId: null, state: 'failed', failure: { kind: 'card_missing' } }

  it('is not made without a card', async () => {
    const { payments, request, taken } = await open(null)
    expect(await payments.chargeOffSession(request)).toMatchObject(missing)
    expect(await taken()).toEqual([])
  })

  it('is not made after the card was detached, nor when that happens in between', async () => {
    const { fake, payments, request, method } = await open()
    const error = { code: 'resource_missing', param: 'payment_method', message: `No such PaymentMethod: '${method}'` }
    fake.failNext({ method: 'POST', status: 400, error: { type: 'invalid_request_error', ...error } })
    expect(await payments.chargeOffSession(request)).toMatchObject(missing)
    await fake.stripe.paymentMethods.detach(method)
    expect(await payments.chargeOffSession(request)).toMatchObject(missing)
  })

  it('is not made for a customer who was deleted or never was', async () => {
    const { fake, payments, request, customerId } = await open()
    await fake.stripe.customers.del(customerId)
    expect(await payments.chargeOffSession(request)).toMatchObject(missing)
    expect(await payments.chargeOffSession({ ...request, customerId: 'cus_unknown' })).toMatchObject(missing)
  })
})

describe('a payment whose answer does not come', () => {
  const POST = { method: 'POST', path: '/v1/payment_intents' } as const

  it.each([
    ['the connection is cut', { reset: true, times: 2 }],
    ['Stripe breaks', { status: 500 }],
    ['Stripe is silent', { hang: true }],
  ])('because %s is of unknown outcome, and a repeat does not take it twice', async (_, failure) => {
    const { fake, payments, request, customerId, taken } = await open()
    fake.failNext({ ...POST, ...failure, afterEffect: true })
    expect(await codeOf(payments.chargeOffSession(request))).toBe('OUTCOME_UNKNOWN')
    const since = new Date(Date.now() - 60_000)
    const found = await payments.findPayment({ purchaseId: request.purchaseId, customerId, since })
    expect(found).toMatchObject({ state: 'succeeded', amountMinor: 999 })
    expect(await payments.chargeOffSession(request)).toEqual(found)
    expect(await taken()).toHaveLength(1)
  })

  it('is found by a repeat after the card was replaced or detached', async () => {
    const { fake, payments, request, method, taken, till: opened } = await open()
    fake.failNext({ ...POST, status: 500, afterEffect: true })
    expect(await codeOf(payments.chargeOffSession(request))).toBe('OUTCOME_UNKNOWN')
    await giveCard(opened, 'pm_card_mastercard')
    expect(await payments.chargeOffSession(request)).toMatchObject({ state: 'succeeded' })
    const { data } = await fake.stripe.paymentMethods.list({ customer: request.customerId })
    for (const { id } of data) await fake.stripe.paymentMethods.detach(id)
    expect(data.map(({ id }) => id)).toContain(method)
    expect(await payments.chargeOffSession(request)).toMatchObject({ state: 'succeeded' })
    expect(await taken()).toHaveLength(1)
  })

  it('is of unknown outcome when another request went under its name and left nothing', async () => {
    const { fake, payments, request } = await open()
    fake.failNext({ ...POST, status: 400, error: { type: 'idempotency_error', message: 'Keys for…' } })
    expect(await codeOf(payments.chargeOffSession(request))).toBe('OUTCOME_UNKNOWN')
  })

  it('is surely not taken while Stripe limits the rate, or is away before it begins', async () => {
    const { fake, payments, request, taken } = await open()
    fake.failNext({ ...POST, status: 429, times: 4 })
    expect(await codeOf(payments.chargeOffSession(request))).toBe('UNAVAILABLE')
    fake.failNext({ method: 'GET', path: '/v1/customers', status: 500 })
    expect(await codeOf(payments.chargeOffSession(request))).toBe('UNAVAILABLE')
    fake.failNext({ ...POST, status: 401, error: { message: 'Invalid API Key provided: sk_test_1' } })
    expect(await codeOf(payments.chargeOffSession(request))).toBe('PAYMENTS_NOT_CONFIGURED')
    expect(await taken()).toEqual([])
    fake.failNext({ ...POST, status: 429, times: 2 })
    expect(await payments.chargeOffSession(request)).toMatchObject({ state: 'succeeded' })
  })
})

describe('findPayment', () => {
  it('finds nothing of other purchases, other customers, other apps and earlier times', async () => {
    const { fake, payments, request, customerId } = await open()
    const since = new Date(Date.now() - 60_000)
    const query = { purchaseId: request.purchaseId, customerId, since }
    expect(await payments.findPayment(query)).toBeNull()
    const payment = await payments.chargeOffSession(request)
    expect(await payments.findPayment(query)).toEqual(payment)
    expect(await payments.findPayment({ ...query, purchaseId: 'other' })).toBeNull()
    expect(await payments.findPayment({ ...query, customerId: 'cus_other' })).toBeNull()
    expect(await payments.findPayment({ ...query, since: new Date(Date.now() + 60_000) })).toBeNull()
    const metadata = { app: 'another', purchase_id: 'p9' }
    await fake.stripe.paymentIntents.create({ amount: 100, currency: 'usd', customer: customerId, metadata })
    expect(await payments.findPayment({ ...query, purchaseId: 'p9' })).toBeNull()
  })

  it('finds nothing where Stripe does not know the customer any more', async () => {
    const { fake, payments, request, customerId } = await open()
    const error = { type: 'invalid_request_error', code: 'resource_missing', param: 'customer' } as const
    fake.failNext({ method: 'GET', path: '/v1/payment_intents', status: 400, error })
    const query = { purchaseId: request.purchaseId, customerId, since: new Date(0) }
    expect(await payments.findPayment(query)).toBeNull()
  })

  it('finds it among more payments than fit a page', async () => {
    const { fake, payments, request, customerId } = await open()
    fake.delivery = 'drop'
    const payment = await payments.chargeOffSession(request)
    for (let i = 0; i < 101; i++) {
      await fake.stripe.paymentIntents.create({ amount: 100, currency: 'usd', customer: customerId })
    }
    const since = new Date(Date.now() - 60_000)
    expect(await payments.findPayment({ purchaseId: request.purchaseId, customerId, since })).toEqual(payment)
  })
})

describe('cancelPayment', () => {
  it('gives up a payment that waits for its buyer, and no other', async () => {
    const { payments, request, latest } = await open('pm_card_authenticationRequired')
    const { paymentId } = await payments.chargeOffSession(request)
    expect(await payments.cancelPayment(paymentId ?? '')).toBe(true)
    expect(await payments.getPayment(paymentId ?? '')).toMatchObject({ state: 'canceled', failure: null })
    expect(await latest('payment_intent.canceled')).toEqual({
      kind: 'payment_canceled',
      paymentId,
      purchaseId: request.purchaseId,
    })
    expect(await payments.cancelPayment(paymentId ?? '')).toBe(false)
  })

  it('is refused for what was paid and what nobody knows', async () => {
    const { fake, payments, request } = await open()
    const { paymentId } = await payments.chargeOffSession(request)
    for (const id of [paymentId ?? '', 'pi_unknown', 'ch_1']) expect(await payments.cancelPayment(id)).toBe(false)
    expect(await payments.getPayment(paymentId ?? '')).toMatchObject({ state: 'succeeded' })
    fake.failNext({ status: 500 })
    expect(await codeOf(payments.cancelPayment(paymentId ?? ''))).toBe('UNAVAILABLE')
  })
})

describe('getPayment', () => {
  it('knows no purchase for payments of others, and is null for what there is not', async () => {
    const { fake, payments } = await open()
    const foreign = await fake.stripe.paymentIntents.create({ amount: 100, currency: 'usd' })
    expect(await payments.getPayment(foreign.id)).toMatchObject({ purchaseId: null, state: 'failed' })
    for (const id of ['pi_unknown', 'cs_1', '']) expect(await payments.getPayment(id)).toBeNull()
  })

  it('takes a payment that waits on the page for its buyer as one that needs them', async () => {
    const { fake, payments, customerId, method } = await open('pm_card_authenticationRequired')
    const params = { amount: 100, currency: 'usd', customer: customerId, payment_method: method, confirm: true }
    const waiting = await fake.stripe.paymentIntents.create({ ...params, return_url: 'https://app.example/' })
    expect(waiting.status).toBe('requires_action')
    expect(await payments.getPayment(waiting.id)).toMatchObject({
      state: 'failed',
      failure: { kind: 'authentication_required' },
    })
  })
})
