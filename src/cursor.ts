import * as z from 'zod'
import { InvalidInputError } from './errors.js'
import { creditTypeName } from './inputs.js'
import type { TransactionPositions } from './ledger/transaction-positions.js'

/** By credit type, the number of the transaction before which the list goes on. */
const cursorShape = z.array(z.tuple([creditTypeName, z.int().positive()])).nonempty()

/** An opaque mark of a place in a list of transactions. */
export function encodeCursor(positions: TransactionPositions): string {
  return btoa(JSON.stringify([...positions]))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** @throws {InvalidInputError} Not a cursor of ours. */
export function decodeCursor(cursor: string): TransactionPositions {
  try {
    const parts: unknown = JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')))
    const positions = cursorShape.safeParse(parts)
    if (positions.success) return new Map(positions.data)
  } catch {
    // Not base64 or not JSON: refused below, like everything else that is no cursor.
  }
  throw new InvalidInputError([{ path: 'cursor', message: 'is not a cursor of this list' }])
}
