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
import { changeToCome, creditsToCome, nextPeriodAt, type Schedule } from './schedule.js'
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
 * Take `credits` back: those that a schedule has still to bring, then the purchase's own free credits, then against what of
 * them ended unused, then from other paid grants in burn-down order; the rest by policy. Held credits are not touched: they
 * settle it on their release.
 */
function takeBack(
  posting: Posting,
  purchase: Purchase,
  credits: number,
  { policy, newId, details }: Reversal,
): Purchase {
  const withheld = withhold(posting, purchase, credits)
  const granted = credits - withheld
  const own = ownGrants(posting, purchase).sort(compareBurnDown)
  const fromOwn = drain(own, granted)
  const writtenOff = own.reduce((sum, grant) => sum + grant.writtenOff, 0)
  const ended = writtenOff + neverGranted(posting, purchase, purchase.withheld + withheld) - purchase.absorbed
  const absorbed = Math.min(ended, granted - total(fromOwn))
  const others = [...posting.grants].filter((grant) => grant.purchaseId !== purchase.id && isPaid(grant))
  const fromOthers = allocate(others, granted - total(fromOwn) - absorbed, posting.now)
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
  if (policy === 'clamp' && fromOthers.uncovered > 0) {
    posting.changeShortfall(mainGrant(posting, purchase).id, fromOthers.uncovered)
  }
  return {
    ...purchase,
    clawed: purchase.clawed + credits,
    withheld: purchase.withheld + withheld,
    absorbed: purchase.absorbed + absorbed,
  }
}

/** Let a schedule bring less of what the purchase paid for. Returns how much less. */
function withhold(posting: Posting, purchase: Purchase, credits: number): number {
  const schedule = scheduleOf(posting, purchase)
  if (schedule === undefined) return 0
  const withheld = Math.min(creditsToCome(schedule, purchase.id), credits)
  if (withheld > 0) posting.saveSchedule(changeToCome(schedule, purchase.id, -withheld))
  return withheld
}

/** Credits of an invoice that no period brought and none will: its subscription ended, or went on with another one. */
function neverGranted(posting: Posting, purchase: Purchase, withheld: number): number {
  if (purchase.origin !== 'invoice') return 0
  // Grants that came back from debt are not of any period.
  const ofPeriods = ownGrants(posting, purchase).filter(({ scheduleId }) => scheduleId !== null)
  const granted = ofPeriods.reduce((sum, { amount }) => sum + amount, 0)
  const schedule = scheduleOf(posting, purchase)
  const toCome = schedule === undefined ? 0 : creditsToCome(schedule, purchase.id)
  return Math.max(0, purchase.credits - granted - withheld - toCome)
}

/** The schedule that still brings credits of an invoice. */
function scheduleOf(posting: Posting, { id }: Purchase): Schedule | undefined {
  return posting.schedules.find(
    (schedule) =>
      (schedule.purchaseId === id || schedule.raises.some(({ purchaseId }) => purchaseId === id)) &&
      nextPeriodAt(schedule) !== null,
  )
}

function ownGrants(posting: Posting, { id }: Purchase): Grant[] {
  return [...posting.grants].filter(({ purchaseId }) => purchaseId === id)
}

/** The grant that stands for the purchase: a package's only one, an invoice's first. */
function mainGrant(posting: Posting, purchase: Purchase): Grant {
  const own = ownGrants(posting, purchase).sort((a, b) => a.seq - b.seq)
  const main = own.find(({ id }) => id === purchase.id) ?? own[0]
  if (main === undefined) throw new Error(`clawback: nothing was granted for purchase ${purchase.id}`)
  return main
}

/**
 * Give `credits` back because the money came back: first what was clamped, then what had ended unused anyway (both
 * change nothing for the user), then what was taken, last taken first, then what was withheld. What had become debt comes
 * back as a new grant of the same purchase, from which debt is repaid before anything else.
 */
function reinstate(
  posting: Posting,
  purchase: Purchase,
  credits: number,
  history: readonly Transaction[],
  { newId, details }: Reversal,
): Purchase {
  const own = ownGrants(posting, purchase)
  const clamped = own.reduce((sum, { shortfall }) => sum + shortfall, 0)
  const unclamped = Math.min(clamped, credits)
  if (unclamped > 0) posting.changeShortfall(mainGrant(posting, purchase).id, -unclamped)
  const unabsorbed = Math.min(purchase.absorbed, credits - unclamped)
  const taken = purchase.clawed - purchase.withheld - purchase.absorbed - clamped
  const untaken = Math.min(taken, credits - unclamped - unabsorbed)
  const unwithheld = credits - unclamped - unabsorbed - untaken
  const { returned, fromDebt } = lastTaken(history, untaken)
  const draft = {
    ...details,
    transactionType: 'reinstatement' as const,
    description: `Payment restored: ${purchase.packageName}`,
    relatedId: purchase.id,
  }
  if (unwithheld > 0) deliverWithheld(posting, purchase, unwithheld)
  if (fromDebt > 0) {
    const { expiresAt, effectiveAt, priority, source, currency } = mainGrant(posting, purchase)
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
  return {
    ...purchase,
    clawed: purchase.clawed - credits,
    withheld: purchase.withheld - unwithheld,
    absorbed: purchase.absorbed - unabsorbed,
  }
}

/** The schedule brings it after all. Where no period is to come, none would have brought it, either. */
function deliverWithheld(posting: Posting, purchase: Purchase, credits: number): void {
  const schedule = scheduleOf(posting, purchase)
  if (schedule === undefined) return
  posting.saveSchedule(changeToCome(schedule, purchase.id, credits))
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
