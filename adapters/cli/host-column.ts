import type { DrizzleExecutor } from '../postgres/databases/drizzle-executor.js'
import type { SqlExecutor, SqlRow } from '../postgres/sql-database.js'
import { quoteIdentifier } from '../postgres/sql-tables.js'
import { WrongUsage } from './failure.js'
import type { HostService } from './host-service.js'

/** A column of the host's own that holds balances, in the database the service uses. */
export interface HostColumn {
  /** `users`, or with its schema: `app.users`. */
  table: string
  column: string
  /** The column with the user's id. */
  id: string
}

/** What one row says: text, as the database writes it. */
export interface ColumnRow {
  userId: string
  value: string | null
}

/** How much there is, and that each user stands there once. */
export interface ColumnTotals {
  rows: number
  /** All above 0, whole or not, exactly. */
  sum: string
}

const PAGE = 1000

/** Let `work` ask the database the service uses, in a transaction of its own; `inside` is the service in there. */
export function inHostDatabase<R>(
  credits: HostService,
  work: (sql: SqlExecutor, inside: HostService) => Promise<R>,
): Promise<R> {
  return credits.transaction(async ({ tx, credits: inside }) => {
    const { drizzleExecutor } = await import('../postgres/databases/drizzle-executor.js')
    // What the store opens is a Drizzle transaction.
    const sql = drizzleExecutor(tx as DrizzleExecutor)
    return work({ query: (text, values) => sql.query(text, values).catch(throwCause) }, inside)
  })
}

/** Drizzle's own error shows the statement; what the database said about it is in its cause. */
function throwCause(error: unknown): never {
  throw error instanceof Error && error.cause instanceof Error ? error.cause : error
}

/**
 * Count and add up the column.
 *
 * @throws {WrongUsage} There is no such column, or its ids are not unique.
 */
export async function columnTotals(sql: SqlExecutor, host: HostColumn): Promise<ColumnTotals & { idType: string }> {
  const { table, column, id } = quoted(host)
  const idType = await typeOf(sql, host, host.id)
  const type = await typeOf(sql, host, host.column)
  if (!/^(smallint|integer|bigint|numeric)/.test(type))
    throw new WrongUsage(`${host.table}.${host.column} holds ${type}, not whole numbers`)
  const [found] = await sql.query(
    `select count(*)::text as rows, (count(*) - count(distinct ${id}))::text as repeated,
      coalesce(sum(case when ${column} > 0 then ${column} end), 0)::text as sum from ${table}`,
    [],
  )
  if (found?.['repeated'] !== '0')
    throw new WrongUsage(
      `${host.table}.${host.id} is null, or the same, in ${String(found?.['repeated'])} rows: no row can be told apart`,
    )
  return { rows: Number(found['rows']), sum: String(found['sum']), idType }
}

/** Every row, in order of id; each page a transaction of its own, so that others can write between them. */
export async function* columnRows(credits: HostService, host: HostColumn, idType: string): AsyncGenerator<ColumnRow> {
  const { table, column, id } = quoted(host)
  let after: string | null = null
  do {
    const last: string | null = after
    const rows: SqlRow[] = await inHostDatabase(credits, (sql) =>
      sql.query(
        `select t.${id}::text as id, t.${column}::text as value from ${table} t
          ${last === null ? '' : `where t.${id} > $1::text::${idType}`} order by t.${id} limit ${PAGE}`,
        last === null ? [] : [last],
      ),
    )
    for (const row of rows) yield toRow(row)
    after = rows.length < PAGE ? null : String(rows.at(-1)?.['id'])
  } while (after !== null)
}

/** Every row, ordered as `findUsers` orders users; read bit by bit inside of one transaction. */
export async function* sortedColumnRows(sql: SqlExecutor, host: HostColumn): AsyncGenerator<ColumnRow> {
  const { table, column, id } = quoted(host)
  await sql.query(
    `declare creditkit_column no scroll cursor for
      select t.${id}::text as id, t.${column}::text as value from ${table} t order by t.${id}::text collate "C"`,
    [],
  )
  for (;;) {
    const rows = await sql.query(`fetch ${PAGE} from creditkit_column`, [])
    for (const row of rows) yield toRow(row)
    if (rows.length < PAGE) return
  }
}

function toRow(row: SqlRow): ColumnRow {
  const { id, value } = row
  return { userId: String(id), value: typeof value === 'string' ? value : null }
}

function quoted({ table, column, id }: HostColumn): HostColumn {
  return {
    table: table.split('.').map(quoteIdentifier).join('.'),
    column: quoteIdentifier(column),
    id: quoteIdentifier(id),
  }
}

/** As SQL names it. */
async function typeOf(sql: SqlExecutor, host: HostColumn, column: string): Promise<string> {
  const [found] = await sql.query(
    `select format_type(a.atttypid, a.atttypmod) as type from pg_catalog.pg_attribute a
      where a.attrelid = to_regclass($1::text) and a.attname = $2::text and a.attnum > 0 and not a.attisdropped`,
    [quoted(host).table, column],
  )
  if (found === undefined)
    throw new WrongUsage(`there is no column ${column} in a table ${host.table} of this database`)
  return String(found['type'])
}
