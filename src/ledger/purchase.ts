import type { AccountKey } from './account.js'

/**
 * Where a purchase stands. `pending`: written, nobody has paid yet; `processing`: finished, the money is on its way;
 * `quarantined`: paid, but not what was sold, so a person has to look. Paid always wins over expired and failed.
 */
export type PurchaseStatus = 'pending' | 'processing' | 'fulfilled' | 'refunded' | 'expired' | 'failed' | 'quarantined'

/**
 * One checkout of a package: a snapshot of what was sold, written before the provider is asked for a session. The
 * transaction that fulfils it and the grant it brings carry the purchase's own id, so there can be only one of each.
 */
export interface Purchase extends AccountKey {
  id: string
  packageId: number
  packageName: string
  quantity: number
  /** Credits in all: what the buyer gets, whatever becomes of the package. */
  credits: number
  /** Price of one unit in the currency's minor units. */
  unitPriceMinor: number
  /** Lower-case ISO 4217 code. */
  currency: string
  status: PurchaseStatus
  provider: string
  livemode: boolean
  /** Provider ids, known once the session is made, the payment succeeded, the money went back. */
  sessionId: string | null
  paymentId: string | null
  chargeId: string | null
  /** What was captured, in minor units: the denominator of a refund; null before the payment. */
  paidMinor: number | null
  /** Credits taken back so far: taken from grants + made debt + clamped + absorbed. */
  clawed: number
  /** The part of `clawed` that had ended unused before the money went back: nobody owes it. */
  absorbed: number
  createdAt: Date
  updatedAt: Date
  fulfilledAt: Date | null
}

/** Money that went back to the payer, by the provider's own id. */
export interface PaymentFact {
  /** Provider's refund or dispute id. */
  id: string
  userId: string
  purchaseId: string
  /** The payment the money was of; only the payment that fulfilled the purchase counts. */
  paymentId: string
  kind: 'refund' | 'dispute'
  /** Minor units. */
  amountMinor: number
  currency: string
  /** The provider's status in our words; a failed refund's money never went back. */
  status: 'pending' | 'succeeded' | 'failed'
  updatedAt: Date
}

/** Why a paid purchase was not fulfilled, for a person to look at. */
export interface QuarantineEntry {
  id: string
  userId: string
  purchaseId: string
  reason: string
  details: { [key: string]: string | number | boolean | null }
  createdAt: Date
}

/**
 * Credits that must have been taken back, from the money that went back: an absolute target, so that any order and any
 * repetition of events ends alike. Rounded down, exact when all money went back. reference/stripe.md, rule 4.
 */
export function clawbackTarget(credits: number, capturedMinor: number, facts: readonly PaymentFact[]): number {
  const reversed = facts
    .filter(({ status }) => status !== 'failed')
    .reduce((sum, fact) => sum + BigInt(fact.amountMinor), 0n)
  const captured = BigInt(capturedMinor)
  if (captured <= 0n) return 0
  return reversed >= captured ? credits : Number((BigInt(credits) * reversed) / captured)
}
