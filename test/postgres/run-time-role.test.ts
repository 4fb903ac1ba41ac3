import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { memoryPayments } from '../../adapters/testing/memory-payments/memory-payments.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

/* What .github/SECURITY.md says a role needs at run time, and nothing more. */

let database: TestDatabase
let admin: Client
let role: string
let url: string

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  admin = new Client({ connectionString: database.url })
  await admin.connect()
  role = `app_${randomBytes(6).toString('hex')}`
  await admin.query(`create role ${role} login password 'secret'`)
  await admin.query(`grant usage on schema creditkit to ${role}`)
  await admin.query(`grant select, insert, update, delete on all tables in schema creditkit to ${role}`)
  await admin.query(`grant usage on all sequences in schema creditkit to ${role}`)
  url = Object.assign(new URL(database.url), { username: role, password: 'secret' }).href
})

afterAll(async () => {
  await admin.query(`drop owned by ${role}`)
  await admin.query(`drop role ${role}`)
  await admin.end()
  await database.drop()
})

describe('a role that may only read and write rows', () => {
  it('can do everything the service does', () => useEverything('ann', true))

  it('needs no right to change or delete what is in the ledger, but to forget people', async () => {
    await admin.query(`revoke update, delete on creditkit.credit_transactions from ${role}`)
    try {
      await useEverything('cid', false)
      const app = new Client({ connectionString: url })
      await app.connect()
      for (const statement of [
        'update creditkit.credit_transactions set amount = amount + 1',
        'delete from creditkit.credit_transactions',
        'select from creditkit.credit_transactions for update',
      ])
        await expect(app.query(statement)).rejects.toMatchObject({ code: '42501' })
      await app.end()
    } finally {
      await admin.query(`grant update, delete on creditkit.credit_transactions to ${role}`)
    }
  })

  it('can make and change no table', async () => {
    const app = new Client({ connectionString: url })
    await app.connect()
    for (const statement of [
      'create table creditkit.mine (id int)',
      'drop table creditkit.credit_transactions',
      'truncate creditkit.credit_transactions',
      'alter table creditkit.user_credits drop constraint user_credits_pkey',
    ])
      await expect(app.query(statement)).rejects.toMatchObject({ code: '42501' })
    await app.end()
  })
})

/** Everything that leaves rows, for a user of this name; with `forgets`, their friend is forgotten. */
async function useEverything(userId: string, forgets: boolean): Promise<void> {
  const payments = memoryPayments()
  const told: string[] = []
  const credits = new CreditService({
    ...{ creditTypes: ['calling'], store: postgresStore(url), payments },
    plans: { free: { grants: [{ creditType: 'calling', amount: 10, every: 'month' }] } },
    on: { added: ({ kind }) => told.push(kind) },
  })
  payments.registerEndpoint((request) => credits.handleWebhook(request))
  const { id: packageId } = await credits.marketplace.createPackage({ name: 'Pack', creditAmount: 100, price: 999 })
  const { sessionId } = await credits.marketplace.createCheckout({ userId, packageId })
  await payments.complete(sessionId)
  await credits.startPlan({ userId, plan: 'free' })
  const of = { userId, description: 'Work' }
  const uses = await Promise.all([1, 2, 3].map((amount) => credits.deductCredits({ ...of, amount })))
  await credits.refundCredits(uses[0]?.id ?? '')
  const { id: holdId } = await credits.holdCredits({ ...of, amount: 5 })
  await credits.captureHold({ holdId, amount: 2 })
  await credits.transferCredits({ fromUserId: userId, toUserId: `${userId}'s friend`, amount: 4 })
  await credits.adjustCredits({ ...of, amount: -1 })
  await payments.refund({ sessionId, amount: 500 })
  await credits.transaction(({ credits: inside }) => inside.deductCredits({ ...of, amount: 1 }))
  await credits.runDue()
  await credits.getMetrics({ from: new Date(0), to: new Date() })
  await credits.rebuild({ userId })
  if (forgets) await credits.anonymizeUser({ userId: `${userId}'s friend` })
  expect(await credits.getUsageStats(userId)).toMatchObject({ totalUsed: 9, totalRefunded: 1 })
  expect((await credits.verify()).violations).toEqual([])
  expect(told).toContain('added')
  await credits.close()
}
