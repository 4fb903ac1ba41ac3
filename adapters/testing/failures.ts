import { ApiError, type ErrorBody } from './api-error.js'

/** What goes wrong with the next matching call. One of `status`, `hang`, `reset`, `delayMs`; default status 500. */
export interface Failure {
  /** Only calls whose path starts so: `/v1/checkout/sessions`. Default any. */
  path?: string
  /** Only calls with this method. Default any. */
  method?: 'GET' | 'POST' | 'DELETE'
  /** HTTP status of the error answered. */
  status?: number
  /** Fields of the `error` object answered; default as Stripe words that status. */
  error?: Partial<ErrorBody>
  /** How many calls; default 1. */
  times?: number
  /** Carry the call out and lose the answer: what is created stays, a retry under its idempotency key replays the answer. */
  afterEffect?: boolean
  /** Keep the error under the call's idempotency key, as Stripe does with an error from halfway through. */
  saved?: boolean
  /** Never answer. */
  hang?: boolean
  /** Cut the connection. */
  reset?: boolean
  /** Answer late, in milliseconds; with none of the others the call succeeds. A twin under the same key gets 409 meanwhile. */
  delayMs?: number
}

/** The failures still to come. */
export class Failures {
  readonly #planned: { failure: Failure; left: number }[] = []

  plan(failure: Failure): void {
    this.#planned.push({ failure, left: failure.times ?? 1 })
  }

  clear(): void {
    this.#planned.length = 0
  }

  /** The first planned failure that matches, counted as used. */
  take(method: string, path: string): Failure | undefined {
    const plan = this.#planned.find(
      ({ failure, left }) =>
        left > 0 &&
        (failure.method === undefined || failure.method === method) &&
        (failure.path === undefined || path.startsWith(failure.path)),
    )
    if (plan === undefined) return undefined
    plan.left -= 1
    return plan.failure
  }
}

/** The error a failure answers; none for failures that only delay. */
export function errorOf(failure: Failure): ApiError | undefined {
  if (failure.hang === true || failure.reset === true) return undefined
  if (failure.status === undefined && failure.delayMs !== undefined) return undefined
  const status = failure.status ?? 500
  return new ApiError(status, { ...defaultError(status), ...failure.error }, failure.saved)
}

function defaultError(status: number): ErrorBody {
  if (status === 429)
    return { type: 'invalid_request_error', code: 'rate_limit', message: 'Too many requests. Please slow down.' }
  if (status === 402) return { type: 'card_error', code: 'card_declined', message: 'Your card was declined.' }
  if (status < 500) return { type: 'invalid_request_error', message: `Injected failure ${status}.` }
  return { type: 'api_error', message: 'An unknown error occurred.' }
}
