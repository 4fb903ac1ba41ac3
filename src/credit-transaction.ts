import type { Transaction } from './ledger/transaction.js'

/** One row of the ledger, as callers see it. The guide's columns, then ours. */
export interface CreditTransaction<T extends string = string> extends Omit<
  Transaction,
  'request' | 'relatedId' | 'creditType'
> {
  creditType: T
  /** The transaction this one corrects or follows from. */
  relatedTransactionId: string | null
  /** True when the idempotency key had been used before and this is that call's result; nothing was written now. */
  replayed: boolean
}

export function toCreditTransaction<T extends string>(
  transaction: Transaction,
  replayed = false,
): CreditTransaction<T> {
  const { request, relatedId, creditType, ...rest } = transaction
  // The store only holds types this service was configured with, or older ones the host has since removed.
  return { ...rest, creditType: creditType as T, relatedTransactionId: relatedId, replayed }
}
