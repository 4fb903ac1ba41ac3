import type pg from 'pg'

/** What a negative control does without. */
export interface Carelessness {
  /** Statements are changed before they are sent. */
  rewrite?: (text: string) => string
  /** Errors are changed before anybody sees them. */
  misread?: (error: unknown) => unknown
}

/** Statements that have lost the locks of both paths, and are the same otherwise. */
export function withoutLocks(text: string): string {
  return text.replaceAll(/ for (no key )?update( of \w+)?( skip locked)?/gi, '')
}

/** A pool that is careless, and works as any other. */
export function carelessPool(pool: pg.Pool, { rewrite = same, misread = same }: Carelessness): pg.Pool {
  const clients = new WeakMap<pg.PoolClient, pg.PoolClient>()
  return replacing(pool, 'connect', async () => {
    const client = await pool.connect()
    const query = async ({ text, name: _name, ...rest }: pg.QueryConfig) => {
      try {
        return await client.query({ ...rest, text: rewrite(text) })
      } catch (error) {
        throw misread(error)
      }
    }
    const careless = clients.get(client) ?? replacing(client, 'query', query)
    clients.set(client, careless)
    return careless
  })
}

function same<T>(value: T): T {
  return value
}

/** The same object with one method of its own. */
function replacing<T extends object>(object: T, method: keyof T, replacement: unknown): T {
  return new Proxy(object, {
    get: (target, property) => {
      if (property === method) return replacement
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
