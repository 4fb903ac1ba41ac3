import type { AccountChanges } from './account-state.js'
import { type AccountHistory, sumLedger } from './audit.js'
import { nextMoment } from './due.js'
import { headOf, unusableCredits } from './grant.js'
import { isOverdue, pinnedBy } from './hold.js'
import { isDue } from './schedule.js'

/**
 * Restore the account row, its head and its grants' credits from the ledger and the open holds, which are the only truth.
 */
export function rebuildAccount(history: AccountHistory, now: Date): AccountChanges {
  const { account, grants, transactions, holds } = history
  const sums = sumLedger(transactions)
  const pins = holds.flatMap(pinnedBy)
  const pinnedTo = (id: string): number =>
    pins.filter(({ grantId }) => grantId === id).reduce((sum, { amount }) => sum + amount, 0)
  const restored = grants.map((grant) => {
    const owned = sums.ownedByGrant.get(grant.id) ?? 0
    const held = pinnedTo(grant.id)
    return { ...grant, held, remaining: owned - held, open: owned > 0 }
  })
  const head = headOf(restored, now)
  return {
    account: {
      ...account,
      updatedAt: now,
      balance: sums.balance,
      debt: sums.debt,
      held: pins.reduce((sum, { amount }) => sum + amount, 0),
      totalPurchased: sums.totalPurchased,
      totalUsed: sums.totalUsed,
      lastCredit: sums.lastCredit,
      seq: transactions.at(-1)?.seq ?? 0,
      version: account.version + 1,
      headGrantId: head?.id ?? null,
      headRemaining: head?.remaining ?? 0,
      scheduled: unusableCredits(restored, now),
      // What is due already is settled by the next write.
      nextDueAt: isAnythingDue(history, now) ? now : nextMoment({ ...history, grants: restored }, now),
    },
    transactions: [],
    newGrants: [],
    changedGrants: restored,
    holds: [],
    schedules: [],
    limitCounts: [],
    topup: null,
    events: [],
  }
}

function isAnythingDue({ holds, schedules }: AccountHistory, now: Date): boolean {
  return holds.some((hold) => isOverdue(hold, now)) || schedules.some((schedule) => isDue(schedule, now))
}
