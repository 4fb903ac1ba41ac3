import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

/** A schema as a version made it, with rows as that version wrote them. */
export interface KeptSchema {
  /** Statements of each of its migrations, in order, for a schema named creditkit. */
  statements: string[][]
  /** Per table, as JSON; see `readTables`. */
  rows: Record<string, string>
  totals: Record<string, unknown>
}

export const KEPT_DIRECTORY = fileURLToPath(new URL('./kept-schemas/', import.meta.url))

export function keptSchemaPath(number: number): string {
  return join(KEPT_DIRECTORY, `${number}.json.gz`)
}

/** Numbers of the migrations that are kept. */
export function keptNumbers(): number[] {
  return readdirSync(KEPT_DIRECTORY).map((name) => Number.parseInt(name, 10))
}

export function readKeptSchema(number: number): KeptSchema {
  // Written by make-kept-schema.ts.
  return JSON.parse(gunzipSync(readFileSync(keptSchemaPath(number))).toString('utf8')) as KeptSchema
}
