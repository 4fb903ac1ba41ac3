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
  referenceId?: string | null | undefined
  referenceType?: string | null | undefined
}

export type DeductCreditsInput<T extends string> = CreditTypeField<T> &
  WriteOptions &
  ReferenceOptions & {
    userId: UserId
    /** Credits, a positive integer. */
    amount: number
    description: string
  }

export type AddCreditsInput<T extends string> = CreditTypeField<T> &
  WriteOptions &
  ReferenceOptions & {
    userId: UserId
    /** Credits, a positive integer. */
    amount: number
    description: string
    /** Default `adjustment`. Only `purchase` counts as purchased. */
    transactionType?: 'purchase' | 'refund' | 'adjustment' | undefined
    /** Where the credits come from. Default: what the transaction type says. */
    source?: GrantSource | undefined
    /** The credits end at this moment. Default: never. */
    expiresAt?: Date | null | undefined
    /** The credits can't be used before. Default: at once. */
    effectiveAt?: Date | null | undefined
    /** Lower burns first. Default 0. */
    priority?: number | undefined
    /** What was paid for them, in the currency's minor units. */
    paidAmount?: number | null | undefined
    /** Lower-case ISO 4217 code of `paidAmount`. */
    currency?: string | null | undefined
  }

export type AdjustCreditsInput<T extends string> = CreditTypeField<T> &
  WriteOptions & {
    userId: UserId
    /** Credits, an integer but 0: positive gives, negative takes. */
    amount: number
    /** Why. */
    description: string
  }

export interface RefundCreditsInput extends WriteOptions {
  transactionId: string
  /** Credits, a positive integer. Default: all that is left of the use. */
  amount?: number | undefined
  /** Kept as the description of the refund. */
  reason?: string | null | undefined
  /** Where given, must own the transaction. */
  userId?: UserId | undefined
}

export type AccountInput<T extends string> = CreditTypeField<T> & { userId: UserId }
