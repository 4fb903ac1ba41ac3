import type Stripe from 'stripe'
import { invalidRequest } from '../api-error.js'
import * as rule from '../parameters.js'
import type { Rules } from '../parameters.js'
import { idOf, type StripeAccount } from '../stripe-account.js'
import { createPrice } from './prices.js'

type Create = Stripe.SubscriptionCreateParams
type Update = Stripe.SubscriptionUpdateParams

export const prorationBehavior = rule.oneOf('always_invoice', 'create_prorations', 'none')
export const paymentBehavior = rule.builtOneOf(
  ['allow_incomplete', 'default_incomplete', 'error_if_incomplete'],
  ['pending_if_incomplete'],
)

export const discountsRule = rule.emptyable(
  rule.listOf(
    rule.objectOf<Stripe.SubscriptionCreateParams.Discount>({
      coupon: rule.text(),
      discount: rule.text(),
      promotion_code: rule.text(),
    }),
    20,
  ),
)

export const priceDataRule = rule.objectOf<Stripe.SubscriptionCreateParams.Item.PriceData>({
  currency: rule.required(rule.currency),
  product: rule.required(rule.text()),
  recurring: rule.required(
    rule.objectOf<Stripe.SubscriptionCreateParams.Item.PriceData.Recurring>({
      interval: rule.required(rule.oneOf('day', 'month', 'week', 'year')),
      interval_count: rule.integer(1),
    }),
  ),
  tax_behavior: rule.oneOf('exclusive', 'inclusive', 'unspecified'),
  unit_amount: rule.amount,
  unit_amount_decimal: rule.unsupported,
})

const itemRules: Rules<Stripe.SubscriptionCreateParams.Item> = {
  billing_thresholds: rule.unsupported,
  current_trial: rule.unsupported,
  discounts: rule.unsupported,
  metadata: rule.metadata,
  plan: rule.text(),
  price: rule.text(),
  price_data: priceDataRule,
  quantity: rule.integer(0, 999_999),
  tax_rates: rule.unsupported,
}

const addedItem = rule.objectOf<Stripe.SubscriptionCreateParams.AddInvoiceItem>({
  discountable: rule.unsupported,
  discounts: rule.unsupported,
  metadata: rule.metadata,
  period: rule.unsupported,
  price: rule.text(),
  price_data: rule.unsupported,
  quantity: rule.integer(0, 999_999),
  tax_rates: rule.unsupported,
})

/** What creating and updating a subscription have in common. */
const shared = {
  add_invoice_items: rule.listOf(addedItem, 20),
  application_fee_percent: rule.unsupported,
  automatic_tax: rule.objectOf<Stripe.SubscriptionCreateParams.AutomaticTax>({
    enabled: rule.required(rule.boolean),
    liability: rule.unsupported,
  }),
  billing_schedules: rule.unsupported,
  billing_thresholds: rule.unsupported,
  cancel_at: rule.emptyable(rule.integer(0)),
  cancel_at_period_end: rule.boolean,
  collection_method: rule.oneOf('charge_automatically', 'send_invoice'),
  days_until_due: rule.integer(0),
  default_payment_method: rule.text(),
  default_source: rule.unsupported,
  default_tax_rates: rule.unsupported,
  description: rule.emptyable(rule.text(500)),
  discounts: discountsRule,
  expand: rule.expand,
  invoice_settings: rule.ignored,
  metadata: rule.metadata,
  off_session: rule.boolean,
  on_behalf_of: rule.unsupported,
  payment_behavior: paymentBehavior,
  payment_settings: rule.objectOf<Stripe.SubscriptionCreateParams.PaymentSettings>({
    payment_method_options: rule.ignored,
    payment_method_types: rule.ignored,
    save_default_payment_method: rule.oneOf('off', 'on_subscription'),
  }),
  pending_invoice_item_interval: rule.unsupported,
  proration_behavior: prorationBehavior,
  transfer_data: rule.unsupported,
  trial_end: rule.wordOr('now', rule.integer(0)),
  trial_from_plan: rule.ignored,
  trial_settings: rule.objectOf<Stripe.SubscriptionCreateParams.TrialSettings>({
    end_behavior: rule.required(
      rule.objectOf<Stripe.SubscriptionCreateParams.TrialSettings.EndBehavior>({
        billing_cycle_anchor: rule.unsupported,
        missing_payment_method: rule.required(rule.oneOf('cancel', 'create_invoice', 'pause')),
      }),
    ),
  }),
}

export const createRules: Rules<Create> = {
  ...shared,
  backdate_start_date: rule.unsupported,
  billing_cycle_anchor: rule.integer(0),
  billing_cycle_anchor_config: rule.unsupported,
  billing_mode: rule.ignored,
  currency: rule.currency,
  customer: rule.required(rule.text()),
  customer_account: rule.unsupported,
  items: rule.required(rule.listOf(rule.objectOf(itemRules), 20)),
  trial_period_days: rule.integer(1, 730),
}

export const updateRules: Rules<Update> = {
  ...shared,
  billing_cycle_anchor: rule.objectOf<Stripe.SubscriptionUpdateParams.BillingCycleAnchor>({
    type: rule.required(rule.oneOf('now', 'unchanged')),
  }),
  cancellation_details: cancellationDetails(),
  items: rule.listOf(
    rule.objectOf<Stripe.SubscriptionUpdateParams.Item>({
      ...itemRules,
      clear_usage: rule.unsupported,
      deleted: rule.boolean,
      id: rule.text(),
    }),
    20,
  ),
  pause_collection: rule.emptyable(
    rule.objectOf<Stripe.SubscriptionUpdateParams.PauseCollection>({
      behavior: rule.required(rule.oneOf('keep_as_draft', 'mark_uncollectible', 'void')),
      resumes_at: rule.integer(0),
    }),
  ),
  proration_date: rule.integer(0),
}

export function cancellationDetails() {
  return rule.objectOf<Stripe.SubscriptionUpdateParams.CancellationDetails>({
    comment: rule.emptyable(rule.text()),
    feedback: rule.emptyable(rule.text()),
    feedback_option: rule.unsupported,
  })
}

interface GivenPrice {
  price?: string
  plan?: string
  price_data?: Stripe.SubscriptionCreateParams.Item.PriceData
}

/** The recurring price an item names. @throws {ApiError} 400: it is one-time, inactive or not there. */
export function recurringPrice(account: StripeAccount, given: GivenPrice, param: string): Stripe.Price {
  if (given.price_data !== undefined) {
    const { unit_amount: amount, ...data } = given.price_data
    if (amount === undefined) throw rule.missing(`${param}[price_data][unit_amount]`)
    const price = createPrice(account, { ...data, unit_amount: amount })
    price.active = false
    return price
  }
  const id = given.price ?? given.plan
  if (id === undefined) throw rule.missing(`${param}[price]`)
  const price = account.get('price', id, `${param}[price]`, 400)
  if (!price.active) throw invalidRequest('The price specified is inactive.', `${param}[price]`)
  if (price.type === 'recurring') return price
  const message =
    'The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.'
  throw invalidRequest(message, `${param}[price]`)
}

/** @throws {ApiError} 400: currencies or intervals differ. This server bills all items of a subscription together. */
export function checkTogether(prices: readonly Stripe.Price[]): void {
  const keys = prices.map(({ recurring }) => `${recurring?.interval ?? ''} ${recurring?.interval_count ?? 1}`)
  if (new Set(prices.map((price) => price.currency)).size > 1) {
    throw invalidRequest('All prices of a subscription must have the same currency.', 'items')
  }
  if (new Set(keys).size > 1) {
    throw invalidRequest('Currently, all prices of a subscription must have the same interval here.', 'items')
  }
  const ids = prices.map((price) => idOf(price))
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined && twice !== null) {
    throw invalidRequest(`Cannot add multiple subscription items with the same plan: ${twice}`, 'items')
  }
}
