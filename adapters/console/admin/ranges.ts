import type { Visit } from '../frame.js'
import { type Refused, textField } from '../forms.js'
import { html, type SafeHtml } from '../html.js'

const DAY_MS = 86_400_000

/** Whole days of the console's time zone, the last one included. */
export interface DayRange {
  /** `YYYY-MM-DD`. */
  fromDay: string
  toDay: string
  /** Half-open. */
  from: Date
  to: Date
}

interface RangeRules {
  /** How many days end today, where nothing is asked for. */
  defaultDays: number
  maxDays: number
}

/** The range that `from` and `to` ask for; the default one where they can't be meant, and why. */
export function readRange(
  { show, now }: Visit,
  asked: { from: string; to: string },
  { defaultDays, maxDays }: RangeRules,
): { range: DayRange; problem: Refused | null } {
  const today = show.today(now)
  const standard = rangeOf(show, daysBefore(today, defaultDays - 1), today)
  if (standard === null) throw new Error('readRange: today is no day')
  const [fromDay, toDay] = [asked.from || standard.fromDay, asked.to || standard.toDay]
  const range = rangeOf(show, fromDay, toDay)
  const fields = new Map<string, string>()
  if (show.startOfDay(fromDay) === null) fields.set('from', 'must be a day')
  if (show.startOfDay(toDay) === null) fields.set('to', 'must be a day')
  if (range !== null && range.from >= range.to) fields.set('to', 'must not be before the first day')
  if (range !== null && daysOf(range).length > maxDays)
    fields.set('from', `must be at most ${maxDays} days before the last one`)
  if (range !== null && fields.size === 0) return { range, problem: null }
  return { range: standard, problem: { status: 400, message: 'Please check the days.', fields } }
}

function rangeOf(show: Visit['show'], fromDay: string, toDay: string): DayRange | null {
  const from = show.startOfDay(fromDay)
  const to = show.startOfDay(toDay) === null ? null : show.startOfDay(show.dayAfter(toDay))
  return from === null || to === null ? null : { fromDay, toDay, from, to }
}

function daysBefore(isoDay: string, days: number): string {
  return new Date(Date.parse(`${isoDay}T00:00:00Z`) - days * DAY_MS).toISOString().slice(0, 10)
}

/** Every day of a range, `YYYY-MM-DD`. */
export function daysOf({ fromDay, toDay }: Pick<DayRange, 'fromDay' | 'toDay'>): string[] {
  const [first, last] = [fromDay, toDay].map((day) => Date.parse(`${day}T00:00:00Z`))
  if (first === undefined || last === undefined) return []
  const count = Math.max(0, Math.round((last - first) / DAY_MS) + 1)
  return Array.from({ length: count }, (_, index) => new Date(first + index * DAY_MS).toISOString().slice(0, 10))
}

export function rangeFields({ show }: Visit, range: DayRange, problem: Refused | null): SafeHtml {
  return html`${textField({
    ...{ name: 'from', label: 'First day', type: 'date', value: range.fromDay, required: true, problem },
  })}
  ${textField({
    ...{ name: 'to', label: 'Last day', type: 'date', value: range.toDay, required: true, problem },
    hint: show.timeZone === 'UTC' ? undefined : show.timeZone,
  })}`
}
