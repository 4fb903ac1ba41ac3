import { availableCredits } from './account.js'
import { type AccountHistory, sumLedger } from './audit.js'
import { type Grant, isUsable } from './grant.js'
import { type Hold, isOverdue, pinnedBy } from './hold.js'
import type { Transaction } from './transaction.js'

/**
 * Credits that were available at a past moment, counting what happened at that very moment; negative: debt. Read from the
 * ledger alone, so a period of a plan counts from when it was written. `history.holds` must be every hold there ever was.
 *
 * Where a grant's end has been moved since, the later end counts: the earlier one is not kept.
 */
export function balanceAt({ grants, transactions, holds }: AccountHistory, at: Date): number {
  const written = transactions.filter(({ createdAt }) => createdAt <= at)
  const { ownedByGrant, debt } = sumLedger(written)
  const pinned = new Map<string, number>()
  for (const { grantId, amount } of holds.flatMap((hold) => pinnedBy(holdAt(hold, written, at))))
    pinned.set(grantId, (pinned.get(grantId) ?? 0) + amount)
  const usable = grants
    .filter((grant) => isUsable(grantAt(grant, at), at))
    .reduce((sum, { id }) => sum + (ownedByGrant.get(id) ?? 0) - (pinned.get(id) ?? 0), 0)
  return availableCredits(debt, usable)
}

function grantAt(grant: Grant, at: Date): Grant {
  return grant.voidedAt !== null && grant.voidedAt > at ? { ...grant, voidedAt: null } : grant
}

/** The hold as it was at `at`; one that had not begun, or whose time had run out, pins nothing. */
function holdAt(hold: Hold, written: readonly Transaction[], at: Date): Hold {
  const wasOpen = hold.createdAt <= at && (hold.status === 'open' || hold.updatedAt > at)
  const captured = written
    .filter(({ transactionType, relatedId }) => transactionType === 'usage' && relatedId === hold.id)
    .reduce((sum, { amount }) => sum - amount, 0)
  const open: Hold = { ...hold, status: 'open', captured }
  return wasOpen && !isOverdue(open, at) ? open : { ...open, status: 'released' }
}
