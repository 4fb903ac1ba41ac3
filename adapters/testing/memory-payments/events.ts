import type { PaymentEvent } from '../../../src/ports/payments.js'
import type { Books } from './books.js'
import { reversalsOf } from './money-back.js'

/** Every type of event, and what it means; null: nothing to act on. Told by what is true now, not by the event. */
const MEMORY_EVENTS = {
  'session.completed': (books: Books, id: string) => checkoutChanged(books, id),
  'session.settled': (books: Books, id: string) => checkoutChanged(books, id),
  'session.bounced': (books: Books, id: string) => checkoutChanged(books, id, true),
  'session.expired': (books: Books, id: string) => checkoutChanged(books, id),
  'payment.succeeded': (books: Books, id: string) => paymentNews(books, id, 'payment_succeeded'),
  'payment.failed': (books: Books, id: string) => paymentFailed(books, id),
  'payment.canceled': (books: Books, id: string) => paymentNews(books, id, 'payment_canceled'),
  'payment.refunded': (books: Books, id: string) => moneyWentBack(books, id),
  'payment.disputed': (books: Books, id: string) => moneyWentBack(books, id),
  'invoice.changed': (books: Books, id: string): PaymentEvent | null => {
    const row = books.invoices.get(id)
    return row === undefined ? null : { kind: 'invoice', invoice: structuredClone(row.invoice) }
  },
  'subscription.changed': (books: Books, id: string): PaymentEvent | null => {
    const row = books.subscriptions.get(id)
    return row === undefined ? null : { kind: 'subscription', subscription: structuredClone(row.subscription) }
  },
  'customer.deleted': (_books: Books, id: string): PaymentEvent => ({ kind: 'customer_deleted', customerId: id }),
  'card.saved': (_books: Books, id: string, created: number): PaymentEvent => {
    return { kind: 'card_saved', customerId: id, savedAt: new Date(created * 1000) }
  },
  // The service tells of more than anybody acts on.
  'customer.created': () => null,
}

export type MemoryEventType = keyof typeof MEMORY_EVENTS

/** What a webhook says: that something happened to an object, not what. */
export interface MemoryEvent {
  id: string
  type: string
  livemode: boolean
  /** Seconds since the epoch. */
  created: number
  data: { id: string }
  createdAt: Date
}

/** The event in the port's words; null: nothing to act on. */
export function translate(
  books: Books,
  { type, data, created }: Pick<MemoryEvent, 'type' | 'data' | 'created'>,
): PaymentEvent | null {
  return isKnown(type) ? MEMORY_EVENTS[type](books, data.id, created) : null
}

function isKnown(type: string): type is MemoryEventType {
  return Object.hasOwn(MEMORY_EVENTS, type)
}

function checkoutChanged(books: Books, sessionId: string, bounced = false): PaymentEvent | null {
  const row = books.sessions.get(sessionId)
  if (row === undefined || row.checkout.purchaseId === null) return null
  const checkout = structuredClone(row.checkout)
  return { kind: 'checkout', checkout, failed: bounced && checkout.state === 'unpaid' }
}

function paymentNews(
  books: Books,
  paymentId: string,
  kind: 'payment_succeeded' | 'payment_canceled',
): PaymentEvent | null {
  const purchaseId = books.payments.get(paymentId)?.payment.purchaseId ?? null
  return purchaseId === null ? null : { kind, paymentId, purchaseId }
}

function paymentFailed(books: Books, paymentId: string): PaymentEvent | null {
  const payment = books.payments.get(paymentId)?.payment
  if (payment === undefined || payment.purchaseId === null) return null
  const { purchaseId, failure } = payment
  return {
    kind: 'payment_failed',
    paymentId,
    purchaseId,
    code: failure?.code ?? null,
    message: failure?.message ?? null,
  }
}

function moneyWentBack(books: Books, paymentId: string): PaymentEvent | null {
  const reversals = reversalsOf(books, paymentId)
  return reversals && { kind: 'payment_reversed', reversals }
}
