import type { Caller } from 'creditkit/api'
import { type ProcedureName, ROUTES } from '../../src/api/routes.js'

/** What a REST door answered: its status, and its body as JSON. */
export interface RestAnswer {
  status: number
  body: unknown
  headers: Headers
}

/** Hosts have sessions; here a header says who it is, which nobody should copy. */
export function callerOf(request: Request): Caller | null {
  const caller = request.headers.get('caller')
  // Only what these tests send.
  return caller === null ? null : (JSON.parse(caller) as Caller)
}

const BASE = 'http://localhost/api/credits'

/** The request a client would make: fields into the path, the query string or the body, as the table of routes says. */
export function restRequest(
  name: ProcedureName,
  input: Record<string, unknown>,
  caller: Caller | null,
  headers: Record<string, string> = {},
): Request {
  const [method = '', path = ''] = ROUTES[name].split(' ')
  const rest = new Map(Object.entries(input))
  const filled = path.replace(/\{(\w+)\}/g, (_all, field: string) => {
    const value = rest.get(field)
    rest.delete(field)
    return encodeURIComponent(asText(value))
  })
  const url = new URL(`${BASE}${filled}`)
  if (method === 'GET') for (const [field, value] of rest) url.searchParams.set(field, asText(value))
  return new Request(url, {
    method,
    headers: {
      ...(caller === null ? {} : { caller: JSON.stringify(caller) }),
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(method === 'GET' ? {} : { body: JSON.stringify(Object.fromEntries(rest)) }),
  })
}

function asText(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export async function answerOf(response: Response): Promise<RestAnswer> {
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers }
}

/** `ok`, or the code of the refusal. */
export function codeOf({ status, body }: RestAnswer): string {
  if (status < 300) return 'ok'
  return typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : `status ${status}`
}
