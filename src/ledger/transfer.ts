import type { CommandDetails } from './add.js'
import { takeAvailable } from './deduct.js'
import { shareOfPrice } from './grant.js'
import type { Posting } from './posting.js'
import type { Transaction } from './transaction.js'

/**
 * Move credits from one account to another. What arrives keeps its expiry, priority, source and share of the price, as one
 * new grant for each it came from; the receiver's debt is repaid first. A purchase stays the sender's: refunding its
 * payment takes from the sender.
 */
export function transferCredits(
  from: Posting,
  to: Posting,
  { amount, ...details }: CommandDetails & { amount: number },
): { sent: Transaction; received: Transaction } {
  const taken = takeAvailable(from, amount)
  const receivedId = to.newId()
  const arrived = taken.map((part) => {
    const { effectiveAt, expiresAt, priority, source, paidAmount, currency, amount: whole } = from.grant(part.grantId)
    const grantId = to.newId()
    const share = paidAmount === null ? null : shareOfPrice(paidAmount, part.amount, whole)
    const terms = { effectiveAt, expiresAt, priority, source, paidAmount: share, currency, purchaseId: null }
    to.createGrant({ id: grantId, amount: part.amount, ...terms })
    return { grantId, amount: part.amount }
  })
  const sent = from.post({
    ...details,
    transactionType: 'transfer',
    amount: -amount,
    relatedId: receivedId,
    allocations: taken,
  })
  const received = to.giveBack(arrived, {
    ...details,
    id: receivedId,
    idempotencyKey: null,
    request: null,
    transactionType: 'transfer',
    relatedId: sent.id,
  })
  return { sent, received }
}
