import type { Account } from './account.js'
import type { AccountRules } from './account-state.js'
import { crossedThresholds, type Threshold, thresholdsInCredits } from './alert.js'
import type { EventDraft } from './event.js'
import { allocatedCredits, type Grant, isGrantAllocation } from './grant.js'
import type { Hold } from './hold.js'
import type { Limit } from './limit.js'
import type { Transaction } from './transaction.js'

/** What one step did to an account. */
export interface Step {
  /** The account as it is after the step. */
  account: Readonly<Account>
  transactions: readonly Transaction[]
  newHolds: readonly Hold[]
  newGrants: readonly Grant[]
  reached: readonly { limit: Limit; resetsAt: Date }[]
  /** Available credits when the step began, and after it. */
  before: number
  after: number
  /** Events that no row shows. */
  others: readonly EventDraft[]
}

/** Balances at which somebody is to be told of a fall; null: nobody listens. */
export function alertsOf({ announce, alerts }: AccountRules): readonly Threshold[] | null {
  const low = announce.has('balanceLow') ? alerts : []
  const all = announce.has('depleted') ? [...low, { credits: 0 }] : low
  return all.length === 0 ? null : all
}

/** Can uses and holds be told of from the account row alone, or is there more to count or to tell? */
export function isDecidedByRow({ limits, announce }: AccountRules): boolean {
  return limits.length === 0 && !announce.has('deducted') && !announce.has('held')
}

/** What is to be told of a step to those who listen, and what the account remembers of it for the next step. */
export function announcements(
  rules: AccountRules,
  step: Step,
): { events: EventDraft[]; marks: Pick<Account, 'alertFloor' | 'topupDue'> } {
  const { announce, alerts } = rules
  const topup = askForTopup(step)
  const { alertFloor } = step.account
  if (announce.size === 0) return { events: [], marks: { alertFloor, topupDue: topup.due } }
  const { account, transactions, newHolds, newGrants, reached, before, after: balance, others } = step
  const low = announce.has('balanceLow') ? thresholdsInCredits(alerts, account.lastCredit) : []
  const thresholds = thresholdsInCredits(alertsOf(rules) ?? [], account.lastCredit)
  const fallen = crossedThresholds({ thresholds, floor: account.alertFloor, before, after: balance })
  const lowest = fallen.crossed.filter((threshold) => low.includes(threshold)).sort((a, b) => a - b)[0]
  const drafts: EventDraft[] = [
    ...transactions.flatMap((transaction) => eventsOfTransaction(transaction, newGrants, balance)),
    ...newHolds.map(({ id, amount, expiresAt }): EventDraft => {
      return { kind: 'held', payload: { holdId: id, amount, expiresAt: expiresAt.toISOString(), balance } }
    }),
    ...reached.map(({ limit: { max, per, of }, resetsAt }): EventDraft => {
      return { kind: 'limitReached', payload: { max, per, of, resetsAt: resetsAt.toISOString() } }
    }),
    ...(lowest === undefined
      ? []
      : [{ kind: 'balanceLow', payload: { threshold: lowest, balance } } satisfies EventDraft]),
    ...(fallen.crossed.includes(0) ? [{ kind: 'depleted', payload: { balance } } satisfies EventDraft] : []),
    ...topup.events,
    ...others,
  ]
  const events = drafts.filter(({ kind }) => announce.has(kind))
  return { events, marks: { alertFloor: fallen.floor, topupDue: topup.due } }
}

/** Only what the user spends asks for a top-up, once per fall: money that went back must never make them pay again. */
function askForTopup({ account, transactions, newHolds, after }: Step): { events: EventDraft[]; due: boolean } {
  const { topupThreshold, topupDue } = account
  if (topupThreshold === null || after > topupThreshold) return { events: [], due: false }
  const spent = newHolds.length > 0 || transactions.some(({ transactionType }) => transactionType === 'usage')
  const asks = spent && !topupDue
  return {
    events: asks ? [{ kind: 'topupDue', payload: { balance: after, threshold: topupThreshold } }] : [],
    due: topupDue || spent,
  }
}

function eventsOfTransaction(
  { id, transactionType, amount, description, relatedId, referenceId, referenceType, allocations }: Transaction,
  newGrants: readonly Grant[],
  balance: number,
): EventDraft[] {
  const payload = { transactionId: id, amount: Math.abs(amount), description, balance }
  if (transactionType === 'usage') return [{ kind: 'deducted', payload: { ...payload, referenceId, referenceType } }]
  if (transactionType === 'expiration') return [{ kind: 'expired', payload }]
  if (transactionType === 'refund' && relatedId !== null)
    return [{ kind: 'refunded', payload: { ...payload, refundedTransactionId: relatedId } }]
  if (transactionType === 'clawback') {
    const owed = allocations.filter((allocation) => 'debt' in allocation)
    const debt = owed.reduce((sum, allocation) => sum + allocatedCredits(allocation), 0)
    return [{ kind: 'clawedBack', payload: { ...payload, debt } }]
  }
  // Owed credits that were given up are no credits to spend.
  const onlyDebt = transactionType === 'reinstatement' && !allocations.some(isGrantAllocation)
  if (amount < 0 || onlyDebt) return []
  const bought = newGrants.find((grant) => grant.id === id && grant.purchaseId === id)
  if (bought === undefined) return [{ kind: 'added', payload }]
  const { paidAmount: paidMinor, currency } = bought
  return [
    { kind: 'added', payload },
    { kind: 'purchaseFulfilled', payload: { ...payload, purchaseId: id, paidMinor, currency } },
  ]
}
