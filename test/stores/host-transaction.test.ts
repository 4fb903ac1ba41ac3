import { sql } from 'drizzle-orm'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryCache } from '../../adapters/memory/cache.js'
import { migrate } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import {
  AFTER_EVERY_WRITE,
  EVERY_WRITE,
  everyWrite,
  type Host,
  HOST_NAMES,
  openHost,
  POOL_NAMES,
  rowsOf,
} from './hosts.js'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
})
afterAll(() => database.drop())

describe.each(HOST_NAMES)("writes in the host's own transaction: %s", (name) => {
  let host: Host
  let credits: CreditService
  const told: string[] = []
  beforeAll(async () => {
    host = await openHost(name, database.url)
    credits = new CreditService({
      ...EVERY_WRITE,
      store: host.store,
      cache: memoryCache(),
      on: { added: ({ userId, description }) => told.push(`${userId}: ${description}`) },
    })
    await credits.verify()
    await host.transaction((tx) => Promise.resolve(tx.execute(sql`create table if not exists jobs (id text)`)))
  })
  afterAll(async () => {
    await credits.close()
    await host.end()
  })

  const newUser = () => `user-${randomUUID()}`
  const rollBack = new Error('the host changed its mind')
  const jobs = (id: string) =>
    host.transaction(async (tx) => rowsOf(await tx.execute(sql`select id from jobs where id = ${id}`)))

  it('are there once the host commits, of every kind, together with what the host wrote', async () => {
    const [userId, job] = [newUser(), randomUUID()]
    const friend = await host.transaction(async (tx) => {
      await tx.execute(sql`insert into jobs values (${job})`)
      return everyWrite(credits, userId, tx)
    })
    expect(await jobs(job)).toEqual([{ id: job }])
    expect(await credits.getTransactionHistory(userId)).toHaveLength(AFTER_EVERY_WRITE.transactions)
    expect(await credits.getAllBalances(userId)).toMatchObject(AFTER_EVERY_WRITE.balances)
    expect((await credits.getAllBalances(friend)).calling).toMatchObject(AFTER_EVERY_WRITE.friend)
    for (const id of [userId, friend]) expect((await credits.verify({ userId: id })).violations).toEqual([])
  })

  it('are the same as without a transaction', async () => {
    const userId = newUser()
    const friend = await everyWrite(credits, userId)
    expect(await credits.getTransactionHistory(userId)).toHaveLength(AFTER_EVERY_WRITE.transactions)
    expect(await credits.getAllBalances(userId)).toMatchObject(AFTER_EVERY_WRITE.balances)
    expect((await credits.getAllBalances(friend)).calling).toMatchObject(AFTER_EVERY_WRITE.friend)
  })

  it('leave nothing when the host rolls back: no row, no account, no plan, no cached balance', async () => {
    const userId = newUser()
    let friend = ''
    const rolledBack = host.transaction(async (tx) => {
      friend = await everyWrite(credits, userId, tx)
      throw rollBack
    })
    await expect(rolledBack).rejects.toBe(rollBack)
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect(await credits.getTransactionHistory(userId)).toEqual([])
    expect(await credits.getPlan(userId)).toBeNull()
    for (const id of [userId, friend])
      expect(await credits.verify({ userId: id })).toEqual({ accounts: 0, violations: [] })
  })

  it('are told with the next drain after the commit, and never after a rollback', async () => {
    const [kept, undone] = [newUser(), newUser()]
    const add = (userId: string, tx: unknown) =>
      credits.addCredits({ userId, amount: 1, creditType: 'calling', description: 'Told', tx })
    await host.transaction((tx) => add(kept, tx))
    const rolledBack = host.transaction(async (tx) => {
      await add(undone, tx)
      throw rollBack
    })
    await expect(rolledBack).rejects.toBe(rollBack)
    await credits.runDue()
    expect(told.filter((each) => each.startsWith(kept))).toEqual([`${kept}: Told`])
    expect(told.filter((each) => each.startsWith(undone))).toEqual([])
  })

  it('never show an uncommitted balance in the cache, neither before nor after a rollback', async () => {
    const userId = newUser()
    await credits.addCredits(userId, 50, 'calling', 'Welcome')
    expect(await credits.getBalance(userId, 'calling')).toBe(50)
    const rolledBack = host.transaction(async (tx) => {
      await credits.deductCredits({ userId, amount: 20, creditType: 'calling', description: 'Undone', tx })
      // PGlite has one connection, which this transaction holds.
      if (host.store.memoryScope === null) expect(await credits.getBalance(userId, 'calling')).toBe(50)
      throw rollBack
    })
    await expect(rolledBack).rejects.toBe(rollBack)
    expect(await credits.getBalance(userId, 'calling')).toBe(50)
    await credits.deductCredits(userId, 1, 'calling', 'Kept')
    expect(await credits.getBalance(userId, 'calling')).toBe(49)
  })

  it('that are refused leave no account row, and the transaction goes on', async () => {
    const [userId, rich, job] = [newUser(), newUser(), randomUUID()]
    await host.transaction(async (tx) => {
      const base = { creditType: 'calling', description: 'Call', tx } as const
      const refused = credits.deductCredits({ ...base, userId, amount: 1 })
      await expect(refused).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', available: 0 })
      await tx.execute(sql`insert into jobs values (${job})`)
      await credits.addCredits({ ...base, userId: rich, amount: 3 })
      await expect(credits.deductCredits({ ...base, userId: rich, amount: 4 })).rejects.toThrow('Available: 3')
    })
    expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
    expect(await credits.getBalance(rich, 'calling')).toBe(3)
    expect(await jobs(job)).toHaveLength(1)
  })

  it('find a key that was used, before and within the transaction', async () => {
    const userId = newUser()
    const input = { userId, amount: 10, creditType: 'calling', description: 'Job', idempotencyKey: 'k' } as const
    const before = await credits.addCredits(input)
    await host.transaction(async (tx) => {
      expect(await credits.addCredits({ ...input, tx })).toEqual({ ...before, replayed: true })
      await expect(credits.addCredits({ ...input, amount: 11, tx })).rejects.toMatchObject({ field: 'amount' })
      const first = await credits.deductCredits({ ...input, idempotencyKey: 'k2', tx })
      const again = await credits.deductCredits({ ...input, idempotencyKey: 'k2', tx })
      expect(again).toEqual({ ...first, replayed: true })
      const other = credits.deductCredits({ ...input, idempotencyKey: 'k2', creditType: 'scraping', tx })
      await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field: 'creditType' })
    })
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect(await credits.verify({ userId })).toEqual({ accounts: 1, violations: [] })
  })

  it('burn no key when they are rolled back', async () => {
    const userId = newUser()
    const input = { userId, amount: 10, creditType: 'calling', description: 'Job', idempotencyKey: 'k' } as const
    const rolledBack = host.transaction(async (tx) => {
      await credits.addCredits({ ...input, tx })
      throw rollBack
    })
    await expect(rolledBack).rejects.toBe(rollBack)
    expect(await credits.addCredits(input)).toMatchObject({ replayed: false, seq: 1 })
  })

  it('refuse what is no transaction, by a named error', async () => {
    const base = { userId: newUser(), amount: 1, creditType: 'calling', description: 'Wrong' } as const
    for (const tx of [null, 0, 'tx', {}, { execute: 'no' }]) {
      await expect(credits.addCredits({ ...base, tx })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    }
  })
})

describe.each(POOL_NAMES)("a key that races from another connection with the host's transaction: %s", (name) => {
  let host: Host
  let credits: CreditService
  beforeAll(async () => {
    host = await openHost(name, database.url)
    credits = new CreditService({ store: host.store, cache: null })
  })
  afterAll(() => host.end())

  const input = { amount: 10, description: 'Job', idempotencyKey: 'k' } as const
  const pause = () => new Promise((resolve) => setTimeout(resolve, 150))

  it('is replayed there when the host commits', async () => {
    const userId = `user-${randomUUID()}`
    let outside: Promise<unknown> = Promise.resolve()
    const inside = await host.transaction(async (tx) => {
      const first = await credits.addCredits({ ...input, userId, creditType: 'calling', tx })
      outside = credits.addCredits({ ...input, userId, creditType: 'calling' })
      await pause()
      return first
    })
    expect(await outside).toEqual({ ...inside, replayed: true })
  })

  it('is written there when the host rolls back', async () => {
    const userId = `user-${randomUUID()}`
    let outside: Promise<unknown> = Promise.resolve()
    const rolledBack = host.transaction(async (tx) => {
      await credits.addCredits({ ...input, userId, creditType: 'calling', tx })
      outside = credits.addCredits({ ...input, userId, creditType: 'calling' })
      await pause()
      throw new RangeError('no')
    })
    await expect(rolledBack).rejects.toThrow(RangeError)
    expect(await outside).toMatchObject({ replayed: false, seq: 1 })
  })

  it('is found by the transaction that waited: replayed for the same account', async () => {
    const userId = `user-${randomUUID()}`
    const { first, second } = await raceTwo(userId, 'calling', 'calling')
    expect(await second).toEqual({ ...first, replayed: true })
  })

  it('is found by the transaction that waited: a conflict for another credit type, with no account row', async () => {
    const userId = `user-${randomUUID()}`
    const { second } = await raceTwo(userId, 'calling', 'scraping')
    await expect(second).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field: 'creditType' })
    expect(await credits.verify({ userId })).toEqual({ accounts: 1, violations: [] })
    expect(await credits.getBalance(userId, 'scraping')).toBe(0)
  })

  /** Two transactions of the host with one key; the second looks while the first has not committed. */
  async function raceTwo(userId: string, firstType: 'calling', secondType: 'calling' | 'scraping') {
    let committed: Promise<unknown> = Promise.resolve()
    let second: Promise<unknown> = Promise.resolve()
    const first = await host.transaction(async (tx) => {
      const written = await credits.addCredits({ ...input, userId, creditType: firstType, tx })
      committed = host.transaction(async (other) => {
        second = credits.addCredits({ ...input, userId, creditType: secondType, tx: other })
        // A refusal must not end the transaction: the host may want to go on.
        await second.catch(() => undefined)
        await other.execute(sql`select 1`)
      })
      await pause()
      return written
    })
    await committed
    return { first, second }
  }
})
