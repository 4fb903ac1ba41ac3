import type { SqlDatabase, SqlExecutor, SqlRow, SqlValue } from '../sql-database.js'

/** Any Drizzle database or transaction on Postgres. Its types differ from version to version, so ours is structural. */
export interface DrizzleExecutor {
  execute(query: never): PromiseLike<unknown>
}

/**
 * Our statements inside of the host's Drizzle database or transaction. Drizzle sends them un-named and numbers the
 * placeholders anew, so every use of a placeholder needs its own cast, and `$1` may not stand inside a literal.
 */
export function drizzleExecutor(tx: DrizzleExecutor): SqlExecutor {
  return {
    query: async (text, values) => {
      // Drizzle accepts its own `sql` objects, recognised by a symbol: those of our copy work on the host's.
      const query = (await drizzleSql(text, values)) as never
      return rowsOf(await tx.execute(query))
    },
  }
}

/**
 * The database as seen from inside of a Drizzle transaction: everything runs there and shares its fate. Its own
 * transactions are that one: they have its isolation, and what they have done is not undone when they throw.
 */
export function databaseWithin(tx: DrizzleExecutor): SqlDatabase {
  const executor = drizzleExecutor(tx)
  return {
    ...executor,
    transaction: (work) => work(executor),
    hostTransaction: (work) => work(tx),
    close: async () => {},
  }
}

async function drizzleSql(text: string, values: readonly SqlValue[]) {
  const { sql } = await import('drizzle-orm')
  const query = sql.empty()
  let end = 0
  for (const match of text.matchAll(/\$(\d+)/g)) {
    const value = values[Number(match[1]) - 1]
    if (value === undefined)
      throw new Error(`drizzleExecutor: the statement uses ${match[0]} but no such value was given`)
    query.append(sql.raw(text.slice(end, match.index))).append(sql`${value}`)
    end = match.index + match[0].length
  }
  return query.append(sql.raw(text.slice(end)))
}

/** Drivers answer with the rows, or with an object that has them. */
function rowsOf(result: unknown): SqlRow[] {
  const rows: unknown = typeof result === 'object' && result !== null && 'rows' in result ? result.rows : result
  // Drizzle does not type raw results; every driver of it has one of the two shapes.
  return Array.isArray(rows) ? (rows as SqlRow[]) : []
}
