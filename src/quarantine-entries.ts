import { v5 as uuidv5 } from 'uuid'
import { newRowId } from './row-id.js'
import type { Fulfillment, PaymentState } from './ledger/fulfillment.js'
import type { QuarantineEntry } from './ledger/purchase.js'
import type { Checkout, Invoice } from './ports/payments.js'
import type { Till } from './till.js'

/** Names entries, so that a payment told of twice has one. */
const QUARANTINE_NAMESPACE = '0b9d2f64-3c57-5a0e-9a53-51a6a1d7c0de'

/** What a payment that was not what was sold leaves behind; null: it was. */
export function quarantineEntryOf(
  { purchase, outcome }: Fulfillment,
  payment: PaymentState,
  now: Date,
): QuarantineEntry | null {
  if (outcome.kind !== 'quarantined') return null
  const { sessionId, paymentId, subtotalMinor, totalMinor, currency } = payment
  return {
    ...unresolved(outcome.reason, now),
    id: purchaseEntryId(purchase.id),
    userId: purchase.userId,
    purchaseId: purchase.id,
    invoiceId: null,
    details: { sessionId, paymentId, subtotalMinor, totalMinor, currency },
  }
}

function unresolved(reason: string, createdAt: Date) {
  return { reason, createdAt, resolvedAt: null, resolvedBy: null, resolution: null }
}

export function purchaseEntryId(purchaseId: string): string {
  return uuidv5(`purchase ${purchaseId}`, QUARANTINE_NAMESPACE)
}

export function checkoutEntryId(sessionId: string): string {
  return uuidv5(`checkout ${sessionId}`, QUARANTINE_NAMESPACE)
}

export function invoiceEntryId(invoiceId: string): string {
  return uuidv5(`invoice ${invoiceId}`, QUARANTINE_NAMESPACE)
}

/** Keep an invoice for one of our plans whose payer nobody knows, once. */
export async function quarantineInvoice(till: Till, invoice: Invoice, reason: string): Promise<void> {
  const { invoiceId, subscriptionId, customerId, userId, paidMinor, currency } = invoice
  till.logger.error({ invoiceId, subscriptionId, customerId, reason }, 'a paid invoice was quarantined')
  await saveEntry(till, {
    ...unresolved(reason, till.clock()),
    id: invoiceEntryId(invoiceId),
    userId: null,
    purchaseId: null,
    invoiceId,
    details: { subscriptionId, customerId, userId, paidMinor, currency },
  })
}

/** Keep a paid checkout that names a purchase of ours that is not there, once. */
export async function quarantineCheckout(till: Till, checkout: Checkout, reason: string): Promise<void> {
  const { sessionId, paymentId, purchaseId, customerId, totalMinor, currency } = checkout
  till.logger.error({ sessionId, purchaseId, reason }, 'a paid checkout was quarantined')
  await saveEntry(till, {
    ...unresolved(reason, till.clock()),
    id: checkoutEntryId(sessionId),
    userId: null,
    purchaseId: null,
    invoiceId: null,
    details: { sessionId, paymentId, purchaseId, customerId, totalMinor, currency },
  })
}

/** Keep an entry, or what was decided about it: the first decision stays. */
export async function saveEntry({ store, commands }: Till, entry: QuarantineEntry): Promise<void> {
  await commands.run<null>(
    store,
    { id: newRowId(), userId: '', key: null, request: [], accounts: [], load: { grants: { covering: 0 } } },
    () => ({ result: null, main: null, accounts: [], quarantine: [entry] }),
    () => null,
  )
}
