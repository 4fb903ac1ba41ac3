import { CreditService } from 'creditkit'
import { memoryCache } from 'creditkit/adapters/memory'
import { migrate, postgresStore } from 'creditkit/adapters/postgres'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

/** A pool that, when armed, loses the answers to the next statements that begin with `text`, after they took effect. */
class ForgetfulPool extends Pool {
  lost = 0
  #armed: { text: string; times: number } | null = null

  loseAnswersTo(text: string, times: number): void {
    this.#armed = { text, times }
  }

  /** The server is gone with the answer that it does not give. */
  isDyingWith = false
  isDown = false

  override connect(): Promise<PoolClient>
  override connect(callback: (error: Error | undefined, client: PoolClient | undefined, done: () => void) => void): void
  override connect(callback?: unknown): Promise<PoolClient> | undefined {
    if (callback !== undefined) throw new Error('ForgetfulPool: only promises')
    if (this.isDown) return Promise.reject(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))
    return super.connect().then((client) => this.#forgetful(client))
  }

  #forgetful(client: PoolClient): PoolClient {
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
    const replaced = async (...args: unknown[]): Promise<unknown> => {
      const result = await query(...args)
      const armed = this.#armed
      const text = (args[0] as { text?: string }).text ?? ''
      if (armed === null || armed.times === 0 || !text.startsWith(armed.text)) return result
      armed.times -= 1
      this.lost += 1
      if (this.isDyingWith) this.isDown = true
      throw new Error('Connection terminated unexpectedly')
    }
    return Object.assign(client, { query: replaced })
  }
}

describe('a write whose answer is lost', () => {
  let database: TestDatabase
  let pool: ForgetfulPool
  let credits: CreditService

  beforeAll(async () => {
    database = await createTestDatabase()
    await migrate(database.url)
    pool = new ForgetfulPool({ connectionString: database.url })
    credits = new CreditService({ store: postgresStore(pool), cache: memoryCache() })
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it("happens once, is told as the call's own, and its balance is what everybody reads (B10: lost ack)", async () => {
    pool.loseAnswersTo('commit', 1)
    const gift = await credits.addCredits('ann', 100, 'calling', 'gift')
    expect(gift).toMatchObject({ amount: 100, balanceAfter: 100, replayed: false })
    expect(await credits.getBalance('ann', 'calling')).toBe(100)
    pool.loseAnswersTo('with spent as', 1)
    const use = await credits.deductCredits('ann', 10, 'calling', 'call')
    expect(pool.lost).toBe(2)
    expect(use).toMatchObject({ amount: -10, balanceAfter: 90, replayed: false })
    expect(await credits.getBalance('ann', 'calling')).toBe(90)
    expect(await credits.getTransactionHistory('ann')).toHaveLength(2)
  })

  it('is called unknown when nobody is left to ask, and found by its key when there is', async () => {
    const gift = {
      userId: 'bob',
      amount: 7,
      creditType: 'calling',
      description: 'Gift',
      idempotencyKey: 'g-1',
    } as const
    pool.loseAnswersTo('commit', 1)
    pool.isDyingWith = true
    await expect(credits.addCredits(gift)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    pool.isDyingWith = pool.isDown = false
    expect(await credits.addCredits(gift)).toMatchObject({ amount: 7, replayed: true })
    expect(await credits.getBalance('bob', 'calling')).toBe(7)
  })

  it('is called unknown when a package was written without a key', async () => {
    const before = pool.lost
    pool.loseAnswersTo('insert into "creditkit"."credit_packages"', 1)
    const fields = { name: 'Lost', creditAmount: 1, price: 100, creditType: 'calling' } as const
    await expect(credits.marketplace.createPackage(fields)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(pool.lost).toBe(before + 1)
  })
})
