import type Stripe from 'stripe'
import type { PaymentRecords, PaymentReversals, TimeRange, VerifiedEvent } from '../../src/ports/payments.js'
import { toCheckout } from './checkout-session.js'
import { STRIPE_EVENTS, translateEvent } from './events.js'
import { parentOf, toInvoice } from './invoice.js'
import { toPayment } from './payment.js'
import { fetchReversals, paymentOf } from './reversals.js'
import type { StripeSettings } from './settings.js'
import { ask } from './stripe-calls.js'

/** Stripe remembers events for 30 days. */
const EVENTS_REACH_MS = 30 * 86_400_000

/** So many types may be named in one call. */
const TYPES_PER_CALL = 20

/** What Stripe has on record. Pages are fetched as they are read, so that any number of objects fits. */
export function stripeRecords(settings: StripeSettings): PaymentRecords {
  const { stripe, requestOptions } = settings
  return {
    undeliveredEvents: (range) => undelivered(range, settings),
    async *checkouts(range) {
      const created = createdIn(range)
      const list = (page: Page) =>
        stripe.checkout.sessions.list({ ...page, created, status: 'complete' }, requestOptions)
      for await (const session of pages(list)) {
        if (session.livemode === settings.livemode) yield toCheckout(session, settings)
      }
    },
    async *payments(range) {
      const list = (page: Page) => stripe.paymentIntents.list({ ...page, created: createdIn(range) }, requestOptions)
      for await (const intent of pages(list)) {
        const payment = toPayment(intent, settings)
        if (payment.purchaseId !== null && payment.livemode === settings.livemode) yield payment
      }
    },
    async *reversals(range) {
      const created = createdIn(range)
      yield* reversalsOf((page) => stripe.refunds.list({ ...page, created }, requestOptions), settings)
      yield* reversalsOf((page) => stripe.disputes.list({ ...page, created }, requestOptions), settings)
    },
    async *invoices(range) {
      const created = createdIn(range)
      const list = (page: Page) => stripe.invoices.list({ ...page, created, status: 'paid' }, requestOptions)
      for await (const invoice of pages(list)) {
        const isOurs = invoice.livemode === settings.livemode && parentOf(invoice).subscriptionId !== null
        if (isOurs) yield await toInvoice(invoice, settings)
      }
    },
  }
}

async function* reversalsOf(
  list: (page: Page) => Promise<List<Stripe.Refund | Stripe.Dispute>>,
  settings: StripeSettings,
): AsyncGenerator<PaymentReversals> {
  for await (const object of pages(list)) {
    const paymentId = await paymentOf(object, settings)
    const reversals = paymentId === null ? null : await fetchReversals(paymentId, settings)
    if (reversals !== null) yield reversals
  }
}

/** Oldest first, as they happened. */
async function* undelivered({ from, to }: TimeRange, settings: StripeSettings): AsyncGenerator<VerifiedEvent> {
  const { stripe, requestOptions } = settings
  const earliest = new Date(Date.now() - EVENTS_REACH_MS)
  const created = createdIn({ from: from > earliest ? from : earliest, to })
  const types = Object.keys(STRIPE_EVENTS)
  const found: Stripe.Event[] = []
  for (let start = 0; start < types.length; start += TYPES_PER_CALL) {
    const some = types.slice(start, start + TYPES_PER_CALL)
    const list = (page: Page) =>
      stripe.events.list({ ...page, created, types: some, delivery_success: false }, requestOptions)
    for await (const event of pages(list)) found.push(event)
  }
  // Turned round first: Stripe tells the newest first, also of those within one second.
  for (const event of found.reverse().sort((a, b) => a.created - b.created)) {
    // Asked in the name of an account, Stripe tells its events as that account's own, which need not name it.
    yield verified(settings.account === null ? event : { ...event, account: settings.account }, settings)
  }
}

/** An event that Stripe's API told, or whose signature was checked. */
export function verified(event: Stripe.Event, settings: StripeSettings): VerifiedEvent {
  const { id: eventId, type, livemode, created } = event
  return { eventId, type, livemode, created, translate: () => translateEvent(event, settings) }
}

interface Page {
  limit: number
  starting_after?: string
}

interface List<T> {
  object: 'list'
  data: T[]
  has_more: boolean
}

async function* pages<T extends { id?: string }>(list: (page: Page) => Promise<List<T>>): AsyncGenerator<T> {
  let last: string | undefined
  for (;;) {
    const page = last === undefined ? { limit: 100 } : { limit: 100, starting_after: last }
    const { data, has_more } = await ask('list', () => list(page))
    yield* data
    last = data.at(-1)?.id
    if (!has_more || last === undefined) return
  }
}

/** Half-open, in whole seconds as Stripe counts them. */
function createdIn({ from, to }: TimeRange): { gte: number; lt: number } {
  const seconds = (date: Date): number => Math.ceil(date.getTime() / 1000)
  return { gte: seconds(from), lt: Math.max(seconds(to), seconds(from)) }
}
