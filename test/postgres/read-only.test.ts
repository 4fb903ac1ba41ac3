import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

describe('a second service on a server that only reads, as a replica does', () => {
  let database: TestDatabase
  let primary: CreditService<'calls'>
  let replica: CreditService<'calls'>

  beforeAll(async () => {
    database = await createTestDatabase()
    await migrate(database.url)
    const creditTypes = ['calls'] as const
    primary = new CreditService({ creditTypes, store: postgresStore(database.url) })
    const url = `${database.url}?options=${encodeURIComponent('-c default_transaction_read_only=on')}`
    replica = new CreditService({ creditTypes, store: postgresStore(url), cache: null })
    const account = { userId: 'ann', creditType: 'calls' as const }
    await primary.addCredits({ ...account, amount: 10, description: 'Gift' })
    await primary.deductCredits({ ...account, amount: 3, description: 'Call' })
    await primary.holdCredits({ ...account, amount: 2, description: 'Long call' })
  })
  afterAll(async () => {
    await Promise.all([primary.close(), replica.close()])
    await database.drop()
  })

  it('answers all that is only read as the first one does', async () => {
    const read = async (credits: CreditService<'calls'>) => ({
      balance: await credits.getBalance('ann', 'calls'),
      all: await credits.getAllBalances('ann'),
      check: await credits.checkBalance('ann', 'calls', 5),
      history: await credits.getTransactionHistory('ann'),
      grants: await credits.getGrants('ann', 'calls'),
      usage: (await credits.getUsageStats('ann', 'calls')).totalUsed,
      verified: await credits.verify(),
    })
    const answers = await read(replica)
    expect(answers).toEqual(await read(primary))
    expect(answers).toMatchObject({ balance: 5, usage: 3, verified: { accounts: 1, violations: [] } })
  })

  it('changes nothing, and says that it can not', async () => {
    const spend = replica.deductCredits({ userId: 'ann', amount: 1, creditType: 'calls', description: 'Call' })
    await expect(spend).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await primary.getAllBalances('ann')).toEqual(await replica.getAllBalances('ann'))
  })
})
