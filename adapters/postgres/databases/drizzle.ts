import { StoreNotConfiguredError } from '../../../src/errors.js'
import {
  CommitUnknown,
  LOCK_TIMEOUT_MS,
  type SqlDatabase,
  type SqlExecutor,
  type SqlRow,
  type SqlValue,
} from '../sql-database.js'
import { translateSqlError } from '../sql-errors.js'
import { directDatabase, isSingleConnection } from './recognise.js'

/** Any Drizzle database or transaction on Postgres. Its types differ from version to version, so ours is structural. */
export interface DrizzleExecutor {
  execute(query: never): PromiseLike<unknown>
}

export interface DrizzleDatabase extends DrizzleExecutor {
  transaction<T>(work: (tx: DrizzleExecutor) => Promise<T>, config?: object): Promise<T>
}

/**
 * Our statements inside of the host's Drizzle database or transaction. Drizzle sends them un-named and numbers the
 * placeholders anew, so every use of a placeholder needs its own cast, and `$1` may not stand inside a literal.
 */
export function drizzleExecutor(tx: DrizzleExecutor): SqlExecutor {
  return {
    query: async (text, values) => {
      // Drizzle accepts its own `sql` objects, recognised by a symbol: those of our copy work on the host's.
      const query = (await drizzleSql(text, values)) as never
      return rowsOf(await tx.execute(query))
    },
  }
}

/**
 * A Drizzle database of the host; we never close its client. Where that client is one we know, statements go to it
 * directly: named, which makes them two to three times faster. Drizzle's own logger does not see those.
 *
 * @throws {StoreNotConfiguredError} The driver has no transactions, is not Postgres, or has a single connection.
 */
export function drizzleDatabase(db: DrizzleDatabase, options: { prepare?: boolean | undefined } = {}): SqlDatabase {
  refuseUnfit(db)
  const client = '$client' in db ? db.$client : undefined
  return directDatabase(client, options) ?? throughDrizzle(db)
}

/** For drivers we don't know. Drizzle sends BEGIN and COMMIT; we watch how far it got. */
function throughDrizzle(db: DrizzleDatabase): SqlDatabase {
  return {
    query: (text, values) => drizzleExecutor(db).query(text, values),

    transaction: async <T>(work: (tx: SqlExecutor) => Promise<T>, { snapshot = false } = {}) => {
      const config = snapshot
        ? { isolationLevel: 'repeatable read', accessMode: 'read only' }
        : { isolationLevel: 'read committed' }
      const progress: { finished: boolean; failure?: { error: unknown } } = { finished: false }
      try {
        return await db.transaction(async (tx) => {
          try {
            const executor = drizzleExecutor(tx)
            await executor.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`, [])
            const result = await work(executor)
            // Drizzle does not look at what COMMIT answers. After a failed statement this one fails, too.
            await executor.query('select 1', [])
            progress.finished = true
            return result
          } catch (error) {
            progress.failure = { error }
            throw error
          }
        }, config)
      } catch (error) {
        // The work's own error, also when the ROLLBACK after it failed and hid it.
        if (progress.failure) throw progress.failure.error
        // Without an answer nothing is sure, even if this error says that it was never sent: it may be that of a
        // ROLLBACK which Drizzle sends after a COMMIT that failed.
        const { sqlState, mayHaveApplied } = translateSqlError(error)
        const answered = sqlState !== undefined && !mayHaveApplied
        throw progress.finished && !answered ? new CommitUnknown({ cause: error }) : error
      }
    },

    close: async () => {},
  }
}

const ENTITY_KIND = Symbol.for('drizzle:entityKind')

const WITHOUT_TRANSACTIONS: Record<string, string> = {
  NeonHttpDatabase: 'neon-http: use `drizzle-orm/neon-serverless` with a Pool, or `drizzle-orm/node-postgres`',
  XataHttpDatabase: 'xata-http: use `drizzle-orm/node-postgres` with the Postgres endpoint',
  PgRemoteDatabase: 'pg-proxy: use `drizzle-orm/node-postgres` or `drizzle-orm/postgres-js`',
}

function refuseUnfit(db: DrizzleDatabase): void {
  const wayOut = WITHOUT_TRANSACTIONS[entityKindOf(db) ?? '']
  if (wayOut !== undefined) {
    throw new StoreNotConfiguredError(`This Drizzle driver has no transactions, and credits need them. ${wayOut}`)
  }
  const dialect = 'dialect' in db ? entityKindOf(db.dialect) : undefined
  if (dialect !== undefined && dialect !== 'PgDialect') {
    throw new StoreNotConfiguredError('This Drizzle database is not a Postgres database, and credits need one')
  }
  if ('$client' in db && isSingleConnection(db.$client)) {
    throw new StoreNotConfiguredError(
      'This Drizzle database runs on a single `pg` client, where transactions would mix: give it a `pg` Pool',
    )
  }
}

/** What Drizzle calls the class of a value. A name that bundlers leave alone. */
function entityKindOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const kind: unknown = Reflect.get(value.constructor, ENTITY_KIND)
  return typeof kind === 'string' ? kind : undefined
}

async function drizzleSql(text: string, values: readonly SqlValue[]) {
  const { sql } = await import('drizzle-orm')
  const query = sql.empty()
  let end = 0
  for (const match of text.matchAll(/\$(\d+)/g)) {
    const value = values[Number(match[1]) - 1]
    if (value === undefined)
      throw new Error(`drizzleExecutor: the statement uses ${match[0]} but no such value was given`)
    query.append(sql.raw(text.slice(end, match.index))).append(sql`${value}`)
    end = match.index + match[0].length
  }
  return query.append(sql.raw(text.slice(end)))
}

/** Drivers answer with the rows, or with an object that has them. */
function rowsOf(result: unknown): SqlRow[] {
  const rows: unknown = typeof result === 'object' && result !== null && 'rows' in result ? result.rows : result
  // Drizzle does not type raw results; every driver of it has one of the two shapes.
  return Array.isArray(rows) ? (rows as SqlRow[]) : []
}
