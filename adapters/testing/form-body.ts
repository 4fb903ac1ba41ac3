import { invalidRequest } from './api-error.js'

/** One parsed value: a text, or what stood in brackets below it. Objects have no prototype. */
export type FormValue = string | FormObject
export interface FormObject {
  [key: string]: FormValue
}

const MAX_DEPTH = 10
const MAX_PAIRS = 5_000

/**
 * Parse `a[b][0]=c&d[]=e`, the form syntax of Stripe's API, for bodies and query strings.
 *
 * Lists come out as objects with index keys; `[]` takes the next index. Safe against hostile keys: results have no
 * prototype, depth and number of pairs are bounded.
 *
 * @throws {ApiError} 400: the syntax is broken, too deep or too long.
 */
export function parseForm(text: string): FormObject {
  const root = emptyForm()
  let pairs = 0
  for (const [name, value] of new URLSearchParams(text)) {
    pairs += 1
    if (pairs > MAX_PAIRS) throw invalidRequest(`Too many parameters: more than ${MAX_PAIRS}`)
    put(root, keysOf(name), value, name)
  }
  return root
}

/** An object without a prototype, so that `__proto__` is a key like any other. */
export function emptyForm(): FormObject {
  return Object.create(null) as FormObject
}

function keysOf(name: string): string[] {
  const match = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(name)
  if (!match) throw invalidRequest(`Invalid parameter name: ${name}`, name)
  const inner = [...(match[2] ?? '').matchAll(/\[([^[\]]*)\]/g)].map((part) => part[1] ?? '')
  if (inner.length >= MAX_DEPTH) throw invalidRequest(`Parameter nested too deeply: ${name}`, name)
  return [match[1] ?? '', ...inner]
}

function put(root: FormObject, keys: string[], value: string, name: string): void {
  let at = root
  keys.forEach((given, index) => {
    const key = given === '' ? String(Object.keys(at).length) : given
    if (index === keys.length - 1) {
      if (typeof at[key] === 'object')
        throw invalidRequest(`Invalid parameter: ${name} is both a value and an object`, name)
      at[key] = value
      return
    }
    const next = (at[key] ??= emptyForm())
    if (typeof next === 'string') throw invalidRequest(`Invalid parameter: ${name} is both a value and an object`, name)
    at = next
  })
}
