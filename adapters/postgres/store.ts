import { OutcomeUnknownError } from '../../src/errors.js'
import type { Balance, CreditStore } from '../../src/ports/store.js'
import { drizzleExecutor } from './databases/drizzle.js'
import { locateRow, selectBalances, selectTransactions, selectUsage } from './read-statements.js'
import { scanLedger } from './scan.js'
import {
  insertWebhookEvent,
  selectPackage,
  selectPackages,
  selectPurchase,
  updatePackage,
  insertPackage,
} from './selling-statements.js'
import type { SqlDatabase } from './sql-database.js'
import { toCreditError, translateSqlError } from './sql-errors.js'
import type { SqlTables } from './sql-tables.js'
import { hostTransaction, updateInHostTransaction, updateInOwnTransaction } from './update.js'

/** The store on any Postgres, by whichever driver: statements here, rules in the ledger. */
export function sqlStore(database: SqlDatabase, tables: SqlTables, memoryScope: object | null): CreditStore {
  const read = async <R>(work: () => Promise<R>): Promise<R> => {
    try {
      return await work()
    } catch (error) {
      throw toCreditError(error)
    }
  }
  /** One statement without a key: when its answer is lost, nobody can tell. */
  const write = async <R>(work: () => Promise<R>): Promise<R> => {
    try {
      return await work()
    } catch (error) {
      if (!translateSqlError(error).mayHaveApplied) throw toCreditError(error)
      throw new OutcomeUnknownError('The answer to the write was lost: it is not known whether it happened', {
        cause: error,
      })
    }
  }
  return {
    userIdType: tables.userIdType,
    memoryScope,
    update: (command, decide, compare) =>
      command.tx === undefined
        ? updateInOwnTransaction(database, tables, command, decide, compare)
        : updateInHostTransaction(tables, command, decide, compare),
    locate: (id, tx) =>
      read(() => locateRow(tx === undefined ? database : drizzleExecutor(hostTransaction(tx)), tables, id)),
    readBalance: (key, now) =>
      read(async () => (await selectBalances(database, tables, key, now))[0] ?? noBalance(key.creditType)),
    readBalances: (userId, now) => read(() => selectBalances(database, tables, { userId, creditType: null }, now)),
    listTransactions: (query) => read(() => selectTransactions(database, tables, query)),
    readUsage: (key, from, to, now) => read(() => selectUsage(database, tables, key, from, to, now)),
    scanAccounts: (userId, visit) =>
      read(() => database.transaction((sql) => scanLedger(sql, tables, userId, visit), { snapshot: true })),
    listPackages: ({ creditType, includeInactive }) =>
      read(() => selectPackages(database, tables, creditType, includeInactive)),
    findPackage: (id) => read(() => selectPackage(database, tables, id)),
    savePackage: (draft, whenKeyExists, now) => write(() => insertPackage(database, tables, draft, whenKeyExists, now)),
    changePackage: (id, changes, now) => write(() => updatePackage(database, tables, id, changes, now)),
    findPurchase: (reference) => read(() => selectPurchase(database, tables, reference)),
    recordWebhookEvent: (event) => read(() => insertWebhookEvent(database, tables, event)),
    close: () => database.close(),
  }
}

function noBalance(creditType: string): Balance {
  return {
    creditType,
    balance: 0,
    owned: 0,
    held: 0,
    debt: 0,
    totalPurchased: 0,
    totalUsed: 0,
    nextExpiry: null,
    version: 0,
    staleAfterMs: null,
  }
}
