import { isCreditError, OutcomeUnknownError } from './errors.js'

/**
 * Read again what a command has written. It is written whatever becomes of the reading: a database that goes away in between
 * must not be told as one that was not there, which would say that nothing happened.
 *
 * @throws {OutcomeUnknownError} It could not be read; a retry with the same key finds it.
 */
export async function readWritten<R>(read: () => Promise<R>): Promise<R> {
  try {
    return await read()
  } catch (error) {
    if (!isCreditError(error, 'UNAVAILABLE')) throw error
    throw new OutcomeUnknownError('It was written, but could not be read again; retry with the same idempotency key', {
      cause: error,
    })
  }
}
