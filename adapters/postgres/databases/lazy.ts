import { StoreNotConfiguredError } from '../../../src/errors.js'
import type { SqlDatabase } from '../sql-database.js'

/**
 * A database that opens with its first statement, so that building a store stays synchronous and never fails. An
 * opening that fails is tried again by the next statement. After `close` every call is refused: a retry would not help.
 */
export function lazyDatabase(open: () => Promise<SqlDatabase>): SqlDatabase {
  let opening: Promise<SqlDatabase> | undefined
  let closing: Promise<void> | undefined

  const opened = (): Promise<SqlDatabase> => {
    if (closing) return Promise.reject(new StoreNotConfiguredError('The store was closed; open a new one'))
    opening ??= open().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  return {
    query: async (text, values) => (await opened()).query(text, values),
    transaction: async (work, options) => (await opened()).transaction(work, options),
    hostTransaction: async (work) => (await opened()).hostTransaction(work),
    close: () => {
      closing ??= (async () => {
        // A failed opening left nothing to close; whoever asked for it got its error.
        const database = await opening?.catch(() => undefined)
        await database?.close()
      })()
      return closing
    },
  }
}
