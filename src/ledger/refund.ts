import { AlreadyRefundedError, NotRefundableError } from '../errors.js'
import type { CommandDetails } from './add.js'
import { allocatedCredits, type GrantAllocation, isGrantAllocation } from './grant.js'
import type { Posting } from './posting.js'
import type { Transaction } from './transaction.js'

/** A use to give back, with the refunds it has had. */
export interface RefundTarget {
  transaction: Transaction
  related: Transaction[]
}

/**
 * Give a use back to the grants it came from, in reverse. `amount` null: all that is left of it.
 * Never more in sum than the use took.
 */
export function refundCredits(
  posting: Posting,
  target: RefundTarget,
  { amount, ...details }: CommandDetails & { amount: number | null },
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
  return posting.giveBack(firstCredits(left.reverse(), refunded), {
    ...details,
    transactionType: 'refund',
    relatedId: transaction.id,
  })
}

/** What is left to give back of a use, grant by grant, in the order in which it was taken. */
function refundable({ transaction, related }: RefundTarget): GrantAllocation[] {
  const returned = new Map<string, number>()
  for (const allocation of related
    .filter(({ transactionType }) => transactionType === 'refund')
    .flatMap(({ allocations }) => allocations)) {
    const grantId = allocation.grantId
    if (grantId !== undefined) returned.set(grantId, (returned.get(grantId) ?? 0) + allocatedCredits(allocation))
  }
  return transaction.allocations
    .filter(isGrantAllocation)
    .map(({ grantId, amount }) => ({ grantId, amount: amount - (returned.get(grantId) ?? 0) }))
}

/** The first `amount` credits of a list of allocations. */
function firstCredits(allocations: GrantAllocation[], amount: number): GrantAllocation[] {
  let left = amount
  return allocations
    .map(({ grantId, amount: available }) => {
      const taken = Math.min(available, left)
      left -= taken
      return { grantId, amount: taken }
    })
    .filter((allocation) => allocation.amount > 0)
}
