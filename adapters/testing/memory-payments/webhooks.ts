import { createHmac, timingSafeEqual } from 'node:crypto'
import { PaymentsNotConfiguredError, WebhookSignatureInvalidError } from '../../../src/errors.js'
import type { MemoryEvent } from './events.js'
import type { MemorySettings } from './settings.js'

export const SIGNATURE_HEADER = 'memory-signature'

/** Oldest accepted signature, in seconds; as far ahead a clock may be. */
const TOLERANCE_SECONDS = 300

type Signing = Pick<MemorySettings, 'webhookSecret' | 'clock'>

/** What the service sends with these bytes. `signedAt` in seconds since the epoch; default now. */
export function signatureOf(rawBody: Uint8Array, settings: Signing, signedAt = secondsNow(settings)): string {
  return `t=${signedAt},v1=${digestOf(rawBody, signedAt, secretOf(settings))}`
}

/**
 * The event in a body that was signed in the last five minutes.
 * @throws {WebhookSignatureInvalidError} Missing, wrong or old signature, or a signed body that is not an event.
 * @throws {PaymentsNotConfiguredError} There is no secret.
 */
export function verifyEvent(
  rawBody: Uint8Array,
  signature: string | null,
  settings: Signing,
): Omit<MemoryEvent, 'createdAt'> {
  const secret = secretOf(settings)
  const [, signedAt, digest] = /^t=(\d{1,15}),v1=([0-9a-f]{64})$/.exec(signature ?? '') ?? []
  if (signedAt === undefined || digest === undefined) {
    throw new WebhookSignatureInvalidError(`The webhook has no ${SIGNATURE_HEADER} header, or not such a one`)
  }
  const wanted = digestOf(rawBody, Number(signedAt), secret)
  if (!timingSafeEqual(Buffer.from(digest), Buffer.from(wanted))) throw new WebhookSignatureInvalidError()
  if (Math.abs(secondsNow(settings) - Number(signedAt)) > TOLERANCE_SECONDS) {
    throw new WebhookSignatureInvalidError('The webhook was signed at another time than now')
  }
  return parseEvent(rawBody)
}

function parseEvent(rawBody: Uint8Array): Omit<MemoryEvent, 'createdAt'> {
  const event = parse(rawBody)
  if (!isEvent(event)) throw new WebhookSignatureInvalidError('The signed webhook body is not an event')
  return event
}

function parse(rawBody: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(rawBody))
  } catch {
    // The parser's message quotes the body.
    return null
  }
}

function isEvent(value: unknown): value is Omit<MemoryEvent, 'createdAt'> {
  if (!isRecord(value) || !isRecord(value.data)) return false
  const { id, type, livemode, created, data } = value
  const areTexts = [id, type, data.id].every((each) => typeof each === 'string' && each !== '')
  return areTexts && typeof livemode === 'boolean' && typeof created === 'number'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function digestOf(rawBody: Uint8Array, signedAt: number, secret: string): string {
  return createHmac('sha256', secret).update(`${signedAt}.`).update(rawBody).digest('hex')
}

function secretOf({ webhookSecret }: Signing): string {
  if (webhookSecret === null || webhookSecret === '') {
    throw new PaymentsNotConfiguredError('memoryPayments has no webhookSecret')
  }
  return webhookSecret
}

function secondsNow({ clock }: Signing): number {
  return Math.floor(clock.now().getTime() / 1000)
}
