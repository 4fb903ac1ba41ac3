import type Stripe from 'stripe'
import { isCreditError, OutcomeUnknownError } from '../../src/errors.js'
import type { OffSessionRequest, Payment, PaymentFailure } from '../../src/ports/payments.js'
import { idOf, isStripeId, ours, purchaseIdOf } from './identity.js'
import type { StripeSettings } from './settings.js'
import { ask, askAll, askRaw, find } from './stripe-calls.js'
import { isMissing, mayHaveHappened, stripeFailure, translateStripeError } from './stripe-errors.js'

/** Codes of cards that will never work, whatever is tried. reference/stripe.md, section 1.5. */
const HARD_DECLINES = new Set([
  'lost_card',
  'stolen_card',
  'pickup_card',
  'fraudulent',
  'restricted_card',
  'card_not_supported',
  'expired_card',
  'incorrect_number',
  'invalid_account',
  'invalid_number',
  'closed_account',
  'revocation_of_authorization',
  'revocation_of_all_authorizations',
])

/** Stripe forgets idempotency keys after 24 hours; the rest is for clocks that differ. */
const KEYS_REACH_MS = 25 * 3_600_000

/**
 * Take a payment from the customer's saved card. The idempotency key is the purchase's id, so that repeating it takes the
 * money once. A refusal of the bank is an answer.
 */
export async function chargeOffSession(request: OffSessionRequest, settings: StripeSettings): Promise<Payment> {
  const { purchaseId, userId, customerId, amountMinor, currency, description } = request
  const card = await savedCard(customerId, settings)
  if (card === null) {
    // An earlier call under this name may have taken the payment before the card went away.
    const missing: PaymentFailure = { kind: 'card_missing', code: null, message: null }
    return (await earlierPayment(request, settings)) ?? unpaid(request, null, missing, settings)
  }
  const params: Stripe.PaymentIntentCreateParams = {
    amount: amountMinor,
    currency,
    customer: customerId,
    payment_method: card,
    // Without its buyer, a payment needs no `return_url` (docs.stripe.com/changelog/2023-08-16/automatic-payment-methods),
    // so nothing forbids redirects here: that would shut out means of payment that were saved by way of one.
    off_session: true,
    confirm: true,
    description,
    metadata: ours(settings, { purchase_id: purchaseId, user_id: userId }),
  }
  const options = { ...settings.requestOptions, idempotencyKey: `creditkit:topup:${purchaseId}` }
  try {
    const intent = await askRaw('payment_intent', () => settings.stripe.paymentIntents.create(params, options))
    return toPayment(intent, settings)
  } catch (error) {
    // Another card than in the first call under this name, whose answer got lost.
    const earlier = isKeyReused(error) ? await earlierPayment(request, settings) : null
    return earlier ?? refusal(request, error, settings)
  }
}

/** A payment of this purchase from the time that Stripe keeps idempotency keys for. */
function earlierPayment(
  { purchaseId, customerId }: OffSessionRequest,
  settings: StripeSettings,
): Promise<Payment | null> {
  return findPayment({ purchaseId, customerId, since: new Date(Date.now() - KEYS_REACH_MS) }, settings)
}

function isKeyReused(error: unknown): boolean {
  return stripeFailure(error)?.type === 'StripeIdempotencyError'
}

/** What the bank, or Stripe, says instead of taking the payment. */
function refusal(request: OffSessionRequest, error: unknown, settings: StripeSettings): Payment {
  // Also when something else answered in Stripe's place: what it passed on before is not known.
  if (mayHaveHappened(error) || isKeyReused(error) || isCreditError(error)) {
    const message = 'Stripe did not answer: the payment may have been taken. Repeat it, or look for it'
    throw new OutcomeUnknownError(message, { cause: translateStripeError(error) })
  }
  const refused = stripeFailure(error)
  // The card went away, or the request itself is wrong: too small an amount, say, or a setting of the account.
  if (refused?.type === 'StripeInvalidRequestError') {
    const isGone = isMissing(error) || refused.param === 'payment_method' || refused.param === 'customer'
    const failure: PaymentFailure = {
      kind: isGone ? 'card_missing' : 'not_tried',
      code: refused.code,
      message: refused.message,
    }
    return unpaid(request, null, failure, settings)
  }
  if (refused?.type !== 'StripeCardError') throw translateStripeError(error)
  // The driver's edge: what a card error carries beside its message.
  const { code, decline_code, advice_code, payment_intent } = error as Partial<Stripe.errors.StripeCardError>
  const failure = classify({ code, decline_code, advice_code }, refused.message)
  return unpaid(request, payment_intent?.id ?? null, failure, settings)
}

function unpaid(
  { purchaseId, currency, customerId }: OffSessionRequest,
  paymentId: string | null,
  failure: PaymentFailure,
  { livemode }: StripeSettings,
): Payment {
  return { paymentId, purchaseId, state: 'failed', amountMinor: 0, currency, customerId, failure, livemode }
}

interface Decline {
  code?: string | null | undefined
  decline_code?: string | null | undefined
  advice_code?: string | null | undefined
}

function classify({ code, decline_code, advice_code }: Decline, message: string | null): PaymentFailure {
  const reason = decline_code ?? code ?? null
  if (code === 'authentication_required' || decline_code === 'authentication_required') {
    return { kind: 'authentication_required', code: reason, message }
  }
  const isHard = advice_code === 'do_not_try_again' || HARD_DECLINES.has(reason ?? '') || HARD_DECLINES.has(code ?? '')
  return { kind: isHard ? 'hard' : 'soft', code: reason, message }
}

/** The customer's default means of payment, else the card saved last; null: there is none, or the customer is gone. */
async function savedCard(customerId: string, { stripe, requestOptions }: StripeSettings): Promise<string | null> {
  const customer = await find('customer', () => stripe.customers.retrieve(customerId, {}, requestOptions))
  if (customer === null || customer.deleted) return null
  const preferred = idOf(customer.invoice_settings.default_payment_method)
  if (preferred !== null) return preferred
  const saved = { customer: customerId, limit: 100 }
  const list = await find('list', () => stripe.paymentMethods.list(saved, requestOptions))
  // Cards first: they pay at once.
  const newest = list?.data.find(({ type }) => type === 'card') ?? list?.data[0]
  return newest?.id ?? null
}

/** The payment as it stands now; null when there is none in this mode and account. */
export async function fetchPayment(paymentId: string, settings: StripeSettings): Promise<Payment | null> {
  if (!isStripeId(paymentId, 'pi')) return null
  const intent = await find('payment_intent', () =>
    settings.stripe.paymentIntents.retrieve(paymentId, {}, settings.requestOptions),
  )
  return intent?.livemode === settings.livemode ? toPayment(intent, settings) : null
}

/** By listing, since lists show at once what searching finds only after a minute. */
export async function findPayment(
  { purchaseId, customerId, since }: { purchaseId: string; customerId: string; since: Date },
  settings: StripeSettings,
): Promise<Payment | null> {
  const created = { gte: Math.floor(since.getTime() / 1000) }
  const intents = await askAll((range) =>
    settings.stripe.paymentIntents.list({ customer: customerId, created, ...range }, settings.requestOptions),
  ).catch((error: unknown) => {
    // Only the customer can be wrong: Stripe does not know it any more.
    if (isCreditError(error, 'INVALID_INPUT')) return []
    throw error
  })
  const found = intents.find(({ metadata }) => purchaseIdOf(metadata, settings) === purchaseId)
  return found?.livemode === settings.livemode ? toPayment(found, settings) : null
}

/** Give a payment up that waits for its buyer. */
export async function cancelPayment(paymentId: string, { stripe, requestOptions }: StripeSettings): Promise<boolean> {
  if (!isStripeId(paymentId, 'pi')) return false
  try {
    await ask('payment_intent', () => stripe.paymentIntents.cancel(paymentId, {}, requestOptions))
    return true
  } catch (error) {
    // Paid, cancelled, or unknown by now: Stripe says so with 400 or 404.
    if (isCreditError(error, 'INVALID_INPUT')) return false
    throw error
  }
}

/** A payment in our words. */
export function toPayment(intent: Stripe.PaymentIntent, settings: StripeSettings): Payment {
  const state = STATES[intent.status] ?? 'processing'
  return {
    paymentId: intent.id,
    purchaseId: purchaseIdOf(intent.metadata, settings),
    state,
    amountMinor: intent.amount_received,
    currency: intent.currency,
    customerId: idOf(intent.customer),
    failure: state === 'failed' ? failureOf(intent) : null,
    livemode: intent.livemode,
  }
}

/** A status that we do not know may still bring the money. */
const STATES: { [status: string]: Payment['state'] } = {
  succeeded: 'succeeded',
  processing: 'processing',
  requires_capture: 'processing',
  canceled: 'canceled',
  requires_payment_method: 'failed',
  requires_confirmation: 'failed',
  requires_action: 'failed',
}

function failureOf({ status, last_payment_error: error }: Stripe.PaymentIntent): PaymentFailure {
  if (status === 'requires_action') return { kind: 'authentication_required', code: status, message: null }
  if (error === null) return { kind: 'soft', code: status, message: null }
  return classify(error, error.message ?? null)
}
