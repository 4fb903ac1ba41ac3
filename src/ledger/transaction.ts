import type { AccountKey } from './account.js'
import type { Allocation } from './grant.js'

/** The guide's four kinds, then ours. */
export const TRANSACTION_TYPES = [
  'purchase',
  'usage',
  'refund',
  'adjustment',
  'expiration',
  'clawback',
  'reinstatement',
  'transfer',
  'void',
] as const
/**
 * Why credits came or went. In: `purchase`, `refund` (a use given back), `reinstatement` (taken for a payment, and
 * given back). Out: `usage`, `expiration`, `void`, `clawback` (their payment went back). By its sign: `adjustment`,
 * `transfer`.
 */
export type TransactionType = (typeof TRANSACTION_TYPES)[number]

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

/** One immutable row of the ledger. */
export interface Transaction extends AccountKey {
  id: string
  /** Place in the account's history, from 1, without gaps. */
  seq: number
  transactionType: TransactionType
  /** Credits, signed: positive came in, negative went out; never 0. */
  amount: number
  /** The account's `balance` (owned − debt) after this row. */
  balanceAfter: number
  description: string
  referenceId: string | null
  referenceType: string | null
  metadata: JsonObject | null
  /** When it was written, by the store's clock. */
  createdAt: Date
  /** When it took effect, where that is another moment (a scheduled grant, an expiry swept late). */
  effectiveAt: Date | null
  idempotencyKey: string | null
  /** What the caller sent beyond the columns, for telling a repeat from another request; null for plain deductions. */
  request: JsonObject | null
  /** The transaction this one corrects or follows from; of a capture, its hold. */
  relatedId: string | null
  /** Who did it, where somebody did (an administrator, a job). */
  actor: string | null
  /** Which grants it touched, and how much of each; sums up to the amount without its sign. */
  allocations: Allocation[]
}

/** Did credits come in anew? What was only given back (a use, a payment's credits) is no new credit. */
export function isCredit({ transactionType, amount, relatedId }: Transaction): boolean {
  const givenBack = transactionType === 'reinstatement' || (transactionType === 'refund' && relatedId !== null)
  return amount > 0 && !givenBack
}
