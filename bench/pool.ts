import { Pool } from 'pg'

/** As many connections for each contender; they stay open while the others have their turn. */
export function openPool(connectionString: string): Pool {
  return new Pool({ connectionString, max: 16, idleTimeoutMillis: 0 })
}
