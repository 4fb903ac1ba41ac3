import { setTimeout as sleep } from 'node:timers/promises'
import { isCreditError, StoreNotConfiguredError } from '../../src/errors.js'
import { openDatabase } from './databases/open.js'
import { accountsTable, distributeTables, type Distribution, isDistributed, requireCitus } from './distribution.js'
import { MIGRATIONS, type Migration, type TableLayout } from './migrations.js'
import { CommitUnknown, type SqlDatabase, type SqlExecutor } from './sql-database.js'
import { sqlStateOf, toCreditError } from './sql-errors.js'
import { quoteIdentifier, TABLE_NAMES } from './sql-tables.js'

export interface MigrateOptions {
  /** The Postgres schema that will hold our tables and nothing else. Made when it is missing. Default `creditkit`. */
  schema?: string | undefined
  /**
   * Divide the ledger (`credit_transactions`) into so many tables, 2 to 256, by a hash of the user's id: for ledgers of
   * hundreds of millions of rows, whose indexes would outgrow memory. Chosen when the tables are made, and for good: another
   * number is refused later, none is fine. Default: one table.
   */
  partitions?: number | undefined
  /**
   * `citus`: spread the tables over the machines of a Citus cluster, by user, and keep what belongs to no user on each. Also
   * tables that hold rows already: then while nothing writes. Remembered by Citus: later calls may leave it out. Not together
   * with `partitions`. What works there and what does not: docs/scaling.md. Default: one machine.
   */
  distributed?: Distribution | undefined
}

export interface MigrateResult {
  /** Numbers of the migrations that this call applied, in order; empty: there was nothing to do. */
  applied: number[]
  schema: string
}

/** Where our tables are unless the host says otherwise. */
export const DEFAULT_SCHEMA = 'creditkit'

/**
 * Make our tables, or bring those of an older version up to date. Call it before the application starts, or at every
 * start: when nothing is to do it runs no DDL and needs no right but to read `credit_migrations`.
 *
 * Each migration commits as a whole with its row in `credit_migrations`, so an interrupted run leaves no half and the
 * next run goes on. Any number of processes may call it at once: all succeed, each migration happens once.
 *
 * @param source As for `postgresStore`: connection string, pool, client or Drizzle database; default `DATABASE_URL`. What
 *   we open ourselves is closed again.
 * @throws {StoreNotConfiguredError} The database is newer than this library, the host owns the tables in this schema, or
 *   the role lacks a right. The migration in question changed nothing. Or `partitions` is not what the tables have.
 */
export async function migrate(source?: unknown, options: MigrateOptions = {}): Promise<MigrateResult> {
  // Statements that run once in a lifetime gain nothing from being named, and poolers like them better so.
  const database = openDatabase(source, { prepare: false })
  try {
    return await migrateDatabase(database, options.schema ?? DEFAULT_SCHEMA, MIGRATIONS, {
      partitions: options.partitions ?? null,
      distributed: options.distributed ?? null,
    })
  } finally {
    await database.close()
  }
}

/** {@link migrate} for a database that is open already. `migrations` are those that this library knows. */
export async function migrateDatabase(
  database: SqlDatabase,
  schema: string,
  migrations: readonly Migration[] = MIGRATIONS,
  { partitions, distributed }: { partitions: number | null; distributed: Distribution | null } = ONE_PLACE,
): Promise<MigrateResult> {
  if (partitions !== null && distributed !== null)
    throw new StoreNotConfiguredError(
      'migrate: Pass `partitions` or `distributed`, not both: the shards divide the ledger',
    )
  if (partitions !== null && !(Number.isInteger(partitions) && partitions >= 2 && partitions <= 256))
    throw new StoreNotConfiguredError(`migrate: \`partitions\` must be a whole number from 2 to 256, not ${partitions}`)
  const target: Target = { database, schema, quoted: quoteIdentifier(schema), migrations, layout: { partitions } }
  const applied: number[] = []
  try {
    if (distributed === 'citus') await requireCitus(database)
    const { pending } = await readState(database, target)
    await refuseOtherPartitions(target)
    for (const migration of pending) {
      if (await apply(target, migration)) applied.push(migration.number)
    }
    // Somebody else may have made the tables meanwhile, and otherwise.
    if (pending.length > applied.length) await refuseOtherPartitions(target)
    // Tables that a migration adds go where the others are.
    if (distributed === 'citus' || (applied.length > 0 && (await isDistributed(database, accountsTable(schema)))))
      await database.transaction(async (tx) => {
        await lock(tx)
        await distributeTables(tx, schema)
      })
  } catch (error) {
    throw explain(error, schema)
  }
  return { applied, schema }
}

const ONE_PLACE = { partitions: null, distributed: null }

interface Target {
  database: SqlDatabase
  schema: string
  quoted: string
  migrations: readonly Migration[]
  layout: TableLayout
}

/** How often we run into other migrators before we give up; a wait for their lock ends after `LOCK_TIMEOUT_MS`. */
const ATTEMPTS = 10

/**
 * What happens to the slower of two migrators where the lock is missing or its wait took too long: a row, schema or
 * table that exists by now, a serialization failure, a deadlock, a lock not granted.
 */
const LOST_THE_RACE = new Set(['23505', '42P06', '42P07', '40001', '40P01', '55P03'])

/** Undefined function, feature not supported: a database without advisory locks. */
const NO_SUCH_LOCK = new Set(['42883', '0A000'])

/** Apply one migration, unless somebody else did meanwhile. Returns whether we did. */
async function apply(target: Target, migration: Migration): Promise<boolean> {
  let locking = true
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await target.database.transaction((tx) => applyIn(tx, target, migration, locking))
    } catch (error) {
      const state = sqlStateOf(error)
      if (error instanceof LockUnsupported) locking = false
      else if (error instanceof CommitUnknown || (state !== undefined && LOST_THE_RACE.has(state))) {
        // The next attempt looks at what is there.
        if (attempt >= ATTEMPTS) throw error
        await sleep(20 + Math.random() * 30 * attempt)
      } else throw error
    }
  }
}

async function applyIn(tx: SqlExecutor, target: Target, migration: Migration, locking: boolean): Promise<boolean> {
  if (locking) await lock(tx)
  // In a statement after the lock, so that it sees what the lock's last holder has committed.
  const { pending, hasSchema, hasHistory } = await readState(tx, target)
  if (!pending.includes(migration)) return false

  const { quoted, layout } = target
  // `if not exists` would ask for the right to create even where there is nothing to create.
  if (!hasSchema) await tx.query(`create schema ${quoted}`, [])
  if (!hasHistory) await tx.query(createHistory(quoted), [])
  for (const statement of migration.statements(quoted, layout)) await tx.query(statement, [])
  await tx.query(
    `insert into ${quoted}.credit_migrations (number, name, applied_at)
      values ($1::text::integer, $2::text, clock_timestamp())`,
    [String(migration.number), migration.name],
  )
  return true
}

/** Any constant will do, as long as nobody else uses it. */
const LOCK_KEY = '7238841265019377'

/** Held until the end of the transaction, also of one that dies. Only makes the retries rare: they must do without. */
async function lock(tx: SqlExecutor): Promise<void> {
  try {
    await tx.query(`select pg_advisory_xact_lock(${LOCK_KEY})`, [])
  } catch (error) {
    const state = sqlStateOf(error)
    if (state !== undefined && NO_SUCH_LOCK.has(state)) throw new LockUnsupported({ cause: error })
    throw error
  }
}

class LockUnsupported extends Error {
  constructor(options: { cause: unknown }) {
    super('This database has no advisory locks', options)
  }
}

function createHistory(schema: string): string {
  return `create table ${schema}.credit_migrations (
    number integer not null,
    name text not null,
    applied_at timestamptz not null,
    constraint credit_migrations_pkey primary key (number)
  )`
}

interface SchemaState {
  hasSchema: boolean
  hasHistory: boolean
  /** What is still to be applied, in order. */
  pending: Migration[]
}

/** What is there. Asks the catalog, which everybody may read. Refuses a schema that is not ours to change. */
async function readState(executor: SqlExecutor, { schema, quoted, migrations }: Target): Promise<SchemaState> {
  const [found] = await executor.query(
    `select count(*) > 0 as has_schema,
      coalesce(bool_or(c.relname = 'credit_migrations'), false) as has_history,
      coalesce(bool_or(c.relname = $2::text), false) as has_tables
    from pg_catalog.pg_namespace n
    left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname in ('credit_migrations', $2::text)
    where n.nspname = $1::text`,
    [schema, TABLE_NAMES.userCredits],
  )
  const hasHistory = found?.['has_history'] === true
  const history = hasHistory ? await executor.query(`select number from ${quoted}.credit_migrations`, []) : []
  const done = new Set(history.map((row) => Number(row['number'])))

  if (found?.['has_tables'] === true && done.size === 0) throw hostOwned(schema)
  const known = new Set(migrations.map(({ number }) => number))
  const unknown = [...done].filter((number) => !known.has(number))
  if (unknown.length > 0) throw tooNew(schema, Math.max(...unknown), Math.max(0, ...known))

  const pending = migrations.filter(({ number }) => !done.has(number))
  return { hasSchema: found?.['has_schema'] === true, hasHistory, pending }
}

/** Tables that are there keep the partitions they were made with. */
async function refuseOtherPartitions({ database, schema, layout: { partitions } }: Target): Promise<void> {
  if (partitions === null) return
  const [found] = await database.query(
    `select count(i.inhrelid)::text as partitions
    from pg_catalog.pg_namespace n join pg_catalog.pg_class c on c.relnamespace = n.oid
    left join pg_catalog.pg_inherits i on i.inhparent = c.oid
    where n.nspname = $1::text and c.relname = $2::text group by c.oid`,
    [schema, TABLE_NAMES.creditTransactions],
  )
  if (found === undefined || Number(found['partitions']) === partitions) return
  const made = Number(found['partitions']) === 0 ? 'as one table' : `in ${String(found['partitions'])} partitions`
  throw new StoreNotConfiguredError(
    `The ledger in schema ${JSON.stringify(schema)} was made ${made}, which migrate() can't change to ${partitions} ` +
      'partitions. Leave `partitions` out to keep it as it is; or migrate() into another schema with the partitions you ' +
      'want, and copy all tables while nothing writes. Nothing was changed.',
  )
}

function hostOwned(schema: string): StoreNotConfiguredError {
  return new StoreNotConfiguredError(
    `Schema ${JSON.stringify(schema)} has a table user_credits that migrate() did not make: the application owns these ` +
      'tables. Pass them as `postgresStore(db, { tables })` and migrate them with drizzle-kit, or give migrate() a ' +
      'schema of its own. Nothing was changed.',
  )
}

function tooNew(schema: string, found: number, known: number): StoreNotConfiguredError {
  return new StoreNotConfiguredError(
    `The credit tables in schema ${JSON.stringify(schema)} are newer than this version of creditkit: they are at ` +
      `migration ${found}, it knows migrations up to ${known}. Upgrade creditkit. Nothing was changed.`,
  )
}

function explain(error: unknown, schema: string): Error {
  if (isCreditError(error)) return error
  const name = JSON.stringify(schema)
  switch (sqlStateOf(error)) {
    case '42501':
      return new StoreNotConfiguredError(
        `The database role may not create or read the credit tables in schema ${name} (42501): run \`migrate()\` once ` +
          'as a role that may create them, then grant the other role what it needs, `select` on credit_migrations too',
        { cause: error },
      )
    case '42P06':
    case '42P07':
      return new StoreNotConfiguredError(
        `Schema ${name} has a table or index of another owner with one of our names: give migrate() a schema of its own`,
        { cause: error },
      )
    default:
      return toCreditError(error)
  }
}
