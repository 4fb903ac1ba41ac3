import {
  compareBurnDown,
  type Allocation,
  type Grant,
  type GrantAllocation,
  allocate,
  isGrantAllocation,
  isPaid,
} from './grant.js'
import type { TransactionDraft } from './account-state.js'
import type { Posting } from './posting.js'
import type { Purchase } from './purchase.js'
import type { Transaction } from './transaction.js'

/** What happens to credits a clawback can't find: the user owes them, or we forgo them until they come back. */
export type ClawbackPolicy = 'debt' | 'clamp'

export interface Reversal {
  policy: ClawbackPolicy
  /** Makes the ids of the transactions and grants that are needed. */
  newId: () => string
  details: Omit<TransactionDraft, 'id' | 'amount' | 'transactionType' | 'allocations' | 'description'>
}

/**
 * Bring what was taken back for a purchase to `target` credits. Returns the purchase as it is then.
 * `history`: the corrections of the purchase's transaction so far, oldest first.
 */
export function settleReversal(
  posting: Posting,
  purchase: Purchase,
  target: number,
  history: readonly Transaction[],
  reversal: Reversal,
): Purchase {
  const missing = target - purchase.clawed
  if (missing > 0) return takeBack(posting, purchase, missing, reversal)
  if (missing < 0) return reinstate(posting, purchase, -missing, history, reversal)
  return purchase
}

/**
 * Take `credits` back: from the purchase's own free credits, then against what of them ended unused, then from other
 * paid grants in burn-down order; the rest by policy. Held credits are not touched: they settle it on their release.
 */
function takeBack(
  posting: Posting,
  purchase: Purchase,
  credits: number,
  { policy, newId, details }: Reversal,
): Purchase {
  const grants = [...posting.grants]
  const own = grants.filter((grant) => grant.purchaseId === purchase.id).sort(compareBurnDown)
  const fromOwn = drain(own, credits)
  const ended = own.reduce((sum, grant) => sum + grant.writtenOff, 0) - purchase.absorbed
  const absorbed = Math.min(ended, credits - total(fromOwn))
  const others = grants.filter((grant) => grant.purchaseId !== purchase.id && isPaid(grant))
  const fromOthers = allocate(others, credits - total(fromOwn) - absorbed, posting.now)
  const allocations: Allocation[] = [...fromOwn, ...fromOthers.allocations]
  if (fromOthers.uncovered > 0 && policy === 'debt') allocations.push({ debt: fromOthers.uncovered })
  const amount = allocations.reduce(
    (sum, allocation) => sum + (isGrantAllocation(allocation) ? allocation.amount : allocation.debt),
    0,
  )
  if (amount > 0) {
    posting.post({
      ...details,
      id: newId(),
      transactionType: 'clawback',
      amount: -amount,
      description: `Payment refunded: ${purchase.packageName}`,
      relatedId: purchase.id,
      allocations,
    })
  }
  if (policy === 'clamp' && fromOthers.uncovered > 0) posting.changeShortfall(purchase.id, fromOthers.uncovered)
  return { ...purchase, clawed: purchase.clawed + credits, absorbed: purchase.absorbed + absorbed }
}

/**
 * Give `credits` back because the money came back: first what was clamped, then what had ended unused anyway (both
 * change nothing for the user), then what was taken, last taken first. What had become debt comes back as a new grant
 * of the same purchase, from which debt is repaid before anything else.
 */
function reinstate(
  posting: Posting,
  purchase: Purchase,
  credits: number,
  history: readonly Transaction[],
  { newId, details }: Reversal,
): Purchase {
  const clamped = posting.grant(purchase.id).shortfall
  const unclamped = Math.min(clamped, credits)
  if (unclamped > 0) posting.changeShortfall(purchase.id, -unclamped)
  const unabsorbed = Math.min(purchase.absorbed, credits - unclamped)
  const { returned, fromDebt } = lastTaken(history, credits - unclamped - unabsorbed)
  const draft = {
    ...details,
    transactionType: 'reinstatement' as const,
    description: `Payment restored: ${purchase.packageName}`,
    relatedId: purchase.id,
  }
  if (fromDebt > 0) {
    const { expiresAt, effectiveAt, priority, source, currency } = posting.grant(purchase.id)
    const id = newId()
    posting.addGrant(
      {
        id,
        amount: fromDebt,
        expiresAt,
        effectiveAt,
        priority,
        source,
        paidAmount: null,
        currency,
        purchaseId: purchase.id,
      },
      { ...draft, id },
    )
  }
  if (returned.length > 0) posting.giveBack(returned, { ...draft, id: newId() })
  return { ...purchase, clawed: purchase.clawed - credits, absorbed: purchase.absorbed - unabsorbed }
}

/** The `credits` that were taken last and not given back since, by grant; `fromDebt`: what had become debt. */
function lastTaken(
  history: readonly Transaction[],
  credits: number,
): { returned: GrantAllocation[]; fromDebt: number } {
  const stack: { grantId: string | null; amount: number }[] = []
  for (const { transactionType, amount, allocations } of history) {
    if (transactionType === 'clawback') {
      stack.push(
        ...allocations.map((taken) =>
          isGrantAllocation(taken) ? { ...taken } : { grantId: null, amount: taken.debt },
        ),
      )
    }
    if (transactionType === 'reinstatement') popCredits(stack, amount)
  }
  const last = popCredits(stack, credits)
  const byGrant = new Map<string, number>()
  for (const { grantId, amount } of last)
    if (grantId !== null) byGrant.set(grantId, (byGrant.get(grantId) ?? 0) + amount)
  return {
    returned: [...byGrant].map(([grantId, amount]) => ({ grantId, amount })),
    fromDebt: last.reduce((sum, { grantId, amount }) => (grantId === null ? sum + amount : sum), 0),
  }
}

function popCredits<T extends { amount: number }>(stack: T[], credits: number): T[] {
  const popped: T[] = []
  let left = credits
  while (left > 0) {
    const top = stack.at(-1)
    if (top === undefined) throw new Error(`reinstate: ${left} credits were never taken`)
    const amount = Math.min(top.amount, left)
    popped.push({ ...top, amount })
    top.amount -= amount
    left -= amount
    if (top.amount === 0) stack.pop()
  }
  return popped
}

/** Take from grants in the given order, usable or not. */
function drain(grants: Grant[], credits: number): GrantAllocation[] {
  let left = credits
  return grants
    .map(({ id, remaining }) => {
      const amount = Math.min(remaining, left)
      left -= amount
      return { grantId: id, amount }
    })
    .filter(({ amount }) => amount > 0)
}

function total(allocations: GrantAllocation[]): number {
  return allocations.reduce((sum, { amount }) => sum + amount, 0)
}
