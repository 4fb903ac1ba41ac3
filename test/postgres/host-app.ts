import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { creditTables } from '../../adapters/postgres/index.js'
import type { AnyCreditTables } from '../../adapters/postgres/tables.js'
import { root, run } from '../pack/run.js'

/** How somebody's app makes its user ids, and where it wants our tables: as it stands in its schema file. */
export interface HostSchema {
  /** The column of the users' table, and that of ours. */
  id: string
  userId: string
  /** What they need of `drizzle-orm/pg-core`, beside `integer` and `pgTable`. */
  columns: string[]
  schema?: string
  prefix?: string
}

/** Somebody's Drizzle app, in a folder outside of the repository. */
export interface HostApp {
  cwd: string
  write(file: string, text: string): void
  /** Run the real drizzle-kit there. Returns what it printed; rejects when it ends with an error or prints one. */
  drizzleKit(...args: string[]): Promise<string>
  /** The migrations that drizzle-kit has written, oldest first. */
  migrations(): string[]
  /** What the app's own `schema.ts` exports as `tables`: the very tables that drizzle-kit saw. */
  tables(): Promise<AnyCreditTables>
}

export function hostApp(databaseUrl: string, host: HostSchema): HostApp {
  const cwd = mkdtempSync(join(tmpdir(), 'creditkit-host-'))
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
  symlinkSync(join(root, 'node_modules'), join(cwd, 'node_modules'))
  const write = (file: string, text: string): void => writeFileSync(join(cwd, file), text)
  write('package.json', JSON.stringify({ type: 'module', private: true }))
  write('drizzle.config.ts', configFile(databaseUrl, host))
  return {
    cwd,
    write,
    async drizzleKit(...args) {
      const output = await run(process.execPath, ['node_modules/drizzle-kit/bin.cjs', ...args], { cwd })
      // `push` ends well, whatever the database said.
      if (/^error:/m.test(output)) throw new Error(`drizzle-kit ${args.join(' ')}:\n${output}`)
      return output
    },
    migrations: () =>
      readdirSync(join(cwd, 'drizzle'))
        .filter((file) => file.endsWith('.sql'))
        .sort(),
    async tables() {
      const exported = (await import(join(cwd, 'schema.ts'))) as { tables: AnyCreditTables }
      return exported.tables
    },
  }
}

function configFile(databaseUrl: string, { schema }: HostSchema): string {
  // Of schemas that it is not told of, `push` sees no table.
  const filter = schema === undefined ? '' : `\n  schemaFilter: ['public', '${schema}'],`
  return `import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: './schema.ts',
  out: './drizzle',${filter}
  dbCredentials: { url: ${JSON.stringify(databaseUrl)} },
})
`
}

/** The app's schema file before it knew us: users, with what they have left in a column. */
export function usersFile({ id, columns }: HostSchema): string {
  return `import { sql } from 'drizzle-orm'
import { ${['integer', 'pgTable', ...columns].join(', ')} } from 'drizzle-orm/pg-core'

export const users = pgTable('users', {
  id: ${id},
  credits: integer('credits').notNull().default(0),
})
`
}

/** And with our tables: a foreign key to the users in each, and every one exported, so that drizzle-kit sees it. */
export function adoptedFile(host: HostSchema): string {
  const { userId, schema, prefix } = host
  const names = Object.entries(creditTables(schema === undefined ? {} : { schema }))
    .filter(([, table]) => table !== undefined)
    .map(([name]) => name)
  const options = [
    ...(schema === undefined ? [] : [`schema: '${schema}'`]),
    ...(prefix === undefined ? [] : [`prefix: '${prefix}'`]),
    `userId: () => ${userId}.notNull().references(() => users.id)`,
  ]
  return `import { creditTables } from ${JSON.stringify(join(root, 'adapters/postgres/index.js'))}
${usersFile(host)}
export const tables = creditTables({ ${options.join(', ')} })

export const { ${names.join(', ')} } = tables
`
}
