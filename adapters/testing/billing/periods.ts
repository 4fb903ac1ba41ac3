/** How often something recurs. */
export interface Interval {
  interval: string
  interval_count: number
}

/** A time span; both in seconds since 1970. */
export interface Period {
  start: number
  end: number
}

export const HOUR = 3_600
export const DAY = 86_400

/**
 * `count` intervals after `anchor`, in seconds since 1970.
 *
 * A month that lacks the anchor's day ends it on its last day, and the next one goes back to the anchor's day: 31 January,
 * 28 February, 31 March.
 */
export function addIntervals(anchor: number, { interval, interval_count: step }: Interval, count: number): number {
  if (interval === 'day') return anchor + count * step * DAY
  if (interval === 'week') return anchor + count * step * 7 * DAY
  const start = new Date(anchor * 1000)
  const months = start.getUTCMonth() + count * step * (interval === 'year' ? 12 : 1)
  const lastDay = new Date(Date.UTC(start.getUTCFullYear(), months + 1, 0)).getUTCDate()
  const time = anchor % DAY
  return Date.UTC(start.getUTCFullYear(), months, Math.min(start.getUTCDate(), lastDay)) / 1000 + time
}

/** The first end of a period after `time`, for periods that begin and end at `anchor`. */
export function nextBoundary(anchor: number, interval: Interval, time: number): number {
  const days = { day: 1, week: 7, month: 31, year: 366 }[interval.interval] ?? 31
  // Never too far: no interval is longer than this many days.
  let count = Math.floor((time - anchor) / (days * interval.interval_count * DAY)) - 1
  while (addIntervals(anchor, interval, count) <= time) count += 1
  return addIntervals(anchor, interval, count)
}

/** The part of `amount` that falls to the rest of the period from `time` on, rounded to whole minor units. */
export function restOf(amount: number, { start, end }: Period, time: number): number {
  if (end <= start) return 0
  return Math.round((amount * Math.max(0, end - Math.max(start, time))) / (end - start))
}

/** A day as Stripe writes it in descriptions: `22 Nov 2026`. */
export function dayOf(time: number): string {
  return new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short', year: 'numeric', timeZone: 'UTC' }).format(
    time * 1000,
  )
}
