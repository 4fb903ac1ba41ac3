import { createHmac } from 'node:crypto'
import { stripePayments, type StripePaymentsOptions } from 'creditkit/adapters/stripe'
import { type DisputeStatus, fakeStripe, testClock } from 'creditkit/testing'
import {
  type OpenedPayments,
  type PaymentActs,
  type SavedCard,
  type SignedWebhook,
  testPaymentProvider,
} from 'creditkit/testing/conformance'

testPaymentProvider('Stripe, against a local Stripe', openStripe)

/** Stripe's test payment method that behaves so; what declines can't be saved, so its customer's payments fail like it. */
const CARDS: Record<SavedCard, { saved: string; failsLike: string | false }> = {
  pays: { saved: 'pm_card_visa', failsLike: false },
  pays_later: { saved: 'pm_usBankAccount_success', failsLike: false },
  authentication_required: { saved: 'pm_card_authenticationRequired', failsLike: false },
  hard: { saved: 'pm_card_visa', failsLike: 'pm_card_chargeDeclinedLostCard' },
  soft: { saved: 'pm_card_visa', failsLike: 'pm_card_chargeDeclinedInsufficientFunds' },
}

const DISPUTES: Record<Parameters<PaymentActs['updateDispute']>[1], DisputeStatus> = {
  inquiry: 'warning_needs_response',
  open: 'needs_response',
  won: 'won',
  lost: 'lost',
  prevented: 'prevented',
}

async function openStripe(): Promise<OpenedPayments> {
  const clock = testClock()
  const fake = await fakeStripe({
    clock,
    delivery: 'hold',
    stripeConfig: { maxNetworkRetries: 1, timeout: 2_000 },
  })
  const { stripe, webhookSecret } = fake
  const links = new Map<string, string>()
  const appUrl = 'https://app.example'
  const options: StripePaymentsOptions = {
    stripe,
    webhookSecret,
    appUrl,
    publishableKey: 'pk_test_creditkit_local',
    customer: async (userId) => ({ id: links.get(userId) }),
  }
  let taken: SignedWebhook[] = []
  fake.registerEndpoint(async (request) => {
    const signature = request.headers.get('stripe-signature') ?? ''
    taken.push({ rawBody: new Uint8Array(await request.arrayBuffer()), signature })
    return new Response(null, { status: 204 })
  })
  const sign = (rawBody: Uint8Array, ageSeconds = 0): SignedWebhook => {
    const time = Math.floor(Date.now() / 1000) - ageSeconds
    const digest = createHmac('sha256', webhookSecret).update(`${time}.`).update(rawBody).digest('hex')
    return { rawBody, signature: `t=${time},v1=${digest}` }
  }

  return {
    provider: stripePayments(options),
    otherMode: stripePayments({ ...options, livemode: true, publishableKey: 'pk_live_creditkit_local' }),
    withoutSecret: () => stripePayments({ ...options, webhookSecret: '' }),
    appUrl,
    close: () => fake.close(),
    act: {
      now: () => clock.now(),
      pass: async (ms) => {
        clock.advance(ms)
        await fake.tick()
      },
      pay: (sessionId, changes) => fake.complete(sessionId, 'paid', changes),
      payLater: (sessionId) => fake.complete(sessionId, 'unpaid'),
      settle: (sessionId, outcome) => fake.settle(sessionId, outcome),
      decline: (sessionId) => fake.complete(sessionId, 'declined'),
      expire: (sessionId) => fake.expire(sessionId),
      sellElsewhere: async () => {
        const price = { currency: 'usd', unit_amount: 500, product_data: { name: 'Socks' } }
        const { id: sessionId } = await stripe.checkout.sessions.create({
          mode: 'payment',
          line_items: [{ price_data: price, quantity: 1 }],
          success_url: 'https://socks.example',
        })
        return { sessionId, paymentId: idOf((await fake.complete(sessionId)).payment_intent) }
      },
      linkCustomer: async (userId) => {
        const { id } = await stripe.customers.create({ email: 'known@example.com' })
        links.set(userId, id)
        return id
      },
      deleteCustomer: (customerId) => stripe.customers.del(customerId),
      saveCard: async (customerId, card) => {
        const { saved, failsLike } = CARDS[card]
        // As the billing portal does it.
        const { id, status } = await stripe.setupIntents.create({
          customer: customerId,
          payment_method: saved,
          usage: 'off_session',
          confirm: true,
          return_url: appUrl,
        })
        if (status === 'requires_action') await fake.authenticate(id)
        fake.failPayments(customerId, failsLike)
      },
      authenticate: (paymentId) => fake.authenticate(paymentId),
      refund: async (paymentIntent, { keepCredits = false, ...refund } = {}) => {
        const metadata = keepCredits ? { keep_credits: 'true' } : {}
        return (await fake.refund({ paymentIntent, ...refund, metadata })).id
      },
      updateRefund: (refundId, status) => fake.updateRefund(refundId, status),
      dispute: async (paymentIntent, { status = 'open', ...dispute } = {}) =>
        (await fake.dispute({ paymentIntent, ...dispute, status: DISPUTES[status] })).id,
      updateDispute: (disputeId, status) => fake.updateDispute(disputeId, DISPUTES[status]),
      newPrice: async ({ unitPriceMinor, currency, monthly }) => {
        const price = { unit_amount: unitPriceMinor, currency, product_data: { name: 'Credits' } }
        return (await stripe.prices.create(monthly ? { ...price, recurring: { interval: 'month' } } : price)).id
      },
      archivePrice: (priceId) => stripe.prices.update(priceId, { active: false }),
      renew: async (subscriptionId) => (await fake.renew(subscriptionId)).id,
      changeQuantity: async (subscriptionId, quantity) => {
        const { items } = await stripe.subscriptions.retrieve(subscriptionId)
        const { latest_invoice } = await stripe.subscriptions.update(subscriptionId, {
          items: items.data.map(({ id }) => ({ id, quantity })),
          proration_behavior: 'always_invoice',
        })
        return idOf(latest_invoice)
      },
      pauseCollection: async (subscriptionId, isPaused) => {
        const pause_collection = isPaused ? { behavior: 'keep_as_draft' as const } : ''
        await stripe.subscriptions.update(subscriptionId, { pause_collection })
      },
      addToNextInvoice: async (subscription, amount) => {
        const { customer, currency } = await stripe.subscriptions.retrieve(subscription)
        await stripe.invoiceItems.create({ customer: idOf(customer), subscription, amount, currency })
      },
      subscribeElsewhere: async (customer, price) => {
        const [card] = (await stripe.paymentMethods.list({ customer })).data
        const default_payment_method = card?.id ?? ''
        return (await stripe.subscriptions.create({ customer, items: [{ price }], default_payment_method })).id
      },
      payInvoice: async (invoiceId, elsewhere = false) => {
        const { customer } = await stripe.invoices.retrieve(invoiceId)
        fake.failPayments(idOf(customer), false)
        await fake.payInvoice(invoiceId, { outOfBand: elsewhere })
      },
      giveUpInvoice: (invoiceId) => stripe.invoices.voidInvoice(invoiceId),
      takeWebhooks: async () => {
        taken = []
        await fake.deliver()
        return taken
      },
      loseWebhooks: async () => fake.discard(),
      sign: async (rawBody, ageSeconds) => sign(rawBody, ageSeconds),
      unknownEvent: async () => {
        const common = { object: 'event', type: 'weather.changed', livemode: false, created: 0 }
        const event = { id: 'evt_weather', ...common, data: { object: { id: 'sky', object: 'weather' } } }
        return sign(new TextEncoder().encode(JSON.stringify(event)))
      },
      disturbed: async (how, work) => {
        const lost = { status: 500, afterEffect: true, times: Infinity }
        if (how === 'refuses') fake.failNext({ status: 503, times: Infinity })
        else if (how === 'hangs') fake.failNext({ hang: true, times: Infinity })
        else for (const method of ['POST', 'DELETE'] as const) fake.failNext({ ...lost, method })
        return work().finally(() => fake.clearFailures())
      },
    },
  }
}

/** The id of a reference, expanded or not. */
function idOf(reference: string | { id: string } | null): string {
  const id = typeof reference === 'string' ? reference : reference?.id
  if (id === undefined) throw new Error('idOf: there is none')
  return id
}
