import type Stripe from 'stripe'
import type { ApiError } from '../api-error.js'
import { invalidRequest } from '../api-error.js'
import * as rule from '../parameters.js'
import type { Rules } from '../parameters.js'

type Create = Stripe.Checkout.SessionCreateParams
type LineItem = Stripe.Checkout.SessionCreateParams.LineItem

const lineItemRules: Rules<LineItem> = {
  adjustable_quantity: rule.ignored,
  metadata: rule.metadata,
  price: rule.text(),
  price_data: rule.objectOf<Stripe.Checkout.SessionCreateParams.LineItem.PriceData>({
    currency: rule.required(rule.currency),
    product: rule.text(),
    product_data: rule.objectOf<Stripe.Checkout.SessionCreateParams.LineItem.PriceData.ProductData>({
      name: rule.required(rule.text()),
      description: rule.text(),
      images: rule.listOf(rule.url, 8),
      metadata: rule.metadata,
      tax_code: rule.text(),
      tax_details: rule.ignored,
      unit_label: rule.text(12),
    }),
    recurring: rule.objectOf<Stripe.Checkout.SessionCreateParams.LineItem.PriceData.Recurring>({
      interval: rule.required(rule.oneOf('day', 'month', 'week', 'year')),
      interval_count: rule.integer(1),
    }),
    tax_behavior: rule.oneOf('exclusive', 'inclusive', 'unspecified'),
    unit_amount: rule.amount,
    unit_amount_decimal: rule.unsupported,
  }),
  quantity: rule.integer(0, 999_999),
  tax_rates: rule.unsupported,
}

const paymentIntentDataRules: Rules<Stripe.Checkout.SessionCreateParams.PaymentIntentData> = {
  application_fee_amount: rule.unsupported,
  capture_method: rule.builtOneOf(['automatic', 'automatic_async'], ['manual']),
  description: rule.text(1_000),
  metadata: rule.metadata,
  on_behalf_of: rule.unsupported,
  receipt_email: rule.text(512),
  setup_future_usage: rule.oneOf('off_session', 'on_session'),
  shipping: rule.ignored,
  statement_descriptor: rule.text(22),
  statement_descriptor_suffix: rule.text(22),
  transfer_data: rule.unsupported,
  transfer_group: rule.ignored,
}

const subscriptionDataRules: Rules<Stripe.Checkout.SessionCreateParams.SubscriptionData> = {
  application_fee_percent: rule.unsupported,
  billing_cycle_anchor: rule.integer(0),
  billing_cycle_anchor_config: rule.unsupported,
  billing_mode: rule.ignored,
  default_tax_rates: rule.unsupported,
  description: rule.text(500),
  invoice_settings: rule.ignored,
  metadata: rule.metadata,
  on_behalf_of: rule.unsupported,
  pending_invoice_item_interval: rule.unsupported,
  proration_behavior: rule.oneOf('create_prorations', 'none'),
  transfer_data: rule.unsupported,
  trial_end: rule.integer(0),
  trial_period_days: rule.integer(1, 730),
  trial_settings: rule.objectOf<Stripe.Checkout.SessionCreateParams.SubscriptionData.TrialSettings>({
    end_behavior: rule.required(
      rule.objectOf<Stripe.Checkout.SessionCreateParams.SubscriptionData.TrialSettings.EndBehavior>({
        missing_payment_method: rule.required(rule.oneOf('cancel', 'create_invoice', 'pause')),
      }),
    ),
  }),
}

/** Every parameter of `checkout.sessions.create`. `ignored` ones change only how Stripe's page looks. */
export const createRules: Rules<Create> = {
  adaptive_pricing: rule.ignored,
  after_expiration: rule.unsupported,
  allow_promotion_codes: rule.boolean,
  allowed_payment_method_types: rule.listOf(rule.text()),
  automatic_tax: rule.objectOf<Stripe.Checkout.SessionCreateParams.AutomaticTax>({
    enabled: rule.required(rule.boolean),
    liability: rule.unsupported,
  }),
  billing_address_collection: rule.oneOf('auto', 'required'),
  branding_settings: rule.ignored,
  cancel_url: rule.url,
  client_reference_id: rule.text(200),
  consent_collection: rule.ignored,
  currency: rule.currency,
  custom_fields: rule.ignored,
  custom_text: rule.ignored,
  customer: rule.text(),
  customer_account: rule.unsupported,
  customer_creation: rule.oneOf('always', 'if_required'),
  customer_email: rule.text(800),
  customer_update: rule.ignored,
  discounts: rule.listOf(
    rule.objectOf<Stripe.Checkout.SessionCreateParams.Discount>({ coupon: rule.text(), promotion_code: rule.text() }),
    1,
  ),
  excluded_payment_method_types: rule.listOf(rule.text()),
  expand: rule.expand,
  expires_at: rule.integer(0),
  integration_identifier: rule.text(),
  invoice_creation: rule.unsupported,
  line_items: rule.listOf(rule.objectOf<LineItem>(lineItemRules), 100),
  locale: rule.text(10),
  managed_payments: rule.ignored,
  metadata: rule.metadata,
  mode: rule.oneOf('payment', 'setup', 'subscription'),
  name_collection: rule.ignored,
  optional_items: rule.unsupported,
  origin_context: rule.oneOf('mobile_app', 'web'),
  payment_intent_data: rule.objectOf(paymentIntentDataRules),
  payment_method_collection: rule.oneOf('always', 'if_required'),
  payment_method_configuration: rule.ignored,
  payment_method_data: rule.ignored,
  payment_method_options: rule.ignored,
  permissions: rule.ignored,
  phone_number_collection: rule.ignored,
  redirect_on_completion: rule.oneOf('always', 'if_required', 'never'),
  return_url: rule.url,
  saved_payment_method_options: rule.ignored,
  setup_intent_data: rule.objectOf<Stripe.Checkout.SessionCreateParams.SetupIntentData>({
    description: rule.text(1_000),
    metadata: rule.metadata,
    on_behalf_of: rule.unsupported,
  }),
  shipping_address_collection: rule.unsupported,
  shipping_options: rule.unsupported,
  submit_type: rule.oneOf('auto', 'book', 'donate', 'pay', 'subscribe'),
  subscription_data: rule.objectOf(subscriptionDataRules),
  success_url: rule.url,
  tax_id_collection: rule.ignored,
  ui_mode: rule.oneOf('elements', 'embedded_page', 'form', 'hosted_page'),
  wallet_options: rule.ignored,
}

/**
 * What must hold between the parameters of a new session.
 *
 * @param now Seconds since 1970.
 * @throws {ApiError} 400, or 501 for what this server cannot do.
 */
export function checkCreate(params: Create, now: number): void {
  if (params.mode === undefined) throw rule.missing('mode')
  checkUrls(params)
  checkMode(params)
  if (params.customer !== undefined && params.customer_email !== undefined) {
    throw onlyOneOf('customer', 'customer_email')
  }
  if (params.customer !== undefined && params.customer_creation !== undefined) {
    throw onlyOneOf('customer', 'customer_creation')
  }
  if (params.discounts !== undefined && params.allow_promotion_codes !== undefined) {
    throw onlyOneOf('allow_promotion_codes', 'discounts')
  }
  if (params.expires_at === undefined) return
  if (params.expires_at < now + 30 * 60) {
    const message = 'The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.'
    throw invalidRequest(message, 'expires_at')
  }
  if (params.expires_at > now + 24 * 60 * 60) {
    const message = 'The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.'
    throw invalidRequest(message, 'expires_at')
  }
}

/** Some parameters belong to one mode. */
function checkMode(params: Create): void {
  const belongs = [
    ['payment_intent_data', ['payment']],
    ['subscription_data', ['subscription']],
    ['setup_intent_data', ['setup']],
    ['customer_creation', ['payment', 'setup']],
    ['payment_method_collection', ['subscription']],
    ['discounts', ['payment', 'subscription']],
    ['allow_promotion_codes', ['payment', 'subscription']],
    ['automatic_tax', ['payment', 'subscription']],
  ] as const
  const mode = String(params.mode)
  for (const [name, modes] of belongs) {
    if (params[name] !== undefined && !modes.some((allowed) => allowed === mode)) {
      throw invalidRequest(`You can not pass \`${name}\` in \`${mode}\` mode.`, name)
    }
  }
  if (mode === 'setup') {
    if (params.line_items !== undefined) {
      throw invalidRequest('You can not pass `line_items` in `setup` mode.', 'line_items')
    }
    if (params.currency === undefined && params.allowed_payment_method_types === undefined) {
      throw rule.missing('currency')
    }
    return
  }
  if (params.line_items === undefined || params.line_items.length === 0) throw rule.missing('line_items')
  params.line_items.forEach(checkLineItem)
}

function checkUrls(params: Create): void {
  const uiMode = params.ui_mode ?? 'hosted_page'
  if (uiMode === 'hosted_page') {
    if (params.success_url === undefined) throw rule.missing('success_url')
    if (params.return_url !== undefined) throw wrongForMode('return_url', uiMode)
    return
  }
  if (params.success_url !== undefined) throw wrongForMode('success_url', uiMode)
  if (params.cancel_url !== undefined) throw wrongForMode('cancel_url', uiMode)
  const needsReturn = params.redirect_on_completion !== 'never' && uiMode === 'embedded_page'
  if (needsReturn && params.return_url === undefined) throw rule.missing('return_url')
}

function checkLineItem(line: LineItem, index: number): void {
  const name = `line_items[${index}]`
  if (line.price === undefined && line.price_data === undefined) throw rule.missing(`${name}[price]`)
  if (line.price !== undefined && line.price_data !== undefined) {
    throw onlyOneOf(`${name}[price]`, `${name}[price_data]`)
  }
  if (line.quantity === undefined) throw rule.missing(`${name}[quantity]`)
  if (line.quantity === 0) {
    throw invalidRequest(
      'Quantity should be greater than or equal to 1.',
      `${name}[quantity]`,
      'parameter_invalid_integer',
    )
  }
  const data = line.price_data
  if (data === undefined) return
  if (data.unit_amount === undefined) throw rule.missing(`${name}[price_data][unit_amount]`)
  if (data.product === undefined && data.product_data === undefined) {
    throw rule.missing(`${name}[price_data][product_data]`)
  }
  if (data.product !== undefined && data.product_data !== undefined) {
    throw onlyOneOf(`${name}[price_data][product]`, `${name}[price_data][product_data]`)
  }
}

function onlyOneOf(first: string, second: string): ApiError {
  return invalidRequest(`You may only specify one of these parameters: ${first}, ${second}.`, first)
}

function wrongForMode(name: string, uiMode: string): ApiError {
  return invalidRequest(`You cannot specify \`${name}\` when \`ui_mode\` is \`${uiMode}\`.`, name)
}
