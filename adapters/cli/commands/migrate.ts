import type { Command } from 'commander'
import type { MigrateOptions, MigrateResult } from '../../postgres/migrate.js'
import { EXIT, WrongUsage } from '../failure.js'
import { loadEnvironment } from '../host-service.js'
import { print } from '../output.js'
import type { Run } from '../program.js'
import { jsonCommand, positiveInteger } from '../service-command.js'

interface Options {
  database?: string
  schema?: string
  partitions?: number
  json?: true
}

/** `migrate`: make or upgrade the tables. Needs no service, so that a deployment can run it before the app starts. */
export function registerMigrate(program: Command, run: Run): void {
  jsonCommand(program, 'migrate')
    .description('make our tables in PostgreSQL, or bring them up to date; safe at every deployment')
    .option('--database <url>', 'where; default DATABASE_URL')
    .option('--schema <name>', 'the schema that holds our tables; default creditkit')
    .option('--partitions <n>', 'divide the ledger into so many tables, when it is made', positiveInteger)
    .action(
      run(async (terminal, options: Options) => {
        loadEnvironment(terminal.cwd)
        const { schema, partitions } = options
        const result = await migrateWhere(options.database ?? process.env.DATABASE_URL ?? '', { schema, partitions })
        await print(terminal, options.json, result, resultText(result))
        return EXIT.fine
      }),
    )
}

async function migrateWhere(url: string, options: MigrateOptions): Promise<MigrateResult> {
  // Drivers are the host's: they are loaded where they are needed.
  if (url !== '') return (await import('../../postgres/index.js')).migrate(url, options)
  const dataDir = process.env.CREDITS_DATA_DIR ?? ''
  if (dataDir === '') throw new WrongUsage('no database: pass --database, or set DATABASE_URL or CREDITS_DATA_DIR')
  if (options.schema !== undefined || options.partitions !== undefined)
    throw new WrongUsage(
      '--schema and --partitions are for PostgreSQL; an embedded database has its tables in one place',
    )
  const { openPGlite } = await import('../../postgres/databases/pglite.js')
  const { DEFAULT_SCHEMA, migrateDatabase } = await import('../../postgres/migrate.js')
  const database = openPGlite(dataDir)
  try {
    return await migrateDatabase(database, DEFAULT_SCHEMA)
  } finally {
    await database.close()
  }
}

function resultText({ schema, applied }: MigrateResult): string {
  if (applied.length === 0) return `Schema ${schema} is up to date.\n`
  return `Schema ${schema}: applied ${applied.length === 1 ? 'migration' : 'migrations'} ${applied.join(', ')}.\n`
}
