import type { Invoice, InvoiceLine, Subscription, SubscriptionStatus } from '../../../src/ports/payments.js'
import { type Books, type CardBehaviour, type Interval, known, type PriceRow, type SubscriptionRow } from './books.js'
import { collect, newInvoice } from './invoices.js'

type Item = Subscription['items'][number]

/** What somebody subscribes to. */
interface NewSubscription {
  customerId: string | null
  /** Null: made without us. */
  userId: string | null
  priceId: string
  quantity: number
  trialDays: number | null
  /** Taken off the first invoice, in minor units. */
  reductionMinor: number
  /** What the first invoice is paid with; null: the customer's saved card. */
  card: CardBehaviour | null
  livemode: boolean
}

/** A subscription begins, with a trial or with its first invoice. */
export function beginSubscription(
  books: Books,
  { customerId, userId, priceId, quantity, trialDays, reductionMinor, card, livemode }: NewSubscription,
): { subscription: Subscription; invoice: Invoice } {
  const { every: interval, currency } = priceOf(books, priceId)
  const every = interval ?? 'month'
  const from = books.now()
  const until = trialDays === null ? addIntervals(from, every, 1) : books.inDays(trialDays)
  const itemId = books.newId('item')
  const subscription: Subscription = {
    subscriptionId: books.newId('subscription'),
    customerId,
    userId,
    status: trialDays === null ? 'incomplete' : 'trialing',
    items: [{ itemId, priceId, quantity, periodStart: from, periodEnd: until }],
    cancelAtPeriodEnd: false,
    collectionPaused: false,
    endedAt: null,
    trialEndsAt: trialDays === null ? null : until,
    livemode,
  }
  const anchor = trialDays === null ? from : until
  const row = { subscription, every, anchor, periods: trialDays === null ? 1 : 0, extras: [] }
  books.subscriptions.set(subscription.subscriptionId, row)
  const lines = wholePeriods(books, row, trialDays !== null)
  const made = newInvoice(books, subscription, { lines, currency, reductionMinor })
  changed(books, subscription)
  collect(books, made, card)
  return { subscription, invoice: made.invoice }
}

/** The next invoice has one more line, for something that is no item of the subscription. */
export function addToNextInvoice(books: Books, subscriptionId: string, amountMinor: number): void {
  const now = books.now()
  const line = { itemId: null, priceId: null, quantity: 1, proration: false, trial: false }
  known(books.subscriptions, subscriptionId, 'subscription').extras.push({
    ...line,
    lineId: books.newId('line'),
    amountMinor,
    from: now,
    until: now,
  })
}

/**
 * The subscription's period ends now, wherever the clock is: the next one is billed and collected. Null: it ended with
 * its period, since it was cancelled.
 */
export function renew(books: Books, subscriptionId: string): Invoice | null {
  const row = known(books.subscriptions, subscriptionId, 'subscription')
  const { subscription } = row
  if (subscription.status !== 'active' && subscription.status !== 'trialing' && subscription.status !== 'past_due') {
    throw new Error(`memoryPayments.renew: ${subscriptionId} is ${subscription.status} and does not renew`)
  }
  if (subscription.cancelAtPeriodEnd) {
    endSubscription(books, subscriptionId, 'canceled')
    return null
  }
  const from = addIntervals(row.anchor, row.every, row.periods)
  row.periods += 1
  const until = addIntervals(row.anchor, row.every, row.periods)
  for (const item of subscription.items) Object.assign(item, { periodStart: from, periodEnd: until })
  if (subscription.status === 'trialing') subscription.status = 'active'
  changed(books, subscription)
  return bill(books, row, [...wholePeriods(books, row, false), ...row.extras.splice(0)])
}

/** An item gets another price or quantity in the middle of its period. The difference is billed at once. */
export function changeSubscription(
  books: Books,
  subscriptionId: string,
  { itemId, priceId, quantity }: { itemId?: string; priceId?: string; quantity?: number },
): Invoice {
  const row = known(books.subscriptions, subscriptionId, 'subscription')
  const item = row.subscription.items.find((each) => itemId === undefined || each.itemId === itemId)
  if (item === undefined) throw new Error(`memoryPayments.changeSubscription: there is no item ${String(itemId)}`)
  const before = rest(books, row, item, -1)
  Object.assign(item, { priceId: priceId ?? item.priceId, quantity: quantity ?? item.quantity })
  changed(books, row.subscription)
  return bill(books, row, [before, rest(books, row, item, 1)])
}

/** The subscription gets one item more, from now on. */
export function addItem(books: Books, subscriptionId: string, priceId: string, quantity: number): Invoice {
  const row = known(books.subscriptions, subscriptionId, 'subscription')
  const { periodStart, periodEnd } = firstItem(row.subscription)
  const item = { itemId: books.newId('item'), priceId, quantity, periodStart, periodEnd }
  const line = rest(books, row, item, 1)
  row.subscription.items.push(item)
  changed(books, row.subscription)
  return bill(books, row, [line])
}

/** While it is paused, invoices are made and nothing is collected. */
export function pauseCollection(books: Books, subscriptionId: string, isPaused: boolean): Subscription {
  const { subscription } = known(books.subscriptions, subscriptionId, 'subscription')
  subscription.collectionPaused = isPaused
  changed(books, subscription)
  return subscription
}

/** At once, or with the period. What has ended is left as it is. */
export function cancelSubscription(books: Books, subscription: Subscription, when: 'period_end' | 'now'): void {
  if (subscription.endedAt !== null) return
  if (when === 'now') {
    endSubscription(books, subscription.subscriptionId, 'canceled')
  } else if (!subscription.cancelAtPeriodEnd) {
    subscription.cancelAtPeriodEnd = true
    changed(books, subscription)
  }
}

export function endSubscription(books: Books, subscriptionId: string, status: SubscriptionStatus): void {
  const { subscription } = known(books.subscriptions, subscriptionId, 'subscription')
  Object.assign(subscription, { status, endedAt: books.now() })
  changed(books, subscription)
}

function bill(books: Books, row: SubscriptionRow, lines: InvoiceLine[]): Invoice {
  const { subscription } = row
  const { currency } = priceOf(books, firstItem(subscription).priceId)
  const made = newInvoice(books, subscription, { lines, currency })
  if (subscription.collectionPaused) {
    made.invoice.status = 'draft'
    return made.invoice
  }
  collect(books, made)
  if (made.invoice.status === 'open' && subscription.status === 'active') {
    subscription.status = 'past_due'
    changed(books, subscription)
  }
  return made.invoice
}

function wholePeriods(books: Books, { subscription }: SubscriptionRow, trial: boolean): InvoiceLine[] {
  return subscription.items.map(({ itemId, priceId, quantity, periodStart, periodEnd }) => {
    const amountMinor = trial ? 0 : priceOf(books, priceId).unitPriceMinor * quantity
    const time = { from: periodStart, until: periodEnd }
    return { lineId: books.newId('line'), itemId, priceId, quantity, proration: false, trial, amountMinor, ...time }
  })
}

/** What is left of an item's period: `1` to be paid for, `-1` to be given back. In a trial nothing is due. */
function rest(
  books: Books,
  { subscription, every }: SubscriptionRow,
  { itemId, priceId, quantity, periodStart, periodEnd }: Item,
  sign: 1 | -1,
): InvoiceLine {
  const price = priceOf(books, priceId)
  if (price.every !== every) throw new Error(`memoryPayments: ${priceId} is not billed by the ${every}`)
  const from = new Date(Math.min(Math.max(books.now().getTime(), periodStart.getTime()), periodEnd.getTime()))
  const trial = subscription.status === 'trialing'
  const part = (periodEnd.getTime() - from.getTime()) / (periodEnd.getTime() - periodStart.getTime())
  const amountMinor = trial ? 0 : sign * Math.round(price.unitPriceMinor * quantity * part)
  const lineId = books.newId('line')
  return { lineId, itemId, priceId, quantity, proration: true, trial, amountMinor, from, until: periodEnd }
}

function firstItem({ items, subscriptionId }: Subscription): Item {
  const [item] = items
  if (item === undefined) throw new Error(`memoryPayments: ${subscriptionId} has no items`)
  return item
}

function priceOf(books: Books, priceId: string): PriceRow {
  return known(books.prices, priceId, 'price')
}

function changed(books: Books, { subscriptionId, livemode }: Subscription): void {
  books.emit('subscription.changed', subscriptionId, livemode)
}

/** So many intervals later; a month that is too short ends with its last day. */
function addIntervals(from: Date, every: Interval, count: number): Date {
  const at = new Date(from)
  if (every === 'day' || every === 'week') {
    at.setUTCDate(at.getUTCDate() + count * (every === 'day' ? 1 : 7))
    return at
  }
  const day = at.getUTCDate()
  at.setUTCDate(1)
  at.setUTCMonth(at.getUTCMonth() + count * (every === 'month' ? 1 : 12))
  const daysInMonth = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 0)).getUTCDate()
  at.setUTCDate(Math.min(day, daysInMonth))
  return at
}
