import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { isCreditError, type CreditErrorCode } from '../../src/errors.js'
import type { PaymentProvider } from '../../src/ports/payments.js'
import { checkoutRequest, openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())

const common = { userId: 'user_1', customerId: 'cus_1', ui: 'page' as const, successUrl: null, cancelUrl: null }
const range = { from: new Date(0), to: new Date() }
const plan = { plan: 'pro', priceId: 'price_1', quantity: 1, trialDays: null }
const charge = { purchaseId: 'p1', userId: 'user_1', customerId: 'cus_1', amountMinor: 1, currency: 'usd' }

async function first<T>(list: AsyncIterable<T>): Promise<T | null> {
  for await (const entry of list) return entry
  return null
}

/** Every call of the provider that goes to Stripe. */
const CALLS: { [name: string]: (payments: PaymentProvider) => Promise<unknown> } = {
  createCustomer: (payments) => payments.createCustomer({ userId: 'user_1', replaces: null }),
  createCheckout: (payments) => payments.createCheckout(checkoutRequest()),
  createSubscribeCheckout: (payments) => payments.createSubscribeCheckout({ ...common, ...plan, requestId: 'r1' }),
  createSaveCardCheckout: (payments) => payments.createSaveCardCheckout({ ...common, requestId: 'r1' }),
  createPortalSession: (payments) => payments.createPortalSession({ customerId: 'cus_1', returnUrl: null }),
  getCheckout: (payments) => payments.getCheckout('cs_test_1'),
  findCheckoutByPayment: (payments) => payments.findCheckoutByPayment('pi_1'),
  chargeOffSession: (payments) => payments.chargeOffSession({ ...charge, description: 'Top-up' }),
  getPayment: (payments) => payments.getPayment('pi_1'),
  findPayment: (payments) => payments.findPayment({ purchaseId: 'p1', customerId: 'cus_1', since: new Date(0) }),
  cancelPayment: (payments) => payments.cancelPayment('pi_1'),
  getInvoice: (payments) => payments.getInvoice('in_1'),
  getSubscription: (payments) => payments.getSubscription('sub_1'),
  cancelSubscription: (payments) => payments.cancelSubscription('sub_1', 'now'),
  getReversals: (payments) => payments.getReversals('pi_1'),
  getPrice: (payments) => payments.getPrice('price_1'),
  'records.undeliveredEvents': (payments) => first(payments.records.undeliveredEvents(range)),
  'records.checkouts': (payments) => first(payments.records.checkouts(range)),
  'records.payments': (payments) => first(payments.records.payments(range)),
  'records.reversals': (payments) => first(payments.records.reversals(range)),
  'records.invoices': (payments) => first(payments.records.invoices(range)),
}

async function codeOf(work: Promise<unknown>): Promise<CreditErrorCode> {
  try {
    await work
  } catch (error) {
    if (!isCreditError(error)) throw error
    const shown = inspect(error, { depth: 9, showHidden: true })
    expect(shown).not.toMatch(/sk_test_|whsec_|_secret_|4242/)
    return error.code
  }
  throw new Error('codeOf: it did not fail')
}

const SECRETS = 'sk_test_verysecret whsec_verysecret pi_1_secret_2'

describe.each(Object.entries(CALLS))('%s', (name, call) => {
  it('ends when Stripe does not answer', async () => {
    till = await openTill({}, { stripeConfig: { timeout: 100, maxNetworkRetries: 0 } })
    till.fake.failNext({ hang: true, times: 9 })
    const started = Date.now()
    expect([name, await codeOf(call(till.payments))]).toEqual([name, 'UNAVAILABLE'])
    expect(Date.now() - started).toBeLessThan(5_000)
  })

  it('shows no secret of what Stripe says', async () => {
    till = await openTill()
    const { fake, payments } = till
    const error = { type: 'api_error', message: `Broken: ${SECRETS}` } as const
    fake.failNext({ status: 500, error })
    expect([name, await codeOf(call(payments))]).toEqual([name, 'UNAVAILABLE'])
    fake.clearFailures()
    fake.failNext({ status: 401, error: { type: 'invalid_request_error', message: `Invalid: ${SECRETS}` } })
    expect([name, await codeOf(call(payments))]).toEqual([name, 'PAYMENTS_NOT_CONFIGURED'])
  })
})
