import type Stripe from 'stripe'
import { idOf, snapshot, type StripeAccount } from '../stripe-account.js'

/** Why a subscription ended. */
type CancelReason = Stripe.Subscription.CancellationDetails.Reason | null

/** Change a subscription and tell of it: `created` the first time, after that `updated` with what was there before. */
export function changeSubscription(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  change: () => void,
): void {
  const before = snapshot(subscription)
  change()
  announce(account, subscription, before)
}

/** The same for a change that has been made already; `before` is the subscription as it was. */
export function announce(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  before: Stripe.Subscription = subscription,
): void {
  if (account.unannounced.delete(subscription.id)) {
    account.emit('customer.subscription.created', subscription)
    return
  }
  const previous = previousOf(before, subscription)
  if (Object.keys(previous).length > 0) account.emit('customer.subscription.updated', subscription, previous)
}

/** The fields that changed, with their old values. */
function previousOf(before: object, after: object): object {
  const now = new Map(Object.entries(after))
  return Object.fromEntries(
    Object.entries(before).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(now.get(key))),
  )
}

/** It ends now, for good. Invoices that are open stay so, and are not collected any more. */
export function endSubscription(account: StripeAccount, subscription: Stripe.Subscription, reason: CancelReason): void {
  if (account.unannounced.has(subscription.id)) announce(account, subscription)
  const now = account.now()
  subscription.status = 'canceled'
  subscription.canceled_at ??= now
  subscription.ended_at = now
  if (subscription.cancellation_details !== null) subscription.cancellation_details.reason ??= reason
  for (const invoice of account.all('invoice')) {
    const isOurs = idOf(invoice.parent?.subscription_details?.subscription) === subscription.id
    if (!isOurs || (invoice.status !== 'open' && invoice.status !== 'draft')) continue
    invoice.auto_advance = false
    invoice.next_payment_attempt = null
    invoice.automatically_finalizes_at = null
  }
  account.emit('customer.subscription.deleted', subscription)
}

/** An `incomplete` one is not paid in time, or its invoice was voided. */
export function giveUpIncomplete(account: StripeAccount, subscription: Stripe.Subscription): void {
  changeSubscription(account, subscription, () => {
    subscription.status = 'incomplete_expired'
    subscription.ended_at = account.now()
  })
}

/** Paying what is owed makes a subscription active. */
export function afterInvoicePaid(account: StripeAccount, invoice: Stripe.Invoice): void {
  const subscription = ownerOf(account, invoice)
  if (subscription === undefined) return
  const isPaused = subscription.status === 'paused' && subscription.latest_invoice === invoice.id
  const isWaiting = ['incomplete', 'past_due', 'unpaid'].includes(subscription.status)
  changeSubscription(account, subscription, () => {
    if ((isWaiting || isPaused) && subscription.latest_invoice === invoice.id) subscription.status = 'active'
  })
  if (!isPaused) return
  delete subscription.status_details
  account.emit('customer.subscription.resumed', subscription)
}

/** An attempt failed: what ran goes past due, what was new stays incomplete. */
export function afterInvoiceUnpaid(account: StripeAccount, invoice: Stripe.Invoice): void {
  const subscription = ownerOf(account, invoice)
  if (subscription === undefined) return
  changeSubscription(account, subscription, () => {
    if (subscription.status === 'active') subscription.status = 'past_due'
  })
}

/** No more attempts follow: the account's settings decide. */
export function afterLastRetry(account: StripeAccount, invoice: Stripe.Invoice): void {
  const subscription = ownerOf(account, invoice)
  if (subscription?.status !== 'past_due') return
  const { afterRetries } = account.billing
  if (afterRetries === 'cancel') endSubscription(account, subscription, 'payment_failed')
  if (afterRetries !== 'mark_unpaid') return
  changeSubscription(account, subscription, () => {
    subscription.status = 'unpaid'
  })
}

/** The invoice was voided or written off: what waited for it goes on, what had not begun never will. */
export function afterInvoiceClosed(account: StripeAccount, invoice: Stripe.Invoice): void {
  const subscription = ownerOf(account, invoice)
  if (subscription === undefined || subscription.latest_invoice !== invoice.id) return
  if (subscription.status === 'incomplete' && invoice.status === 'void') giveUpIncomplete(account, subscription)
  if (subscription.status !== 'past_due') return
  changeSubscription(account, subscription, () => {
    subscription.status = 'active'
  })
}

function ownerOf(account: StripeAccount, invoice: Stripe.Invoice): Stripe.Subscription | undefined {
  const subscription = account.find('subscription', idOf(invoice.parent?.subscription_details?.subscription) ?? '')
  return subscription?.status === 'canceled' ? undefined : subscription
}
