import type Stripe from 'stripe'
import { refused } from '../api-error.js'
import { page } from '../lists.js'
import { cardError, paymentResult } from '../payment-methods.js'
import { decimalOnTheWire } from '../resources/prices.js'
import { idOf, mergeMetadata, type StripeAccount } from '../stripe-account.js'
import { AUTHENTICATION_REQUIRED } from '../test-payment-methods.js'
import { dropUsedDiscounts, redeem } from './discounts.js'
import { collectInvoice } from './invoice-collection.js'
import { costOf, periodLine } from './invoice-lines.js'
import { draftInvoice, finalizeInvoice, pendingLines } from './invoices.js'
import { DAY, nextBoundary, restOf, type Interval, type Period } from './periods.js'
import { keepTime } from './subscription-cycle.js'
import { announce } from './subscription-status.js'

/** What a subscription starts from. */
export interface NewSubscription {
  customer: string
  items: { price: Stripe.Price; quantity: number; metadata?: Stripe.MetadataParam }[]
  discounts?: readonly { coupon?: string; discount?: string; promotion_code?: string }[]
  checkoutSession?: string
  metadata?: Stripe.MetadataParam | '' | null
  description?: string | null
  /** Seconds since 1970: nothing is due before. */
  trialEnd?: number | null
  trialEndBehavior?: Stripe.Subscription.TrialSettings.EndBehavior.MissingPaymentMethod
  /** The first full period begins here, in seconds since 1970; default now. */
  anchor?: number
  /** Whether the time before `anchor` is charged; default yes. */
  chargesStub?: boolean
  defaultPaymentMethod?: string | null
  collectionMethod?: Stripe.Subscription.CollectionMethod
  daysUntilDue?: number | null
  cancelAtPeriodEnd?: boolean
  cancelAt?: number | null
  automaticTax?: boolean
  savesPaymentMethod?: boolean
  /**
   * `collect`: the first invoice is paid at once if it can be. `refuse`: nothing is made when it cannot. `wait`: nobody
   * tries; the caller has the buyer confirm the payment.
   */
  payment: 'collect' | 'refuse' | 'wait'
  offSession?: boolean
}

/** @throws {ApiError} 400: there is nothing to collect from; 402 with `payment: 'refuse'`: the payment fails. */
export function createSubscription(account: StripeAccount, given: NewSubscription): Stripe.Subscription {
  const subscription = blankSubscription(account, given)
  const period = firstPeriod(account, subscription, given)
  const [first] = given.items
  subscription.items = page(
    given.items.map(({ price, quantity, metadata }) =>
      newItem(account, subscription, { price, quantity, period, metadata: mergeMetadata({}, metadata) }),
    ),
    { limit: 100 },
    `/v1/subscription_items?subscription=${subscription.id}`,
  )
  checkPayment(account, subscription, given)
  account.put('subscription', subscription)
  account.unannounced.add(subscription.id)
  subscription.discounts = redeem(account, given.discounts ?? [], {
    customer: given.customer,
    subscription: subscription.id,
    checkoutSession: given.checkoutSession ?? null,
  })
  // In Checkout, and where the caller lets the buyer pay, the subscription is there before its payment.
  if (given.payment === 'wait' && subscription.status === 'incomplete') announce(account, subscription)
  invoiceStart(account, subscription, given, period, first?.price.recurring ?? undefined)
  if (account.unannounced.has(subscription.id)) announce(account, subscription)
  keepTime(account, subscription)
  return subscription
}

/** The first invoice: always made at once, final at once, and collected unless the buyer is to pay it. */
function invoiceStart(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  given: NewSubscription,
  period: Period,
  interval: Interval | undefined,
): void {
  const stub = given.anchor !== undefined && interval !== undefined ? stubShare(given, period, interval) : undefined
  const lines = subscription.items.data.map((item) => {
    return periodLine(account, subscription, item, period, stub === undefined ? undefined : stub(costOf(item)))
  })
  const invoice = draftInvoice(account, {
    customer: given.customer,
    subscription,
    currency: subscription.currency,
    reason: 'subscription_create',
    lines: [...lines, ...pendingLines(account, given.customer, subscription.currency, subscription.id)],
    period: { start: account.now(), end: account.now() },
  })
  subscription.latest_invoice = invoice.id
  dropUsedDiscounts(account, subscription, invoice)
  finalizeInvoice(account, invoice)
  if (invoice.status !== 'open') return
  const isSent = invoice.collection_method === 'send_invoice'
  if (isSent) subscription.status = 'active'
  else if (given.payment !== 'wait') collectInvoice(account, invoice, { offSession: given.offSession ?? false })
}

/** The share of a full period's price that the time before the anchor costs. */
function stubShare(given: NewSubscription, period: Period, interval: Interval): (cost: number) => number {
  const end = period.end
  const start = nextBoundary(end, interval, period.start - 1) - (nextBoundary(end, interval, end) - end)
  return (cost) => (given.chargesStub === false ? 0 : restOf(cost, { start, end }, period.start))
}

function firstPeriod(account: StripeAccount, subscription: Stripe.Subscription, given: NewSubscription): Period {
  const start = account.now()
  const interval = given.items[0]?.price.recurring
  if (subscription.trial_end !== null) return { start, end: subscription.trial_end }
  if (given.anchor !== undefined) return { start, end: given.anchor }
  return { start, end: interval ? nextBoundary(start, interval, start) : start + 30 * DAY }
}

/** Refuse before anything exists: nothing to collect from, or (if asked for) a payment that would fail. */
function checkPayment(account: StripeAccount, subscription: Stripe.Subscription, given: NewSubscription): void {
  const isFree = subscription.status === 'trialing' || subscription.items.data.every((item) => costOf(item) === 0)
  if (isFree || given.payment === 'wait' || subscription.collection_method === 'send_invoice') return
  const customer = account.customer(given.customer)
  const id = given.defaultPaymentMethod ?? idOf(customer.invoice_settings.default_payment_method)
  const method = account.find('payment_method', id ?? '')
  if (method === undefined) throw noPaymentMethod()
  if (given.payment !== 'refuse') return
  refuseIfDeclined(account, method, customer.id)
}

/** @throws {ApiError} 402: this payment method would not pay right now. */
export function refuseIfDeclined(account: StripeAccount, method: Stripe.PaymentMethod, customer: string): void {
  const result = paymentResult(account, method, { offSession: false, customer })
  if (result.kind === 'declined') throw cardError(result)
  if (result.kind === 'needs_authentication') throw cardError(AUTHENTICATION_REQUIRED)
}

function noPaymentMethod() {
  return refused(
    'This customer has no attached payment source or default payment method. Please consider adding a default payment ' +
      'method. For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.',
    'resource_missing',
  )
}

interface NewItem {
  price: Stripe.Price
  quantity: number
  period: Period
  metadata?: Stripe.Metadata
}

export function newItem(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  { price, quantity, period, metadata = {} }: NewItem,
): Stripe.SubscriptionItem {
  return {
    id: account.newId('si', 14),
    object: 'subscription_item',
    billed_until: period.end,
    billing_thresholds: null,
    created: account.now(),
    current_period_end: period.end,
    current_period_start: period.start,
    current_trial: null,
    discounts: [],
    metadata,
    plan: planOf(price),
    price,
    quantity,
    subscription: subscription.id,
    tax_rates: [],
  } satisfies Stripe.SubscriptionItem
}

/** The older shape of a price, which items still carry. */
export function planOf(price: Stripe.Price): Stripe.Plan {
  const { interval = 'month', interval_count: count = 1 } = price.recurring ?? {}
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount === null ? null : decimalOnTheWire(price.unit_amount),
    billing_scheme: 'per_unit',
    created: price.created,
    currency: price.currency,
    interval,
    interval_count: count,
    livemode: price.livemode,
    metadata: price.metadata,
    meter: null,
    nickname: price.nickname,
    product: idOf(price.product),
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: 'licensed',
  } satisfies Stripe.Plan
}

function blankSubscription(account: StripeAccount, given: NewSubscription): Stripe.Subscription {
  const now = account.now()
  const trialEnd = given.trialEnd ?? null
  const periodEnd = given.items[0]?.price.recurring ? nextBoundary(now, given.items[0].price.recurring, now) : null
  const isEnding = given.cancelAtPeriodEnd === true
  return {
    id: account.newId('sub'),
    object: 'subscription',
    application: null,
    application_fee_percent: null,
    automatic_tax: {
      disabled_reason: null,
      enabled: given.automaticTax ?? false,
      liability: given.automaticTax === true ? { type: 'self' } : null,
    },
    billing_cycle_anchor: trialEnd ?? given.anchor ?? now,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: { proration_discounts: 'included' }, type: 'flexible' },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: given.cancelAt ?? (isEnding ? (trialEnd ?? periodEnd) : null),
    cancel_at_period_end: isEnding,
    canceled_at: isEnding || given.cancelAt ? now : null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: given.collectionMethod ?? 'charge_automatically',
    created: now,
    currency: given.items[0]?.price.currency ?? 'usd',
    customer: given.customer,
    customer_account: null,
    days_until_due: given.daysUntilDue ?? null,
    default_payment_method: given.defaultPaymentMethod ?? null,
    default_source: null,
    default_tax_rates: [],
    description: given.description ?? null,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    items: page<Stripe.SubscriptionItem>([], {}, ''),
    latest_invoice: null,
    livemode: account.livemode,
    managed_payments: null,
    metadata: mergeMetadata({}, given.metadata),
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: given.savesPaymentMethod === true ? 'on_subscription' : 'off',
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: trialEnd === null ? 'incomplete' : 'trialing',
    test_clock: idOf(account.customer(given.customer).test_clock),
    transfer_data: null,
    trial_end: trialEnd,
    trial_settings: {
      end_behavior: {
        billing_cycle_anchor: null,
        missing_payment_method: given.trialEndBehavior ?? 'create_invoice',
      },
    },
    trial_start: trialEnd === null ? null : now,
  } satisfies Stripe.Subscription
}
