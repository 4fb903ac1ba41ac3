import type { AccountKey } from './account.js'

/** Where granted credits come from. `purchase` and `subscription` were paid for; the others are promotional. */
export const GRANT_SOURCES = ['purchase', 'subscription', 'promotional', 'refund', 'adjustment'] as const
/**
 * Where granted credits come from. `purchase` and `subscription` were paid for: only those are taken when a payment
 * goes back. The others are promotional and, all else being equal, burn first.
 */
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
  /** The schedule whose period it is for; null: none. */
  scheduleId: string | null
  voidedAt: Date | null
  /** When its coming end was announced; null: not yet. */
  noticedAt: Date | null
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
  return !isScheduled(grant, now) && !isOver(grant, now)
}

/** Free credits that can't be spent at `now`: of grants that have not begun, or have ended and were not written off. */
export function unusableCredits(grants: readonly Grant[], now: Date): number {
  return grants.reduce((sum, grant) => sum + (isUsable(grant, now) ? 0 : grant.remaining), 0)
}

export function isExpired(grant: Grant, now: Date): boolean {
  return grant.expiresAt !== null && grant.expiresAt.getTime() <= now.getTime()
}

/** Has it ended, by time or by hand? */
export function isOver(grant: Grant, now: Date): boolean {
  return grant.voidedAt !== null || isExpired(grant, now)
}

export function isScheduled(grant: Grant, now: Date): boolean {
  return grant.effectiveAt !== null && grant.effectiveAt.getTime() > now.getTime()
}

/** Was money paid for it? Promotional credits burn first, and a clawback never takes them. */
export function isPaid(grant: Grant): boolean {
  return grant.source === 'purchase' || grant.source === 'subscription'
}

/** The rules of the burn-down order, by name, the first one that tells two grants apart deciding. */
const BURN_DOWN_RULES = {
  priority: (a: Grant, b: Grant) => a.priority - b.priority,
  expiry: (a: Grant, b: Grant) => compareTimes(a.expiresAt, b.expiresAt, Infinity),
  promotional: (a: Grant, b: Grant) => Number(isPaid(a)) - Number(isPaid(b)),
  effectiveAt: (a: Grant, b: Grant) => compareTimes(a.effectiveAt, b.effectiveAt, -Infinity),
  granted: (a: Grant, b: Grant) => a.seq - b.seq || (a.id < b.id ? -1 : Number(a.id > b.id)),
}

/**
 * Why one grant burns before another: its lower `priority`, its sooner `expiry`, that it is `promotional`, its earlier
 * `effectiveAt`, or that it was `granted` first.
 */
export type BurnDownReason = keyof typeof BURN_DOWN_RULES

const BURN_DOWN_ORDER = [
  'priority',
  'expiry',
  'promotional',
  'effectiveAt',
  'granted',
] as const satisfies BurnDownReason[]

/**
 * Burn-down order: priority, then soonest expiry (none last), then promotional before paid, then the earlier
 * `effectiveAt` (none first), then the order in which they were granted.
 */
export function compareBurnDown(a: Grant, b: Grant): number {
  const reason = burnDownReason(a, b)
  return reason === null ? 0 : BURN_DOWN_RULES[reason](a, b)
}

/** The first rule of the burn-down order that tells two grants apart; null: none does. */
export function burnDownReason(a: Grant, b: Grant): BurnDownReason | null {
  return BURN_DOWN_ORDER.find((reason) => BURN_DOWN_RULES[reason](a, b) !== 0) ?? null
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

/** The first `amount` credits of a list of allocations. */
export function firstCredits(allocations: readonly GrantAllocation[], amount: number): GrantAllocation[] {
  let left = amount
  return allocations
    .map(({ grantId, amount: available }) => {
      const taken = Math.min(available, left)
      left -= taken
      return { grantId, amount: taken }
    })
    .filter((allocation) => allocation.amount > 0)
}

/** One allocation per grant, in the order of their first. */
export function mergeAllocations(allocations: readonly GrantAllocation[]): GrantAllocation[] {
  const byGrant = new Map<string, number>()
  for (const { grantId, amount } of allocations) byGrant.set(grantId, (byGrant.get(grantId) ?? 0) + amount)
  return [...byGrant].map(([grantId, amount]) => ({ grantId, amount }))
}

/**
 * Turn credits coming into grants into repaid debt, as far as there is debt; what a clawback still wants of a grant
 * itself (its shortfall) is left to the grant.
 */
export function repayingDebt(
  incoming: readonly GrantAllocation[],
  debt: number,
  shortfallOf: (grantId: string) => number,
): Allocation[] {
  let owed = debt
  return incoming.flatMap(({ grantId, amount }) => {
    const settled = Math.min(amount, shortfallOf(grantId))
    const repaid = Math.min(amount - settled, owed)
    owed -= repaid
    const kept = { grantId, amount: amount - repaid }
    return repaid === 0 ? [kept] : kept.amount === 0 ? [{ grantId, debt: repaid }] : [kept, { grantId, debt: repaid }]
  })
}

/** Does anything of a grant differ that its row can change? */
export function grantRowDiffers(a: Grant, b: Grant): boolean {
  return (
    a.remaining !== b.remaining ||
    a.held !== b.held ||
    a.shortfall !== b.shortfall ||
    a.writtenOff !== b.writtenOff ||
    a.open !== b.open ||
    a.expiresAt?.getTime() !== b.expiresAt?.getTime() ||
    a.voidedAt?.getTime() !== b.voidedAt?.getTime() ||
    a.noticedAt?.getTime() !== b.noticedAt?.getTime()
  )
}

export type GrantAllocation = Extract<Allocation, { amount: number }>

/** Is this the part of a transaction that touched a grant's credits (and not the debt)? */
export function isGrantAllocation(allocation: Allocation): allocation is GrantAllocation {
  return 'amount' in allocation
}

/** What was paid for some of a grant's credits, in minor units, rounded down. Whole numbers of any size. */
export function shareOfPrice(paidMinor: number, credits: number, granted: number): number {
  return Number((BigInt(paidMinor) * BigInt(credits)) / BigInt(granted))
}

/** Credits of one allocation, whichever kind. */
export function allocatedCredits(allocation: Allocation): number {
  return isGrantAllocation(allocation) ? allocation.amount : allocation.debt
}
