import type Stripe from 'stripe'
import { noSuch } from '../api-error.js'
import { changeItems, prorationOf, type ItemChange } from '../billing/subscription-changes.js'
import { page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, snapshot, type StripeAccount } from '../stripe-account.js'
import { paymentBehavior, priceDataRule, prorationBehavior, recurringPrice } from './subscription-rules.js'

const changeRules = {
  billing_thresholds: rule.unsupported,
  current_trial: rule.unsupported,
  discounts: rule.unsupported,
  expand: rule.expand,
  metadata: rule.metadata,
  payment_behavior: paymentBehavior,
  plan: rule.text(),
  price: rule.text(),
  price_data: priceDataRule,
  proration_behavior: prorationBehavior,
  proration_date: rule.integer(0),
  quantity: rule.integer(0, 999_999),
  tax_rates: rule.unsupported,
}

interface Proration {
  proration_behavior?: Stripe.SubscriptionItemUpdateParams.ProrationBehavior
  proration_date?: number
}

/** The same as changing the item through its subscription. */
function change(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  item: ItemChange,
  { proration_behavior: behavior, proration_date: date }: Proration,
): void {
  const options = {
    proration: prorationOf(behavior),
    ...(date !== undefined && { prorationDate: date }),
  }
  account.inTimeOf(idOf(subscription.customer), () =>
    changeItems(account, subscription, [item], options, snapshot(subscription)),
  )
}

const create = route<Stripe.SubscriptionItemCreateParams>('POST /v1/subscription_items', {
  gives: 'subscription_item',
  parameters: { ...changeRules, subscription: rule.required(rule.text()) },
  handle: ({ account, params }) => {
    const subscription = account.get('subscription', params.subscription, 'subscription', 400)
    const price = recurringPrice(account, params, 'price')
    const { quantity = 1, metadata = {} } = params
    change(account, subscription, { price, quantity, metadata }, params)
    return subscription.items.data.at(-1) ?? subscription
  },
})

const retrieve = route<Stripe.SubscriptionItemRetrieveParams>('GET /v1/subscription_items/:id', {
  gives: 'subscription_item',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => findItem(account, id).item,
})

const update = route<Stripe.SubscriptionItemUpdateParams>('POST /v1/subscription_items/:id', {
  gives: 'subscription_item',
  parameters: { ...changeRules, off_session: rule.boolean },
  handle: ({ account, params, id }) => {
    const { subscription } = findItem(account, id)
    const named = params.price ?? params.plan ?? params.price_data
    const { quantity, metadata } = params
    const changed = {
      id,
      ...(named !== undefined && { price: recurringPrice(account, params, 'price') }),
      ...(quantity !== undefined && { quantity }),
      ...(metadata !== undefined && { metadata }),
    }
    change(account, subscription, changed, params)
    return findItem(account, id).item
  },
})

const remove = route<Stripe.SubscriptionItemDeleteParams>('DELETE /v1/subscription_items/:id', {
  gives: 'subscription_item',
  parameters: {
    clear_usage: rule.unsupported,
    payment_behavior: paymentBehavior,
    proration_behavior: prorationBehavior,
    proration_date: rule.integer(0),
  },
  handle: ({ account, params, id }) => {
    change(account, findItem(account, id).subscription, { id, deleted: true }, params)
    return { id, object: 'subscription_item', deleted: true } satisfies Stripe.DeletedSubscriptionItem
  },
})

const list = route<Stripe.SubscriptionItemListParams>('GET /v1/subscription_items', {
  gives: 'subscription_item',
  list: true,
  parameters: { ...rule.listRules, subscription: rule.required(rule.text()) },
  handle: ({ account, params }) => {
    const subscription = account.get('subscription', params.subscription, 'subscription', 400)
    return page(subscription.items.data, params, `/v1/subscription_items?subscription=${subscription.id}`)
  },
})

function findItem(
  account: StripeAccount,
  id: string,
): { subscription: Stripe.Subscription; item: Stripe.SubscriptionItem } {
  for (const subscription of account.all('subscription')) {
    const item = subscription.items.data.find((entry) => entry.id === id)
    if (item !== undefined) return { subscription, item }
  }
  throw noSuch('subscription_item', id, 'id')
}

export const subscriptionItems: Resource = { routes: [create, retrieve, update, remove, list], expandable: {} }
