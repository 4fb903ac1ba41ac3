import { type BalanceCache, CreditService, type CreditTransaction } from 'creditkit'
import { memoryCache, memoryStore } from 'creditkit/adapters/memory'
import { migrate } from 'creditkit/adapters/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from './support/postgres.js'
import * as guide from './guide/service-snippets.js'

const DAY_MS = 86_400_000

/** What the guide's snippets print, oldest first. */
const printed: unknown[] = []

beforeEach(() => {
  printed.splice(0)
  vi.spyOn(console, 'log').mockImplementation((value: unknown) => void printed.push(value))
})
afterEach(() => vi.restoreAllMocks())

describe.each(['the embedded default', 'PostgreSQL by DATABASE_URL'])("the guide's service examples on %s", (name) => {
  let database: TestDatabase | null = null
  let creditService: CreditService

  beforeAll(async () => {
    if (name.startsWith('PostgreSQL')) {
      database = await createTestDatabase()
      await migrate(database.url)
    }
    vi.stubEnv('DATABASE_URL', database?.url)
    vi.stubEnv('CREDITS_DATA_DIR', undefined)
    creditService = new CreditService()
    await creditService.getAllBalances(0)
  })
  afterAll(async () => {
    await creditService.close()
    vi.unstubAllEnvs()
    await database?.drop()
  })

  /** A user of the guide with this many enrichment credits. */
  const give = (userId: number, amount: number) =>
    creditService.addCredits(userId, amount, 'enrichment', 'Test purchase', 'purchase')
  const enrichment = async (userId: number) => (await creditService.getAllBalances(userId)).enrichment.balance

  it('Test Credit Operations', async () => {
    await guide.testCreditOperations()
    const [balance, history, stats] = printed as [string, CreditTransaction[], object]
    expect(balance).toBe('Balance: 100')
    expect(history).toMatchObject([
      { transactionType: 'usage', amount: -10, balanceAfter: 90, description: 'Test usage' },
      { transactionType: 'purchase', amount: 100, balanceAfter: 100, description: 'Test purchase' },
    ])
    expect(stats).toMatchObject({ totalUsed: 10, totalPurchased: 100, balance: 90, transactions: 2 })
    expect(await creditService.getAllBalances(1)).toMatchObject({
      enrichment: { balance: 90, totalPurchased: 100, totalUsed: 10 },
    })
  })

  it('Server-Side: Deduct Credits', async () => {
    await give(2, 100)
    await guide.deductForEnrichment(2)
    const [usage] = await creditService.getTransactionHistory(2)
    expect(usage).toMatchObject({
      userId: '2',
      creditType: 'enrichment',
      transactionType: 'usage',
      amount: -10,
      balanceAfter: 90,
      description: 'Enriched 10 leads from list #123',
      referenceId: '123',
      referenceType: 'lead_list',
      metadata: { leadListId: 123, leadsProcessed: 10 },
    })
    expect(usage?.createdAt).toBeInstanceOf(Date)
  })

  it('Server-Side: Refund Credits', async () => {
    await give(3, 100)
    const { id } = await creditService.deductCredits(3, 40, 'enrichment', 'test')
    expect(await creditService.getBalance(3, 'enrichment')).toBe(60)
    await guide.refund(creditService, id)
    expect(await creditService.getBalance(3, 'enrichment')).toBe(100)
    const [refund] = await creditService.getTransactionHistory(3)
    expect(refund).toMatchObject({ transactionType: 'refund', amount: 40, relatedTransactionId: id })
  })

  it('Error Handling: Insufficient Credits', async () => {
    await give(4, 50)
    const error = await guide.insufficientCredits(creditService, 4)
    expect(error).toMatchObject({ message: 'Insufficient credits. Required: 100, Available: 50' })
    expect(await enrichment(4)).toBe(50)
  })

  it('Error Handling: Invalid Amounts', async () => {
    expect(await guide.invalidAmounts(creditService, 5)).toMatchObject({ message: 'Amount must be positive' })
    expect(await enrichment(5)).toBe(0)
  })

  it('Error Handling: Duplicate Refund', async () => {
    await give(6, 50)
    const { id } = await creditService.deductCredits(6, 20, 'enrichment', 'test')
    const error = await guide.duplicateRefund(creditService, id)
    expect(error).toMatchObject({ message: 'Transaction has already been refunded' })
    expect(await enrichment(6)).toBe(50)
  })

  it('Monitoring & Analytics', async () => {
    await give(7, 100)
    await creditService.deductCredits(7, 20, 'enrichment', 'test')
    const today = new Date().setUTCHours(0, 0, 0, 0)
    await guide.monitor(creditService, 7, new Date(today - DAY_MS), new Date(today + DAY_MS))
    expect(printed).toEqual([
      { totalUsed: 20, totalPurchased: 100, currentBalance: 80, averageDaily: 10, transactionCount: 2 },
    ])
  })

  it('Cache Issues: the balance is right after invalidating by hand', async () => {
    await give(8, 100)
    expect(await creditService.getBalance(8, 'enrichment')).toBe(100)
    await guide.invalidateCache(creditService.cache, 8)
    expect(await creditService.getBalance(8, 'enrichment')).toBe(100)
  })
})

describe("the guide's caching", () => {
  /** A cache that tells which keys it was asked, and for how long it was to remember. */
  function watched(): { cache: BalanceCache; log: string[] } {
    const log: string[] = []
    const inner = memoryCache()
    const { ttlSeconds } = inner
    return {
      log,
      cache: {
        ttlSeconds,
        get: (key) => {
          log.push(`get ${key}`)
          return inner.get(key)
        },
        set: (key, value, ttlMs) => {
          log.push(`set ${key} for ${ttlMs / 1000} s`)
          return inner.set(key, value, ttlMs)
        },
        invalidate: (key, version) => {
          log.push(`invalidate ${key}`)
          return inner.invalidate(key, version)
        },
      },
    }
  }

  it('uses its keys, for 60 seconds, and invalidates when a balance changes or somebody asks', async () => {
    const { cache, log } = watched()
    const creditService = new CreditService({ store: memoryStore(), cache })
    await creditService.addCredits(1, 100, 'enrichment', 'Test purchase', 'purchase')
    expect(log.splice(0)).toEqual(['invalidate user_credits:1:enrichment'])
    await creditService.getBalance(1, 'enrichment')
    await creditService.getBalance(1, 'enrichment')
    const get = 'get user_credits:1:enrichment'
    expect(log.splice(0)).toEqual([get, 'set user_credits:1:enrichment for 60 s', get])
    await guide.invalidateCache(creditService.cache, 1)
    expect(log).toEqual(['invalidate user_credits:1:enrichment'])
  })
})
