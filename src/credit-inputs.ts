import type { CreditTypeField } from './credit-types.js'
import type { GrantSource } from './ledger/grant.js'

/** Who owns credits: the host's own id. A number is the same user as its text. */
export type UserId = string | number

/** What every write takes. */
export interface WriteOptions {
  /** Your name for this one intent, unique per user: a repeat returns the first result and has no second effect. */
  idempotencyKey?: string | null | undefined
  /** Who did it, where somebody did: an administrator, a job. */
  actor?: string | null | undefined
  /** Plain JSON, at most 16 kB, kept with the transaction. */
  metadata?: Record<string, unknown> | null | undefined
  /** Your own Drizzle transaction: the write commits or rolls back with it. */
  tx?: unknown
}

/** What a transaction is about, in the host's terms. */
export interface ReferenceOptions {
  /**
   * Your id of what it was for: a job, a lead, an order. 1–255 characters. Need not be unique; what tells a repeat is
   * `idempotencyKey`.
   */
  referenceId?: string | null | undefined
  /** What kind of thing `referenceId` names, such as `lead`. 1–255 characters. */
  referenceType?: string | null | undefined
}

/** What `deductCredits` takes. `creditType` may be left out where the service has only one. */
export type DeductCreditsInput<T extends string> = CreditTypeField<T> &
  WriteOptions &
  ReferenceOptions & {
    userId: UserId
    /** Credits, a positive integer. */
    amount: number
    /** Shown in the user's history; at most 2,000 characters. */
    description: string
  }

/**
 * What `addCredits` takes: the credits become one grant with these terms. `paidAmount` and `currency` go together and
 * are only kept for the books: nothing is charged.
 */
export type AddCreditsInput<T extends string> = CreditTypeField<T> &
  WriteOptions &
  ReferenceOptions & {
    userId: UserId
    /** Credits, a positive integer. */
    amount: number
    /** Shown in the user's history; at most 2,000 characters. */
    description: string
    /** Default `adjustment`. Only `purchase` counts as purchased. */
    transactionType?: 'purchase' | 'refund' | 'adjustment' | undefined
    /**
     * Where the credits come from. Default: the transaction type. `purchase` and `subscription` count as paid: with the
     * same priority and end they burn after others.
     */
    source?: GrantSource | undefined
    /** The credits end at this moment, which must be to come and after `effectiveAt`. Default: never. */
    expiresAt?: Date | null | undefined
    /** The credits can't be used before. Default: at once. */
    effectiveAt?: Date | null | undefined
    /** Lower burns first; at the same priority what ends sooner does. −1,000,000 to 1,000,000, default 0. */
    priority?: number | undefined
    /** What was paid for all of them, in the currency's minor units. Default: nothing is known. */
    paidAmount?: number | null | undefined
    /** Lower-case ISO 4217 code of `paidAmount`. */
    currency?: string | null | undefined
  }

/**
 * What `adjustCredits` takes. What is given never ends and counts as promotional; for other terms use `addCredits`.
 * Name the administrator as `actor`.
 */
export type AdjustCreditsInput<T extends string> = CreditTypeField<T> &
  WriteOptions & {
    userId: UserId
    /** Credits, an integer but 0: positive gives, negative takes. */
    amount: number
    /** Why; shown in the user's history. At most 2,000 characters. */
    description: string
  }

/**
 * What `refundCredits` takes: which use to give back, and how much of it. Several partial refunds of one use are fine,
 * in sum never more than it took.
 */
export interface RefundCreditsInput extends WriteOptions {
  /** The id of a transaction of type `usage`, a capture's too. */
  transactionId: string
  /** Credits, a positive integer. Default: all that is left of the use. */
  amount?: number | undefined
  /** Kept as the description of the refund. Default: "Refund: " and the description of the use. */
  reason?: string | null | undefined
  /** Where given, must own the transaction; else anybody's can be refunded. */
  userId?: UserId | undefined
}

/** One account: a user's credits of one type. `creditType` may be left out where the service has only one. */
export type AccountInput<T extends string> = CreditTypeField<T> & { userId: UserId }
