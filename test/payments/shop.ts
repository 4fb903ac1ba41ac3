import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { randomUUID } from 'node:crypto'
import { CreditService, type CreditServiceOptions } from 'creditkit'
import { migrate, postgresStore } from 'creditkit/adapters/postgres'
import { webhookHandler } from 'creditkit/adapters/node'
import { stripePayments } from 'creditkit/adapters/stripe'
import { type FakeStripe, fakeStripe } from 'creditkit/testing'
import { Pool } from 'pg'
import { expect } from 'vitest'
import { createTestDatabase } from '../support/postgres.js'

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** A service on real PostgreSQL that sells through the local Stripe and hears of it by HTTP. */
export interface Shop {
  credits: CreditService
  stripe: FakeStripe
  pool: Pool
  /** Where the webhook is served. */
  webhookUrl: string
  /** A package of 100 enrichment credits for 9.99 usd. */
  packageId: number
  /** A buyer nobody else knows. */
  newBuyer(): string
  /** Open a checkout of the package (or another) and return its session's id. */
  checkout(userId: string, input?: { packageId?: number; quantity?: number }): Promise<string>
  /** Open a checkout and pay it. */
  buy(userId: string, input?: { packageId?: number; quantity?: number }): Promise<string>
  /** The user's transactions, oldest first, as `type amount`. */
  ledger(userId: string): Promise<string[]>
  close(): Promise<void>
}

export async function openShop(options: Partial<CreditServiceOptions> = {}): Promise<Shop> {
  const database = await createTestDatabase()
  await migrate(database.url)
  const pool = new Pool({ connectionString: database.url, max: 10 })
  const stripe = await fakeStripe({ stripeConfig: { maxNetworkRetries: 0 } })
  const payments = stripePayments({
    stripe: stripe.stripe,
    webhookSecret: stripe.webhookSecret,
    appUrl: 'https://shop.example',
  })
  const credits = new CreditService({ store: postgresStore(pool), payments, logger: quiet, ...options })
  const server = createServer(webhookHandler(credits))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const webhookUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/stripe`
  stripe.webhookUrl = webhookUrl
  const pack = await credits.marketplace.createPackage({
    name: 'Starter',
    creditAmount: 100,
    price: 999,
    creditType: 'enrichment',
  })

  const checkout: Shop['checkout'] = async (userId, input = {}) => {
    const { sessionId } = await credits.marketplace.createCheckout({ userId, packageId: pack.id, ...input })
    return sessionId
  }
  return {
    credits,
    stripe,
    pool,
    webhookUrl,
    packageId: pack.id,
    newBuyer: () => `buyer-${randomUUID()}`,
    checkout,
    buy: async (userId, input) => {
      const sessionId = await checkout(userId, input)
      await stripe.complete(sessionId)
      return sessionId
    },
    ledger: async (userId) => {
      const rows = await credits.getTransactionHistory(userId, 'enrichment', 200)
      return rows.reverse().map(({ transactionType, amount }) => `${transactionType} ${amount}`)
    },
    close: async () => {
      // After every scenario of a file, the whole ledger must still add up.
      expect((await credits.verify()).violations).toEqual([])
      await stripe.close()
      await new Promise((resolve) => server.close(resolve))
      await credits.close()
      await pool.end()
      await database.drop()
    },
  }
}
