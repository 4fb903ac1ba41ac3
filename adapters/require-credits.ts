import { problemResponse } from '../src/api/problem.js'
import type { CreditHold } from '../src/credit-hold.js'
import type { UserId } from '../src/credit-inputs.js'
import type { CreditTypeField } from '../src/credit-types.js'
import { ERROR_CODES, InsufficientCreditsError, isCreditError, UnauthorizedError } from '../src/errors.js'
import type { OperationParams, Quote } from '../src/operations.js'
import type { HeldWork, WithHoldInput, WithHoldResult } from '../src/with-hold.js'

/** What a route asks of its callers. `R`: what the framework hands to handlers: a request, or Hono's context. */
export type RequireCreditsOptions<T extends string, R> = PaidRoute<T, R> & RequiredCredits<T, R>

export interface PaidRoute<T extends string, R> {
  /** Who pays; null or undefined: nobody is signed in, answered 401. */
  userId: (request: R) => Awaitable<UserId | null | undefined>
  /** Where more credits are sold. Told in the body and the `link` header of a 402. */
  buyUrl?: string | ((request: R, error: InsufficientCreditsError) => string) | undefined
  /**
   * The caller's name for this one intent. Default: the header `Idempotency-Key`, for this method and path. A repeat is
   * refused (409) while the first call is at work and after it was charged; after a failure the work is done again.
   */
  idempotencyKey?: ((request: R) => Awaitable<string | null | undefined>) | undefined
  /** What is kept with the hold and its use. Default: the operation's description, or method and path. */
  details?: ((request: R) => Awaitable<CallDetails>) | undefined
  /** How long the work may take, in seconds: then the credits are free for other uses. Default 900, at most 31 days. */
  expiresInSeconds?: number | undefined
  /**
   * What a caller pays who leaves before the whole of a successful answer has arrived. Default `charge`: as if they had
   * stayed. Were it free, callers could have the work for nothing by hanging up on its last byte. `release` suits answers
   * that are worth nothing in part.
   */
  onAbort?: 'charge' | 'release' | undefined
  /**
   * Told what was charged, after the answer. `transaction` is null where the work cost nothing; `uncovered` are credits of
   * its cost that the user no longer had. What it throws is uncaught.
   */
  onCharged?: ((charged: Omit<WithHoldResult<T, void>, 'result'>) => void) | undefined
  /** Told that the work was done but could not be charged, which is also logged. The hold is kept until it ends. */
  onError?: ((error: unknown, hold: CreditHold<T>) => void) | undefined
}

/** The price: of an operation, or so many credits. A call whose price is 0 runs without a hold. */
export type RequiredCredits<T extends string, R> =
  | { operation: string; params?: ((request: R) => Awaitable<OperationParams>) | undefined }
  | (CreditTypeField<T> & { amount: number | ((request: R) => Awaitable<number>) })

export interface CallDetails {
  description?: string | undefined
  referenceId?: string | null | undefined
  referenceType?: string | null | undefined
  metadata?: Record<string, unknown> | null | undefined
  actor?: string | null | undefined
}

type Awaitable<V> = V | Promise<V>

/** The held credits, for the handler. What it says counts until its answer has ended. */
export interface HeldCredits<T extends string = string> {
  /** Null: this call is free, and nothing is held. */
  readonly hold: CreditHold<T> | null
  /** What the work really cost, in credits, also more than is held; 0: nothing. Default: everything that is held. */
  readonly setCost: (amount: number) => void
  /** What the operation's work really was: its price is charged. */
  readonly setParams: (params: OperationParams) => void
}

/** What is needed of a service. `CreditService` is one. */
export interface CreditHolder<T extends string> {
  quote(input: { operation: string; params?: OperationParams | undefined }): Promise<Quote<T>>
  withHold(input: WithHoldInput<string>, work: (held: HeldWork<T>) => Promise<void>): Promise<WithHoldResult<T, void>>
}

/** What of an HTTP request names the call. */
export interface Call {
  method: string
  /** Without the query. */
  path: string
  /** The header. */
  idempotencyKey: string | null | undefined
}

/** How a call ended; `abandoned`: its caller left before the whole of a successful answer had arrived. */
export type Ending = 'succeeded' | 'failed' | 'abandoned'

/** A call whose credits are held. */
export interface PaidCall<T extends string> {
  held: HeldCredits<T>
  /** Charge or release, by the first ending that is told. Resolves when that is done, and never rejects. */
  finish: (ending: Ending) => Promise<void>
}

/**
 * Hold the credits of a call before its handler runs. A `Response` is the refusal of somebody who can't pay.
 *
 * Rejects with what is not the caller's fault: the host's own errors, and ours that stand for a wrong configuration.
 */
export async function beginPaidCall<T extends string, R>(
  credits: CreditHolder<T>,
  options: RequireCreditsOptions<T, R>,
  request: R,
  call: Call,
): Promise<PaidCall<T> | Response> {
  let creditType: string | undefined
  try {
    const userId = await options.userId(request)
    if (userId == null) throw new UnauthorizedError()
    const { input, ...priced } = await priceCall(credits, options, request, { userId, call })
    creditType = priced.creditType
    return priced.amount === 0 ? FREE_CALL : await holdCredits(credits, input, options)
  } catch (error) {
    if (!isCreditError(error) || ERROR_CODES[error.code].httpStatus === 500) throw error
    if (!(error instanceof InsufficientCreditsError)) return problemResponse(error)
    const { buyUrl } = options
    return paymentRequired(error, creditType, typeof buyUrl === 'function' ? buyUrl(request, error) : buyUrl)
  }
}

async function priceCall<T extends string, R>(
  credits: CreditHolder<T>,
  options: RequireCreditsOptions<T, R>,
  request: R,
  { userId, call }: { userId: UserId; call: Call },
): Promise<{ input: WithHoldInput<string>; amount: number; creditType: string | undefined }> {
  const idempotencyKey = options.idempotencyKey ? await options.idempotencyKey(request) : await scopedKey(call)
  const details = (await options.details?.(request)) ?? {}
  const { expiresInSeconds } = options
  const common = {
    ...details,
    userId,
    idempotencyKey: idempotencyKey ?? null,
    expiresInSeconds,
    repeats: 'afterFailure' as const,
  }
  if ('operation' in options) {
    const { operation } = options
    const params = await options.params?.(request)
    const { amount, creditType } = await credits.quote({ operation, params })
    return { input: { ...common, operation, params }, amount, creditType }
  }
  const { creditType } = options
  const amount = typeof options.amount === 'function' ? await options.amount(request) : options.amount
  const description = details.description ?? `${call.method} ${call.path}`.slice(0, MAX_DESCRIPTION_LENGTH)
  return { input: { ...common, amount, creditType, description }, amount, creditType }
}

/** One key on two routes is two calls. A scope that would make the key too long is shortened to its digest. */
async function scopedKey({ method, path, idempotencyKey }: Call): Promise<string | null> {
  if (idempotencyKey == null || idempotencyKey.trim() === '') return null
  const key = `${method} ${path} ${idempotencyKey}`
  if (key.length <= MAX_KEY_LENGTH) return key
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)))
  return `${method} sha-256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

const MAX_KEY_LENGTH = 255
const MAX_DESCRIPTION_LENGTH = 2000

/** `withHold` wants to see its work end; here the work is the answer, whose end is told by `finish`. */
function holdCredits<T extends string>(
  credits: CreditHolder<T>,
  input: WithHoldInput<string>,
  { onAbort = 'charge', onCharged, onError }: Pick<PaidRoute<T, never>, 'onAbort' | 'onCharged' | 'onError'>,
): Promise<PaidCall<T>> {
  let hold: CreditHold<T> | null = null
  let begin: (call: PaidCall<T>) => void = () => undefined
  const begun = new Promise<PaidCall<T>>((resolve) => (begin = resolve))
  const work = (held: HeldWork<T>): Promise<void> =>
    new Promise((succeed, fail) => {
      hold = held.hold
      const finish = (ending: Ending): Promise<void> => {
        if (ending === 'succeeded' || (ending === 'abandoned' && onAbort === 'charge')) succeed()
        else fail(NOT_CHARGED)
        return settled
      }
      begin({ held, finish })
    })
  const done = credits.withHold(input, work)
  // The hooks run outside of the promise: what they throw must not reach an answer that has been given.
  const settled = done.then(
    ({ transaction, uncovered }) => {
      queueMicrotask(() => onCharged?.({ transaction, uncovered }))
    },
    (error: unknown) => {
      const held = hold
      if (held !== null && error !== NOT_CHARGED) queueMicrotask(() => onError?.(error, held))
    },
  )
  return Promise.race([begun, done.then(() => begun)])
}

/** Tells `withHold` that the work failed, whose error is the framework's to answer. */
const NOT_CHARGED = new Error('requireCredits: the answer is not charged')

const FREE_CALL: PaidCall<never> = {
  held: {
    hold: null,
    setCost: (amount) => {
      if (amount !== 0) throw new Error(NOTHING_HELD)
    },
    setParams: () => {
      throw new Error(NOTHING_HELD)
    },
  },
  finish: () => Promise.resolve(),
}

const NOTHING_HELD =
  'requireCredits: this call was priced 0, so nothing is held that could be charged; price it by the most it can cost'

/** 402, with the shortfall and where to buy. */
function paymentRequired(
  error: InsufficientCreditsError,
  creditType: string | undefined,
  buyUrl: string | undefined,
): Response {
  const response = problemResponse(error, { creditType, buyUrl })
  if (buyUrl !== undefined) response.headers.set('link', `<${asciiUrl(buyUrl)}>; rel="payment"`)
  return response
}

/** Headers carry ASCII, and the link ends at `>`. */
function asciiUrl(url: string): string {
  return url.toWellFormed().replace(/[^\x21-\x7e]|[<>"]/gu, encodeURIComponent)
}
