import { InvalidInputError } from '../errors.js'
import type { GrantSource } from './grant.js'
import type { Posting } from './posting.js'
import type { JsonObject, Transaction, TransactionType } from './transaction.js'

/** What every command's own transaction carries. */
export interface CommandDetails {
  id: string
  description: string
  referenceId: string | null
  referenceType: string | null
  metadata: JsonObject | null
  idempotencyKey: string | null
  request: JsonObject | null
  actor: string | null
}

export interface Addition extends CommandDetails {
  grantId: string
  /** Credits, a positive integer. */
  amount: number
  transactionType: Extract<TransactionType, 'purchase' | 'refund' | 'adjustment'>
  source: GrantSource
  effectiveAt: Date | null
  expiresAt: Date | null
  priority: number
  paidAmount: number | null
  currency: string | null
  purchaseId: string | null
}

/** Add credits as one grant; debt is repaid from it first. A grant that would be over already is refused. */
export function addCredits(posting: Posting, addition: Addition): Transaction {
  const { grantId, amount, source, effectiveAt, expiresAt, priority, paidAmount, currency, purchaseId, ...details } =
    addition
  assertLifetime(effectiveAt, expiresAt, posting.now)
  return posting.addGrant(
    { id: grantId, amount, source, effectiveAt, expiresAt, priority, paidAmount, currency, purchaseId },
    { ...details, effectiveAt },
  )
}

function assertLifetime(effectiveAt: Date | null, expiresAt: Date | null, now: Date): void {
  if (expiresAt === null) return
  if (expiresAt.getTime() <= now.getTime())
    throw new InvalidInputError([{ path: 'expiresAt', message: 'must be in the future' }])
  if (effectiveAt !== null && effectiveAt.getTime() >= expiresAt.getTime()) {
    throw new InvalidInputError([{ path: 'expiresAt', message: 'must be after effectiveAt' }])
  }
}
