import type { PostgresJsQueries } from './drizzle-handles.js'

/**
 * A postgres.js transaction as Drizzle wants it: with JSON and times as text in both directions. Drizzle's own way is to
 * change the client's parsers for good, but this client is the host's, who reads dates with it elsewhere.
 */
export function drizzleQueries(tx: RawTransaction, watch: Watch): PostgresJsQueries {
  return {
    unsafe: (text, values, options) => {
      const answer = async (asArrays: boolean): Promise<unknown> => {
        const parameters = values.map((value) => (typeof value === 'string' ? tx.typed(value, UNKNOWN) : value))
        // What Drizzle binds is what its driver takes, but it does not say so in types.
        return decode(await watch(() => tx.unsafe(text, parameters as never[], options).raw()), asArrays)
      }
      let objects: Promise<unknown> | undefined
      return {
        then: (resolve, reject) => (objects ??= answer(false)).then(resolve, reject),
        values: () => answer(true),
      }
    },
    savepoint: (work) => tx.savepoint((inner) => work(drizzleQueries(inner, watch))),
  }
}

/** Runs a statement, and notices when it tells that the connection is lost. */
export type Watch = <T>(run: () => PromiseLike<T>) => Promise<T>

/** The part of a postgres.js transaction we use. */
export interface RawTransaction {
  unsafe(text: string, values: never[], options?: object): { raw(): PromiseLike<unknown> }
  typed(value: string, type: number): unknown
  savepoint<T>(work: (inner: RawTransaction) => Promise<T>): Promise<unknown>
}

/** Postgres's type `unknown`: the server finds the type out, and postgres.js sends the text as it is. */
const UNKNOWN = 705

/** Dates, times and arrays of them, and of numerics: Drizzle reads them from text. The list is Drizzle's own. */
const AS_TEXT = new Set([1082, 1083, 1114, 1184, 1182, 1115, 1185, 1231])

interface RawResult extends Array<unknown> {
  columns: readonly { name: string; type: number; parser?: ((text: string) => unknown) & { array?: true } }[] | null
}

/** Rows of bytes, as objects or as arrays; what else a result says (`count`, `command`) stays. */
function decode(result: unknown, asArrays: boolean): unknown {
  // A text of several statements answers with a list of results, which is none itself.
  if (!isResult(result)) return Array.isArray(result) ? result.map((one) => decode(one, asArrays)) : result
  const columns = result.columns ?? []
  result.forEach((bytes, index) => {
    // By `raw()`, a row is a list of bytes.
    const values = (bytes as (Buffer | null)[]).map((value, place) => decodeValue(value, columns[place]))
    result[index] = asArrays ? values : Object.fromEntries(columns.map(({ name }, place) => [name, values[place]]))
  })
  return result
}

function decodeValue(bytes: Buffer | null, column: NonNullable<RawResult['columns']>[number] | undefined): unknown {
  const text = bytes?.toString('utf8') ?? null
  if (text === null || column?.parser === undefined || AS_TEXT.has(column.type)) return text
  // As postgres.js does: parsers of arrays begin behind the first brace.
  return column.parser(column.parser.array === true ? text.slice(1) : text)
}

function isResult(result: unknown): result is RawResult {
  return Array.isArray(result) && 'columns' in result
}
