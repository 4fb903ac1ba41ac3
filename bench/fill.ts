import type { Pool } from 'pg'

/**
 * Copies of one account with all it has, `<prefix>1` to `<prefix>N`, with ids of their own that fit together: accounts in
 * bulk that the service itself could have made.
 */
export async function copyAccount(
  pool: Pool,
  { schema, from, prefix, count }: { schema: string; from: string; prefix: string; count: number },
): Promise<void> {
  for (const table of ['user_credits', 'credit_grants', 'credit_transactions']) {
    const columns = await pool.query<{ name: string; type: string }>(
      `select quote_ident(column_name) as name, data_type as type from information_schema.columns
        where table_schema = $1 and table_name = $2`,
      [schema, table],
    )
    const values = columns.rows.map(({ name, type }) => {
      if (name === 'user_id') return `'${prefix}' || n`
      return type === 'uuid' ? `md5(t.${name}::text || '${prefix}' || n)::uuid` : `t.${name}`
    })
    await pool.query(
      `insert into ${schema}.${table} (${columns.rows.map(({ name }) => name).join(', ')})
        select ${values.join(', ')} from ${schema}.${table} t, generate_series(1, ${count}) n where t.user_id = $1`,
      [from],
    )
  }
}

export async function tidy(pool: Pool, schema: string): Promise<void> {
  for (const table of ['user_credits', 'credit_grants', 'credit_transactions'])
    await pool.query(`vacuum (analyze) ${schema}.${table}`)
}
