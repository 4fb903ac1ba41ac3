import type { Checkout } from '../../../src/ports/payments.js'
import { type Books, type CardBehaviour, known, type PaymentRow, type SessionRow } from './books.js'
import { invoicePaid } from './invoices.js'
import { fail, newPayment, saveCard, succeed, tryCard } from './payments.js'
import { beginSubscription, endSubscription } from './subscriptions.js'

/**
 * What a buyer did on the checkout page.
 *
 * - `paid`: paid at once. A session with nothing to pay completes as `free`.
 * - `unpaid`: by a delayed means of payment; the session completes and stays `unpaid` until `settle`.
 * - `declined`: the payment failed, the session stays open.
 * - `no_payment_required`: the total is 0 (a full discount).
 */
export type MemoryCheckoutOutcome = 'paid' | 'unpaid' | 'declined' | 'no_payment_required'

/** What differs from the session as it was made. Amounts in minor units. */
export interface MemoryCompleteOptions {
  /** New quantity, as when the buyer may change it. */
  quantity?: number
  /** Taken off the subtotal. */
  discount?: number
  /** Added on top. */
  tax?: number
  /** The card that is paid with, and saved where the session saves one. Default `pays`. */
  card?: CardBehaviour
}

/** The buyer presses the button. @throws {Error} The session is not open, or the outcome is impossible for it. */
export function complete(
  books: Books,
  sessionId: string,
  outcome: MemoryCheckoutOutcome,
  options: MemoryCompleteOptions,
): Checkout {
  const session = known(books.sessions, sessionId, 'session')
  const { checkout } = session
  if (checkout.state !== 'open') throw new Error(`memoryPayments.complete: ${sessionId} is ${checkout.state}, not open`)
  reprice(session, options)
  const { totalMinor } = checkout
  if (outcome === 'no_payment_required' && totalMinor > 0) {
    throw new Error(`memoryPayments.complete: ${sessionId} costs ${totalMinor}; only a total of 0 needs no payment`)
  }
  const { card = 'pays' } = options
  const used = outcome === 'unpaid' ? 'pays_later' : outcome === 'declined' && !isDeclining(card) ? 'soft' : card
  const isFinished = press(books, session, used)
  if (isFinished && session.saveCard && checkout.customerId !== null) saveCard(books, checkout.customerId, card)
  return checkout
}

/** Returns whether the session is finished. */
function press(books: Books, session: SessionRow, card: CardBehaviour): boolean {
  if (session.checkout.mode === 'payment') return payOnce(books, session, card)
  if (isDeclining(card)) {
    declined(books, session, card)
    return false
  }
  if (session.checkout.mode === 'setup') finish(books, session, 'free')
  else subscribe(books, session, card)
  return true
}

/** A delayed payment arrives or bounces. */
export function settle(books: Books, sessionId: string, outcome: 'succeeded' | 'failed'): Checkout {
  const session = known(books.sessions, sessionId, 'session')
  const { checkout } = session
  const invoice = books.invoices.get(checkout.invoiceId ?? '')
  const payment = books.payments.get(checkout.paymentId ?? invoice?.invoice.paymentId ?? '')
  if (checkout.state !== 'unpaid' || payment === undefined) {
    throw new Error(`memoryPayments.settle: ${sessionId} does not wait for a delayed payment`)
  }
  if (outcome === 'succeeded') {
    succeed(books, payment)
    checkout.state = 'paid'
    books.emit('session.settled', sessionId, checkout.livemode)
    if (invoice !== undefined) invoicePaid(books, invoice)
    return checkout
  }
  fail(books, payment, 'soft')
  books.emit('session.bounced', sessionId, checkout.livemode)
  if (checkout.subscriptionId !== null) endSubscription(books, checkout.subscriptionId, 'incomplete_expired')
  return checkout
}

function payOnce(books: Books, session: SessionRow, card: CardBehaviour): boolean {
  if (session.checkout.totalMinor === 0) {
    finish(books, session, 'free')
    return true
  }
  const row = paymentOf(books, session)
  tryCard(books, row, card, true)
  const { state } = row.payment
  if (state === 'succeeded') finish(books, session, 'paid')
  if (state === 'processing') finish(books, session, 'unpaid')
  return state !== 'failed'
}

/** Made at the first attempt to pay; later attempts use the same. */
function paymentOf(books: Books, { checkout }: SessionRow): PaymentRow {
  const { sessionId, totalMinor, customerId, purchaseId, currency, livemode } = checkout
  const before = books.payments.get(checkout.paymentId ?? '')
  if (before !== undefined) return Object.assign(before, { totalMinor })
  const of = { customerId, purchaseId, sessionId, invoiceId: null }
  const made = newPayment(books, { ...of, totalMinor, currency, livemode })
  checkout.paymentId = made.payment.paymentId
  return made
}

/** A subscription or a saved card that comes to nothing: the attempt leaves only its payment. */
function declined(books: Books, { checkout }: SessionRow, card: 'hard' | 'soft'): void {
  const { customerId, totalMinor, currency, livemode } = checkout
  const of = { customerId, purchaseId: null, sessionId: null, invoiceId: null }
  fail(books, newPayment(books, { ...of, totalMinor, currency, livemode }), card)
}

function subscribe(books: Books, session: SessionRow, card: CardBehaviour): void {
  const { checkout, userId, quantity, trialDays, priceId } = session
  const { customerId, livemode, subtotalMinor, totalMinor } = checkout
  const of = { customerId, userId, priceId: priceId ?? '', quantity, trialDays, livemode }
  const begun = beginSubscription(books, { ...of, reductionMinor: subtotalMinor - totalMinor, card })
  const { subscription, invoice } = begun
  Object.assign(checkout, { subscriptionId: subscription.subscriptionId, invoiceId: invoice.invoiceId })
  if (checkout.totalMinor === 0) finish(books, session, 'free')
  else finish(books, session, invoice.status === 'paid' ? 'paid' : 'unpaid')
}

function finish(books: Books, { checkout }: SessionRow, state: Checkout['state']): void {
  Object.assign(checkout, { state, url: null, clientSecret: null })
  books.emit('session.completed', checkout.sessionId, checkout.livemode)
}

function reprice(session: SessionRow, { quantity, discount = 0, tax = 0 }: MemoryCompleteOptions): void {
  const { checkout, trialDays, unitPriceMinor } = session
  if (quantity !== undefined) session.quantity = quantity
  checkout.subtotalMinor = trialDays === null ? unitPriceMinor * session.quantity : 0
  checkout.totalMinor = Math.max(0, checkout.subtotalMinor - discount) + tax
}

function isDeclining(card: CardBehaviour): card is 'hard' | 'soft' {
  return card === 'hard' || card === 'soft'
}
