import { createHash } from 'node:crypto'
import { StoreNotConfiguredError } from '../../../src/errors.js'
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
import { lazyDatabase } from './lazy.js'

/** The part of a `pg` Pool we use; pools of Neon and Vercel have it, too. */
export interface NodePostgresPool {
  connect(): Promise<NodePostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
}

export interface NodePostgresClient {
  query(query: NodePostgresQuery): Promise<NodePostgresResult | NodePostgresResult[]>
  on(event: 'error', listener: (error: Error) => void): unknown
  /** With an error, the connection is closed instead of going back to the pool. */
  release(error?: Error | boolean): void
}

interface NodePostgresQuery {
  text: string
  name?: string
  values?: SqlValue[]
  query_timeout?: number
}

interface NodePostgresResult {
  rows: SqlRow[]
  command: string
}

export interface NodePostgresOptions {
  /** Named prepared statements. Default true; false behind a transaction pooler without support for them. */
  prepare?: boolean | undefined
  /** How long COMMIT may go unanswered, in milliseconds. Default 15 000. */
  commitTimeoutMs?: number | undefined
}

/**
 * A `pg` pool of the host. We never end it. It gets an `error` listener, once: a server that drops an idle connection
 * would end the Node process otherwise.
 */
export function nodePostgresDatabase(pool: NodePostgresPool, options: NodePostgresOptions = {}): SqlDatabase {
  listenForErrors(pool)
  const { prepare = true, commitTimeoutMs = STATEMENT_TIMEOUT_MS } = options

  return {
    // Not `pool.query()`, which closes the connection after every error, also after a unique violation.
    query: async (text, values) => {
      const client = await checkOut(pool)
      try {
        const rows = await run(client, text, values, prepare)
        client.release()
        return rows
      } catch (error) {
        client.release(unusableAfter(error))
        throw error
      }
    },

    transaction: async <T>(work: (tx: SqlExecutor) => Promise<T>, { snapshot = false } = {}) => {
      const client = await checkOut(pool)
      const connection = watched(client, prepare)
      let result: T
      try {
        await client.query({ text: beginStatement(snapshot) })
        result = await work(connection)
        // Only when `work` swallowed it: nothing more may be sent, least of all COMMIT.
        if (connection.lost !== undefined) throw connection.lost
      } catch (error) {
        await rollback(client, connection.lost !== undefined)
        throw error
      }
      await commit(client, commitTimeoutMs)
      return result
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
      connectionTimeoutMillis: 10_000,
      // Longer than the server's own limit, so that the server's answer wins where there is one.
      query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
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
        throw error
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

async function checkOut(pool: NodePostgresPool): Promise<NodePostgresClient> {
  const client = await pool.connect()
  listenForErrors(client)
  return client
}

async function run(
  client: NodePostgresClient,
  text: string,
  values: readonly SqlValue[],
  prepare: boolean,
): Promise<SqlRow[]> {
  if (values.length === 0) return lastRows(await client.query({ text }))
  const query = { text, values: [...values] }
  return lastRows(await client.query(prepare ? { ...query, name: statementName(text) } : query))
}

/** A text of several statements answers with a list. */
function lastRows(result: NodePostgresResult | NodePostgresResult[]): SqlRow[] {
  return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? []
}

/** Runs statements on one client and remembers the error after which it can't be used any more. */
function watched(client: NodePostgresClient, prepare: boolean): SqlExecutor & { lost: Error | undefined } {
  return {
    lost: undefined,
    async query(text, values) {
      try {
        return await run(client, text, values, prepare)
      } catch (error) {
        if (unusableAfter(error)) this.lost ??= error instanceof Error ? error : new Error('Connection lost')
        throw error
      }
    },
  }
}

async function rollback(client: NodePostgresClient, lost: boolean): Promise<void> {
  if (lost) {
    // A ROLLBACK would wait behind the statement that got no answer; closing the connection undoes it as well.
    client.release(true)
    return
  }
  try {
    await client.query({ text: 'rollback' })
    client.release()
  } catch {
    // The connection is gone, and with it the transaction: the error that led here is the one to report.
    client.release(true)
  }
}

async function commit(client: NodePostgresClient, timeoutMs: number): Promise<void> {
  let command: string | undefined
  try {
    const result = await client.query({ text: 'commit', query_timeout: timeoutMs })
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
