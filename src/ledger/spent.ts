import type { AccountKey } from './account.js'
import type { CommandDetails } from './add.js'
import { type Hold, type HoldDetails, newHold } from './hold.js'
import type { Transaction } from './transaction.js'

/** What a call that was decided from its account row became. */
export interface Spent {
  /** The head grant, which covered all of it. */
  grantId: string
  /** Of the new transaction; of a hold, the account's as they are. */
  seq: number
  balanceAfter: number
  /** The time it was decided by. */
  at: Date
  /** The account's, after it. */
  version: number
}

/** The row of the ledger that `deductCredits` writes, of a use that the head grant covered. */
export function spentTransaction(
  key: AccountKey,
  amount: number,
  use: CommandDetails,
  { grantId, seq, balanceAfter, at }: Spent,
): Transaction {
  return {
    id: use.id,
    userId: key.userId,
    creditType: key.creditType,
    seq,
    transactionType: 'usage',
    amount: -amount,
    balanceAfter,
    description: use.description,
    referenceId: use.referenceId,
    referenceType: use.referenceType,
    metadata: use.metadata,
    createdAt: at,
    effectiveAt: null,
    idempotencyKey: use.idempotencyKey,
    request: use.request,
    relatedId: null,
    actor: use.actor,
    allocations: [{ grantId, amount }],
  }
}

/** The hold that `holdCredits` makes, of credits that the head grant covered. */
export function spentHold(
  key: AccountKey,
  { amount, expiresInSeconds, ...details }: HoldDetails & { amount: number; expiresInSeconds: number },
  { grantId, at }: Spent,
): Hold {
  return newHold(key, { ...details, amount, expiresInSeconds, allocations: [{ grantId, amount }] }, at)
}
