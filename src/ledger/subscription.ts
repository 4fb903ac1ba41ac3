import { settleDue } from './due.js'
import { periodIndex, periodStart } from './period.js'
import type { Posting } from './posting.js'
import {
  endSchedule,
  grantPeriod,
  isRunning,
  periodEnd,
  type PlanGrant,
  renewSchedule,
  type Schedule,
} from './schedule.js'

/** How much of a better plan's credits an upgrade in the middle of a period brings at once. */
export const UPGRADE_POLICIES = ['prorate', 'full', 'none'] as const
export type UpgradePolicy = (typeof UPGRADE_POLICIES)[number]

/** One line of a paid invoice, as far as one grant of the plan it pays for is concerned. */
export interface PaidLine {
  /** The purchase that stands for it. */
  purchaseId: string
  plan: string
  grant: PlanGrant
  /** The item of the subscription. */
  itemId: string
  quantity: number
  /** Bills a part of a period that something was changed in. */
  proration: boolean
  trial: boolean
  /** What it pays for, half-open. */
  from: Date
  until: Date
  upgrade: UpgradePolicy
}

/**
 * Turn a paid line into credits. Returns how many it brings in all, now and in the periods it pays for; 0: none.
 *
 * A whole period grants its plan's credits, period by period of the plan's own rhythm. A part of a period, paid because of
 * an upgrade, grants its share of what is missing; downgrades take nothing, and count from the next period on.
 */
export function settleLine(posting: Posting, line: PaidLine): number {
  const amount = (line.trial ? line.grant.trialAmount : line.grant.amount) * line.quantity
  if (amount === 0) return 0
  const known = posting.schedules.find(
    ({ subscriptionId, every }) => subscriptionId === line.itemId && every === line.grant.every,
  )
  if (line.proration && known !== undefined) return raisePeriod(posting, line, known, amount)
  const share = line.proration ? shareOfPeriod(line) : 1
  return payPeriods(posting, line, known, Math.floor(amount * share))
}

/** The part of a whole period, from its beginning, that a line pays for. */
function shareOfPeriod({ from, until, grant }: PaidLine): number {
  const whole = periodStart(from, grant.every, 1).getTime() - from.getTime()
  return Math.min(1, (until.getTime() - from.getTime()) / whole)
}

/** Let the schedule go on until the end of what is paid; what has begun of it is granted. */
function payPeriods(posting: Posting, line: PaidLine, known: Schedule | undefined, amount: number): number {
  const { from, until, purchaseId } = line
  const { now } = posting
  const old = known ?? newSchedule(posting, line)
  const paid: Schedule = {
    ...old,
    ...termsOf(line, amount),
    anchorAt: goesOn(old, from) ? old.anchorAt : from,
    nextAt: from,
    paidUntil: until,
    purchaseId,
    updatedAt: now,
  }
  const periods = countPeriods(paid)
  const isLater = old.paidUntil === null || until > old.paidUntil
  if (until <= now || !isLater) {
    // Paid, or found out, too late to be lived through: for as long as it would have lasted.
    const end = until > now ? until : new Date(now.getTime() + until.getTime() - from.getTime())
    if (known === undefined) posting.saveSchedule({ ...paid, status: 'ended', nextAt: until })
    grantPeriod(posting, { ...paid, nextAt: end, paidUntil: null }, amount * periods, now)
    return amount * periods
  }
  const first = Math.max(0, amount - cutShort(posting, old, from))
  const sold = first + amount * (periods - 1)
  const begun: Schedule = { ...paid, undelivered: sold }
  if (from > now) posting.saveSchedule(begun)
  else posting.settleAsOf(from, () => renewSchedule(posting, begun, first))
  settleDue(posting)
  return sold
}

/** Does the range begin where the schedule's next period would, so that its days of the month stay? */
function goesOn({ anchorAt, every, nextAt }: Schedule, from: Date): boolean {
  const isNext = nextAt.getTime() === from.getTime()
  return isNext && periodStart(anchorAt, every, periodIndex(anchorAt, every, from)).getTime() === from.getTime()
}

/** How many periods a schedule has until the end of what is paid. */
function countPeriods(schedule: Schedule): number {
  const { nextAt, paidUntil } = schedule
  let count = 0
  for (let at = nextAt; paidUntil !== null && at < paidUntil; at = periodEnd({ ...schedule, nextAt: at })) count += 1
  return count
}

/**
 * A period that ends early gives back the credits of the time that is left of it, as its money was given back: those that
 * are still there end now. Returns those that were used already, for the next period to make up for.
 */
function cutShort(posting: Posting, schedule: Schedule, at: Date): number {
  const { id, anchorAt, every, nextAt, periodGranted } = schedule
  if (!isRunning(schedule, posting.now) || at >= nextAt) return 0
  const began = periodStart(anchorAt, every, periodIndex(anchorAt, every, at))
  const left = Math.floor((periodGranted * (nextAt.getTime() - at.getTime())) / (nextAt.getTime() - began.getTime()))
  let due = left
  for (const grant of posting.openGrants()) {
    if (grant.scheduleId !== id || due === 0) continue
    const amount = Math.min(grant.remaining, due)
    posting.writeOff(grant.id, amount, at)
    due -= amount
  }
  return due
}

/** Grant what a better plan, or a higher quantity, brings more than this period has granted: so to-and-fro gains nothing. */
function raisePeriod(posting: Posting, line: PaidLine, schedule: Schedule, amount: number): number {
  const { now } = posting
  if (line.until <= now || schedule.nextAt <= now) return 0
  const missing = Math.max(0, amount - schedule.periodGranted)
  const { anchorAt, every, nextAt } = schedule
  const began = periodStart(anchorAt, every, periodIndex(anchorAt, every, now))
  const from = line.from > began ? line.from : began
  const left = (nextAt.getTime() - from.getTime()) / (nextAt.getTime() - began.getTime())
  const share = { full: 1, none: 0, prorate: Math.min(1, left) }[line.upgrade]
  const credits = Math.floor(missing * share)
  // Periods to come bring the new plan's credits; how many are still paid for is counted with the first purchase.
  const toCome = countPeriods(schedule)
  const raised: Schedule = {
    ...schedule,
    ...termsOf(line, amount),
    periodGranted: Math.max(schedule.periodGranted, amount),
    undelivered: Math.max(0, (schedule.undelivered ?? 0) + (amount - schedule.amount) * toCome),
    updatedAt: now,
  }
  posting.saveSchedule(raised)
  grantPeriod(posting, { ...raised, purchaseId: line.purchaseId }, credits, now)
  return credits
}

/** The subscription is over: its items' plans grant nothing more; what is left stays until the running period's end. */
export function endSubscription(posting: Posting, itemIds: readonly string[]): void {
  for (const schedule of posting.schedules) {
    const { subscriptionId, status } = schedule
    if (status === 'active' && subscriptionId !== null && itemIds.includes(subscriptionId))
      endSchedule(posting, schedule)
  }
  // The period may be over already.
  settleDue(posting)
}

function termsOf({ plan, grant }: PaidLine, amount: number) {
  const { rolloverMax, source, priority, graceSeconds } = grant
  return { plan, amount, rolloverMax, source, priority, graceSeconds, status: 'active' as const }
}

function newSchedule(posting: Posting, line: PaidLine): Schedule {
  const { now } = posting
  return {
    ...posting.key,
    ...termsOf(line, 0),
    id: posting.newId(),
    every: line.grant.every,
    anchorAt: line.from,
    nextAt: line.from,
    periodGranted: 0,
    subscriptionId: line.itemId,
    paidUntil: null,
    purchaseId: null,
    undelivered: null,
    createdAt: now,
    updatedAt: now,
  }
}
