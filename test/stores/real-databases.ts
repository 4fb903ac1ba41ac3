import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import pg from 'pg'
import postgres from 'postgres'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { createTestDatabase } from '../support/postgres.js'
import { createTestPGlite } from '../support/pglite.js'

/** A database as a host has it, and what ends it after the tests. */
export interface HostDatabase {
  /** What a host passes to `postgresStore`. */
  db: unknown
  end(): Promise<void>
}

/** How a host reaches the database at `url`. */
export type OpenHostDatabase = (url: string) => Promise<HostDatabase> | HostDatabase

export const viaPool: OpenHostDatabase = (url) => {
  const pool = new pg.Pool({ connectionString: url, max: 8 })
  return { db: pool, end: () => pool.end() }
}

/** As a host has it that writes dates otherwise, far from UTC. */
export const viaPoolAbroad: OpenHostDatabase = (url) => {
  const options =
    '-c TimeZone=Pacific/Kiritimati -c DateStyle=SQL,DMY -c IntervalStyle=sql_standard -c bytea_output=escape'
  const pool = new pg.Pool({ connectionString: url, max: 8, options })
  return { db: pool, end: () => pool.end() }
}

export const viaConnectionString: OpenHostDatabase = (url) => ({ db: url, end: async () => undefined })

export const viaPostgresJs: OpenHostDatabase = (url) => {
  const sql = postgres(url, { max: 8, onnotice: () => undefined })
  return { db: sql, end: () => sql.end() }
}

export const viaDrizzleOnPool: OpenHostDatabase = (url) => {
  const pool = new pg.Pool({ connectionString: url, max: 8 })
  return { db: drizzleNodePostgres({ client: pool }), end: () => pool.end() }
}

export const viaDrizzleOnPostgresJs: OpenHostDatabase = (url) => {
  const sql = postgres(url, { max: 8, onnotice: () => undefined })
  return { db: drizzlePostgresJs({ client: sql }), end: () => sql.end() }
}

export const viaDrizzleOnPGlite: OpenHostDatabase = async () => {
  const pglite = await createTestPGlite()
  return { db: drizzlePGlite({ client: pglite }), end: () => pglite.close() }
}

/** Hides the client, as a driver does that we don't know: every statement goes through Drizzle. */
export function hidingTheClient(open: OpenHostDatabase): OpenHostDatabase {
  return async (url) => {
    const opened = await open(url)
    if (typeof opened.db === 'object' && opened.db !== null) {
      Object.defineProperty(opened.db, '$client', { value: undefined })
    }
    return opened
  }
}

/** A store on a database of its own, with its tables made; closing it drops the database. */
export async function openStoreOn(
  open: OpenHostDatabase,
  { partitions }: { partitions?: number } = {},
): Promise<CreditStore> {
  const database = await createTestDatabase()
  const host = await open(database.url)
  await migrate(host.db, { partitions })
  const store = postgresStore(host.db)
  const close = store.close.bind(store)
  store.close = async () => {
    await close()
    await host.end()
    await database.drop()
  }
  return store
}
