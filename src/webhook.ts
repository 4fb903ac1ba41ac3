import {
  ERROR_CODES,
  isCreditError,
  PaymentsNotConfiguredError,
  UnavailableError,
  WebhookBodyParsedError,
} from './errors.js'
import type { Logger } from './ports/logger.js'
import type { PaymentProvider, VerifiedEvent } from './ports/payments.js'
import { BODY_TIMEOUT_MS, type BodyLimits, readBytes, type Unread } from './request-body.js'

/** What the framework mounts need of a service: one Fetch handler. `CreditService` is one. */
export interface WebhookReceiver {
  handleWebhook(request: Request): Promise<Response>
}

export interface WebhookDependencies {
  /** Null: none is configured, which is answered with 500. */
  provider: Pick<PaymentProvider, 'signatureHeader' | 'verifyWebhook'> | null
  /** Act on a verified event. Resolves only after everything it wrote is committed. */
  process(event: VerifiedEvent): Promise<void>
  logger: Logger
  /** Longest accepted body in bytes. Default: 2 MiB; provider events are far smaller. */
  maxBytes?: number
  /** So long the body may take to arrive, in milliseconds. Default 10 000. */
  bodyTimeoutMs?: number
}

const MAX_BYTES = 2 * 1024 * 1024

/**
 * One delivery of the payment provider: limit the body, check its signature over the raw bytes, act, answer.
 *
 * Never rejects. 2xx is answered only after `process` resolved; everything else makes the provider deliver again, so a
 * repeat must be safe: 400 not from the provider, 405 not POST, 408 too slow, 413 too long, 415 encoded, 500 misconfigured or
 * a bug, 503 a dependency is down. Error codes map to statuses through `ERROR_CODES`. The source of the rules is
 * https://docs.stripe.com/webhooks. Bodies and signatures are never logged.
 */
export async function handleWebhookRequest(request: Request, dependencies: WebhookDependencies): Promise<Response> {
  const { provider, logger, maxBytes = MAX_BYTES, bodyTimeoutMs: timeoutMs = BODY_TIMEOUT_MS } = dependencies
  const refusal = refuseByHeaders(request)
  if (refusal) return refusal

  let event: VerifiedEvent | undefined
  try {
    if (provider === null) throw new PaymentsNotConfiguredError()
    const body = await readBody(request, { maxBytes, timeoutMs })
    if (typeof body === 'string') return unreadBody(body, { maxBytes, timeoutMs })
    event = await provider.verifyWebhook(body, request.headers.get(provider.signatureHeader))
    await dependencies.process(event)
  } catch (error) {
    return failure(error, event, logger)
  }
  logger.debug({ eventId: event.eventId, type: event.type }, 'webhook processed')
  return answer(200, { received: true })
}

function refuseByHeaders(request: Request): Response | null {
  if (request.method !== 'POST') {
    return answer(405, { error: 'METHOD_NOT_ALLOWED', message: 'Webhooks are sent with POST' }, { allow: 'POST' })
  }
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? ''
  if (encoding !== '' && encoding !== 'identity') {
    return answer(415, { error: 'UNSUPPORTED_ENCODING', message: 'Webhook bodies must not be compressed' })
  }
  return null
}

async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array | Unread> {
  if (request.bodyUsed || request.body?.locked) {
    throw new WebhookBodyParsedError('Pass the request before anything reads its body, or pass request.clone().')
  }
  return readBytes(request, limits).catch(asBodyError)
}

/** A mount reports a parsed body through the stream; anything else means that the connection broke. */
function asBodyError(error: unknown): never {
  if (isCreditError(error)) throw error
  throw new UnavailableError('The webhook body could not be read to its end', { cause: error })
}

function failure(error: unknown, event: VerifiedEvent | undefined, logger: Logger): Response {
  const details = { eventId: event?.eventId, type: event?.type }
  if (!isCreditError(error)) {
    logger.error({ ...details, err: error }, 'webhook failed: unexpected error')
    return answer(500, { error: 'INTERNAL_ERROR', message: 'The webhook could not be processed' })
  }
  const { code, message } = error
  const { httpStatus, retryable } = ERROR_CODES[code]
  // Anybody can send a forgery: it gets one line, and no stack.
  if (httpStatus < 500) logger.warn({ ...details, code }, `webhook refused: ${message}`)
  else logger[retryable ? 'warn' : 'error']({ ...details, code, err: error }, `webhook failed: ${message}`)
  return answer(httpStatus, { error: code, message })
}

function unreadBody(why: Unread, { maxBytes, timeoutMs }: BodyLimits): Response {
  return why === 'too large'
    ? answer(413, { error: 'BODY_TOO_LARGE', message: `Webhook bodies are limited to ${maxBytes} bytes` })
    : answer(408, { error: 'BODY_TOO_SLOW', message: `Webhook bodies must arrive within ${timeoutMs} ms` })
}

function answer(status: number, body: object, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store', ...headers } })
}
