import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as exported from '../../src/errors.js'
import { root } from './pages.js'

const page = readFileSync(`${root}docs/errors.md`, 'utf8')

/** What there is, from the sources: one row for each code. */
const codes = Object.entries(exported.ERROR_CODES).map(([code, { httpStatus, trpcCode, retryable }]) => {
  const found = Object.entries(exported).find(
    ([, value]) => typeof value === 'function' && 'code' in value && value.code === code,
  )
  return { code, className: found?.[0] ?? 'none', make: found?.[1], httpStatus, trpcCode, retryable }
})

describe('the page on errors', () => {
  it('has a row for each code, as it is in the sources, and no other', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| [`'))
    expect(rows).toEqual(
      codes.map(
        ({ code, className, httpStatus, trpcCode, retryable }) =>
          `| [\`${code}\`](#${code.toLowerCase()}) | \`${className}\` | ${httpStatus} | ${trpcCode} | ${retryable ? 'yes' : 'no'} |`,
      ),
    )
  })

  it('says of each code when it happens and what to do', () => {
    const sections = new Map(
      page
        .split('\n### ')
        .slice(1)
        .map((section) => [section.slice(0, section.indexOf('\n')), section] as const),
    )
    expect([...sections.keys()].sort()).toEqual(codes.map(({ code }) => code).sort())
    for (const [code, section] of sections) expect(section, code).toMatch(/- \*\*When\.\*\* .+\n- \*\*Do\.\*\* .+/)
  })

  it('quotes messages as they are', () => {
    const fixed = codes.flatMap(({ make }) => {
      // Those whose message needs nothing from their caller.
      if (typeof make !== 'function' || make.length > 0) return []
      const error: unknown = Reflect.construct(make, [])
      return error instanceof Error ? [error.message] : []
    })
    expect(fixed.length).toBeGreaterThan(12)
    expect(fixed.filter((message) => !page.includes(`"${message}"`))).toEqual([])
    const told = [
      new exported.InsufficientCreditsError(100, 50),
      new exported.LimitExceededError('enrichment', { max: 100, per: 'minute', of: 'calls' }, 100, 12),
      new exported.IdempotencyConflictError('amount'),
      new exported.HoldNotOpenError('captured'),
    ]
    expect(told.filter(({ message }) => !page.includes(`"${message}"`))).toEqual([])
  })
})
