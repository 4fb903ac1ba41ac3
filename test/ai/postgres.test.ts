import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { drained, finishOf, funded, prompt, speaker, speech } from './talking.js'

let database: TestDatabase
let store: CreditStore

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  store = postgresStore(database.url)
})
afterAll(async () => {
  await store.close()
  await database.drop()
})

describe('two metered streams on PostgreSQL', () => {
  it('share the last credits: never below zero, and every token that was let through is paid', async () => {
    const talk = await funded(55, { store, clock: null })
    const long = () => speaker(speech(Array<string>(30).fill('tok'), finishOf(90)))
    const balances: number[] = []
    const run = async () => {
      const { model, seen } = long()
      const { stream } = await talk.meter(model).doStream({ prompt })
      let letters = 0
      for await (const part of stream) {
        if (part.type === 'text-delta') letters += part.delta.length
        balances.push((await talk.credits.getAllBalances(talk.userId)).ai.balance)
      }
      return { letters, cancelled: seen.cancelled }
    }
    const [first, second] = await Promise.all([run(), run()])
    expect(Math.min(...balances)).toBeGreaterThanOrEqual(0)
    const { balance, held, totalUsed } = await talk.figures()
    expect(totalUsed).toBe(first.letters + second.letters)
    expect([balance + totalUsed, held]).toEqual([55, 0])
    expect([first.cancelled, second.cancelled]).toEqual([true, true])
    expect(await talk.violations()).toEqual([])
  })

  it('let only one begin where the credits are enough for one', async () => {
    const talk = await funded(10, { store, clock: null })
    const begin = () => talk.meter(speaker(speech(['12345'])).model).doStream({ prompt })
    const outcomes = await Promise.allSettled([begin(), begin()])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') await drained(outcome.value.stream)
    expect(await talk.figures()).toEqual({ balance: 5, held: 0, totalUsed: 5 })
    expect(await talk.violations()).toEqual([])
  })
})
