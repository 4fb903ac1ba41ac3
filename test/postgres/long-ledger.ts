import type { Pool } from 'pg'
import { DEFAULT_SCHEMA } from '../../adapters/postgres/migrate.js'

/** Take one credit so many times, `secondsApart`, by SQL: what takes the library minutes. The account stays sound. */
export async function appendUses(
  pool: Pick<Pool, 'query'>,
  {
    userId,
    creditType = 'calling',
    uses,
    secondsApart = 1,
  }: {
    userId: string
    creditType?: string
    uses: number
    secondsApart?: number
  },
): Promise<void> {
  await pool.query(
    `with account as (
       select * from ${DEFAULT_SCHEMA}.user_credits where user_id = $1 and credit_type = $2 for update
     ), written as (
       insert into ${DEFAULT_SCHEMA}.credit_transactions (seq, amount, balance_after, created_at, id, grant_id, user_id,
         credit_type, transaction_type, description)
       select seq + n, -1, balance - n, updated_at + n * make_interval(secs => $4), gen_random_uuid(), head_grant_id, user_id,
         credit_type, 'usage', 'Call'
       from account, generate_series(1, $3::integer) n
     )
     update ${DEFAULT_SCHEMA}.user_credits a set balance = a.balance - $3, head_remaining = a.head_remaining - $3,
       total_used = a.total_used + $3, seq = a.seq + $3, version = a.version + $3,
       updated_at = a.updated_at + $3 * make_interval(secs => $4)
     from account where a.user_id = account.user_id and a.credit_type = account.credit_type`,
    [userId, creditType, uses, secondsApart],
  )
}
