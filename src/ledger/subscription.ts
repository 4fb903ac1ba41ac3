import { settleDue } from './due.js'
import { periodIndex, periodStart } from './period.js'
import type { Posting } from './posting.js'
import {
  endSchedule,
  firstAmount,
  grantPeriod,
  isRunning,
  periodEnd,
  type PlanGrant,
  type Raise,
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
  subscriptionId: string
  /** The item of the subscription, and its price. */
  itemId: string
  priceId: string | null
  quantity: number
  /** Bills a part of a period that something was changed in. */
  proration: boolean
  trial: boolean
  /** What it pays for, half-open. */
  from: Date
  until: Date
  upgrade: UpgradePolicy
}

/** Credits that each period of a line's brings by its plan; of a trial: credits for the whole of it. 0: it sells none. */
export function lineAmount({ grant, quantity, trial }: Pick<PaidLine, 'grant' | 'quantity' | 'trial'>): number {
  return (trial ? grant.trialAmount : grant.amount) * quantity
}

/**
 * Turn a paid line into credits. Returns how many it brings in all, now and in the periods it pays for; 0: none.
 *
 * A whole period grants its plan's credits, period by period of the plan's own rhythm; a trial is one period, however long.
 * A part of a period, paid because of an upgrade, grants its share of what is missing; downgrades take nothing, and count
 * from the next period on. Of two ranges of time that overlap the one that begins later counts from there on, in whichever
 * order they are told of.
 */
export function settleLine(posting: Posting, line: PaidLine): number {
  const amount = lineAmount(line)
  if (amount === 0 || line.from >= line.until) return 0
  const known = posting.schedules.find(
    ({ itemId, every, status, nextAt }) =>
      itemId === line.itemId && every === line.grant.every && (status === 'active' || nextAt > posting.now),
  )
  if (line.proration && known !== undefined) {
    // Nothing for time that is over, or that another range has taken the place of.
    if (line.until <= posting.now || takenOver(line, known) !== null) return 0
    if (known.nextAt > posting.now && isWithin(line, known)) return raisePeriod(posting, line, known, amount)
  }
  const share = line.proration ? shareOfPeriod(line) : 1
  return payPeriods(posting, line, known, Math.floor(amount * share))
}

/** From when on a range that begins later, and is known already, counts instead; null: none does. */
function takenOver({ from }: PaidLine, { paidFrom }: Schedule): Date | null {
  return paidFrom !== null && from < paidFrom ? paidFrom : null
}

/** Does it pay for no more time than has been paid for? Otherwise it is of a range that began for another item's plan. */
function isWithin({ until }: PaidLine, { paidUntil }: Schedule): boolean {
  return paidUntil !== null && until <= paidUntil
}

/** The part of a whole period, from its beginning, that a line pays for. */
function shareOfPeriod({ from, until, grant }: PaidLine): number {
  const whole = periodStart(from, grant.every, 1).getTime() - from.getTime()
  return Math.min(1, (until.getTime() - from.getTime()) / whole)
}

/** Let the schedule go on until the end of what is paid; what has begun of it is granted. */
function payPeriods(posting: Posting, line: PaidLine, known: Schedule | undefined, amount: number): number {
  const { from, until, purchaseId, trial } = line
  const { now } = posting
  const old = known ?? newSchedule(posting, line)
  const paid: Schedule = {
    ...old,
    ...termsOf(line, amount),
    anchorAt: goesOn(old, from) ? old.anchorAt : from,
    nextAt: from,
    paidFrom: from,
    changedFrom: from,
    paidUntil: until,
    purchaseId,
    raises: [],
    updatedAt: now,
  }
  const periods = trial ? [{ from, until }] : periodsToCome(paid)
  const later = takenOver(line, old)
  if (later !== null) {
    const end = until < later ? until : later
    return grantAtOnce(posting, paid, end, creditsBefore(end, periods, amount))
  }
  const first = Math.max(0, amount - cutShort(posting, old, from))
  const sold = first + amount * (periods.length - 1)
  if (until <= now) {
    const status = known?.status ?? 'ended'
    posting.saveSchedule({ ...paid, status, periodFrom: from, nextAt: until, undelivered: 0 })
    return grantAtOnce(posting, paid, until, sold)
  }
  const begun: Schedule = { ...paid, undelivered: sold }
  if (from > now) posting.saveSchedule(begun)
  else posting.settleAsOf(from, () => renewSchedule(posting, begun, first, periods[0]?.until))
  settleDue(posting)
  return sold
}

/** Paid, or found out, too late to be lived through: all credits at once, for as long as the time would have lasted. */
function grantAtOnce(posting: Posting, paid: Schedule, end: Date, credits: number): number {
  const { now } = posting
  const lasts = end.getTime() - paid.nextAt.getTime()
  const nextAt = end > now ? end : new Date(now.getTime() + lasts)
  grantPeriod(posting, { ...paid, nextAt, paidUntil: null }, credits, now)
  return credits
}

/** Does the range begin where the schedule's next period would, so that its days of the month stay? */
function goesOn({ anchorAt, every, nextAt }: Schedule, from: Date): boolean {
  const isNext = nextAt.getTime() === from.getTime()
  return isNext && periodStart(anchorAt, every, periodIndex(anchorAt, every, from)).getTime() === from.getTime()
}

interface Period {
  from: Date
  until: Date
}

/** The periods that a schedule has until the end of what is paid. */
function periodsToCome(schedule: Schedule): Period[] {
  const { nextAt, paidUntil } = schedule
  const periods: Period[] = []
  for (let from = nextAt; paidUntil !== null && from < paidUntil;) {
    const until = periodEnd({ ...schedule, nextAt: from })
    periods.push({ from, until })
    from = until
  }
  return periods
}

/** What periods of so many credits bring up to a moment: of the one that runs then, its share. */
function creditsBefore(moment: Date, periods: readonly Period[], amount: number): number {
  const shares = periods.map(({ from, until }) => {
    const lived = (moment.getTime() - from.getTime()) / (until.getTime() - from.getTime())
    return Math.floor(amount * Math.min(1, Math.max(0, lived)))
  })
  return shares.reduce((sum, credits) => sum + credits, 0)
}

/**
 * A period that ends early gives back the credits of the time that is left of it, as its money was given back: those that
 * are still there end now. Returns those that were used already, for the next period to make up for. When `at` lies before
 * the period, all of it is left.
 */
function cutShort(posting: Posting, schedule: Schedule, at: Date): number {
  const { id, periodFrom, nextAt, periodGranted } = schedule
  if (!isRunning(schedule, posting.now) || at >= nextAt) return 0
  const from = Math.max(at.getTime(), periodFrom.getTime())
  const left = Math.floor((periodGranted * (nextAt.getTime() - from)) / (nextAt.getTime() - periodFrom.getTime()))
  let due = left
  for (const grant of posting.openGrants()) {
    if (grant.scheduleId !== id || due === 0) continue
    const amount = Math.min(grant.remaining, due)
    posting.writeOff(grant.id, amount, at)
    due -= amount
  }
  return due
}

/**
 * Grant what a better plan, or a higher quantity, brings more than this period has granted, so that to-and-fro gains
 * nothing; and let the periods to come that are still paid for bring as much, unless a younger change is known that counts
 * for them. Returns both.
 */
function raisePeriod(posting: Posting, line: PaidLine, schedule: Schedule, amount: number): number {
  const { now } = posting
  const { periodFrom, nextAt } = schedule
  const begun = periodFrom < nextAt
  const missing = begun ? Math.max(0, amount - schedule.periodGranted) : 0
  const from = Math.max(line.from.getTime(), periodFrom.getTime())
  const left = begun ? (nextAt.getTime() - from) / (nextAt.getTime() - periodFrom.getTime()) : 0
  const share = { full: 1, none: 0, prorate: Math.min(1, left) }[line.upgrade]
  const credits = Math.floor(missing * share)
  const isOld = schedule.changedFrom !== null && line.from < schedule.changedFrom
  const { schedule: changed, toCome } = isOld ? { schedule, toCome: 0 } : changeAmount(schedule, line, amount)
  const raised: Schedule = { ...changed, periodGranted: schedule.periodGranted + missing, updatedAt: now }
  posting.saveSchedule(raised)
  grantPeriod(posting, { ...raised, purchaseId: line.purchaseId }, credits, now)
  return credits + toCome
}

/** Let each period to come bring `amount`: what is more is the line's purchase's, what is less goes last in first out. */
function changeAmount(known: Schedule, line: PaidLine, amount: number): { schedule: Schedule; toCome: number } {
  // What has ended is paid for anew.
  const schedule = known.status === 'ended' ? { ...known, amount: 0, undelivered: 0, raises: [] } : known
  const { undelivered, raises } = schedule
  const changed: Schedule = { ...schedule, ...termsOf(line, amount), changedFrom: line.from }
  const count = periodsToCome(schedule).length
  const more = amount - schedule.amount
  if (more > 0) {
    const raise: Raise = { purchaseId: line.purchaseId, amount: more, undelivered: more * count }
    return { schedule: { ...changed, raises: [...raises, raise] }, toCome: raise.undelivered }
  }
  let left = amount
  const first = lessToCome({ amount: firstAmount(schedule), undelivered: undelivered ?? 0 }, left)
  left -= first.amount
  const kept = raises.flatMap((raise) => {
    const less = lessToCome(raise, left)
    left -= less.amount
    return less.amount === 0 ? [] : [{ ...raise, ...less }]
  })
  return { schedule: { ...changed, raises: kept, undelivered: first.undelivered }, toCome: 0 }
}

/** At most so many credits per period. What was withheld of it are its last periods. */
function lessToCome({ amount, undelivered }: Omit<Raise, 'purchaseId'>, most: number): Omit<Raise, 'purchaseId'> {
  const less = Math.min(amount, most)
  if (amount === 0) return { amount, undelivered }
  const whole = Math.floor(undelivered / amount)
  return { amount: less, undelivered: whole * less + Math.min(less, undelivered % amount) }
}

/** What an item of a subscription pays for. */
export interface PaidItem {
  itemId: string
  priceId: string
  grants: readonly PlanGrant[]
}

/**
 * Does a subscription that has these items still pay for it? By the price it was sold by it does, whatever the plans are
 * today; by another one if that one's plan grants the same credits in the same rhythm.
 */
export function isPaidFor(
  sold: Pick<Schedule, 'itemId' | 'priceId' | 'creditType' | 'every'>,
  items: readonly PaidItem[],
): boolean {
  const item = items.find(({ itemId }) => itemId === sold.itemId)
  if (item === undefined || item.priceId === sold.priceId) return item !== undefined
  return item.grants.some(({ creditType, every }) => creditType === sold.creditType && every === sold.every)
}

/**
 * Nobody pays for these any more, as was found out: they bring nothing more; what is left stays until the running period's
 * end. One that has been paid for anew meanwhile stays.
 */
export function endUnpaid(posting: Posting, unpaid: readonly Schedule[]): void {
  for (const schedule of posting.schedules) {
    const { id, status, purchaseId } = schedule
    const isStill = unpaid.some((found) => found.id === id && found.purchaseId === purchaseId)
    if (status === 'active' && isStill) endSchedule(posting, schedule)
  }
  // The period may be over already.
  settleDue(posting)
}

function termsOf({ plan, grant, priceId }: PaidLine, amount: number) {
  const { rolloverMax, source, priority, graceSeconds } = grant
  return { plan, priceId, amount, rolloverMax, source, priority, graceSeconds, status: 'active' as const }
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
    periodFrom: line.from,
    periodGranted: 0,
    subscriptionId: line.subscriptionId,
    itemId: line.itemId,
    priceId: line.priceId,
    paidFrom: null,
    changedFrom: null,
    paidUntil: null,
    purchaseId: null,
    undelivered: null,
    raises: [],
    createdAt: now,
    updatedAt: now,
  }
}
