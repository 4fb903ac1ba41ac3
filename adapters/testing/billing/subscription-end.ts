import type Stripe from 'stripe'
import { idOf, snapshot, type StripeAccount } from '../stripe-account.js'
import { collectInvoice } from './invoice-collection.js'
import { periodLine } from './invoice-lines.js'
import { draftInvoice, finalizeInvoice, pendingLines } from './invoices.js'
import { creditsOf, prorate, startPeriod } from './subscription-changes.js'
import { keepTime, periodOf } from './subscription-cycle.js'
import { announce, endSubscription } from './subscription-status.js'

interface CancelOptions {
  /** Give credit for the rest of the period. */
  prorates: boolean
  /** Make the last invoice now, of what is pending. */
  invoices: boolean
}

/** End a subscription at once, because somebody asked for it. */
export function cancelSubscription(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  { prorates, invoices }: CancelOptions = { prorates: false, invoices: false },
): void {
  const customer = idOf(subscription.customer) ?? ''
  const isBilled = subscription.status !== 'trialing' && subscription.status !== 'incomplete'
  if (prorates && isBilled) {
    const period = periodOf(subscription)
    const time = Math.min(account.now(), period.end)
    prorate(account, subscription, creditsOf(subscription.items.data), { time, period, charges: false })
  }
  const lines = invoices ? pendingLines(account, customer, subscription.currency, subscription.id) : []
  if (lines.length > 0) {
    const invoice = draftInvoice(account, {
      customer,
      subscription,
      currency: subscription.currency,
      reason: 'subscription_update',
      lines,
      period: { start: account.now(), end: account.now() },
    })
    subscription.latest_invoice = invoice.id
    finalizeInvoice(account, invoice)
    if (invoice.status === 'open') collectInvoice(account, invoice)
  }
  endSubscription(account, subscription, 'cancellation_requested')
}

/** A paused one begins a new period; it is active, with `customer.subscription.resumed`, once that is paid. */
export function resumeSubscription(account: StripeAccount, subscription: Stripe.Subscription): void {
  const before = snapshot(subscription)
  const customer = idOf(subscription.customer) ?? ''
  startPeriod(subscription, account.now())
  const period = periodOf(subscription)
  const invoice = draftInvoice(account, {
    customer,
    subscription,
    currency: subscription.currency,
    reason: 'subscription_update',
    lines: [
      ...pendingLines(account, customer, subscription.currency, subscription.id),
      ...subscription.items.data.map((item) => periodLine(account, subscription, item, period)),
    ],
    period: { start: account.now(), end: account.now() },
  })
  subscription.latest_invoice = invoice.id
  announce(account, subscription, before)
  finalizeInvoice(account, invoice)
  if (invoice.status === 'open') collectInvoice(account, invoice)
  keepTime(account, subscription)
}
