import { StoreNotConfiguredError } from '../../../src/errors.js'
import type { SqlDatabase } from '../sql-database.js'
import { drizzleDatabase, type DrizzleDatabase } from './drizzle.js'
import { lazyDatabase } from './lazy.js'
import { openNodePostgres } from './node-postgres.js'
import { directDatabase, hasMethods, isSingleConnection } from './recognise.js'

const ACCEPTED =
  'Accepted are a connection string (postgres://…), a `pg` Pool, a postgres.js client, a PGlite instance, ' +
  'a Drizzle database on one of these, or nothing with DATABASE_URL set'

/**
 * The database behind whatever the host has. Never connects: a connection string, and `DATABASE_URL` where nothing is
 * given, is read and opened by the first statement, after the host has loaded its environment.
 *
 * `prepare: false` for transaction poolers that don't support named prepared statements. Default true.
 *
 * @throws {StoreNotConfiguredError} It is none of the things we can use. The message says which those are.
 */
export function openDatabase(source: unknown, options: { prepare?: boolean | undefined } = {}): SqlDatabase {
  if (source === undefined) return lazyDatabase(async () => openNodePostgres(databaseUrl(), options))
  if (typeof source === 'string') return openNodePostgres(checkedUrl(source, 'The connection string'), options)
  if (isSingleConnection(source)) {
    throw new StoreNotConfiguredError(
      'A single `pg` client can run only one transaction at a time: pass a `pg` Pool instead',
    )
  }
  const database = directDatabase(source, options)
  if (database) return database
  if (isDrizzle(source)) return drizzleDatabase(source, options)
  throw new StoreNotConfiguredError(`This is not a database creditkit can use. ${ACCEPTED}`)
}

function databaseUrl(): string {
  const url = process.env['DATABASE_URL']
  if (url === undefined || url === '') {
    throw new StoreNotConfiguredError(`No database: the environment variable DATABASE_URL is not set. ${ACCEPTED}`)
  }
  return checkedUrl(url, 'DATABASE_URL')
}

/** Checked before a driver sees it, since drivers quote what they could not read, with the password in it. */
function checkedUrl(url: string, name: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed && ['postgres:', 'postgresql:', 'socket:'].includes(parsed.protocol)) return url
  throw new StoreNotConfiguredError(
    `${name} is not of the form postgres://user:password@host:5432/database. ${ACCEPTED}`,
  )
}

function isDrizzle(source: unknown): source is DrizzleDatabase {
  return hasMethods(source, ['execute', 'transaction'])
}
