import type { PGlite } from '@electric-sql/pglite'
import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'

import pg from 'pg'
import postgres from 'postgres'

import { drizzleDatabase, type DrizzleDatabase } from '../../adapters/postgres/databases/drizzle.js'
import { nodePostgresDatabase, openNodePostgres } from '../../adapters/postgres/databases/node-postgres.js'

import { pgliteDatabase } from '../../adapters/postgres/databases/pglite.js'
import { postgresJsDatabase } from '../../adapters/postgres/databases/postgres-js.js'
import { type SqlDatabase } from '../../adapters/postgres/sql-database.js'
import { createTestPGlite } from '../support/pglite.js'

export interface Opened {
  database: SqlDatabase
  end(): Promise<void>
}

/** How the same database is reached; `url` is of a real server. */
export type Open = (url: string) => Opened | Promise<Opened>

/** Hides the client, as a driver does that we don't know: everything goes through Drizzle. */
export function generic(db: DrizzleDatabase): SqlDatabase {
  Object.defineProperty(db, '$client', { value: undefined })
  return drizzleDatabase(db)
}

export function overPool(make: (pool: pg.Pool) => SqlDatabase): Open {
  return (url) => {
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    return { database: make(pool), end: () => pool.end() }
  }
}

export function overPostgresJs(make: (sql: postgres.Sql) => SqlDatabase, options: postgres.Options<never> = {}): Open {
  return (url) => {
    const sql = postgres(url, { max: 4, onnotice: () => {}, backoff: () => 0.01, ...options })
    return { database: make(sql), end: () => sql.end({ timeout: 1 }) }
  }
}

export function overPGlite(make: (pglite: PGlite) => SqlDatabase): Open {
  return async () => {
    const pglite = await createTestPGlite()
    return { database: make(pglite), end: () => pglite.close() }
  }
}

export const onServer: Record<string, Open> = {
  'a pg pool': overPool((pool) => nodePostgresDatabase(pool)),
  'a pg pool without prepared statements': overPool((pool) => nodePostgresDatabase(pool, { prepare: false })),
  'a connection string': (url) => {
    const database = openNodePostgres(url)
    return { database, end: () => database.close() }
  },
  'a postgres.js client': overPostgresJs((sql) => postgresJsDatabase(sql)),
  'a postgres.js client without prepared statements': overPostgresJs((sql) => postgresJsDatabase(sql), {
    prepare: false,
  }),
  'Drizzle on a pg pool': overPool((pool) => drizzleDatabase(drizzleNodePostgres(pool))),
  'Drizzle on postgres.js': overPostgresJs((sql) => drizzleDatabase(drizzlePostgresJs(sql))),
}

export const embedded: Record<string, Open> = {
  'a PGlite instance': overPGlite((pglite) => pgliteDatabase(pglite)),
  'Drizzle on PGlite': overPGlite((pglite) => drizzleDatabase(drizzlePGlite(pglite))),
  'Drizzle on a driver like PGlite that is not known': overPGlite((pglite) => generic(drizzlePGlite(pglite))),
}

/** Drivers we don't know have to look after lost connections themselves. */
export const throughDrizzle: Record<string, Open> = {
  'Drizzle on a driver like pg that is not known': overPool((pool) => generic(drizzleNodePostgres(pool))),
  'Drizzle on a driver like postgres.js that is not known': overPostgresJs((sql) => generic(drizzlePostgresJs(sql))),
}
