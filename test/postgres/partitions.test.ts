import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { MIGRATIONS } from '../../adapters/postgres/migrations.js'
import { CreditService, StoreNotConfiguredError } from '../../src/index.js'
import { times } from '../conformance/credit-store/bench.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

let database: TestDatabase
let client: Client

beforeEach(async () => {
  database = await createTestDatabase()
  client = new Client({ connectionString: database.url })
  await client.connect()
})
afterEach(async () => {
  await client.end()
  await database.drop()
})

const EVERY_NUMBER = MIGRATIONS.map(({ number }) => number)

async function partitionsOf(schema = 'creditkit'): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    `select count(*)::int as n from pg_inherits where inhparent = '${schema}.credit_transactions'::regclass`,
  )
  return rows[0]?.n ?? 0
}

describe('migrate with partitions', () => {
  it('makes the ledger in so many tables, over which users are spread, and nothing else differs', async () => {
    expect(await migrate(database.url, { partitions: 4 })).toEqual({ applied: EVERY_NUMBER, schema: 'creditkit' })
    expect(await partitionsOf()).toBe(4)
    const credits = new CreditService({ store: postgresStore(database.url), cache: null })
    const add = { amount: 5, creditType: 'calling', description: 'Welcome', idempotencyKey: 'once' } as const
    for (const userId of times(20, (n) => `user-${n}`)) {
      await credits.addCredits({ ...add, userId })
      expect(await credits.addCredits({ ...add, userId })).toMatchObject({ replayed: true })
      await credits.deductCredits(userId, 2, 'calling', 'Call')
    }
    await credits.close()
    const { rows } = await client.query<{ users: number }>(
      'select count(distinct user_id)::int as users from creditkit.credit_transactions group by tableoid',
    )
    expect(rows.length).toBeGreaterThan(1)
    expect(rows.reduce((sum, { users }) => sum + users, 0)).toBe(20)
  })

  it('is done once: the same number or none changes nothing later', async () => {
    await migrate(database.url, { partitions: 3 })
    expect((await migrate(database.url, { partitions: 3 })).applied).toEqual([])
    expect((await migrate(database.url)).applied).toEqual([])
    expect(await partitionsOf()).toBe(3)
  })

  it.each([
    ['in another number', 3, 'in 3 partitions'],
    ['in one table', undefined, 'as one table'],
  ])('refuses a ledger %s, and says what to do', async (_, made, words) => {
    await migrate(database.url, { partitions: made })
    const refused = migrate(database.url, { partitions: 16 })
    await expect(refused).rejects.toThrow(StoreNotConfiguredError)
    await expect(refused).rejects.toThrow(words)
    await expect(refused).rejects.toThrow(/Leave `partitions` out.*another schema.*Nothing was changed/s)
    expect(await partitionsOf()).toBe(made ?? 0)
    expect((await migrate(database.url, { schema: 'other', partitions: 16 })).applied).toEqual(EVERY_NUMBER)
    expect(await partitionsOf('other')).toBe(16)
  })

  it.each([0, 1, -4, 2.5, 257, NaN])('refuses %s partitions, before anything is made', async (partitions) => {
    await expect(migrate(database.url, { partitions })).rejects.toThrow(StoreNotConfiguredError)
    const { rows } = await client.query(`select 1 from pg_namespace where nspname = 'creditkit'`)
    expect(rows).toEqual([])
  })

  it('of several numbers at once makes one of them, and refuses the others', async () => {
    const numbers = [2, 3, 4, 5]
    const outcomes = await Promise.allSettled(numbers.map((partitions) => migrate(database.url, { partitions })))
    const made = await partitionsOf()
    expect(outcomes.map(({ status }, index) => [numbers[index] === made, status])).toEqual(
      numbers.map((number) => (number === made ? [true, 'fulfilled'] : [false, 'rejected'])),
    )
  })
})
