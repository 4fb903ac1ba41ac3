import { StoreNotConfiguredError } from '../../../src/errors.js'
import {
  CommitUnknown,
  isolationLevel,
  LOCK_TIMEOUT_MS,
  STATEMENT_TIMEOUT_MS,
  type SqlDatabase,
  type SqlExecutor,
  type SqlRow,
  type SqlValue,
} from '../sql-database.js'
import { sqlStateOf, translateSqlError } from '../sql-errors.js'
import { begunInTime, TURN_TIMEOUT_MS } from './begun-in-time.js'
import { postgresJsHandles } from './drizzle-handles.js'
import { neverBegan } from './drizzle-transaction.js'
import { drizzleQueries, type RawTransaction, type Watch } from './postgres-js-rows.js'

/** The part of a postgres.js `sql` function we use. */
export interface PostgresJsSql extends PostgresJsStatements {
  begin(options: string, work: (tx: PostgresJsTransaction) => Promise<unknown>): Promise<unknown>
  options?: { transform?: { column?: { from?: ((name: string) => string) | undefined } } }
}

interface PostgresJsStatements {
  unsafe(text: string, values?: SqlValue[], options?: object): PostgresJsQuery
}

/** Has a `state` once it has been given to a connection; before, `cancel` takes it back. */
type PostgresJsQuery = PromiseLike<PostgresJsResult> & { state?: unknown; cancel?(): unknown }

type PostgresJsTransaction = PostgresJsStatements & RawTransaction

/** Rows; or, for a text of several statements, a list of such results. */
type PostgresJsResult = readonly (SqlRow | readonly SqlRow[])[]

export interface PostgresJsOptions {
  /** Named prepared statements. Default true; false behind a transaction pooler. The client's own `false` wins. */
  prepare?: boolean | undefined
  /** How long to wait for a connection and BEGIN, in milliseconds. Default 10 000. */
  turnTimeoutMs?: number | undefined
  /** How long COMMIT may go unanswered, in milliseconds. Default 15 000. */
  commitTimeoutMs?: number | undefined
}

/**
 * A postgres.js client of the host; we never end it.
 *
 * @throws {StoreNotConfiguredError} The client renames columns (`transform`), so our rows would come back changed.
 */
export function postgresJsDatabase(sql: PostgresJsSql, options: PostgresJsOptions = {}): SqlDatabase {
  const { prepare = true, commitTimeoutMs = STATEMENT_TIMEOUT_MS, turnTimeoutMs = TURN_TIMEOUT_MS } = options
  const renamed = sql.options?.transform?.column?.from?.('user_id') ?? 'user_id'
  if (renamed !== 'user_id') {
    throw new StoreNotConfiguredError(
      'The postgres.js client renames columns (option `transform`): give creditkit a client without it',
    )
  }

  const inTransaction = <T>(work: (connection: Connection) => Promise<T>, snapshot: boolean): Promise<T> => {
    const run = async (begun: () => void): Promise<T> => {
      for (let attempt = 1; ; attempt += 1) {
        const transaction = new Transaction(work, { snapshot, commitTimeoutMs, begun })
        try {
          return await transaction.run(sql)
        } catch (error) {
          if (attempt === STALE_ANSWERS || transaction.entered || !isStaleAnswer(error)) throw error
        }
      }
    }
    return begunInTime(run, turnTimeoutMs, neverBegan)
  }

  return {
    query: async (text, values) => rowsOf(await sentInTime(sql.unsafe(text, [...values], { prepare }), turnTimeoutMs)),

    transaction: (work, { snapshot = false } = {}) =>
      inTransaction(({ tx, watch }) => {
        const query: SqlExecutor['query'] = async (text, values) =>
          rowsOf(await watch(() => tx.unsafe(text, [...values], { prepare })))
        return work({ query })
      }, snapshot),

    hostTransaction: async (work) => {
      const handle = await postgresJsHandles()
      return inTransaction(({ tx, watch }) => work(handle(drizzleQueries(tx, watch))), false)
    },

    close: async () => {},
  }
}

/** A statement's answer; one that no connection has taken in time is taken back, and surely was not sent. */
async function sentInTime(query: PostgresJsQuery, timeoutMs: number): Promise<PostgresJsResult> {
  let late: Error | undefined
  const timer = setTimeout(() => {
    if (query.state !== undefined && query.state !== null) return
    late = neverBegan(timeoutMs)
    query.cancel?.()
  }, timeoutMs)
  try {
    return await query
  } catch (error) {
    throw late ?? error
  } finally {
    clearTimeout(timer)
  }
}

/**
 * A connection that the server ended during a statement gives that error a second time, to the first statement after
 * it has reconnected (postgres.js 3.4.9). As long as our work has not begun, we may just ask again; at most once for
 * each connection of a pool of the usual size.
 */
const STALE_ANSWERS = 10

function isStaleAnswer(error: unknown): boolean {
  return ['57P01', '57P02'].includes(sqlStateOf(error) ?? '')
}

/** One connection in a transaction. Statements go through `watch`, which sends nothing once the connection is lost. */
interface Connection {
  tx: PostgresJsTransaction
  watch: Watch
}

/**
 * One run of `sql.begin`, which sends BEGIN, COMMIT and ROLLBACK but goes on after its connection was lost: it would
 * send the rest to nobody, which ends the process, or into the connection that took the place of the lost one. So
 * after a loss nothing more is sent, and the work's promise, for which `sql.begin` waits, never settles.
 */
class Transaction<T> {
  entered = false
  #lost: unknown
  #isLost = false
  #committing = false
  #timer: NodeJS.Timeout | undefined
  #abandon: (reason: unknown) => void = () => {}
  readonly #abandoned = new Promise<never>((_, reject) => {
    this.#abandon = reject
  })

  constructor(
    private readonly work: (connection: Connection) => Promise<T>,
    private readonly options: { snapshot: boolean; commitTimeoutMs: number; begun: () => void },
  ) {}

  async run(sql: PostgresJsSql): Promise<T> {
    let outcome: { result: T } | undefined
    let failure: { error: unknown } | undefined

    const begun = sql.begin(`isolation level ${isolationLevel(this.options.snapshot)}`, async (tx) => {
      this.options.begun()
      this.entered = true
      try {
        const result = await this.work(this.#connection(tx))
        outcome = { result }
      } catch (error) {
        failure = { error }
      }
      if (this.#isLost) return this.#giveUp(failure?.error ?? this.#lost)
      if (failure) throw failure.error
      this.#startCommit()
      return undefined
    })
    // A connection lost between two statements ends `begun` before the work notices.
    begun.catch((error: unknown) => this.#lose(error))

    try {
      await Promise.race([begun, this.#abandoned])
    } catch (error) {
      // The work's own error, also when the ROLLBACK after it failed and hid it.
      if (failure) throw failure.error
      const { sqlState, mayHaveApplied } = translateSqlError(error)
      const answered = sqlState !== undefined && !mayHaveApplied
      throw this.#committing && !answered ? new CommitUnknown({ cause: error }) : error
    } finally {
      clearTimeout(this.#timer)
    }
    if (!outcome) throw new Error('postgresJsDatabase: sql.begin ended without running its work')
    return outcome.result
  }

  #connection(tx: PostgresJsTransaction): Connection {
    const watch: Watch = async (run) => {
      if (this.#isLost) throw this.#lost
      try {
        return await run()
      } catch (error) {
        if (isLoss(error)) this.#lose(error)
        throw error
      }
    }
    // Not awaited: it travels together with the first statement. Failing, it fails the transaction.
    watch(() => tx.unsafe(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`)).catch(() => {})
    return { tx, watch }
  }

  #lose(error: unknown): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#lost = error
  }

  #giveUp(error: unknown): Promise<never> {
    this.#abandon(error)
    return new Promise<never>(() => {})
  }

  /** postgres.js has no timeout for a reply. When the late one comes, the connection goes back to the pool. */
  #startCommit(): void {
    const { commitTimeoutMs } = this.options
    this.#committing = true
    this.#timer = setTimeout(() => {
      this.#abandon(new Error(`No answer to COMMIT within ${commitTimeoutMs} ms`))
    }, commitTimeoutMs)
  }
}

/** Is the connection gone with this error, or about to be? */
function isLoss(error: unknown): boolean {
  const { kind, sqlState } = translateSqlError(error)
  if (sqlState === undefined) return kind === 'unavailable'
  return error instanceof Error && 'severity' in error && ['FATAL', 'PANIC'].includes(String(error.severity))
}

/** A text of several statements answers with a list of results; the last one counts. */
function rowsOf(result: PostgresJsResult): SqlRow[] {
  const last = result.at(-1)
  // A row is an object, a result an array: only a list of results has arrays in it.
  return [...((Array.isArray(last) ? last : result) as readonly SqlRow[])]
}
