import {
  getTableConfig,
  getViewConfig,
  isPgSchema,
  pgSchema,
  pgTable,
  pgView,
  text,
  type PgSchema,
  type PgTable,
  type PgTableFn,
  type PgView,
} from 'drizzle-orm/pg-core'
import { StoreNotConfiguredError } from '../../src/errors.js'
import type { UserIdType } from '../../src/ports/store.js'
import { quoteIdentifier, TABLE_NAMES, type SqlTables, type TableName } from './sql-tables.js'
import { ledgerTables, type LedgerTables } from './tables/ledger.js'
import type { Place, UserIdColumn } from './tables/place.js'
import { recurringTables, type RecurringTables } from './tables/recurring.js'
import { sellingTables, type SellingTables } from './tables/selling.js'
import { supportTables, type SupportTables } from './tables/support.js'

export interface CreditTablesOptions<S extends string | undefined, P extends string, U extends UserIdColumn> {
  /**
   * Where the tables go: your own `pgSchema('billing')`, which you export, or a name, and then you export the
   * `creditSchema` that comes back (drizzle-kit creates a schema only when it is exported). Default: the schema that
   * your other tables without one are in, usually `public`.
   */
  schema?: S | PgSchema<S & string> | undefined
  /** Before the name of every table, constraint and index, e.g. `app_`. Default: none. */
  prefix?: P | undefined
  /**
   * Your column for user ids, made anew at every call, e.g.
   * `() => integer('user_id').notNull().references(() => users.id)`. It must be named `user_id`, be not null, and be text,
   * varchar, integer, bigint or uuid. Default: `text('user_id').notNull()`.
   */
  userId?: (() => U) | undefined
}

/** Every table, under the name to export it by. */
export interface CreditTables<S extends string | undefined, P extends string, U extends UserIdColumn>
  extends LedgerTables<S, P, U>, SellingTables<S, P, U>, RecurringTables<S, P, U>, SupportTables<S, P, U> {
  /** The schema they are in; undefined: the default one. */
  creditSchema: S extends string ? PgSchema<S> : undefined
}

export type TextUserIdColumn = ReturnType<typeof textUserId>

/**
 * The tables as Drizzle tables, for a host that owns them: export every one of them from your Drizzle schema, generate
 * and run the migrations with drizzle-kit, and pass the whole object as `postgresStore(db, { tables })`. Never run our
 * `migrate` on the same schema.
 *
 * They equal what `migrate` makes in all but `fillfactor`, which drizzle-kit can't write: for busy tables add
 * `alter table user_credits set (fillfactor = 75)`, and 80 for `credit_grants` and `credit_holds`, to a migration.
 *
 * `drizzle-kit push` makes the same tables: of a `schema` only where `schemaFilter` of your drizzle.config.ts names it. Up to
 * version 0.31 each further push makes all keys of several columns anew (drizzle-orm issue 6193): migrate in production.
 *
 * @throws {StoreNotConfiguredError} The `userId` column is none that we can use.
 */
export function creditTables<
  const S extends string | undefined = undefined,
  const P extends string = '',
  U extends UserIdColumn = TextUserIdColumn,
>(options: CreditTablesOptions<S, P, U> = {}): CreditTables<S, P, U> {
  const schema = schemaObject(options.schema)
  // S, P and U take their defaults exactly where the option is left out, which TypeScript can't know.
  const place: Place<S, P, U> = {
    table: (schema?.table ?? pgTable) as PgTableFn<string | undefined> as PgTableFn<S>,
    view: schema?.view ?? pgView,
    prefix: (options.prefix ?? '') as P,
    userId: options.userId ?? (textUserId as () => UserIdColumn as () => U),
  }
  quoteIdentifier(`${place.prefix}${LONGEST_NAME}`)
  const tables = {
    ...ledgerTables(place),
    ...sellingTables(place),
    ...recurringTables(place),
    ...supportTables(place),
    creditSchema: schema as CreditTables<S, P, U>['creditSchema'],
  }
  userIdType(tables.userCredits)
  return tables
}

/** Drizzle refuses a schema object for `public`: it is the default. */
function schemaObject(schema: string | PgSchema | undefined): PgSchema | undefined {
  if (schema === undefined || isPgSchema(schema)) return schema
  return schema === 'public' ? undefined : pgSchema(schema)
}

function textUserId() {
  return text('user_id').notNull()
}

/** Of the names we make. Postgres would cut off longer ones than 63 bytes, and then two could be the same. */
const LONGEST_NAME = 'credit_transactions_idempotency_key'

/** What `creditTables` returns, whatever its options. */
export type AnyCreditTables = Readonly<Record<Exclude<TableName, 'creditOpenGrants'>, PgTable>> & {
  readonly creditOpenGrants: PgView
}

/**
 * Where a host's own tables are, and what kind of user ids they hold. A table without a schema is named without one, as
 * Drizzle does, and found along the connection's `search_path`.
 *
 * @throws {StoreNotConfiguredError} A table is missing, or its user ids are of a type that we can't use.
 */
export function hostTables(tables: AnyCreditTables): SqlTables {
  const names = Object.keys(TABLE_NAMES).map((key) => [key, qualifiedName(tables, key as TableName)])
  return { names: Object.fromEntries(names) as Record<TableName, string>, userIdType: userIdType(tables.userCredits) }
}

function qualifiedName(tables: Partial<AnyCreditTables>, key: TableName): string {
  const table = tables[key]
  if (table === undefined) {
    throw new StoreNotConfiguredError(`\`tables.${key}\` is missing: pass everything that creditTables() returned`)
  }
  const { schema, name } =
    key === 'creditOpenGrants' ? getViewConfig(table as PgView) : getTableConfig(table as PgTable)
  return schema === undefined ? quoteIdentifier(name) : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

function userIdType(userCredits: PgTable): UserIdType {
  const column = getTableConfig(userCredits).columns.find(({ name }) => name === 'user_id')
  if (column?.notNull !== true) {
    throw new StoreNotConfiguredError("creditTables: the userId column must be named 'user_id' and be not null")
  }
  const type = column.getSQLType()
  if (type === 'integer' || type === 'bigint' || type === 'uuid') return type
  if (type === 'text' || /^varchar(\(\d+\))?$/.test(type)) return 'text'
  throw new StoreNotConfiguredError(
    `creditTables: user ids of type ${type} are not supported; text, varchar, integer, bigint and uuid are`,
  )
}
