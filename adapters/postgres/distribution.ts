import { StoreNotConfiguredError } from '../../src/errors.js'
import type { SqlExecutor } from './sql-database.js'
import { sqlStateOf } from './sql-errors.js'
import { quoteIdentifier, TABLE_NAMES } from './sql-tables.js'

/** What can spread our tables over machines. */
export type Distribution = 'citus'

/**
 * Kept whole on every machine: what belongs to no user, and what is found by a provider's id, which no unique constraint with
 * `user_id` could keep unique. All of them are small, and none is written by a deduction.
 */
const ON_EVERY_MACHINE: ReadonlySet<string> = new Set([
  TABLE_NAMES.creditPackages,
  TABLE_NAMES.creditPurchaseReferences,
  TABLE_NAMES.creditQuarantine,
  TABLE_NAMES.creditSubscriptions,
  TABLE_NAMES.creditWebhookEvents,
  'credit_migrations',
])

/** The table whose shards all others lie beside: a user's rows are on one machine. */
const FIRST = TABLE_NAMES.userCredits

/**
 * Hand what is not distributed yet of the tables in `schema` to Citus, with the rows they hold. Repeating it does nothing.
 * Runs in a transaction, under the migration lock, so that all tables are moved or none, and once.
 */
export async function distributeTables(tx: SqlExecutor, schema: string): Promise<void> {
  // Tables that are copied to all machines, and tables that are spread, may not be made side by side otherwise.
  await tx.query(`set local citus.multi_shard_modify_mode = 'sequential'`, [])
  const tables = await undistributedTables(tx, schema)
  for (const table of tables.filter((name) => !ON_EVERY_MACHINE.has(name))) {
    const beside = table === FIRST ? 'none' : qualified(schema, FIRST)
    await tx.query(
      `select create_distributed_table($1::text::regclass, 'user_id', colocate_with => $2::text)::text as made`,
      [qualified(schema, table), beside],
    )
  }
  for (const table of tables.filter((name) => ON_EVERY_MACHINE.has(name)))
    await tx.query('select create_reference_table($1::text::regclass)::text as made', [qualified(schema, table)])
}

/** @throws {StoreNotConfiguredError} The database has no Citus. */
export async function requireCitus(sql: SqlExecutor): Promise<void> {
  if (await hasCitus(sql)) return
  throw new StoreNotConfiguredError(
    'This database has no Citus: run `create extension citus` in it, on a server that has it in ' +
      'shared_preload_libraries, or leave `distributed` out. Nothing was changed.',
  )
}

/** Whether Citus has this table spread over its machines: the mark by which stores and later migrations know it. */
export async function isDistributed(sql: SqlExecutor, table: string): Promise<boolean> {
  if (!(await hasCitus(sql))) return false
  const [found] = await sql.query(
    'select exists (select from pg_dist_partition where logicalrelid = to_regclass($1::text)) as distributed',
    [table],
  )
  return found?.['distributed'] === true
}

/** The name of the accounts' table in `schema`, for {@link isDistributed}. */
export function accountsTable(schema: string): string {
  return qualified(schema, FIRST)
}

async function hasCitus(sql: SqlExecutor): Promise<boolean> {
  const [found] = await sql.query(`select to_regclass('pg_dist_partition') is not null as citus`, [])
  return found?.['citus'] === true
}

/** The accounts first, which the others are put beside. */
async function undistributedTables(tx: SqlExecutor, schema: string): Promise<string[]> {
  const rows = await tx.query(
    `select c.relname as name from pg_catalog.pg_class c
     where c.relnamespace = to_regnamespace($1::text) and c.relkind in ('r', 'p') and not c.relispartition
       and not exists (select from pg_dist_partition d where d.logicalrelid = c.oid)
     order by c.relname = $2::text desc, c.relname`,
    [quoteIdentifier(schema), FIRST],
  )
  return rows.map(({ name }) => String(name))
}

function qualified(schema: string, table: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
}

/** The database knows a statement, and can't run it over its machines. */
export function isRefused(error: unknown): boolean {
  return sqlStateOf(error) === '0A000'
}
