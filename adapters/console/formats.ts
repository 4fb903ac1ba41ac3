import { decimalsOf, moneyText } from '../money.js'
import { html, type SafeHtml } from './html.js'

/** How people read figures and moments. */
export interface Formats {
  /** `1,250`. */
  count: (amount: number) => string
  /** `+1,250`, `−30`: with a sign. */
  signed: (amount: number) => string
  /** Minor units as money: `999, 'usd'` → `$9.99`. */
  money: (minor: number, currency: string) => string
  /** Money as people type it: `9.99`, without the currency. */
  amountIn: (minor: number, currency: string) => string
  /** The same read back, in minor units; NaN: no amount of this currency. */
  minorOf: (typed: string, currency: string) => number
  /** `3 Nov 2026`. */
  date: (moment: Date) => SafeHtml
  /** `3 Nov 2026, 14:05`. */
  dateTime: (moment: Date) => SafeHtml
  /** A UTC day `2026-11-03` as `3 Nov`. */
  day: (isoDay: string) => string
  /** `in 3 days`, `2 hours ago`. */
  relative: (moment: Date, now: Date) => string
  /** A name for people: the option `creditTypeNames`, else the type itself with a capital. */
  creditType: (type: string) => string
  /** The day's first moment in the console's time zone; null: no `YYYY-MM-DD`. */
  startOfDay: (isoDay: string) => Date | null
  /** The day after, as `YYYY-MM-DD`. */
  dayAfter: (isoDay: string) => string
  /** Which day it is in the console's time zone, as `YYYY-MM-DD`. */
  today: (now: Date) => string
  timeZone: string
}

const DAY_MS = 86_400_000

/** @throws {RangeError} An unknown locale or time zone. */
export function formats(locale: string, timeZone: string, creditTypeNames: Readonly<Record<string, string>>): Formats {
  const count = new Intl.NumberFormat(locale)
  const signed = new Intl.NumberFormat(locale, { signDisplay: 'exceptZero' })
  const date = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone })
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short', timeZone })
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', timeZone: 'UTC' })
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
  const parts = new Intl.DateTimeFormat('en', {
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' },
    hourCycle: 'h23',
    timeZone,
  })
  const time = (moment: Date, shown: string) => html`<time datetime="${moment.toISOString()}">${shown}</time>`
  return {
    count: (amount) => withMinus(count.format(amount)),
    signed: (amount) => withMinus(signed.format(amount)),
    money: (minor, currency) => withMinus(moneyText(locale, minor, currency)),
    amountIn: (minor, currency) => (minor / 10 ** decimalsOf(currency)).toFixed(decimalsOf(currency)),
    minorOf: (typed, currency) => minorOf(typed, decimalsOf(currency)),
    date: (moment) => time(moment, date.format(moment)),
    dateTime: (moment) => time(moment, dateTime.format(moment)),
    day: (isoDay) => day.format(new Date(`${isoDay}T00:00:00Z`)),
    relative: (moment, now) => relativeText(relative, moment.getTime() - now.getTime()),
    creditType: (type) =>
      (Object.hasOwn(creditTypeNames, type) ? creditTypeNames[type] : undefined) ?? capitalised(type),
    startOfDay: (isoDay) => (isDay(isoDay) ? startOfDay(parts, isoDay) : null),
    dayAfter: (isoDay) => new Date(Date.parse(`${isoDay}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10),
    today: (now) => new Date(now.getTime() + offsetMs(parts, now)).toISOString().slice(0, 10),
    timeZone,
  }
}

/** The sign that is as wide as a digit. */
function withMinus(text: string): string {
  return text.replace('-', '−')
}

/** By its digits: a product of fractions would miss the last one. */
function minorOf(typed: string, decimals: number): number {
  const [, whole, fraction = ''] = /^(\d{1,12})(?:\.(\d*))?$/.exec(typed.trim()) ?? []
  if (whole === undefined || fraction.length > decimals) return Number.NaN
  return Number(whole + fraction.padEnd(decimals, '0'))
}

/** From the largest unit that fits. */
const UNITS = [
  ['day', DAY_MS],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const

function relativeText(format: Intl.RelativeTimeFormat, differenceMs: number): string {
  const [unit, ms] = UNITS.find(([, length]) => Math.abs(differenceMs) >= length) ?? UNITS[2]
  return format.format(Math.round(differenceMs / ms), unit)
}

function capitalised(type: string): string {
  const words = type.replaceAll(/[_.-]+/g, ' ').trim()
  return words === '' ? type : words.slice(0, 1).toUpperCase() + words.slice(1)
}

function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const midnight = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(text)
}

/** Asked twice, as the first guess may lie on the other side of a change of the clock. */
function startOfDay(parts: Intl.DateTimeFormat, isoDay: string): Date {
  const midnightMs = Date.parse(`${isoDay}T00:00:00Z`)
  const guess = new Date(midnightMs - offsetMs(parts, new Date(midnightMs)))
  return new Date(midnightMs - offsetMs(parts, guess))
}

/** How far the zone's clock is ahead of UTC at a moment. */
function offsetMs(parts: Intl.DateTimeFormat, moment: Date): number {
  const read = new Map(parts.formatToParts(moment).map(({ type, value }) => [type, Number(value)]))
  const of = (type: Intl.DateTimeFormatPartTypes) => read.get(type) ?? 0
  const local = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'))
  return local - Math.floor(moment.getTime() / 1000) * 1000
}
