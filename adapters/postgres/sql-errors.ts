import {
  InvalidInputError,
  isCreditError,
  OutcomeUnknownError,
  StoreNotConfiguredError,
  UnavailableError,
} from '../../src/errors.js'
import { CommitUnknown } from './sql-database.js'

/**
 * What a database error means for the caller.
 * - `retry`: the transaction lost against another one and was undone; run it again.
 * - `unique`: a row with this key exists; look it up.
 * - `busy`: a lock was not granted in time.
 * - `missing-table`: our tables, or columns of a newer version, are not there.
 * - `unavailable`: the database could not be reached, or ended the conversation.
 * - `other`: a mistake of ours or of the host; a retry does not help.
 */
export type SqlErrorKind = 'retry' | 'unique' | 'busy' | 'missing-table' | 'unavailable' | 'other'

export interface SqlErrorMeaning {
  kind: SqlErrorKind
  /** The server's SQLSTATE, where the server answered at all. */
  sqlState: string | undefined
  /**
   * Could the statement that failed have taken effect all the same? Matters for a COMMIT and for a single statement
   * outside of a transaction; inside a transaction nothing has happened before COMMIT.
   */
  mayHaveApplied: boolean
}

/** Sort an error of any driver, also one that Drizzle has wrapped. Pure; never throws. */
export function translateSqlError(error: unknown): SqlErrorMeaning {
  const sqlState = sqlStateOf(error)
  return { kind: kindOf(error, sqlState), sqlState, mayHaveApplied: mayHaveApplied(error, sqlState) }
}

/**
 * The error to show to callers. Ours pass through; messages made here name the SQLSTATE at most, never SQL,
 * parameters, connection strings or the driver's own text. The driver's error stays reachable as `cause`.
 */
export function toCreditError(error: unknown): Error {
  if (isCreditError(error)) return error
  if (error instanceof CommitUnknown) {
    return new OutcomeUnknownError('The connection was lost during COMMIT: it is not known whether it happened', {
      cause: error,
    })
  }
  const { kind, sqlState } = translateSqlError(error)
  const name = sqlState === undefined ? '' : ` (${sqlState})`
  switch (kind) {
    case 'missing-table':
      return new StoreNotConfiguredError(
        `The creditkit tables are missing or out of date${name}: run \`await migrate()\` once before starting, ` +
          'or add them to your own migrations',
        { cause: error },
      )
    case 'retry':
    case 'busy':
      return new UnavailableError(`The account is busy in the database${name}; try again`, { cause: error })
    case 'unavailable':
      return new UnavailableError(`The database is not available${name}`, { cause: error })
    case 'unique':
    case 'other':
      // The only foreign key and the only bounded text there can be is the host's own user id column.
      if (sqlState === '23503')
        return new InvalidInputError([{ path: 'userId', message: 'is not a user' }], { cause: error })
      if (sqlState === '22001')
        return new InvalidInputError([{ path: 'userId', message: 'is too long' }], { cause: error })
      if (sqlState !== undefined && LOST_STATEMENT.has(sqlState)) {
        return new StoreNotConfiguredError(
          `Prepared statements do not survive on this connection${name}: behind a transaction pooler pass ` +
            '`prepare: false`',
          { cause: error },
        )
      }
      if (sqlState === '0A000') {
        return new StoreNotConfiguredError(
          'The database does not support a statement (0A000). On Citus, that is what locks rows of several users, forgets a ' +
            'person or claims events: see docs/scaling.md',
          { cause: error },
        )
      }
      return new Error(sqlState === undefined ? 'Database error' : `Database error ${sqlState}`, { cause: error })
  }
}

/** The SQLSTATE of an error or of what it wraps: Drizzle hides the driver's error in `cause`. */
export function sqlStateOf(error: unknown): string | undefined {
  return chain(error)
    .map(({ code }) => code)
    .find((code): code is string => typeof code === 'string' && SQL_STATE.test(code))
}

/** Classes of SQLSTATE start with a digit or are one of four; Node's `EPIPE` has five letters, too, and is none. */
const SQL_STATE = /^(?:[0-9][0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}$/

const KINDS: Record<string, SqlErrorKind> = {
  '40001': 'retry', // serialization failure
  '40P01': 'retry', // deadlock
  '23505': 'unique',
  '55P03': 'busy', // lock_timeout or NOWAIT
  '42P01': 'missing-table',
  '3F000': 'missing-table', // schema
  '42703': 'missing-table', // column
  '57014': 'unavailable', // statement_timeout, cancelled
  '25006': 'unavailable', // read-only: a standby, mostly during a failover
  '25P03': 'unavailable', // idle_in_transaction_session_timeout
  '25P04': 'unavailable', // transaction_timeout
  '3D000': 'unavailable', // no such database (yet)
}

/** Connection, sign-in, resources, operator, system. */
const UNAVAILABLE_CLASSES = new Set(['08', '28', '53', '57', '58'])

/** A pooler moved us to a connection that does not know the statement, or knows it already. */
const LOST_STATEMENT = new Set(['26000', '42P05'])

/** Codes of Node and postgres.js for a connection that never came to be: nothing was sent. */
const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'CONNECT_TIMEOUT', 'CONNECTION_ENDED'])

/** Codes of Node and postgres.js for a connection that ended under us. */
const LOST_CONNECTION = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
])

/** node-postgres and PGlite say these in words only. All of them: nothing was sent. */
const NEVER_SENT =
  /^(?:timeout exceeded when trying to connect|timeout expired|Connection terminated due to connection timeout|Cannot use a pool after calling end on the pool|Client (?:has encountered a connection error|was closed) and is not queryable|PGlite is clos(?:ed|ing))/

const ANSWER_LOST = /^(?:Connection terminated|Query read timeout)/

function kindOf(error: unknown, sqlState: string | undefined): SqlErrorKind {
  if (error instanceof CommitUnknown || isCreditError(error, 'UNAVAILABLE')) return 'unavailable'
  if (sqlState !== undefined) {
    return KINDS[sqlState] ?? (UNAVAILABLE_CLASSES.has(sqlState.slice(0, 2)) ? 'unavailable' : 'other')
  }
  return neverSent(error) || answerLost(error) ? 'unavailable' : 'other'
}

/** Unless the server or the lack of a connection proves the contrary, a statement may have taken effect. */
function mayHaveApplied(error: unknown, sqlState: string | undefined): boolean {
  if (error instanceof CommitUnknown) return true
  // Ours come from before anything was sent: the store is closed, or there was no connection in time.
  if (isCreditError(error)) return isCreditError(error, 'OUTCOME_UNKNOWN')
  if (sqlState === undefined) return !neverSent(error)
  // Connection never accepted, server starting up, statement cancelled.
  if (['08001', '08004', '57P03', '57014'].includes(sqlState)) return false
  // CockroachDB's "result is ambiguous"; and a session ended by the server may have ended after its COMMIT.
  return sqlState === '40003' || ['08', '57', '58', 'F0', 'XX'].includes(sqlState.slice(0, 2))
}

function neverSent(error: unknown): boolean {
  return chain(error).some(({ code, message }) => has(NEVER_CONNECTED, code) || matches(NEVER_SENT, message))
}

function answerLost(error: unknown): boolean {
  return chain(error).some(({ code, message }) => has(LOST_CONNECTION, code) || matches(ANSWER_LOST, message))
}

function has(codes: Set<string>, code: unknown): boolean {
  return typeof code === 'string' && codes.has(code)
}

function matches(pattern: RegExp, message: unknown): boolean {
  return typeof message === 'string' && pattern.test(message)
}

/** The error and what it wraps, outermost first. Bounded, since a chain may be circular. */
function chain(error: unknown): { code?: unknown; message?: unknown }[] {
  const found: { code?: unknown; message?: unknown }[] = []
  for (let at = error; typeof at === 'object' && at !== null && found.length < 8;) {
    found.push(at)
    at = 'cause' in at ? at.cause : undefined
  }
  return found
}
