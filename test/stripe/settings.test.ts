import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stripePayments, type StripePaymentsOptions } from '../../adapters/stripe/index.js'
import { isCreditError } from '../../src/errors.js'

const VARIABLES = ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'STRIPE_PUBLISHABLE_KEY', 'STRIPE_API_URL', 'APP_URL']
const complete = { secretKey: 'sk_test_1', webhookSecret: 'whsec_1', appUrl: 'https://app.example' }

/** The message of the refusal, or 'accepted'. */
function refusal(options: StripePaymentsOptions): string {
  try {
    stripePayments(options)
    return 'accepted'
  } catch (error) {
    if (!isCreditError(error, 'PAYMENTS_NOT_CONFIGURED')) throw error
    return error.message
  }
}

beforeEach(() => {
  for (const name of VARIABLES) vi.stubEnv(name, undefined)
})
afterEach(() => vi.unstubAllEnvs())

describe('stripePayments', () => {
  it('names every missing variable at once', () => {
    const message = refusal({})
    for (const name of ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'APP_URL']) expect(message).toContain(name)
    expect(refusal({ secretKey: 'sk_test_1', appUrl: 'https://app.example' })).toBe(
      'Stripe payments are not configured: STRIPE_WEBHOOK_SECRET (option webhookSecret) is missing or blank',
    )
  })

  it('reads the environment, with white space around the values', () => {
    vi.stubEnv('STRIPE_SECRET_KEY', 'sk_live_1\n')
    vi.stubEnv('STRIPE_WEBHOOK_SECRET', ' whsec_1\r\n')
    vi.stubEnv('APP_URL', 'https://app.example\n')
    expect(stripePayments().livemode).toBe(true)
  })

  it('does not fall back to the environment when an option is blank', () => {
    vi.stubEnv('STRIPE_WEBHOOK_SECRET', 'whsec_1')
    expect(refusal({ ...complete, webhookSecret: '' })).toContain('STRIPE_WEBHOOK_SECRET')
  })

  it.each<Partial<StripePaymentsOptions>>([
    { secretKey: '  ' },
    { secretKey: 'sk_test_1 sk_test_2' },
    { secretKey: 'pk_test_1' },
    { secretKey: 'whsec_1' },
    { webhookSecret: '\n' },
    { webhookSecret: [] },
    { webhookSecret: ['whsec_1', ' '] },
    { webhookSecret: 'whsec_1\nwhsec_2' },
    { webhookSecret: 'sk_test_1' },
    { appUrl: 'app.example' },
    { appUrl: 'ftp://app.example' },
    { appUrl: 'javascript:alert(1)' },
    { appUrl: 'https://user:password@app.example' },
    { allowedOrigins: ['*'] },
    { successUrl: 'https://elsewhere.example/thanks' },
    { cancelUrl: '//elsewhere.example' },
    { portalReturnUrl: 'https://elsewhere.example/account' },
    { publishableKey: 'sk_test_12345' },
    { publishableKey: 'pk_' },
    { publishableKey: 'pk_test_1 pk_test_2' },
    { publishableKey: 'pk_live_12345' },
    { apiUrl: 'ftp://127.0.0.1' },
    { apiUrl: 'http://127.0.0.1:4242', secretKey: 'sk_live_1' },
  ])('refuses %j without showing a value', (change) => {
    const message = refusal({ ...complete, ...change })
    expect(message).toContain('not configured')
    for (const value of Object.values(change).flat()) {
      if (typeof value === 'string' && value.trim() !== '' && value.length > 4) expect(message).not.toContain(value)
    }
  })

  it.each([
    ['sk_test_1', false],
    ['rk_test_1', false],
    ['sk_live_1', true],
    ['rk_live_1', true],
  ])('tells the mode from the key %s', (secretKey, livemode) => {
    expect(stripePayments({ ...complete, secretKey }).livemode).toBe(livemode)
  })

  it("tells the mode from the key of the host's own client", () => {
    const { webhookSecret, appUrl } = complete
    expect(stripePayments({ stripe: new Stripe('sk_live_1'), webhookSecret, appUrl }).livemode).toBe(true)
    expect(stripePayments({ stripe: new Stripe('sk_test_1'), webhookSecret, appUrl }).livemode).toBe(false)
  })

  it('asks for the mode when no key tells it', () => {
    expect(refusal({ ...complete, secretKey: 'rk_1' })).toContain('livemode')
    expect(stripePayments({ ...complete, secretKey: 'rk_1', livemode: true }).livemode).toBe(true)
  })

  it('shows a publishable key where there is one, and names one of the other mode', () => {
    expect(stripePayments(complete).publishableKey).toBeNull()
    expect(stripePayments({ ...complete, publishableKey: ' pk_test_1\n' }).publishableKey).toBe('pk_test_1')
    vi.stubEnv('STRIPE_PUBLISHABLE_KEY', 'pk_test_2')
    expect(stripePayments(complete).publishableKey).toBe('pk_test_2')
    expect(stripePayments({ ...complete, publishableKey: '' }).publishableKey).toBeNull()
    expect(refusal({ ...complete, secretKey: 'sk_live_1' })).toContain('STRIPE_PUBLISHABLE_KEY')
  })

  it('names what is wrong with the addresses together', () => {
    const away = 'https://elsewhere.example/'
    const message = refusal({ ...complete, successUrl: away, cancelUrl: away, portalReturnUrl: away })
    for (const name of ['successUrl', 'cancelUrl', 'portalReturnUrl']) expect(message).toContain(name)
    expect(refusal({ publishableKey: 'sk_test_1' })).toMatch(/STRIPE_SECRET_KEY.*STRIPE_PUBLISHABLE_KEY/)
  })

  it('is named stripe, and says where its ids stand in the metadata', () => {
    expect(stripePayments(complete)).toMatchObject({
      name: 'stripe',
      signatureHeader: 'stripe-signature',
      metadataNames: {
        session: 'stripeSessionId',
        payment: 'stripePaymentIntentId',
        charge: 'stripeChargeId',
        invoice: 'stripeInvoiceId',
      },
    })
  })
})
