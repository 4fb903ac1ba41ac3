import { isCreditError } from '../../../src/errors.js'
import { MIGRATIONS } from '../../postgres/migrations.js'
import type { SqlExecutor } from '../../postgres/sql-database.js'
import { namesStore } from '../environment-service.js'
import { inHostDatabase } from '../host-column.js'
import type { HostService } from '../host-service.js'
import { type Check, failed, type Finding, look, messageOf, ok, skipped, warning } from './check.js'
import { type CreditSchema, creditSchemas } from './tables.js'

/** Clocks may be so far apart before somebody should look, and before signatures of webhooks are soon refused. */
const CLOCK_WARNING_MS = 2_000
const CLOCK_FAILURE_MS = 60_000

/** Names that are listed of many. */
const MAX_LISTED = 3

/** Can the store be reached, are its tables there, how old are they and whose, and does its clock agree with ours? */
export async function checkDatabase(credits: HostService, environment: NodeJS.ProcessEnv): Promise<Check[]> {
  const reached = await look('database', () => reach(credits, environment))
  if (reached.status === 'failed') return [reached, ...notAsked('the database does not answer')]
  let schemas: CreditSchema[]
  try {
    schemas = await inHostDatabase(credits, (sql) => creditSchemas(sql))
  } catch (error) {
    if (isCreditError(error, 'INVALID_INPUT')) return [reached, ...notAsked('the store is no SQL database')]
    return [reached, { name: 'schema', ...failed(messageOf(error), null) }]
  }
  return [
    reached,
    await look('schema', () => checkSchema(credits, schemas)),
    await look('ownership', async () => checkOwnership(schemas)),
    await look('clock', () => inHostDatabase(credits, checkClock)),
  ]
}

function notAsked(why: string): Check[] {
  return ['schema', 'ownership', 'clock'].map((name) => ({ name, ...skipped(why) }))
}

async function reach(credits: HostService, environment: NodeJS.ProcessEnv): Promise<Finding> {
  try {
    return await inHostDatabase(credits, async (sql) => {
      const started = Date.now()
      const [server] = await sql.query(
        `select current_setting('server_version') as version, version() like '%wasm%' as is_embedded`,
        [],
      )
      const answer = `PostgreSQL ${String(server?.['version'])} answers in ${Date.now() - started} ms`
      if (server?.['is_embedded'] !== true) return ok(answer)
      return namesStore(environment)
        ? ok(`${answer} (embedded)`)
        : warning(
            `${answer} (embedded), and neither DATABASE_URL nor CREDITS_DATA_DIR is set`,
            'unless your file names a directory, set one of them: credits in memory are gone with the process',
          )
    })
  } catch (error) {
    // `memoryStore` has no transactions.
    if (isCreditError(error, 'INVALID_INPUT'))
      return warning('the store keeps credits in memory: they are gone with the process', 'use it in tests only')
    if (isCreditError(error, 'STORE_NOT_CONFIGURED'))
      return failed(messageOf(error), 'set DATABASE_URL, in the environment or in .env')
    return failed(messageOf(error), 'is it running, and are host, port, name and password of the connection right?')
  }
}

async function checkSchema(credits: HostService, schemas: readonly CreditSchema[]): Promise<Finding> {
  const known = Math.max(...MIGRATIONS.map(({ number }) => number))
  const judged = schemas.map((schema) => ({ schema, ...judgeSchema(schema, known) }))
  const message = judged.map((finding) => finding.message).join('; ')
  try {
    // Whatever was found, this is what the service itself uses.
    await credits.findUsers({ limit: 1 })
  } catch (error) {
    const about = message === '' ? 'there are no tables of ours' : message
    const next = judged.find(({ status }) => status === 'failed')?.next ?? 'run: npx creditkit migrate'
    return failed(`${about}. The service says: ${messageOf(error)}`, next)
  }
  if (judged.length === 0) return ok('the service finds its tables; they have a prefix, so no more is known')
  const [wrong] = judged.filter(({ status }) => status !== 'ok')
  if (wrong === undefined) return ok(message)
  // Of several, the service may well use one that is right.
  return judged.length > 1 ? warning(message, wrong.next) : { ...wrong, message }
}

/** Do the tables go with this version? `known`: the last migration it brings. */
export function judgeSchema({ name, migration, missing }: CreditSchema, known: number): Finding {
  const lacks = missing.length === 0 ? '' : `; missing: ${listed(missing)}`
  if (migration === undefined)
    return warning(
      `which migration schema ${name} is at can't be read${lacks}`,
      `grant select on ${name}.credit_migrations`,
    )
  if (migration === null) {
    const message = `the tables in schema ${name} are your own${lacks}`
    return missing.length === 0
      ? ok(message)
      : failed(message, 'npx drizzle-kit generate && npx drizzle-kit migrate, after the upgrade of creditkit')
  }
  const message = `schema ${name} is at migration ${migration}`
  if (migration < known) return failed(`${message} of ${known}`, `run: npx creditkit migrate${option(name)}`)
  if (migration > known)
    return failed(`${message}, and this version of creditkit knows ${known}`, 'upgrade creditkit where this runs')
  return missing.length === 0
    ? ok(`${message}, the newest`)
    : failed(`${message}${lacks}`, 'somebody changed the tables: restore those columns from a backup')
}

function option(schema: string): string {
  return schema === 'creditkit' ? '' : ` --schema ${schema}`
}

/** Whose are the tables, and may the service use them? */
function checkOwnership(schemas: readonly CreditSchema[]): Finding {
  if (schemas.length === 0) return skipped('there are no tables of ours, or they have a prefix')
  const found = schemas.map(judgeOwnership)
  return (
    found.find(({ status }) => status === 'failed') ??
    found.find(({ status }) => status === 'warning') ??
    ok(found.map(({ message }) => message).join('; '))
  )
}

function judgeOwnership({ name, migration, owners, role, refused }: CreditSchema): Finding {
  const whose = migration === null ? 'drizzle-kit migrates them' : 'creditkit migrates them'
  if (refused.length > 0) {
    const rights = `grant select, insert, update, delete on all tables in schema ${name} to "${role}"`
    const usage = `grant usage on schema ${name} to "${role}"`
    const next = refused.includes(`usage on ${name}`) ? `${usage}; ${rights}` : rights
    return failed(`role ${role} lacks in schema ${name}: ${listed(refused)}`, next)
  }
  if (owners.length > 1)
    return warning(
      `the tables in schema ${name} belong to several roles (${owners.join(', ')}): a migration may change none of another's`,
      'alter table … owner to …, so that all belong to the role that migrates',
    )
  const owner = owners[0] ?? ''
  const use = owner === role ? 'as which the service signs in' : `and the service, ${role}, may use them`
  return ok(`the tables in schema ${name} belong to ${owner}, ${use}; ${whose}`)
}

function listed(names: readonly string[]): string {
  const more = names.length - MAX_LISTED
  return `${names.slice(0, MAX_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

async function checkClock(sql: SqlExecutor): Promise<Finding> {
  // The second of two, so that nothing is counted but the way there and back.
  await sql.query('select 1', [])
  const asked = Date.now()
  const [row] = await sql.query(`select (extract(epoch from clock_timestamp()) * 1000)::bigint::text as now`, [])
  const halfway = (asked + Date.now()) / 2
  const apart = Math.round(Number(row?.['now']) - halfway)
  const message = `this machine and the database are ${Math.abs(apart).toLocaleString('en-US')} ms apart`
  if (Math.abs(apart) < CLOCK_WARNING_MS) return ok(message)
  const next = 'set both by NTP: holds and expiries go by the database, Stripe’s signatures by this machine'
  return Math.abs(apart) < CLOCK_FAILURE_MS ? warning(message, next) : failed(message, next)
}
