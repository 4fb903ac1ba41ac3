import { StoreNotConfiguredError } from '../../../src/errors.js'
import type { SqlDatabase } from '../sql-database.js'
import { drizzleExecutor } from './drizzle-executor.js'
import { type DrizzleDatabase, inDrizzleTransaction } from './drizzle-transaction.js'
import { directDatabase, isSingleConnection } from './recognise.js'

export { drizzleExecutor } from './drizzle-executor.js'
export type { DrizzleDatabase } from './drizzle-transaction.js'

/**
 * A Drizzle database of the host; we never close its client. Where that client is one we know, statements go to it
 * directly: named, which makes them two to three times faster. Drizzle's own logger does not see those.
 *
 * @throws {StoreNotConfiguredError} The driver has no transactions, is not Postgres, or has a single connection.
 */
export function drizzleDatabase(db: DrizzleDatabase, options: { prepare?: boolean | undefined } = {}): SqlDatabase {
  refuseUnfit(db)
  const client = '$client' in db ? db.$client : undefined
  const direct = directDatabase(client, options) ?? throughDrizzle(db)
  return { ...direct, hostTransaction: (work) => inDrizzleTransaction(db, work) }
}

/** For drivers we don't know: Drizzle sends everything. */
function throughDrizzle(db: DrizzleDatabase): Omit<SqlDatabase, 'hostTransaction'> {
  return {
    query: (text, values) => drizzleExecutor(db).query(text, values),
    transaction: (work, options) => inDrizzleTransaction(db, (tx) => work(drizzleExecutor(tx)), options),
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
