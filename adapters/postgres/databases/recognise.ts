import type { SqlDatabase } from '../sql-database.js'
import { nodePostgresDatabase, type NodePostgresPool } from './node-postgres.js'
import { pgliteDatabase, type PGliteInstance } from './pglite.js'
import { postgresJsDatabase, type PostgresJsSql } from './postgres-js.js'

/** A database on a client of a driver we know, told by its methods: its class may come from another copy. */
export function directDatabase(client: unknown, options: { prepare?: boolean | undefined }): SqlDatabase | undefined {
  if (isNodePostgresPool(client)) return nodePostgresDatabase(client, options)
  if (isPostgresJs(client)) return postgresJsDatabase(client, options)
  if (isPGlite(client)) return pgliteDatabase(client)
  return undefined
}

/** A `pg` Client instead of a Pool, or one taken out of a Pool. */
export function isSingleConnection(client: unknown): boolean {
  return hasMethods(client, ['connect', 'query', 'escapeIdentifier', 'end']) && !isNodePostgresPool(client)
}

function isNodePostgresPool(client: unknown): client is NodePostgresPool {
  return hasMethods(client, ['connect', 'query', 'on', 'end']) && 'totalCount' in client
}

function isPostgresJs(client: unknown): client is PostgresJsSql {
  return typeof client === 'function' && hasMethods(client, ['unsafe', 'reserve', 'begin'])
}

function isPGlite(client: unknown): client is PGliteInstance {
  return hasMethods(client, ['_checkReady', '_runExclusiveTransaction', 'runExclusive', 'execProtocolStream'])
}

export function hasMethods(value: unknown, methods: readonly string[]): value is object {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return methods.every((method) => typeof Reflect.get(value, method) === 'function')
}
