import type { SqlExecutor } from '../../postgres/sql-database.js'
import { quoteIdentifier, TABLE_NAMES } from '../../postgres/sql-tables.js'

/** A schema of the database that holds tables of our names. */
export interface CreditSchema {
  name: string
  /** The last migration that was applied; null: the host owns the tables; undefined: our role may not read it. */
  migration: number | null | undefined
  /** Who owns its tables. */
  owners: string[]
  /** Our own role. */
  role: string
  /** What our role may not do: `select on credit_holds`. */
  refused: string[]
  /** Columns that this version uses and that are not there: `credit_grants.source`. */
  missing: string[]
}

/** Every such schema, by name. Tables of the host's with a prefix are not found. */
export async function creditSchemas(sql: SqlExecutor): Promise<CreditSchema[]> {
  const rows = await sql.query(
    `select n.nspname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relname = 'user_credits' and c.relkind in ('r', 'p') order by n.nspname`,
    [],
  )
  const schemas: CreditSchema[] = []
  for (const row of rows) schemas.push(await creditSchema(sql, String(row['name'])))
  return schemas
}

async function creditSchema(sql: SqlExecutor, name: string): Promise<CreditSchema> {
  const found = await relationsOf(sql, name)
  const history = found.find(({ relation }) => relation === 'credit_migrations')
  const owners = found.map(({ owner }) => owner)
  return {
    name,
    migration: history === undefined ? null : history.canSelect ? await lastMigration(sql, name) : undefined,
    owners: [...new Set(owners)].sort(),
    role: found[0]?.role ?? '',
    refused: found.some(({ hasUsage }) => !hasUsage) ? [`usage on ${name}`] : found.flatMap(({ refused }) => refused),
    missing: await missingColumns(sql, name),
  }
}

interface Relation {
  relation: string
  owner: string
  role: string
  /** May our role look into the schema at all? */
  hasUsage: boolean
  canSelect: boolean
  refused: string[]
}

/** Rights that hosts may well take from their app: the ledger is only added to. */
const OPTIONAL = new Set(['update on credit_transactions', 'delete on credit_transactions'])

async function relationsOf(sql: SqlExecutor, schema: string): Promise<Relation[]> {
  const rows = await sql.query(
    `select c.relname as relation, pg_catalog.pg_get_userbyid(c.relowner) as owner, current_user as role,
      has_schema_privilege(n.oid, 'usage') as "usage", has_table_privilege(c.oid, 'select') as "select",
      has_table_privilege(c.oid, 'insert') as "insert", has_table_privilege(c.oid, 'update') as "update",
      has_table_privilege(c.oid, 'delete') as "delete", c.relkind in ('r', 'p') as is_table
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1::text and c.relkind in ('r', 'p', 'v') and (c.relname = 'credit_migrations'
        or c.relname in (select jsonb_array_elements_text($2::text::jsonb)))
      order by c.relname`,
    [schema, JSON.stringify(Object.values(TABLE_NAMES))],
  )
  return rows.map((row) => {
    const relation = String(row['relation'])
    const isOurs = relation !== 'credit_migrations'
    const rights = row['is_table'] === true ? ['select', 'insert', 'update', 'delete'] : ['select']
    const lacking = rights.filter((right) => isOurs && row[right] !== true).map((right) => `${right} on ${relation}`)
    return {
      relation,
      owner: String(row['owner']),
      role: String(row['role']),
      hasUsage: row['usage'] === true,
      canSelect: row['usage'] === true && row['select'] === true,
      refused: lacking.filter((right) => !OPTIONAL.has(right)),
    }
  })
}

async function lastMigration(sql: SqlExecutor, schema: string): Promise<number> {
  const [row] = await sql.query(
    `select coalesce(max(number), 0)::text as number from ${quoteIdentifier(schema)}.credit_migrations`,
    [],
  )
  return Number(row?.['number'])
}

/** As the tables of this version are declared, whoever made those that are there. */
async function missingColumns(sql: SqlExecutor, schema: string): Promise<string[]> {
  // Drizzle is the host's, and was loaded for the store.
  const { is } = await import('drizzle-orm')
  const { getTableConfig, PgTable } = await import('drizzle-orm/pg-core')
  const { creditTables } = await import('../../postgres/tables.js')
  const columns = Object.values(creditTables({ schema })).flatMap((table) => {
    if (!is(table, PgTable)) return []
    const { name, columns } = getTableConfig(table)
    return columns.map((column) => ({ table: name, column: column.name }))
  })
  const rows = await sql.query(
    `select x."table", x."column" from jsonb_to_recordset($1::text::jsonb) as x("table" text, "column" text)
      where not exists (select from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $2::text and c.relname = x."table" and a.attname = x."column" and not a.attisdropped)`,
    [JSON.stringify(columns), schema],
  )
  return rows.map((row) => `${String(row['table'])}.${String(row['column'])}`)
}
