import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { overspendFaults } from './overspend.js'
import { type RaceCall, type Racers, startRacers, tally } from './racers.js'

let database: TestDatabase
let racers: Racers
let credits: CreditService

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  credits = new CreditService({ store: postgresStore(database.url) })
  racers = await startRacers()
})
afterAll(async () => {
  await racers.end()
  await credits.close()
  await database.drop()
})

const callers = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

describe('32 clients in 4 processes', () => {
  it.each([1, 2, 3, 4, 5])('never overspend one account, round %d (A5: check-then-act is not the API)', async () => {
    expect((await overspendFaults(racers, credits, database.url)).faults).toEqual([])
  })

  it('spend 3 hot accounts, in odd amounts, to the last credit that fits', async () => {
    const users = callers(3, () => `hot-${randomUUID()}`)
    for (const userId of users) await credits.addCredits(userId, 96, 'calling', 'Half of what is asked for')
    const calls = callers(288, (index): RaceCall => {
      const input = { userId: users[index % 3] ?? '', amount: 1 + (Math.floor(index / 3) % 3) }
      return { operation: 'deduct', input }
    })
    const { codes } = tally(await racers.race(database.url, calls))
    expect(Object.keys(codes)).toEqual(['INSUFFICIENT_CREDITS'])
    for (const userId of users) {
      expect(await credits.getBalance(userId, 'calling')).toBeLessThan(3)
      expect((await credits.verify({ userId })).violations).toEqual([])
    }
  })

  it('write one row per key, and everybody gets its transaction', async () => {
    const userId = `keyed-${randomUUID()}`
    await credits.addCredits(userId, 1000, 'calling', 'Welcome')
    for (const idempotencyKey of callers(20, (index) => `job-${index}`)) {
      const calls = callers(32, () => ({ operation: 'deduct', input: { userId, amount: 7, idempotencyKey } }) as const)
      const outcomes = await racers.race(database.url, calls)
      expect(tally(outcomes)).toEqual({ succeeded: 32, codes: {} })
      expect(new Set(outcomes.map((outcome) => outcome.ok && outcome.id)).size).toBe(1)
      expect(outcomes.filter((outcome) => outcome.ok && !outcome.replayed)).toHaveLength(1)
    }
    expect(await credits.getBalance(userId, 'calling')).toBe(1000 - 20 * 7)
    expect((await credits.verify({ userId })).violations).toEqual([])
  })

  it('let one of 32 different requests with one key through, and name the field to the others', async () => {
    const userId = `keyed-${randomUUID()}`
    await credits.addCredits(userId, 1000, 'calling', 'Welcome')
    const calls = callers(32, (index) => {
      return { operation: 'deduct', input: { userId, amount: 1 + index, idempotencyKey: 'job' } } as const
    })
    const outcomes = await racers.race(database.url, calls)
    expect(tally(outcomes)).toEqual({ succeeded: 1, codes: { IDEMPOTENCY_CONFLICT: 31 } })
    expect(await credits.getTransactionHistory(userId)).toHaveLength(2)
  })

  it('make one account when all of them are the first', async () => {
    for (const userId of callers(10, () => `new-${randomUUID()}`)) {
      const calls = callers(32, () => ({ operation: 'add', input: { userId, amount: 1 } }) as const)
      expect(tally(await racers.race(database.url, calls))).toEqual({ succeeded: 32, codes: {} })
      expect(await credits.getBalance(userId, 'calling')).toBe(32)
      expect(await credits.verify({ userId })).toEqual({ accounts: 1, violations: [] })
    }
  })

  it('refund 16 uses once each, whoever asks', async () => {
    const userId = `refunds-${randomUUID()}`
    await credits.addCredits(userId, 160, 'calling', 'Welcome')
    const uses: { id: string }[] = []
    for (const amount of callers(16, (index) => 1 + (index % 5))) {
      uses.push(await credits.deductCredits(userId, amount, 'calling', 'Use'))
    }
    const calls = callers(16 * 32, (index): RaceCall => {
      return { operation: 'refund', input: { transactionId: uses[index % 16]?.id ?? '' } }
    })
    const outcomes = await racers.race(database.url, calls)
    expect(tally(outcomes)).toEqual({ succeeded: 16, codes: { ALREADY_REFUNDED: 16 * 31 } })
    expect(await credits.getBalance(userId, 'calling')).toBe(160)
    expect((await credits.verify({ userId })).violations).toEqual([])
  })
})
