import type Stripe from 'stripe'
import { cardError, usablePaymentMethod } from './payment-methods.js'
import { finishAuthentication, pay, settleBalance, type Payer } from './payments.js'
import { idOf, mergeMetadata, snapshot, type StripeAccount } from './stripe-account.js'

/** What a PaymentIntent starts from; the rest is what Stripe fills in. */
interface NewPaymentIntent {
  amount: number
  automaticPaymentMethods?: Stripe.PaymentIntent.AutomaticPaymentMethods | undefined
  currency: string
  customer?: string | null
  description?: string | null
  metadata?: Stripe.MetadataParam
  receiptEmail?: string | null
  setupFutureUsage?: Stripe.PaymentIntent.SetupFutureUsage | null
  statementDescriptor?: string | null
  statementDescriptorSuffix?: string | null
}

export function createPaymentIntent(account: StripeAccount, given: NewPaymentIntent): Stripe.PaymentIntent {
  const id = account.newId('pi')
  const intent = {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: given.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: given.automaticPaymentMethods ?? { allow_redirects: 'always', enabled: true },
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic_async',
    client_secret: `${id}_${account.newId('secret')}`,
    confirmation_method: 'automatic',
    created: account.now(),
    currency: given.currency,
    customer: given.customer ?? null,
    customer_account: null,
    description: given.description ?? null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: account.livemode,
    managed_payments: null,
    metadata: mergeMetadata({}, given.metadata),
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card', 'us_bank_account'],
    payment_record: null,
    processing: null,
    receipt_email: given.receiptEmail ?? null,
    review: null,
    setup_future_usage: given.setupFutureUsage ?? null,
    shipping: null,
    source: null,
    statement_descriptor: given.statementDescriptor ?? null,
    statement_descriptor_suffix: given.statementDescriptorSuffix ?? null,
    status: 'requires_payment_method',
    transfer_data: null,
    transfer_group: null,
  } satisfies Stripe.PaymentIntent
  account.put('payment_intent', intent)
  account.emit('payment_intent.created', intent)
  return intent
}

/** Stop a payment that has not happened. */
export function cancelPaymentIntent(
  account: StripeAccount,
  intent: Stripe.PaymentIntent,
  reason: Stripe.PaymentIntent.CancellationReason | null,
): void {
  intent.status = 'canceled'
  intent.canceled_at = account.now()
  intent.cancellation_reason = reason
  account.emit('payment_intent.canceled', intent)
}

/** Pay now. A decline is the call's answer (402) and is kept under the idempotency key. */
export function confirmPaymentIntent(account: StripeAccount, intent: Stripe.PaymentIntent, payer: Payer): void {
  const outcome = pay(account, intent, payer)
  if (outcome.kind === 'declined') {
    const error = intent.last_payment_error
    throw cardError(outcome.decline, {
      ...(error?.charge !== undefined && { charge: error.charge }),
      payment_intent: snapshot(intent),
      payment_method: snapshot(payer.paymentMethod),
    })
  }
  if (outcome.kind === 'succeeded') settleBalance(account, intent)
}

/**
 * The buyer, who is there now, pays an intent that waits for them: the one that was declined without them, or one that
 * asks for an authentication.
 *
 * @throws {Error} The intent waits for nobody.
 */
export function authenticatePayment(
  account: StripeAccount,
  intent: Stripe.PaymentIntent,
  outcome: 'succeeded' | 'failed',
): void {
  const methodId = idOf(intent.payment_method) ?? intent.last_payment_error?.payment_method?.id
  const isWaiting = intent.status === 'requires_action' || intent.status === 'requires_payment_method'
  if (!isWaiting || methodId === undefined) {
    throw new Error(`fakeStripe.authenticate: ${intent.id} is ${intent.status} and waits for no authentication`)
  }
  const method = usablePaymentMethod(account, methodId, idOf(intent.customer))
  finishAuthentication(account, intent, method, outcome)
}
