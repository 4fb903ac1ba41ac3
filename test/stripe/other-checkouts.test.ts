import { afterEach, describe, expect, it } from 'vitest'
import { isCreditError } from '../../src/errors.js'
import type { SaveCardRequest, SubscribeRequest } from '../../src/ports/payments.js'
import { monthlyPrice } from './subscribing.js'
import { opened, openTill, type TestTill } from './support.js'

let till: TestTill | undefined
afterEach(() => till?.fake.close())

const codeOf = (error: unknown) => (isCreditError(error) ? error.code : error)

/** A till, and what is asked of it. */
async function open(...options: Parameters<typeof openTill>) {
  till = await openTill(...options)
  const { customerId } = till
  const common = { userId: 'user_1', customerId, ui: 'page' as const, successUrl: null, cancelUrl: null }
  const card: SaveCardRequest = { ...common, requestId: 'request-1' }
  const priceId = await monthlyPrice(till)
  const plan: SubscribeRequest = { ...card, priceId, plan: 'pro', quantity: 2, trialDays: null }
  return { ...till, card, plan }
}

describe('createSubscribeCheckout', () => {
  it('opens a session whose subscription names our user', async () => {
    const { fake, payments, plan, customerId, latest } = await open()
    const checkout = opened(await payments.createSubscribeCheckout(plan))
    expect(checkout).toMatchObject({
      state: 'open',
      mode: 'subscription',
      purchaseId: null,
      customerId,
      currency: 'usd',
      subtotalMinor: 4_000,
      subscriptionId: null,
      invoiceId: null,
      clientSecret: null,
    })
    const mark = { app: 'creditkit', user_id: 'user_1', plan: 'pro' }
    expect(fake.calls.at(-1)?.params).toMatchObject({ metadata: mark, subscription_data: { metadata: mark } })

    await fake.complete(checkout.sessionId)
    const done = await payments.getCheckout(checkout.sessionId)
    expect(await latest('checkout.session.completed')).toEqual({ kind: 'checkout', checkout: done, failed: false })
    expect(done).toMatchObject({ state: 'paid', purchaseId: null, paymentId: null })
    const subscription = await payments.getSubscription(done?.subscriptionId ?? '')
    expect(subscription).toMatchObject({ userId: 'user_1', customerId, status: 'active', items: [{ quantity: 2 }] })
    expect(await payments.getInvoice(done?.invoiceId ?? '')).toMatchObject({ userId: 'user_1', paidMinor: 4_000 })
  })

  it('returns the first session to a repeat, and refuses another request under the same name', async () => {
    const { payments, plan } = await open()
    const first = await payments.createSubscribeCheckout(plan)
    expect(await payments.createSubscribeCheckout(plan)).toEqual(first)
    expect(await payments.createSubscribeCheckout({ ...plan, quantity: 3 }).catch(codeOf)).toBe('IDEMPOTENCY_CONFLICT')
    expect(await payments.createSubscribeCheckout({ ...plan, requestId: 'x'.repeat(1_000) })).not.toEqual(first)
  })

  it('is refused within the page of the host where no publishable key is configured', async () => {
    const { fake, payments, plan } = await open()
    const calls = fake.calls.length
    const refused = payments.createSubscribeCheckout({ ...plan, ui: 'embedded' })
    await expect(refused).rejects.toThrow('STRIPE_PUBLISHABLE_KEY')
    expect(await refused.catch(codeOf)).toBe('PAYMENTS_NOT_CONFIGURED')
    expect(fake.calls).toHaveLength(calls)
  })

  it('begins with a trial when asked to', async () => {
    const { fake, payments, plan } = await open()
    const { sessionId } = opened(await payments.createSubscribeCheckout({ ...plan, trialDays: 14 }))
    await fake.complete(sessionId)
    const done = await payments.getCheckout(sessionId)
    const subscription = await payments.getSubscription(done?.subscriptionId ?? '')
    expect(subscription).toMatchObject({ status: 'trialing', trialEndsAt: expect.any(Date) as unknown })
  })

  it('is shown within the page of the host, with promotion codes and taxes when configured', async () => {
    const { fake, payments, plan } = await open({
      publishableKey: 'pk_test_1',
      promotionCodes: true,
      automaticTax: true,
    })
    const checkout = opened(await payments.createSubscribeCheckout({ ...plan, ui: 'embedded' }))
    expect(checkout).toMatchObject({ url: null, clientSecret: expect.any(String) as unknown })
    expect(fake.calls.at(-1)?.params).toMatchObject({
      ui_mode: 'embedded_page',
      allow_promotion_codes: 'true',
      automatic_tax: { enabled: 'true' },
      customer_update: { address: 'auto' },
    })
  })

  it('says when the customer is gone, and what Stripe did not like', async () => {
    const { fake, payments, plan, customerId } = await open()
    const unknown = payments.createSubscribeCheckout({ ...plan, priceId: 'price_unknown' })
    expect(await unknown.catch(codeOf)).toBe('INVALID_INPUT')
    await fake.stripe.customers.del(customerId)
    expect(await payments.createSubscribeCheckout(plan)).toBe('customer_gone')
    const next = await payments.createCustomer({ userId: 'user_1', replaces: customerId })
    expect(await payments.createSubscribeCheckout({ ...plan, ...next })).toMatchObject({ state: 'open' })
  })
})

describe('createSaveCardCheckout', () => {
  it('saves a card that payments can be taken from', async () => {
    const { fake, payments, card, customerId, latest, event } = await open()
    const checkout = opened(await payments.createSaveCardCheckout(card))
    expect(checkout).toMatchObject({ mode: 'setup', state: 'open', purchaseId: null, customerId, totalMinor: 0 })
    expect(await payments.createSaveCardCheckout(card)).toEqual(checkout)
    const mark = { app: 'creditkit', user_id: 'user_1' }
    expect(fake.calls.at(-1)?.params).toMatchObject({ metadata: mark, setup_intent_data: { metadata: mark } })

    await fake.complete(checkout.sessionId)
    expect(await payments.getCheckout(checkout.sessionId)).toMatchObject({ state: 'free', paymentId: null })
    const savedAt = new Date(event('setup_intent.succeeded').created * 1000)
    expect(await latest('setup_intent.succeeded')).toEqual({ kind: 'card_saved', customerId, savedAt })
    expect(await latest('checkout.session.completed')).toMatchObject({ checkout: { mode: 'setup', customerId } })
    const charge = { purchaseId: 'p1', userId: 'user_1', customerId, amountMinor: 999, currency: 'usd' }
    expect(await payments.chargeOffSession({ ...charge, description: 'Top-up' })).toMatchObject({ state: 'succeeded' })
  })

  it('is not confused by a subscription under the same name', async () => {
    const { payments, card, plan } = await open()
    const subscribing = opened(await payments.createSubscribeCheckout(plan))
    expect(opened(await payments.createSaveCardCheckout(card)).sessionId).not.toBe(subscribing.sessionId)
  })

  it('is shown within the page of the host, and asks for neither codes nor taxes', async () => {
    const { fake, payments, card } = await open({
      publishableKey: 'pk_test_1',
      promotionCodes: true,
      automaticTax: true,
    })
    const checkout = opened(await payments.createSaveCardCheckout({ ...card, ui: 'embedded', successUrl: 'done' }))
    expect(checkout).toMatchObject({ url: null, clientSecret: expect.any(String) as unknown })
    expect(fake.calls.at(-1)?.params).toMatchObject({ return_url: 'https://app.example/done' })
    expect(Object.keys(fake.calls.at(-1)?.params ?? {})).not.toContain('automatic_tax')
  })

  it('says when the customer is gone', async () => {
    const { payments, card } = await open()
    expect(await payments.createSaveCardCheckout({ ...card, customerId: 'cus_unknown' })).toBe('customer_gone')
  })
})
