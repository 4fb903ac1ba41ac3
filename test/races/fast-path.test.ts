import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import type { Transaction } from '../../src/ledger/transaction.js'
import type { CreditStore } from '../../src/ports/store.js'
import { lockAccounts } from '../support/account-lock.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import {
  PROCESSES,
  type RaceCall,
  type RaceOptions,
  type RaceOutcome,
  type Racers,
  startRacers,
  tally,
} from './racers.js'

let database: TestDatabase
let racers: Racers
let store: CreditStore
let credits: CreditService

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  store = postgresStore(database.url)
  credits = new CreditService({ store })
  racers = await startRacers()
})
afterAll(async () => {
  await racers.end()
  await credits.close()
  await database.drop()
})

const callers = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

const BATCHING = [
  ['in batches', { batching: true }],
  ['one by one', { batching: false }],
] as const satisfies [string, RaceOptions][]

/** A user's uses, oldest first. */
async function usesOf(userId: string): Promise<Transaction[]> {
  const uses: Transaction[] = []
  await store.scanAccounts({ userId }, ({ transactions }) => {
    uses.push(...transactions.filter(({ transactionType }) => transactionType === 'usage'))
  })
  return uses.sort((a, b) => a.seq - b.seq)
}

/** Ids of what this very call wrote. */
const writtenIds = (outcomes: readonly RaceOutcome[]): string[] =>
  outcomes.flatMap((outcome) => (outcome.ok && !outcome.replayed ? outcome.id : []))

const byText = (a: string, b: string): number => (a < b ? -1 : 1)

async function expectSound(...userIds: string[]): Promise<void> {
  for (const userId of userIds) expect((await credits.verify({ userId })).violations).toEqual([])
}

describe.each(BATCHING)('4 processes with 8 callers each, %s, on one account', (_how, options) => {
  it.each([1, 5, 50])('with %i open grants never overspend, and spend to the last credit that fits', async (grants) => {
    const userId = `hot-${randomUUID()}`
    for (const priority of callers(grants, (index) => index)) {
      await credits.addCredits({
        userId,
        amount: 1000 / grants,
        creditType: 'calling',
        description: 'Gift',
        priority,
      })
    }
    // 1560 credits are asked for.
    const calls = callers(390, (index): RaceCall => {
      return { operation: 'deduct', input: { userId, amount: 1 + ((index * 5) % 7) } }
    })
    const outcomes = await racers.race(database.url, calls, options)

    const { succeeded, codes } = tally(outcomes)
    expect(codes).toEqual({ INSUFFICIENT_CREDITS: calls.length - succeeded })
    const uses = await usesOf(userId)
    expect(uses.map(({ id }) => id).sort(byText)).toEqual(writtenIds(outcomes).sort(byText))
    const balance = await credits.getBalance(userId, 'calling')
    expect(balance).toBe(1000 + uses.reduce((sum, { amount }) => sum + amount, 0))
    expect(balance).toBeGreaterThanOrEqual(0)
    // Somebody who asked for 7 was refused, or all who asked for less would have been served.
    expect(balance).toBeLessThan(7)
    // Every use has the balance it left: the chain has no gap, whoever wrote its rows.
    let left = 1000
    for (const { amount, balanceAfter } of uses) expect(balanceAfter).toBe((left += amount))
    await expectSound(userId)
  })

  it('make 64 holds and 64 uses of credits for 100, of which holds and uses get what was there', async () => {
    const userId = `hot-${randomUUID()}`
    for (const priority of [1, 2]) {
      await credits.addCredits({ userId, amount: 250, creditType: 'calling', description: 'Gift', priority })
    }
    const calls = callers(128, (index): RaceCall => {
      return { operation: index % 8 < 4 ? 'hold' : 'deduct', input: { userId, amount: 5 } }
    })
    const outcomes = await racers.race(database.url, calls, options)
    expect(tally(outcomes)).toEqual({ succeeded: 100, codes: { INSUFFICIENT_CREDITS: 28 } })
    const uses = await usesOf(userId)
    const { calling } = await credits.getAllBalances(userId)
    expect(calling).toMatchObject({ balance: 0, held: 500 - 5 * uses.length, owned: 500 - 5 * uses.length })
    expect(calling.held).toBeGreaterThan(0)
    await expectSound(userId)
  })

  it('with 50 keys that everybody sends take effect once for each key', async () => {
    const userId = `keyed-${randomUUID()}`
    for (const priority of [1, 2]) {
      await credits.addCredits({ userId, amount: 150, creditType: 'calling', description: 'Gift', priority })
    }
    // Calls are dealt out one by one: every process sends each key twice.
    const calls = callers(8 * 50, (index): RaceCall => {
      return { operation: 'deduct', input: { userId, amount: 4, idempotencyKey: `job ${Math.floor(index / 4) % 50}` } }
    })
    const outcomes = await racers.race(database.url, calls, options)
    expect(tally(outcomes)).toEqual({ succeeded: 400, codes: {} })
    const uses = await usesOf(userId)
    expect(uses).toHaveLength(50)
    expect(new Set(uses.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(50)
    expect(writtenIds(outcomes).sort(byText)).toEqual(uses.map(({ id }) => id).sort(byText))
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    await expectSound(userId)
  })
})

describe('one key for a hold and for a use, from different processes, behind one lock', () => {
  /** Rounds in which both took effect, and rounds in which the others were not told of the conflict. */
  async function play(options: RaceOptions): Promise<{ both: number; mistold: number }> {
    const userId = `keyed-${randomUUID()}`
    await credits.addCredits(userId, 1000, 'calling', 'Gift')
    const result = { both: 0, mistold: 0 }
    for (const round of callers(8, (index) => index)) {
      const calls = callers(PROCESSES, (index): RaceCall => {
        const operation = (index + Math.floor(round / 2)) % 2 === 0 ? 'hold' : 'deduct'
        return { operation, input: { userId, amount: 1, idempotencyKey: `job ${round}` } }
      })
      // Every process has looked for the key before the first of them writes it.
      const lock = await lockAccounts(database.url, userId)
      const racing = racers.race(database.url, calls, options)
      await lock.awaited(PROCESSES)
      await lock.release()
      const outcomes = await racing
      const done = calls.filter((_call, index) => outcomes[index]?.ok).map(({ operation }) => operation)
      if (new Set(done).size > 1) result.both += 1
      const { succeeded, codes } = tally(outcomes)
      if (succeeded !== 2 || codes.IDEMPOTENCY_CONFLICT !== 2) result.mistold += 1
    }
    await expectSound(userId)
    return result
  }

  it.each(BATCHING)('let one of them through, and name the conflict to the others, %s', async (_how, options) => {
    expect(await play(options)).toEqual({ both: 0, mistold: 0 })
  })

  it.each(BATCHING)('would let both through without the versions of keys, %s', async (_how, options) => {
    expect((await play({ ...options, without: 'key versions' })).both).toBeGreaterThan(0)
  })
})

describe('one key for a hold and for a use, one behind the other at the same lock', () => {
  const CALL = { amount: 1, creditType: 'calling', description: 'Job', idempotencyKey: 'job' } as const

  it.each([
    ['the hold', 'the use', true],
    ['the use', 'the hold', true],
    ['the hold', 'the use', false],
    ['the use', 'the hold', false],
  ])('let %s through that came first, and tell %s of the conflict; batching: %s', async (first, _second, batching) => {
    const userId = `keyed-${randomUUID()}`
    await credits.addCredits(userId, 100, 'calling', 'Gift')
    const services = callers(2, () => new CreditService({ store: postgresStore(database.url), batching }))
    const calls = services.map((service, index) => {
      const holds = (first === 'the hold') === (index === 0)
      return () => (holds ? service.holdCredits({ ...CALL, userId }) : service.deductCredits({ ...CALL, userId }))
    })
    const lock = await lockAccounts(database.url, userId)
    const answers: Promise<PromiseSettledResult<unknown>[]>[] = []
    for (const [index, call] of calls.entries()) {
      answers.push(Promise.allSettled([call()]))
      await lock.awaited(index + 1)
    }
    await lock.release()
    expect((await Promise.all(answers)).flat()).toMatchObject([
      { status: 'fulfilled', value: { replayed: false } },
      { status: 'rejected', reason: { code: 'IDEMPOTENCY_CONFLICT', field: 'operation' } },
    ])
    const { calling } = await credits.getAllBalances(userId)
    expect(calling).toMatchObject({ balance: 99, held: first === 'the hold' ? 1 : 0 })
    await expectSound(userId)
    for (const service of services) await service.close()
  })
})
