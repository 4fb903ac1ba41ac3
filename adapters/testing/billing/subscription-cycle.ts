import type Stripe from 'stripe'
import { idOf, snapshot, type StripeAccount } from '../stripe-account.js'
import { dropUsedDiscounts } from './discounts.js'
import { advanceDraft, voidInvoice } from './invoice-collection.js'
import { periodLine } from './invoice-lines.js'
import { draftInvoice, pendingLines } from './invoices.js'
import { DAY, HOUR, nextBoundary, type Interval, type Period } from './periods.js'
import { announce, changeSubscription, endSubscription, giveUpIncomplete } from './subscription-status.js'

/** How long the first payment of a subscription may take. */
const INCOMPLETE_SECONDS = 23 * HOUR
/** How long the invoice of a new period stays a draft. */
const DRAFT_SECONDS = HOUR
/** How long before its end a trial is announced to end. */
const TRIAL_NOTICE_SECONDS = 3 * DAY

/** Make sure that what the subscription's time brings happens when the clock gets there. */
export function keepTime(account: StripeAccount, subscription: Stripe.Subscription): void {
  const wake = (): void => {
    doWhatIsDue(account, subscription)
  }
  for (const time of momentsOf(subscription)) account.at(time, wake)
  // A trial shorter than the notice is announced at once.
  if (subscription.status === 'trialing') tellTrialEnd(account, subscription)
}

/** When something may have to be done. What has changed meanwhile is seen at that time. */
function momentsOf(subscription: Stripe.Subscription): number[] {
  if (hasEnded(subscription)) return []
  const notice = (subscription.trial_end ?? 0) - TRIAL_NOTICE_SECONDS
  return [
    periodOf(subscription).end,
    subscription.cancel_at,
    subscription.pause_collection?.resumes_at ?? null,
    subscription.status === 'trialing' ? notice : null,
    subscription.status === 'incomplete' ? subscription.created + INCOMPLETE_SECONDS : null,
  ].filter((time) => time !== null)
}

function doWhatIsDue(account: StripeAccount, subscription: Stripe.Subscription): void {
  const now = account.now()
  if (hasEnded(subscription)) return
  if (subscription.status === 'incomplete') {
    if (now >= subscription.created + INCOMPLETE_SECONDS) expireIncomplete(account, subscription)
    return
  }
  if (subscription.status === 'trialing') tellTrialEnd(account, subscription)
  const resumesAt = subscription.pause_collection?.resumes_at ?? null
  if (resumesAt !== null && resumesAt <= now) {
    changeSubscription(account, subscription, () => {
      subscription.pause_collection = null
    })
  }
  if (subscription.cancel_at !== null && subscription.cancel_at <= now) {
    endSubscription(account, subscription, 'cancellation_requested')
    return
  }
  if (periodOf(subscription).end <= now && subscription.status !== 'paused') renew(account, subscription)
}

/** A new period begins: the trial is over, or it is time for the next invoice, which stays a draft for an hour. */
export function renew(account: StripeAccount, subscription: Stripe.Subscription): void {
  const wasTrial = subscription.status === 'trialing'
  if (wasTrial && !endTrial(account, subscription)) return
  const before = snapshot(subscription)
  const old = periodOf(subscription)
  const interval = intervalOf(subscription)
  const period = { start: old.end, end: nextBoundary(subscription.billing_cycle_anchor, interval, old.end) }
  if (wasTrial) subscription.status = 'active'
  setPeriod(subscription, period)
  const isOnHold = subscription.status === 'unpaid' || subscription.pause_collection?.behavior === 'keep_as_draft'
  const invoice = draftInvoice(account, {
    customer: idOf(subscription.customer) ?? '',
    subscription,
    currency: subscription.currency,
    reason: 'subscription_cycle',
    lines: [
      ...pendingLines(account, idOf(subscription.customer) ?? '', subscription.currency, subscription.id),
      ...subscription.items.data.map((item) => periodLine(account, subscription, item, period)),
    ],
    period: old,
    autoAdvance: !isOnHold,
    finalizesAt: isOnHold ? null : account.now() + DRAFT_SECONDS,
  })
  subscription.latest_invoice = invoice.id
  dropUsedDiscounts(account, subscription, invoice)
  announce(account, subscription, before)
  if (!isOnHold) account.at(account.now() + DRAFT_SECONDS, () => advanceDraft(account, invoice))
  keepTime(account, subscription)
}

/** What becomes of a trial at its end. @returns Whether the first paid period begins. */
export function endTrial(account: StripeAccount, subscription: Stripe.Subscription): boolean {
  const customer = account.customer(idOf(subscription.customer) ?? '')
  const method = subscription.default_payment_method ?? customer.invoice_settings.default_payment_method
  const behavior = subscription.trial_settings?.end_behavior.missing_payment_method
  if (method !== null || behavior === undefined || behavior === 'create_invoice') return true
  if (behavior === 'cancel') endSubscription(account, subscription, null)
  else pauseSubscription(account, subscription, 'trial_end_without_payment_method')
  return false
}

/** It rests: no periods, no invoices, until it is resumed. */
export function pauseSubscription(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  type: Stripe.Subscription.StatusDetails.Paused.Subscription.Type,
): void {
  changeSubscription(account, subscription, () => {
    subscription.status = 'paused'
    subscription.status_details = {
      paused: { subscription: { type }, transitioned_at: account.now(), type: 'subscription' },
    }
  })
  account.emit('customer.subscription.paused', subscription)
}

function tellTrialEnd(account: StripeAccount, subscription: Stripe.Subscription): void {
  const end = subscription.trial_end
  if (end === null || end - TRIAL_NOTICE_SECONDS > account.now() || account.trialEndTold.has(subscription.id)) return
  account.trialEndTold.add(subscription.id)
  account.emit('customer.subscription.trial_will_end', subscription)
}

/** The first payment did not come in time: the subscription never began, and its invoice is void. */
function expireIncomplete(account: StripeAccount, subscription: Stripe.Subscription): void {
  giveUpIncomplete(account, subscription)
  const invoice = account.find('invoice', idOf(subscription.latest_invoice) ?? '')
  if (invoice?.status === 'open') voidInvoice(account, invoice)
}

/** The period all items share; this server keeps them together. */
export function periodOf(subscription: Stripe.Subscription): Period {
  const item = subscription.items.data[0]
  return { start: item?.current_period_start ?? 0, end: item?.current_period_end ?? Number.MAX_SAFE_INTEGER }
}

export function setPeriod(subscription: Stripe.Subscription, { start, end }: Period): void {
  for (const item of subscription.items.data) {
    item.current_period_start = start
    item.current_period_end = end
    item.billed_until = end
  }
  if (subscription.cancel_at_period_end) subscription.cancel_at = end
}

export function intervalOf(subscription: Stripe.Subscription): Interval {
  return subscription.items.data[0]?.price.recurring ?? { interval: 'month', interval_count: 1 }
}

export function hasEnded({ status }: Stripe.Subscription): boolean {
  return status === 'canceled' || status === 'incomplete_expired'
}
