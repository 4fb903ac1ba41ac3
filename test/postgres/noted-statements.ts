import { AsyncLocalStorage } from 'node:async_hooks'
import pg from 'pg'
import type { SqlDatabase, SqlExecutor, SqlValue } from '../../adapters/postgres/sql-database.js'
import type { CreditStore } from '../../src/ports/store.js'

/** Every statement that a store sends, with the store's methods that sent it. */
export class NotedStatements {
  readonly sentBy = new Map<string, Set<string>>()
  /** Of each the values it was sent with last. */
  readonly values = new Map<string, readonly SqlValue[]>()
  readonly #method = new AsyncLocalStorage<string>()

  /** The same database, with a note of every statement. */
  on(real: SqlDatabase): SqlDatabase {
    const noting = (sql: SqlExecutor): SqlExecutor => ({
      query: (text, values) => {
        const name = this.#method.getStore()
        if (name === undefined) throw new Error('NotedStatements: a statement that no method sends')
        this.sentBy.set(text, (this.sentBy.get(text) ?? new Set()).add(name))
        this.values.set(text, values)
        return sql.query(text, values)
      },
    })
    return {
      ...noting(real),
      transaction: (work, options) => real.transaction((tx) => work(noting(tx)), options),
      hostTransaction: (work) => real.hostTransaction(work),
      close: () => real.close(),
    }
  }

  /** The same store, each method of which says its name to what it calls. */
  of(store: CreditStore): CreditStore {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown =>
          this.#method.run(String(name), () => Reflect.apply(value, target, args) as unknown)
      },
    })
  }

  get methods(): string[] {
    return [...new Set([...this.sentBy.values()].flatMap((names) => [...names]))].sort()
  }
}

/** A kind of client that notes everything it sends, BEGIN and COMMIT too. */
export function notingClient(wire: Set<string>): typeof pg.Client {
  return class extends pg.Client {
    override query(...args: unknown[]): never {
      const [first] = args
      // A text, or a query with one.
      wire.add(typeof first === 'string' ? first : String((first as { text?: unknown }).text))
      // Every overload of `query` is passed on as it came.
      return super.query(...(args as [string])) as never
    }
  }
}
