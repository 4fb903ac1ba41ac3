import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { DEFAULT_SCHEMA } from '../../adapters/postgres/migrate.js'
import { ownTables } from '../../adapters/postgres/sql-tables.js'
import { sumUsage } from '../../adapters/postgres/usage-statements.js'
import { CreditService } from '../../src/index.js'
import type { AccountKey } from '../../src/ledger/account.js'
import type { CreditStore } from '../../src/ports/store.js'
import { overriding } from '../behaviour/overriding.js'
import { stoppedClock, times } from '../conformance/credit-store/bench.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { appendUses } from './long-ledger.js'

/* Usage is summed up to a mark, and read as these sums and the ledger since: always exact, on a real Postgres. */

let database: TestDatabase
let pool: pg.Pool
let store: CreditStore
let other: CreditStore
const clock = stoppedClock()

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  pool = new pg.Pool({ connectionString: database.url, max: 8 })
  store = postgresStore(pool)
  other = postgresStore(database.url)
})
afterAll(async () => {
  await other.close()
  await pool.end()
  await database.drop()
})

const service = (on: CreditStore = store) => new CreditService({ store: on, clock, cache: null })

/** Somebody with credits and `uses` uses of one credit each. */
async function someone(uses: number): Promise<AccountKey> {
  const userId = `user-${randomUUID()}`
  await service().addCredits(userId, 1_000_000, 'calling', 'Sold', 'purchase')
  if (uses > 0) await appendUses(pool, { userId, uses })
  return { userId, creditType: 'calling' }
}

const markOf = async ({ userId }: AccountKey): Promise<number> => {
  const { rows } = await pool.query<{ seq: string }>(
    `select seq from ${DEFAULT_SCHEMA}.credit_usage_marks where user_id = $1`,
    [userId],
  )
  return Number(rows[0]?.seq ?? 0)
}

const sound = async ({ userId }: AccountKey) => (await service().verify({ userId })).violations

describe('summing usage up', () => {
  it('counts every use once while many do it and others use credits, and every reading in between is exact', async () => {
    const key = await someone(500)
    const writer = service()
    let writing = true
    const deducted = Promise.all(
      times(8, async () => {
        for (let n = 0; n < 40; n += 1) await writer.deductCredits(key.userId, 1, 'calling', 'Call')
      }),
    ).finally(() => (writing = false))
    const summing = times(6, async (index) => {
      const on = index % 2 === 0 ? store : other
      while (writing) await on.rollUpUsage(key, 1 + index * 7)
    })
    const reading = times(2, async () => {
      for (let seen = 0; writing;) {
        const { totalUsed, transactions, totalPurchased, daily } = await other.readUsage(key, null, null, null)
        expect([totalUsed, totalPurchased]).toEqual([transactions - 1, 1_000_000])
        expect(daily.reduce((sum, { used }) => sum + used, 0)).toBe(totalUsed)
        expect(transactions).toBeGreaterThanOrEqual(seen)
        seen = transactions
      }
    })
    await Promise.all([deducted, ...summing, ...reading])
    expect(await markOf(key)).toBeGreaterThan(0)
    expect(await sound(key)).toEqual([])
    while (await store.rollUpUsage(key, 100));
    expect(await markOf(key)).toBe(821)
    expect(await sound(key)).toEqual([])
    expect(await store.readUsage(key, null, null, null)).toMatchObject({ totalUsed: 820, transactions: 821 })
  })

  it('goes on by steps of the size it is told, and says when nothing is left', async () => {
    const key = await someone(2_499)
    const steps = []
    for (let more = true; more;) steps.push([(more = await store.rollUpUsage(key, 1_000)), await markOf(key)])
    expect(steps).toEqual([
      [true, 1_000],
      [true, 2_000],
      [false, 2_500],
    ])
    expect(await store.rollUpUsage(key, 1_000)).toBe(false)
  })

  it('keeps no use waiting', async () => {
    const key = await someone(10)
    const client = await pool.connect()
    try {
      await client.query('begin')
      const executor = {
        query: async (text: string, values: readonly unknown[]) =>
          (await client.query(text, [...values])).rows as never[],
      }
      await sumUsage(executor, ownTables(DEFAULT_SCHEMA), key, 100)
      await service(other).deductCredits(key.userId, 1, 'calling', 'Call')
      const { transactions } = await other.readUsage(key, null, null, null)
      expect(transactions).toBe(12)
      await client.query('commit')
    } finally {
      client.release()
    }
    expect(await other.readUsage(key, null, null, null)).toMatchObject({ transactions: 12, totalUsed: 11 })
    expect(await sound(key)).toEqual([])
  })

  it('leaves nothing under the old name of somebody who is forgotten meanwhile', async () => {
    for (let round = 0; round < 10; round += 1) {
      const key = await someone(300)
      const summing = times(3, async (index) => {
        const on = index % 2 === 0 ? store : other
        for (let step = 0; step < 20; step += 1) await on.rollUpUsage(key, 20)
      })
      const forgetting = service(other).anonymizeUser({ userId: key.userId })
      const [{ userId }] = await Promise.all([forgetting, ...summing])
      expect(await markOf(key)).toBe(0)
      const { rows } = await pool.query(`select 1 from ${DEFAULT_SCHEMA}.credit_usage_daily where user_id = $1`, [
        key.userId,
      ])
      expect(rows).toEqual([])
      expect(await sound({ ...key, userId })).toEqual([])
      expect(await store.readUsage({ ...key, userId }, null, null, null)).toMatchObject({ totalUsed: 300 })
    }
  })

  it('begins anew after a rebuild, also of one that comes in between', async () => {
    const key = await someone(300)
    const summing = times(3, async (index) => {
      const on = index % 2 === 0 ? store : other
      for (let step = 0; step < 40; step += 1) await on.rollUpUsage(key, 10)
    })
    const rebuilding = times(5, () => service(other).rebuild({ userId: key.userId, creditType: 'calling' }))
    await Promise.all([...summing, ...rebuilding])
    expect(await sound(key)).toEqual([])
    expect(await store.readUsage(key, null, null, null)).toMatchObject({ totalUsed: 300 })
  })
})

describe('sums that are wrong', () => {
  it.each([
    ['a day with a wrong sum', 'update credit_usage_daily set used = used + 1'],
    ['a day too few', 'delete from credit_usage_daily'],
    ['a day that misses a transaction', 'update credit_usage_daily set first_seq = first_seq + 1'],
    ['a mark behind the last transaction', 'update credit_usage_marks set seq = 9000'],
  ])('are found by verify, and made again by rebuild: %s', async (_, wrong) => {
    const key = await someone(20)
    while (await store.rollUpUsage(key, 10));
    await pool.query(`${wrong.replace(/credit_usage/, `${DEFAULT_SCHEMA}.credit_usage`)} where user_id = $1`, [
      key.userId,
    ])
    const violations = await sound(key)
    expect(violations).toMatchObject([{ ...key, rule: 'usage_daily' }])
    await service().rebuild({ userId: key.userId, creditType: 'calling' })
    expect(await sound(key)).toEqual([])
    expect(await store.readUsage(key, null, null, null)).toMatchObject({ totalUsed: 20 })
  })
})

describe('accounts whose usage is to be summed up', () => {
  const found = async (limit: number, after: AccountKey | null = null): Promise<AccountKey[]> =>
    store.findUsageToRollUp({ limit, after })

  it('are those that grew by a thousand, each once, page by page, until it is done', async () => {
    const [short, grown] = [await someone(900), await someone(1_100)]
    const long = [grown, await someone(3_000), await someone(5_000)]
    const expected = new Set(long.map(({ userId }) => userId))
    const pages: AccountKey[] = []
    for (let after: AccountKey | null = null; ;) {
      const [next] = await found(1, after)
      if (next === undefined) break
      pages.push(next)
      after = next
    }
    expect(pages).toEqual(await found(100))
    expect(pages).toHaveLength(new Set(pages.map(({ userId }) => userId)).size)
    expect(pages.filter(({ userId }) => expected.has(userId))).toHaveLength(3)
    expect(pages).not.toContainEqual(short)

    expect(await service().runDue()).toMatchObject({ failed: 0, finished: true })
    expect(await found(100)).toEqual([])
    expect(await Promise.all(long.map(markOf))).toEqual([1_101, 3_001, 5_001])
    await appendUses(pool, { userId: grown.userId, uses: 800 })
    expect(await found(100)).toEqual([])
    await appendUses(pool, { userId: grown.userId, uses: 99 })
    expect(await found(100)).toEqual([grown])
    await service().runDue()
    expect(await markOf(grown)).toBe(2_000)
  })

  it('wait for the next run when the time is over, which is said', async () => {
    const key = await someone(1_000)
    const slow = overriding(store, {
      rollUpUsage: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return true
      },
    })
    expect(await service(slow).runDue({ deadlineMs: 50 })).toMatchObject({ finished: false })
    expect(await service().runDue()).toMatchObject({ finished: true })
    expect(await markOf(key)).toBe(1_001)
  })
})
