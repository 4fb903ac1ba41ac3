import { TABLE_NAMES } from '../../adapters/postgres/sql-tables.js'

/** One statement with its values, by whatever driver. */
export type Run = (text: string, values: unknown[]) => Promise<Record<string, unknown>[]>

const VIEWS: readonly string[] = [TABLE_NAMES.creditOpenGrants]

/** The rows of every table that has any, as PostgreSQL writes them in JSON: nothing here reads the numbers. */
export async function readTables(run: Run, schema: string): Promise<Record<string, string>> {
  const tables: Record<string, string> = {}
  for (const table of [...Object.values(TABLE_NAMES), 'credit_migrations']) {
    if (VIEWS.includes(table)) continue
    const [row] = await run(`select json_agg(t)::text as rows from ${schema}.${table} t`, [])
    if (typeof row?.['rows'] === 'string') tables[table] = row['rows']
  }
  return tables
}

/** Write them into empty tables; ids that the database gives go on after them. */
export async function writeTables(run: Run, schema: string, tables: Record<string, string>): Promise<void> {
  for (const [table, rows] of Object.entries(tables)) {
    const target = `${schema}.${table}`
    await run(`insert into ${target} select * from json_populate_recordset(null::${target}, $1::text::json)`, [rows])
  }
  const packages = `${schema}.${TABLE_NAMES.creditPackages}`
  await run(`select setval(pg_get_serial_sequence($1, 'id'), max(id)) from ${packages} having max(id) > 0`, [packages])
}
