import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import type { CreditStore, SpendOutcome } from '../../src/ports/store.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { HistoryPlayer } from './history-player.js'
import { HistoryView } from './history-view.js'
import { allHistories, SETTINGS, type Step, timeFor, UNIT_MS } from './random-histories.js'

/** One way to decide deductions and holds, on a database of its own. */
interface Way {
  open: (url: string) => CreditStore
  /** Send the calls of a rush together. */
  atOnce: boolean
  batching: boolean
}

const WAYS: Record<string, Way> = {
  'by the general path alone': {
    open: (url) => postgresStore(url, { fastPath: false }),
    atOnce: false,
    batching: true,
  },
  'one by one': { open: (url) => postgresStore(url), atOnce: false, batching: false },
  'in batches': { open: (url) => postgresStore(url), atOnce: true, batching: true },
  'by either path, as it happens': { open: (url) => fickle(postgresStore(url)), atOnce: true, batching: true },
}

/** What the fast paths said, to see that they were taken. */
const said = new Map<SpendOutcome['status'], number>()

/** Yes or no, in an order that the seed decides (Lehmer's generator). */
const chances = { state: 1 + (SETTINGS.seed % 2_147_483_646) }
function chance(): boolean {
  chances.state = (chances.state * 48_271) % 2_147_483_647
  return chances.state % 16 < 10
}

/** A store whose fast path now and then can't tell. */
function fickle(store: CreditStore): CreditStore {
  const spend = store.spend?.bind(store)
  if (spend === undefined) throw new Error('fickle: the store has no fast path')
  return {
    ...store,
    spend: async (commands, compare, options) => {
      const outcomes = chance()
        ? await spend(commands, compare, options)
        : commands.map((): SpendOutcome => ({ status: 'undecided' }))
      for (const { status } of outcomes) said.set(status, (said.get(status) ?? 0) + 1)
      return outcomes
    },
  }
}

const databases: TestDatabase[] = []
const stores: { store: CreditStore; way: Way }[] = []

beforeAll(async () => {
  for (const way of Object.values(WAYS)) {
    const database = await createTestDatabase()
    databases.push(database)
    await migrate(database.url)
    stores.push({ store: way.open(database.url), way })
  }
})
afterAll(async () => {
  for (const { store } of stores) await store.close()
  for (const database of databases) await database.drop()
})

const at = fc.constantFrom(0, 0, 0, 1, 2)
const amount = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 60 }))

/** A call that an account's row may decide. */
const call: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deduct' as const), at, amount }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('hold' as const),
      at,
      amount,
      lasts: fc.integer({ min: 1, max: 8 }).map((units) => units * UNIT_MS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('spend' as const), at, minutes: fc.nat({ max: 12 }) }) },
)

/** Histories with rushes of calls here and there. */
const historiesWithRushes = fc
  .record({
    history: allHistories,
    rushes: fc.array(fc.record({ place: fc.nat(60), calls: fc.array(call, { minLength: 2, maxLength: 16 }) }), {
      minLength: 2,
      maxLength: 8,
    }),
  })
  .map(({ history: { rules, steps }, rushes }) => ({
    // Limits are never decided from the row alone.
    rules: { ...rules, limited: false },
    rounds: [...steps, null].flatMap((step, index) => [
      ...rushes.filter(({ place }) => place % (steps.length + 1) === index).map(({ calls }) => calls),
      ...(step === null ? [] : [[step]]),
    ]),
  }))

// Four databases, and a step takes many statements: fewer histories than in memory.
const numRuns = Math.ceil(SETTINGS.numRuns / 25)

describe('the fast path, played in step with the general one', () => {
  it('agrees about every answer, row and figure, after each step', { timeout: timeFor(numRuns, 6000) }, async () => {
    await fc.assert(
      fc.asyncProperty(historiesWithRushes, async ({ rules, rounds }) => {
        const sides = stores.map(({ store, way }) => {
          const player = new HistoryPlayer(store, rules, { batching: way.batching })
          return { player, view: new HistoryView(), atOnce: way.atOnce }
        })
        for (const [index, round] of rounds.entries()) {
          const [inGeneral, ...others] = await Promise.all(
            sides.map(async ({ player, view, atOnce }) => {
              const rush = round.map((step, place) => ({ step, key: `step ${index}.${place}` }))
              const answers: unknown[] = []
              if (rush.length > 1 && atOnce) answers.push(...(await player.playAtOnce(rush)))
              else for (const { step, key } of rush) answers.push(await player.play(step, key))
              return { answers, seen: await view.seeRows(player, STORES_OWN) }
            }),
          )
          expect(inGeneral?.seen).toMatchObject({ violations: [] })
          for (const other of others) expect(other).toEqual(inGeneral)
        }
        const [atEnd, ...others] = await Promise.all(sides.map(({ player, view }) => view.see(player, STORES_OWN)))
        for (const other of others) expect(other).toEqual(atEnd)
        for (const { player } of sides) await player.leave()
      }),
      { ...SETTINGS, numRuns },
    )
    for (const status of ['applied', 'insufficient', 'undecided'] as const)
      expect(said.get(status) ?? 0, status).toBeGreaterThan(numRuns)
  })
})

/** A lower and an upper bound, which a store may choose. */
const STORES_OWN = ['nextDueAt', 'keyVersion']
