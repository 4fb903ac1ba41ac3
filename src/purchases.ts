import * as z from 'zod'
import type { UserId } from './credit-inputs.js'
import { PurchaseNotFoundError } from './errors.js'
import * as inputs from './inputs.js'
import { clawbackTarget, countedFacts, type Purchase } from './ledger/purchase.js'
import type { CreditPackage } from './ports/package-store.js'
import type { PaymentProvider } from './ports/payments.js'
import type { PurchaseWithFacts } from './ports/purchase-store.js'
import type { Session } from './session.js'

/** One sale, as its buyer and those who help them see it. Credits; money in minor units. */
export interface UserPurchase<T extends string = string> extends Pick<
  Purchase,
  | 'id'
  | 'userId'
  | 'origin'
  | 'packageId'
  | 'packageName'
  | 'quantity'
  | 'credits'
  | 'unitPriceMinor'
  | 'currency'
  | 'status'
  | 'provider'
  | 'livemode'
  | 'sessionId'
  | 'paymentId'
  | 'invoiceId'
  | 'createdAt'
  | 'fulfilledAt'
> {
  creditType: T
  /** What was captured; null before the payment. Of one line of an invoice: for the whole invoice. */
  paidMinor: number | null
  /** How much of `paidMinor` went back to the payer: refunds, also under way, and disputes that are not won. */
  reversedMinor: number
  /** Credits taken back for that; a refund as goodwill takes none. */
  clawed: number
  /** The transaction that brought the credits, and the grant they came in; null: none yet, or a plan's, in grants period by period. */
  transactionId: string | null
}

/** Whose purchases, and which page of them, newest first. */
export interface GetPurchasesInput {
  userId: UserId
  /** 1–200, default 50. */
  limit?: number | undefined
  /** `nextCursor` of the page before. Default: the first page. */
  cursor?: string | null | undefined
}

export const getPurchasesInput = z.object({
  userId: inputs.userId,
  limit: inputs.pageSize.default(50),
  cursor: inputs.rowId.refine(inputs.isRowId, 'is not a cursor of this list').nullish(),
})

/**
 * Which purchase `getPurchase` shows. One that is not there and one of another user both throw `PurchaseNotFoundError`.
 */
export interface GetPurchaseInput {
  purchaseId: string
  /** Where given, must be the buyer; else anybody's is found. Give it where the id came from a user. */
  userId?: UserId | undefined
}

export const getPurchaseInput = z.object({ purchaseId: inputs.rowId, userId: inputs.userId.optional() })

/** One page of `getPurchases`, newest first. */
export interface PurchasePage<T extends string = string> {
  purchases: UserPurchase<T>[]
  /** The next page's `cursor`; null: there are no more. */
  nextCursor: string | null
}

/** A user's purchases, newest first. */
export async function getPurchases<T extends string>(
  session: Session<T>,
  given: GetPurchasesInput,
): Promise<PurchasePage<T>> {
  const input = inputs.parseInput(getPurchasesInput, given)
  const { limit, cursor: after = null } = input
  const { store } = await session.open()
  // One more than the page tells whether the list goes on.
  const found = await store.listUserPurchases({ userId: await session.userId(input), limit: limit + 1, after })
  const purchases = found.slice(0, limit).map((each) => toUserPurchase<T>(each))
  return { purchases, nextCursor: found.length > limit ? (purchases.at(-1)?.id ?? null) : null }
}

/** @throws {PurchaseNotFoundError} No such purchase, or another user's. */
export async function getPurchase<T extends string>(
  session: Session<T>,
  given: GetPurchaseInput,
): Promise<UserPurchase<T>> {
  const input = inputs.parseInput(getPurchaseInput, given)
  const { purchaseId } = input
  const { store } = await session.open()
  const found = inputs.isRowId(purchaseId) ? await store.findPurchaseWithFacts(purchaseId) : null
  if (found === null || !(await session.owns(input, found.purchase))) throw new PurchaseNotFoundError()
  return toUserPurchase(found)
}

function toUserPurchase<T extends string>({ purchase, facts }: PurchaseWithFacts): UserPurchase<T> {
  const { id, origin, fulfilledAt, paidMinor } = purchase
  // Goodwill leaves the credits, but its money went back like any other's.
  const reversals = countedFacts(purchase, facts).map((fact) =>
    fact.status === 'waived' ? { ...fact, status: 'succeeded' as const } : fact,
  )
  return {
    id,
    userId: purchase.userId,
    origin,
    packageId: purchase.packageId,
    packageName: purchase.packageName,
    quantity: purchase.quantity,
    // The store only holds types this service was configured with, or older ones the host has since removed.
    creditType: purchase.creditType as T,
    credits: purchase.credits,
    unitPriceMinor: purchase.unitPriceMinor,
    currency: purchase.currency,
    status: purchase.status,
    provider: purchase.provider,
    livemode: purchase.livemode,
    sessionId: purchase.sessionId,
    paymentId: purchase.paymentId,
    invoiceId: purchase.invoiceId,
    paidMinor,
    // By the rule for credits, as if one had been paid for each unit of money.
    reversedMinor: clawbackTarget(paidMinor ?? 0, paidMinor ?? 0, reversals),
    clawed: purchase.clawed,
    transactionId: fulfilledAt === null || origin === 'invoice' ? null : id,
    createdAt: purchase.createdAt,
    fulfilledAt,
  }
}

interface Sale {
  id: string
  userId: string
  pack: CreditPackage
  quantity: number
  origin: 'checkout' | 'topup'
  provider: PaymentProvider
  now: Date
}

/** What is being sold: a snapshot, so that later changes of the package change nothing about it. */
export function newPurchase({ id, userId, pack, quantity, origin, provider, now }: Sale): Purchase {
  return {
    id,
    userId,
    origin,
    creditType: pack.creditType,
    packageId: pack.id,
    packageName: pack.name,
    quantity,
    credits: pack.creditAmount * quantity,
    unitPriceMinor: pack.price,
    currency: pack.currency,
    status: 'pending',
    provider: provider.name,
    livemode: provider.livemode,
    sessionId: null,
    paymentId: null,
    chargeId: null,
    invoiceId: null,
    paidMinor: null,
    clawed: 0,
    withheld: 0,
    absorbed: 0,
    createdAt: now,
    updatedAt: now,
    fulfilledAt: null,
  }
}
