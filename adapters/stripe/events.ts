import type Stripe from 'stripe'
import type { PaymentEvent } from '../../src/ports/payments.js'
import { fetchSession } from './checkout-session.js'
import { idOf, isOurSession, purchaseIdOf, toDate } from './identity.js'
import { fetchInvoice, parentOf } from './invoice.js'
import { fetchReversals, paymentOf } from './reversals.js'
import type { StripeSettings } from './settings.js'
import { fetchSubscription } from './subscription.js'

type EventOf<T extends Stripe.Event.Type> = Extract<Stripe.Event, { type: T }>

/** A Stripe event in our words; null: nothing we act on. Payloads age, so whatever has a lifecycle is fetched anew. */
type Translate<T extends Stripe.Event.Type> = (
  event: EventOf<T>,
  settings: StripeSettings,
) => Promise<PaymentEvent | null>

/** Every Stripe event we act on; all others are acknowledged and ignored. */
export const STRIPE_EVENTS: { [T in Stripe.Event.Type]?: Translate<T> } = {
  // Also fires for delayed methods that have not paid yet (`unpaid`) and for free orders (`no_payment_required`).
  'checkout.session.completed': (event, settings) => checkoutChanged(event.data.object, settings),
  'checkout.session.async_payment_succeeded': (event, settings) => checkoutChanged(event.data.object, settings),
  'checkout.session.async_payment_failed': (event, settings) => delayedPaymentFailed(event.data.object, settings),
  'checkout.session.expired': (event, settings) => checkoutChanged(event.data.object, settings),
  // Recovers a `checkout.session.completed` that got lost, and settles automatic top-ups.
  'payment_intent.succeeded': (event, settings) => paymentSucceeded(event.data.object, settings),
  'payment_intent.payment_failed': (event, settings) => paymentFailed(event.data.object, settings),
  'payment_intent.canceled': (event, settings) => paymentCanceled(event.data.object, settings),
  'charge.refunded': (event, settings) => moneyWentBack(idOf(event.data.object.payment_intent), settings),
  'refund.created': (event, settings) => refundOrDispute(event.data.object, settings),
  'refund.updated': (event, settings) => refundOrDispute(event.data.object, settings),
  'refund.failed': (event, settings) => refundOrDispute(event.data.object, settings),
  // What `refund.updated` was called before API version 2024-10-28.
  'charge.refund.updated': (event, settings) => refundOrDispute(event.data.object, settings),
  'charge.dispute.created': (event, settings) => refundOrDispute(event.data.object, settings),
  'charge.dispute.updated': (event, settings) => refundOrDispute(event.data.object, settings),
  'charge.dispute.closed': (event, settings) => refundOrDispute(event.data.object, settings),
  'charge.dispute.funds_withdrawn': (event, settings) => refundOrDispute(event.data.object, settings),
  'charge.dispute.funds_reinstated': (event, settings) => refundOrDispute(event.data.object, settings),
  // The only one that grants. Its twin `invoice.payment_succeeded` is not sent for invoices that were paid elsewhere.
  'invoice.paid': (event, settings) => invoiceChanged(event.data.object, settings),
  'invoice.payment_failed': (event, settings) => invoiceChanged(event.data.object, settings),
  'invoice.payment_action_required': (event, settings) => invoiceChanged(event.data.object, settings),
  'invoice.voided': (event, settings) => invoiceChanged(event.data.object, settings),
  'customer.subscription.created': (event, settings) => subscriptionChanged(event.data.object, settings),
  'customer.subscription.updated': (event, settings) => subscriptionChanged(event.data.object, settings),
  'customer.subscription.deleted': (event, settings) => subscriptionChanged(event.data.object, settings),
  'customer.subscription.paused': (event, settings) => subscriptionChanged(event.data.object, settings),
  'customer.subscription.resumed': (event, settings) => subscriptionChanged(event.data.object, settings),
  'customer.deleted': async (event) => ({ kind: 'customer_deleted', customerId: event.data.object.id }),
  'setup_intent.succeeded': async (event) => cardSaved(event.data.object, event.created),
  // A top-up without a card finds out for itself; hosts that listen get the event in their own handler.
  'payment_method.detached': () => Promise.resolve(null),
}

/** The events to enable for the webhook endpoint in the Stripe Dashboard; `createWebhookEndpoint` enables them. */
export const STRIPE_WEBHOOK_EVENTS: readonly Stripe.WebhookEndpointCreateParams.EnabledEvent[] = Object.keys(
  STRIPE_EVENTS,
  // The driver's edge: the keys are the table's, and `refund.updated` covers the legacy one.
).filter((type) => type !== 'charge.refund.updated') as Stripe.WebhookEndpointCreateParams.EnabledEvent[]

/** What a verified event means to us: its row of the table, unless it is of another mode or account. */
export async function translateEvent(event: Stripe.Event, settings: StripeSettings): Promise<PaymentEvent | null> {
  if (event.livemode !== settings.livemode || (event.account ?? null) !== settings.account) return null
  if (!Object.hasOwn(STRIPE_EVENTS, event.type)) return null
  // The driver's edge: the table pairs each type with the function for its events.
  const translate = STRIPE_EVENTS[event.type] as Translate<Stripe.Event.Type> | undefined
  return translate ? translate(event, settings) : null
}

async function checkoutChanged(
  session: Stripe.Checkout.Session,
  settings: StripeSettings,
): Promise<PaymentEvent | null> {
  // Other apps sell through the same Stripe account.
  if (!isOurSession(session, settings)) return null
  const checkout = await fetchSession(session.id, settings)
  return checkout && { kind: 'checkout', checkout, failed: false }
}

/** Not a failure any more when the money has come meanwhile: a late event never takes back a payment. */
async function delayedPaymentFailed(
  session: Stripe.Checkout.Session,
  settings: StripeSettings,
): Promise<PaymentEvent | null> {
  const event = await checkoutChanged(session, settings)
  return event?.kind === 'checkout' ? { ...event, failed: event.checkout.state === 'unpaid' } : event
}

async function paymentSucceeded(payment: Stripe.PaymentIntent, settings: StripeSettings): Promise<PaymentEvent | null> {
  const purchaseId = purchaseIdOf(payment.metadata, settings)
  return purchaseId === null ? null : { kind: 'payment_succeeded', paymentId: payment.id, purchaseId }
}

async function paymentFailed(payment: Stripe.PaymentIntent, settings: StripeSettings): Promise<PaymentEvent | null> {
  const purchaseId = purchaseIdOf(payment.metadata, settings)
  if (purchaseId === null) return null
  const { code, message } = payment.last_payment_error ?? {}
  return {
    kind: 'payment_failed',
    paymentId: payment.id,
    purchaseId,
    code: code ?? null,
    message: message ?? null,
  }
}

async function paymentCanceled(payment: Stripe.PaymentIntent, settings: StripeSettings): Promise<PaymentEvent | null> {
  const purchaseId = purchaseIdOf(payment.metadata, settings)
  return purchaseId === null ? null : { kind: 'payment_canceled', paymentId: payment.id, purchaseId }
}

async function refundOrDispute(
  object: Stripe.Refund | Stripe.Dispute,
  settings: StripeSettings,
): Promise<PaymentEvent | null> {
  return moneyWentBack(await paymentOf(object, settings), settings)
}

/** Payments that did not come from a payment intent are never ours. */
async function moneyWentBack(paymentId: string | null, settings: StripeSettings): Promise<PaymentEvent | null> {
  const reversals = paymentId === null ? null : await fetchReversals(paymentId, settings)
  return reversals && { kind: 'payment_reversed', reversals }
}

async function invoiceChanged(payload: Stripe.Invoice, settings: StripeSettings): Promise<PaymentEvent | null> {
  if (parentOf(payload).subscriptionId === null) return null
  const invoice = await fetchInvoice(payload.id, settings)
  return invoice && { kind: 'invoice', invoice }
}

async function subscriptionChanged(
  payload: Stripe.Subscription,
  settings: StripeSettings,
): Promise<PaymentEvent | null> {
  const subscription = await fetchSubscription(payload.id, settings)
  return subscription && { kind: 'subscription', subscription }
}

/** Only a card that may be charged while its owner is away is of use. */
function cardSaved({ customer, usage }: Stripe.SetupIntent, created: number): PaymentEvent | null {
  const customerId = idOf(customer)
  const isOfUse = customerId !== null && usage === 'off_session'
  return isOfUse ? { kind: 'card_saved', customerId, savedAt: toDate(created) } : null
}
