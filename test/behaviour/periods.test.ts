import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMIT_PERIODS, limitName, windowEnd, windowStart } from '../../src/ledger/limit.js'
import { periodIndex, periodStart, type Rhythm, RHYTHMS } from '../../src/ledger/period.js'

/* Arithmetic of recurring periods and of limits' windows, all in UTC. */

const DAY_MS = 86_400_000

const moment = fc
  .date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('2399-12-31T23:59:59.999Z'), noInvalidDate: true })
  .filter((date) => Number.isInteger(date.getTime()))
const rhythm = fc.constantFrom(...RHYTHMS)
const index = fc.integer({ min: -400, max: 400 })

function starts(anchor: string, every: Rhythm, indexes: readonly number[]): string[] {
  return indexes.map((each) => periodStart(new Date(anchor), every, each).toISOString())
}

describe('a period of a plan', () => {
  it('anchored on 31 January begins on the last day of shorter months, and on the 31st again afterwards', () => {
    expect(starts('2026-01-31T10:30:00.500Z', 'month', [0, 1, 2, 3, 4, 11, 12, 13])).toEqual([
      '2026-01-31T10:30:00.500Z',
      '2026-02-28T10:30:00.500Z',
      '2026-03-31T10:30:00.500Z',
      '2026-04-30T10:30:00.500Z',
      '2026-05-31T10:30:00.500Z',
      '2026-12-31T10:30:00.500Z',
      '2027-01-31T10:30:00.500Z',
      '2027-02-28T10:30:00.500Z',
    ])
  })

  it('anchored on the 30th or 31st begins on 29 February in a leap year', () => {
    expect(starts('2028-01-30T00:00:00.000Z', 'month', [1, 2])).toEqual([
      '2028-02-29T00:00:00.000Z',
      '2028-03-30T00:00:00.000Z',
    ])
    expect(starts('2027-10-31T00:00:00.000Z', 'month', [4])).toEqual(['2028-02-29T00:00:00.000Z'])
  })

  it('of a year anchored on 29 February begins on 28 February until the next leap year', () => {
    expect(starts('2024-02-29T12:00:00.000Z', 'year', [0, 1, 2, 3, 4, 76])).toEqual([
      '2024-02-29T12:00:00.000Z',
      '2025-02-28T12:00:00.000Z',
      '2026-02-28T12:00:00.000Z',
      '2027-02-28T12:00:00.000Z',
      '2028-02-29T12:00:00.000Z',
      '2100-02-28T12:00:00.000Z',
    ])
  })

  it('lasts exactly 24 hours, or 7 times as long, also where clocks are put forward', () => {
    expect(starts('2026-03-28T01:30:00.000Z', 'day', [1, 2])).toEqual([
      '2026-03-29T01:30:00.000Z',
      '2026-03-30T01:30:00.000Z',
    ])
    expect(starts('2026-03-28T01:30:00.000Z', 'week', [-1, 1])).toEqual([
      '2026-03-21T01:30:00.000Z',
      '2026-04-04T01:30:00.000Z',
    ])
  })

  it('begins with its first millisecond and ends before the first of the next', () => {
    const anchor = new Date('2026-01-31T10:00:00.000Z')
    const at = (text: string) => periodIndex(anchor, 'month', new Date(text))
    expect(at('2026-01-31T09:59:59.999Z')).toBe(-1)
    expect(at('2026-01-31T10:00:00.000Z')).toBe(0)
    expect(at('2026-02-28T09:59:59.999Z')).toBe(0)
    expect(at('2026-02-28T10:00:00.000Z')).toBe(1)
    expect(at('2026-03-30T23:00:00.000Z')).toBe(1)
    expect(at('2026-03-31T10:00:00.000Z')).toBe(2)
  })

  it('is the one period that any moment falls into', () => {
    fc.assert(
      fc.property(moment, rhythm, moment, (anchor, every, at) => {
        const found = periodIndex(anchor, every, at)
        expect(periodStart(anchor, every, found).getTime()).toBeLessThanOrEqual(at.getTime())
        expect(periodStart(anchor, every, found + 1).getTime()).toBeGreaterThan(at.getTime())
      }),
      { numRuns: 500 },
    )
  })

  it('has the number under which its beginning was computed', () => {
    fc.assert(
      fc.property(moment, rhythm, index, (anchor, every, each) => {
        expect(periodIndex(anchor, every, periodStart(anchor, every, each))).toBe(each)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps the time of day of its anchor, and its day as far as the month has it', () => {
    fc.assert(
      fc.property(moment, fc.constantFrom('month' as const, 'year' as const), index, (anchor, every, each) => {
        const start = periodStart(anchor, every, each)
        const timeOfDay = (date: Date) => date.toISOString().slice(-13)
        expect(timeOfDay(start)).toBe(timeOfDay(anchor))
        const isLastOfMonth = new Date(start.getTime() + DAY_MS).getUTCMonth() !== start.getUTCMonth()
        const day = start.getUTCDate()
        expect(day === anchor.getUTCDate() || (isLastOfMonth && day < anchor.getUTCDate())).toBe(true)
        const months = (date: Date) => 12 * date.getUTCFullYear() + date.getUTCMonth()
        expect(months(start) - months(anchor)).toBe(every === 'month' ? each : 12 * each)
      }),
      { numRuns: 500 },
    )
  })
})

describe("a window of a limit's", () => {
  it('begins at the full second, minute, hour and day, on Monday, and on the first of the month', () => {
    const at = new Date('2026-03-11T15:42:37.123Z')
    expect(
      LIMIT_PERIODS.map((per) => [per, windowStart(per, at).toISOString(), windowEnd(per, at).toISOString()]),
    ).toEqual([
      ['second', '2026-03-11T15:42:37.000Z', '2026-03-11T15:42:38.000Z'],
      ['minute', '2026-03-11T15:42:00.000Z', '2026-03-11T15:43:00.000Z'],
      ['hour', '2026-03-11T15:00:00.000Z', '2026-03-11T16:00:00.000Z'],
      ['day', '2026-03-11T00:00:00.000Z', '2026-03-12T00:00:00.000Z'],
      ['week', '2026-03-09T00:00:00.000Z', '2026-03-16T00:00:00.000Z'],
      ['month', '2026-03-01T00:00:00.000Z', '2026-04-01T00:00:00.000Z'],
    ])
  })

  it('of a week ends with Sunday, and of December with the year', () => {
    const [sunday, monday] = [new Date('2026-03-15T23:59:59.999Z'), new Date('2026-03-16T00:00:00.000Z')]
    expect(windowStart('week', sunday).toISOString()).toBe('2026-03-09T00:00:00.000Z')
    expect(windowStart('week', monday).toISOString()).toBe('2026-03-16T00:00:00.000Z')
    expect(windowEnd('month', new Date('2026-12-31T23:59:59.999Z')).toISOString()).toBe('2027-01-01T00:00:00.000Z')
  })

  it('holds every moment in it, and is followed by the next without a gap', () => {
    fc.assert(
      fc.property(moment, fc.constantFrom(...LIMIT_PERIODS), (at, per) => {
        const [start, end] = [windowStart(per, at), windowEnd(per, at)]
        expect(start.getTime()).toBeLessThanOrEqual(at.getTime())
        expect(end.getTime()).toBeGreaterThan(at.getTime())
        expect(windowStart(per, start)).toEqual(start)
        expect(windowStart(per, new Date(end.getTime() - 1))).toEqual(start)
        expect(windowStart(per, end)).toEqual(end)
      }),
      { numRuns: 500 },
    )
  })

  it('is counted under a name that does not change with how much is allowed', () => {
    expect(limitName({ max: 5, per: 'day', of: 'calls' })).toBe(limitName({ max: 500, per: 'day', of: 'calls' }))
    expect(limitName({ max: 5, per: 'day', of: 'calls' })).not.toBe(limitName({ max: 5, per: 'day', of: 'credits' }))
  })
})
