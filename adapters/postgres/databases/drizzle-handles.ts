import type { PGlite } from '@electric-sql/pglite'
import type { NodePgClient } from 'drizzle-orm/node-postgres'
import type { Sql, TransactionSql } from 'postgres'
import { StoreNotConfiguredError } from '../../../src/errors.js'
import type { DrizzleExecutor } from './drizzle-executor.js'
import type { DrizzleDatabase } from './drizzle-transaction.js'

/* Drizzle transactions over connections in a transaction that we have begun, for hosts that gave us a bare driver. */

/** What Drizzle asks of a `pg` client. */
export interface NodePostgresQueries {
  query(query: { text: string }, values?: unknown[]): Promise<unknown>
}

/** @throws {StoreNotConfiguredError} Drizzle's part for `pg` can't be loaded. */
export async function nodePostgresHandles(): Promise<(client: NodePostgresQueries) => DrizzleExecutor> {
  const [{ NodePgSession, NodePgTransaction }, { PgDialect }] = await Promise.all([
    loaded(import('drizzle-orm/node-postgres'), 'pg'),
    import('drizzle-orm/pg-core'),
  ])
  return (client) => {
    const dialect = new PgDialect()
    // Of a client, a session in a transaction uses nothing but `query`.
    const session = new NodePgSession(client as NodePgClient, dialect, undefined)
    return new NodePgTransaction(dialect, session, undefined)
  }
}

/** What Drizzle asks of a postgres.js transaction. */
export interface PostgresJsQueries {
  unsafe(text: string, values: readonly unknown[], options?: object): PromiseLike<unknown> & { values(): unknown }
  savepoint<T>(work: (inner: PostgresJsQueries) => Promise<T>): Promise<unknown>
}

/** @throws {StoreNotConfiguredError} Drizzle's part for postgres.js can't be loaded. */
export async function postgresJsHandles(): Promise<(client: PostgresJsQueries) => DrizzleExecutor> {
  const [{ PostgresJsSession, PostgresJsTransaction }, { PgDialect }] = await Promise.all([
    loaded(import('drizzle-orm/postgres-js'), 'postgres'),
    import('drizzle-orm/pg-core'),
  ])
  return (client) => {
    const dialect = new PgDialect()
    // Of a client, a session in a transaction uses nothing but `unsafe` and `savepoint`.
    const session = new PostgresJsSession(client as unknown as Sql & TransactionSql, dialect, undefined)
    return new PostgresJsTransaction(dialect, session, undefined)
  }
}

/**
 * A Drizzle database on a PGlite instance, which begins and ends its transactions itself.
 *
 * @throws {StoreNotConfiguredError} Drizzle's part for PGlite can't be loaded.
 */
export async function pgliteHandle(pglite: object): Promise<DrizzleDatabase> {
  const { drizzle } = await loaded(import('drizzle-orm/pglite'), '@electric-sql/pglite')
  // Recognised by its methods: its class may come from another copy of the package.
  return drizzle({ client: pglite as PGlite })
}

function loaded<T>(loading: Promise<T>, driver: string): Promise<T> {
  return loading.catch((cause: unknown) => {
    throw new StoreNotConfiguredError(
      `transaction() on this database needs the packages \`drizzle-orm\` and \`${driver}\`: npm install drizzle-orm ${driver}`,
      { cause },
    )
  })
}
