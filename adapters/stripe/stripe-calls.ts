import { UnavailableError } from '../../src/errors.js'
import { isMissing, isBusy, translateStripeError } from './stripe-errors.js'

/** Milliseconds to wait at most before each further attempt at a call that came at a busy time. */
const RATE_LIMIT_WAITS_MS = [300, 600, 1200]

/**
 * Make a Stripe call: 429 and 409 are tried again for about two seconds, failures come out in our words, and the answer
 * must be what was asked for. The SDK takes an error page without an `error` in it for success.
 *
 * @throws {UnavailableError} Stripe is away, busy, or something else answered in its place.
 */
export async function ask<T extends { object: string }>(expected: T['object'], call: () => Promise<T>): Promise<T> {
  try {
    return await askRaw(expected, call)
  } catch (error) {
    throw translateStripeError(error)
  }
}

/** The same for one object by its id; null when there is none in this mode and account. */
export async function find<T extends { object: string }>(
  expected: T['object'],
  call: () => Promise<T>,
): Promise<T | null> {
  try {
    return await askRaw(expected, call)
  } catch (error) {
    if (isMissing(error)) return null
    throw translateStripeError(error)
  }
}

/** All pages of a list, in Stripe's order (newest first). */
export async function askAll<T extends { id: string }>(
  page: (range: {
    limit: number
    starting_after?: string
  }) => Promise<{ object: 'list'; data: T[]; has_more: boolean }>,
): Promise<T[]> {
  const all: T[] = []
  for (;;) {
    const last = all.at(-1)?.id
    const range = last === undefined ? { limit: 100 } : { limit: 100, starting_after: last }
    const { data, has_more } = await ask('list', () => page(range))
    all.push(...data)
    if (!has_more || data.length === 0) return all
  }
}

/** Like `ask`, but fails with the SDK's own errors, for callers that tell them apart. */
export async function askRaw<T extends { object: string }>(expected: T['object'], call: () => Promise<T>): Promise<T> {
  for (const waitMs of [...RATE_LIMIT_WAITS_MS, null]) {
    try {
      return assertShape(expected, await call())
    } catch (error) {
      if (waitMs === null || !isBusy(error)) throw error
      // Half of it at random, so that callers who were refused together do not come back together.
      await sleep(waitMs * (0.5 + Math.random() / 2))
    }
  }
  throw new Error('askRaw: the last attempt neither answered nor failed')
}

function assertShape<T extends { object: string }>(expected: T['object'], answer: T): T {
  // The driver's edge: what the SDK's types promise is what is being checked.
  const { object, id, data } = answer as { object?: unknown; id?: unknown; data?: unknown }
  const complete = expected === 'list' ? Array.isArray(data) : typeof id === 'string' && id !== ''
  if (object === expected && complete) return answer
  throw new UnavailableError(
    `Stripe answered with something that is not a ${expected}: check the address it is called at`,
  )
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
