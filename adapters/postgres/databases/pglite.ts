import type { protocol } from '@electric-sql/pglite'
import { StoreNotConfiguredError, UnavailableError } from '../../../src/errors.js'
import { lockDirectory } from '../directory-lock.js'
import {
  CommitUnknown,
  isolationLevel,
  RolledBack,
  type SqlDatabase,
  type SqlExecutor,
  type SqlRow,
  type SqlValue,
} from '../sql-database.js'
import { sqlStateOf, translateSqlError } from '../sql-errors.js'
import { begunInTime, TURN_TIMEOUT_MS } from './begun-in-time.js'
import { pgliteHandle } from './drizzle-handles.js'
import { inDrizzleTransaction } from './drizzle-transaction.js'
import { lazyDatabase } from './lazy.js'

/** The part of a PGlite instance we use. The methods with an underscore are public, too: its own plug-ins call them. */
export interface PGliteInstance {
  /** Throws once the instance is closed or closing. */
  _checkReady(): Promise<void>
  /** Waits for all queries and transactions of others to end, and holds off new ones meanwhile. */
  _runExclusiveTransaction<T>(work: () => Promise<T>): Promise<T>
  /** The wire, for one message at a time. Without it replies get mixed up. */
  runExclusive<T>(work: () => Promise<T>): Promise<T>
  execProtocolStream(message: Uint8Array, options: { syncToFs: boolean }): Promise<ProtocolMessage[]>
}

interface ProtocolMessage {
  name: string
  /** `dataRow`: values; `rowDescription`: columns. */
  fields?: (string | null)[] | Column[]
  /** `commandComplete`: the command's tag. */
  text?: string
}

interface Column {
  name: string
  dataTypeID: number
}

/** PGlite's writer of wire messages; pure functions, so any copy of the package will do. */
type Serialize = (typeof protocol)['serialize']

export interface PGliteOptions {
  /** How long to wait for the turn on the one connection, in milliseconds. Default 10 000. */
  turnTimeoutMs?: number | undefined
}

/**
 * A PGlite instance of the host; we never close it. There is one connection: statements and transactions queue, ours
 * among those of the host. Who awaits the database itself inside of one of its transactions waits for himself: that
 * ends as unavailable after `turnTimeoutMs`.
 *
 * A statement is parsed and planned once and then only bound and executed, five times faster than `query()`.
 */
export function pgliteDatabase(pglite: PGliteInstance, options: PGliteOptions = {}): SqlDatabase {
  const { turnTimeoutMs = TURN_TIMEOUT_MS } = options
  const statements = preparedStatements(pglite)

  /** The turn on the connection. Rejects when it does not come in time, or when the instance was closed meanwhile. */
  const exclusively = async <T>(work: () => Promise<T>): Promise<T> => {
    await pglite._checkReady()
    const run = (begun: () => void): Promise<T> =>
      pglite._runExclusiveTransaction(async () => {
        // The queue can't be left, so a turn that is late comes all the same, but the caller was told: nothing written.
        begun()
        await pglite._checkReady()
        return work()
      })
    return begunInTime(run, turnTimeoutMs, turnNeverCame)
  }

  return {
    query: (text, values) => exclusively(() => statements.query(text, values, { syncToFs: true })),

    transaction: <T>(work: (tx: SqlExecutor) => Promise<T>, { snapshot = false } = {}) =>
      exclusively(async () => {
        // No lock timeout: with one connection there is nobody to wait for.
        await statements.command(`begin isolation level ${isolationLevel(snapshot)}`, { syncToFs: false })
        let result: T
        try {
          result = await work({ query: (text, values) => statements.query(text, values, { syncToFs: false }) })
        } catch (error) {
          // Fails only when PGlite itself is broken; the error that led here is the one to report.
          await statements.command('rollback', { syncToFs: true }).catch(() => undefined)
          throw error
        }
        const tag = await statements.command('commit', { syncToFs: true }).catch((cause: unknown) => {
          throw translateSqlError(cause).mayHaveApplied ? new CommitUnknown({ cause }) : cause
        })
        if (tag === 'ROLLBACK') throw new RolledBack()
        return result
      }),

    hostTransaction: async (work) => {
      const drizzle = await pgliteHandle(pglite)
      await pglite._checkReady()
      return inDrizzleTransaction(drizzle, work, { turnTimeoutMs })
    },

    close: async () => {},
  }
}

/**
 * A PGlite of our own in `dataDir`, or in memory without one. Opens with the first statement (about two seconds) and
 * holds the directory's lock until `close` or the end of the process. Needs the package `@electric-sql/pglite`.
 */
export function openPGlite(dataDir?: string): SqlDatabase {
  return lazyDatabase(async () => {
    const { PGlite } = await importPGlite()
    const lock = lockDirectory(dataDir)
    try {
      const pglite = await PGlite.create(dataDir === undefined ? {} : { dataDir })
      return {
        ...pgliteDatabase(pglite),
        close: async () => {
          try {
            await pglite.close()
          } finally {
            lock.release()
          }
        },
      }
    } catch (error) {
      lock.release()
      throw error
    }
  })
}

function turnNeverCame(timeoutMs: number): UnavailableError {
  return new UnavailableError(
    `The one connection of PGlite was busy for ${timeoutMs / 1000} s. A call inside of a transaction of the same PGlite ` +
      'must pass `tx`, or it waits for that transaction to end. Nothing was written',
  )
}

async function importPGlite() {
  return import('@electric-sql/pglite').catch((cause: unknown) => {
    throw new StoreNotConfiguredError(
      'The embedded database needs the package `@electric-sql/pglite`: npm install @electric-sql/pglite',
      { cause },
    )
  })
}

interface PreparedStatement {
  name: string
  columns: Column[]
}

/** Write to where the files are kept: after every change that is to last, not within a transaction. */
interface Sync {
  syncToFs: boolean
}

let instances = 0

/** The statements this database has parsed on its one connection. Callers hold the turn. */
function preparedStatements(pglite: PGliteInstance) {
  // Names of our own: another database, or another copy of this module, may use the same instance.
  const prefix = `ck_${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}_${(instances += 1)}_`
  const known = new Map<string, PreparedStatement>()
  let count = 0
  let loading: Promise<Serialize> | undefined

  const serializer = () => (loading ??= importPGlite().then((module) => module.protocol.serialize))
  const send = (message: Uint8Array, sync: Sync) => pglite.runExclusive(() => pglite.execProtocolStream(message, sync))

  /** Parse and plan once; stays valid until the instance closes, also when its transaction is rolled back. */
  const prepare = async (serialize: Serialize, text: string): Promise<PreparedStatement> => {
    const name = `${prefix}${(count += 1)}`
    const message = [serialize.parse({ name, text }), serialize.describe({ type: 'S', name }), serialize.sync()]
    const messages = await send(join(message), { syncToFs: false })
    const statement = { name, columns: messages.map(columnsOf).find((columns) => columns !== undefined) ?? [] }
    known.set(text, statement)
    return statement
  }

  /** The simple protocol: text without parameters. Returns the tag of the last command. */
  const command = async (text: string, sync: Sync): Promise<string | undefined> => {
    const serialize = await serializer()
    return (await send(serialize.query(text), sync)).findLast(isTag)?.text
  }

  const query = async (text: string, values: readonly SqlValue[], sync: Sync): Promise<SqlRow[]> => {
    const serialize = await serializer()
    if (values.length === 0) return rowsOf(await send(serialize.query(text), sync))

    const { name, columns } = known.get(text) ?? (await prepare(serialize, text))
    const message = [serialize.bind({ statement: name, values: [...values] }), serialize.execute({}), serialize.sync()]
    try {
      return rowsOf(await send(join(message), sync), columns)
    } catch (error) {
      // The host ran DEALLOCATE or DISCARD: parse it again next time.
      if (sqlStateOf(error) === '26000') known.delete(text)
      throw error
    }
  }

  return { query, command }
}

/** The rows of the last statement in a reply. `columns` are given where the reply does not describe them. */
function rowsOf(messages: ProtocolMessage[], columns: Column[] = []): SqlRow[] {
  let described = columns
  let rows: SqlRow[] = []
  let done = false
  for (const message of messages) {
    if (done && !message.name.startsWith('ready')) [rows, done] = [[], false]
    if (message.name === 'rowDescription') described = columnsOf(message) ?? []
    else if (message.name === 'dataRow') rows.push(rowOf(message, described))
    else if (isTag(message)) done = true
  }
  return rows
}

function rowOf(message: ProtocolMessage, columns: Column[]): SqlRow {
  const row: SqlRow = {}
  columns.forEach(({ name, dataTypeID }, index) => {
    // A `dataRow` carries text or null.
    const value = message.fields?.[index] as string | null
    row[name] = value === null ? null : parseValue(value, dataTypeID)
  })
  return row
}

/** What other drivers turn into JavaScript values by themselves, of the types our statements return. */
function parseValue(value: string, dataTypeID: number): unknown {
  switch (dataTypeID) {
    case 16: // boolean
      return value === 't'
    case 21: // smallint
    case 23: // integer
      return Number(value)
    default:
      return value
  }
}

function columnsOf(message: ProtocolMessage): Column[] | undefined {
  // A `rowDescription` carries columns.
  return message.name === 'rowDescription' ? (message.fields as Column[]) : undefined
}

function isTag(message: ProtocolMessage): boolean {
  return message.name === 'commandComplete'
}

function join(parts: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.byteLength
  }
  return joined
}
