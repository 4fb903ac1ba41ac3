import type { Command } from '../../src/ports/store.js'
import { isDistributed, isRefused } from './distribution.js'
import type { SqlDatabase, SqlExecutor } from './sql-database.js'
import type { SqlTables, TableName } from './sql-tables.js'

/*
 * On a database that spreads users over machines, a statement is sent to one of them whole when each table in it is compared
 * with the same user by itself; joined to what was sent is not enough. So there, each table is read as what it has of the user.
 * Postgres sees through that: it plans nothing else. Elsewhere nothing of this happens.
 */

/** Stands for the number of the parameter with the user's id, until it is known. */
const USER = '$USER'

/** Tables with `user_id` that are kept by something else, and are whole on every machine; packages and webhooks have none. */
const NOT_BY_USER: ReadonlySet<TableName> = new Set([
  'creditPackages',
  'creditPurchaseReferences',
  'creditQuarantine',
  'creditSubscriptions',
  'creditWebhookEvents',
])

/** What a store knows of its database; null: it has not asked yet. */
export class Engine {
  isDistributed: boolean | null = null
  readonly #accounts: string

  constructor({ names }: SqlTables) {
    this.#accounts = names.userCredits
  }

  /** Ask once. */
  async look(sql: SqlExecutor): Promise<boolean> {
    this.isDistributed ??= await isDistributed(sql, this.#accounts)
    return this.isDistributed
  }
}

/**
 * Let `work` ask for what is one user's; null: it names several, or none. A database is taken to be in one place until it
 * refuses a statement: then it is asked, and where it is spread over machines, the statement is sent again as one for its user.
 */
export async function forUser<R>(
  engine: Engine,
  database: SqlDatabase,
  tables: SqlTables,
  userId: string | null,
  work: (database: SqlDatabase, tables: SqlTables) => Promise<R>,
): Promise<R> {
  const routed = (): Promise<R> =>
    userId === null ? work(database, tables) : work(routedDatabase(database, userId), routedTables(tables))
  if (engine.isDistributed === true) return routed()
  try {
    return await work(database, tables)
  } catch (error) {
    // Refused before it did anything.
    if (!isRefused(error) || !(await engine.look(database))) throw error
    return routed()
  }
}

/** Do what goes from user to user; where they are on several machines, which can't be done in one statement, `instead`. */
export async function unlessDistributed<R>(
  engine: Engine,
  database: SqlDatabase,
  work: () => Promise<R>,
  instead: R,
): Promise<R> {
  if (engine.isDistributed === true) return instead
  try {
    return await work()
  } catch (error) {
    if (!isRefused(error) || !(await engine.look(database))) throw error
    return instead
  }
}

/** The user that all of a command is about; null: there are several, and only one machine's rows can be locked together. */
export function oneUser({ userId, accounts, purchases = [], items = [] }: Command): string | null {
  return [...accounts, ...purchases, ...items].every((each) => each.userId === userId) ? userId : null
}

/** The same tables, in each of which there is nobody but the user. */
function routedTables(tables: SqlTables): SqlTables {
  const user = `${USER}::text::${tables.userIdType}`
  const names = Object.entries(tables.names).map(([key, name]) => [
    key,
    NOT_BY_USER.has(key as TableName) ? name : `(select * from ${name} where user_id = ${user})`,
  ])
  return {
    ...tables,
    names: Object.fromEntries(names) as SqlTables['names'],
    routed: { targets: tables.names, user },
  }
}

/** The table itself, to write to. */
export function target({ names, routed }: SqlTables, table: TableName): string {
  return (routed?.targets ?? names)[table]
}

/** One more condition of a statement that changes or deletes rows of `alias`. */
export function ofRoutedUser({ routed }: SqlTables, alias: string): string {
  return routed === undefined ? '' : ` and ${alias}.user_id = ${routed.user}`
}

function routedDatabase(database: SqlDatabase, userId: string): SqlDatabase {
  const on = (sql: SqlExecutor): SqlExecutor => ({
    query: (text, values) =>
      text.includes(USER)
        ? sql.query(text.replaceAll(USER, `$${values.length + 1}`), [...values, userId])
        : sql.query(text, values),
  })
  return {
    ...on(database),
    transaction: (work, options) => database.transaction((tx) => work(on(tx)), options),
    hostTransaction: (work) => database.hostTransaction(work),
    close: () => database.close(),
  }
}
