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
  /** The next grant to burn; its remaining stands here and not in its own row. */
  headGrantId: string | null
  headRemaining: number
  /** Nothing about this account changes by the passing of time before this moment; null: never. */
  nextDueAt: Date | null
  /** The lowest low-balance threshold not yet announced; null: none. */
  alertFloor: number | null
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
    headGrantId: null,
    headRemaining: 0,
    nextDueAt: null,
    alertFloor: null,
    createdAt: now,
    updatedAt: now,
  }
}

/** What can be spent now, or what is owed (negative): every public `balance`. */
export function availableCredits(debt: number, usable: number): number {
  return debt > 0 ? -debt : usable
}
