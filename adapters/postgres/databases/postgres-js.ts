import { StoreNotConfiguredError } from '../../../src/errors.js'
import {
  beginStatement,
  CommitUnknown,
  RolledBack,
  STATEMENT_TIMEOUT_MS,
  type SqlDatabase,
  type SqlExecutor,
  type SqlRow,
  type SqlValue,
} from '../sql-database.js'
import { translateSqlError } from '../sql-errors.js'

/** The part of a postgres.js `sql` function we use. */
export interface PostgresJsSql {
  unsafe(text: string, values?: SqlValue[], options?: object): PromiseLike<PostgresJsResult>
  reserve(): Promise<PostgresJsReserved>
  options?: { transform?: { column?: { from?: ((name: string) => string) | undefined } } }
}

interface PostgresJsReserved {
  unsafe(text: string, values?: SqlValue[], options?: object): PromiseLike<PostgresJsResult>
  release(): void
}

/** Rows; or, for a text of several statements, a list of such results. */
type PostgresJsResult = readonly (SqlRow | readonly SqlRow[])[] & { command?: string }

/**
 * What `onexecute` hands out. Neither is in postgres.js' types, yet its own `sql.begin` stands on them: there is no
 * other way to hear that a reserved connection was lost, and a reserved handle would go on to write to nobody, or
 * into the connection that took its place.
 */
interface PostgresJsConnection {
  onclose: ((error: unknown) => void) | null
  terminate(): void
}

export interface PostgresJsOptions {
  /** Named prepared statements. Default true; false behind a transaction pooler. The client's own `false` wins. */
  prepare?: boolean | undefined
  /** How long COMMIT may go unanswered, in milliseconds. Default 15 000. */
  commitTimeoutMs?: number | undefined
}

/**
 * A postgres.js client of the host; we never end it.
 *
 * @throws {StoreNotConfiguredError} The client renames columns (`transform`), so our rows would come back changed.
 */
export function postgresJsDatabase(sql: PostgresJsSql, options: PostgresJsOptions = {}): SqlDatabase {
  const { prepare = true, commitTimeoutMs = STATEMENT_TIMEOUT_MS } = options
  const renamed = sql.options?.transform?.column?.from?.('user_id') ?? 'user_id'
  if (renamed !== 'user_id') {
    throw new StoreNotConfiguredError(
      'The postgres.js client renames columns (option `transform`): give creditkit a client without it',
    )
  }

  return {
    query: async (text, values) => rowsOf(await sql.unsafe(text, [...values], { prepare })),

    transaction: async <T>(work: (tx: SqlExecutor) => Promise<T>, { snapshot = false } = {}) => {
      const connection = await reserve(sql)
      let result: T
      try {
        await connection.begin(snapshot)
        result = await work({
          query: async (text, values) => rowsOf(await connection.run(text, values, { prepare })),
        })
      } catch (error) {
        await connection.rollback()
        throw error
      }
      await connection.commit(commitTimeoutMs)
      return result
    },

    close: async () => {},
  }
}

/** A reserved connection that sends nothing more once it was lost. */
async function reserve(sql: PostgresJsSql) {
  const reserved = await sql.reserve()
  const held: { connection: PostgresJsConnection | undefined; lost: Error | undefined } = {
    connection: undefined,
    lost: undefined,
  }
  let lose: (error: Error) => void = () => {}
  const loss = new Promise<never>((_, reject) => {
    lose = reject
  })
  // Heard by whoever runs a statement at that time, or by the next one; often by nobody.
  loss.catch(() => {})

  const run = async (text: string, values: readonly SqlValue[], options: object): Promise<PostgresJsResult> => {
    if (held.lost) throw held.lost
    // Statements waiting for their turn on a reserved connection are forgotten when it closes: hence the race.
    return Promise.race([reserved.unsafe(text, [...values], options), loss])
  }

  /** Close a connection whose state nobody knows; one that was lost is closed already. */
  const discard = (): void => {
    if (!held.lost) held.connection?.terminate()
  }

  /** Back to the pool; a lost connection has left it by itself, and releasing it would hand it to the next caller. */
  const release = (): void => {
    if (held.connection) held.connection.onclose = null
    if (!held.lost) reserved.release()
  }

  const onexecute = (opened: PostgresJsConnection): void => {
    held.connection = opened
    opened.onclose = (error) => {
      held.lost = error instanceof Error ? error : new Error('Connection closed')
      lose(held.lost)
    }
  }

  return {
    run,

    begin: async (snapshot: boolean): Promise<void> => {
      await run(beginStatement(snapshot), [], { onexecute })
      // Without it a transaction that lost its connection could go on in the middle of another one.
      if (!held.connection)
        throw new Error('postgresJsDatabase: not postgres.js 3.4, or one that hides its connections')
    },

    rollback: async (): Promise<void> => {
      try {
        await run('rollback', [], {})
      } catch {
        // The connection is gone, and with it the transaction: the error that led here is the one to report.
        discard()
        return
      }
      release()
    },

    commit: async (timeoutMs: number): Promise<void> => {
      if (held.lost) throw held.lost
      let command: string | undefined
      try {
        command = (await answerWithin(timeoutMs, run('commit', [], {}))).command
      } catch (error) {
        const { mayHaveApplied } = translateSqlError(error)
        if (!mayHaveApplied) {
          release()
          throw error
        }
        discard()
        throw new CommitUnknown({ cause: error })
      }
      release()
      if (command === 'ROLLBACK') throw new RolledBack()
    },
  }
}

/** postgres.js has no timeout for a reply. The late one is of no interest: its connection is closed by then. */
async function answerWithin<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A text of several statements answers with a list of results; the last one counts. */
function rowsOf(result: PostgresJsResult): SqlRow[] {
  const last = result.at(-1)
  // A row is an object, a result an array: only a list of results has arrays in it.
  return Array.isArray(last) ? [...(last as SqlRow[])] : [...(result as readonly SqlRow[])]
}
