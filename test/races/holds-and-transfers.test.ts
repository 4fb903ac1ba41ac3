import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { lockAccounts } from '../support/account-lock.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { RACE_OPTIONS, type RaceCall, type RaceOutcome, type Racers, startRacers, tally } from './racers.js'

let database: TestDatabase
let racers: Racers
let credits: CreditService

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  credits = new CreditService({ ...RACE_OPTIONS, store: postgresStore(database.url) })
  racers = await startRacers()
})
afterAll(async () => {
  await racers.end()
  await credits.close()
  await database.drop()
})

const CALL = { creditType: 'calling', description: 'Race' } as const
const callers = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

async function rows(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const result = await client.query<Record<string, unknown>>(text, values)
  await client.end()
  return result.rows
}

async function passed(moment: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, moment - Date.now())))
}

async function violations(...userIds: string[]): Promise<unknown[]> {
  const reports = await Promise.all(userIds.map((userId) => credits.verify({ userId })))
  return reports.flatMap((report) => report.violations)
}

describe('200 holds, each captured, released and timed out at one instant', () => {
  it('end exactly once each, and only the captured ones are charged', async () => {
    // On eight accounts, so that waiting for one another's locks is not all that happens.
    const users = callers(8, () => `holds-${randomUUID()}`)
    for (const userId of users) await credits.addCredits({ ...CALL, userId, amount: 250 })
    // Half of them time out while the race is on.
    const timeoutAt = Date.now() + 6000
    const hold = async (index: number): Promise<string> => {
      const expiresInSeconds = index % 2 === 0 ? 600 : Math.max(1, Math.round((timeoutAt - Date.now()) / 1000))
      const userId = users[index % 8] ?? ''
      return (await credits.holdCredits({ ...CALL, userId, amount: 10, expiresInSeconds })).id
    }
    // At once: a busy machine has to be done before they time out.
    const holds = await Promise.all(callers(200, hold))
    const calls = holds.flatMap((holdId, index): RaceCall[] => {
      const both: RaceCall[] = [
        { operation: 'capture', input: { holdId } },
        { operation: 'release', input: { holdId } },
      ]
      const ordered = index % 4 < 2 ? both : both.reverse()
      return index % 10 === 0 ? [...ordered, { operation: 'runDue', input: {} }] : ordered
    })
    await passed(timeoutAt - 200)
    const outcomes = await racers.race(database.url, calls)
    await passed(timeoutAt + 1500)
    await credits.runDue()

    expect(Object.keys(tally(outcomes).codes)).toEqual(['HOLD_NOT_OPEN'])
    const ended = await rows(
      'select id::text, status, captured::int from creditkit.credit_holds where user_id = any($1)',
      [users],
    )
    const count = (status: string): number => ended.filter((hold) => hold.status === status).length
    const [captured, released, expired] = ['captured', 'released', 'expired'].map(count)
    expect([captured, released, expired].every((number) => Number(number) > 0)).toBe(true)
    expect(count('open')).toBe(0)
    const ofHolds = outcomes.filter((outcome) => outcome.ok && outcome.id.length === 36)
    expect(ofHolds).toHaveLength(Number(captured) + Number(released))
    const balances = await Promise.all(users.map((userId) => credits.getAllBalances(userId)))
    const sum = (field: 'balance' | 'held' | 'totalUsed'): number =>
      balances.reduce((total, { calling }) => total + calling[field], 0)
    expect([sum('balance'), sum('held'), sum('totalUsed')]).toEqual([
      2000 - 10 * Number(captured),
      0,
      10 * Number(captured),
    ])
    expect(await violations(...users)).toEqual([])
  })
})

describe('32 clients in 4 processes', () => {
  it.each([1, 2, 3])('set aside what is there and no more: 10 of 32 holds, round %d', async () => {
    const userId = `room-${randomUUID()}`
    await credits.addCredits({ ...CALL, userId, amount: 100 })
    const calls = callers(32, () => ({ operation: 'hold', input: { userId, amount: 10 } }) as const)
    expect(tally(await racers.race(database.url, calls))).toEqual({
      succeeded: 10,
      codes: { INSUFFICIENT_CREDITS: 22 },
    })
    expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 0, held: 100, owned: 100 })
    expect(await violations(userId)).toEqual([])
  })

  it('make one hold of one key', async () => {
    const userId = `keyed-${randomUUID()}`
    await credits.addCredits({ ...CALL, userId, amount: 1000 })
    for (const idempotencyKey of callers(5, (index) => `job-${index}`)) {
      const calls = callers(32, () => ({ operation: 'hold', input: { userId, amount: 10, idempotencyKey } }) as const)
      const outcomes = await racers.race(database.url, calls)
      expect(tally(outcomes)).toEqual({ succeeded: 32, codes: {} })
      expect(new Set(outcomes.map((outcome) => outcome.ok && outcome.id)).size).toBe(1)
    }
    expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 950, held: 50 })
    expect(await violations(userId)).toEqual([])
  })

  it('move credits around a ring, in both directions at once, and none is lost or stuck', async () => {
    const ring = callers(4, () => `ring-${randomUUID()}`)
    for (const userId of ring) await credits.addCredits({ ...CALL, userId, amount: 60 })
    const calls = callers(400, (index): RaceCall => {
      const from = index % 4
      const to = (from + (index % 8 < 4 ? 1 : 3)) % 4
      const input = { fromUserId: ring[from] ?? '', toUserId: ring[to] ?? '', amount: 1 + (index % 7) }
      return { operation: 'transfer', input }
    })
    const { succeeded, codes } = tally(await racers.race(database.url, calls))
    expect(succeeded).toBeGreaterThan(200)
    expect(Object.keys(codes).filter((code) => code !== 'INSUFFICIENT_CREDITS')).toEqual([])
    const balances = await Promise.all(ring.map((userId) => credits.getBalance(userId, 'calling')))
    expect(balances.reduce((sum, balance) => sum + balance, 0)).toBe(240)
    expect(await violations(...ring)).toEqual([])
  })

  it('make one account for a receiver nobody has written before', async () => {
    const senders = callers(8, () => `sender-${randomUUID()}`)
    const receiver = `receiver-${randomUUID()}`
    for (const userId of senders) await credits.addCredits({ ...CALL, userId, amount: 4 })
    const calls = callers(32, (index): RaceCall => {
      const fromUserId = senders[index % 8] ?? ''
      return { operation: 'transfer', input: { fromUserId, toUserId: receiver, amount: 1 } }
    })
    expect(tally(await racers.race(database.url, calls))).toEqual({ succeeded: 32, codes: {} })
    expect(await credits.getBalance(receiver, 'calling')).toBe(32)
    expect(await violations(receiver, ...senders)).toEqual([])
  })

  it('deduct from two accounts or from none, whichever they name first', async () => {
    const [ada, bob] = [`ada-${randomUUID()}`, `bob-${randomUUID()}`]
    await credits.addCredits({ ...CALL, userId: ada, amount: 100 })
    await credits.addCredits({ ...CALL, userId: bob, amount: 50 })
    const calls = callers(64, (index): RaceCall => {
      const items = [
        { userId: ada, amount: 5 },
        { userId: bob, amount: 5 },
      ]
      return { operation: 'deductMany', input: index % 2 === 0 ? items : items.reverse() }
    })
    expect(tally(await racers.race(database.url, calls))).toEqual({
      succeeded: 10,
      codes: { INSUFFICIENT_CREDITS: 54 },
    })
    expect([await credits.getBalance(ada, 'calling'), await credits.getBalance(bob, 'calling')]).toEqual([50, 0])
    expect(await violations(ada, bob)).toEqual([])
  })
})

describe('20 callers of runDue', () => {
  it('expire every grant once, end every hold once, and grant every period once', async () => {
    const users = callers(40, () => `due-${randomUUID()}`)
    const dueAt = Date.now() + 6000
    const setUp = async (userId: string): Promise<void> => {
      await credits.addCredits({ ...CALL, userId, amount: 7, expiresAt: new Date(dueAt) })
      await credits.addCredits({ ...CALL, userId, amount: 20 })
      const expiresInSeconds = Math.max(1, Math.round((dueAt - Date.now()) / 1000))
      await credits.holdCredits({ ...CALL, userId, amount: 10, expiresInSeconds })
      await credits.startPlan({ userId, plan: 'daily', anchor: new Date(dueAt) })
    }
    // At once: a busy machine has to be done before it is due.
    await Promise.all(users.map(setUp))
    await passed(dueAt + 1500)
    const calls = callers(20, (): RaceCall => ({ operation: 'runDue', input: {} }))
    // One caller takes up to four accounts at a time: so several have come to the first of them before any is done.
    const lock = await lockAccounts(database.url, ...users)
    const race = racers.race(database.url, calls)
    await lock.awaited(12)
    await lock.release()
    const outcomes = await race

    expect(tally(outcomes)).toEqual({ succeeded: 20, codes: {} })
    const swept = (outcome: RaceOutcome): number => (outcome.ok ? Number(outcome.id) : 0)
    expect(outcomes.reduce((sum, outcome) => sum + swept(outcome), 0)).toBe(40)
    for (const userId of users) {
      const history = await credits.getTransactionHistory(userId, 'calling')
      // 7 that ended, and whatever of them the hold had pinned.
      const expired = history.filter(({ transactionType }) => transactionType === 'expiration')
      expect(expired.reduce((sum, { amount }) => sum + amount, 0)).toBe(-7)
      expect(history.filter(({ referenceType }) => referenceType === 'plan')).toHaveLength(1)
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 25, owned: 25, held: 0 })
    }
    expect(await violations(...users)).toEqual([])
  })
})
