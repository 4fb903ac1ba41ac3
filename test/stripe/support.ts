import { randomUUID } from 'node:crypto'
import Stripe from 'stripe'
import { stripePayments, type StripePaymentsOptions } from '../../adapters/stripe/index.js'
import { fakeStripe, type FakeStripe, type FakeStripeOptions } from '../../adapters/testing/index.js'
import type {
  Checkout,
  CheckoutRequest,
  CustomerGone,
  PaymentEvent,
  PaymentProvider,
  VerifiedEvent,
} from '../../src/ports/payments.js'

export interface TestTill {
  fake: FakeStripe
  payments: PaymentProvider
  /** A customer without a card. */
  customerId: string
  /** A purchase of 100 credits for $9.99 by that customer. */
  request: (changes?: Partial<CheckoutRequest>) => CheckoutRequest
  /** Open the checkout of such a purchase. */
  sell: (changes?: Partial<CheckoutRequest>) => Promise<Checkout>
  /** Sign an event as Stripe would, verify it, and say what it means. */
  translate: (event: object) => Promise<PaymentEvent | null>
  verify: (event: object) => Promise<VerifiedEvent>
  /** The latest event of a type. */
  event: (type: Stripe.Event.Type) => Stripe.Event
  /** Translate the latest event of a type. */
  latest: (type: Stripe.Event.Type) => Promise<PaymentEvent | null>
}

/** The provider in front of a local Stripe, whose events wait for the test. */
export async function openTill(
  options: Partial<StripePaymentsOptions> = {},
  fakeOptions: FakeStripeOptions = {},
): Promise<TestTill> {
  const fake = await fakeStripe({
    delivery: 'hold',
    stripeConfig: { maxNetworkRetries: 0, timeout: 2_000 },
    ...fakeOptions,
  })
  const { stripe, webhookSecret } = fake
  const payments = stripePayments({ stripe, webhookSecret, appUrl: 'https://app.example', ...options })

  const verify = async (event: object) => {
    const payload = JSON.stringify(event)
    const header = await Stripe.webhooks.generateTestHeaderStringAsync({ payload, secret: webhookSecret })
    return payments.verifyWebhook(new TextEncoder().encode(payload), header)
  }
  const translate = async (event: object) => (await verify(event)).translate()
  const event = (type: Stripe.Event.Type) => {
    const found = fake.events.findLast((candidate) => candidate.type === type)
    if (!found) throw new Error(`openTill: there was no ${type}, only ${fake.events.map((e) => e.type).join(', ')}`)
    return found
  }
  const { id: customerId } = await stripe.customers.create({ email: 'buyer@example.com' })
  const request = (changes: Partial<CheckoutRequest> = {}) => checkoutRequest({ customerId, ...changes })
  return {
    fake,
    payments,
    customerId,
    request,
    sell: async (changes) => opened(await payments.createCheckout(request(changes))),
    verify,
    translate,
    event,
    latest: (type) => translate(event(type)),
  }
}

/** The checkout that was opened; the customer must not be gone. */
export function opened<T extends object>(answer: T | CustomerGone): T {
  if (answer === 'customer_gone') throw new Error('opened: the customer is gone')
  return answer
}

/** A purchase of 100 credits for $9.99. */
export function checkoutRequest(changes: Partial<CheckoutRequest> = {}): CheckoutRequest {
  return {
    purchaseId: randomUUID(),
    userId: 'user_1',
    customerId: 'cus_1',
    ui: 'page',
    packageId: 7,
    creditType: 'enrichment',
    creditAmount: 100,
    quantity: 1,
    name: 'Starter Pack',
    description: 'Perfect for getting started',
    unitPriceMinor: 999,
    currency: 'usd',
    priceId: null,
    saveCard: false,
    successUrl: null,
    cancelUrl: null,
    ...changes,
  }
}
