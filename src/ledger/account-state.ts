import { type Account, countable } from './account.js'
import type { Threshold } from './alert.js'
import type { AccountHistory } from './audit.js'
import type { AutoTopup } from './auto-topup.js'
import type { EventKind, EventRecord } from './event.js'
import type { Grant } from './grant.js'
import type { Hold } from './hold.js'
import type { Limit, LimitCount } from './limit.js'
import type { Schedule } from './schedule.js'
import { isCredit, type Transaction } from './transaction.js'

/** What a store loads of one account, under its lock, for a decision. */
export interface AccountState {
  account: Account
  /**
   * The grants asked for, with their true remaining; every open grant whose expiry has passed; every grant that one of
   * `holds` pins or one of `schedules` made, as far as it is open.
   */
  grants: Grant[]
  /** The holds asked for, and every open one whose time has run out. */
  holds: Hold[]
  /** The schedules asked for, and every active one whose period has ended. */
  schedules: Schedule[]
  /** What has been counted for limits; empty where it was not asked for. */
  limitCounts: LimitCount[]
  /** The automatic top-up; null: none was configured, or it was not asked for. */
  topup: AutoTopup | null
  /** Σ remaining of all grants usable now, loaded or not. */
  usable: number
  /** The next moment at which time alone changes something (an expiry, a start, a hold's end, a period's); null: never. */
  nextDueAt: Date | null
  /** Everything there is, where it was asked for. */
  history: AccountHistory | null
}

/** What becomes of one account: to be written whole or not at all. */
export interface AccountChanges {
  account: Account
  transactions: Transaction[]
  newGrants: Grant[]
  /** Known grants whose row changes. */
  changedGrants: Grant[]
  /** New and changed holds, whole rows. */
  holds: Hold[]
  /** New and changed schedules, whole rows. */
  schedules: Schedule[]
  /** New and changed counts, whole rows. */
  limitCounts: LimitCount[]
  /** The automatic top-up, whole row; null: it does not change. */
  topup: AutoTopup | null
  /** What hosts are to be told of. */
  events: EventRecord[]
}

/** What the service's options say about accounts of one credit type. */
export interface AccountRules {
  limits: readonly Limit[]
  /** Balances at which `balanceLow` is told. */
  alerts: readonly Threshold[]
  /** Kinds of events somebody listens to; no other is written. */
  announce: ReadonlySet<EventKind>
}

export const NO_RULES: AccountRules = { limits: [], alerts: [], announce: new Set() }

/** What the author of a new grant says; the rest follows from the account. */
export type GrantDraft = Pick<
  Grant,
  'id' | 'amount' | 'effectiveAt' | 'expiresAt' | 'priority' | 'source' | 'paidAmount' | 'currency' | 'purchaseId'
> & { scheduleId?: string }

/** A new grant, still without credits. */
export function newGrant(draft: GrantDraft, { userId, creditType, seq }: Account, now: Date): Grant {
  return {
    scheduleId: null,
    ...draft,
    userId,
    creditType,
    remaining: 0,
    held: 0,
    shortfall: 0,
    writtenOff: 0,
    open: true,
    voidedAt: null,
    noticedAt: null,
    seq: seq + 1,
    createdAt: now,
  }
}

/** What the author of a new transaction says; the rest follows from the account. */
export type TransactionDraft = Pick<Transaction, 'id' | 'transactionType' | 'amount' | 'description' | 'allocations'> &
  Partial<Transaction>

/** The next row of an account's ledger. */
export function newTransaction(draft: TransactionDraft, account: Account, now: Date): Transaction {
  return {
    referenceId: null,
    referenceType: null,
    metadata: null,
    effectiveAt: null,
    idempotencyKey: null,
    request: null,
    relatedId: null,
    actor: null,
    ...draft,
    userId: account.userId,
    creditType: account.creditType,
    createdAt: now,
    seq: account.seq + 1,
    balanceAfter: countable(account.balance + draft.amount),
  }
}

/** Count a new row in its account's balance and totals. */
export function countTransaction(account: Account, transaction: Transaction): void {
  const { transactionType, amount, relatedId, balanceAfter, seq } = transaction
  account.balance = balanceAfter
  account.seq = seq
  if (transactionType === 'purchase') account.totalPurchased = countable(account.totalPurchased + amount)
  if (transactionType === 'usage') account.totalUsed = countable(account.totalUsed - amount)
  if (transactionType === 'refund' && relatedId !== null) account.totalUsed -= amount
  if (isCredit(transaction)) account.lastCredit = amount
}

/** What must hold after any decision; anything else is a bug of ours, and nothing is written. */
export function assertSound({ balance, debt, held }: Account, grants: Iterable<Grant>): void {
  if (debt < 0 || held < 0 || balance + debt < held)
    throw new Error(`assertSound: impossible account, balance ${balance}, debt ${debt}, held ${held}`)
  for (const { id, remaining, held: pinned, shortfall } of grants) {
    if (remaining < 0 || pinned < 0 || shortfall < 0) throw new Error(`assertSound: impossible grant ${id}`)
  }
}
