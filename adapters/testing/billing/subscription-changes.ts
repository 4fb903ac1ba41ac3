import type Stripe from 'stripe'
import { invalidRequest } from '../api-error.js'
import { page } from '../lists.js'
import { idOf, mergeMetadata, snapshot, type StripeAccount } from '../stripe-account.js'
import { activeDiscounts, discountShares, dropUsedDiscounts } from './discounts.js'
import { collectInvoice } from './invoice-collection.js'
import { costOf, createInvoiceItem, periodLine, prorationDescription } from './invoice-lines.js'
import { draftInvoice, finalizeInvoice, pendingLines } from './invoices.js'
import { nextBoundary, restOf, type Period } from './periods.js'
import { endTrial, intervalOf, keepTime, periodOf, setPeriod } from './subscription-cycle.js'
import { newItem, planOf } from './subscriptions.js'
import { announce } from './subscription-status.js'

/** One change to the items: of an existing one (`id`), or a new one. */
export interface ItemChange {
  id?: string
  price?: Stripe.Price
  quantity?: number
  deleted?: boolean
  metadata?: Stripe.MetadataParam | '' | null
}

/** How the rest of the period that is already paid for is settled. */
export interface ChangeOptions {
  proration: 'none' | 'create_prorations' | 'always_invoice'
  /** When the change counts from, in seconds since 1970; default now. */
  prorationDate?: number
  /** Begin a new period now. */
  resetsAnchor?: boolean
  /** End the trial now, or move its end. */
  trialEnd?: number | 'now'
  /** Whether an invoice that is due now is also collected; default yes. */
  collects?: boolean
  offSession?: boolean
}

/** What the `proration_behavior` of a call means; left out, `create_prorations`. */
export function prorationOf(given: string | undefined): ChangeOptions['proration'] {
  if (given === 'none') return 'none'
  return given === 'always_invoice' ? 'always_invoice' : 'create_prorations'
}

/** What an item was, for the credit of its unused time. */
type OldItem = Pick<Stripe.SubscriptionItem, 'id' | 'price' | 'quantity'>

/**
 * Change what a subscription is for, and settle the difference.
 *
 * Another interval, `resetsAnchor`, and going from free to paid begin a new period, which is invoiced at once. Otherwise
 * the rest of the period is prorated: on the next invoice, on one made now, or not at all.
 *
 * @param before The subscription before the caller's other changes, for `previous_attributes`.
 */
export function changeItems(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  changes: readonly ItemChange[],
  options: ChangeOptions,
  before: Stripe.Subscription,
): void {
  const now = account.now()
  const old = snapshot(subscription.items.data)
  const oldPeriod = periodOf(subscription)
  const oldInterval = intervalOf(subscription)
  subscription.items = page(
    applyChanges(account, subscription, changes),
    { limit: 100 },
    `/v1/subscription_items?subscription=${subscription.id}`,
  )
  const interval = intervalOf(subscription)
  const isTrial = subscription.status === 'trialing'
  const isNewInterval =
    interval.interval !== oldInterval.interval || interval.interval_count !== oldInterval.interval_count
  const isFirstPaid = total(old) === 0 && total(subscription.items.data) > 0
  if (options.trialEnd !== undefined && options.trialEnd !== 'now') {
    startTrial(subscription, options.trialEnd, now)
    announce(account, subscription, before)
    keepTime(account, subscription)
    return
  }
  const endsTrial = isTrial && options.trialEnd === 'now'
  if (endsTrial && !endTrial(account, subscription)) return
  const resets = options.resetsAnchor === true || endsTrial || (!isTrial && (isNewInterval || isFirstPaid))
  const time = options.prorationDate ?? now
  if (options.proration !== 'none' && !isTrial) {
    prorate(account, subscription, resets ? creditsOf(old) : differenceOf(old, subscription.items.data), {
      time,
      period: oldPeriod,
      charges: !resets,
    })
  }
  if (resets) startPeriod(subscription, now)
  const bills = resets || (options.proration === 'always_invoice' && !isTrial)
  if (!bills) {
    announce(account, subscription, before)
    return
  }
  billNow(account, subscription, { withPeriod: resets, before, options })
  if (resets) keepTime(account, subscription)
}

/** The invoice for a change: made, final and collected at once. */
function billNow(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  given: { withPeriod: boolean; before: Stripe.Subscription; options: ChangeOptions },
): void {
  const customer = idOf(subscription.customer) ?? ''
  const lines = pendingLines(account, customer, subscription.currency, subscription.id)
  const period = periodOf(subscription)
  if (given.withPeriod) {
    lines.push(...subscription.items.data.map((item) => periodLine(account, subscription, item, period)))
  }
  if (lines.length === 0) {
    announce(account, subscription, given.before)
    return
  }
  const invoice = draftInvoice(account, {
    customer,
    subscription,
    currency: subscription.currency,
    reason: 'subscription_update',
    lines,
    period: { start: account.now(), end: account.now() },
  })
  subscription.latest_invoice = invoice.id
  dropUsedDiscounts(account, subscription, invoice)
  announce(account, subscription, given.before)
  finalizeInvoice(account, invoice)
  const isOpen = invoice.status === 'open' && invoice.collection_method === 'charge_automatically'
  if (isOpen && given.options.collects !== false) {
    collectInvoice(account, invoice, { offSession: given.options.offSession ?? false })
  }
}

interface Difference {
  credited: OldItem | null
  charged: OldItem | null
}

/** Pending invoice items: a credit for what is not used any more, a charge for what takes its place. */
export function prorate(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  differences: readonly Difference[],
  { time, period, charges }: { time: number; period: Period; charges: boolean },
): void {
  const add = (item: OldItem, sign: 1 | -1): void => {
    createInvoiceItem(account, {
      customer: idOf(subscription.customer) ?? '',
      // `+ 0` keeps a credit of nothing from being -0.
      amount: sign * restOf(discounted(account, subscription, costOf(item)), period, time) + 0,
      currency: subscription.currency,
      description: prorationDescription(account, sign < 0 ? 'Unused' : 'Remaining', item, time),
      discountable: false,
      period: { start: time, end: period.end },
      metadata: subscription.metadata,
      price: item.price,
      quantity: item.quantity ?? 1,
      subscription: subscription.id,
      prorationOf: item.id,
    })
  }
  for (const { credited, charged } of differences) {
    if (credited !== null) add(credited, -1)
    if (charged !== null && charges) add(charged, 1)
  }
}

/** Everything is given back. */
export function creditsOf(items: readonly OldItem[]): Difference[] {
  return items.map((item) => ({ credited: item, charged: null }))
}

function differenceOf(old: readonly OldItem[], items: readonly OldItem[]): Difference[] {
  const isSame = (a: OldItem, b: OldItem): boolean => a.price.id === b.price.id && a.quantity === b.quantity
  const changed = old.flatMap((credited) => {
    const charged = items.find((item) => item.id === credited.id) ?? null
    return charged !== null && isSame(credited, charged) ? [] : [{ credited, charged }]
  })
  const added = items.filter((item) => old.every(({ id }) => id !== item.id))
  return [...changed, ...added.map((charged) => ({ credited: null, charged }))]
}

function discounted(account: StripeAccount, subscription: Stripe.Subscription, amount: number): number {
  const rows = discountShares(account, activeDiscounts(account, subscription), [amount])
  return rows.reduce((left, { shares }) => left - (shares[0] ?? 0), amount)
}

function startTrial(subscription: Stripe.Subscription, end: number, now: number): void {
  subscription.status = 'trialing'
  subscription.trial_start ??= now
  subscription.trial_end = end
  subscription.billing_cycle_anchor = end
  setPeriod(subscription, { start: now, end })
}

/** A period that begins now; a trial is over with it. */
export function startPeriod(subscription: Stripe.Subscription, now: number): void {
  subscription.billing_cycle_anchor = now
  if (subscription.status === 'trialing') {
    subscription.status = 'active'
    subscription.trial_end = now
  }
  setPeriod(subscription, { start: now, end: nextBoundary(now, intervalOf(subscription), now) })
}

function applyChanges(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  changes: readonly ItemChange[],
): Stripe.SubscriptionItem[] {
  const items = [...subscription.items.data]
  for (const change of changes) {
    const { id, price } = change
    if (id === undefined) {
      if (price === undefined) throw invalidRequest('A new item needs a price.', 'items', 'parameter_missing')
      if (items.some((item) => item.price.id === price.id)) {
        const message = `Cannot add multiple subscription items with the same plan: ${price.id}`
        throw invalidRequest(message, 'items')
      }
      const period = periodOf(subscription)
      const metadata = mergeMetadata({}, change.metadata)
      items.push(newItem(account, subscription, { price, quantity: change.quantity ?? 1, period, metadata }))
      continue
    }
    const index = items.findIndex((item) => item.id === id)
    const item = items[index]
    if (item === undefined) throw invalidRequest(`No such subscription item: '${id}'`, 'items', 'resource_missing')
    if (change.deleted === true) items.splice(index, 1)
    else
      items[index] = {
        ...item,
        price: price ?? item.price,
        plan: planOf(price ?? item.price),
        quantity: change.quantity ?? item.quantity ?? 1,
        metadata: mergeMetadata(item.metadata, change.metadata),
      }
  }
  if (items.length === 0) throw invalidRequest('A subscription must have at least one active plan.', 'items')
  return items
}

function total(items: readonly OldItem[]): number {
  return items.reduce((sum, item) => sum + costOf(item), 0)
}
