import * as z from 'zod'
import { InvalidInputError } from './errors.js'
import { creditTypeName } from './inputs.js'
import type { TransactionPosition } from './ports/store.js'

/** Milliseconds until the end of year 9999, a transaction's number, a credit type. */
const cursorShape = z.tuple([z.int().min(0).max(253_402_300_799_999), z.int().min(0), creditTypeName])

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
    const position = cursorShape.safeParse(parts)
    if (position.success) {
      const [time, seq, creditType] = position.data
      return { createdAt: new Date(time), seq, creditType }
    }
  } catch {
    // Not base64 or not JSON: refused below, like everything else that is no cursor.
  }
  throw new InvalidInputError([{ path: 'cursor', message: 'is not a cursor of this list' }])
}
