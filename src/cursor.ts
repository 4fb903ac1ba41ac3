import { InvalidInputError } from './errors.js'
import type { TransactionPosition } from './ports/store.js'

/** An opaque mark of a place in a list of transactions. */
export function encodeCursor({ createdAt, seq, creditType }: TransactionPosition): string {
  return btoa(JSON.stringify([createdAt.getTime(), seq, creditType]))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** @throws {InvalidInputError} Not a cursor of ours. */
export function decodeCursor(cursor: string): TransactionPosition {
  try {
    const parts: unknown = JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')))
    if (Array.isArray(parts)) {
      const [time, seq, creditType]: unknown[] = parts
      if (Number.isSafeInteger(time) && Number.isSafeInteger(seq) && typeof creditType === 'string') {
        return { createdAt: new Date(time as number), seq: seq as number, creditType }
      }
    }
  } catch {
    // Not base64 or not JSON: refused below, like everything else that is no cursor.
  }
  throw new InvalidInputError([{ path: 'cursor', message: 'is not a cursor of this list' }])
}
