import {
  type Allocation,
  burnDownReason,
  type BurnDownReason,
  compareBurnDown,
  type Grant,
  isGrantAllocation,
  shareOfPrice,
} from './grant.js'
import type { Purchase } from './purchase.js'
import type { Transaction } from './transaction.js'

/** One grant's part in a transaction. */
export interface ExplainedPart {
  /** Credits, positive. */
  amount: number
  /** True: they repaid (or became) debt. */
  debt: boolean
  /** The grant they came from or went to; null: debt alone. */
  grant: Pick<
    Grant,
    'id' | 'source' | 'priority' | 'effectiveAt' | 'expiresAt' | 'amount' | 'paidAmount' | 'currency' | 'createdAt'
  > | null
  /** What was paid for this part, in the currency's minor units, rounded down; null: nothing is known. */
  paidMinor: number | null
  /** The payment that brought the grant; null: it was not bought. */
  payment: Pick<Purchase, 'id' | 'packageName' | 'paymentId' | 'sessionId' | 'paidMinor' | 'currency'> | null
  /**
   * Why it went before the next part: the first of the burn-down order's rules that tells the two apart. Null for the
   * last one, and where the order is another.
   */
  before: BurnDownReason | null
}

/** Which grants a transaction touched, and why in this order. */
export function explainParts(
  { allocations }: Transaction,
  grants: ReadonlyMap<string, Grant>,
  purchases: ReadonlyMap<string, Purchase>,
): ExplainedPart[] {
  return allocations.map((allocation, index) => {
    const grant = grantOf(allocation, grants)
    const next = grantOf(allocations[index + 1], grants)
    const purchase = grant?.purchaseId == null ? undefined : purchases.get(grant.purchaseId)
    const amount = isGrantAllocation(allocation) ? allocation.amount : allocation.debt
    const inOrder = grant !== null && next !== null && compareBurnDown(grant, next) < 0
    return {
      amount,
      debt: !isGrantAllocation(allocation),
      grant: grant === null ? null : shown(grant),
      paidMinor: grant?.paidAmount == null ? null : shareOfPrice(grant.paidAmount, amount, grant.amount),
      payment: purchase === undefined ? null : payment(purchase),
      before: inOrder ? burnDownReason(grant, next) : null,
    }
  })
}

function grantOf(allocation: Allocation | undefined, grants: ReadonlyMap<string, Grant>): Grant | null {
  return allocation?.grantId === undefined ? null : (grants.get(allocation.grantId) ?? null)
}

function shown({ id, source, priority, effectiveAt, expiresAt, amount, paidAmount, currency, createdAt }: Grant) {
  return { id, source, priority, effectiveAt, expiresAt, amount, paidAmount, currency, createdAt }
}

function payment({ id, packageName, paymentId, sessionId, paidMinor, currency }: Purchase) {
  return { id, packageName, paymentId, sessionId, paidMinor, currency }
}
