import { LimitExceededError } from '../errors.js'
import type { AccountKey } from './account.js'

export const LIMIT_PERIODS = ['second', 'minute', 'hour', 'day', 'week', 'month'] as const
export type LimitPeriod = (typeof LIMIT_PERIODS)[number]

/** How much an account may use in one window of time. */
export interface Limit {
  /** At most so many per window; a positive integer. */
  max: number
  /** Windows are fixed and in UTC: from the full second, minute, hour, day, Monday or first of the month. */
  per: LimitPeriod
  /** What is counted: uses and holds, or their credits. */
  of: 'calls' | 'credits'
}

/** What has been counted for one limit of an account: the row of `credit_limit_windows`. */
export interface LimitCount extends AccountKey {
  /** The limit's name, see {@link limitName}. */
  limitName: string
  /** Beginning of the window that `used` belongs to. */
  windowStart: Date
  used: number
}

/** Under this name its count is kept; it says what is counted, so that changing `max` keeps the count. */
export function limitName({ of, per }: Limit): string {
  return `${of}/${per}`
}

const FIXED_MS = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** Beginning of the window `at` falls into. */
export function windowStart(per: LimitPeriod, at: Date): Date {
  if (per === 'month') return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1))
  if (per === 'week') {
    const day = windowStart('day', at)
    return new Date(day.getTime() - ((day.getUTCDay() + 6) % 7) * FIXED_MS.day)
  }
  return new Date(Math.floor(at.getTime() / FIXED_MS[per]) * FIXED_MS[per])
}

/** Beginning of the window after the one `at` falls into. */
export function windowEnd(per: LimitPeriod, at: Date): Date {
  const start = windowStart(per, at)
  if (per === 'month') return new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1))
  return new Date(start.getTime() + (per === 'week' ? 7 * FIXED_MS.day : FIXED_MS[per]))
}

/** What one use (or hold) counts for. */
export interface Usage {
  calls: number
  credits: number
}

/** The limits of one account while a decision is being made. */
export class LimitCounter {
  readonly #key: AccountKey
  readonly #limits: readonly Limit[]
  readonly #now: Date
  readonly #counts = new Map<string, LimitCount>()
  readonly #changed = new Set<string>()
  readonly #reached: Limit[] = []

  constructor(key: AccountKey, limits: readonly Limit[], counts: readonly LimitCount[], now: Date) {
    this.#key = key
    this.#limits = limits
    this.#now = now
    for (const count of counts) this.#counts.set(count.limitName, { ...count })
  }

  /** Count a use. @throws {LimitExceededError} It would go above a limit; nothing is counted. */
  take(usage: Usage): void {
    for (const limit of this.#limits) this.#assertRoom(limit, usage)
    for (const limit of this.#limits) {
      const used = this.#used(limit)
      this.#set(limit, used + usage[limit.of])
      if (used < limit.max && used + usage[limit.of] >= limit.max) this.#reached.push(limit)
    }
  }

  /** A use counted at `since` did not happen (in full): give back what it counted, where its window still runs. */
  giveBack(usage: Usage, since: Date): void {
    for (const limit of this.#limits) {
      const start = windowStart(limit.per, this.#now)
      if (since >= start) this.#set(limit, Math.max(0, this.#used(limit) - usage[limit.of]))
    }
  }

  /** Counts to be written. */
  get changed(): LimitCount[] {
    return [...this.#counts.values()].filter(({ limitName: name }) => this.#changed.has(name))
  }

  /** Limits that were filled up to their `max` just now. */
  get reached(): readonly Limit[] {
    return this.#reached
  }

  #used(limit: Limit): number {
    const count = this.#counts.get(limitName(limit))
    return count?.windowStart.getTime() === windowStart(limit.per, this.#now).getTime() ? count.used : 0
  }

  #set(limit: Limit, used: number): void {
    if (used === this.#used(limit)) return
    const name = limitName(limit)
    const { userId, creditType } = this.#key
    this.#counts.set(name, {
      userId,
      creditType,
      limitName: name,
      windowStart: windowStart(limit.per, this.#now),
      used,
    })
    this.#changed.add(name)
  }

  #assertRoom(limit: Limit, usage: Usage): void {
    const used = this.#used(limit)
    if (usage[limit.of] === 0 || used + usage[limit.of] <= limit.max) return
    const endsInMs = windowEnd(limit.per, this.#now).getTime() - this.#now.getTime()
    throw new LimitExceededError(this.#key.creditType, limit, used, Math.ceil(endsInMs / 1000))
  }
}
