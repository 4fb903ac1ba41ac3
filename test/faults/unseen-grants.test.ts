import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

/*
 * Found by the crash test: a hold that waits for its account, and then pins a grant that was made while it waited. The
 * statement has the account's new row, and of other tables only what there was before the wait.
 */

let database: TestDatabase
let pool: pg.Pool
let credits: CreditService
let others: CreditService

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  pool = new pg.Pool({ connectionString: database.url })
  credits = new CreditService({ store: postgresStore(pool) })
  others = new CreditService({ store: postgresStore(database.url) })
})
afterAll(async () => {
  await others.close()
  await credits.close()
  await pool.end()
  await database.drop()
})

const CALL = { creditType: 'calling', description: 'Call' } as const

async function waiting(): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rows[0]?.count ?? 0
}

describe('a hold that waited while somebody gave the account its credits', () => {
  it.each([
    ['without a key', null],
    ['with a key', 'job'],
  ])('pins what it holds, and its capture finds it: %s', async (_name, idempotencyKey) => {
    const userId = `user-${randomUUID()}`
    await credits.addCredits({ ...CALL, userId, amount: 10 })
    let holding: Promise<{ id: string }> | undefined
    await others.transaction(async (inside) => {
      // Burns first, since it ends: from now on it is the account's head.
      await inside.credits.addCredits({ ...CALL, userId, amount: 100, expiresAt: new Date(Date.now() + 86_400_000) })
      holding = credits.holdCredits({ ...CALL, userId, amount: 3, idempotencyKey })
      while ((await waiting()) === 0) await pause(5)
    })
    const hold = await holding
    if (hold === undefined) throw new Error('nothing was held')
    expect((await credits.verify({ userId })).violations).toEqual([])
    expect(await credits.captureHold({ holdId: hold.id })).toMatchObject({ amount: -3, balanceAfter: 107 })
    expect((await credits.verify({ userId })).violations).toEqual([])
  })
})
