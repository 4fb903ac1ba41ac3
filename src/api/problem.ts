import {
  type CreditError,
  ERROR_CODES,
  HoldNotOpenError,
  IdempotencyConflictError,
  InsufficientCreditsError,
  InvalidInputError,
  LimitExceededError,
} from '../errors.js'

/** A refusal as RFC 9457 describes it, with our stable `code` and what the error carries. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  /** One of our error codes, or of the door's own: `NOT_FOUND`, `METHOD_NOT_ALLOWED`, `INTERNAL` and the like. */
  code: string
  [member: string]: unknown
}

/** Until a call may be tried again, in seconds, where nothing says it exactly. */
const RETRY_AFTER_SECONDS = 1

/** The error as callers may see it: its code, its message, and its figures. */
export function toProblem(error: CreditError): Problem {
  const { httpStatus } = ERROR_CODES[error.code]
  return { ...problem(httpStatus, error.code, error.message), ...payloadOf(error) }
}

/** A problem by its parts. */
export function problem(status: number, code: string, detail: string): Problem {
  return { type: `urn:creditkit:problem:${code}`, title: titleOf(code), status, detail, code }
}

/** `INSUFFICIENT_CREDITS` → `Insufficient credits`. */
function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll('_', ' ')
  return words.slice(0, 1).toUpperCase() + words.slice(1)
}

/**
 * The refusal as a response: `application/problem+json`, not to be cached, with `retry-after` where trying again can help.
 * `extra` stands beside what the error carries.
 */
export function problemResponse(error: CreditError, extra: Record<string, unknown> = {}): Response {
  const headers = new Headers()
  const seconds = retryAfterSeconds(error)
  if (seconds !== null) headers.set('retry-after', String(seconds))
  return toResponse({ ...toProblem(error), ...extra }, headers)
}

export function toResponse(body: Problem, headers: Headers = new Headers()): Response {
  headers.set('content-type', 'application/problem+json')
  headers.set('cache-control', 'no-store')
  return new Response(JSON.stringify(body), { status: body.status, headers })
}

function retryAfterSeconds(error: CreditError): number | null {
  if (error instanceof LimitExceededError) return error.retryAfterSeconds
  return ERROR_CODES[error.code].httpStatus === 503 ? RETRY_AFTER_SECONDS : null
}

/** What the errors carry beside their message. */
function payloadOf(error: CreditError): Record<string, unknown> {
  if (error instanceof InsufficientCreditsError) {
    const { required, available, shortfall } = error
    return { required, available, shortfall }
  }
  if (error instanceof LimitExceededError) {
    const { creditType, limit, used, retryAfterSeconds: seconds } = error
    return { creditType, limit, used, retryAfterSeconds: seconds }
  }
  if (error instanceof InvalidInputError) return { issues: error.issues }
  if (error instanceof IdempotencyConflictError) return { field: error.field }
  if (error instanceof HoldNotOpenError) return { holdStatus: error.status }
  return {}
}

/** What a client may be told of an error that is not ours: nothing. */
export const INTERNAL_PROBLEM = problem(500, 'INTERNAL', 'Something went wrong')
