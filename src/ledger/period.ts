/** How often something recurs. Counted in UTC. */
export const RHYTHMS = ['day', 'week', 'month', 'year'] as const
export type Rhythm = (typeof RHYTHMS)[number]

const DAY_MS = 86_400_000

/**
 * Beginning of period number `index` of a rhythm anchored at a moment: the same time of day, in UTC, so many days, weeks,
 * months or years later. A day that a month does not have is that month's last: 31 January, 28 February, 31 March.
 */
export function periodStart(anchor: Date, every: Rhythm, index: number): Date {
  if (every === 'day') return new Date(anchor.getTime() + index * DAY_MS)
  if (every === 'week') return new Date(anchor.getTime() + index * 7 * DAY_MS)
  const months = anchor.getUTCMonth() + (every === 'month' ? index : 12 * index)
  const start = new Date(anchor)
  // From day 1, so that setting the month can't run over into the next one.
  start.setUTCDate(1)
  start.setUTCMonth(months)
  const lastDay = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 0)).getUTCDate()
  start.setUTCDate(Math.min(anchor.getUTCDate(), lastDay))
  return start
}

/** Number of the period that `at` falls into, half-open; negative before the anchor. */
export function periodIndex(anchor: Date, every: Rhythm, at: Date): number {
  let index = estimatedIndex(anchor, every, at)
  while (periodStart(anchor, every, index) > at) index -= 1
  while (periodStart(anchor, every, index + 1) <= at) index += 1
  return index
}

function estimatedIndex(anchor: Date, every: Rhythm, at: Date): number {
  if (every === 'day' || every === 'week') {
    return Math.floor((at.getTime() - anchor.getTime()) / (every === 'day' ? DAY_MS : 7 * DAY_MS))
  }
  const years = at.getUTCFullYear() - anchor.getUTCFullYear()
  return every === 'year' ? years : 12 * years + at.getUTCMonth() - anchor.getUTCMonth()
}
