import type Stripe from 'stripe'
import type { Subscription, SubscriptionStatus } from '../../src/ports/payments.js'
import { idOf, isStripeId, toDate, userIdOf } from './identity.js'
import type { StripeSettings } from './settings.js'
import { ask, askAll, find } from './stripe-calls.js'

/** The subscription as it stands now, ended ones too; null when there is none in this mode and account. */
export async function fetchSubscription(id: string, settings: StripeSettings): Promise<Subscription | null> {
  const subscription = await retrieve(id, settings)
  return subscription && toSubscription(subscription, settings)
}

/** With all of its items: Stripe shows the first ten. */
async function retrieve(id: string, settings: StripeSettings): Promise<Stripe.Subscription | null> {
  if (!isStripeId(id, 'sub')) return null
  const found = await find('subscription', () =>
    settings.stripe.subscriptions.retrieve(id, {}, settings.requestOptions),
  )
  if (found?.livemode !== settings.livemode) return null
  if (!found.items.has_more) return found
  const { subscriptionItems } = settings.stripe
  const data = await askAll((range) =>
    subscriptionItems.list({ subscription: found.id, ...range }, settings.requestOptions),
  )
  return { ...found, items: { ...found.items, data } }
}

/** Ending what has ended changes nothing. */
export async function cancelSubscription(
  id: string,
  when: 'period_end' | 'now',
  settings: StripeSettings,
): Promise<Subscription | null> {
  const found = await retrieve(id, settings)
  if (found === null) return null
  if (isOver(found) || (when === 'period_end' && endsWithPeriod(found))) return toSubscription(found, settings)
  const { subscriptions } = settings.stripe
  if (when === 'now') {
    // Null: somebody else has ended it meanwhile.
    await find('subscription', () => subscriptions.cancel(id, {}, settings.requestOptions))
  } else {
    await ask('subscription', () => subscriptions.update(id, { cancel_at_period_end: true }, settings.requestOptions))
  }
  return fetchSubscription(id, settings)
}

const STATUSES: ReadonlySet<string> = new Set<SubscriptionStatus>([
  'incomplete',
  'incomplete_expired',
  'trialing',
  'active',
  'past_due',
  'unpaid',
  'paused',
  'canceled',
])

function toSubscription(subscription: Stripe.Subscription, settings: StripeSettings): Subscription {
  const { id, customer, metadata, status, pause_collection, created, canceled_at, ended_at, trial_end } = subscription
  const isAnotherApps = (metadata.app ?? settings.app) !== settings.app
  return {
    subscriptionId: id,
    customerId: idOf(customer),
    userId: userIdOf(metadata, settings),
    status: isKnown(status) ? status : 'unpaid',
    items: (isAnotherApps ? [] : subscription.items.data).map((item) => {
      const { start, end } = periodOf(item, subscription)
      const { id: itemId, price, quantity = 1 } = item
      return { itemId, priceId: price.id, quantity, periodStart: toDate(start), periodEnd: toDate(end) }
    }),
    cancelAtPeriodEnd: endsWithPeriod(subscription),
    collectionPaused: Boolean(pause_collection),
    endedAt: isOver(subscription) ? toDate(ended_at ?? canceled_at ?? created) : null,
    trialEndsAt: trial_end === null ? null : toDate(trial_end),
    livemode: subscription.livemode,
  }
}

function isOver({ status }: Stripe.Subscription): boolean {
  return status === 'canceled' || status === 'incomplete_expired'
}

/**
 * Of a subscription in the flexible billing mode, Stripe's portal sets the time instead of the flag.
 * https://docs.stripe.com/billing/subscriptions/billing-mode/compare
 */
function endsWithPeriod(subscription: Stripe.Subscription): boolean {
  const { cancel_at_period_end, cancel_at, items } = subscription
  const ends = items.data.map((item) => periodOf(item, subscription).end)
  return cancel_at_period_end || (cancel_at !== null && cancel_at <= Math.max(...ends))
}

/** Since 2025-03-31 each item has its own period; before, the subscription had one. */
function periodOf(item: Stripe.SubscriptionItem, subscription: Stripe.Subscription): { start: number; end: number } {
  // The driver's edge: a host's client may be pinned to an older version, whose fields today's types don't have.
  const { current_period_start, current_period_end } = subscription as {
    current_period_start?: number
    current_period_end?: number
  }
  const own = item as { current_period_start?: number; current_period_end?: number }
  return {
    start: own.current_period_start ?? current_period_start ?? subscription.start_date,
    end: own.current_period_end ?? current_period_end ?? subscription.start_date,
  }
}

function isKnown(status: string): status is SubscriptionStatus {
  return STATUSES.has(status)
}
