import type { JsonObject, JsonValue } from './ledger/transaction.js'

/** Largest metadata, in bytes of JSON text as UTF-8. */
const MAX_BYTES = 16_384
const MAX_DEPTH = 20

/** Can Postgres store it, and does it come back as it went in? No NUL, no half of a surrogate pair. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/**
 * A copy of `value` as plain JSON: nothing but objects, arrays, storable strings, finite numbers, booleans and null.
 * Properties that are `undefined` are left out, as JSON does. Returns what is wrong instead, in words, if anything is.
 */
export function toPlainJson(value: unknown): { json: JsonObject } | { problem: string } {
  if (!isPlainObject(value)) return { problem: 'must be a plain object' }
  const problem = findProblem(value, 1, new Set())
  if (problem !== null) return { problem }
  const text = JSON.stringify(value)
  if (new TextEncoder().encode(text).length > MAX_BYTES)
    return { problem: `must be at most ${MAX_BYTES} bytes of JSON` }
  // Parsed again so that later changes of the caller's object can't reach us, and `__proto__` is a key like any other.
  return { json: JSON.parse(text) as JsonObject }
}

function findProblem(value: unknown, depth: number, parents: Set<object>): string | null {
  if (value === null || value === undefined || typeof value === 'boolean') return null
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'must not hold NaN or Infinity'
  if (typeof value === 'string') return isStorableText(value) ? null : 'must not hold NUL or malformed Unicode'
  if (typeof value !== 'object') return `must not hold a ${typeof value}`
  if (depth > MAX_DEPTH) return `must be at most ${MAX_DEPTH} levels deep`
  if (parents.has(value)) return 'must not be circular'
  if (Array.isArray(value) ? 'toJSON' in value : !isPlainObject(value)) return 'must hold only plain objects and arrays'
  parents.add(value)
  for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
    if (Array.isArray(value) && key === 'length') continue
    if (!isStorableText(key)) return 'must not hold NUL or malformed Unicode'
    if (!('value' in property)) return 'must not hold getters'
    const problem =
      Array.isArray(value) && property.value === undefined
        ? 'must not hold undefined in arrays'
        : findProblem(property.value, depth + 1, parents)
    if (problem !== null) return problem
  }
  parents.delete(value)
  return null
}

function isPlainObject(value: unknown): value is Record<string, JsonValue> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    (prototype === null || Object.getPrototypeOf(prototype) === null) && !('toJSON' in value) && !Array.isArray(value)
  )
}
