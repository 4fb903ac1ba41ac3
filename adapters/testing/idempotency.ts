import { ApiError } from './api-error.js'

/** What was answered; replayed for the same key. */
export interface Answer {
  status: number
  body: object
}

interface Entry {
  fingerprint: string
  /** Seconds since 1970. */
  startedAt: number
  answer: Answer | undefined
}

const KEPT_SECONDS = 24 * 60 * 60

/** `Idempotency-Key`: one key stands for one call; its answer is kept for 24 hours. */
export class IdempotencyKeys {
  readonly #entries = new Map<string, Entry>()

  /**
   * Start a call under `key`, or find out that it was carried out before.
   *
   * @param fingerprint Method, path and parameters.
   * @param now Seconds since 1970.
   * @returns The first answer, when there is one.
   * @throws {ApiError} 400: the key stands for another call. 409: its first call is still running.
   */
  begin(key: string, fingerprint: string, now: number): Answer | undefined {
    if (key.length > 255) {
      throw new ApiError(400, {
        type: 'invalid_request_error',
        message: 'Idempotency keys can be at most 255 characters long.',
      })
    }
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.startedAt + KEPT_SECONDS <= now) {
      this.#entries.set(key, { fingerprint, startedAt: now, answer: undefined })
      return undefined
    }
    if (entry.fingerprint !== fingerprint) throw otherParameters(key)
    if (entry.answer === undefined) throw stillRunning(key)
    return entry.answer
  }

  /** The call was carried out: keep what it answered. */
  keep(key: string, answer: Answer): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.answer = answer
  }

  /** The call was not carried out (a parameter was wrong): the key is free again. */
  forget(key: string): void {
    if (this.#entries.get(key)?.answer === undefined) this.#entries.delete(key)
  }
}

function otherParameters(key: string): ApiError {
  const message =
    'Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a ' +
    `key other than '${key}' if you meant to execute a different request.`
  return new ApiError(400, { type: 'idempotency_error', message })
}

function stillRunning(key: string): ApiError {
  const message =
    'There is currently another in-progress request using this Idempotent Key (that probably means you submitted ' +
    `twice, and the other request is still going through): ${key}. Please try again later.`
  return new ApiError(409, { type: 'idempotency_error', code: 'idempotency_key_in_use', message })
}
