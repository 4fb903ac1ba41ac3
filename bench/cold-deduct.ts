import { CreditService } from 'creditkit'
import { postgresStore } from 'creditkit/adapters/postgres'
import { Pool } from 'pg'
import { countStatements } from './counted-pool.js'

/* A process that has just started and deducts twice; it prints how many round trips each took. */

const [url, schema] = process.argv.slice(2)
const pool = new Pool({ connectionString: url })
const statements = countStatements(pool)
const credits = new CreditService({ creditTypes: ['tokens'], store: postgresStore(pool, { schema }), cache: null })
const deduct = async (idempotencyKey: string): Promise<number> => {
  const before = statements.count
  await credits.deductCredits({ userId: 'hot', amount: 1, description: 'Enriched a lead', idempotencyKey })
  return statements.count - before
}
const cold = await deduct('cold')
const warm = await deduct('warm')
console.log(JSON.stringify({ cold, warm }))
await credits.close()
await pool.end()
