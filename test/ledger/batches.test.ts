import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService, isCreditError } from '../../src/index.js'
import { auditAccount } from '../../src/ledger/audit.js'
import { allocatedCredits } from '../../src/ledger/grant.js'
import type { CreditStore, SpendOutcome } from '../../src/ports/store.js'
import { openTestPgliteStore } from '../support/pglite.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { SETTINGS, timeFor } from './random-histories.js'

const NOW = new Date('2026-03-10T12:00:00Z')
const HOUR = 3_600_000

let database: TestDatabase
const stores: Record<string, CreditStore> = {}

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  stores.postgres = postgresStore(database.url)
  stores.pglite = await openTestPgliteStore()
})
afterAll(async () => {
  for (const store of Object.values(stores)) await store.close()
  await database.drop()
})

/** Credits that an account is given first; times in hours from now. */
const grant = fc.record({
  amount: fc.integer({ min: 1, max: 60 }),
  startsIn: fc.option(fc.constantFrom(-1, 1), { freq: 4 }),
  endsIn: fc.option(fc.constantFrom(2, 5)),
  priority: fc.integer({ min: 0, max: 2 }),
})

/** One of many calls that come at once. */
const anyCall = fc.record({
  account: fc.integer({ min: 0, max: 2 }),
  kind: fc.constantFrom('deduct', 'deduct', 'hold'),
  amount: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 90 })),
  key: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { freq: 2 }),
})

/** A call that is likely to be made again. */
const repeatedCall = anyCall.map(({ account, key, kind }) => ({ account, kind, amount: 3, key: key ?? 'a' }))

const call = fc.oneof({ arbitrary: anyCall, weight: 3 }, { arbitrary: repeatedCall, weight: 1 })

const rush = fc.record({
  grants: fc.array(fc.array(grant, { maxLength: 5 }), { minLength: 3, maxLength: 3 }),
  listens: fc.boolean(),
  calls: fc.array(call, { minLength: 2, maxLength: 40 }),
})

type Rush = typeof rush extends fc.Arbitrary<infer R> ? R : never

/** Plays a rush for users of its own; `atOnce`: without waiting for one call before the next. */
async function play(store: CreditStore, { grants, listens, calls }: Rush, atOnce: boolean) {
  const told: unknown[] = []
  const on = listens ? { balanceLow: (event: { threshold: number }) => told.push(event.threshold) } : {}
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const credits = new CreditService({ store, cache: null, clock: { now: () => NOW }, lowBalance: [20, 5], on, logger })
  // Keys belong to users, but only an account's calls have an order: each account has keys of its own.
  const [ann, bob] = [randomUUID(), randomUUID()]
  const accounts = [
    { userId: ann, creditType: 'calling' },
    { userId: bob, creditType: 'calling' },
    { userId: ann, creditType: 'scraping' },
  ] as const
  const hours = (count: number | null): Date | null => (count === null ? null : new Date(NOW.getTime() + count * HOUR))
  for (const [index, account] of accounts.entries())
    for (const { startsIn, endsIn, ...rest } of grants[index] ?? [])
      await credits.addCredits({
        ...account,
        ...rest,
        description: 'gift',
        effectiveAt: hours(startsIn),
        expiresAt: hours(endsIn),
      })

  const ask = async ({ account, kind, amount, key }: Rush['calls'][number]): Promise<unknown> => {
    const input = {
      ...(accounts[account] ?? accounts[0]),
      amount,
      description: kind,
      idempotencyKey: key === null ? null : `${account}${key}`,
    }
    try {
      const done = kind === 'hold' ? await credits.holdCredits(input) : await credits.deductCredits(input)
      const balanceAfter = 'balanceAfter' in done ? done.balanceAfter : null
      return {
        amount: done.amount,
        parts: done.allocations.map((part) => allocatedCredits(part)),
        balanceAfter,
        replayed: done.replayed,
      }
    } catch (error) {
      if (!isCreditError(error)) throw error
      return { code: error.code, message: error.message }
    }
  }
  const answers: unknown[] = []
  if (atOnce) answers.push(...(await Promise.all(calls.map(ask))))
  else for (const one of calls) answers.push(await ask(one))
  const rows: unknown[] = []
  const violations: unknown[] = []
  for (const userId of [ann, bob])
    await store.scanAccounts({ userId, holds: 'every' }, (history) => {
      violations.push(...auditAccount(history))
      const { balance, held, scheduled, totalUsed, seq, headRemaining, alertFloor } = history.account
      const transactions = history.transactions.map((row) => [
        row.seq,
        row.amount,
        row.balanceAfter,
        row.idempotencyKey,
      ])
      const left = history.grants.map(({ remaining, held: pinned, open }) => [remaining, pinned, open])
      rows.push({
        balance,
        held,
        scheduled,
        totalUsed,
        seq,
        headRemaining,
        alertFloor,

        transactions,
        left: left.sort(),
      })
    })
  const balances = await Promise.all([ann, bob].map((userId) => credits.getAllBalances(userId)))
  await credits.runDue({})
  return { answers, rows: rows.map((row) => JSON.stringify(row)).sort(), violations, balances, told: told.sort() }
}

describe('calls that come at once', () => {
  it.each(['postgres', 'pglite'])(
    'are answered and written as if they had come one after the other, on %s',
    { timeout: timeFor(SETTINGS.numRuns, 400) },
    async (name) => {
      const real = stores[name]
      if (real?.spend === undefined) throw new Error(`${name} has no fast path`)
      const statements = { batches: 0, outcomes: new Map<string, number>() }
      const spend = real.spend.bind(real)
      const counting: CreditStore = {
        ...real,
        spend: async (commands, compare, options) => {
          const outcomes: SpendOutcome[] = await spend(commands, compare, options)
          if (commands.length > 1) statements.batches += 1
          for (const { status } of outcomes) statements.outcomes.set(status, (statements.outcomes.get(status) ?? 0) + 1)
          return outcomes
        },
      }
      await fc.assert(
        fc.asyncProperty(rush, async (given) => {
          const oneByOne = await play(memoryStore(), given, false)
          const atOnce = await play(counting, given, true)
          expect(oneByOne.violations).toEqual([])
          expect(atOnce).toEqual(oneByOne)
        }),
        { ...SETTINGS, numRuns: Math.ceil(SETTINGS.numRuns / 2) },
      )
      // Otherwise it was not the fast path that was looked at.
      expect(statements.batches).toBeGreaterThan(SETTINGS.numRuns / 4)
      for (const status of ['applied', 'insufficient', 'replayed', 'conflict', 'undecided'])
        expect(statements.outcomes.get(status) ?? 0, status).toBeGreaterThan(5)
    },
  )
})
