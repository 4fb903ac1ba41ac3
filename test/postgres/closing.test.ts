import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import type { BalanceCache } from '../../src/ports/cache.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

/** A thousand in `npm run test:long`. */
const CYCLES = process.env['TEST_HISTORIES'] === undefined ? 40 : 1_000

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
})
afterAll(() => database.drop())

describe('closing a service', () => {
  it.each([true, false])(
    'waits for what was asked, and for its cache to hear of it; batching: %s',
    async (batching) => {
      const seen: string[] = []
      const cache: BalanceCache = {
        ttlSeconds: 60,
        get: async () => null,
        set: async () => undefined,
        invalidate: async () => {
          // As long as a server takes to hear of it.
          await new Promise((resolve) => setImmediate(resolve))
          seen.push('forgotten')
        },
        close: async () => void seen.push('cache closed'),
      }
      const store = postgresStore(database.url)
      const close = store.close.bind(store)
      store.close = async () => {
        seen.push('store closed')
        await close()
      }
      const userId = `user-${randomUUID()}`
      const credits = new CreditService({ store, cache, batching })
      // The third needs the general path: the first grant does not cover it.
      for (const amount of [10, 20]) await credits.addCredits(userId, amount, 'calling', 'Gift')
      seen.splice(0)
      const call = { userId, creditType: 'calling', description: 'Use' } as const
      const uses = [2, 3, 8, 1].map((amount) => credits.deductCredits({ ...call, amount }))
      const held = credits.holdCredits({ ...call, amount: 1 })
      // They have left their callers.
      await Promise.all(Array.from({ length: 20 }, () => Promise.resolve()))
      await new Promise((resolve) => setImmediate(resolve))
      await credits.close()
      expect(await Promise.allSettled([...uses, held])).toMatchObject(Array(5).fill({ status: 'fulfilled' }))
      expect(seen).toEqual([...Array<string>(5).fill('forgotten'), 'cache closed', 'store closed'])
    },
  )

  it(
    'again and again leaves no socket, timer or listener, and lets the process end by itself',
    { timeout: 300_000 },
    async () => {
      const path = fileURLToPath(new URL('./cycles-process.ts', import.meta.url))
      const args = ['--import', 'tsx', path, database.url, inject('redisUrl'), String(CYCLES)]
      // Ends with an error if the process has to be killed.
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 240_000 })
      // What it has printed.
      const { early, late } = JSON.parse(stdout) as Record<'early' | 'late', Record<string, number>>
      expect(early).toHaveProperty('listeners')
      expect(late).toEqual(early)
      await expect.poll(connections).toBe(0)
    },
  )
})

async function connections(): Promise<number> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const { rowCount } = await client.query(
    "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'",
  )
  await client.end()
  return rowCount ?? -1
}
