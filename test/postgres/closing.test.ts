import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import type { BalanceCache } from '../../src/ports/cache.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

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
})
