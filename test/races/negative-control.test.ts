import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { overspendFaults } from './overspend.js'
import { type RaceOptions, type Racers, startRacers } from './racers.js'

/*
 * Does the race test see anything? The same check, against a store whose statements lost their row locks, on tables
 * without the constraints that would catch it after all, must fail.
 */

let database: TestDatabase
let racers: Racers
let credits: CreditService

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  credits = new CreditService({ store: postgresStore(database.url) })
  racers = await startRacers()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  for (const [table, constraint] of [
    ['credit_transactions', 'credit_transactions_pkey'],
    ['credit_transactions', 'credit_transactions_id_key'],
    ['user_credits', 'user_credits_owned_check'],
    ['user_credits', 'user_credits_head_check'],
  ])
    await client.query(`alter table creditkit.${table} drop constraint ${constraint}`)
  await client.end()
})
afterAll(async () => {
  await racers.end()
  await credits.close()
  await database.drop()
})

describe('a store without the locks', () => {
  it.each<[string, RaceOptions]>([
    ['the general path', { fastPath: false, without: 'locks of the general path' }],
    ['the fast path', { without: 'locks of the fast path' }],
  ])('of %s fails the very check that the real one passes, on the same tables', async (_path, options) => {
    const heldUp = { ...options, heldUp: true }
    const { faults } = await overspendFaults(racers, credits, database.url, heldUp)
    expect(faults).toContainEqual(expect.stringMatching(/^overspent: /))
    // And `verify` alone would have told.
    expect(faults).toContainEqual(expect.stringMatching(/^seq: /))

    expect((await overspendFaults(racers, credits, database.url, { ...heldUp, without: null })).faults).toEqual([])
  })
})
