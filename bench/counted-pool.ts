import type { Pool } from 'pg'

/** Count the statements of a pool from now on; each is sent and answered before the next, so each is a round trip. */
export function countStatements(pool: Pool): { count: number } {
  const counted = { count: 0 }
  pool.on('connect', (client) => {
    // `self` is passed on.
    // eslint-disable-next-line @typescript-eslint/unbound-method
    client.query = new Proxy(client.query, {
      apply: (query, self, args) => {
        counted.count += 1
        return Reflect.apply(query, self, args) as unknown
      },
    })
  })
  return counted
}
