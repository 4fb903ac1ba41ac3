import { StoreNotConfiguredError } from '../../src/errors.js'
import type { CreditStore } from '../../src/ports/store.js'
import { openDatabase } from './databases/open.js'
import { DEFAULT_SCHEMA } from './migrate.js'
import { ownTables } from './sql-tables.js'
import { sqlStore } from './store.js'
import { type AnyCreditTables, hostTables } from './tables.js'

export { migrate } from './migrate.js'
export { creditViews } from './report-views.js'
export { creditTables } from './tables.js'

/**
 * Which tables `postgresStore` uses, and how it sends statements. Default: the schema `creditkit`, as `migrate()` makes
 * it.
 */
export interface PostgresStoreOptions {
  /** The schema our own migrator made. Default `creditkit`. */
  schema?: string | undefined
  /** The host's own tables, from `creditTables()` in its Drizzle schema. Not together with `schema`. */
  tables?: AnyCreditTables | undefined
  /** Name statements, so that the server plans them once. `false` for transaction-pooling proxies. Default true. */
  prepare?: boolean | undefined
  /**
   * Decide deductions and holds in one statement where the account's row can tell, many at once; see `CreditStore.spend`.
   * Default true; turned off by itself on Citus, where the transaction of the general path is faster.
   */
  fastPath?: boolean | undefined
}

/**
 * Credits in a Postgres database: a connection string, a `pg` Pool, a postgres.js client or any Drizzle Postgres
 * database; by default what `DATABASE_URL` names. Nothing is opened before the first use. Needs the packages
 * `drizzle-orm` and a driver. The tables must be there: run `migrate()`, or own them with `creditTables()`.
 *
 * @throws {StoreNotConfiguredError} What was given is no Postgres database, or both `schema` and `tables` are.
 */
export function postgresStore(
  db?: unknown,
  { schema, tables, prepare, fastPath = true }: PostgresStoreOptions = {},
): CreditStore {
  if (schema !== undefined && tables !== undefined) {
    throw new StoreNotConfiguredError(
      'Pass either `schema` (tables made by migrate()) or `tables` (your own), never both',
    )
  }
  const sqlTables = tables === undefined ? ownTables(schema ?? DEFAULT_SCHEMA) : hostTables(tables)
  return sqlStore(openDatabase(db, { prepare }), sqlTables, { fastPath })
}
