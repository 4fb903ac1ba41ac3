import { type ProcedureName, ROUTES } from '../../src/api/routes.js'
import { CreditsClientError } from './client-error.js'

export type Fields = Record<string, unknown>
export type HeaderFields = Record<string, string>

/** One call as it goes out, the same for each try. */
export interface Outgoing {
  /** Below the door's address. */
  url: string
  init: RequestInit
  /** A further try has no second effect. */
  mayRepeat: boolean
  /** Neither has another call of the same input. */
  mayCallAgain: boolean
}

/**
 * Fields in the path, the query string or the body; of two headers of one name the last counts.
 *
 * @throws {CreditsClientError} INVALID_INPUT: a value that would arrive as another one.
 */
export function outgoing(name: ProcedureName, input: Fields, given: (HeaderFields | undefined)[]): Outgoing {
  const [method = '', path = '', keyed] = ROUTES[name].split(' ')
  const fields = { ...input }
  for (const [field, value] of Object.entries(fields)) refuseLost(field, value)
  let url = path.replace(/\{(\w+)\}/g, (_, field: string) => pathField(fields, field))
  const headers = new Headers({ accept: 'application/json' })
  for (const own of given) for (const [field, value] of Object.entries(own ?? {})) headers.set(field, value)
  const init: RequestInit = { method, headers }

  if (method === 'GET') {
    const query = new URLSearchParams()
    for (const [field, value] of Object.entries(fields)) if (value != null) query.set(field, asText(value))
    // Not by `query.size`, which is younger than some browsers.
    const text = query.toString()
    if (text) url += `?${text}`
    return { url, init, mayRepeat: true, mayCallAgain: true }
  }
  headers.set('content-type', 'application/json')
  const ownKey = fields.idempotencyKey ?? headers.get('idempotency-key')
  if (keyed) {
    const key = asText(ownKey ?? freshKey())
    fields.idempotencyKey = key
    // The body holds any text. A header is trimmed, and can't hold all of it.
    if (/^[!-~]+$/.test(key)) headers.set('idempotency-key', key)
    else headers.delete('idempotency-key')
  }
  init.body = JSON.stringify(fields)
  return { url, init, mayRepeat: Boolean(keyed), mayCallAgain: Boolean(keyed) && ownKey != null }
}

/** JSON knows no such number or date and would say null, and credits that were to expire never would. */
function refuseLost(field: string, value: unknown): void {
  if ((typeof value === 'number' || value instanceof Date) && !Number.isFinite(Number(value)))
    throw new CreditsClientError(
      'INVALID_INPUT',
      `${field} must be a valid ${typeof value === 'number' ? 'number' : 'date'}`,
    )
}

/** Takes a field out of the input and into the path. */
function pathField(fields: Fields, name: string): string {
  const text = asText(fields[name])
  // A path's dots would be resolved away, to another address; half a character can't be encoded.
  if (/^\.{0,2}$|\p{Surrogate}/u.test(text))
    throw new CreditsClientError('INVALID_INPUT', `${name} must name something, not ${JSON.stringify(text)}`)
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a copy of ours
  delete fields[name]
  return encodeURIComponent(text)
}

function asText(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  if (value == null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Browsers have `randomUUID` only on pages with TLS. */
function freshKey(): string {
  if ('randomUUID' in crypto) return crypto.randomUUID()
  // TypeScript's browsers all have it.
  const bytes = (crypto as Crypto).getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
