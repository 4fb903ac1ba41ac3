import { operationOf, type OperationUse } from './credit-transaction.js'
import type { Hold } from './ledger/hold.js'

/** Credits set aside, as callers see them. */
export interface CreditHold<T extends string = string> extends Omit<Hold, 'request' | 'creditType'> {
  creditType: T
  /** The priced operation it is for; null: none. */
  operation: OperationUse | null
  /** True when the idempotency key had been used before; the hold is shown as it is now. */
  replayed: boolean
}

export function toCreditHold<T extends string>(
  { request, creditType, ...rest }: Hold,
  replayed = false,
): CreditHold<T> {
  // The store only holds types this service was configured with, or older ones the host has since removed.
  return { ...rest, creditType: creditType as T, operation: operationOf(request), replayed }
}
