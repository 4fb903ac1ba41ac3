import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { memoryPayments } from '../../adapters/testing/memory-payments/memory-payments.js'
import { CreditService, isCreditError } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'

/* Mixed traffic with sweeps and webhooks for as long as SOAK_SECONDS says (default two minutes; half an hour on demand). */

const SECONDS = Number(process.env.SOAK_SECONDS ?? 120)
const CALLERS = 16
const USERS = 500

let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 10 })
  await migrate(pool)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

setFlagsFromString('--expose-gc')
// The flag above makes it.
const collectGarbage = runInNewContext('gc') as () => void

/** What lives, in MB. */
function liveMegabytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed / 2 ** 20
}

function quantile(values: readonly number[], part: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? 0
}

/** Of the second quarter of a run, and of its last. */
function earlyAndLate(values: readonly number[]): [early: number, late: number] {
  const quarter = Math.floor(values.length / 4)
  return [quantile(values.slice(quarter, 2 * quarter), 0.5), quantile(values.slice(-quarter), 0.5)]
}

describe('hours of mixed traffic', () => {
  it('leave the memory as it was, and the books in order', { timeout: (SECONDS + 120) * 1000 }, async () => {
    const payments = memoryPayments()
    const credits = new CreditService({
      ...{ creditTypes: ['calling', 'scraping'], store: postgresStore(pool), payments },
      plans: { free: { grants: [{ creditType: 'scraping', amount: 50, every: 'day' }] } },
      limits: { scraping: [{ max: 1000, per: 'minute' }] },
      lowBalance: { calling: [100] },
      on: { balanceLow: () => undefined, purchaseFulfilled: () => undefined },
      logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    })
    payments.registerEndpoint((request) => credits.handleWebhook(request))
    const pack = { name: 'Pack', creditAmount: 500, price: 999, creditType: 'calling' } as const
    const { id: packageId } = await credits.marketplace.createPackage(pack)
    let calls = 0
    let waits: number[] = []
    const refusals: Record<string, number> = {}
    const pick = (count: number) => Math.floor(Math.random() * count)
    const until = Date.now() + SECONDS * 1000

    const operations = [
      (userId: string) => credits.deductCredits({ ...use(userId), amount: 1 + pick(20) }),
      (userId: string) => credits.deductCredits({ ...use(userId), amount: 1, idempotencyKey: `k${pick(2000)}` }),
      async (userId: string) => {
        const { id: holdId } = await credits.holdCredits({ ...use(userId), amount: 5, expiresInSeconds: 1 + pick(5) })
        await (pick(2) === 0 ? credits.captureHold({ holdId, amount: 3 }) : credits.releaseHold({ holdId }))
      },
      async (userId: string) => {
        const { id } = await credits.deductCredits({ ...use(userId), amount: 3 })
        await credits.refundCredits(id)
      },
      (userId: string) =>
        credits.transferCredits({ fromUserId: userId, toUserId: `u${pick(USERS)}`, amount: 2, creditType: 'calling' }),
      (userId: string) =>
        credits.addCredits({ ...use(userId), amount: 50, expiresAt: new Date(Date.now() + 1000 + pick(20_000)) }),
      (userId: string) => credits.startPlan({ userId, plan: 'free' }),
      (userId: string) => credits.deductCredits({ ...use(userId), creditType: 'scraping', amount: 1 }),
      (userId: string) => credits.getUsageStats(userId, 'calling'),
      (userId: string) => credits.listTransactions({ userId, limit: 50 }),
      (userId: string) => credits.getBalance(userId, 'calling'),
    ] as const
    const use = (userId: string) => ({ userId, creditType: 'calling' as const, description: 'Soak' })

    const caller = async () => {
      while (Date.now() < until) {
        calls += 1
        const askedAt = performance.now()
        try {
          await operations[pick(operations.length)]?.(`u${pick(USERS)}`)
        } catch (error) {
          if (!isCreditError(error)) throw error
          refusals[error.code] = (refusals[error.code] ?? 0) + 1
        }
        waits.push(performance.now() - askedAt)
      }
    }
    const sweeper = async () => {
      while (Date.now() < until) {
        await credits.runDue({ deadlineMs: 1000 })
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    }
    let purchases = 0
    const buyer = async () => {
      while (Date.now() < until) {
        const { sessionId } = await credits.marketplace.createCheckout({ userId: `u${pick(USERS)}`, packageId })
        await payments.complete(sessionId)
        purchases += 1
        if (purchases % 5 === 0) await payments.refund({ sessionId, amount: 300 })
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }
    const samples: number[] = []
    // Of each stretch of time between two samples, how long half of the calls and all but a hundredth took.
    const latencies: { half: number; most: number }[] = []
    const watcher = async () => {
      while (Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, (SECONDS * 1000) / 40))
        samples.push(liveMegabytes())
        latencies.push({ half: quantile(waits, 0.5), most: quantile(waits, 0.99) })
        waits = []
      }
    }
    await Promise.all([...Array.from({ length: CALLERS }, caller), sweeper(), buyer(), watcher()])

    const [early, late] = earlyAndLate(samples)
    const halves = earlyAndLate(latencies.map(({ half }) => half))
    const mosts = earlyAndLate(latencies.map(({ most }) => most))
    const then = ([before, after]: [number, number], unit: string) =>
      `${before.toFixed(1)} ${unit}, then ${after.toFixed(1)} ${unit}`
    console.log(
      `soak: ${calls} calls, ${purchases} purchases in ${SECONDS} s; live memory ${then([early, late], 'MB')}; ` +
        `a call takes ${then(halves, 'ms')}; the slowest hundredth ${then(mosts, 'ms')}`,
      refusals,
    )
    expect(calls).toBeGreaterThan(SECONDS * 50)
    expect(purchases).toBeGreaterThan(SECONDS / 2)
    for (const code of ['UNAVAILABLE', 'OUTCOME_UNKNOWN']) expect(refusals).not.toHaveProperty(code)
    // The payments in memory keep what happened: some kilobytes for each purchase.
    expect(late).toBeLessThan(early * 1.25 + purchases * 0.02)
    expect((await credits.verify()).violations).toEqual([])
    await credits.close()
  })
})
