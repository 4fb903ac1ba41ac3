import type Stripe from 'stripe'
import { refused } from '../api-error.js'
import { createInvoiceItem } from '../billing/invoice-lines.js'
import { changeItems, prorationOf, type ChangeOptions } from '../billing/subscription-changes.js'
import { redeem } from '../billing/discounts.js'
import { DAY } from '../billing/periods.js'
import { hasEnded, keepTime, pauseSubscription, periodOf } from '../billing/subscription-cycle.js'
import { cancelSubscription, resumeSubscription } from '../billing/subscription-end.js'
import { announce } from '../billing/subscription-status.js'
import { createSubscription, refuseIfDeclined, type NewSubscription } from '../billing/subscriptions.js'
import { partOf, reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { attachedPaymentMethod } from '../payment-methods.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata, snapshot, type StripeAccount } from '../stripe-account.js'
import { cancellationDetails, checkTogether, createRules, recurringPrice, updateRules } from './subscription-rules.js'

const create = route<Stripe.SubscriptionCreateParams>('POST /v1/subscriptions', {
  gives: 'subscription',
  parameters: createRules,
  handle: ({ account, params }) => {
    const customer = account.customer(params.customer ?? '').id
    return account.inTimeOf(customer, () => createSubscription(account, newSubscription(account, customer, params)))
  },
})

function newSubscription(
  account: StripeAccount,
  customer: string,
  params: Stripe.SubscriptionCreateParams,
): NewSubscription {
  const items = (params.items ?? []).map((item, index) => ({
    price: recurringPrice(account, item, `items[${index}]`),
    quantity: item.quantity ?? 1,
    metadata: item.metadata ?? {},
  }))
  if (items.length === 0) throw rule.missing('items')
  checkTogether(items.map(({ price }) => price))
  const currency = items[0]?.price.currency ?? ''
  addInvoiceItems(account, customer, currency, null, params.add_invoice_items ?? [])
  const behavior = params.payment_behavior ?? 'allow_incomplete'
  const method = params.default_payment_method
  return {
    customer,
    items,
    discounts: Array.isArray(params.discounts) ? params.discounts : [],
    metadata: params.metadata ?? {},
    description: params.description ?? null,
    trialEnd: trialEndOf(account, params),
    ...(params.trial_settings && {
      trialEndBehavior: params.trial_settings.end_behavior.missing_payment_method,
    }),
    ...(params.billing_cycle_anchor !== undefined && { anchor: params.billing_cycle_anchor }),
    chargesStub: params.proration_behavior !== 'none',
    defaultPaymentMethod:
      method === undefined ? null : attachedPaymentMethod(account, method, customer, 'default_payment_method').id,
    collectionMethod: params.collection_method ?? 'charge_automatically',
    daysUntilDue: params.days_until_due ?? null,
    cancelAtPeriodEnd: params.cancel_at_period_end ?? false,
    cancelAt: typeof params.cancel_at === 'number' ? params.cancel_at : null,
    automaticTax: params.automatic_tax?.enabled ?? false,
    savesPaymentMethod: params.payment_settings?.save_default_payment_method === 'on_subscription',
    offSession: params.off_session ?? false,
    payment: behavior === 'default_incomplete' ? 'wait' : behavior === 'error_if_incomplete' ? 'refuse' : 'collect',
  }
}

function trialEndOf(account: StripeAccount, params: Stripe.SubscriptionCreateParams): number | null {
  if (typeof params.trial_end === 'number') return params.trial_end
  return params.trial_period_days === undefined ? null : account.now() + params.trial_period_days * DAY
}

/** One-time prices for the next invoice. */
function addInvoiceItems(
  account: StripeAccount,
  customer: string,
  currency: string,
  subscription: string | null,
  given: readonly { price?: string; quantity?: number; metadata?: Stripe.MetadataParam }[],
): void {
  given.forEach(({ price: id, quantity = 1, metadata }, index) => {
    const price = account.get('price', id ?? '', `add_invoice_items[${index}][price]`, 400)
    const product = account.find('product', idOf(price.product) ?? '')
    createInvoiceItem(account, {
      customer,
      amount: (price.unit_amount ?? 0) * quantity,
      currency,
      description: product?.name ?? null,
      period: { start: account.now(), end: account.now() },
      price,
      quantity,
      subscription,
      metadata: mergeMetadata({}, metadata),
    })
  })
}

const retrieve = route<Stripe.SubscriptionRetrieveParams>('GET /v1/subscriptions/:id', {
  gives: 'subscription',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('subscription', id),
})

const update = route<Stripe.SubscriptionUpdateParams>('POST /v1/subscriptions/:id', {
  gives: 'subscription',
  parameters: updateRules,
  handle: ({ account, params, id }) => {
    const subscription = account.get('subscription', id)
    account.inTimeOf(idOf(subscription.customer), () => updateSubscription(account, subscription, params))
    return subscription
  },
})

function updateSubscription(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  params: Stripe.SubscriptionUpdateParams,
): void {
  if (hasEnded(subscription)) {
    const { metadata, cancellation_details: details, expand, ...rest } = params
    if (Object.keys(rest).length > 0) {
      const message = 'A canceled subscription can only update its cancellation_details and metadata.'
      throw refused(message, 'invalid_canceled_subscription_fields')
    }
  }
  const customer = idOf(subscription.customer) ?? ''
  const before = snapshot(subscription)
  const changes = (params.items ?? []).map((item, index) => {
    const named = item.price ?? item.plan ?? item.price_data
    const price = named === undefined ? undefined : recurringPrice(account, item, `items[${index}]`)
    const { id, quantity, deleted, metadata } = item
    return {
      ...(id !== undefined && { id }),
      ...(price !== undefined && { price }),
      ...(quantity !== undefined && { quantity }),
      ...(deleted !== undefined && { deleted }),
      ...(metadata !== undefined && { metadata }),
    }
  })
  const options = changeOptions(params)
  if (params.payment_behavior === 'error_if_incomplete') refuseUnpaid(account, subscription, options)
  addInvoiceItems(account, customer, subscription.currency, subscription.id, params.add_invoice_items ?? [])
  applySettings(account, subscription, params)
  const changesPeriod = options.resetsAnchor === true || options.trialEnd !== undefined
  const bills = options.proration === 'always_invoice' && params.add_invoice_items !== undefined
  if (changes.length > 0 || changesPeriod || bills) changeItems(account, subscription, changes, options, before)
  else announce(account, subscription, before)
  keepTime(account, subscription)
}

function changeOptions(params: Stripe.SubscriptionUpdateParams): ChangeOptions {
  return {
    proration: prorationOf(params.proration_behavior),
    resetsAnchor: params.billing_cycle_anchor?.type === 'now',
    collects: params.payment_behavior !== 'default_incomplete',
    offSession: params.off_session ?? false,
    ...(params.proration_date !== undefined && { prorationDate: params.proration_date }),
    ...(params.trial_end !== undefined && { trialEnd: params.trial_end }),
  }
}

function refuseUnpaid(account: StripeAccount, subscription: Stripe.Subscription, options: ChangeOptions): void {
  if (options.resetsAnchor !== true && options.proration !== 'always_invoice') return
  const customer = account.customer(idOf(subscription.customer) ?? '')
  const id = subscription.default_payment_method ?? customer.invoice_settings.default_payment_method
  const method = account.find('payment_method', idOf(id) ?? '')
  if (method !== undefined) refuseIfDeclined(account, method, customer.id)
}

/** Everything but the items. */
function applySettings(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  params: Stripe.SubscriptionUpdateParams,
): void {
  const customer = idOf(subscription.customer) ?? ''
  subscription.metadata = mergeMetadata(subscription.metadata, params.metadata)
  if (params.description !== undefined) subscription.description = params.description
  if (params.default_payment_method !== undefined) {
    const given = params.default_payment_method
    const method = attachedPaymentMethod(account, given, customer, 'default_payment_method')
    subscription.default_payment_method = method.id
  }
  if (params.automatic_tax !== undefined) subscription.automatic_tax.enabled = params.automatic_tax.enabled
  if (params.collection_method !== undefined) subscription.collection_method = params.collection_method
  if (params.days_until_due !== undefined) subscription.days_until_due = params.days_until_due
  if (params.discounts !== undefined) {
    const given = Array.isArray(params.discounts) ? params.discounts : []
    subscription.discounts = redeem(account, given, { customer, subscription: subscription.id })
  }
  if (params.pause_collection !== undefined) {
    const pause = typeof params.pause_collection === 'object' ? params.pause_collection : null
    subscription.pause_collection =
      pause === null ? null : { behavior: pause.behavior, resumes_at: pause.resumes_at ?? null }
  }
  const { comment, feedback } = params.cancellation_details ?? {}
  if (subscription.cancellation_details !== null) {
    if (comment !== undefined) subscription.cancellation_details.comment = comment
    if (feedback !== undefined) subscription.cancellation_details.feedback = feedback === '' ? null : feedback
  }
  applyCancelling(account, subscription, params)
}

function applyCancelling(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  params: Stripe.SubscriptionUpdateParams,
): void {
  if (params.cancel_at_period_end !== undefined) {
    subscription.cancel_at_period_end = params.cancel_at_period_end
    subscription.cancel_at = params.cancel_at_period_end ? periodOf(subscription).end : null
  }
  if (params.cancel_at !== undefined) {
    subscription.cancel_at = typeof params.cancel_at === 'number' ? params.cancel_at : null
    subscription.cancel_at_period_end = false
  }
  if (params.cancel_at_period_end === undefined && params.cancel_at === undefined) return
  const isEnding = subscription.cancel_at !== null
  subscription.canceled_at = isEnding ? account.now() : null
  if (subscription.cancellation_details !== null) {
    subscription.cancellation_details.reason = isEnding ? 'cancellation_requested' : null
  }
}

const cancel = route<Stripe.SubscriptionCancelParams>('DELETE /v1/subscriptions/:id', {
  gives: 'subscription',
  parameters: {
    cancellation_details: cancellationDetails(),
    expand: rule.expand,
    invoice_now: rule.boolean,
    prorate: rule.boolean,
  },
  handle: ({ account, params, id }) => {
    const subscription = account.get('subscription', id)
    if (hasEnded(subscription)) throw refused(`No such subscription: '${id}'`, 'resource_missing', 'id')
    const { comment, feedback } = params.cancellation_details ?? {}
    if (subscription.cancellation_details !== null) {
      if (comment !== undefined) subscription.cancellation_details.comment = comment
      if (feedback !== undefined) subscription.cancellation_details.feedback = feedback === '' ? null : feedback
    }
    const options = { prorates: params.prorate ?? false, invoices: params.invoice_now ?? false }
    account.inTimeOf(idOf(subscription.customer), () => cancelSubscription(account, subscription, options))
    return subscription
  },
})

const pause = route<Stripe.SubscriptionPauseParams>('POST /v1/subscriptions/:id/pause', {
  gives: 'subscription',
  parameters: {
    bill_for: rule.unsupported,
    expand: rule.expand,
    invoicing_behavior: rule.unsupported,
    type: rule.oneOf('subscription'),
  },
  handle: ({ account, id }) => {
    const subscription = account.get('subscription', id)
    if (subscription.status !== 'active') throw refused('Only active subscriptions can be paused.')
    account.inTimeOf(idOf(subscription.customer), () => pauseSubscription(account, subscription, 'pause_requested'))
    return subscription
  },
})

const resume = route<Stripe.SubscriptionResumeParams>('POST /v1/subscriptions/:id/resume', {
  gives: 'subscription',
  parameters: {
    billing_cycle_anchor: rule.objectOf<Stripe.SubscriptionResumeParams.BillingCycleAnchor>({
      type: rule.required(rule.builtOneOf(['now'], ['unchanged'])),
    }),
    expand: rule.expand,
    payment_behavior: rule.builtOneOf(['resume_on_payment_success'], ['resume_on_payment_attempt']),
    proration_behavior: rule.ignored,
    proration_date: rule.unsupported,
  },
  handle: ({ account, id }) => {
    const subscription = account.get('subscription', id)
    if (subscription.status !== 'paused') throw refused('Only paused subscriptions can be resumed.')
    account.inTimeOf(idOf(subscription.customer), () => resumeSubscription(account, subscription))
    return subscription
  },
})

const list = route<Stripe.SubscriptionListParams>('GET /v1/subscriptions', {
  gives: 'subscription',
  list: true,
  parameters: {
    ...rule.listRules,
    automatic_tax: rule.unsupported,
    collection_method: rule.oneOf('charge_automatically', 'send_invoice'),
    created: rule.createdRange,
    current_period_end: rule.createdRange,
    current_period_start: rule.createdRange,
    customer: rule.text(),
    customer_account: rule.unsupported,
    plan: rule.text(),
    price: rule.text(),
    status: rule.oneOf(
      ...['active', 'all', 'canceled', 'ended', 'incomplete', 'incomplete_expired', 'past_due', 'paused'],
      ...['trialing', 'unpaid'],
    ),
    test_clock: rule.text(),
  },
  handle: ({ account, params }) => {
    const price = params.price ?? params.plan
    const matching = account
      .all('subscription')
      .filter((subscription) => hasWantedStatus(subscription, params.status))
      .filter(({ customer }) => params.customer === undefined || idOf(customer) === params.customer)
      .filter(({ items }) => price === undefined || items.data.some((item) => item.price.id === price))
      .filter(({ created }) => isCreatedIn(created, params.created))
      .filter((subscription) => isCreatedIn(periodOf(subscription).end, params.current_period_end))
      .filter((subscription) => isCreatedIn(periodOf(subscription).start, params.current_period_start))
      .filter(({ test_clock: clock }) => params.test_clock === undefined || idOf(clock) === params.test_clock)
      .filter(
        ({ collection_method: method }) =>
          params.collection_method === undefined || method === params.collection_method,
      )
    return page(matching.reverse(), params, '/v1/subscriptions')
  },
})

/** Left out, all but canceled ones. */
function hasWantedStatus(subscription: Stripe.Subscription, wanted: string | undefined): boolean {
  if (wanted === undefined) return subscription.status !== 'canceled'
  if (wanted === 'ended') return hasEnded(subscription)
  return wanted === 'all' || subscription.status === wanted
}

export const subscriptions: Resource = {
  routes: [create, retrieve, update, cancel, pause, resume, list],
  expandable: {
    subscription: {
      customer: reference('customer'),
      default_payment_method: reference('payment_method'),
      discounts: reference('discount'),
      items: partOf('list:subscription_item'),
      latest_invoice: reference('invoice'),
      pending_setup_intent: reference('setup_intent'),
      test_clock: reference('test_helpers.test_clock'),
    },
    subscription_item: { discounts: reference('discount'), price: partOf('price') },
    discount: {
      customer: reference('customer'),
      promotion_code: reference('promotion_code'),
      source: partOf('discount.source'),
    },
    'discount.source': { coupon: reference('coupon') },
  },
}
