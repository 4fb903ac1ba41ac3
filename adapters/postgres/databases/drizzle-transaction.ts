import { UnavailableError } from '../../../src/errors.js'
import { CommitUnknown, LOCK_TIMEOUT_MS } from '../sql-database.js'
import { translateSqlError } from '../sql-errors.js'
import { begunInTime, TURN_TIMEOUT_MS } from './begun-in-time.js'
import { drizzleExecutor, type DrizzleExecutor } from './drizzle-executor.js'

export interface DrizzleDatabase extends DrizzleExecutor {
  transaction<T>(work: (tx: DrizzleExecutor) => Promise<T>, config?: object): Promise<T>
}

export interface DrizzleTransactionOptions {
  /** As REPEATABLE READ, READ ONLY. Default: READ COMMITTED. */
  snapshot?: boolean | undefined
  /** How long to wait for the transaction to begin, in milliseconds. Default 10 000. */
  turnTimeoutMs?: number | undefined
}

/**
 * Run `work` once in a transaction that Drizzle begins, commits and rolls back; we watch how far it got. The work's error
 * comes out unchanged.
 *
 * @throws {CommitUnknown} COMMIT was sent and got no answer.
 * @throws {UnavailableError} The transaction did not begin in time; `work` has not run and will not.
 */
export async function inDrizzleTransaction<T>(
  db: DrizzleDatabase,
  work: (tx: DrizzleExecutor) => Promise<T>,
  { snapshot = false, turnTimeoutMs = TURN_TIMEOUT_MS }: DrizzleTransactionOptions = {},
): Promise<T> {
  const config = snapshot
    ? { isolationLevel: 'repeatable read', accessMode: 'read only' }
    : { isolationLevel: 'read committed' }
  const progress: { finished: boolean; failure?: { error: unknown } } = { finished: false }

  const watched = async (tx: DrizzleExecutor): Promise<T> => {
    try {
      const executor = drizzleExecutor(tx)
      await executor.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`, [])
      const result = await work(tx)
      // Drizzle does not look at what COMMIT answers. After a failed statement this one fails, too.
      await executor.query('select 1', [])
      progress.finished = true
      return result
    } catch (error) {
      progress.failure = { error }
      throw error
    }
  }

  try {
    return await begunInTime(
      (begun) =>
        db.transaction(async (tx) => {
          begun()
          return watched(tx)
        }, config),
      turnTimeoutMs,
      neverBegan,
    )
  } catch (error) {
    // The work's own error, also when the ROLLBACK after it failed and hid it.
    if (progress.failure) throw progress.failure.error
    // Without an answer nothing is sure, even if this error says that it was never sent: it may be that of a
    // ROLLBACK which Drizzle sends after a COMMIT that failed.
    const { sqlState, mayHaveApplied } = translateSqlError(error)
    const answered = sqlState !== undefined && !mayHaveApplied
    throw progress.finished && !answered ? new CommitUnknown({ cause: error }) : error
  }
}

/** The error of a transaction that waited in vain for a connection of any driver. */
export function neverBegan(timeoutMs: number): UnavailableError {
  return new UnavailableError(
    `Nothing could begin within ${timeoutMs / 1000} s: every connection of the database is in use (PGlite has ` +
      'one), or the server does not answer. A call inside of a database transaction must pass `tx`, or it waits for that ' +
      'transaction to end. Nothing was written',
  )
}
