import { cardSaved } from './cards.js'
import { type Fulfillment, fulfillPurchase, type PaymentState } from './ledger/fulfillment.js'
import type { Posting } from './ledger/posting.js'
import type { Purchase } from './ledger/purchase.js'
import type { JsonObject } from './ledger/transaction.js'
import type { Checkout, Payment } from './ports/payments.js'
import { quarantineCheckout, quarantineEntryOf } from './quarantine-entries.js'
import { findOurPurchase, lockedPurchase, reversalOf, type Till } from './till.js'

/** What else happens in the step that settles a payment. */
export interface SettleOptions {
  /** A person lets a payment count that does not match what was sold. */
  released?: { by: string | null } | undefined
  /** The automatic top-up goes on, or not, by what became of its payment. */
  also?: ((posting: Posting, settled: Fulfillment) => void) | undefined
}

/**
 * The one way from a checkout to credits: webhook, success page, manual call and reconciliation all come here. Grants at
 * most once per purchase, what was sold. Returns the purchase as it is now; null: the checkout is not one of ours.
 */
export async function fulfillCheckout(till: Till, checkout: Checkout, failed = false): Promise<Purchase | null> {
  const { store, logger } = till
  const found = await findOurPurchase(store, checkout)
  if (found === null) {
    const { sessionId, purchaseId, state } = checkout
    const isPaid = state === 'paid' || state === 'free'
    if (purchaseId !== null && isPaid) await quarantineCheckout(till, checkout, 'no such purchase is known here')
    else logger.debug({ sessionId, purchaseId }, 'ignored a checkout that sells no package of ours')
    return null
  }
  const purchase = await settlePayment(till, found, { ...checkout, failed })
  const { customerId, savesCard } = checkout
  const paidAt = purchase?.status === 'fulfilled' ? purchase.fulfilledAt : null
  if (savesCard && customerId !== null && paidAt !== null) await cardSaved(till, customerId, paidAt)
  return purchase
}

/** A payment from a saved card, as a checkout would tell it. */
export function paymentState({ paymentId, state, amountMinor, currency, livemode }: Payment): PaymentState {
  return {
    state: state === 'succeeded' ? 'paid' : 'unpaid',
    failed: state === 'failed' || state === 'canceled',
    mode: 'payment',
    sessionId: null,
    paymentId,
    currency,
    subtotalMinor: amountMinor,
    totalMinor: amountMinor,
    livemode,
  }
}

/** Bring one purchase to where its payment stands: fulfilled, moved on, quarantined, or as it was. */
export async function settlePayment(
  till: Till,
  found: Purchase,
  payment: PaymentState,
  { released, also }: SettleOptions = {},
): Promise<Purchase | null> {
  const { store, commands, provider, logger } = till
  const { metadataNames } = provider
  const metadata: JsonObject = { purchaseId: found.id, packageId: found.packageId, quantity: found.quantity }
  metadata[metadataNames.session] = payment.sessionId
  metadata[metadataNames.payment] = payment.paymentId
  const reference =
    payment.sessionId === null
      ? { referenceId: payment.paymentId, referenceType: 'payment' }
      : { referenceId: payment.sessionId, referenceType: 'checkout_session' }
  const details = { ...reference, metadata, idempotencyKey: null }
  const { purchase, outcome } = await commands.run<Fulfillment>(
    store,
    {
      id: found.id,
      userId: found.userId,
      key: null,
      request: [],
      accounts: [found],
      purchases: [found],
      load: { grants: 'open', topup: true },
    },
    (state, now) => {
      const { posting, purchase: before, facts } = lockedPurchase(commands, state, now)
      const reversal = reversalOf(till, before, facts)
      const isReleased = released !== undefined
      const result = fulfillPurchase(posting, { purchase: before, facts }, payment, details, reversal, isReleased)
      also?.(posting, result)
      const entry = quarantineEntryOf(result, payment, now)
      if (entry !== null) {
        const { id: quarantineId, purchaseId, reason } = entry
        posting.announce({ kind: 'paymentQuarantined', payload: { quarantineId, purchaseId, reason } })
      }
      return {
        result,
        main: result.outcome.kind === 'granted' ? result.outcome.transaction : null,
        accounts: posting.touched ? [posting.finish()] : [],
        purchases: result.purchase === before ? [] : [result.purchase],
        quarantine: entry === null ? [] : [entry],
      }
    },
    // The purchase's transaction exists: it was fulfilled before.
    () => ({ purchase: found, outcome: { kind: 'unchanged' } }),
  )
  if (outcome.kind === 'quarantined') {
    const { id: purchaseId } = purchase
    const { sessionId, paymentId } = payment
    logger.error({ purchaseId, sessionId, paymentId, reason: outcome.reason }, 'a payment was quarantined')
  }
  return outcome.kind === 'unchanged' ? store.findPurchase({ id: found.id }) : purchase
}
