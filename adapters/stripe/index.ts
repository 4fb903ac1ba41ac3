import type Stripe from 'stripe'
import type { PaymentProvider } from '../../src/ports/payments.js'
import {
  createSaveCardSession,
  createSession,
  createSubscribeSession,
  fetchSession,
  findSessionByPayment,
} from './checkout-session.js'
import { createCustomer } from './customer.js'
import { isStripeId } from './identity.js'
import { fetchInvoice } from './invoice.js'
import { cancelPayment, chargeOffSession, fetchPayment, findPayment } from './payment.js'
import { createPortalSession } from './portal.js'
import { stripeRecords, verified } from './records.js'
import { resolveUrl } from './return-url.js'
import { fetchReversals } from './reversals.js'
import { resolveSettings, type StripePaymentsOptions, type StripeSettings } from './settings.js'
import { verifyEvent } from './signature.js'
import { find } from './stripe-calls.js'
import { cancelSubscription, fetchSubscription } from './subscription.js'

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
    metadataNames: {
      session: 'stripeSessionId',
      payment: 'stripePaymentIntentId',
      charge: 'stripeChargeId',
      invoice: 'stripeInvoiceId',
    },
    livemode: settings.livemode,
    signatureHeader: 'stripe-signature',
    publishableKey: settings.publishableKey,
    records: stripeRecords(settings),
    createCustomer: (request) => createCustomer(request, settings),
    createCheckout: (request) => createSession(request, settings),
    createSubscribeCheckout: (request) => createSubscribeSession(request, settings),
    createSaveCardCheckout: (request) => createSaveCardSession(request, settings),
    createPortalSession: (request) => createPortalSession(request, settings),
    getCheckout: (sessionId) => fetchSession(sessionId, settings),
    findCheckoutByPayment: (paymentId) => findSessionByPayment(paymentId, settings),
    chargeOffSession: (request) => chargeOffSession(request, settings),
    getPayment: (paymentId) => fetchPayment(paymentId, settings),
    findPayment: (query) => findPayment(query, settings),
    cancelPayment: (paymentId) => cancelPayment(paymentId, settings),
    getInvoice: (invoiceId) => fetchInvoice(invoiceId, settings),
    getSubscription: (subscriptionId) => fetchSubscription(subscriptionId, settings),
    cancelSubscription: (subscriptionId, when) => cancelSubscription(subscriptionId, when, settings),
    getReversals: (paymentId) => fetchReversals(paymentId, settings),
    getPrice: (priceId) => fetchPrice(priceId, settings),
    resolveReturnUrl: (url) => resolveUrl(url, settings.appUrl, settings.allowedOrigins),
    async verifyWebhook(rawBody, signature) {
      return verified(await verifyEvent(rawBody, signature, settings.webhookSecrets), settings)
    },
  }
}

/** Only what can be sold: a fixed whole amount for each unit, once or again and again. */
async function fetchPrice(
  priceId: string,
  { stripe, livemode, requestOptions }: StripeSettings,
): Promise<{ currency: string; unitPriceMinor: number; recurring: boolean } | null> {
  if (!isStripeId(priceId, 'price')) return null
  const price = await find('price', () => stripe.prices.retrieve(priceId, { expand: ['product'] }, requestOptions))
  if (!price?.active || price.livemode !== livemode) return null
  if (price.billing_scheme !== 'per_unit' || price.unit_amount === null || !isSold(price.product)) return null
  // Billed by what was used, or by packs of units: then the price times the quantity is not what is charged.
  if (price.recurring?.usage_type === 'metered' || price.transform_quantity) return null
  return { currency: price.currency, unitPriceMinor: price.unit_amount, recurring: price.type === 'recurring' }
}

/** Stripe refuses to sell prices of archived products. */
function isSold(product: Stripe.Price['product']): boolean {
  return typeof product === 'string' || (!product.deleted && product.active)
}
