import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { EXIT } from '../failure.js'
import { writeNewFiles } from '../new-files.js'
import { print } from '../output.js'
import type { Run } from '../program.js'
import { jsonCommand } from '../service-command.js'

interface Options {
  out?: string
  schema?: string
  prefix?: string
  userId: UserIdKind
  json?: true
}

const USER_ID_KINDS = ['text', 'integer', 'bigint', 'uuid'] as const
type UserIdKind = (typeof USER_ID_KINDS)[number]

/** `generate`: our tables for the host's own Drizzle schema. */
export function registerGenerate(program: Command, run: Run): void {
  jsonCommand(program, 'generate')
    .description('write our tables as a file of your own Drizzle schema, for drizzle-kit; never overwrites')
    .option('--out <file>', 'default credit-schema.ts, in src/db, db, src or here, whichever is there')
    .option('--schema <name>', 'the Postgres schema they go to; default: that of your other tables', sqlName)
    .option('--prefix <text>', 'before the name of every table', sqlName)
    .option('--user-id <type>', `the type of your user ids: ${USER_ID_KINDS.join(', ')}`, userIdKind, 'text')
    .action(
      run(async (terminal, options: Options) => {
        const { cwd } = terminal
        const out =
          options.out ??
          join(['src/db', 'db', 'src'].find((folder) => existsSync(join(cwd, folder))) ?? '', 'credit-schema.ts')
        const result = writeNewFiles(cwd, { [out]: await creditSchemaFile(options) })
        const text =
          result.left.length > 0
            ? `${out} is there already, and was left as it is. Nothing was written.\n`
            : `Wrote ${out}. Next:\n  1. put it into \`schema\` of drizzle.config.ts\n  2. npx drizzle-kit generate && npx drizzle-kit migrate\n  3. in credits.ts: store: postgresStore(db, { tables })\nNever run \`creditkit migrate\` on these tables: they are yours.\n`
        await print(terminal, options.json, result, text)
        return result.left.length > 0 ? EXIT.problem : EXIT.fine
      }),
    )
}

function sqlName(text: string): string {
  if (!/^[a-z_][a-z0-9_]{0,39}$/i.test(text))
    throw new InvalidArgumentError('must be letters, digits and _, at most 40')
  return text
}

function userIdKind(text: string): UserIdKind {
  const kind = USER_ID_KINDS.find((known) => known === text)
  if (kind === undefined) throw new InvalidArgumentError(`must be one of ${USER_ID_KINDS.join(', ')}`)
  return kind
}

/** The text of such a file. It is JavaScript as well. */
export async function creditSchemaFile(options: Pick<Options, 'schema' | 'prefix' | 'userId'>): Promise<string> {
  // Of Drizzle, whose names the file must export: loaded where it is needed.
  const { creditTables } = await import('../../postgres/index.js')
  const tables = creditTables(options.schema === undefined ? {} : { schema: options.schema })
  const names = Object.entries(tables).filter(([, table]) => table !== undefined)
  return schemaFile(
    names.map(([name]) => name),
    options,
  )
}

function schemaFile(
  names: readonly string[],
  { schema, prefix, userId }: Pick<Options, 'schema' | 'prefix' | 'userId'>,
): string {
  const column = userId === 'bigint' ? `bigint('user_id', { mode: 'bigint' })` : `${userId}('user_id')`
  const options = [
    schema === undefined ? [] : [`  schema: '${schema}',`],
    prefix === undefined ? [] : [`  prefix: '${prefix}',`],
    ['  // With a foreign key, if you like: .references(() => users.id)', `  userId: () => ${column}.notNull(),`],
  ].flat()
  return `import { creditTables } from 'creditkit/adapters/postgres'
import { ${userId} } from 'drizzle-orm/pg-core'

/** creditkit's tables, which you own: pass them on as \`postgresStore(db, { tables })\`. */
export const tables = creditTables({
${options.join('\n')}
})

// Every one of them under its own name, so that drizzle-kit sees it.
export const {
${names.map((name) => `  ${name},`).join('\n')}
} = tables
`
}
