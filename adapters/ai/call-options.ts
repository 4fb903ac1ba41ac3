import type { UserId } from '../../src/credit-inputs.js'
import { InvalidInputError } from '../../src/errors.js'
import type { CallParams } from './sdk.js'

/** What a call may say for itself: `providerOptions: { creditkit: { userId, idempotencyKey } }`. */
export interface OwnOptions {
  userId?: unknown
  idempotencyKey?: unknown
}

/** Take our own options out of a call: what is left goes to the provider, which must not learn who pays. */
export function takeOwnOptions<P extends { providerOptions?: CallParams['providerOptions'] }>(
  params: P,
): { params: P; own: OwnOptions } {
  const { creditkit: own, ...others } = params.providerOptions ?? {}
  if (own === undefined) return { params, own: {} }
  return { params: { ...params, providerOptions: others }, own }
}

export function payer(userId: unknown): UserId {
  if (typeof userId === 'string' || typeof userId === 'number') return userId
  const message = 'is required: name it for the model, or for the call by providerOptions.creditkit.userId'
  throw new InvalidInputError([{ path: 'userId', message }])
}

/**
 * The name of one model call. A tool loop calls the model several times with the same options, so the caller's key alone
 * would name all of them; the prompt, which grows with each, tells them apart. Only its digest leaves this function.
 */
export async function callKey(idempotencyKey: unknown, prompt: unknown): Promise<string | null> {
  if (idempotencyKey == null) return null
  if (typeof idempotencyKey !== 'string' || idempotencyKey.trim() === '')
    throw new InvalidInputError([{ path: 'providerOptions.creditkit.idempotencyKey', message: 'must be a text' }])
  const name = idempotencyKey.length > LONGEST_NAME ? `sha-256:${await digest(idempotencyKey)}` : idempotencyKey
  return `${name}#${await digest(JSON.stringify(prompt))}`
}

/** Keys have 255 characters; the rest is for digests and repeats. */
const LONGEST_NAME = 180

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
