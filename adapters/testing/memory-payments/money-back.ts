import type { PaymentDispute, PaymentRefund, PaymentReversals } from '../../../src/ports/payments.js'
import { type Books, known, type PaymentRow } from './books.js'

/** Names a payment, in whichever way is at hand. */
export interface PaymentReference {
  sessionId?: string
  paymentId?: string
}

/** A refund made by the merchant. */
export interface MemoryRefundInput extends PaymentReference {
  /** Minor units; default all that is left. */
  amount?: number
  /** Default `succeeded`. */
  status?: PaymentRefund['status']
  /** Goodwill: money back, credits kept. Default false. */
  keepCredits?: boolean
}

/** A dispute opened by the buyer's bank. */
export interface MemoryDisputeInput extends PaymentReference {
  /** Minor units; default all that was paid. */
  amount?: number
  /** Default `open`. */
  status?: PaymentDispute['status']
}

/** The merchant, or the bank, gives money back. */
export function refund(books: Books, input: MemoryRefundInput): PaymentRefund {
  const { payment, refunds } = paidPayment(books, input)
  const gone = refunds.reduce((sum, { amountMinor, status }) => sum + (status === 'failed' ? 0 : amountMinor), 0)
  const left = payment.amountMinor - gone
  const { amount = left, status = 'succeeded', keepCredits = false } = input
  if (!Number.isInteger(amount) || amount <= 0 || amount > left) {
    throw new Error(`memoryPayments.refund: ${amount} of ${left} can't be refunded`)
  }
  const { currency } = payment
  const made = { refundId: books.newId('refund'), amountMinor: amount, currency, status, keepCredits }
  refunds.push({ ...made, createdAt: books.now() })
  books.emit('payment.refunded', payment.paymentId, payment.livemode)
  return made
}

/** The bank moves a refund on; what failed stays so. */
export function updateRefund(books: Books, refundId: string, status: PaymentRefund['status']): void {
  for (const { payment, refunds } of books.payments.values()) {
    const found = refunds.find((each) => each.refundId === refundId)
    if (found === undefined) continue
    if (found.status === 'failed') throw new Error(`memoryPayments.updateRefund: ${refundId} has failed, for good`)
    found.status = status
    books.emit('payment.refunded', payment.paymentId, payment.livemode)
    return
  }
  throw new Error(`memoryPayments: there is no refund ${refundId}`)
}

/** The buyer's bank takes money back, or asks about it. */
export function dispute(books: Books, input: MemoryDisputeInput): PaymentDispute {
  const { payment, disputes } = paidPayment(books, input)
  const { amount: amountMinor = payment.amountMinor, status = 'open' } = input
  const made = { disputeId: books.newId('dispute'), amountMinor, currency: payment.currency, status }
  disputes.push({ ...made, createdAt: books.now() })
  books.emit('payment.disputed', payment.paymentId, payment.livemode)
  return made
}

/** The bank moves a dispute on; lost ones may still be won. */
export function updateDispute(books: Books, disputeId: string, status: PaymentDispute['status']): void {
  for (const { payment, disputes } of books.payments.values()) {
    const found = disputes.find((each) => each.disputeId === disputeId)
    if (found === undefined) continue
    found.status = status
    books.emit('payment.disputed', payment.paymentId, payment.livemode)
    return
  }
  throw new Error(`memoryPayments: there is no dispute ${disputeId}`)
}

/** All money of a payment that went back; null: there is no such payment, or it is of no purchase and no invoice. */
export function reversalsOf(books: Books, paymentId: string): PaymentReversals | null {
  const row = books.payments.get(paymentId)
  if (row === undefined) return null
  const { purchaseId, amountMinor, currency, livemode } = row.payment
  if (purchaseId === null && row.invoiceId === null) return null
  return {
    paymentId,
    chargeId: row.chargeId,
    purchaseId,
    invoiceId: row.invoiceId,
    capturedMinor: amountMinor,
    currency,
    refunds: row.refunds.map(({ createdAt, ...each }) => each),
    disputes: row.disputes.map(({ createdAt, ...each }) => each),
    livemode,
  }
}

function paidPayment(books: Books, { sessionId, paymentId }: PaymentReference): PaymentRow {
  const checkout = sessionId === undefined ? null : known(books.sessions, sessionId, 'session').checkout
  const row = known(books.payments, paymentId ?? checkout?.paymentId ?? 'named', 'payment')
  if (row.payment.state !== 'succeeded') throw new Error(`memoryPayments: ${row.payment.paymentId} has not been paid`)
  return row
}
