/**
 * A process that migrates, for tests of many at once and of a sudden death:
 *
 *   tsx migrate-process.ts <connection string> <schema> <clients>
 *
 * Says `ready`, waits for a line on its input, calls `migrate` as many times at once, and prints the results as JSON.
 */
import { once } from 'node:events'
import { migrate } from '../../adapters/postgres/migrate.js'

const [url, schema, clients] = process.argv.slice(2)
process.stdout.write('ready\n')
await once(process.stdin, 'data')
const results = await Promise.all(Array.from({ length: Number(clients) }, () => migrate(url, { schema })))
process.stdout.write(`${JSON.stringify(results)}\n`)
process.stdin.destroy()
