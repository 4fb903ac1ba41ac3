import { randomBytes } from 'node:crypto'
import { Client, Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { DEFAULT_SCHEMA } from '../../adapters/postgres/migrate.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { selectUsers } from '../../adapters/postgres/user-statements.js'
import { CreditService } from '../../src/index.js'
import { Plans } from '../postgres/plans.js'

/*
 * A database that sorts as dictionaries do: signs and capitals count last there, so that ids which begin alike don't stand
 * together, and no index in its own order could find them.
 */

const DATABASE = `creditkit_test_${randomBytes(8).toString('hex')}`
const NAMES = ['user-1', 'user1', 'user-10', 'user10', 'user-2', 'User-1', 'USER-1', 'uſer-1', 'üser-1', 'user_1']

const onServer = async (statement: string): Promise<void> => {
  const client = new Client({ connectionString: inject('postgresUrl') })
  await client.connect()
  await client.query(statement)
  await client.end()
}

describe('finding users in a database with an order of words', () => {
  let pool: Pool
  let credits: CreditService

  beforeAll(async () => {
    await onServer(`create database ${DATABASE} template template0 locale_provider icu icu_locale 'en-US' locale 'C'`)
    const url = new URL(inject('postgresUrl'))
    url.pathname = `/${DATABASE}`
    await migrate(url.href)
    credits = new CreditService({ store: postgresStore(url.href) })
    pool = new Pool({ connectionString: url.href, max: 1 })
    for (const name of NAMES) await credits.addCredits(name, 1, 'calling', 'Welcome')
  })
  afterAll(async () => {
    await credits.close()
    await pool.end()
    await onServer(`drop database ${DATABASE} with (force)`)
  })

  const find = async (search: string) => (await credits.findUsers({ search })).users.map(({ userId }) => userId)

  it('is such a database', async () => {
    const { rows } = await pool.query<{ user_id: string }>(
      `select user_id from ${DEFAULT_SCHEMA}.user_credits order by 1`,
    )
    expect(rows.map(({ user_id: id }) => id)).not.toEqual([...NAMES].sort())
  })

  it('finds what begins so to the letter, in order of code points', async () => {
    expect(await find('user-')).toEqual(['user-1', 'user-10', 'user-2'])
    expect(await find('user1')).toEqual(['user1', 'user10'])
    expect(await find('USER')).toEqual(['USER-1'])
    expect(await find('')).toEqual([...NAMES].sort())
  })

  it('reads no more of them than a page', async () => {
    await pool.query(
      `insert into ${DEFAULT_SCHEMA}.user_credits (balance, held, debt, total_purchased, total_used, head_remaining, scheduled,
         seq, version, key_version, last_credit, topup_due, created_at, updated_at, user_id, credit_type)
       select 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, false, now(), now(), 'more-' || n, 'calling' from generate_series(1, 5000) n`,
    )
    await pool.query('analyze')
    const plans = new Plans(pool)
    const found = await selectUsers(
      plans,
      ownTables(DEFAULT_SCHEMA),
      { prefix: 'more-4', limit: 20, after: null },
      null,
    )
    expect(found).toHaveLength(20)
    expect(plans.indexes).toContain('user_credits_user')
    expect(plans.wholeTables.filter((name) => name === 'user_credits')).toEqual([])
    const rows = plans.scans.filter(({ relation }) => relation === 'user_credits').map((scan) => scan.rows)
    expect(rows.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(3 * 20)
  })
})
