import type Stripe from 'stripe'
import { noSuch } from './api-error.js'

/** What list calls take to walk through pages. */
interface PageParameters {
  limit?: number
  starting_after?: string
  ending_before?: string
}

/**
 * One page of a list in Stripe's way: newest first, 10 entries by default, walked by the id of an entry.
 *
 * @param objects All matching objects, newest first.
 * @throws {ApiError} 400: a cursor names no object of this list.
 */
export function page<T extends { id: string }>(
  objects: readonly T[],
  parameters: PageParameters,
  url: string,
): Stripe.ApiList<T> {
  const limit = parameters.limit ?? 10
  const indexOf = (id: string, param: string): number => {
    const index = objects.findIndex((object) => object.id === id)
    if (index < 0) throw noSuch('object', id, param, 400)
    return index
  }
  if (parameters.ending_before !== undefined) {
    const end = indexOf(parameters.ending_before, 'ending_before')
    const start = Math.max(0, end - limit)
    return { object: 'list', data: objects.slice(start, end), has_more: start > 0, url }
  }
  const start = parameters.starting_after === undefined ? 0 : indexOf(parameters.starting_after, 'starting_after') + 1
  const data = objects.slice(start, start + limit)
  return { object: 'list', data, has_more: start + limit < objects.length, url }
}

/** Whether a time in seconds fits the `created` parameter. */
export function isCreatedIn(created: number, range: Stripe.RangeQueryParam | number | undefined): boolean {
  if (range === undefined) return true
  if (typeof range === 'number') return created === range
  return (
    (range.gt === undefined || created > range.gt) &&
    (range.gte === undefined || created >= range.gte) &&
    (range.lt === undefined || created < range.lt) &&
    (range.lte === undefined || created <= range.lte)
  )
}
