import type Stripe from 'stripe'
import { attachPaymentMethod, cardError } from './payment-methods.js'
import { idOf, mergeMetadata, snapshot, type StripeAccount } from './stripe-account.js'
import { testPaymentMethod, type Declined } from './test-payment-methods.js'

/** What a SetupIntent starts from. */
interface NewSetupIntent {
  customer: string | null
  description?: string | null
  metadata?: Stripe.MetadataParam
  usage?: string
}

const NOT_AUTHENTICATED: Declined = {
  kind: 'declined',
  code: 'setup_intent_authentication_failure',
  declineCode: 'authentication_not_handled',
  adviceCode: 'try_again_later',
  message:
    'The latest attempt to set up the payment method has failed because authentication failed. Please provide a new ' +
    'payment method and attempt to set it up again.',
}

export function createSetupIntent(account: StripeAccount, given: NewSetupIntent): Stripe.SetupIntent {
  const id = account.newId('seti')
  const intent = {
    id,
    object: 'setup_intent',
    allowed_payment_method_types: null,
    application: null,
    automatic_payment_methods: { allow_redirects: 'always', enabled: true },
    cancellation_reason: null,
    client_secret: `${id}_${account.newId('secret')}`,
    created: account.now(),
    customer: given.customer,
    customer_account: null,
    description: given.description ?? null,
    excluded_payment_method_types: null,
    flow_directions: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: account.livemode,
    managed_payments: null,
    mandate: null,
    metadata: mergeMetadata({}, given.metadata),
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card', 'us_bank_account'],
    single_use_mandate: null,
    status: 'requires_payment_method',
    usage: given.usage ?? 'off_session',
  } satisfies Stripe.SetupIntent
  account.put('setup_intent', intent)
  account.emit('setup_intent.created', intent)
  return intent
}

/**
 * Save a payment method for later payments.
 *
 * @param isAuthenticated The buyer has passed the authentication, if one is needed.
 * @throws {ApiError} 402: the bank refuses.
 */
export function confirmSetupIntent(
  account: StripeAccount,
  intent: Stripe.SetupIntent,
  method: Stripe.PaymentMethod,
  isAuthenticated = false,
): void {
  const behaviour = testPaymentMethod(account.behaviours.get(method.id) ?? '')
  intent.last_setup_error = null
  intent.next_action = null
  intent.payment_method = method.id
  if (behaviour.saves !== undefined) {
    failSetup(account, intent, method, behaviour.saves)
    throw cardError(behaviour.saves, { setup_intent: snapshot(intent), payment_method: snapshot(method) })
  }
  if (behaviour.pays.kind === 'needs_authentication' && !isAuthenticated) {
    intent.status = 'requires_action'
    intent.next_action = { type: 'use_stripe_sdk', use_stripe_sdk: {} }
    account.emit('setup_intent.requires_action', intent)
    return
  }
  const customer = idOf(intent.customer)
  if (customer !== null) attachPaymentMethod(account, method, customer)
  account.setUp.add(method.id)
  intent.status = 'succeeded'
  account.emit('setup_intent.succeeded', intent)
}

/** The buyer passes or fails the authentication a SetupIntent waits for. @throws {Error} It waits for none. */
export function authenticateSetup(
  account: StripeAccount,
  intent: Stripe.SetupIntent,
  outcome: 'succeeded' | 'failed',
): void {
  const method = account.find('payment_method', idOf(intent.payment_method) ?? '')
  if (intent.status !== 'requires_action' || method === undefined) {
    throw new Error(`fakeStripe.authenticate: ${intent.id} is ${intent.status} and waits for no authentication`)
  }
  if (outcome === 'succeeded') confirmSetupIntent(account, intent, method, true)
  else failSetup(account, intent, method, NOT_AUTHENTICATED)
}

/** The card could not be saved. */
export function failSetup(
  account: StripeAccount,
  intent: Stripe.SetupIntent,
  method: Stripe.PaymentMethod,
  decline: Declined,
): void {
  intent.status = 'requires_payment_method'
  intent.payment_method = null
  intent.next_action = null
  intent.last_setup_error = {
    type: decline === NOT_AUTHENTICATED ? 'invalid_request_error' : 'card_error',
    code: decline.code,
    decline_code: decline.declineCode,
    advice_code: decline.adviceCode,
    message: decline.message,
    payment_method: snapshot(method),
  }
  account.emit('setup_intent.setup_failed', intent)
}
