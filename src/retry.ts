import { isRetryable } from './errors.js'

/**
 * How often, and how patiently, `withRetry` tries. Only errors of which `isRetryable` is true are tried again; the last
 * one is thrown.
 */
export interface RetryOptions {
  /** Tries in all. Default 4. */
  attempts?: number | undefined
  /**
   * Wait before the second try, in milliseconds; doubles each time, and each wait is shortened by a random part, at
   * most half. Default 50.
   */
  firstDelayMs?: number | undefined
}

/**
 * Call `work` again while it fails with an error that a repeat can help (`isRetryable`). Give writes an idempotency key,
 * so that a try whose answer was lost is not done twice.
 */
export async function withRetry<T>(
  work: () => Promise<T>,
  { attempts = 4, firstDelayMs = 50 }: RetryOptions = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= attempts || !isRetryable(error)) throw error
      const delayMs = firstDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2)
      await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  }
}
