import { createHash } from 'node:crypto'
import { StoreNotConfiguredError, UnavailableError } from '../../../src/errors.js'
import {
  CommitUnknown,
  isolationLevel,
  LOCK_TIMEOUT_MS,
  RolledBack,
  STATEMENT_TIMEOUT_MS,
  type SqlDatabase,
  type SqlExecutor,
  type SqlRow,
  type SqlValue,
} from '../sql-database.js'
import { translateSqlError } from '../sql-errors.js'
import { nodePostgresHandles, type NodePostgresQueries } from './drizzle-handles.js'
import { lazyDatabase } from './lazy.js'

/** The part of a `pg` Pool we use; pools of Neon and Vercel have it, too. */
export interface NodePostgresPool {
  connect(): Promise<NodePostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'acquire', listener: (client: NodePostgresClient) => void): unknown
  options?: { connectionTimeoutMillis?: number | undefined }
}

export interface NodePostgresClient {
  query(query: NodePostgresQuery, values?: unknown[]): Promise<NodePostgresResult | NodePostgresResult[]>
  on(event: 'error', listener: (error: Error) => void): unknown
  /** With an error, the connection is closed instead of going back to the pool. */
  release(error?: Error | boolean): void
}

interface NodePostgresQuery {
  text: string
  name?: string
  values?: SqlValue[]
}

interface NodePostgresResult {
  rows: SqlRow[]
  command: string
}

export interface NodePostgresOptions {
  /** Named prepared statements. Default true; false behind a transaction pooler without support for them. */
  prepare?: boolean | undefined
  /** How long getting a connection may take, in milliseconds. Default: the pool's `connectionTimeoutMillis`, or 10 000. */
  connectTimeoutMs?: number | undefined
  /** How long any other statement than COMMIT may go unanswered, in milliseconds. Default 20 000. */
  statementTimeoutMs?: number | undefined
  /** How long COMMIT may go unanswered, in milliseconds. Default 15 000. */
  commitTimeoutMs?: number | undefined
}

const CONNECT_TIMEOUT_MS = 10_000

/** Longer than the server's own limit on pools of our own, so that the server's answer wins where there is one. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 5_000

/**
 * A `pg` pool of the host. We never end it. It gets an `error` listener, once: a server that drops an idle connection
 * would end the Node process otherwise.
 *
 * Bounded in time, whatever the pool's settings: a connection or an answer that does not come ends the call, and a
 * connection that owes an answer is closed. Limits of the host's that are shorter win.
 */
export function nodePostgresDatabase(pool: NodePostgresPool, options: NodePostgresOptions = {}): SqlDatabase {
  listenForErrors(pool)
  // Also of clients that Drizzle checks out of the host's pool, to run a transaction of ours.
  pool.on('acquire', listenForErrors)
  const { prepare = true, statementTimeoutMs = ANSWER_TIMEOUT_MS, commitTimeoutMs = STATEMENT_TIMEOUT_MS } = options
  const connectTimeoutMs = options.connectTimeoutMs ?? (pool.options?.connectionTimeoutMillis || CONNECT_TIMEOUT_MS)
  const statements = { prepare, timeoutMs: statementTimeoutMs }

  async function inTransaction<T>(work: (connection: Connection) => Promise<T>, snapshot: boolean): Promise<T> {
    const client = await checkOut(pool, connectTimeoutMs)
    const connection = watched(client, statements)
    let result: T
    try {
      await connection.query(beginStatement(snapshot), [])
      result = await work(connection)
      // Only when `work` swallowed it: nothing more may be sent, least of all COMMIT.
      if (connection.lost !== undefined) throw connection.lost
    } catch (error) {
      await rollback(client, connection.lost !== undefined, statementTimeoutMs)
      throw error
    }
    await commit(client, commitTimeoutMs)
    return result
  }

  return {
    // Not `pool.query()`, which closes the connection after every error, also after a unique violation.
    query: async (text, values) => {
      const client = await checkOut(pool, connectTimeoutMs)
      try {
        const rows = await run(client, text, values, statements)
        client.release()
        return rows
      } catch (error) {
        client.release(unusableAfter(error))
        throw error
      }
    },

    transaction: (work, { snapshot = false } = {}) => inTransaction(work, snapshot),

    hostTransaction: async (work) => {
      const handle = await nodePostgresHandles()
      return inTransaction((connection) => work(handle(connection.forDrizzle)), false)
    },

    close: async () => {},
  }
}

/**
 * A pool of our own. Connects with the first statement; needs the package `pg`. Everything on it is bounded in time:
 * connecting, a statement at the server, a reply that never comes.
 */
export function openNodePostgres(connectionString: string, options: NodePostgresOptions = {}): SqlDatabase {
  return lazyDatabase(async () => {
    const pg = await import('pg').catch((cause: unknown) => {
      throw new StoreNotConfiguredError('A connection string needs the package `pg`: npm install pg', { cause })
    })
    const { Pool } = pg.default
    const bounded = {
      connectionString,
      max: 10,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      // A script that forgot `close()` may end.
      allowExitOnIdle: true,
    }
    const atServer = { statement_timeout: STATEMENT_TIMEOUT_MS, lock_timeout: LOCK_TIMEOUT_MS }
    const pool = new Pool({ ...bounded, ...((await refusesSettings()) ? {} : atServer) })
    const database = nodePostgresDatabase(pool, options)
    return { ...database, close: () => pool.end() }

    /** PgBouncer refuses a connection that brings settings it does not know; then only our own clock limits us. */
    async function refusesSettings(): Promise<boolean> {
      const probe = new pg.default.Client({ ...bounded, ...atServer })
      probe.on('error', ignore)
      try {
        await probe.connect()
        return false
      } catch (error) {
        if (error instanceof Error && /unsupported startup parameter/i.test(error.message)) return true
        throw notConnected(error)
      } finally {
        await probe.end().catch(ignore)
      }
    }
  })
}

/** Also taken while a connection is checked out: between two statements of a transaction nobody else listens. */
const listening = new WeakSet<object>()

function listenForErrors(emitter: { on(event: 'error', listener: (error: Error) => void): unknown }): void {
  if (listening.has(emitter)) return
  listening.add(emitter)
  emitter.on('error', ignore)
}

/** Safe to lose: the pool drops a broken connection, and whoever uses it next sees the failure as an error. */
function ignore(): void {}

/** @throws {UnavailableError} No connection in time: surely nothing was sent. */
async function checkOut(pool: NodePostgresPool, timeoutMs: number): Promise<NodePostgresClient> {
  const connecting = pool.connect()
  try {
    const client = await inTime(connecting, timeoutMs, () => noConnection(timeoutMs))
    listenForErrors(client)
    return client
  } catch (error) {
    // It may come yet, and nobody waits for it any more: the pool gets it back.
    connecting.then((unused) => unused.release(), ignore)
    // The pool's own words for the same: all of its connections were in use.
    const isFull = error instanceof Error && error.message.startsWith('timeout exceeded when trying to connect')
    throw isFull ? noConnection(timeoutMs, { cause: error }) : notConnected(error)
  }
}

/** A connection that ended before it was made has sent nothing, whatever the same error means of one that was. */
function notConnected(error: unknown): unknown {
  if (!translateSqlError(error).mayHaveApplied) return error
  return new UnavailableError('The database could not be connected to. Nothing was written', { cause: error })
}

function noConnection(timeoutMs: number, options?: { cause: unknown }): UnavailableError {
  return new UnavailableError(
    `No database connection within ${timeoutMs / 1000} s: the server does not answer, or every connection of the pool ` +
      'is in use. A call inside of a database transaction must pass `tx`, or it waits for a second connection. ' +
      'Nothing was written',
    options,
  )
}

/** How statements are sent, and for how long their answers are waited for. */
interface Statements {
  prepare: boolean
  timeoutMs: number
}

async function run(
  client: NodePostgresClient,
  text: string,
  values: readonly SqlValue[],
  { prepare, timeoutMs }: Statements,
): Promise<SqlRow[]> {
  if (values.length === 0) return lastRows(await ask(client, { text }, timeoutMs))
  const query = { text, values: [...values] }
  return lastRows(await ask(client, prepare ? { ...query, name: statementName(text) } : query, timeoutMs))
}

/**
 * One statement and its answer. Not with `pg`'s `query_timeout`: releases before 8.14 know it for whole pools only, and
 * it would lift a shorter one of the host's. After this error the connection must be closed.
 */
function ask(client: NodePostgresClient, query: NodePostgresQuery, timeoutMs: number) {
  return answerInTime(client.query(query), timeoutMs)
}

function answerInTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return inTime(answer, timeoutMs, () => new Error(`Query read timeout: no answer within ${timeoutMs} ms`))
}

/** What `promise` settles to, or `late` when it takes longer. Then its own outcome is nobody's business any more. */
function inTime<T>(promise: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    // A connection keeps the process alive while it is open; its clock need not.
    const timer = setTimeout(() => reject(late()), timeoutMs).unref()
    promise.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}

/** A text of several statements answers with a list. */
function lastRows(result: NodePostgresResult | NodePostgresResult[]): SqlRow[] {
  return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? []
}

/** One client, with the error after which it can't be used any more. */
interface Connection extends SqlExecutor {
  lost: Error | undefined
  /** For the host's own statements, which it sends through Drizzle, and ours among them. */
  forDrizzle: NodePostgresQueries
}

function watched(client: NodePostgresClient, statements: Statements): Connection {
  const watch = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } catch (error) {
      if (unusableAfter(error)) connection.lost ??= error instanceof Error ? error : new Error('Connection lost')
      throw error
    }
  }
  const connection: Connection = {
    lost: undefined,
    query: (text, values) => watch(run(client, text, values, statements)),
    forDrizzle: { query: (query, values) => watch(answerInTime(client.query(query, values), statements.timeoutMs)) },
  }
  return connection
}

async function rollback(client: NodePostgresClient, lost: boolean, timeoutMs: number): Promise<void> {
  if (lost) {
    // A ROLLBACK would wait behind the statement that got no answer; closing the connection undoes it as well.
    client.release(true)
    return
  }
  try {
    await ask(client, { text: 'rollback' }, timeoutMs)
    client.release()
  } catch {
    // The connection is gone, and with it the transaction: the error that led here is the one to report.
    client.release(true)
  }
}

async function commit(client: NodePostgresClient, timeoutMs: number): Promise<void> {
  let command: string | undefined
  try {
    const result = await ask(client, { text: 'commit' }, timeoutMs)
    command = Array.isArray(result) ? undefined : result.command
  } catch (error) {
    client.release(unusableAfter(error))
    throw translateSqlError(error).mayHaveApplied ? new CommitUnknown({ cause: error }) : error
  }
  client.release()
  if (command === 'ROLLBACK') throw new RolledBack()
}

/** One round trip: without parameters, several statements may share one message. */
function beginStatement(snapshot: boolean): string {
  return `begin isolation level ${isolationLevel(snapshot)}; set local lock_timeout = ${LOCK_TIMEOUT_MS}`
}

/** An error the server answered leaves the connection usable; without an answer its state is not known. */
function unusableAfter(error: unknown): boolean {
  const { sqlState, mayHaveApplied } = translateSqlError(error)
  return sqlState === undefined || mayHaveApplied
}

/** Texts are a fixed set, so this stays small. */
const names = new Map<string, string>()

/** One name per text, the same everywhere: a pool may serve several instances, and servers keep names per connection. */
function statementName(text: string): string {
  let name = names.get(text)
  if (name === undefined) {
    name = `ck_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
    names.set(text, name)
  }
  return name
}
