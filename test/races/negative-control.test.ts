import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { overspendFaults } from './overspend.js'
import { type Racers, startRacers } from './racers.js'

/*
 * Does the race test see anything? The same check, against a store whose statements lost their row locks, on tables
 * without the unique constraints that would catch it after all, must fail.
 */

let database: TestDatabase
let racers: Racers
let credits: CreditService

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  credits = new CreditService({ store: postgresStore(database.url) })
  racers = await startRacers()
})
afterAll(async () => {
  await racers.end()
  await credits.close()
  await database.drop()
})

describe('a store without the lock', () => {
  it('fails the very check that the real one passes, on the same tables', async () => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query(`alter table creditkit.credit_transactions drop constraint credit_transactions_pkey`)
    await client.query(`alter table creditkit.credit_transactions drop constraint credit_transactions_id_key`)
    await client.end()

    const { faults } = await overspendFaults(racers, credits, database.url, { unlocked: true })
    expect(faults).toContainEqual(expect.stringMatching(/^overspent: /))
    // And `verify` alone would have told.
    expect(faults).toContainEqual(expect.stringMatching(/^seq: /))

    expect((await overspendFaults(racers, credits, database.url)).faults).toEqual([])
  })
})
