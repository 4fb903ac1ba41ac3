import type Stripe from 'stripe'
import { ApiError, invalidRequest, refused } from '../api-error.js'
import { minimumCharge } from '../currencies.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { attachBalanceTransaction, pay, type Payer } from '../payments.js'
import { route, type RemovedParameter, type Resource } from '../routes.js'
import { idOf, mergeMetadata, snapshot, type StripeAccount } from '../stripe-account.js'

/** What a PaymentIntent starts from; the rest is what Stripe fills in. */
interface NewPaymentIntent {
  amount: number
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
    automatic_payment_methods: { allow_redirects: 'always', enabled: true },
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
function confirm(account: StripeAccount, intent: Stripe.PaymentIntent, payer: Payer): void {
  const outcome = pay(account, intent, payer)
  if (outcome.kind === 'declined') {
    const { decline } = outcome
    const body = {
      type: 'card_error' as const,
      code: decline.code,
      decline_code: decline.declineCode,
      advice_code: decline.adviceCode,
      message: decline.message,
      ...(intent.last_payment_error?.charge !== undefined && { charge: intent.last_payment_error.charge }),
      payment_intent: snapshot(intent),
    }
    throw new ApiError(402, body, true)
  }
  if (outcome.kind === 'succeeded') {
    const chargeId = idOf(intent.latest_charge)
    if (chargeId !== null) attachBalanceTransaction(account, account.get('charge', chargeId))
  }
}

export const paymentMethodTypesRemoved: RemovedParameter = {
  name: 'payment_method_types',
  code: 'payment_method_types_no_longer_supported',
  since: '2026-09-30',
}

const confirmationRules = {
  amount_details: rule.unsupported,
  allowed_payment_method_types: rule.ignored,
  capture_method: rule.builtOneOf(['automatic', 'automatic_async'], ['manual']),
  confirmation_token: rule.unsupported,
  error_on_requires_action: rule.boolean,
  excluded_payment_method_types: rule.ignored,
  expand: rule.expand,
  hooks: rule.ignored,
  mandate: rule.unsupported,
  mandate_data: rule.ignored,
  off_session: rule.boolean,
  payment_details: rule.ignored,
  payment_method: rule.text(),
  payment_method_data: rule.unsupported,
  payment_method_options: rule.ignored,
  radar_options: rule.ignored,
  receipt_email: rule.emptyable(rule.text(512)),
  return_url: rule.url,
  setup_future_usage: rule.oneOf('off_session', 'on_session'),
  shipping: rule.ignored,
  use_stripe_sdk: rule.boolean,
}

const create = route<Stripe.PaymentIntentCreateParams>('POST /v1/payment_intents', {
  gives: 'payment_intent',
  removed: [paymentMethodTypesRemoved],
  parameters: {
    ...confirmationRules,
    amount: rule.required(rule.amount),
    currency: rule.required(rule.currency),
    application_fee_amount: rule.unsupported,
    automatic_payment_methods: rule.objectOf<Stripe.PaymentIntentCreateParams.AutomaticPaymentMethods>({
      enabled: rule.required(rule.boolean),
      allow_redirects: rule.oneOf('always', 'never'),
    }),
    confirm: rule.boolean,
    confirmation_method: rule.oneOf('automatic', 'manual'),
    customer: rule.text(),
    customer_account: rule.unsupported,
    description: rule.text(1_000),
    metadata: rule.metadata,
    on_behalf_of: rule.unsupported,
    payment_method_configuration: rule.ignored,
    statement_descriptor: rule.text(22),
    statement_descriptor_suffix: rule.text(22),
    transfer_data: rule.unsupported,
    transfer_group: rule.ignored,
  },
  handle: ({ account, params }) => {
    if (params.amount < minimumCharge(params.currency)) {
      const message = `Amount must be at least ${minimumCharge(params.currency)} in the smallest unit of ${params.currency}`
      throw invalidRequest(message, 'amount', 'amount_too_small')
    }
    const customer = params.customer === undefined ? null : account.customer(params.customer).id
    if (params.off_session !== undefined && params.confirm !== true) {
      throw invalidRequest('You cannot set `off_session` unless `confirm` is true.', 'off_session')
    }
    if (params.confirm === true && params.payment_method === undefined) throw noPaymentMethod()
    const intent = createPaymentIntent(account, {
      amount: params.amount,
      currency: params.currency,
      customer,
      ...(params.description !== undefined && { description: params.description }),
      ...(params.metadata !== undefined && { metadata: params.metadata }),
      ...(params.receipt_email !== undefined && { receiptEmail: params.receipt_email }),
      ...(params.setup_future_usage !== undefined && { setupFutureUsage: params.setup_future_usage }),
      ...(params.statement_descriptor !== undefined && { statementDescriptor: params.statement_descriptor }),
    })
    if (params.payment_method !== undefined) {
      intent.payment_method = params.payment_method
      intent.status = 'requires_confirmation'
    }
    if (params.confirm === true) {
      confirm(account, intent, { paymentMethod: params.payment_method ?? '', offSession: params.off_session === true })
    }
    return intent
  },
})

const retrieve = route<Stripe.PaymentIntentRetrieveParams>('GET /v1/payment_intents/:id', {
  gives: 'payment_intent',
  parameters: { client_secret: rule.ignored, expand: rule.expand },
  handle: ({ account, id }) => account.get('payment_intent', id, 'intent'),
})

/** Metadata and description change on the intent only: the charge keeps what it was made with. */
const update = route<Stripe.PaymentIntentUpdateParams>('POST /v1/payment_intents/:id', {
  gives: 'payment_intent',
  removed: [paymentMethodTypesRemoved],
  parameters: {
    allowed_payment_method_types: rule.ignored,
    amount: rule.amount,
    amount_details: rule.unsupported,
    application_fee_amount: rule.unsupported,
    capture_method: rule.unsupported,
    currency: rule.currency,
    customer: rule.text(),
    customer_account: rule.unsupported,
    description: rule.text(1_000),
    excluded_payment_method_types: rule.ignored,
    expand: rule.expand,
    hooks: rule.ignored,
    metadata: rule.metadata,
    payment_details: rule.ignored,
    payment_method: rule.text(),
    payment_method_configuration: rule.ignored,
    payment_method_data: rule.unsupported,
    payment_method_options: rule.ignored,
    receipt_email: rule.emptyable(rule.text(512)),
    setup_future_usage: rule.ignored,
    shipping: rule.ignored,
    statement_descriptor: rule.text(22),
    statement_descriptor_suffix: rule.text(22),
    transfer_data: rule.unsupported,
    transfer_group: rule.ignored,
  },
  handle: ({ account, params, id }) => {
    const intent = account.get('payment_intent', id, 'intent')
    const changesPayment = params.amount !== undefined || params.currency !== undefined
    if (changesPayment && (intent.status === 'succeeded' || intent.status === 'canceled')) {
      throw unexpectedState(intent, 'updated')
    }
    if (params.amount !== undefined) intent.amount = params.amount
    if (params.currency !== undefined) intent.currency = params.currency
    if (params.customer !== undefined) intent.customer = account.customer(params.customer).id
    if (params.description !== undefined) intent.description = params.description
    if (params.payment_method !== undefined) intent.payment_method = params.payment_method
    intent.metadata = mergeMetadata(intent.metadata, params.metadata)
    return intent
  },
})

const confirmRoute = route<Stripe.PaymentIntentConfirmParams>('POST /v1/payment_intents/:id/confirm', {
  gives: 'payment_intent',
  removed: [paymentMethodTypesRemoved],
  parameters: { ...confirmationRules, amount_to_confirm: rule.unsupported },
  handle: ({ account, params, id }) => {
    const intent = account.get('payment_intent', id, 'intent')
    if (!['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(intent.status)) {
      throw unexpectedState(intent, 'confirmed')
    }
    const paymentMethod = params.payment_method ?? idOf(intent.payment_method)
    if (paymentMethod === null) throw noPaymentMethod()
    confirm(account, intent, { paymentMethod, offSession: params.off_session === true })
    return intent
  },
})

const cancel = route<Stripe.PaymentIntentCancelParams>('POST /v1/payment_intents/:id/cancel', {
  gives: 'payment_intent',
  parameters: {
    cancellation_reason: rule.oneOf('abandoned', 'duplicate', 'fraudulent', 'requested_by_customer'),
    expand: rule.expand,
  },
  handle: ({ account, params, id }) => {
    const intent = account.get('payment_intent', id, 'intent')
    if (['succeeded', 'canceled', 'processing'].includes(intent.status)) throw unexpectedState(intent, 'canceled')
    cancelPaymentIntent(account, intent, params.cancellation_reason ?? null)
    return intent
  },
})

const list = route<Stripe.PaymentIntentListParams>('GET /v1/payment_intents', {
  gives: 'payment_intent',
  list: true,
  parameters: {
    ...rule.listRules,
    created: rule.createdRange,
    customer: rule.text(),
    customer_account: rule.unsupported,
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('payment_intent')
      .filter((intent) => params.customer === undefined || idOf(intent.customer) === params.customer)
      .filter((intent) => isCreatedIn(intent.created, params.created))
    return page(matching.reverse(), params, '/v1/payment_intents')
  },
})

function unexpectedState(intent: Stripe.PaymentIntent, action: string): ApiError {
  const message = `This PaymentIntent could not be ${action} because it has a status of ${intent.status}.`
  return refused(message, 'payment_intent_unexpected_state')
}

function noPaymentMethod(): ApiError {
  const message =
    'You cannot confirm this PaymentIntent because it is missing a payment method. Update the PaymentIntent with a ' +
    'payment method and then try again.'
  return invalidRequest(message, 'payment_method', 'parameter_missing')
}

export const paymentIntents: Resource = {
  routes: [create, retrieve, update, confirmRoute, cancel, list],
  expandable: { payment_intent: { customer: reference('customer'), latest_charge: reference('charge') } },
}
