import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { credits, initCredits } from 'stripe-no-webhooks'
import { ACCOUNTS, type Contender, contenderHere } from '../load.js'
import { openPool } from '../pool.js'
import { keysOf16, PLENTY } from './creditkit.js'

/**
 * A library for the same purpose, at what it does of the same: consume with a key. Called below its `Billing`, so that its
 * look for an automatic top-up after every call does not count against it.
 */
export async function stripeNoWebhooks(url: string): Promise<Contender> {
  await migrateAsDocumented(url)
  const pool = openPool(url)
  await pool.query(
    `insert into stripe.credit_balances (user_id, key, balance)
      select 'u' || n, 'tokens', ${PLENTY} from generate_series(1, ${ACCOUNTS}) n union all values ('hot', 'tokens', ${PLENTY})`,
  )
  await pool.query('vacuum (analyze) stripe.credit_balances')
  initCredits(pool, 'stripe')
  const nextKey = keysOf16()
  return contenderHere(
    'stripe-no-webhooks, keys',
    async (userId) => {
      const idempotencyKey = nextKey()
      const use = { userId, key: 'tokens', amount: 1, description: 'Enriched a lead', idempotencyKey }
      return (await credits.consume(use)).success
    },
    async () => {
      const { rows } = await pool.query<{ uses: number }>('select count(*)::int as uses from stripe.credit_ledger')
      return rows[0]?.uses ?? Number.NaN
    },
    () => pool.end(),
  )
}

/** `npx stripe-no-webhooks migrate <url>`; elsewhere, since it may write environment files where it runs. */
async function migrateAsDocumented(url: string): Promise<void> {
  const main = createRequire(import.meta.url).resolve('stripe-no-webhooks')
  const cwd = await mkdtemp(join(tmpdir(), 'creditkit-bench-'))
  try {
    const args = [join(dirname(main), '../bin/cli.js'), 'migrate', url]
    await promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, DATABASE_URL: url } })
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
}
