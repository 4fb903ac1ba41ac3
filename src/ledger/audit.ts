import type { Account } from './account.js'
import { nextMoment } from './due.js'
import { allocatedCredits, type Grant, headOf, isGrantAllocation, unusableCredits } from './grant.js'
import { type Hold, pinnedBy } from './hold.js'
import type { Schedule } from './schedule.js'
import { isCredit, type Transaction } from './transaction.js'
import { type DayOfUse, type RolledUpUsage, usageByDay } from './usage.js'

/** Everything there is about one account, read from one snapshot. */
export interface AccountHistory {
  account: Account
  grants: Grant[]
  /** In order of `seq`. */
  transactions: Transaction[]
  /** Open ones, or all, as asked. */
  holds: Hold[]
  /** Active ones. */
  schedules: Schedule[]
  /** Absent: the store keeps no sums of use. */
  rolledUp?: RolledUpUsage
}

/** A sum rule that does not hold. */
export interface Violation {
  userId: string
  creditType: string
  /** Stable name of the rule. */
  rule: string
  message: string
}

/** The state of an account as its ledger tells it. */
export interface LedgerSums {
  balance: number
  debt: number
  totalPurchased: number
  totalUsed: number
  lastCredit: number
  /** remaining + held, by grant. */
  ownedByGrant: Map<string, number>
}

/** Add up what the transactions say. */
export function sumLedger(transactions: readonly Transaction[]): LedgerSums {
  const sums: LedgerSums = {
    balance: 0,
    debt: 0,
    totalPurchased: 0,
    totalUsed: 0,
    lastCredit: 0,
    ownedByGrant: new Map(),
  }
  for (const transaction of transactions) {
    const { transactionType, amount, allocations, relatedId } = transaction
    sums.balance += amount
    if (isCredit(transaction)) sums.lastCredit = amount
    if (transactionType === 'purchase') sums.totalPurchased += amount
    if (transactionType === 'usage') sums.totalUsed -= amount
    if (transactionType === 'refund' && relatedId !== null) sums.totalUsed -= amount
    for (const allocation of allocations) {
      if (isGrantAllocation(allocation)) {
        const owned = sums.ownedByGrant.get(allocation.grantId) ?? 0
        sums.ownedByGrant.set(allocation.grantId, owned + Math.sign(amount) * allocation.amount)
      } else {
        sums.debt -= Math.sign(amount) * allocation.debt
      }
    }
  }
  return sums
}

/** Every sum rule of DESIGN section 5 that this account breaks; none: it is sound. */
export function auditAccount(history: AccountHistory): Violation[] {
  const { account } = history
  const found: Violation[] = []
  const expectEqual = (
    rule: string,
    what: string,
    actual: number | string | null,
    expected: number | string | null,
  ): void => {
    if (actual === expected) return
    const message = `${what} is ${String(actual)}, expected ${String(expected)}`
    found.push({ userId: account.userId, creditType: account.creditType, rule, message })
  }
  auditTransactions(history, expectEqual)
  auditSums(history, expectEqual)
  auditGrants(history, expectEqual)
  auditUsage(history, expectEqual)
  return found
}

type ExpectEqual = (
  rule: string,
  what: string,
  actual: number | string | null,
  expected: number | string | null,
) => void

const INCOMING = new Set(['purchase', 'refund', 'reinstatement'])
const OUTGOING = new Set(['usage', 'expiration', 'clawback', 'void'])

function auditTransactions({ account, transactions }: AccountHistory, expectEqual: ExpectEqual): void {
  let balance = 0
  const refundedByUse = new Map<string, number>()
  transactions.forEach((transaction, index) => {
    const { seq, amount, transactionType, allocations } = transaction
    balance += amount
    expectEqual('seq', `seq of transaction ${index + 1}`, seq, index + 1)
    expectEqual('balance_after', `balance_after of transaction ${seq}`, transaction.balanceAfter, balance)
    const sign = INCOMING.has(transactionType) ? 1 : OUTGOING.has(transactionType) ? -1 : Math.sign(amount) || 1
    expectEqual('sign', `sign of ${transactionType} ${seq}`, Math.sign(amount), sign)
    const allocated = allocations.reduce((sum, allocation) => sum + allocatedCredits(allocation), 0)
    expectEqual('allocations', `allocations of transaction ${seq}`, allocated, Math.abs(amount))
    if (transactionType === 'refund' && transaction.relatedId !== null) {
      refundedByUse.set(transaction.relatedId, (refundedByUse.get(transaction.relatedId) ?? 0) + amount)
    }
  })
  expectEqual('seq', 'seq of the account', account.seq, transactions.length)
  const uses = new Map(transactions.map((transaction) => [transaction.id, transaction]))
  for (const [id, refunded] of refundedByUse) {
    const use = uses.get(id)
    if (use === undefined || refunded > -use.amount)
      expectEqual('refunds', `refunds of transaction ${id}`, refunded, -(use?.amount ?? 0))
  }
}

function auditSums({ account, grants, transactions, holds }: AccountHistory, expectEqual: ExpectEqual): void {
  const sums = sumLedger(transactions)
  expectEqual('balance', 'balance', account.balance, sums.balance)
  expectEqual('total_purchased', 'total_purchased', account.totalPurchased, sums.totalPurchased)
  expectEqual('total_used', 'total_used', account.totalUsed, sums.totalUsed)
  expectEqual('last_credit', 'last_credit', account.lastCredit, sums.lastCredit)
  expectEqual('debt', 'debt', account.debt, sums.debt)
  const owned = grants.reduce((sum, grant) => sum + grant.remaining + grant.held, 0)
  expectEqual('owned', 'owned credits of all grants', owned, account.balance + account.debt)
  const heldByGrants = grants.reduce((sum, grant) => sum + grant.held, 0)
  expectEqual('held', 'held credits of all grants', heldByGrants, account.held)
  const pins = holds.flatMap(pinnedBy)
  const pinned = pins.reduce((sum, { amount }) => sum + amount, 0)
  expectEqual('held', 'held credits of open holds', pinned, account.held)
  for (const { id, held } of grants) {
    const ofGrant = pins.filter(({ grantId }) => grantId === id).reduce((sum, { amount }) => sum + amount, 0)
    expectEqual('held', `held credits of grant ${id}`, held, ofGrant)
  }
}

function auditGrants(history: AccountHistory, expectEqual: ExpectEqual): void {
  const { account, grants, transactions } = history
  const { ownedByGrant } = sumLedger(transactions)
  for (const { id, remaining, held, open } of grants) {
    expectEqual('grant', `remaining + held of grant ${id}`, remaining + held, ownedByGrant.get(id) ?? 0)
    expectEqual('grant_range', `sign of grant ${id}`, Math.min(remaining, held, 0), 0)
    expectEqual('grant_open', `open of grant ${id}`, String(open), String(remaining > 0 || held > 0))
    ownedByGrant.delete(id)
  }
  for (const [id, owned] of ownedByGrant) expectEqual('grant_missing', `grant ${id}`, null, owned)
  // As of the last change of the row: time may have moved on since.
  const head = headOf(grants, account.updatedAt)
  expectEqual('head', 'head grant', account.headGrantId, head?.id ?? null)
  expectEqual('head', 'head_remaining', account.headRemaining, head?.remaining ?? 0)
  expectEqual('scheduled', 'scheduled', account.scheduled, unusableCredits(grants, account.updatedAt))
  const change = nextMoment(history, history.account.updatedAt)
  const foreseen = change === null || (account.nextDueAt !== null && account.nextDueAt <= change)
  if (!foreseen)
    expectEqual('next_due_at', 'next_due_at', account.nextDueAt?.toISOString() ?? null, change.toISOString())
}

/** Kept sums of use are those of the transactions they stand for. */
function auditUsage({ transactions, rolledUp }: AccountHistory, expectEqual: ExpectEqual): void {
  if (rolledUp === undefined) return
  const summed = transactions.filter(({ seq }) => seq <= rolledUp.seq)
  expectEqual('usage_daily', 'last transaction in the usage sums', rolledUp.seq, summed.at(-1)?.seq ?? 0)
  const expected = new Map(usageByDay(summed).map((day) => [day.date, dayAsText(day)]))
  for (const day of rolledUp.days) {
    expectEqual('usage_daily', `usage of ${day.date}`, dayAsText(day), expected.get(day.date) ?? null)
    expected.delete(day.date)
  }
  for (const [date, text] of expected) expectEqual('usage_daily', `usage of ${date}`, null, text)
}

function dayAsText({ transactions, used, purchased, refunded, added, firstSeq, lastSeq }: DayOfUse): string {
  const sums = `used ${used}, purchased ${purchased}, refunded ${refunded}, added ${added}`
  return `${sums} in ${transactions} transactions from ${firstSeq} to ${lastSeq}`
}
