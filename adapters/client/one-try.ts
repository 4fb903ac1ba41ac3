import type { Problem } from '../../src/api/problem.js'
import { CreditsClientError } from './client-error.js'

/** What came instead of a result; `waitMs`: after so long another try can help, null: none can. */
export class Failure {
  constructor(
    readonly error: CreditsClientError,
    readonly waitMs: number | null,
  ) {}
}

interface Try {
  send: typeof fetch
  url: string
  init: RequestInit
  timeoutMs: number
  signal: AbortSignal | undefined
  /** See `isRetryable` of the error. */
  mayCallAgain: boolean
}

/** Longer than this nobody waits for a server that asks to come back later. */
const LONGEST_WAIT_MS = 5_000

/** Timers count in 31 bits: a longer one would end at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Said by servers and proxies that may answer the same call later. */
const PASSING = [429, 502, 503, 504]

/** Send it once, and read the answer. Never rejects. */
export async function oneTry({ send, url, init, timeoutMs, signal, mayCallAgain }: Try): Promise<unknown> {
  // Not `AbortSignal.any`: it is younger than some browsers, and a long-lived signal would gather them.
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  const timer = setTimeout(() => stop.abort(), Math.min(timeoutMs, LONGEST_TIMER_MS))
  try {
    const response = await send(url, { ...init, signal: stop.signal })
    return result(response, await response.text(), mayCallAgain)
  } catch (cause) {
    if (signal?.aborted) return new Failure(aborted(cause), null)
    const [code, message] = stop.signal.aborted
      ? ['TIMEOUT', `No answer within ${timeoutMs} ms`]
      : ['NETWORK', 'The server could not be reached']
    return new Failure(new CreditsClientError(code, message, { cause, isRetryable: mayCallAgain }), 0)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Wait before the next try. @throws {CreditsClientError} ABORTED. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      if (signal?.aborted) reject(aborted(signal.reason))
      else resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
  })
}

function aborted(cause: unknown): CreditsClientError {
  return new CreditsClientError('ABORTED', 'The call was aborted', { cause })
}

function result(response: Response, text: string, mayCallAgain: boolean): unknown {
  const { status, headers, ok } = response
  const json = parsed(text)
  if (ok && json !== undefined) return json
  // What says 429 did nothing.
  const isRetryable = PASSING.includes(status) && (mayCallAgain || status === 429)
  const details = { status, requestId: headers.get('x-request-id'), isRetryable }
  const error = isProblem(json)
    ? new CreditsClientError(json.code, json.detail, { ...details, problem: json })
    : new CreditsClientError('BAD_RESPONSE', `Unexpected answer (HTTP ${status})`, details)
  return new Failure(error, waitAfter(response))
}

/** Undefined: it is no JSON. Nothing is lost: a proxy's page says no more than its status. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Ours have all of `Problem`; other servers' need to have what we tell. */
function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null || !('code' in value) || !('detail' in value)) return false
  return typeof value.code === 'string' && typeof value.detail === 'string'
}

/** Null: the same call would be answered the same. */
function waitAfter({ status, headers }: Response): number | null {
  const after = headers.get('retry-after')
  if (!PASSING.includes(status) || (status === 429 && after === null)) return null
  const text = after ?? '0'
  const ms = /^\d+$/.test(text) ? 1000 * Number(text) : Date.parse(text) - Date.now()
  return ms <= LONGEST_WAIT_MS ? ms : null
}
