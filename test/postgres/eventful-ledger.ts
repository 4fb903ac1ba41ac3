import { CreditService } from '../../src/index.js'
import { memoryPayments } from '../../adapters/testing/memory-payments/memory-payments.js'
import type { CreditStore } from '../../src/ports/store.js'
import { Scenario } from '../reports/scenario.js'

/** A store in which everything has happened that leaves rows: no table stays empty. Closes the store. */
export async function fillEventfully(store: CreditStore, steps: number): Promise<void> {
  await new Scenario(store, 20_261_123, '2026-03-01T08:00:00.000Z').play(steps)
  const payments = memoryPayments()
  const stripePriceId = payments.addPrice({ unitPriceMinor: 2_900, every: 'month' })
  const credits = new CreditService({
    creditTypes: ['calling', 'enrichment'],
    ...{ store, payments, cache: null },
    plans: {
      free: { grants: [{ creditType: 'calling', amount: 30, every: 'month' }] },
      pro: { stripePriceId, grants: [{ creditType: 'calling', amount: 300, every: 'month' }] },
    },
    limits: { enrichment: [{ max: 1000, per: 'month' }] },
    on: { deducted: () => Promise.reject(new Error('away')) },
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  })
  payments.registerEndpoint((request) => credits.handleWebhook(request))
  const { marketplace } = credits
  const pack = { name: 'Pack', creditAmount: 200, price: 999, creditType: 'enrichment' } as const
  const { id: packageId } = await marketplace.createPackage(pack)
  const userId = 'eve'
  const use = { userId, description: 'Use' } as const
  await credits.startPlan({ userId, plan: 'free' })
  const { sessionId } = await marketplace.createCheckout({ userId, packageId })
  await payments.complete(sessionId)
  await marketplace.configureAutoTopup({ userId, creditType: 'enrichment', threshold: 150, packageId, maxPerMonth: 3 })
  const subscribing = await marketplace.subscribe({ userId: 'sue', plan: 'pro' })
  const { subscriptionId } = await payments.complete(subscribing.sessionId)
  // Of no plan: what is paid for it is kept for somebody to decide.
  await payments.addItem(subscriptionId ?? '', payments.addPrice({ unitPriceMinor: 500, every: 'month' }))
  await credits.deductCredits({ ...use, creditType: 'enrichment', amount: 90, idempotencyKey: 'use-1' })
  await credits.holdCredits({ ...use, creditType: 'calling', amount: 5, idempotencyKey: 'hold-1' })
  await credits.runDue()
  await store.rollUpUsage({ userId, creditType: 'enrichment' }, 100)
  await credits.close()
}
