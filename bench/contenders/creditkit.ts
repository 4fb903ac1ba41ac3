import { CreditService, isCreditError } from 'creditkit'
import { migrate, postgresStore } from 'creditkit/adapters/postgres'
import type { Pool } from 'pg'
import { copyAccount, tidy } from '../fill.js'
import { ACCOUNTS, type Contender, contenderHere } from '../load.js'
import { openPool } from '../pool.js'

/** More than any run takes. */
export const PLENTY = 1_000_000_000

export interface OursOptions {
  name: string
  schema: string
  /** Every deduction has a key of 16 characters. */
  keys?: boolean
  /** Default true. */
  batching?: boolean
}

export interface Ours {
  pool: Pool
  credits: CreditService<'tokens'>
  schema: string
}

/** The service with its tables in a schema of its own. No cache: it decides nothing, and the others have none. */
export async function openOurs(url: string, schema: string, batching = true): Promise<Ours> {
  const pool = openPool(url)
  await migrate(pool, { schema })
  const store = postgresStore(pool, { schema })
  return { pool, schema, credits: new CreditService({ creditTypes: ['tokens'], store, cache: null, batching }) }
}

/** The accounts that all contenders have: ten thousand with plenty, one everybody uses, one with nothing. */
export async function fillAccounts({ pool, credits, schema }: Ours): Promise<void> {
  await credits.addCredits({ userId: 'hot', amount: PLENTY, description: 'Plenty' })
  await credits.addCredits({ userId: 'empty', amount: 1, description: 'One' })
  await credits.deductCredits({ userId: 'empty', amount: 1, description: 'And gone' })
  await copyAccount(pool, { schema, from: 'hot', prefix: 'u', count: ACCOUNTS })
  await tidy(pool, schema)
}

export async function creditkit(
  url: string,
  { name, schema, keys = false, batching }: OursOptions,
): Promise<Contender> {
  const ours = await openOurs(url, schema, batching)
  await fillAccounts(ours)
  const { credits, pool } = ours
  const nextKey = keys ? keysOf16() : () => undefined
  return contenderHere(
    name,
    async (userId) => deductOne(credits, userId, nextKey()),
    async () => (await recordedUses(ours)) - 1, // the one that emptied the empty account
    async () => {
      for (const userId of ['hot', 'empty', 'u1', 'u2']) await assertBooks(credits, userId)
      await credits.close()
      await pool.end()
    },
  )
}

export async function deductOne(
  credits: CreditService<'tokens'>,
  userId: string,
  idempotencyKey?: string,
): Promise<boolean> {
  try {
    await credits.deductCredits({ userId, amount: 1, description: 'Enriched a lead', idempotencyKey })
    return true
  } catch (error) {
    if (isCreditError(error, 'INSUFFICIENT_CREDITS')) return false
    throw error
  }
}

export function keysOf16(): () => string {
  let next = 0
  return () => `job-${String((next += 1)).padStart(12, '0')}`
}

/** Uses in the ledger; all are of one credit. */
export async function recordedUses({ pool, schema }: Pick<Ours, 'pool' | 'schema'>): Promise<number> {
  const { rows } = await pool.query<{ uses: string; used: string }>(
    `select (select -coalesce(sum(amount), 0) from ${schema}.credit_transactions where transaction_type = 'usage') as uses,
      (select sum(total_used) from ${schema}.user_credits) as used`,
  )
  const { uses, used } = rows[0] ?? {}
  if (uses !== used)
    throw new Error(`${schema}: accounts say that ${String(used)} were used, the ledger ${String(uses)}`)
  return Number(uses)
}

export async function assertBooks(credits: CreditService<'tokens'>, userId: string): Promise<void> {
  const { accounts, violations } = await credits.verify({ userId })
  if (accounts !== 1 || violations.length > 0) throw new Error(`${userId}: ${JSON.stringify({ accounts, violations })}`)
}
