import type Stripe from 'stripe'
import type { PaymentProvider } from '../../src/ports/payments.js'
import { createSession, fetchSession, findSessionByPayment, isStripeId } from './checkout-session.js'
import { translateEvent } from './events.js'
import { resolveUrl } from './return-url.js'
import { resolveSettings, type StripePaymentsOptions, type StripeSettings } from './settings.js'
import { verifyEvent } from './signature.js'
import { find } from './stripe-calls.js'

export { STRIPE_WEBHOOK_EVENTS } from './events.js'
export type { LinkedCustomer, StripePaymentsOptions } from './settings.js'
export { createWebhookEndpoint, type CreateWebhookEndpointOptions } from './webhook-endpoint.js'

/**
 * Stripe as the till. Reads `STRIPE_SECRET_KEY`, `STRIPE_WEBHOOK_SECRET` and `APP_URL` where an option is not given.
 *
 * @throws {PaymentsNotConfiguredError} At once, naming everything that is missing, so that a deployment fails instead of
 *   a purchase.
 */
export function stripePayments(options: StripePaymentsOptions = {}): PaymentProvider {
  const settings = resolveSettings(options)
  return {
    name: 'stripe',
    metadataNames: { session: 'stripeSessionId', payment: 'stripePaymentIntentId', charge: 'stripeChargeId' },
    livemode: settings.livemode,
    signatureHeader: 'stripe-signature',
    createCheckout: (request) => createSession(request, settings),
    getCheckout: (sessionId) => fetchSession(sessionId, settings),
    findCheckoutByPayment: (paymentId) => findSessionByPayment(paymentId, settings),
    getPrice: (priceId) => fetchPrice(priceId, settings),
    resolveReturnUrl: (url) => resolveUrl(url, settings.appUrl, settings.allowedOrigins),
    async verifyWebhook(rawBody, signature) {
      const event = await verifyEvent(rawBody, signature, settings.webhookSecrets)
      const { id: eventId, type, livemode, created } = event
      return { eventId, type, livemode, created, translate: () => translateEvent(event, settings) }
    },
  }
}

/** Only what a package can be sold for: one payment of a fixed whole amount for each unit. */
async function fetchPrice(
  priceId: string,
  { stripe, livemode, requestOptions }: StripeSettings,
): Promise<{ currency: string; unitPriceMinor: number } | null> {
  if (!isStripeId(priceId, 'price')) return null
  const price = await find('price', () => stripe.prices.retrieve(priceId, { expand: ['product'] }, requestOptions))
  if (!price?.active || price.livemode !== livemode || price.type !== 'one_time') return null
  if (price.billing_scheme !== 'per_unit' || price.unit_amount === null || !isSold(price.product)) return null
  return { currency: price.currency, unitPriceMinor: price.unit_amount }
}

/** Stripe refuses to sell prices of archived products. */
function isSold(product: Stripe.Price['product']): boolean {
  return typeof product === 'string' || (!product.deleted && product.active)
}
