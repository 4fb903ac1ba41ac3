import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CreditStore } from '../src/ports/store.js'
import { registered, unregister } from '../src/registry.js'
import { lazyDatabase } from './postgres/databases/lazy.js'
import { openPGlite, pgliteDatabase, type PGliteInstance } from './postgres/databases/pglite.js'
import { DEFAULT_SCHEMA, migrateDatabase } from './postgres/migrate.js'
import type { SqlDatabase } from './postgres/sql-database.js'
import { ownTables } from './postgres/sql-tables.js'
import { sqlStore } from './postgres/store.js'

/**
 * Where `pgliteStore` keeps its data: in memory, in a directory, or in a `client` of yours, which goes before
 * `dataDir`.
 */
export interface PgliteStoreOptions {
  /** Where the database's files are. Default: in memory, gone with the process. */
  dataDir?: string | undefined
  /**
   * A PGlite instance of the host to share; it stays open when the store closes. The first call makes the tables, so it
   * must not be one inside a transaction of the host.
   */
  client?: PGliteInstance | undefined
}

/**
 * Credits in an embedded Postgres (PGlite): no server, one process. Opens with the first call, which takes about two
 * seconds, and makes and upgrades its own tables. Stores on the same `dataDir` in one process share one database;
 * a second process is refused (`StoreNotConfiguredError` naming the one that has it), since both would lose writes.
 */
export function pgliteStore({ dataDir, client }: PgliteStoreOptions = {}): CreditStore {
  if (client !== undefined) return embeddedStore(pgliteDatabase(client), client)
  return dataDir === undefined ? embeddedStore(openPGlite(), {}) : directoryStore(dataDir)
}

function embeddedStore(database: SqlDatabase, memoryScope: object): CreditStore {
  const migrated = lazyDatabase(async () => {
    await migrateDatabase(database, DEFAULT_SCHEMA)
    return database
  })
  return sqlStore(migrated, ownTables(DEFAULT_SCHEMA), { memoryScope })
}

/** One open database per directory and process, ended when the last store that used it closes. */
function directoryStore(dataDir: string): CreditStore {
  const path = canonicalPath(dataDir)
  const key = `pglite:${path}`
  const database = lazyDatabase(async () => {
    const shared = registered(key, () => ({ database: openPGlite(dataDir), users: 0 }))
    shared.users += 1
    return {
      ...shared.database,
      close: async () => {
        shared.users -= 1
        if (shared.users > 0) return
        unregister(key, shared)
        await shared.database.close()
      },
    }
  })
  const memoryScope = registered(`pglite-scope:${path}`, () => ({}))
  return embeddedStore(database, memoryScope)
}

/** One name for all spellings of a path; the directory may not be there yet. */
function canonicalPath(dataDir: string): string {
  try {
    return realpathSync(dataDir)
  } catch {
    // Not made yet: nobody can have it open under another name.
    return resolve(dataDir)
  }
}
