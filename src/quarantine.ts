import * as z from 'zod'
import type { UserId } from './credit-inputs.js'
import { CheckoutNotPaidError, InvalidInputError, QuarantineNotFoundError } from './errors.js'
import { paymentState, settlePayment } from './fulfillments.js'
import * as inputs from './inputs.js'
import { settleInvoice } from './invoices.js'
import type { QuarantineEntry } from './ledger/purchase.js'
import { saveEntry } from './quarantine-entries.js'
import type { Till } from './till.js'

export type { QuarantineEntry }

/** Which payments in quarantine to list. Everything may be left out: the first 50 that wait for somebody. */
export interface ListQuarantineInput {
  /** Also those that somebody has resolved. Default false. */
  includeResolved?: boolean | undefined
  /** 1–200, default 50. */
  limit?: number | undefined
  /** Continue after the entry with this id. Default: from the beginning. */
  after?: string | null | undefined
}

export const listQuarantineInput = z.object({
  includeResolved: z.boolean().default(false),
  limit: z.number().int().min(1).max(200).default(50),
  after: inputs.rowId.refine(inputs.isRowId, 'must be the id of an entry').nullish(),
})

/** What somebody decided about a payment in quarantine. A decision can be repeated, not changed. */
export interface ReleaseQuarantineInput {
  /** The `id` of one of `listQuarantine`. */
  quarantineId: string
  /**
   * `grant`: the buyer gets what was sold although the payment does not match. `dismiss`: nothing more happens; for
   * payments that were given back. Default `grant`.
   */
  action?: 'grant' | 'dismiss' | undefined
  /** Whose payment it is, where nobody knew. Remembered for the customer's next ones. */
  userId?: UserId | undefined
  /** Who decided; kept as `resolvedBy`. */
  actor?: string | null | undefined
}

export const releaseQuarantineInput = z.object({
  quarantineId: inputs.rowId,
  action: z.enum(['grant', 'dismiss']).default('grant'),
  userId: inputs.userId.optional(),
  actor: inputs.optional(inputs.identifier),
})

/** In a fixed order, which is not that of time. */
export async function listQuarantine(till: Till, given: ListQuarantineInput): Promise<QuarantineEntry[]> {
  const { includeResolved, limit, after = null } = inputs.parseInput(listQuarantineInput, given)
  return till.store.listQuarantine({ open: !includeResolved, limit, after })
}

/** Let a person decide about a payment. Deciding it again the same way changes nothing. */
export async function releaseQuarantine(till: Till, given: ReleaseQuarantineInput): Promise<QuarantineEntry> {
  const { quarantineId, action, userId, actor } = inputs.parseInput(releaseQuarantineInput, given)
  const entry = inputs.isRowId(quarantineId) ? await till.store.findQuarantine(quarantineId) : null
  if (entry === null) throw new QuarantineNotFoundError()
  const resolution = action === 'grant' ? 'granted' : 'dismissed'
  if (entry.resolution !== null && entry.resolution !== resolution) {
    throw new InvalidInputError([{ path: 'action', message: `the payment was ${entry.resolution} before` }])
  }
  if (entry.resolution === null) {
    if (action === 'grant') await grant(till, entry, userId)
    await saveEntry(till, { ...entry, resolvedAt: till.clock(), resolvedBy: actor, resolution })
  }
  return (await till.store.findQuarantine(quarantineId)) ?? entry
}

async function grant(till: Till, entry: QuarantineEntry, userId: UserId | undefined): Promise<void> {
  if (entry.purchaseId !== null) return grantPurchase(till, entry.purchaseId, entry.details)
  if (entry.invoiceId !== null) return grantInvoice(till, entry.invoiceId, userId)
  const message = 'nothing is known of what was sold: add the credits by hand, then dismiss it'
  throw new InvalidInputError([{ path: 'action', message }])
}

async function grantPurchase(till: Till, purchaseId: string, details: QuarantineEntry['details']): Promise<void> {
  const { store, provider } = till
  const purchase = await store.findPurchase({ id: purchaseId })
  if (purchase === null) throw new QuarantineNotFoundError()
  // What was paid, which may not be the purchase's own session.
  const sessionId = typeof details.sessionId === 'string' ? details.sessionId : null
  const paymentId = typeof details.paymentId === 'string' ? details.paymentId : null
  const checkout = sessionId === null ? null : await provider.getCheckout(sessionId)
  const payment = paymentId === null || checkout !== null ? null : await provider.getPayment(paymentId)
  const state = checkout ?? (payment === null ? null : paymentState(payment))
  if (state === null) throw new CheckoutNotPaidError('The payment provider does not know the payment any more')
  const settled = await settlePayment(till, purchase, { failed: false, ...state }, { released: { by: null } })
  if (settled === null || settled.fulfilledAt === null) {
    throw new CheckoutNotPaidError('Nothing was paid, or the money went back, so there is nothing to grant')
  }
}

async function grantInvoice(till: Till, invoiceId: string, given: UserId | undefined): Promise<void> {
  const invoice = await till.provider.getInvoice(invoiceId)
  if (invoice?.status !== 'paid')
    throw new CheckoutNotPaidError('The invoice is not paid, so there is nothing to grant')
  if (given === undefined) {
    throw new InvalidInputError([{ path: 'userId', message: 'must say whose payment it is' }])
  }
  const userId = inputs.canonicalUserId(given, till.store.userIdType)
  await settleInvoice(till, invoice, userId)
  if ((await till.store.listInvoicePurchases(invoiceId)).length > 0) return
  const message =
    'nothing was granted: no price of the invoice sells a plan here, or there is no such user; put that right, or add the ' +
    'credits by hand and dismiss it'
  throw new InvalidInputError([{ path: 'action', message }])
}
