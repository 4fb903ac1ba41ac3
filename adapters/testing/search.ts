import type Stripe from 'stripe'
import { invalidRequest } from './api-error.js'

interface SearchParameters {
  query: string
  limit?: number
  page?: string
}

interface Clause {
  isNegated: boolean
  field: string
  /** The key in `metadata['key']`. */
  key: string | undefined
  operator: string
  value: string
}

const CLAUSE =
  /^\s*(-?)(\w+)(?:\[(["'])(.+?)\3\])?\s*(:|~|[<>]=?)\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([\w.]+))\s*/
const FIELDS = ['amount', 'created', 'currency', 'customer', 'metadata', 'status']

/**
 * One page of a search in Stripe's query language: `status:'succeeded' AND metadata['key']:'value'`.
 *
 * Stripe finds new objects up to a minute late; this server finds them at once.
 *
 * @throws {ApiError} 400: the query cannot be read.
 */
export function searchPage<T extends { id: string }>(
  objects: readonly T[],
  { query, limit = 10, page }: SearchParameters,
  url: string,
): Stripe.ApiSearchResult<T> {
  const { clauses, isAny } = parse(query)
  const fits = (object: T): boolean => {
    const results = clauses.map((clause) => matches(object, clause))
    return isAny ? results.includes(true) : !results.includes(false)
  }
  const found = objects.filter(fits)
  const start = page === undefined ? 0 : Number(page)
  const end = start + limit
  const hasMore = end < found.length
  return {
    object: 'search_result',
    data: found.slice(start, end),
    has_more: hasMore,
    next_page: hasMore ? String(end) : null,
    url,
  }
}

function parse(query: string): { clauses: Clause[]; isAny: boolean } {
  const clauses: Clause[] = []
  const joints = new Set<string>()
  let rest = query
  for (;;) {
    const match = CLAUSE.exec(rest)
    const [whole = '', minus, field = '', , key, operator = '', double, single, bare] = match ?? []
    if (match === null || !FIELDS.includes(field) || (field === 'metadata') !== (key !== undefined)) {
      throw invalidRequest(`We were unable to parse your search query: ${query}`, 'query')
    }
    const value = (double ?? single ?? bare ?? '').replace(/\\(.)/g, '$1')
    clauses.push({ isNegated: minus === '-', field, key, operator, value })
    rest = rest.slice(whole.length)
    if (rest === '') break
    const joint = /^(AND|OR)\s+/i.exec(rest)
    if (joint !== null) rest = rest.slice(joint[0].length)
    joints.add(joint?.[1]?.toUpperCase() ?? 'AND')
  }
  if (joints.size > 1) throw invalidRequest('You cannot combine AND and OR in the same query.', 'query')
  return { clauses, isAny: joints.has('OR') }
}

function matches(object: object, { isNegated, field, key, operator, value }: Clause): boolean {
  const fields = new Map<string, unknown>(Object.entries(object))
  const holder = fields.get(field)
  const current =
    key === undefined || typeof holder !== 'object' || holder === null
      ? holder
      : new Map<string, unknown>(Object.entries(holder)).get(key)
  return compare(current, operator, value) !== isNegated
}

function compare(current: unknown, operator: string, value: string): boolean {
  if (typeof current !== 'string' && typeof current !== 'number') return false
  if (operator === ':') return String(current) === value
  if (operator === '~') return String(current).toLowerCase().includes(value.toLowerCase())
  const [left, right] = [Number(current), Number(value)]
  if (operator === '>') return left > right
  if (operator === '>=') return left >= right
  return operator === '<' ? left < right : left <= right
}
