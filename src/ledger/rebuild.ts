import { type AccountHistory, sumLedger } from './audit.js'
import type { AccountChanges } from './posting.js'
import { earliestAfter, headOf, nextChange } from './grant.js'

/**
 * Restore the account row, its head and its grants' remaining credits from the ledger, which is the only truth. Holds
 * are taken as they are; `holdsDueAt`: nothing about them changes before.
 */
export function rebuildAccount(
  { account, grants, transactions, heldByHolds }: AccountHistory,
  holdsDueAt: Date | null,
  now: Date,
): AccountChanges {
  const sums = sumLedger(transactions)
  const restored = grants.map((grant) => {
    const owned = sums.ownedByGrant.get(grant.id) ?? 0
    return { ...grant, remaining: owned - grant.held, open: owned > 0 }
  })
  const head = headOf(restored, now)
  return {
    account: {
      ...account,
      balance: sums.balance,
      debt: sums.debt,
      held: heldByHolds,
      totalPurchased: sums.totalPurchased,
      totalUsed: sums.totalUsed,
      seq: transactions.at(-1)?.seq ?? 0,
      version: account.version + 1,
      headGrantId: head?.id ?? null,
      headRemaining: head?.remaining ?? 0,
      nextDueAt: earliestAfter(now, [holdsDueAt, nextChange(restored, now)]),
      updatedAt: now,
    },
    transactions: [],
    newGrants: [],
    changedGrants: restored,
  }
}
