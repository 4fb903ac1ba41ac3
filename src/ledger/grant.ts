import type { AccountKey } from './account.js'

/** Where granted credits come from. `purchase` and `subscription` were paid for; the others are promotional. */
export const GRANT_SOURCES = ['purchase', 'subscription', 'promotional', 'refund', 'adjustment'] as const
export type GrantSource = (typeof GRANT_SOURCES)[number]

/** Credits added together, sharing an expiry and a priority. */
export interface Grant extends AccountKey {
  id: string
  /** Credits granted; never changes. */
  amount: number
  /** Credits of it that are free. */
  remaining: number
  /** Credits of it pinned by open holds. */
  held: number
  /** Credits a clawback still wants from it, as soon as they come back (policy `clamp`). */
  shortfall: number
  /** Credits of it that ended unused: expired or voided. */
  writtenOff: number
  /** False once nothing is left of it. */
  open: boolean
  /** Not usable before; null: always was. */
  effectiveAt: Date | null
  /** Not usable from this moment on; null: never ends. */
  expiresAt: Date | null
  /** Lower burns first. */
  priority: number
  source: GrantSource
  /** What was paid for it, in the currency's minor units; null: nothing known. */
  paidAmount: number | null
  currency: string | null
  purchaseId: string | null
  voidedAt: Date | null
  /** Number of the transaction that made it. */
  seq: number
  createdAt: Date
}

/** How much of a transaction touched one grant, or the account's debt. Positive credits; the transaction has the sign. */
export type Allocation =
  | { grantId: string; amount: number }
  /** Debt made (by a clawback) or repaid; `grantId`: the grant whose credits repaid it. */
  | { grantId?: string; debt: number }

/** Usable is half-open: from `effectiveAt` on, before `expiresAt`. */
export function isUsable(grant: Grant, now: Date): boolean {
  return grant.voidedAt === null && !isScheduled(grant, now) && !isExpired(grant, now)
}

export function isExpired(grant: Grant, now: Date): boolean {
  return grant.expiresAt !== null && grant.expiresAt.getTime() <= now.getTime()
}

export function isScheduled(grant: Grant, now: Date): boolean {
  return grant.effectiveAt !== null && grant.effectiveAt.getTime() > now.getTime()
}

/** Was money paid for it? Promotional credits burn first, and a clawback never takes them. */
export function isPaid(grant: Grant): boolean {
  return grant.source === 'purchase' || grant.source === 'subscription'
}

/**
 * Burn-down order: priority, then soonest expiry (none last), then promotional before paid, then the earlier
 * `effectiveAt` (none first), then the order in which they were granted.
 */
export function compareBurnDown(a: Grant, b: Grant): number {
  return (
    a.priority - b.priority ||
    compareTimes(a.expiresAt, b.expiresAt, Infinity) ||
    Number(isPaid(a)) - Number(isPaid(b)) ||
    compareTimes(a.effectiveAt, b.effectiveAt, -Infinity) ||
    a.seq - b.seq ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  )
}

function compareTimes(a: Date | null, b: Date | null, whenNull: number): number {
  const left = a?.getTime() ?? whenNull
  const right = b?.getTime() ?? whenNull
  return left < right ? -1 : Number(left > right)
}

/** The next grant to burn at `now`; null: there is none. */
export function headOf(grants: Iterable<Grant>, now: Date): Grant | null {
  const usable = [...grants].filter((grant) => grant.remaining > 0 && isUsable(grant, now))
  return usable.sort(compareBurnDown)[0] ?? null
}

/** The first moment after `now` at which one of these grants starts or ends, as far as anything is left of it. */
export function nextChange(grants: Iterable<Grant>, now: Date): Date | null {
  const open = [...grants].filter(({ remaining, held }) => remaining > 0 || held > 0)
  return earliestAfter(
    now,
    open.flatMap(({ effectiveAt, expiresAt }) => [effectiveAt, expiresAt]),
  )
}

/** The earliest of these moments that is still to come at `now`; null: none is. */
export function earliestAfter(now: Date, times: readonly (Date | null)[]): Date | null {
  const upcoming = times.filter((time) => time !== null && time > now).sort((a, b) => compareTimes(a, b, Infinity))
  return upcoming[0] ?? null
}

/** Share `amount` credits out over usable grants in burn-down order; what they can't cover is left over. */
export function allocate(
  grants: Iterable<Grant>,
  amount: number,
  now: Date,
): { allocations: GrantAllocation[]; uncovered: number } {
  const usable = [...grants].filter((grant) => grant.remaining > 0 && isUsable(grant, now)).sort(compareBurnDown)
  const allocations: GrantAllocation[] = []
  let uncovered = amount
  for (const grant of usable) {
    if (uncovered === 0) break
    const taken = Math.min(grant.remaining, uncovered)
    allocations.push({ grantId: grant.id, amount: taken })
    uncovered -= taken
  }
  return { allocations, uncovered }
}

export type GrantAllocation = Extract<Allocation, { amount: number }>

/** Is this the part of a transaction that touched a grant's credits (and not the debt)? */
export function isGrantAllocation(allocation: Allocation): allocation is GrantAllocation {
  return 'amount' in allocation
}

/** Credits of one allocation, whichever kind. */
export function allocatedCredits(allocation: Allocation): number {
  return isGrantAllocation(allocation) ? allocation.amount : allocation.debt
}
