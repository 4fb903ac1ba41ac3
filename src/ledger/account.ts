import { InvalidAmountError } from '../errors.js'

/** One user's credits of one type: the unit of consistency and of locking. */
export interface AccountKey {
  /** The host's own id of who owns the credits, as text. */
  userId: string
  creditType: string
}

/** The row of `user_credits`. All amounts are credits, safe integers. */
export interface Account extends AccountKey {
  /** owned − debt: the sum of the account's transactions. */
  balance: number
  /** Credits pinned by open holds. */
  held: number
  /** What a clawback could not take; never negative. */
  debt: number
  totalPurchased: number
  totalUsed: number
  /** Number of the account's last transaction; 0 for none. Without gaps. */
  seq: number
  /** Raised by every change of the row. */
  version: number
  /** `version` when a keyed command that writes no transaction last changed the account; 0: never. */
  keyVersion: number
  /** The next grant to burn; its remaining stands here and not in its own row. */
  headGrantId: string | null
  headRemaining: number
  /** Free credits of grants that have not begun: the account has them, and can't spend them yet. */
  scheduled: number
  /** Nothing about this account changes by the passing of time before this moment; null: never. */
  nextDueAt: Date | null
  /** Amount of the last addition, which percentages of low-balance thresholds refer to; 0 for none. */
  lastCredit: number
  /** The highest low-balance threshold still to be announced; −1: none; null: never decided, nobody listened. */
  alertFloor: number | null
  /** At this balance or below, spending asks for an automatic top-up; null: none is configured. */
  topupThreshold: number | null
  /** One has been asked for, since the balance was last above the threshold. */
  topupDue: boolean
  createdAt: Date
  updatedAt: Date
}

/** An account nothing has happened to. */
export function emptyAccount(key: AccountKey, now: Date): Account {
  return {
    userId: key.userId,
    creditType: key.creditType,
    balance: 0,
    held: 0,
    debt: 0,
    totalPurchased: 0,
    totalUsed: 0,
    seq: 0,
    version: 0,
    keyVersion: 0,
    headGrantId: null,
    headRemaining: 0,
    scheduled: 0,
    nextDueAt: null,
    lastCredit: 0,
    alertFloor: null,
    topupThreshold: null,
    topupDue: false,
    createdAt: now,
    updatedAt: now,
  }
}

/** What can be spent now, or what is owed (negative): every public `balance`. */
export function availableCredits(debt: number, usable: number): number {
  return debt > 0 ? -debt : usable
}

/** Credits are counted exactly or not at all. */
export function countable(credits: number): number {
  if (!Number.isSafeInteger(credits))
    throw new InvalidAmountError('Amount is too large: the balance could not be counted exactly')
  return credits
}
