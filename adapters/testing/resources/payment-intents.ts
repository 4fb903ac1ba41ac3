import type Stripe from 'stripe'
import type { ApiError } from '../api-error.js'
import { invalidRequest, refused } from '../api-error.js'
import { minimumCharge } from '../currencies.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import { cancelPaymentIntent, confirmPaymentIntent, createPaymentIntent } from '../payment-intents.js'
import { usablePaymentMethod } from '../payment-methods.js'
import * as rule from '../parameters.js'
import { route, type RemovedParameter, type Resource } from '../routes.js'
import { searchPage } from '../search.js'
import { idOf, mergeMetadata } from '../stripe-account.js'

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
  // Who names the types has no others, and of those the local Stripe has, none leads away.
  removed: [{ ...paymentMethodTypesRemoved, means: { automatic_payment_methods: { enabled: 'false' } } }],
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
    if (params.off_session === true && params.setup_future_usage !== undefined) throw noSetupOffSession()
    if (params.confirm === true && params.payment_method === undefined) throw noPaymentMethod()
    const automatic = params.automatic_payment_methods
    if (params.confirm === true && leadsNowhere(automatic, params)) throw noReturnUrl()
    const method =
      params.payment_method === undefined ? undefined : usablePaymentMethod(account, params.payment_method, customer)
    const intent = createPaymentIntent(account, {
      amount: params.amount,
      currency: params.currency,
      customer,
      ...(automatic !== undefined && { automaticPaymentMethods: { allow_redirects: 'always', ...automatic } }),
      ...(params.description !== undefined && { description: params.description }),
      ...(params.metadata !== undefined && { metadata: params.metadata }),
      ...(params.receipt_email !== undefined && { receiptEmail: params.receipt_email }),
      ...(params.setup_future_usage !== undefined && { setupFutureUsage: params.setup_future_usage }),
      ...(params.statement_descriptor !== undefined && { statementDescriptor: params.statement_descriptor }),
    })
    if (method === undefined) return intent
    intent.payment_method = method.id
    intent.status = 'requires_confirmation'
    if (params.confirm === true) {
      confirmPaymentIntent(account, intent, { paymentMethod: method, offSession: params.off_session === true })
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
    if (params.payment_method !== undefined) {
      intent.payment_method = usablePaymentMethod(account, params.payment_method, idOf(intent.customer)).id
      if (intent.status === 'requires_payment_method') intent.status = 'requires_confirmation'
    }
    if (params.receipt_email !== undefined) intent.receipt_email = params.receipt_email
    intent.metadata = mergeMetadata(intent.metadata, params.metadata)
    return intent
  },
})

const confirm = route<Stripe.PaymentIntentConfirmParams>('POST /v1/payment_intents/:id/confirm', {
  gives: 'payment_intent',
  removed: [paymentMethodTypesRemoved],
  parameters: { ...confirmationRules, amount_to_confirm: rule.unsupported },
  handle: ({ account, params, id }) => {
    const intent = account.get('payment_intent', id, 'intent')
    if (!['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(intent.status)) {
      throw unexpectedState(intent, 'confirmed')
    }
    const methodId = params.payment_method ?? idOf(intent.payment_method)
    if (methodId === null) throw noPaymentMethod()
    if (leadsNowhere(intent.automatic_payment_methods, params)) throw noReturnUrl()
    if (params.off_session === true && intent.setup_future_usage !== null) throw noSetupOffSession()
    if (params.setup_future_usage !== undefined) intent.setup_future_usage = params.setup_future_usage
    const paymentMethod = usablePaymentMethod(account, methodId, idOf(intent.customer))
    confirmPaymentIntent(account, intent, { paymentMethod, offSession: params.off_session === true })
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

const search = route<Stripe.PaymentIntentSearchParams>('GET /v1/payment_intents/search', {
  gives: 'payment_intent',
  list: true,
  parameters: {
    query: rule.required(rule.text()),
    expand: rule.expand,
    limit: rule.integer(1, 100),
    page: rule.text(),
  },
  handle: ({ account, params }) => {
    return searchPage(account.all('payment_intent').reverse(), params, '/v1/payment_intents/search')
  },
})

/**
 * May the payment send its buyer to another site, with no page to come back to? Without a buyer nobody is sent anywhere.
 * https://docs.stripe.com/changelog/2023-08-16/automatic-payment-methods
 */
function leadsNowhere(
  automatic: Stripe.PaymentIntent.AutomaticPaymentMethods | null | undefined,
  { off_session, return_url }: { off_session?: unknown; return_url?: string },
): boolean {
  const redirects = automatic?.enabled !== false && automatic?.allow_redirects !== 'never'
  return redirects && off_session !== true && return_url === undefined
}

function noReturnUrl(): ApiError {
  const message =
    'This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment ' +
    "methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept " +
    'redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and ' +
    '`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.'
  return invalidRequest(message)
}

function noSetupOffSession(): ApiError {
  const message =
    'You cannot confirm with the `off_session` parameter when `setup_future_usage` is also set on the PaymentIntent ' +
    'because you cannot set up future usages when processing payments off-session.'
  return invalidRequest(message, 'off_session')
}

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
  routes: [create, retrieve, update, confirm, cancel, list, search],
  expandable: {
    payment_intent: {
      customer: reference('customer'),
      latest_charge: reference('charge'),
      payment_method: reference('payment_method'),
    },
  },
}
