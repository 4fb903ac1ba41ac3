import { addCredits, type CommandDetails } from './add.js'
import { type Reversal, settleReversal } from './clawback.js'
import type { Posting } from './posting.js'
import { clawbackTarget, countedFacts, type PaymentFact, type Purchase } from './purchase.js'
import type { Transaction } from './transaction.js'

/** What the payment provider says of a checkout, as far as fulfillment is concerned. Money in minor units. */
export interface PaymentState {
  state: 'open' | 'paid' | 'free' | 'unpaid' | 'expired'
  /** The delayed payment did not come. */
  failed: boolean
  mode: 'payment' | 'subscription' | 'setup'
  /** Null: taken from a saved card. */
  sessionId: string | null
  paymentId: string | null
  currency: string
  subtotalMinor: number
  totalMinor: number
  livemode: boolean
}

export type FulfillmentOutcome =
  | { kind: 'granted'; transaction: Transaction }
  /** Nothing to do: granted before, or this news changes nothing. */
  | { kind: 'unchanged' }
  /** The purchase is now processing, expired or failed. */
  | { kind: 'moved' }
  /** Paid, but not what was sold: no credits until a person has looked. */
  | { kind: 'quarantined'; reason: string }

export interface Fulfillment {
  purchase: Purchase
  outcome: FulfillmentOutcome
}

/**
 * The one place where money becomes credits. Only paid (or free) one-off checkouts grant, once, and exactly the snapshot
 * that was sold; money that went back before we heard of the payment is settled in the same step. Paid always wins over
 * older news. `released`: a person has looked at a payment that does not match, and lets it count.
 * reference/stripe.md, rules 1–4.
 */
export function fulfillPurchase(
  posting: Posting,
  { purchase, facts }: { purchase: Purchase; facts: readonly PaymentFact[] },
  payment: PaymentState,
  details: Omit<CommandDetails, 'id' | 'description' | 'request' | 'actor'>,
  reversal: Reversal,
  released = false,
): Fulfillment {
  const unchanged: Fulfillment = { purchase, outcome: { kind: 'unchanged' } }
  if (purchase.status === 'fulfilled' || purchase.status === 'refunded' || payment.mode !== 'payment') return unchanged
  if (payment.state !== 'paid' && payment.state !== 'free') return moveOn(purchase, payment, posting.now)
  const reason = released ? null : mismatch(purchase, payment)
  if (reason !== null && purchase.status === 'quarantined') return unchanged
  const paid = { ...purchase, paidMinor: payment.totalMinor, updatedAt: posting.now }
  if (reason !== null) {
    // The purchase's own session stays: if that one is paid after all, it counts.
    const sessionId = purchase.sessionId ?? payment.sessionId
    const paymentId = sessionId === payment.sessionId ? payment.paymentId : purchase.paymentId
    return {
      purchase: { ...paid, sessionId, paymentId, status: 'quarantined' },
      outcome: { kind: 'quarantined', reason },
    }
  }
  const transaction = addCredits(posting, {
    ...details,
    id: purchase.id,
    grantId: purchase.id,
    amount: purchase.credits,
    transactionType: 'purchase',
    source: 'purchase',
    description: purchaseDescription(purchase),
    request: null,
    actor: null,
    effectiveAt: null,
    expiresAt: null,
    priority: 0,
    paidAmount: payment.totalMinor,
    currency: purchase.currency,
    purchaseId: purchase.id,
  })
  const { sessionId, paymentId } = payment
  const granted: Purchase = { ...paid, sessionId, paymentId, status: 'fulfilled', fulfilledAt: posting.now }
  return { purchase: settleFacts(posting, granted, facts, [], reversal), outcome: { kind: 'granted', transaction } }
}

/** Bring the credits of a fulfilled purchase in line with the money that went back for it. */
export function settleFacts(
  posting: Posting,
  purchase: Purchase,
  facts: readonly PaymentFact[],
  history: readonly Transaction[],
  reversal: Reversal,
): Purchase {
  const counted = countedFacts(purchase, facts)
  const target = clawbackTarget(purchase.credits, purchase.paidMinor ?? 0, counted)
  // Also of a purchase that brought no credits.
  const isRefunded = clawbackTarget(1, purchase.paidMinor ?? 0, counted) === 1
  if (purchase.fulfilledAt === null) {
    // Nothing was granted, so nothing is taken. A quarantined payment is settled while all of its money is gone.
    if (purchase.status !== 'quarantined' && purchase.status !== 'refunded') return purchase
    const status = isRefunded ? 'refunded' : 'quarantined'
    return status === purchase.status ? purchase : { ...purchase, status, updatedAt: posting.now }
  }
  const settled = settleReversal(posting, purchase, target, history, reversal)
  return { ...settled, status: isRefunded ? 'refunded' : 'fulfilled', updatedAt: posting.now }
}

function moveOn(purchase: Purchase, payment: PaymentState, now: Date): Fulfillment {
  const unchanged: Fulfillment = { purchase, outcome: { kind: 'unchanged' } }
  // What becomes of another session says nothing about the purchase's own.
  if (purchase.sessionId !== null && purchase.sessionId !== payment.sessionId) return unchanged
  const status = nextStatus(purchase, payment)
  const moved = {
    ...purchase,
    status,
    sessionId: purchase.sessionId ?? payment.sessionId,
    paymentId: purchase.paymentId ?? payment.paymentId,
  }
  const changed =
    status !== purchase.status || moved.sessionId !== purchase.sessionId || moved.paymentId !== purchase.paymentId
  return changed ? { purchase: { ...moved, updatedAt: now }, outcome: { kind: 'moved' } } : unchanged
}

function nextStatus(purchase: Purchase, payment: PaymentState): Purchase['status'] {
  if (purchase.status === 'quarantined') return 'quarantined'
  if (payment.failed) return 'failed'
  if (payment.state === 'unpaid') return purchase.status === 'failed' ? 'failed' : 'processing'
  if (payment.state === 'expired') return purchase.status === 'pending' ? 'expired' : purchase.status
  return purchase.status
}

/** Why this payment is not for what was sold; null: it is. */
function mismatch(purchase: Purchase, payment: PaymentState): string | null {
  if (purchase.sessionId !== null && purchase.sessionId !== payment.sessionId)
    return 'paid through another checkout session'
  if (purchase.livemode !== payment.livemode) return 'test and live mode differ'
  if (purchase.currency !== payment.currency) return `paid in ${payment.currency}, sold in ${purchase.currency}`
  const expected = purchase.unitPriceMinor * purchase.quantity
  if (payment.subtotalMinor !== expected) return `priced at ${payment.subtotalMinor}, sold at ${expected} (minor units)`
  return null
}

function purchaseDescription({ packageName, quantity }: Purchase): string {
  return quantity === 1 ? `Purchase: ${packageName}` : `Purchase: ${quantity} × ${packageName}`
}
