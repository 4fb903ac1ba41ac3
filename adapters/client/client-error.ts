import type { Problem } from '../../src/api/problem.js'

/** What is known of a refusal beside its code. */
export interface RefusalDetails {
  status?: number
  problem?: Problem
  requestId?: string | null
  isRetryable?: boolean
  cause?: unknown
}

/** A refusal, or an answer that never came. `code`: one of the server's, or of those this client has of its own. */
export class CreditsClientError extends Error {
  /** An error code of creditkit's, or `NETWORK`, `TIMEOUT`, `ABORTED`, `BAD_RESPONSE`. */
  readonly code: string
  /** 0: there was no answer. */
  readonly status: number
  /** The whole refusal, with its figures: `problem.shortfall`, `problem.issues`. Null: there was none. */
  readonly problem: Problem | null
  readonly requestId: string | null
  /**
   * Making the same call later can help, and has one effect: a read, or a write under an `idempotencyKey` of yours. A key
   * that the client made ends with its call, so another call would write again.
   */
  readonly isRetryable: boolean

  constructor(code: string, message: string, details: RefusalDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'CreditsClientError'
    this.code = code
    this.status = details.status ?? 0
    this.problem = details.problem ?? null
    this.requestId = details.requestId ?? null
    this.isRetryable = details.isRetryable ?? false
  }
}
