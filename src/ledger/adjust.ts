import { addCredits, type CommandDetails } from './add.js'
import { takeAvailable } from './deduct.js'
import type { Posting } from './posting.js'
import type { Transaction } from './transaction.js'

/** An administrator's signed correction. A negative one never takes more than what is available. */
export function adjustCredits(
  posting: Posting,
  { amount, grantId, ...details }: CommandDetails & { amount: number; grantId: string },
): Transaction {
  if (amount < 0) {
    return posting.post({
      ...details,
      transactionType: 'adjustment',
      amount,
      allocations: takeAvailable(posting, -amount),
    })
  }
  return addCredits(posting, {
    ...details,
    grantId,
    amount,
    transactionType: 'adjustment',
    source: 'adjustment',
    effectiveAt: null,
    expiresAt: null,
    priority: 0,
    paidAmount: null,
    currency: null,
    purchaseId: null,
  })
}
