import type { DrizzleExecutor } from './databases/drizzle-executor.js'

/** A row as a driver returns it. Statements cast so that every value is text, a boolean, a small integer or null. */
export type SqlRow = Record<string, unknown>

/** Values we bind. Always text or null: statements cast (`$1::text::bigint`), so every driver sends the same bytes. */
export type SqlValue = string | null

/**
 * Somewhere to run one statement: a pooled connection, a transaction, or the host's transaction. Placeholders are
 * `$1`, `$2`, …; a statement is run as a named prepared statement where the driver can (name = hash of the text).
 */
export interface SqlExecutor {
  query(text: string, values: readonly SqlValue[]): Promise<SqlRow[]>
}

/**
 * One driver's way to reach one Postgres database. Everything it throws is the driver's own error: translation to our
 * errors happens once, in `sql-errors.ts`.
 */
export interface SqlDatabase extends SqlExecutor {
  /**
   * Run `work` on one connection between BEGIN (READ COMMITTED, with `lockTimeoutMs` where the driver allows) and
   * COMMIT; ROLLBACK when it throws, and then its error comes out unchanged. When COMMIT itself fails in a way that
   * leaves the outcome open (connection lost, no answer in time), throws {@link CommitUnknown}.
   * `snapshot` runs it as REPEATABLE READ, READ ONLY: every statement sees the same state.
   */
  transaction<T>(work: (tx: SqlExecutor) => Promise<T>, options?: { snapshot?: boolean }): Promise<T>

  /**
   * The same, READ COMMITTED, with a Drizzle transaction on the connection: for the host's own statements, and for ours by
   * `drizzleExecutor`. Of a store made from a Drizzle database it is that database's own, with its schema and logger.
   */
  hostTransaction<T>(work: (tx: DrizzleExecutor) => Promise<T>): Promise<T>

  /** End what we opened ourselves; a pool, client or database handed in by the host stays open. */
  close(): Promise<void>
}

/** COMMIT was sent and no answer came: the transaction may or may not have happened. */
export class CommitUnknown extends Error {
  constructor(options: { cause: unknown }) {
    super('COMMIT was sent but its outcome is not known', options)
    this.name = 'CommitUnknown'
  }
}

/** COMMIT of a transaction in which a statement had failed: Postgres answers it with ROLLBACK and no error. */
export class RolledBack extends Error {
  /** The SQLSTATE that any further statement would have got: in failed transaction. */
  readonly code = '25P02'

  constructor() {
    super('The transaction was rolled back instead of committed')
    this.name = 'RolledBack'
  }
}

/** What stands behind ISOLATION LEVEL, the same for every driver. */
export function isolationLevel(snapshot: boolean): string {
  return snapshot ? 'repeatable read read only' : 'read committed'
}

/** How long a statement waits for a row lock, in milliseconds, before the call ends as unavailable. */
export const LOCK_TIMEOUT_MS = 5_000

/** How long the server may work on one statement, in milliseconds; without an answer we stop waiting 5 s later. */
export const STATEMENT_TIMEOUT_MS = 15_000
