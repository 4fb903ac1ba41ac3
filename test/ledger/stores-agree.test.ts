import fc from 'fast-check'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory-store.js'
import { pgliteStore } from '../../adapters/pglite.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { stoppedClock } from '../conformance/credit-store/bench.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { histories, Player, SETTINGS, type Step } from './random-histories.js'

let database: TestDatabase
const stores: Record<string, CreditStore> = { memory: memoryStore(), pglite: pgliteStore() }

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  stores.postgres = postgresStore(database.url)
})
afterAll(async () => {
  for (const store of Object.values(stores)) await store.close()
  await database.drop()
})

describe('the same history on every store', () => {
  const property = (name: string) =>
    fc.asyncProperty(histories, async (steps) => {
      const [expected, actual] = [await playAll(stores.memory, steps), await playAll(stores[name], steps)]
      expect(actual).toEqual(expected)
      expect(actual.violations).toEqual([])
    })

  // A few hundred commands on a real database per second; a failure is shrunk, which takes as long again.
  const timeoutMs = SETTINGS.numRuns * 1500

  it.each(['pglite', 'postgres'])(
    'ends in the same answers, rows and balances on memory and on %s',
    { timeout: timeoutMs },
    async (name) => {
      await fc.assert(property(name), SETTINGS)
    },
  )
})

/** Everything a user can see of a history, with ids replaced by the number of their row. */
async function playAll(store: CreditStore | undefined, steps: readonly Step[]) {
  if (store === undefined) throw new Error('the store is not open')
  const [clock, userId] = [stoppedClock(), `user-${randomUUID()}`]
  const credits = new CreditService({ store, clock })
  const player = new Player(credits, clock, userId)
  const answers = []
  for (const [index, step] of steps.entries()) {
    answers.push(await player.play(step, `step ${index}`))
    answers.push(await store.readBalance({ userId, creditType: 'calling' }, clock.now()))
  }
  const { transactions } = await credits.listTransactions({ userId, limit: 200 })
  const numbers = new Map(transactions.map(({ id, seq }) => [id, seq]))
  const numbered = JSON.stringify(transactions, (key, value: unknown) =>
    key === 'userId' ? undefined : typeof value === 'string' ? (numbers.get(value) ?? value) : value,
  )
  return {
    answers,
    rows: JSON.parse(numbered) as unknown,
    balances: await credits.getAllBalances(userId),
    usage: await credits.getUsageStats(userId, 'calling'),
    violations: (await credits.verify({ userId })).violations,
  }
}
