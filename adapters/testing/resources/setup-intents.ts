import type Stripe from 'stripe'
import type { ApiError } from '../api-error.js'
import { invalidRequest, refused } from '../api-error.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { usablePaymentMethod } from '../payment-methods.js'
import { route, type Resource } from '../routes.js'
import { confirmSetupIntent, createSetupIntent } from '../setup-intents.js'
import { idOf, mergeMetadata } from '../stripe-account.js'
import { paymentMethodTypesRemoved } from './payment-intents.js'

const create = route<Stripe.SetupIntentCreateParams>('POST /v1/setup_intents', {
  gives: 'setup_intent',
  removed: [paymentMethodTypesRemoved],
  parameters: {
    allowed_payment_method_types: rule.ignored,
    attach_to_self: rule.unsupported,
    automatic_payment_methods: rule.ignored,
    confirm: rule.boolean,
    confirmation_token: rule.unsupported,
    customer: rule.text(),
    customer_account: rule.unsupported,
    description: rule.text(1_000),
    excluded_payment_method_types: rule.ignored,
    expand: rule.expand,
    flow_directions: rule.unsupported,
    mandate_data: rule.ignored,
    metadata: rule.metadata,
    on_behalf_of: rule.unsupported,
    payment_method: rule.text(),
    payment_method_configuration: rule.ignored,
    payment_method_data: rule.unsupported,
    payment_method_options: rule.ignored,
    return_url: rule.url,
    single_use: rule.unsupported,
    usage: rule.oneOf('off_session', 'on_session'),
    use_stripe_sdk: rule.boolean,
  },
  handle: ({ account, params }) => {
    const customer = params.customer === undefined ? null : account.customer(params.customer).id
    if (params.confirm === true && params.payment_method === undefined) throw noPaymentMethod()
    const method =
      params.payment_method === undefined ? undefined : usablePaymentMethod(account, params.payment_method, customer)
    const intent = createSetupIntent(account, {
      customer,
      ...(params.description !== undefined && { description: params.description }),
      ...(params.metadata !== undefined && { metadata: params.metadata }),
      ...(params.usage !== undefined && { usage: params.usage }),
    })
    if (method === undefined) return intent
    intent.payment_method = method.id
    intent.status = 'requires_confirmation'
    if (params.confirm === true) confirmSetupIntent(account, intent, method)
    return intent
  },
})

const retrieve = route<Stripe.SetupIntentRetrieveParams>('GET /v1/setup_intents/:id', {
  gives: 'setup_intent',
  parameters: { client_secret: rule.ignored, expand: rule.expand },
  handle: ({ account, id }) => account.get('setup_intent', id, 'intent'),
})

const update = route<Stripe.SetupIntentUpdateParams>('POST /v1/setup_intents/:id', {
  gives: 'setup_intent',
  removed: [paymentMethodTypesRemoved],
  parameters: {
    allowed_payment_method_types: rule.ignored,
    attach_to_self: rule.unsupported,
    customer: rule.text(),
    customer_account: rule.unsupported,
    description: rule.text(1_000),
    excluded_payment_method_types: rule.ignored,
    expand: rule.expand,
    flow_directions: rule.unsupported,
    metadata: rule.metadata,
    payment_method: rule.text(),
    payment_method_configuration: rule.ignored,
    payment_method_data: rule.unsupported,
    payment_method_options: rule.ignored,
  },
  handle: ({ account, params, id }) => {
    const intent = account.get('setup_intent', id, 'intent')
    if (params.customer !== undefined) intent.customer = account.customer(params.customer).id
    if (params.description !== undefined) intent.description = params.description
    if (params.payment_method !== undefined) {
      intent.payment_method = usablePaymentMethod(account, params.payment_method, idOf(intent.customer)).id
      if (intent.status === 'requires_payment_method') intent.status = 'requires_confirmation'
    }
    intent.metadata = mergeMetadata(intent.metadata ?? {}, params.metadata)
    return intent
  },
})

const confirm = route<Stripe.SetupIntentConfirmParams>('POST /v1/setup_intents/:id/confirm', {
  gives: 'setup_intent',
  parameters: {
    allowed_payment_method_types: rule.ignored,
    confirmation_token: rule.unsupported,
    expand: rule.expand,
    mandate_data: rule.ignored,
    payment_method: rule.text(),
    payment_method_data: rule.unsupported,
    payment_method_options: rule.ignored,
    return_url: rule.url,
    use_stripe_sdk: rule.boolean,
  },
  handle: ({ account, params, id }) => {
    const intent = account.get('setup_intent', id, 'intent')
    if (intent.status === 'succeeded' || intent.status === 'canceled') throw unexpectedState(intent, 'confirmed')
    const methodId = params.payment_method ?? idOf(intent.payment_method)
    if (methodId === null) throw noPaymentMethod()
    confirmSetupIntent(account, intent, usablePaymentMethod(account, methodId, idOf(intent.customer)))
    return intent
  },
})

const cancel = route<Stripe.SetupIntentCancelParams>('POST /v1/setup_intents/:id/cancel', {
  gives: 'setup_intent',
  parameters: {
    cancellation_reason: rule.oneOf('abandoned', 'duplicate', 'requested_by_customer'),
    expand: rule.expand,
  },
  handle: ({ account, params, id }) => {
    const intent = account.get('setup_intent', id, 'intent')
    if (intent.status === 'succeeded' || intent.status === 'canceled') throw unexpectedState(intent, 'canceled')
    intent.status = 'canceled'
    intent.cancellation_reason = params.cancellation_reason ?? null
    account.emit('setup_intent.canceled', intent)
    return intent
  },
})

const list = route<Stripe.SetupIntentListParams>('GET /v1/setup_intents', {
  gives: 'setup_intent',
  list: true,
  parameters: {
    ...rule.listRules,
    attach_to_self: rule.unsupported,
    created: rule.createdRange,
    customer: rule.text(),
    customer_account: rule.unsupported,
    payment_method: rule.text(),
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('setup_intent')
      .filter((intent) => params.customer === undefined || idOf(intent.customer) === params.customer)
      .filter((intent) => params.payment_method === undefined || idOf(intent.payment_method) === params.payment_method)
      .filter((intent) => isCreatedIn(intent.created, params.created))
    return page(matching.reverse(), params, '/v1/setup_intents')
  },
})

function unexpectedState(intent: Stripe.SetupIntent, action: string): ApiError {
  const message = `This SetupIntent could not be ${action} because it has a status of ${intent.status}.`
  return refused(message, 'setup_intent_unexpected_state')
}

function noPaymentMethod(): ApiError {
  const message =
    'You cannot confirm this SetupIntent because it is missing a payment method. Update the SetupIntent with a payment ' +
    'method and then try again.'
  return invalidRequest(message, 'payment_method', 'parameter_missing')
}

export const setupIntents: Resource = {
  routes: [create, retrieve, update, confirm, cancel, list],
  expandable: {
    setup_intent: { customer: reference('customer'), payment_method: reference('payment_method') },
  },
}
