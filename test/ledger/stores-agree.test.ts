import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { openTestPgliteStore } from '../support/pglite.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { HistoryPlayer } from './history-player.js'
import { HistoryView } from './history-view.js'
import { allHistories, SETTINGS, timeFor } from './random-histories.js'

let database: TestDatabase
const stores: CreditStore[] = [memoryStore()]

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  stores.push(await openTestPgliteStore(), postgresStore(database.url))
})
afterAll(async () => {
  for (const store of stores) await store.close()
  await database.drop()
})

// A step on real databases takes many statements: fewer histories than in memory.
const numRuns = Math.ceil(SETTINGS.numRuns / 20)

describe('memory, PGlite and PostgreSQL, playing the same history in step', () => {
  it('agree about every answer, row and figure, after each step', { timeout: timeFor(numRuns, 4000) }, async () => {
    await fc.assert(
      fc.asyncProperty(allHistories, async ({ rules, steps }) => {
        const sides = stores.map((store) => ({ player: new HistoryPlayer(store, rules), view: new HistoryView() }))
        for (const [index, step] of steps.entries()) {
          const [onMemory, ...others] = await Promise.all(
            sides.map(async ({ player, view }) => {
              const answer = await player.play(step, `step ${index}`)
              return { answer, seen: await view.seeRows(player, STORES_OWN) }
            }),
          )
          expect(onMemory?.seen).toMatchObject({ violations: [] })
          for (const other of others) expect(other).toEqual(onMemory)
        }
        const [atEnd, ...others] = await Promise.all(sides.map(({ player, view }) => view.see(player, STORES_OWN)))
        for (const other of others) expect(other).toEqual(atEnd)
        for (const { player } of sides) await player.leave()
      }),
      { ...SETTINGS, numRuns },
    )
  })
})

/** A lower bound, which a store may choose, and sums that only some stores keep. */
const STORES_OWN = ['nextDueAt', 'rolledUp']
