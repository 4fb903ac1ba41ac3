import type { AccountKey } from './account.js'
import type { GrantSource } from './grant.js'
import { periodIndex, periodStart, type Rhythm } from './period.js'
import type { Posting } from './posting.js'

/** Credits that come again and again, for as long as a plan lasts: the row of `credit_schedules`. */
export interface Schedule extends AccountKey {
  id: string
  /** The plan it belongs to, by its name in the service's options. */
  plan: string
  /** Credits per period. */
  amount: number
  every: Rhythm
  /** Unused credits that may stay when a period ends; 0: none do; null: all do. */
  rolloverMax: number | null
  source: GrantSource
  priority: number
  /** Periods are counted from here. */
  anchorAt: Date
  /** End of the running period; where the schedule has not begun, its beginning. */
  nextAt: Date
  /** Beginning of the running period; where the schedule has not begun, as `nextAt`. */
  periodFrom: Date
  /** Credits granted in the running period, by whichever plans: a change grants only what is missing. */
  periodGranted: number
  status: 'active' | 'ended'
  /** The subscription that pays for it, by one of its items; null: the user's own plan. */
  subscriptionId: string | null
  itemId: string | null
  /** The price it was sold by last. */
  priceId: string | null
  /** Where the range begins that was paid for last, up to `paidUntil`; null: not paid for period by period. */
  paidFrom: Date | null
  /** Where the time begins that its plan and amount were last changed for, by a range or within one; null as above. */
  changedFrom: Date | null
  /** No period begins at or after this moment unless it is paid for; null: not paid for period by period. */
  paidUntil: Date | null
  /** The purchase that paid for the periods up to `paidUntil`; null: none did. */
  purchaseId: string | null
  /** Credits that the purchase has still to bring, in periods to come; null: no purchase. */
  undelivered: number | null
  /** What later purchases pay for beside it, up to `paidUntil`, oldest first. */
  raises: readonly Raise[]
  /** So long do credits outlive the last period that is paid for: until the next payment, and no longer than this. */
  graceSeconds: number
  createdAt: Date
  updatedAt: Date
}

/** More credits in the periods to come of what is paid for: more seats, or a better plan, by a purchase of their own. */
export interface Raise {
  purchaseId: string
  /** Its part of the schedule's credits per period. */
  amount: number
  /** Credits that it has still to bring. */
  undelivered: number
}

/** What a plan grants of one credit type in one rhythm. */
export interface PlanGrant {
  creditType: string
  amount: number
  every: Rhythm
  rolloverMax: number | null
  source: GrantSource
  priority: number
  /** Credits while a subscription's trial lasts; 0: none. */
  trialAmount: number
  graceSeconds: number
}

/** When its next period begins by itself; null: never, or not before it is paid for. */
export function nextPeriodAt({ status, nextAt, paidUntil }: Schedule): Date | null {
  return status === 'active' && (paidUntil === null || nextAt < paidUntil) ? nextAt : null
}

/** Is something to be done about it? */
export function isDue(schedule: Schedule, now: Date): boolean {
  const next = nextPeriodAt(schedule)
  return next !== null && next.getTime() <= now.getTime()
}

/** Has one of its periods begun that has not ended? */
export function isRunning({ anchorAt, nextAt }: Schedule, now: Date): boolean {
  return anchorAt <= now && nextAt > now
}

/** When its running period ends, whether or not its beginning has been written. */
export function runningPeriodEnd(schedule: Schedule, now: Date): Date {
  const { anchorAt, every, nextAt } = schedule
  return isDue(schedule, now) ? periodStart(anchorAt, every, periodIndex(anchorAt, every, now) + 1) : nextAt
}

/** When the period that begins at `nextAt` ends. A short rest before the end of what is paid for belongs to it. */
export function periodEnd({ anchorAt, every, nextAt, paidUntil }: Schedule): Date {
  const end = periodStart(anchorAt, every, periodIndex(anchorAt, every, nextAt) + 1)
  if (paidUntil === null) return end
  const rest = paidUntil.getTime() - end.getTime()
  return rest < (end.getTime() - nextAt.getTime()) / 2 ? paidUntil : end
}

/**
 * Go on to the next period, as of its beginning: what may not stay expires, and the period's credits are granted, those of
 * each purchase by a grant of its own. `granted`, `ends`: other credits of the first purchase, and another end, than the
 * schedule says.
 */
export function renewSchedule(
  posting: Posting,
  schedule: Schedule,
  granted = nextCredits({ amount: firstAmount(schedule), undelivered: schedule.undelivered }),
  ends = periodEnd(schedule),
): Schedule {
  const { nextAt: begins, amount, undelivered, raises } = schedule
  const renewed: Schedule = {
    ...schedule,
    nextAt: ends,
    periodFrom: begins,
    periodGranted: amount,
    undelivered: undelivered === null ? null : undelivered - granted,
    raises: raises.map((raise) => ({ ...raise, undelivered: raise.undelivered - nextCredits(raise) })),
    updatedAt: posting.now,
  }
  if (schedule.rolloverMax !== null) trimRollover(posting, schedule, begins)
  grantPeriod(posting, renewed, granted, begins)
  for (const raise of raises) {
    grantPeriod(posting, { ...renewed, purchaseId: raise.purchaseId }, nextCredits(raise), begins)
  }
  posting.saveSchedule(renewed)
  return renewed
}

/** What its next period brings. */
function nextCredits({ amount, undelivered }: Pick<Schedule, 'amount' | 'undelivered'>): number {
  return Math.min(amount, undelivered ?? amount)
}

/** The part of its credits per period that its first purchase pays for. */
export function firstAmount({ amount, raises }: Schedule): number {
  return raises.reduce((left, raise) => left - raise.amount, amount)
}

/** Credits of a purchase that are still to come. */
export function creditsToCome({ purchaseId, undelivered, raises }: Schedule, ofPurchase: string): number {
  if (purchaseId === ofPurchase) return undelivered ?? 0
  return raises.find((raise) => raise.purchaseId === ofPurchase)?.undelivered ?? 0
}

/** Let a purchase bring more, or fewer, credits in periods to come. */
export function changeToCome(schedule: Schedule, ofPurchase: string, credits: number): Schedule {
  const { purchaseId, undelivered, raises } = schedule
  if (purchaseId === ofPurchase) return { ...schedule, undelivered: (undelivered ?? 0) + credits }
  const changed = raises.map((raise) =>
    raise.purchaseId === ofPurchase ? { ...raise, undelivered: raise.undelivered + credits } : raise,
  )
  return { ...schedule, raises: changed }
}

/** Expire what is left of earlier periods above what may stay, the credits that burn first going first. */
function trimRollover(posting: Posting, { id, rolloverMax }: Schedule, at: Date): void {
  const left = posting.openGrants().filter((grant) => grant.scheduleId === id)
  let excess = left.reduce((sum, { remaining }) => sum + remaining, 0) - (rolloverMax ?? Infinity)
  for (const { id: grantId, remaining } of left) {
    const amount = Math.min(remaining, excess)
    if (amount <= 0) break
    posting.writeOff(grantId, amount, at)
    excess -= amount
  }
}

/** When the credits of its running period end. The last period that is paid for waits a little for the next payment. */
export function creditsEnd({ nextAt, paidUntil, graceSeconds, rolloverMax }: Schedule): Date | null {
  if (rolloverMax !== 0) return null
  const waits = paidUntil !== null && nextAt >= paidUntil
  return waits ? new Date(nextAt.getTime() + 1000 * graceSeconds) : nextAt
}

export function grantPeriod(posting: Posting, schedule: Schedule, amount: number, effectiveAt: Date): void {
  if (amount === 0) return
  const id = posting.newId()
  const { plan, source, priority, purchaseId } = schedule
  posting.addGrant(
    {
      id,
      amount,
      effectiveAt,
      expiresAt: creditsEnd(schedule),
      priority,
      source,
      paidAmount: null,
      currency: null,
      purchaseId,
      scheduleId: schedule.id,
    },
    {
      id,
      transactionType: 'adjustment',
      description: `Plan credits: ${plan}`,
      referenceId: plan,
      referenceType: 'plan',
      effectiveAt,
    },
  )
}

/** A plan as it shall be from now on, for one user. */
export interface PlanAssignment {
  plan: string
  grants: readonly PlanGrant[]
  subscriptionId: string | null
  /** Periods are counted from here; null: from now. Where a period of the same rhythm is running, it goes on. */
  anchorAt: Date | null
}

/**
 * Make a plan's schedules of one account what the assignment says; without grants, the plan ends. A period that is
 * running goes on: only what it has not granted yet is granted, so that changing plans to and fro gains nothing. What was
 * granted stays until the period ends.
 */
export function assignPlan(posting: Posting, assignment: PlanAssignment): void {
  const { creditType } = posting.key
  const wanted = assignment.grants.filter((grant) => grant.creditType === creditType)
  const existing = posting.schedules.filter(
    (schedule) =>
      schedule.subscriptionId === assignment.subscriptionId &&
      (schedule.status === 'active' || isRunning(schedule, posting.now)),
  )
  for (const schedule of existing) {
    const kept = wanted.some(({ every }) => every === schedule.every)
    if (!kept && schedule.status === 'active') endSchedule(posting, schedule)
  }
  for (const grant of wanted) {
    const running = existing.find(({ every }) => every === grant.every)
    if (running === undefined) startSchedule(posting, assignment, grant)
    else continueSchedule(posting, assignment.plan, running, grant)
  }
}

function startSchedule(posting: Posting, { plan, subscriptionId, anchorAt }: PlanAssignment, grant: PlanGrant): void {
  const { now } = posting
  const anchor = anchorAt ?? now
  const index = periodIndex(anchor, grant.every, now)
  const begun = index >= 0
  const { amount, every, rolloverMax, source, priority } = grant
  const schedule: Schedule = {
    ...posting.key,
    id: posting.newId(),
    plan,
    amount,
    every,
    rolloverMax,
    source,
    priority,
    anchorAt: anchor,
    nextAt: begun ? periodStart(anchor, every, index + 1) : anchor,
    periodFrom: begun ? periodStart(anchor, every, index) : anchor,
    periodGranted: begun ? amount : 0,
    status: 'active',
    subscriptionId,
    itemId: null,
    priceId: null,
    paidFrom: null,
    changedFrom: null,
    paidUntil: null,
    purchaseId: null,
    undelivered: null,
    raises: [],
    graceSeconds: 0,
    createdAt: now,
    updatedAt: now,
  }
  posting.saveSchedule(schedule)
  if (begun) grantPeriod(posting, schedule, amount, periodStart(anchor, every, index))
}

function continueSchedule(posting: Posting, plan: string, schedule: Schedule, grant: PlanGrant): void {
  const { amount, rolloverMax, source, priority } = grant
  // A period that has not begun grants its credits when it does.
  const begun = schedule.anchorAt <= posting.now
  const missing = begun ? Math.max(0, amount - schedule.periodGranted) : 0
  const continued: Schedule = {
    ...schedule,
    plan,
    amount,
    rolloverMax,
    source,
    priority,
    periodGranted: schedule.periodGranted + missing,
    status: 'active',
    updatedAt: posting.now,
  }
  posting.saveSchedule(continued)
  setPeriodEnd(posting, schedule, rolloverMax === 0 ? schedule.nextAt : null)
  if (missing > 0) grantPeriod(posting, continued, missing, posting.now)
}

/** No more periods. What is left of this one stays usable until its end. */
export function endSchedule(posting: Posting, schedule: Schedule): void {
  posting.saveSchedule({ ...schedule, status: 'ended', updatedAt: posting.now })
  setPeriodEnd(posting, schedule, schedule.nextAt)
}

function setPeriodEnd(posting: Posting, { id }: Schedule, expiresAt: Date | null): void {
  for (const grant of posting.openGrants()) if (grant.scheduleId === id) posting.changeExpiry(grant.id, expiresAt)
}
