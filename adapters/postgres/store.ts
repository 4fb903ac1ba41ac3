import { OutcomeUnknownError } from '../../src/errors.js'
import { balanceOf, emptyState } from '../../src/ledger/balance.js'
import type { CreditStore } from '../../src/ports/store.js'
import { databaseWithin } from './databases/drizzle-executor.js'
import {
  deleteCustomer,
  insertCustomer,
  insertSubscription,
  selectCustomer,
  selectSubscription,
  selectSubscriptions,
} from './customer-statements.js'
import { selectDueAccounts } from './due-statements.js'
import {
  selectGrant,
  selectGrants,
  selectHold,
  selectOpenGrants,
  selectOpenHolds,
  selectSchedules,
  selectTransaction,
} from './find-statements.js'
import { deleteEvent, leaseEvents, postponeEvent, selectParkedEvents } from './outbox-statements.js'
import { selectPurchaseWithFacts, selectUserPurchases } from './purchase-statements.js'
import { selectQuarantine, selectQuarantineEntry } from './quarantine-statements.js'
import { selectBalances, selectTransactions } from './read-statements.js'
import { anonymizeUser, selectMetrics } from './report-statements.js'
import { scanLedger } from './scan.js'
import {
  insertPackage,
  insertWebhookEvent,
  selectInvoicePurchases,
  selectPackage,
  selectPackages,
  selectPurchase,
  selectPurchases,
  updatePackage,
} from './selling-statements.js'
import { Engine, forUser, oneUser, unlessDistributed } from './routing.js'
import { fastPath } from './spend.js'
import type { SqlDatabase } from './sql-database.js'
import { sqlStateOf, toCreditError, translateSqlError } from './sql-errors.js'
import type { SqlTables } from './sql-tables.js'
import { selectDueTopups, selectTopups } from './topup-statements.js'
import { hostTransaction, updateInHostTransaction, updateInOwnTransaction } from './update.js'
import { resetUsageSums, selectUsage, selectUsageToRollUp, sumUsage } from './usage-statements.js'
import { selectUsers } from './user-statements.js'

/** The store on any Postgres, by whichever driver: statements here, rules in the ledger. */
export function sqlStore(
  database: SqlDatabase,
  tables: SqlTables,
  { memoryScope = null, fastPath: isFast = true }: { memoryScope?: object | null; fastPath?: boolean } = {},
): CreditStore {
  const engine = new Engine(tables)
  return {
    ...storeOn(database, tables, memoryScope, {
      engine,
      update: (command, decide, compare) =>
        forUser(engine, database, tables, oneUser(command), (routed, places) =>
          updateInOwnTransaction(routed, places, command, decide, compare),
        ),
      writeOnce,
    }),
    ...(isFast ? { spend: fastPath(database, tables, engine) } : {}),
  }
}

/** The same inside of a host's transaction, which decides about everything that is written. */
function storeWithin(tx: unknown, tables: SqlTables, memoryScope: object | null, engine: Engine): CreditStore {
  const database = databaseWithin(hostTransaction(tx))
  return storeOn(database, tables, memoryScope, {
    engine,
    update: async (command, decide, compare) => {
      // A statement that is refused would undo all that the host has done.
      await translated(() => engine.look(database))
      return forUser(engine, database, tables, oneUser(command), (routed, places) =>
        updateInHostTransaction(routed, places, command, decide, compare),
      )
    },
    // What its transaction loses with its connection has surely not happened.
    writeOnce: translated,
  })
}

/** What differs between a store and its view from inside of a transaction. */
interface Writing {
  engine: Engine
  update: CreditStore['update']
  /** One statement that may not be sent again when its answer is lost. */
  writeOnce: <R>(work: () => Promise<R>) => Promise<R>
}

function storeOn(
  database: SqlDatabase,
  tables: SqlTables,
  memoryScope: object | null,
  { engine, update, writeOnce }: Writing,
): CreditStore {
  /** What one user has. */
  const ofUser = <R>(userId: string, work: (sql: SqlDatabase, tables: SqlTables) => Promise<R>): Promise<R> =>
    translated(() => forUser(engine, database, tables, userId, work))
  return {
    userIdType: tables.userIdType,
    memoryScope,
    update,
    within: (tx) => storeWithin(tx, tables, memoryScope, engine),
    transaction: (work) => inHostTransaction(database, work),
    findTransaction: (id) => translated(() => selectTransaction(database, tables, id)),
    findHold: (id, now) => translated(() => selectHold(database, tables, id, now)),
    listHolds: (query, now) => ofUser(query.userId, (sql, places) => selectOpenHolds(sql, places, query, now)),
    findGrant: (id) => translated(() => selectGrant(database, tables, id)),
    findGrants: (userId, ids) => ofUser(userId, (sql, places) => selectGrants(sql, places, userId, ids)),
    listGrants: (query, now) => ofUser(query.userId, (sql, places) => selectOpenGrants(sql, places, query, now)),
    listSchedules: (userId) => ofUser(userId, (sql, places) => selectSchedules(sql, places, userId)),
    readBalance: async (key, now) => {
      const [balance] = await ofUser(key.userId, (sql, places) => selectBalances(sql, places, key, now))
      return balance ?? balanceOf(emptyState(key, NEVER), NEVER)
    },
    readBalances: (userId, now) =>
      ofUser(userId, (sql, places) => selectBalances(sql, places, { userId, creditType: null }, now)),
    listTransactions: (query) => ofUser(query.userId, (sql, places) => selectTransactions(sql, places, query)),
    readUsage: (key, from, to, now) =>
      ofUser(key.userId, (sql, places) => selectUsage(sql, places, key, from, to, now)),
    // Without sums, statistics are as exact, and read the ledger.
    findUsageToRollUp: (query) =>
      translated(() => unlessDistributed(engine, database, () => selectUsageToRollUp(database, tables, query), [])),
    rollUpUsage: (key, limit) => translated(() => database.transaction((sql) => sumUsage(sql, tables, key, limit))),
    forgetUsageSums: (key) => translated(() => database.transaction((sql) => resetUsageSums(sql, tables, key))),
    scanAccounts: (query, visit) =>
      translated(() =>
        forUser(engine, database, tables, query.userId, (routed, places) =>
          routed.transaction((sql) => scanLedger(sql, places, query, visit), { snapshot: true }),
        ),
      ),
    listPackages: ({ creditType, includeInactive }) =>
      translated(() => selectPackages(database, tables, creditType, includeInactive)),
    findPackage: (id) => translated(() => selectPackage(database, tables, id)),
    savePackage: (draft, whenKeyExists, now) =>
      writeOnce(() => insertPackage(database, tables, draft, whenKeyExists, now)),
    changePackage: (id, changes, now) => writeOnce(() => updatePackage(database, tables, id, changes, now)),
    findPurchase: (reference) => translated(() => selectPurchase(database, tables, reference)),
    listInvoicePurchases: (invoiceId) => translated(() => selectInvoicePurchases(database, tables, invoiceId)),
    listPurchases: (query) => translated(() => selectPurchases(database, tables, query)),
    findPurchaseWithFacts: (id) => translated(() => selectPurchaseWithFacts(database, tables, id)),
    listUserPurchases: (query) => ofUser(query.userId, (sql, places) => selectUserPurchases(sql, places, query)),
    recordWebhookEvent: (event) => translated(() => insertWebhookEvent(database, tables, event)),
    findCustomer: (query) => translated(() => selectCustomer(database, tables, query)),
    saveCustomer: (customer, replaces) => translated(() => insertCustomer(database, tables, customer, replaces)),
    deleteCustomer: (query) => translated(() => deleteCustomer(database, tables, query)),
    saveSubscription: (subscription) => translated(() => insertSubscription(database, tables, subscription)),
    listSubscriptions: (userId) => translated(() => selectSubscriptions(database, tables, userId)),
    findSubscription: (id) => translated(() => selectSubscription(database, tables, id)),
    findQuarantine: (id) => translated(() => selectQuarantineEntry(database, tables, id)),
    listQuarantine: (query) => translated(() => selectQuarantine(database, tables, query)),
    listTopups: (userId) => ofUser(userId, (sql, places) => selectTopups(sql, places, userId)),
    findDueTopups: (query) => translated(() => selectDueTopups(database, tables, query)),
    findDue: (query) => translated(() => selectDueAccounts(database, tables, query)),
    claimEvents: (query) => translated(() => leaseEvents(database, tables, query)),
    settleEvent: (event) => translated(() => deleteEvent(database, tables, event)),
    failEvent: (event, delaySeconds, now) =>
      translated(() => postponeEvent(database, tables, event, delaySeconds, now)),
    listParkedEvents: (limit) => translated(() => selectParkedEvents(database, tables, limit)),
    readMetrics: (query) =>
      translated(() => database.transaction((sql) => selectMetrics(sql, tables, query), { snapshot: true })),
    findUsers: (query, now) => translated(() => selectUsers(database, tables, query, now)),
    anonymizeUser: (userId, replacement) =>
      translated(() => database.transaction((sql) => anonymizeUser(sql, tables, userId, replacement))),
    close: () => database.close(),
  }
}

/** The time of an account to which nothing has happened. */
const NEVER = new Date(0)

/** Reads, and writes that may be done again: the database's error in our words. */
async function translated<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (error) {
    throw toCreditError(error)
  }
}

/** One statement without a key: when its answer is lost, nobody can tell. */
async function writeOnce<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work()
  } catch (error) {
    if (!translateSqlError(error).mayHaveApplied) throw toCreditError(error)
    throw new OutcomeUnknownError('The answer to the write was lost: it is not known whether it happened', {
      cause: error,
    })
  }
}

/** The work's own error comes out as it is; what the database says about beginning and committing, in our words. */
async function inHostTransaction<R>(database: SqlDatabase, work: (tx: unknown) => Promise<R>): Promise<R> {
  let thrown: { error: unknown } | undefined
  try {
    return await database.hostTransaction(async (tx) => {
      try {
        return await work(tx)
      } catch (error) {
        thrown = { error }
        throw error
      }
    })
  } catch (error) {
    if (thrown !== undefined) throw thrown.error
    if (sqlStateOf(error) !== STATEMENT_HAD_FAILED) throw toCreditError(error)
    throw new Error('transaction: a statement in it failed, so Postgres rolled all of it back instead of committing', {
      cause: error,
    })
  }
}

/** The SQLSTATE of a statement, or COMMIT, in a transaction in which one has failed before. */
const STATEMENT_HAD_FAILED = '25P02'
