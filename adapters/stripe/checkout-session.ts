import type Stripe from 'stripe'
import { InvalidInputError, PaymentsNotConfiguredError } from '../../src/errors.js'
import type {
  Checkout,
  CheckoutRequest,
  CustomerGone,
  SaveCardRequest,
  SubscribeRequest,
} from '../../src/ports/payments.js'
import { idOf, isStripeId, keyOf, ours, sessionPurchaseIdOf } from './identity.js'
import { resolveUrl } from './return-url.js'
import { notConfigured, type StripeSettings } from './settings.js'
import { askRaw, find } from './stripe-calls.js'
import { isMissing, translateStripeError } from './stripe-errors.js'

type SessionParams = Stripe.Checkout.SessionCreateParams

/** Open a session for a purchase. Stripe's idempotency key is the purchase's id: a repeat gets the first session back. */
export function createSession(request: CheckoutRequest, settings: StripeSettings): Promise<Checkout | CustomerGone> {
  const { purchaseId, userId, packageId, creditType, creditAmount, saveCard } = request
  const mark = ours(settings, { purchase_id: purchaseId })
  const keep = saveCard ? { saves_card: 'true' } : {}
  const payment: NonNullable<SessionParams['payment_intent_data']> = { metadata: mark }
  if (saveCard) payment.setup_future_usage = 'off_session'
  const params: SessionParams = {
    ...commonParams(request, settings),
    mode: 'payment',
    client_reference_id: purchaseId,
    line_items: [lineItem(request)],
    // For people who look at the Dashboard. Nothing but our own mark and the purchase's id is believed later.
    metadata: {
      ...mark,
      ...keep,
      userId,
      packageId: String(packageId),
      creditType,
      creditAmount: String(creditAmount),
    },
    // Stripe does not copy the session's metadata to the payment, and a refund leads only to the payment.
    payment_intent_data: payment,
    ...priceParams(settings),
  }
  return open(params, `creditkit:checkout:${purchaseId}`, settings)
}

/** Open a session for a subscription. Its metadata names the user on every invoice. */
export async function createSubscribeSession(
  { requestId, userId, plan, priceId, quantity, trialDays, ...request }: SubscribeRequest,
  settings: StripeSettings,
): Promise<Checkout | CustomerGone> {
  const metadata = { ...ours(settings, { user_id: userId }), plan: plan.slice(0, 500) }
  const subscription: NonNullable<SessionParams['subscription_data']> = { metadata }
  if (trialDays !== null) subscription.trial_period_days = trialDays
  const params: SessionParams = {
    ...commonParams(request, settings),
    mode: 'subscription',
    line_items: [{ price: priceId, quantity }],
    metadata,
    subscription_data: subscription,
    ...priceParams(settings),
  }
  return open(params, await keyOf(`subscribe:${requestId}`), settings)
}

/** Open a session that saves a card. */
export async function createSaveCardSession(
  { requestId, userId, ...request }: SaveCardRequest,
  settings: StripeSettings,
): Promise<Checkout | CustomerGone> {
  const metadata = ours(settings, { user_id: userId })
  const params: SessionParams = {
    ...commonParams(request, settings),
    mode: 'setup',
    // A setup names no price, so Stripe asks which currency's payment methods to show.
    currency: 'usd',
    metadata,
    setup_intent_data: { metadata },
  }
  return open(params, await keyOf(`card:${requestId}`), settings)
}

function commonParams(
  request: Pick<CheckoutRequest, 'customerId' | 'ui' | 'successUrl' | 'cancelUrl'>,
  settings: StripeSettings,
): SessionParams {
  const successUrl = returnUrl('successUrl', request, settings)
  const { customerId: customer, ui } = request
  if (ui === 'embedded') return { customer, ui_mode: embeddedMode(settings), return_url: successUrl }
  return { customer, success_url: successUrl, cancel_url: returnUrl('cancelUrl', request, settings) }
}

/** The API calls it `embedded_page` since 2026-03-25; a host's client may be pinned to an older version. */
function embeddedMode({ stripe, publishableKey }: StripeSettings): NonNullable<SessionParams['ui_mode']> {
  if (publishableKey === null) throw notConfigured(['STRIPE_PUBLISHABLE_KEY (option publishableKey) is missing'])
  const version: unknown = stripe.getApiField('version')
  return typeof version === 'string' && version < '2026-03-25' ? 'embedded' : 'embedded_page'
}

function priceParams({ promotionCodes, automaticTax }: StripeSettings): SessionParams {
  const params: SessionParams = {}
  if (promotionCodes) params.allow_promotion_codes = true
  if (automaticTax) {
    params.automatic_tax = { enabled: true }
    // The customer is ours and has no address yet: tax needs the one that the buyer enters.
    params.customer_update = { address: 'auto' }
  }
  return params
}

async function open(
  params: SessionParams,
  idempotencyKey: string,
  settings: StripeSettings,
): Promise<Checkout | CustomerGone> {
  try {
    const session = await askRaw('checkout.session', () =>
      // The customer is part of the name: a replaced one asks for something else.
      settings.stripe.checkout.sessions.create(params, {
        ...settings.requestOptions,
        idempotencyKey: `${idempotencyKey}:${params.customer ?? ''}`,
      }),
    )
    if (session.livemode !== settings.livemode) {
      throw new PaymentsNotConfiguredError('The Stripe key and the option `livemode` disagree about the mode')
    }
    return toCheckout(session, settings)
  } catch (error) {
    if (isMissing(error, 'customer')) return 'customer_gone'
    throw translateStripeError(error)
  }
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

function lineItem(request: CheckoutRequest): Stripe.Checkout.SessionCreateParams.LineItem {
  const { quantity, priceId, currency, unitPriceMinor, name, description } = request
  if (priceId !== null) return { price: priceId, quantity }
  const product = description ? { name, description } : { name }
  return { quantity, price_data: { currency, unit_amount: unitPriceMinor, product_data: product } }
}

function returnUrl(
  name: 'successUrl' | 'cancelUrl',
  request: Pick<CheckoutRequest, 'successUrl' | 'cancelUrl'>,
  settings: StripeSettings,
): string {
  const wanted = request[name]
  if (wanted === null) return settings[name]
  const resolved = resolveUrl(wanted, settings.appUrl, settings.allowedOrigins)
  if (resolved !== null) return resolved
  throw new InvalidInputError([{ path: name, message: 'must lead to an allowed origin' }])
}

/** A session in our words. */
export function toCheckout(session: Stripe.Checkout.Session, settings: StripeSettings): Checkout {
  const { currency, subtotalMinor, totalMinor } = amountsOf(session)
  const isOpen = session.status === 'open'
  return {
    sessionId: session.id,
    url: isOpen ? session.url : null,
    clientSecret: isOpen ? session.client_secret : null,
    purchaseId: sessionPurchaseIdOf(session, settings),
    state: stateOf(session),
    mode: modeOf(session.mode),
    currency,
    subtotalMinor,
    totalMinor,
    paymentId: idOf(session.payment_intent),
    customerId: idOf(session.customer),
    subscriptionId: idOf(session.subscription),
    invoiceId: idOf(session.invoice),
    savesCard: session.mode === 'setup' || session.metadata?.saves_card === 'true',
    livemode: session.livemode,
  }
}

/** A mode that we do not know sells nothing. */
function modeOf(mode: string): Checkout['mode'] {
  return mode === 'payment' || mode === 'subscription' ? mode : 'setup'
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
