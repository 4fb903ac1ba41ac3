import { randomUUID } from 'node:crypto'
import { CreditService } from 'creditkit'
import { stripePayments } from 'creditkit/adapters/stripe'
import { fakeStripe } from 'creditkit/testing'
import type { CreditStore } from '../../src/ports/store.js'
import { quiet } from '../doors/call-samples.js'

/** A service with something of everything, all of it one user's. */
export type Scene = Awaited<ReturnType<typeof openScene>>

export async function openScene(store: CreditStore) {
  const stripe = await fakeStripe({ delivery: 'hold', stripeConfig: { maxNetworkRetries: 0 } })
  const product = await stripe.stripe.products.create({ name: 'Pro' })
  const price = await stripe.stripe.prices.create({
    ...{ product: product.id, currency: 'usd', unit_amount: 2000, recurring: { interval: 'month' } },
  })
  const { webhookSecret } = stripe
  const payments = stripePayments({ stripe: stripe.stripe, webhookSecret, appUrl: 'https://myapp.com' })
  const credits = new CreditService({
    ...{ store, payments, cache: null, logger: quiet },
    operations: { enrichLead: { creditType: 'enrichment', cost: 1 } },
    plans: {
      free: { grants: [{ creditType: 'calling', amount: 10, every: 'month' }] },
      pro: { stripePriceId: price.id, grants: [{ creditType: 'scraping', amount: 50, every: 'month' }] },
    },
  })
  const { marketplace } = credits
  const userId = `user-${randomUUID()}`
  const pack = { name: 'Starter Pack', creditAmount: 100, price: 999, creditType: 'enrichment' } as const
  const { id: packageId } = await marketplace.createPackage(pack)
  const { sessionId } = await marketplace.createCheckout({ userId, packageId })
  await stripe.complete(sessionId)
  await marketplace.verifyCheckout({ userId, sessionId })
  const [purchase] = (await marketplace.getPurchases({ userId })).purchases
  const about = { userId, creditType: 'enrichment', description: 'Work' } as const
  const use = await credits.deductCredits({ ...about, amount: 5 })
  const grant = await credits.addCredits({ ...about, amount: 5 })
  const { id: holdId } = await credits.holdCredits({ ...about, amount: 1 })
  const ids = { transactionId: use.id, grantId: grant.id, holdId, purchaseId: purchase?.id ?? '' }
  const close = () => stripe.close()
  return { ...{ credits, userId, packageId, sessionId, pack, close }, ...ids }
}
