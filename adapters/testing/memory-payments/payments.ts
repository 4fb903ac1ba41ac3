import type { OffSessionRequest, Payment, PaymentFailure } from '../../../src/ports/payments.js'
import { type Books, type CardBehaviour, type CardFailure, known, type PaymentRow } from './books.js'

/** A payment that somebody is asked for. */
interface NewPayment {
  customerId: string | null
  purchaseId: string | null
  sessionId: string | null
  invoiceId: string | null
  totalMinor: number
  currency: string
  livemode: boolean
}

const FAILURES: Record<CardFailure, PaymentFailure> = {
  authentication_required: {
    kind: 'authentication_required',
    code: 'authentication_required',
    message: 'The bank wants to see the buyer.',
  },
  card_missing: { kind: 'card_missing', code: null, message: 'The customer has no saved card.' },
  hard: { kind: 'hard', code: 'lost_card', message: 'The card was declined.' },
  soft: { kind: 'soft', code: 'insufficient_funds', message: 'The card has insufficient funds.' },
}

/** A payment of which nothing has been tried yet. */
export function newPayment(books: Books, { totalMinor, sessionId, invoiceId, ...given }: NewPayment): PaymentRow {
  const paymentId = books.newId('payment')
  const row: PaymentRow = {
    payment: { paymentId, ...given, state: 'failed', amountMinor: 0, failure: FAILURES.card_missing },
    totalMinor,
    chargeId: null,
    sessionId,
    invoiceId,
    createdAt: books.now(),
    refunds: [],
    disputes: [],
  }
  books.payments.set(paymentId, row)
  return row
}

/** Try to take a payment from a card. With the buyer there, an authentication that is asked for is passed. */
export function tryCard(books: Books, row: PaymentRow, card: CardBehaviour, isBuyerThere: boolean): void {
  if (card === 'pays' || (card === 'authentication_required' && isBuyerThere)) succeed(books, row)
  else if (card === 'pays_later') Object.assign(row.payment, { state: 'processing', failure: null })
  else fail(books, row, card)
}

export function succeed(books: Books, row: PaymentRow): void {
  Object.assign(row.payment, { state: 'succeeded', amountMinor: row.totalMinor, failure: null })
  row.chargeId ??= books.newId('charge')
  books.emit('payment.succeeded', row.payment.paymentId, row.payment.livemode)
}

export function fail(books: Books, { payment }: PaymentRow, kind: CardFailure): void {
  Object.assign(payment, { state: 'failed', failure: { ...FAILURES[kind] } })
  books.emit('payment.failed', payment.paymentId, payment.livemode)
}

/** The card that a customer who is away is charged with, as it behaves at present; null: there is none. */
export function cardToCharge(books: Books, customerId: string, livemode: boolean): CardBehaviour | null {
  const customer = books.customer(customerId, livemode)
  if (customer === null || customer.failing === 'card_missing') return null
  return customer.failing ?? customer.cards[0] ?? null
}

/** Take a payment from a saved card. One purchase is paid once: a repeat is told of the first payment. */
export function chargeOffSession(books: Books, request: OffSessionRequest, livemode: boolean): Payment {
  const { purchaseId, customerId, amountMinor: totalMinor, currency } = request
  const name = `charge ${purchaseId}`
  const before = books.payments.get(books.named.get(name)?.id ?? '')
  if (before !== undefined) return before.payment
  const card = cardToCharge(books, customerId, livemode)
  if (card === null) {
    const failure = FAILURES.card_missing
    return { paymentId: null, purchaseId, state: 'failed', amountMinor: 0, currency, customerId, failure, livemode }
  }
  const of = { customerId, purchaseId, sessionId: null, invoiceId: null }
  const row = newPayment(books, { ...of, totalMinor, currency, livemode })
  books.named.set(name, { request: '', id: row.payment.paymentId })
  tryCard(books, row, card, false)
  return row.payment
}

/** Only what waits for its buyer, and is no part of a checkout or an invoice, can be given up. */
export function cancelPayment(books: Books, paymentId: string, livemode: boolean): boolean {
  const row = books.payments.get(paymentId)
  if (row?.payment.livemode !== livemode || row.payment.state !== 'failed') return false
  if (row.sessionId !== null || row.invoiceId !== null) return false
  Object.assign(row.payment, { state: 'canceled', failure: null })
  books.emit('payment.canceled', paymentId, livemode)
  return true
}

/** From now on the customer can be charged with this card. */
export function saveCard(books: Books, customerId: string, card: CardBehaviour): void {
  const customer = known(books.customers, customerId, 'customer')
  customer.cards.unshift(card)
  books.emit('card.saved', customerId, customer.livemode)
}

export function deleteCustomer(books: Books, customerId: string): void {
  const customer = known(books.customers, customerId, 'customer')
  Object.assign(customer, { isDeleted: true, cards: [] })
  books.emit('customer.deleted', customerId, customer.livemode)
}
