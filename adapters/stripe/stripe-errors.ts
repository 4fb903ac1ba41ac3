import {
  IdempotencyConflictError,
  InvalidInputError,
  PaymentsNotConfiguredError,
  UnavailableError,
  type CreditError,
} from '../../src/errors.js'

/** What we read of an error of the SDK; by shape, since the host's client may come from another copy of it. */
interface StripeFailure {
  type: string
  message: string
  statusCode: number | null
  code: string | null
  param: string | null
  requestId: string | null
}

/** The failure of a Stripe call, or null when the error did not come from the SDK. */
export function stripeFailure(error: unknown): StripeFailure | null {
  if (!(error instanceof Error) || !('type' in error)) return null
  const { type, message } = error
  if (typeof type !== 'string' || !type.startsWith('Stripe')) return null
  // The driver's edge: every field is optional, and its type is checked.
  const fields = error as { statusCode?: unknown; code?: unknown; param?: unknown; requestId?: unknown }
  const text = (value: unknown) => (typeof value === 'string' ? value : null)
  return {
    type,
    message: redact(message),
    statusCode: typeof fields.statusCode === 'number' ? fields.statusCode : null,
    code: text(fields.code),
    param: text(fields.param),
    requestId: text(fields.requestId),
  }
}

/** The object that was named does not exist, at least not in this mode and account. */
export function isMissing(error: unknown, param?: string): boolean {
  const failure = stripeFailure(error)
  return failure?.code === 'resource_missing' && (param === undefined || failure.param === param)
}

/** The answer did not come, or Stripe broke while it worked: what was asked for may have happened. */
export function mayHaveHappened(error: unknown): boolean {
  const failure = stripeFailure(error)
  if (failure === null || failure.type === 'StripeRateLimitError') return false
  return failure.statusCode === null || failure.statusCode === 409 || failure.statusCode >= 500
}

/** Worth waiting for: calls are limited, which the SDK does not try again, or a twin under the same key is running. */
export function isBusy(error: unknown): boolean {
  const failure = stripeFailure(error)
  return failure?.type === 'StripeRateLimitError' || failure?.statusCode === 409
}

/**
 * A failed Stripe call in our words; anything else comes back unchanged. The cause is a summary: the SDK's own error
 * carries headers, bodies and client secrets, which loggers would print.
 *
 * Network trouble, 409 (a twin is running), 429 and 5xx are worth another try with the same idempotency key.
 */
export function translateStripeError(error: unknown): unknown {
  const failure = stripeFailure(error)
  return failure ? toCreditError(failure) : error
}

function toCreditError(failure: StripeFailure): CreditError {
  const { type, statusCode, code, param, requestId } = failure
  const cause = summary(failure)
  if (type === 'StripeAuthenticationError' || type === 'StripePermissionError') {
    const reason = type === 'StripePermissionError' ? 'may not do this' : 'is not valid'
    return new PaymentsNotConfiguredError(`Stripe says that the API key ${reason}: check STRIPE_SECRET_KEY`)
  }
  // The key is our purchase's id: a twin of that purchase asked for something else. With 409, it is still being asked.
  if (type === 'StripeIdempotencyError' && statusCode !== 409) return new IdempotencyConflictError('checkout')
  if (type === 'StripeRateLimitError')
    return new UnavailableError('Stripe is limiting the rate of our calls', { cause })
  if (type === 'StripeConnectionError') return new UnavailableError('Stripe could not be reached', { cause })
  if (statusCode === null || statusCode === 409 || statusCode >= 500) {
    return new UnavailableError('Stripe could not answer', { cause })
  }
  const what = [code, requestId].filter((part) => part !== null).join(', ')
  return new InvalidInputError([
    { path: param ?? '', message: `Stripe refused it${what ? ` (${what})` : ''}: ${failure.message}` },
  ])
}

function summary({ type, message, statusCode, code, requestId }: StripeFailure): Error {
  const cause = new Error(message)
  cause.name = type
  return Object.assign(cause, { statusCode, code, requestId })
}

/** API keys, signing secrets and client secrets out of a text. Stripe masks keys itself, in most places. */
function redact(text: string): string {
  return text.replace(/\b(?:sk|rk|pk|whsec)_[\w*]+/g, '[redacted]').replace(/\b\w+_secret_\w+/g, '[redacted]')
}
