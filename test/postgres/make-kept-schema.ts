import { mkdirSync, writeFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { gzipSync } from 'node:zlib'
import { pgliteStore } from '../../adapters/pglite.js'
import { migrate } from '../../adapters/postgres/index.js'
import { MIGRATIONS } from '../../adapters/postgres/migrations.js'
import { fillEventfully } from './eventful-ledger.js'
import { KEPT_DIRECTORY, type KeptSchema, keptSchemaPath } from './kept-schema.js'
import { readTables, type Run } from './table-rows.js'

/*
 * npx tsx test/postgres/make-kept-schema.ts: keep the newest schema with rows of everything, for later versions to bring up
 * to date. Once per migration, with its release; a released one is never made again.
 */
const client = await PGlite.create()
await migrate(client)
await fillEventfully(pgliteStore({ client }), 1_500)
const run: Run = async (text, values) => (await client.query<Record<string, unknown>>(text, values)).rows
const [totals] = await run(
  'select count(*)::int as accounts, sum(balance)::text as balance from creditkit.user_credits',
  [],
)
const kept: KeptSchema = {
  statements: MIGRATIONS.map(({ statements }) => statements('creditkit', { partitions: null })),
  rows: await readTables(run, 'creditkit'),
  totals: totals ?? {},
}
await client.close()
const number = MIGRATIONS.at(-1)?.number ?? 0
mkdirSync(KEPT_DIRECTORY, { recursive: true })
writeFileSync(keptSchemaPath(number), gzipSync(JSON.stringify(kept), { level: 9 }))
process.stdout.write(`kept schema ${number}: ${Object.keys(kept.rows).length} tables with rows\n`)
