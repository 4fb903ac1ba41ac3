import Stripe from 'stripe'
import { WebhookSignatureInvalidError } from '../../src/errors.js'

/** Oldest accepted signature in seconds, as Stripe recommends. Each redelivery is signed anew. */
const TOLERANCE_SECONDS = 300
/** How far a clock may be ahead on top of it, in seconds. The SDK has no limit. */
const CLOCK_SKEW_SECONDS = 60

/** An event Stripe signed: a snapshot with an object in it. Its other fields are only what Stripe promises. */
export type SignedEvent = Stripe.Event

/**
 * The event in a body, if one of `secrets` signed exactly these bytes within the last five minutes. Several secrets are
 * accepted while one is being rolled. Algorithm: https://docs.stripe.com/webhooks/signature
 *
 * @param header The `Stripe-Signature` header.
 * @throws {WebhookSignatureInvalidError} Also for a signed body that is not a snapshot event. Neither the body nor the
 *   signature is in the error.
 */
export async function verifyEvent(
  rawBody: Uint8Array,
  header: string | readonly string[] | null,
  secrets: readonly string[],
): Promise<SignedEvent> {
  const signature = parseHeader(typeof header === 'string' ? header : (header ?? []).join(','))
  const payload = decode(rawBody)
  if (!(await isSigned(payload, signature, secrets))) throw new WebhookSignatureInvalidError(whyNot(signature))
  if (ageSeconds(signature) < -(TOLERANCE_SECONDS + CLOCK_SKEW_SECONDS)) {
    throw new WebhookSignatureInvalidError('The webhook is signed for a time in the future: check the clock')
  }
  return parseEvent(payload)
}

/** What counts of a `Stripe-Signature` header. */
interface Signature {
  /** Seconds since the epoch; of several, the last one, as in the SDK. */
  time: number
  /** Hexadecimal HMACs of scheme v1. */
  digests: string[]
}

/** Strictly, and before the SDK sees it: a header as short as `t=1,v1` makes the SDK fail as if by a bug. */
function parseHeader(header: string): Signature {
  if (header === '') throw new WebhookSignatureInvalidError('The webhook has no Stripe-Signature header')
  const parts = header.split(',')
  const digests = parts.flatMap((part) => /^v1=([0-9a-f]{64})$/.exec(part)?.[1] ?? [])
  const time = parts.flatMap((part) => /^t=(\d{1,15})$/.exec(part)?.[1] ?? []).at(-1)
  if (time === undefined || digests.length === 0) {
    throw new WebhookSignatureInvalidError('The Stripe-Signature header has no time or no signature of scheme v1')
  }
  return { time: Number(time), digests }
}

/** Strictly: the SDK would drop a byte order mark and replace broken bytes, and then hash another text. */
function decode(rawBody: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(rawBody)
  } catch {
    throw new WebhookSignatureInvalidError('The webhook body is not UTF-8: something on the way changed it')
  }
}

async function isSigned(payload: string, { time, digests }: Signature, secrets: readonly string[]): Promise<boolean> {
  const verifier = Stripe.webhooks.signature
  if (!verifier) throw new Error('isSigned: the Stripe SDK came without its signature helper')
  const header = [`t=${time}`, ...digests.map((digest) => `v1=${digest}`)].join(',')
  for (const secret of secrets) {
    try {
      // Only the asynchronous form works on every runtime.
      await verifier.verifyHeaderAsync(payload, header, secret, TOLERANCE_SECONDS)
      return true
    } catch (error) {
      if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) throw error
      // Not with this secret. The error is dropped: it carries the body and the signature.
    }
  }
  return false
}

function whyNot(signature: Signature): string {
  const age = ageSeconds(signature)
  if (age > TOLERANCE_SECONDS) {
    return `The webhook was signed ${age} seconds ago, and ${TOLERANCE_SECONDS} are allowed: check the clock`
  }
  return (
    'Webhook signature verification failed: no signature matches. ' +
    "Check that STRIPE_WEBHOOK_SECRET is this endpoint's own, and that nothing on the way changes the body"
  )
}

function ageSeconds({ time }: Signature): number {
  return Math.floor(Date.now() / 1000) - time
}

function parseEvent(payload: string): SignedEvent {
  const event = parseObject(payload)
  if (event?.object === 'v2.core.event') {
    throw new WebhookSignatureInvalidError(
      'This is a thin event. Give the webhook endpoint the payload style "snapshot" in the Stripe Dashboard',
    )
  }
  const object = event?.data && typeof event.data === 'object' && 'object' in event.data ? event.data.object : null
  const isEvent = event?.object === 'event' && isText(event.id) && isText(event.type)
  if (!isEvent || typeof object !== 'object' || object === null) {
    throw new WebhookSignatureInvalidError('The signed webhook body is not a Stripe event')
  }
  // The driver's edge: Stripe signed it, and what every event has is there. Hand-made ones count as test mode.
  return { livemode: false, created: 0, ...event } as unknown as SignedEvent
}

function parseObject(payload: string): { [field: string]: unknown } | null {
  try {
    const value: unknown = JSON.parse(payload)
    // The driver's edge: JSON objects have string keys.
    return typeof value === 'object' && value !== null ? (value as { [field: string]: unknown }) : null
  } catch {
    // The parser's message quotes the body.
    return null
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
