import type { JsonObject, Transaction } from './ledger/transaction.js'

/** The priced operation a use was for. */
export interface OperationUse {
  name: string
  params: JsonObject
  /** Which version of the price list its price came from. */
  priceVersion: string
}

/** One row of the ledger, as callers see it. The guide's columns, then ours. */
export interface CreditTransaction<T extends string = string> extends Omit<
  Transaction,
  'request' | 'relatedId' | 'creditType'
> {
  creditType: T
  /** The transaction this one corrects or follows from; of a capture, its hold. */
  relatedTransactionId: string | null
  /** The priced operation it was for; null: none. */
  operation: OperationUse | null
  /** True when the idempotency key had been used before and this is that call's result; nothing was written now. */
  replayed: boolean
}

export function toCreditTransaction<T extends string>(
  transaction: Transaction,
  replayed = false,
): CreditTransaction<T> {
  // Field by field: taking an object apart by rest and spread costs as much as all the rest of a deduction here.
  return {
    id: transaction.id,
    userId: transaction.userId,
    // The store only holds types this service was configured with, or older ones the host has since removed.
    creditType: transaction.creditType as T,
    seq: transaction.seq,
    transactionType: transaction.transactionType,
    amount: transaction.amount,
    balanceAfter: transaction.balanceAfter,
    description: transaction.description,
    referenceId: transaction.referenceId,
    referenceType: transaction.referenceType,
    metadata: transaction.metadata,
    createdAt: transaction.createdAt,
    effectiveAt: transaction.effectiveAt,
    idempotencyKey: transaction.idempotencyKey,
    relatedTransactionId: transaction.relatedId,
    actor: transaction.actor,
    allocations: transaction.allocations,
    operation: operationOf(transaction.request),
    replayed,
  }
}

/** What is kept of a priced operation beside its transaction. */
export function operationRequest({ name, params, priceVersion }: OperationUse): JsonObject {
  return { pricedOperation: name, params, priceVersion }
}

export function operationOf(request: JsonObject | null): OperationUse | null {
  if (request === null) return null
  const { pricedOperation: name, params, priceVersion } = request
  if (typeof name !== 'string' || typeof priceVersion !== 'string') return null
  if (typeof params !== 'object' || params === null || Array.isArray(params)) return null
  return { name, params, priceVersion }
}
