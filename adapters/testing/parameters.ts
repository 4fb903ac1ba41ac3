import type { ApiError } from './api-error.js'
import { invalidRequest, notImplemented } from './api-error.js'
import { isCurrency } from './currencies.js'
import { emptyForm, type FormObject, type FormValue } from './form-body.js'

/** How one parameter is read from the form and checked. */
export interface Rule {
  readonly required?: boolean
  /** @throws {ApiError} The value is not acceptable. `name` is the parameter as the caller wrote it: `a[b][0]`. */
  read(value: FormValue, name: string): unknown
}

/** One rule for every parameter that the SDK's types know: `tsc` fails when the list and the types part. */
export type Rules<P> = { readonly [K in keyof P]-?: Rule }

/**
 * Check a form against the rules and turn its texts into what the SDK's types say.
 *
 * @throws {ApiError} 400 for an unknown, missing or malformed parameter.
 */
export function readParameters<P>(form: FormObject, rules: Rules<P>): P {
  // The rules cover exactly the keys of P; each rule gives the value its type asks for.
  return readObject(form, rules, '') as P
}

function readObject(form: FormObject, rules: Record<string, Rule>, prefix: string): Record<string, unknown> {
  const nameOf = (key: string): string => (prefix === '' ? key : `${prefix}[${key}]`)
  const unknown = Object.keys(form).filter((key) => !Object.hasOwn(rules, key))
  if (unknown[0] !== undefined) {
    const names = unknown.map(nameOf)
    const message = `Received unknown parameter${names.length > 1 ? 's' : ''}: ${names.join(', ')}`
    throw invalidRequest(message, nameOf(unknown[0]), 'parameter_unknown')
  }
  const result: Record<string, unknown> = {}
  for (const [key, rule] of Object.entries(rules)) {
    const value = form[key]
    if (value !== undefined) result[key] = rule.read(value, nameOf(key))
    else if (rule.required === true) throw missing(nameOf(key))
  }
  return result
}

/** 400 as Stripe words it for a required parameter that is not there. */
export function missing(name: string): ApiError {
  return invalidRequest(`Missing required param: ${name}.`, name, 'parameter_missing')
}

export function required(rule: Rule): Rule {
  return { ...rule, required: true }
}

/** An empty text unsets the value: read as `null`. */
export function emptyable(rule: Rule): Rule {
  return { read: (value, name) => (value === '' ? null : rule.read(value, name)) }
}

export function text(maxLength = 5_000): Rule {
  return {
    read: (value, name) => {
      const given = plain(value, name, 'string')
      if (given.length <= maxLength) return given
      const message = `Invalid string: ${given.slice(0, 20)}...; must be at most ${maxLength} characters`
      throw invalidRequest(message, name, 'parameter_invalid_string')
    },
  }
}

export function integer(min = -99_999_999_999, max = 99_999_999_999): Rule {
  return {
    read: (value, name) => {
      const given = plain(value, name, 'integer')
      if (!/^-?\d{1,15}$/.test(given)) {
        throw invalidRequest(`Invalid integer: ${given}`, name, 'parameter_invalid_integer')
      }
      const number = Number(given)
      if (number < min) {
        const kind = min === 1 ? 'Invalid positive integer' : `This value must be greater than or equal to ${min}.`
        throw invalidRequest(kind, name, 'parameter_invalid_integer')
      }
      if (number > max) {
        throw invalidRequest(`This value must be less than or equal to ${max}.`, name, 'parameter_invalid_integer')
      }
      return number
    },
  }
}

/** An amount of money in minor units: an integer of at most 8 digits. */
export const amount: Rule = {
  read: (value, name) => {
    const number = integer(0).read(value, name) as number
    if (number <= 99_999_999) return number
    throw invalidRequest('Amount must be no more than 999,999.99', name, 'amount_too_large')
  },
}

export function decimal(min: number, max: number): Rule {
  return {
    read: (value, name) => {
      const given = plain(value, name, 'decimal')
      const number = Number(given)
      if (!/^\d+(\.\d+)?$/.test(given) || number < min || number > max) {
        throw invalidRequest(`Invalid decimal: ${given}; must be between ${min} and ${max}`, name)
      }
      return number
    },
  }
}

export const boolean: Rule = {
  read: (value, name) => {
    const given = plain(value, name, 'boolean')
    if (given === 'true') return true
    if (given === 'false') return false
    throw invalidRequest(`Invalid boolean: ${given}`, name)
  },
}

export const currency: Rule = {
  read: (value, name) => {
    const code = plain(value, name, 'currency').toLowerCase()
    if (isCurrency(code)) return code
    throw invalidRequest(`Invalid currency: ${code}. Stripe does not support this currency.`, name)
  },
}

/** An absolute address. `{CHECKOUT_SESSION_ID}` may stand anywhere in it. */
export const url: Rule = {
  read: (value, name) => {
    const given = plain(value, name, 'url')
    const parsed = URL.canParse(given) ? new URL(given) : undefined
    if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return given
    throw invalidRequest('Not a valid URL', name, 'url_invalid')
  },
}

export function oneOf(...values: readonly string[]): Rule {
  return {
    read: (value, name) => {
      const given = plain(value, name, 'string')
      if (values.includes(given)) return given
      const last = values.length > 1 ? `${values.slice(0, -1).join(', ')}, or ${values.at(-1) ?? ''}` : values.join('')
      throw invalidRequest(`Invalid ${name}: must be one of ${last}`, name)
    },
  }
}

/** One of `built`; values Stripe has and this server does not are answered with 501. */
export function builtOneOf(built: readonly string[], notBuilt: readonly string[]): Rule {
  const all = oneOf(...built, ...notBuilt)
  return {
    read: (value, name) => {
      const given = all.read(value, name)
      if (typeof given === 'string' && notBuilt.includes(given)) throw notImplemented(`${name}=${given}`)
      return given
    },
  }
}

export function objectOf<P>(rules: Rules<P>): Rule {
  return {
    read: (value, name) => {
      if (typeof value === 'string') throw invalidRequest('Invalid object', name)
      return readObject(value, rules, name)
    },
  }
}

export function listOf(rule: Rule, max = 100): Rule {
  return {
    read: (value, name) => {
      if (typeof value === 'string' || Object.keys(value).some((key) => !/^\d{1,6}$/.test(key))) {
        throw invalidRequest('Invalid array', name)
      }
      const entries = Object.entries(value).sort(([a], [b]) => Number(a) - Number(b))
      if (entries.length > max) {
        throw invalidRequest(`Array ${name} exceeded maximum ${max} allowed elements.`, name, 'parameter_invalid_array')
      }
      return entries.map(([index, entry]) => rule.read(entry, `${name}[${index}]`))
    },
  }
}

/** Up to 50 keys of up to 40 characters, values of up to 500. An empty value deletes its key on update. */
export const metadata: Rule = {
  read: (value, name) => {
    if (value === '') return {}
    if (typeof value === 'string') throw invalidRequest('Invalid object', name)
    const entries = Object.entries(value)
    if (entries.length > 50) {
      throw invalidRequest(`You can have at most 50 metadata keys, but you passed in ${entries.length}.`, name)
    }
    const result = emptyForm()
    for (const [key, entry] of entries) {
      const path = `${name}[${key}]`
      if (typeof entry !== 'string') throw invalidRequest('Metadata values must be strings', path)
      limitLength('keys', key, 40, path)
      limitLength('values', entry, 500, path)
      result[key] = entry
    }
    return result
  },
}

/** `created`: an exact second, or a range of them. */
export const createdRange: Rule = {
  read: (value, name) => {
    if (typeof value === 'string') return integer(0).read(value, name)
    const bounds = { gt: integer(0), gte: integer(0), lt: integer(0), lte: integer(0) }
    return readObject(value, bounds, name)
  },
}

/** A word such as `now`, or what the rule reads. */
export function wordOr(word: string, rule: Rule): Rule {
  return { read: (value, name) => (value === word ? word : rule.read(value, name)) }
}

/** The same rule for many parameters. */
export function each<K extends string>(rule: Rule, ...names: readonly K[]): Record<K, Rule> {
  // `names` are all the keys there are.
  return Object.fromEntries(names.map((name) => [name, rule])) as Record<K, Rule>
}

/** Known to Stripe and without effect here: taken as it comes. */
export const ignored: Rule = { read: (value) => value }

/** Known to Stripe, would change what happens, and is not built here: answered with 501 rather than half-done. */
export const unsupported: Rule = {
  read: (_value, name) => {
    throw notImplemented(`the parameter ${name}`)
  },
}

export const expand: Rule = listOf(text(200), 20)

/** `limit`, `starting_after`, `ending_before` and `expand`, which every list call takes. */
export const listRules = { limit: integer(1, 100), starting_after: text(), ending_before: text(), expand }

function plain(value: FormValue, name: string, kind: string): string {
  if (typeof value !== 'string') throw invalidRequest(`Invalid ${kind}: must not be an object or array`, name)
  if (value !== '') return value
  const message =
    `You passed an empty string for '${name}'. We assume empty values are an attempt to unset a field; however ` +
    `'${name}' cannot be unset. You should remove '${name}' from your request or supply a non-empty value.`
  throw invalidRequest(message, name, 'parameter_invalid_empty')
}

function limitLength(what: 'keys' | 'values', given: string, max: number, name: string): void {
  if (given.length <= max) return
  const message = `Metadata ${what} can have up to ${max} characters, but you passed in one that is ${given.length} characters.`
  throw invalidRequest(message, name)
}
