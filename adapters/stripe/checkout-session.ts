import type Stripe from 'stripe'
import { InvalidInputError, PaymentsNotConfiguredError } from '../../src/errors.js'
import type { Checkout, CheckoutRequest } from '../../src/ports/payments.js'
import { resolveUrl } from './return-url.js'
import type { LinkedCustomer, StripeSettings } from './settings.js'
import { ask, askRaw, find } from './stripe-calls.js'
import { isMissing, translateStripeError } from './stripe-errors.js'

/**
 * Open a session for a purchase. Stripe's idempotency key is the purchase's id, so that a repeat within 24 hours gets
 * the first session back.
 *
 * A linked customer who was deleted at Stripe is left out, and the buyer becomes a guest.
 */
export async function createSession(request: CheckoutRequest, settings: StripeSettings): Promise<Checkout> {
  const linked = await settings.customer(request.userId)
  const create = (params: Stripe.Checkout.SessionCreateParams, idempotencyKey: string) => () =>
    settings.stripe.checkout.sessions.create(params, { ...settings.requestOptions, idempotencyKey })

  const key = `creditkit:checkout:${request.purchaseId}`
  let session: Stripe.Checkout.Session
  try {
    session = await askRaw('checkout.session', create(toParams(request, linked, settings), key))
  } catch (error) {
    if (!linked?.id || !isMissing(error, 'customer')) throw translateStripeError(error)
    const guest = { email: linked.email }
    session = await ask('checkout.session', create(toParams(request, guest, settings), `${key}:guest`))
  }
  if (session.livemode !== settings.livemode) {
    throw new PaymentsNotConfiguredError('The Stripe key and the option `livemode` disagree about the mode')
  }
  return toCheckout(session, settings)
}

/** The session as it stands now; null when there is none in this mode and account. */
export async function fetchSession(sessionId: string, settings: StripeSettings): Promise<Checkout | null> {
  if (!isStripeId(sessionId, 'cs')) return null
  const session = await find('checkout.session', () =>
    settings.stripe.checkout.sessions.retrieve(sessionId, {}, settings.requestOptions),
  )
  return session?.livemode === settings.livemode ? toCheckout(session, settings) : null
}

/** The session a payment came from; null when it came from none. */
export async function findSessionByPayment(paymentId: string, settings: StripeSettings): Promise<Checkout | null> {
  if (!isStripeId(paymentId, 'pi')) return null
  const list = await find('list', () =>
    settings.stripe.checkout.sessions.list({ payment_intent: paymentId, limit: 1 }, settings.requestOptions),
  )
  const session = list?.data[0]
  return session?.livemode === settings.livemode ? toCheckout(session, settings) : null
}

/** Our purchase, if the session's metadata says that it is ours. */
export function sessionPurchaseIdOf(session: Stripe.Checkout.Session, settings: StripeSettings): string | null {
  if (session.metadata?.app !== settings.app) return null
  return purchaseIdOf(session.metadata, settings) ?? session.client_reference_id
}

/** Our purchase, if the object's metadata says that it is ours. */
export function purchaseIdOf(metadata: Stripe.Metadata | null | undefined, settings: StripeSettings): string | null {
  return metadata?.app === settings.app ? metadata.purchase_id || null : null
}

/** Is it the id of such an object? Checked before it becomes part of a URL. */
export function isStripeId(id: string, prefix: 'cs' | 'pi' | 'price'): boolean {
  return id.length <= 255 && id.length > prefix.length + 1 && id.startsWith(`${prefix}_`) && /^\w+$/.test(id)
}

function toParams(
  request: CheckoutRequest,
  customer: LinkedCustomer | null | undefined,
  settings: StripeSettings,
): Stripe.Checkout.SessionCreateParams {
  const { purchaseId, userId, packageId, creditType, creditAmount } = request
  const ours = { app: settings.app, purchase_id: purchaseId }
  return {
    mode: 'payment',
    client_reference_id: purchaseId,
    line_items: [lineItem(request)],
    // For people who look at the Dashboard. Nothing but our own mark and the purchase's id is believed later.
    metadata: { ...ours, userId, packageId: String(packageId), creditType, creditAmount: String(creditAmount) },
    // Stripe does not copy the session's metadata to the payment, and a refund leads only to the payment.
    payment_intent_data: { metadata: ours },
    success_url: returnUrl('successUrl', request, settings),
    cancel_url: returnUrl('cancelUrl', request, settings),
    ...(customer?.id ? { customer: customer.id } : customer?.email ? { customer_email: customer.email } : {}),
  }
}

function lineItem(request: CheckoutRequest): Stripe.Checkout.SessionCreateParams.LineItem {
  const { quantity, priceId, currency, unitPriceMinor, name, description } = request
  if (priceId !== null) return { price: priceId, quantity }
  const product = description ? { name, description } : { name }
  return { quantity, price_data: { currency, unit_amount: unitPriceMinor, product_data: product } }
}

function returnUrl(name: 'successUrl' | 'cancelUrl', request: CheckoutRequest, settings: StripeSettings): string {
  const wanted = request[name]
  if (wanted === null) return settings[name]
  const resolved = resolveUrl(wanted, settings.appUrl, settings.allowedOrigins)
  if (resolved !== null) return resolved
  throw new InvalidInputError([{ path: name, message: 'must lead to an allowed origin' }])
}

/** A session in our words. */
function toCheckout(session: Stripe.Checkout.Session, settings: StripeSettings): Checkout {
  const { currency, subtotalMinor, totalMinor } = amountsOf(session)
  return {
    sessionId: session.id,
    url: session.status === 'open' ? session.url : null,
    purchaseId: sessionPurchaseIdOf(session, settings),
    state: stateOf(session),
    oneOff: session.mode === 'payment',
    currency,
    subtotalMinor,
    totalMinor,
    paymentId: idOf(session.payment_intent),
    livemode: session.livemode,
  }
}

/** The id of a reference, expanded or not. */
export function idOf(reference: string | { id: string } | null | undefined): string | null {
  return typeof reference === 'string' ? reference : (reference?.id ?? null)
}

/** A payment status that we do not know is not a payment. */
function stateOf({ status, payment_status }: Stripe.Checkout.Session): Checkout['state'] {
  if (status === 'expired') return 'expired'
  if (status !== 'complete') return 'open'
  if (payment_status === 'paid') return 'paid'
  return payment_status === 'no_payment_required' ? 'free' : 'unpaid'
}

/**
 * In the currency that the package was priced in. API versions before 2025-03-31, which a host's client may be pinned
 * to, show the buyer's currency and keep ours in `currency_conversion`.
 */
function amountsOf(session: Stripe.Checkout.Session): Pick<Checkout, 'currency' | 'subtotalMinor' | 'totalMinor'> {
  // The driver's edge: a field that today's types no longer have.
  const { currency_conversion: old } = session as {
    currency_conversion?: { source_currency: string; amount_subtotal: number; amount_total: number } | null
  }
  return {
    currency: (old?.source_currency ?? session.currency ?? '').toLowerCase(),
    subtotalMinor: old?.amount_subtotal ?? session.amount_subtotal ?? 0,
    totalMinor: old?.amount_total ?? session.amount_total ?? 0,
  }
}
