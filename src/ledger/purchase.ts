import type { AccountKey } from './account.js'

/**
 * Where a purchase stands. `pending`: written, nobody has paid yet; `processing`: finished, the money is on its way;
 * `quarantined`: paid, but not what was sold, so a person has to look. Paid always wins over expired and failed.
 */
export type PurchaseStatus = 'pending' | 'processing' | 'fulfilled' | 'refunded' | 'expired' | 'failed' | 'quarantined'

/**
 * How it came about. `checkout`: the buyer opened one; `topup`: taken from a saved card; `invoice`: one credit type of one
 * line of a subscription's invoice.
 */
export type PurchaseOrigin = 'checkout' | 'topup' | 'invoice'

/**
 * What was sold once: a snapshot, written before the provider is asked for money (of an invoice: when it is paid). The
 * transaction that fulfils a package and the grant it brings carry the purchase's own id, so there can be only one of each;
 * an invoice's credits come by a schedule, in grants that name the purchase.
 */
export interface Purchase extends AccountKey {
  id: string
  origin: PurchaseOrigin
  /** Null: a plan's. */
  packageId: number | null
  /** Of the package, or of the plan. */
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
  /** The invoice it is a part of; null: none. */
  invoiceId: string | null
  /** What was captured, in minor units: the denominator of a refund; null before the payment. */
  paidMinor: number | null
  /** Credits taken back so far: withheld + taken from grants + made debt + clamped + absorbed. */
  clawed: number
  /** The part of `clawed` that had not been granted yet when the money went back, and now never is. */
  withheld: number
  /** The part of `clawed` that had ended unused before the money went back: nobody owes it. */
  absorbed: number
  createdAt: Date
  updatedAt: Date
  fulfilledAt: Date | null
}

/**
 * The provider's status in our words. A refund is `pending`, `succeeded`, `failed` (the money never went back) or `waived`
 * (it did, as goodwill: the credits stay). A dispute is an `inquiry`, `open` (the money is gone until it is decided), `won`,
 * `lost`, or `prevented` (settled before, by a refund if at all).
 */
export type PaymentFactStatus =
  'pending' | 'succeeded' | 'failed' | 'waived' | 'inquiry' | 'open' | 'won' | 'lost' | 'prevented'

/** In which of them is the money gone? */
const MONEY_IS_GONE: ReadonlySet<PaymentFactStatus> = new Set(['pending', 'succeeded', 'open', 'lost'])

/** How far along each is: what a picture says that is older than what we know. */
const PROGRESS: Record<PaymentFactStatus, number> = {
  pending: 0,
  succeeded: 1,
  waived: 1,
  failed: 2,
  inquiry: 0,
  open: 1,
  lost: 2,
  won: 3,
  prevented: 3,
}

/** Would it be a step back from what is known? Then the picture is old, or something rare happened: look again. */
export function isStepBack(known: PaymentFactStatus, told: PaymentFactStatus): boolean {
  return PROGRESS[told] < PROGRESS[known]
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
  status: PaymentFactStatus
  updatedAt: Date
}

/** A payment that could not be turned into credits, for a person to look at. */
export interface QuarantineEntry {
  id: string
  /** Null: nobody knows whose it is. */
  userId: string | null
  /** The purchase that was not fulfilled, or the invoice that nobody could be found for. */
  purchaseId: string | null
  invoiceId: string | null
  reason: string
  details: { [key: string]: string | number | boolean | null }
  createdAt: Date
  resolvedAt: Date | null
  resolvedBy: string | null
  resolution: 'granted' | 'dismissed' | null
}

/** The facts that count for a purchase: of the payment that paid it, or of any, since several may pay one invoice. */
export function countedFacts(
  { invoiceId, paymentId }: Pick<Purchase, 'invoiceId' | 'paymentId'>,
  facts: readonly PaymentFact[],
): readonly PaymentFact[] {
  return invoiceId === null ? facts.filter((fact) => fact.paymentId === paymentId) : facts
}

/**
 * Credits that must have been taken back, from the money that went back: an absolute target, so that any order and any
 * repetition of events ends alike. Rounded down, exact when all money went back. reference/stripe.md, rule 4.
 */
export function clawbackTarget(credits: number, capturedMinor: number, facts: readonly PaymentFact[]): number {
  const reversed = facts
    .filter(({ status }) => MONEY_IS_GONE.has(status))
    .reduce((sum, fact) => sum + BigInt(fact.amountMinor), 0n)
  const captured = BigInt(capturedMinor)
  if (captured <= 0n) return 0
  return reversed >= captured ? credits : Number((BigInt(credits) * reversed) / captured)
}
