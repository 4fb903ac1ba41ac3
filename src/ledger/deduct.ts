import { InsufficientCreditsError } from '../errors.js'
import type { CommandDetails } from './add.js'
import { allocate, type GrantAllocation } from './grant.js'
import type { Posting } from './posting.js'
import type { Transaction } from './transaction.js'

/** Take credits for a use, within its limits and in burn-down order: all or nothing. */
export function deductCredits(
  posting: Posting,
  { amount, ...details }: CommandDetails & { amount: number },
): Transaction {
  posting.limits.take({ calls: 1, credits: amount })
  const allocations = takeAvailable(posting, amount)
  return posting.post({ ...details, transactionType: 'usage', amount: -amount, allocations })
}

/** Which grants pay `amount` credits; debt blocks all spending. */
export function takeAvailable(posting: Posting, amount: number): GrantAllocation[] {
  if (posting.available < amount) throw new InsufficientCreditsError(amount, posting.available)
  const { allocations, uncovered } = allocate(posting.grants, amount, posting.now)
  if (uncovered > 0) throw new Error(`takeAvailable: the grants that were loaded leave ${uncovered} credits uncovered`)
  return allocations
}
