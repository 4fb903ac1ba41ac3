import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { openTestPgliteStore } from '../support/pglite.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { Scenario } from './scenario.js'

let database: TestDatabase
let stores: { name: string; store: CreditStore }[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  stores = [
    { name: 'memory', store: memoryStore() },
    { name: 'pglite', store: await openTestPgliteStore() },
    { name: 'postgres', store: postgresStore(database.url) },
  ]
})
afterAll(async () => {
  for (const { store } of stores) await store.close()
  await database.drop()
})

describe('figures over all users', () => {
  it.each([
    [1, '2026-03-01T08:00:00.000Z'],
    [13, '2026-04-01T08:00:00.000Z'],
    [59, '2026-05-01T08:00:00.000Z'],
  ])('are the same on every store (scenario %i)', { timeout: 120_000 }, async (seed, start) => {
    const played = []
    for (const { name, store } of stores) {
      const scenario = new Scenario(store, seed, start)
      await scenario.play(250)
      const { violations } = await scenario.credits.verify({})
      played.push({ name, violations, outcomes: scenario.outcomes, figures: await figures(store, start) })
    }
    for (const { name: _name, ...answers } of played) {
      expect(answers.violations).toEqual([])
      expect(answers).toEqual({ ...played[0], name: undefined })
    }
    // A scenario in which nothing happened would agree, too.
    const whole = played[0]?.figures[0]
    const { packages, outstanding, ...numbers } = whole ?? {}
    for (const [name, value] of Object.entries(numbers)) expect(value, name).toBeGreaterThan(0)
    expect(outstanding?.paid).toBeGreaterThan(0)
    expect(outstanding?.promotional).toBeGreaterThan(0)
    expect(packages).toHaveLength(3)
  })
})

/** Of the whole scenario, and of ranges that begin and end in the midst of it, for all credit types and for one. */
async function figures(store: CreditStore, start: string) {
  const hour = (count: number): Date => new Date(Date.parse(start) + count * 3_600_000)
  const ranges = [
    [hour(-1), hour(1000)],
    [hour(5), hour(20)],
    [hour(0), hour(12)],
    [hour(2000), hour(2001)],
  ] as const
  const queries = ranges.flatMap(([from, to]) =>
    [null, 'calling', 'enrichment', 'nothing'].map((creditType) => ({ from, to, creditType })),
  )
  const all = []
  for (const query of queries) all.push(await store.readMetrics(query))
  return all
}
