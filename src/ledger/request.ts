import type { JsonObject, JsonValue, Transaction } from './transaction.js'

/** What a caller asked for, field by field, in the order in which differences are reported. */
export type CommandRequest = readonly (readonly [field: string, value: JsonValue])[]

/** Fields that stand in columns of the transaction; every other field stands in `request`. */
const COLUMNS: { readonly [field: string]: (transaction: Transaction) => JsonValue } = {
  creditType: (transaction) => transaction.creditType,
  amount: (transaction) => transaction.amount,
  description: (transaction) => transaction.description,
  referenceId: (transaction) => transaction.referenceId,
  referenceType: (transaction) => transaction.referenceType,
  metadata: (transaction) => transaction.metadata,
}

const PLAIN_OPERATION = 'deduct'

/**
 * The part of a request to store beside the columns; null when the columns say it all. `beyond`: the fields that are no
 * columns, or that mean something else than the column of their name.
 */
export function requestBeyondColumns(beyond: CommandRequest): JsonObject | null {
  const stored = beyond.filter(
    ([field, value]) => (value !== null || field in COLUMNS) && !(field === 'operation' && value === PLAIN_OPERATION),
  )
  return stored.length === 0 ? null : Object.fromEntries(stored)
}

/** The first field in which a repeat differs from the request its key was first used for; null: the same request. */
export function firstDifference(asked: CommandRequest, stored: StoredRequest): string | null {
  for (const [field, value] of asked) {
    if (canonicalJson(value) !== canonicalJson(storedValue(field, stored))) return field
  }
  return null
}

/** What is kept of a keyed command: its row in the ledger, or (for commands that write none) its request alone. */
export interface StoredRequest {
  transaction: Transaction | null
  request: JsonObject | null
}

function storedValue(field: string, { transaction, request }: StoredRequest): JsonValue {
  if (request !== null && Object.hasOwn(request, field)) return request[field] ?? null
  const column = COLUMNS[field]
  if (transaction !== null && column !== undefined) return column(transaction)
  return field === 'operation' && transaction !== null ? PLAIN_OPERATION : null
}

/** JSON text that does not depend on the order of keys, which Postgres' jsonb does not keep. */
function canonicalJson(value: JsonValue): string {
  return JSON.stringify(value, (_key, inner: JsonValue) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : Number(a > b))))
      : inner,
  )
}
