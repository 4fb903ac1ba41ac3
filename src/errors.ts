/**
 * Every stable error code: which HTTP status and tRPC code it maps to, and whether trying the same call again can
 * help. The only table of its kind; doors and mounts read it.
 */
export const ERROR_CODES = {
  INSUFFICIENT_CREDITS: { httpStatus: 402, trpcCode: 'PAYMENT_REQUIRED', retryable: false },
  INVALID_AMOUNT: { httpStatus: 400, trpcCode: 'BAD_REQUEST', retryable: false },
  INVALID_INPUT: { httpStatus: 400, trpcCode: 'BAD_REQUEST', retryable: false },
  ALREADY_REFUNDED: { httpStatus: 409, trpcCode: 'CONFLICT', retryable: false },
  NOT_REFUNDABLE: { httpStatus: 409, trpcCode: 'CONFLICT', retryable: false },
  TRANSACTION_NOT_FOUND: { httpStatus: 404, trpcCode: 'NOT_FOUND', retryable: false },
  PACKAGE_NOT_FOUND: { httpStatus: 404, trpcCode: 'NOT_FOUND', retryable: false },
  PURCHASE_NOT_FOUND: { httpStatus: 404, trpcCode: 'NOT_FOUND', retryable: false },
  PACKAGE_INACTIVE: { httpStatus: 409, trpcCode: 'CONFLICT', retryable: false },
  HOLD_NOT_FOUND: { httpStatus: 404, trpcCode: 'NOT_FOUND', retryable: false },
  GRANT_NOT_FOUND: { httpStatus: 404, trpcCode: 'NOT_FOUND', retryable: false },
  HOLD_NOT_OPEN: { httpStatus: 409, trpcCode: 'CONFLICT', retryable: false },
  HOLD_IN_USE: { httpStatus: 409, trpcCode: 'CONFLICT', retryable: true },
  IDEMPOTENCY_CONFLICT: { httpStatus: 409, trpcCode: 'CONFLICT', retryable: false },
  LIMIT_EXCEEDED: { httpStatus: 429, trpcCode: 'TOO_MANY_REQUESTS', retryable: true },
  UNAUTHORIZED: { httpStatus: 401, trpcCode: 'UNAUTHORIZED', retryable: false },
  FORBIDDEN: { httpStatus: 403, trpcCode: 'FORBIDDEN', retryable: false },
  CHECKOUT_NOT_FOUND: { httpStatus: 404, trpcCode: 'NOT_FOUND', retryable: false },
  QUARANTINE_NOT_FOUND: { httpStatus: 404, trpcCode: 'NOT_FOUND', retryable: false },
  SUBSCRIPTION_NOT_FOUND: { httpStatus: 404, trpcCode: 'NOT_FOUND', retryable: false },
  CHECKOUT_NOT_PAID: { httpStatus: 409, trpcCode: 'CONFLICT', retryable: true },
  PAYMENTS_NOT_CONFIGURED: { httpStatus: 500, trpcCode: 'INTERNAL_SERVER_ERROR', retryable: false },
  WEBHOOK_SIGNATURE_INVALID: { httpStatus: 400, trpcCode: 'BAD_REQUEST', retryable: false },
  WEBHOOK_BODY_PARSED: { httpStatus: 500, trpcCode: 'INTERNAL_SERVER_ERROR', retryable: false },
  STORE_NOT_CONFIGURED: { httpStatus: 500, trpcCode: 'INTERNAL_SERVER_ERROR', retryable: false },
  UNAVAILABLE: { httpStatus: 503, trpcCode: 'SERVICE_UNAVAILABLE', retryable: true },
  OUTCOME_UNKNOWN: { httpStatus: 503, trpcCode: 'SERVICE_UNAVAILABLE', retryable: true },
} as const

/** The `code` of a `CreditError`: stable, so branch on it. `ERROR_CODES` says which HTTP status each one has. */
export type CreditErrorCode = keyof typeof ERROR_CODES

/** Marks our errors across module copies: a bundler may load this file twice, and `instanceof` must still hold. */
const KIND = Symbol.for('creditkit/error-code')

/** Base of every expected failure. `code` is stable; the message is for people and never contains SQL or secrets. */
export class CreditError extends Error {
  readonly code: CreditErrorCode

  constructor(code: CreditErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.name = 'CreditError'
    Object.defineProperty(this, KIND, { value: code })
  }

  /** True for any creditkit error, also one made by another copy of this module. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this === CreditError) return hasKind(value)
    const own = Object.getOwnPropertyDescriptor(this, 'code')?.value as CreditErrorCode | undefined
    // A host's own subclass has no code of its own: only its real instances count.
    return own === undefined ? super[Symbol.hasInstance](value) : hasKind(value, own)
  }
}

function hasKind(value: unknown, code?: CreditErrorCode): boolean {
  if (typeof value !== 'object' || value === null || !(KIND in value)) return false
  return code === undefined || value[KIND] === code
}

/** Is this one of our errors (and, where given, of this code)? Works across entry points and module copies. */
export function isCreditError(error: unknown, code?: CreditErrorCode): error is CreditError {
  return hasKind(error, code)
}

/** Can the same call, made again with the same idempotency key, succeed without anybody changing something? */
export function isRetryable(error: unknown): boolean {
  return isCreditError(error) && ERROR_CODES[error.code].retryable
}

/** The balance does not cover what was asked; nothing was written. Amounts are credits. */
export class InsufficientCreditsError extends CreditError {
  static readonly code = 'INSUFFICIENT_CREDITS'
  readonly required: number
  readonly available: number
  readonly shortfall: number

  constructor(required: number, available: number) {
    super('INSUFFICIENT_CREDITS', `Insufficient credits. Required: ${required}, Available: ${available}`)
    this.name = 'InsufficientCreditsError'
    this.required = required
    this.available = available
    this.shortfall = required - available
  }
}

/** The amount is not a positive whole number of credits, or would take a balance past what can be counted exactly. */
export class InvalidAmountError extends CreditError {
  static readonly code = 'INVALID_AMOUNT'

  constructor(message = 'Amount must be positive') {
    super('INVALID_AMOUNT', message)
    this.name = 'InvalidAmountError'
  }
}

/** What is wrong with one field of an input. */
export interface InputIssue {
  /** Dotted path of the field, '' for the whole input. */
  path: string
  message: string
}

/** A message names so many of them; `issues` holds all. */
const MAX_TOLD = 20

/** The input was refused before the database was asked. */
export class InvalidInputError extends CreditError {
  static readonly code = 'INVALID_INPUT'
  readonly issues: readonly InputIssue[]

  constructor(issues: readonly InputIssue[], options?: { cause?: unknown }) {
    const told = issues.slice(0, MAX_TOLD).map(({ path, message }) => (path ? `${path}: ${message}` : message))
    const more = issues.length > MAX_TOLD ? `; and ${issues.length - MAX_TOLD} more` : ''
    super('INVALID_INPUT', `Invalid input: ${told.join('; ')}${more}`, options)
    this.name = 'InvalidInputError'
    this.issues = issues
  }
}

/** Every credit of the transaction has been given back already. */
export class AlreadyRefundedError extends CreditError {
  static readonly code = 'ALREADY_REFUNDED'

  constructor() {
    super('ALREADY_REFUNDED', 'Transaction has already been refunded')
    this.name = 'AlreadyRefundedError'
  }
}

/** Only uses can be refunded, and never for more than is left of them. */
export class NotRefundableError extends CreditError {
  static readonly code = 'NOT_REFUNDABLE'

  constructor(message: string) {
    super('NOT_REFUNDABLE', message)
    this.name = 'NotRefundableError'
  }
}

/** No such hold, or not one of this user; the two are not told apart. */
export class HoldNotFoundError extends CreditError {
  static readonly code = 'HOLD_NOT_FOUND'

  constructor() {
    super('HOLD_NOT_FOUND', 'Hold not found')
    this.name = 'HoldNotFoundError'
  }
}

/** The hold has ended: it was captured, released, or its time ran out. */
export class HoldNotOpenError extends CreditError {
  static readonly code = 'HOLD_NOT_OPEN'
  readonly status: 'captured' | 'released' | 'expired'

  constructor(status: 'captured' | 'released' | 'expired') {
    super(
      'HOLD_NOT_OPEN',
      `Hold is no longer open: it has been ${status === 'expired' ? 'ended by its timeout' : status}`,
    )
    this.name = 'HoldNotOpenError'
    this.status = status
  }
}

/** Another call with this idempotency key is still at work on its hold; this one did nothing. */
export class HoldInUseError extends CreditError {
  static readonly code = 'HOLD_IN_USE'

  constructor() {
    super('HOLD_IN_USE', 'Another call with this idempotency key is still at work')
    this.name = 'HoldInUseError'
  }
}

/** No such grant, or not one of this user; the two are not told apart. */
export class GrantNotFoundError extends CreditError {
  static readonly code = 'GRANT_NOT_FOUND'

  constructor() {
    super('GRANT_NOT_FOUND', 'Grant not found')
    this.name = 'GrantNotFoundError'
  }
}

/** More than a limit allows in its window of time; nothing was written. */
export class LimitExceededError extends CreditError {
  static readonly code = 'LIMIT_EXCEEDED'
  readonly creditType: string
  /** The limit that stood in the way. */
  readonly limit: { max: number; per: string; of: 'calls' | 'credits' }
  /** Counted in the running window so far. */
  readonly used: number
  /** Until the next window begins, in whole seconds. */
  readonly retryAfterSeconds: number

  constructor(
    creditType: string,
    limit: { max: number; per: string; of: 'calls' | 'credits' },
    used: number,
    retryAfterSeconds: number,
  ) {
    const { max, per, of } = limit
    super(
      'LIMIT_EXCEEDED',
      `Limit exceeded for ${creditType}: at most ${max} ${of} per ${per}, ${used} used; try again in ${retryAfterSeconds} s`,
    )
    this.name = 'LimitExceededError'
    this.creditType = creditType
    this.limit = { max, per, of }
    this.used = used
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** No such transaction, or not one of this user; the two are not told apart. */
export class TransactionNotFoundError extends CreditError {
  static readonly code = 'TRANSACTION_NOT_FOUND'

  constructor() {
    super('TRANSACTION_NOT_FOUND', 'Transaction not found')
    this.name = 'TransactionNotFoundError'
  }
}

/** There is no package with this id. One that is there but not on sale throws `PackageInactiveError`. */
export class PackageNotFoundError extends CreditError {
  static readonly code = 'PACKAGE_NOT_FOUND'

  constructor() {
    super('PACKAGE_NOT_FOUND', 'Package not found')
    this.name = 'PackageNotFoundError'
  }
}

/** The package exists but is not for sale. */
export class PackageInactiveError extends CreditError {
  static readonly code = 'PACKAGE_INACTIVE'

  constructor() {
    super('PACKAGE_INACTIVE', 'Package is not active')
    this.name = 'PackageInactiveError'
  }
}

/** No such purchase, or not one of this user; the two are not told apart. */
export class PurchaseNotFoundError extends CreditError {
  static readonly code = 'PURCHASE_NOT_FOUND'

  constructor() {
    super('PURCHASE_NOT_FOUND', 'Purchase not found')
    this.name = 'PurchaseNotFoundError'
  }
}

/** The key was used before for another request; nothing was written. */
export class IdempotencyConflictError extends CreditError {
  static readonly code = 'IDEMPOTENCY_CONFLICT'
  /** The first field that differs from the first request. */
  readonly field: string

  constructor(field: string) {
    super('IDEMPOTENCY_CONFLICT', `Idempotency key was already used with a different ${field}`)
    this.name = 'IdempotencyConflictError'
    this.field = field
  }
}

/** Nobody is signed in, or no `authenticate` was configured. */
export class UnauthorizedError extends CreditError {
  static readonly code = 'UNAUTHORIZED'

  constructor(message = 'Authentication required') {
    super('UNAUTHORIZED', message)
    this.name = 'UnauthorizedError'
  }
}

/** Signed in, but not allowed to do this. */
export class ForbiddenError extends CreditError {
  static readonly code = 'FORBIDDEN'

  constructor(message = 'Not allowed') {
    super('FORBIDDEN', message)
    this.name = 'ForbiddenError'
  }
}

/** No such checkout session, or not one of this user; the two are not told apart. */
export class CheckoutNotFoundError extends CreditError {
  static readonly code = 'CHECKOUT_NOT_FOUND'

  constructor() {
    super('CHECKOUT_NOT_FOUND', 'Checkout session not found')
    this.name = 'CheckoutNotFoundError'
  }
}

/** No such subscription, or not one of this user; the two are not told apart. */
export class SubscriptionNotFoundError extends CreditError {
  static readonly code = 'SUBSCRIPTION_NOT_FOUND'

  constructor() {
    super('SUBSCRIPTION_NOT_FOUND', 'Subscription not found')
    this.name = 'SubscriptionNotFoundError'
  }
}

/** No payment with this id is in quarantine. */
export class QuarantineNotFoundError extends CreditError {
  static readonly code = 'QUARANTINE_NOT_FOUND'

  constructor() {
    super('QUARANTINE_NOT_FOUND', 'Quarantined payment not found')
    this.name = 'QuarantineNotFoundError'
  }
}

/** The checkout session exists, but no money has arrived; no credits were granted. */
export class CheckoutNotPaidError extends CreditError {
  static readonly code = 'CHECKOUT_NOT_PAID'

  constructor(message = 'Checkout session has not been paid') {
    super('CHECKOUT_NOT_PAID', message)
    this.name = 'CheckoutNotPaidError'
  }
}

/** No payment provider was passed as `payments`, or its settings are missing or wrong. The message says which. */
export class PaymentsNotConfiguredError extends CreditError {
  static readonly code = 'PAYMENTS_NOT_CONFIGURED'

  constructor(message = 'No payment provider is configured: pass `payments: stripePayments()` to CreditService') {
    super('PAYMENTS_NOT_CONFIGURED', message)
    this.name = 'PaymentsNotConfiguredError'
  }
}

/** The webhook is not from the provider, was altered, or is too old. Nothing was written. */
export class WebhookSignatureInvalidError extends CreditError {
  static readonly code = 'WEBHOOK_SIGNATURE_INVALID'

  constructor(message = 'Webhook signature verification failed', options?: { cause?: unknown }) {
    super('WEBHOOK_SIGNATURE_INVALID', message, options)
    this.name = 'WebhookSignatureInvalidError'
  }
}

/** Something read the request body before us, so the signature can't be checked. The message prints the fix. */
export class WebhookBodyParsedError extends CreditError {
  static readonly code = 'WEBHOOK_BODY_PARSED'

  constructor(fix: string) {
    super('WEBHOOK_BODY_PARSED', `The webhook body was parsed before creditkit could verify its signature. ${fix}`)
    this.name = 'WebhookBodyParsedError'
  }
}

/** No usable store: none was configured, or its tables are missing. The message says what to do. */
export class StoreNotConfiguredError extends CreditError {
  static readonly code = 'STORE_NOT_CONFIGURED'

  constructor(message: string, options?: { cause?: unknown }) {
    super('STORE_NOT_CONFIGURED', message, options)
    this.name = 'StoreNotConfiguredError'
  }
}

/** A database, cache or provider could not be used; surely nothing was written. Safe to retry. */
export class UnavailableError extends CreditError {
  static readonly code = 'UNAVAILABLE'

  constructor(message: string, options?: { cause?: unknown }) {
    super('UNAVAILABLE', message, options)
    this.name = 'UnavailableError'
  }
}

/** It could not be settled whether the write happened. Retry with the same idempotency key to find out. */
export class OutcomeUnknownError extends CreditError {
  static readonly code = 'OUTCOME_UNKNOWN'

  constructor(message: string, options?: { cause?: unknown }) {
    super('OUTCOME_UNKNOWN', message, options)
    this.name = 'OutcomeUnknownError'
  }
}
