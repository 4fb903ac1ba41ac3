import type { Pool } from 'pg'
import { openPool } from '../pool.js'
import { fillAccounts, openOurs } from './creditkit.js'

/**
 * The least that a deduction can be, on our tables with all their columns and indexes: one guarded update and one row of
 * the ledger. No keys, no replays, no expiry, no debt, no limits, no holds.
 */
export function minimalDeduct(schema: string, user: string): string {
  return `with spent as (
  update ${schema}.user_credits set balance = balance - 1, total_used = total_used + 1, head_remaining = head_remaining - 1,
    seq = seq + 1, version = version + 1, updated_at = now()
  where user_id = ${user} and credit_type = 'tokens' and balance >= 1
  returning user_id, credit_type, seq, balance, head_grant_id
) insert into ${schema}.credit_transactions (seq, amount, balance_after, created_at, id, grant_id, user_id, credit_type,
    transaction_type, description)
  select seq, -1, balance, now(), uuidv7(), head_grant_id, user_id, credit_type, 'usage', 'Enriched a lead' from spent
  returning seq, balance_after`
}

/** Our tables and accounts in a schema of their own, for somebody else's statements. */
export async function openOurTables(url: string, schema: string): Promise<Pool> {
  const ours = await openOurs(url, schema)
  await fillAccounts(ours)
  await ours.credits.close()
  await ours.pool.end()
  return openPool(url)
}
