import { AlreadyRefundedError, NotRefundableError } from '../errors.js'
import type { CommandDetails } from './add.js'
import { firstCredits, type GrantAllocation, isExpired, isGrantAllocation, mergeAllocations } from './grant.js'
import type { Posting } from './posting.js'
import type { Transaction } from './transaction.js'

/** A use to give back, with the refunds it has had. */
export interface RefundTarget {
  transaction: Transaction
  related: Transaction[]
}

/**
 * What becomes of credits given back to a grant that has expired meanwhile. `expire`: they end at once. `regrant`: they
 * come back as a new grant. `extend`: the grant lives again, with those credits. In the last two they live for as long as
 * they still had when they were used.
 */
export const REFUND_POLICIES = ['expire', 'regrant', 'extend'] as const
/**
 * What becomes of refunded credits whose grant has expired meanwhile: they end at once (`expire`), come back as a new
 * grant (`regrant`), or their grant lives again (`extend`). They live on for as long as they had left when they were
 * used.
 */
export type RefundPolicy = (typeof REFUND_POLICIES)[number]

/**
 * Give a use back to the grants it came from, in reverse. `amount` null: all that is left of it.
 * Never more in sum than the use took.
 */
export function refundCredits(
  posting: Posting,
  target: RefundTarget,
  { amount, policy, ...details }: CommandDetails & { amount: number | null; policy: RefundPolicy },
): Transaction {
  const { transaction } = target
  if (transaction.transactionType !== 'usage') {
    throw new NotRefundableError(
      `Only uses can be refunded; this transaction is of type ${transaction.transactionType}`,
    )
  }
  const left = refundable(target)
  const total = left.reduce((sum, allocation) => sum + allocation.amount, 0)
  if (total === 0) throw new AlreadyRefundedError()
  const refunded = amount ?? total
  if (refunded > total) throw new NotRefundableError(`Only ${total} credits of this transaction are left to refund`)
  countBack(posting, transaction, refunded, total)
  const returned = firstCredits(left, refunded).flatMap((part) => revive(posting, transaction, part, policy))
  return posting.giveBack(mergeAllocations(returned), {
    ...details,
    transactionType: 'refund',
    relatedId: transaction.id,
  })
}

/** What is left to give back of a use, grant by grant, the last taken first. */
function refundable({ transaction, related }: RefundTarget): GrantAllocation[] {
  const taken = transaction.allocations.filter(isGrantAllocation).reverse()
  let returned = related
    .filter(({ transactionType }) => transactionType === 'refund')
    .reduce((sum, { amount }) => sum + amount, 0)
  return taken.map(({ grantId, amount }) => {
    const gone = Math.min(amount, returned)
    returned -= gone
    return { grantId, amount: amount - gone }
  })
}

/** A use that is given back in full was no call. A capture was counted when its hold was made, and so it stays a call. */
function countBack(posting: Posting, use: Transaction, refunded: number, left: number): void {
  const hold = posting.holds.find(({ id }) => id === use.relatedId)
  const calls = hold === undefined && refunded === left ? 1 : 0
  posting.limits.giveBack({ calls, credits: refunded }, hold?.createdAt ?? use.createdAt)
}

/** Where credits go that come back to a grant that has expired: by policy, but a clawback's claim on it comes first. */
function revive(
  posting: Posting,
  use: Transaction,
  { grantId, amount }: GrantAllocation,
  policy: RefundPolicy,
): GrantAllocation[] {
  const grant = posting.grant(grantId)
  const { expiresAt } = grant
  if (policy === 'expire' || expiresAt === null || !isExpired(grant, posting.now) || grant.voidedAt !== null)
    return [{ grantId, amount }]
  const claimed = Math.min(grant.shortfall, amount)
  const own = claimed === 0 ? [] : [{ grantId, amount: claimed }]
  if (claimed === amount) return own
  const leftMs = Math.max(1, expiresAt.getTime() - use.createdAt.getTime())
  const until = new Date(posting.now.getTime() + leftMs)
  if (policy === 'extend') {
    posting.changeExpiry(grantId, until)
    return [{ grantId, amount }]
  }
  const { priority, source } = grant
  const id = posting.newId()
  const terms = { effectiveAt: null, expiresAt: until, priority, source, paidAmount: null, currency: null }
  posting.createGrant({ id, amount: amount - claimed, ...terms, purchaseId: null })
  return [...own, { grantId: id, amount: amount - claimed }]
}
