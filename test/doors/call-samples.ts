import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { stripePayments } from 'creditkit/adapters/stripe'
import { fakeStripe, type FakeStripe } from 'creditkit/testing'
import type { ProcedureName } from '../../src/api/routes.js'

export const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** A shop with something of everything, that belongs to `buyer-1`. */
export interface Shop {
  credits: CreditService
  stripe: FakeStripe
  /** An input of each procedure that its owner, or an administrator, can send. */
  samples: Record<ProcedureName, Record<string, unknown>>
  close(): Promise<void>
}

export const BUYER = { userId: 'buyer-1', isAdmin: false }
export const OTHER = { userId: 'other-1', isAdmin: false }
export const ADMIN = { userId: 'admin-1', isAdmin: true }

export async function openShop(): Promise<Shop> {
  const stripe = await fakeStripe({ delivery: 'hold', stripeConfig: { maxNetworkRetries: 0 } })
  const recurring = { interval: 'month' } as const
  const product = await stripe.stripe.products.create({ name: 'Pro' })
  const price = await stripe.stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 2000,
    recurring,
  })
  const payments = stripePayments({
    stripe: stripe.stripe,
    webhookSecret: stripe.webhookSecret,
    appUrl: 'https://myapp.com',
  })
  const credits = new CreditService({
    store: memoryStore(),
    payments,
    logger: quiet,
    operations: { enrichLead: { creditType: 'enrichment', cost: 1 } },
    plans: {
      free: { grants: [{ creditType: 'calling', amount: 10, every: 'month' }] },
      better: { grants: [{ creditType: 'calling', amount: 20, every: 'month' }] },
      pro: { stripePriceId: price.id, grants: [{ creditType: 'scraping', amount: 50, every: 'month' }] },
    },
  })
  const samples = await samplesOf(credits, stripe)
  return {
    credits,
    stripe,
    samples,
    close: async () => {
      await credits.close()
      await stripe.close()
    },
  }
}

const creditType = 'enrichment'

async function samplesOf(credits: CreditService, stripe: FakeStripe): Promise<Shop['samples']> {
  const { userId } = BUYER
  const pack = { name: 'Starter Pack', creditAmount: 100, price: 999, creditType } as const
  const { id: packageId } = await credits.marketplace.createPackage(pack)
  const { sessionId } = await credits.marketplace.createCheckout({ userId, packageId })
  await stripe.complete(sessionId)
  await credits.marketplace.verifyCheckout({ userId, sessionId })
  const [purchase] = (await credits.marketplace.getPurchases({ userId })).purchases
  const subscribed = await credits.marketplace.subscribe({ userId, plan: 'pro' })
  await stripe.complete(subscribed.sessionId)
  await credits.marketplace.verifyCheckout({ userId, sessionId: subscribed.sessionId })
  const [subscription] = await credits.marketplace.getSubscriptions({ userId })
  const use = await credits.deductCredits({ userId, amount: 5, creditType, description: 'Enriched 5 leads' })
  const grant = await credits.addCredits({ userId, amount: 5, creditType, description: 'Gift' })
  await credits.startPlan({ userId, plan: 'free' })
  const holds = await Promise.all(
    [1, 2, 3].map(() => credits.holdCredits({ userId, amount: 1, creditType, description: 'Work' })),
  )
  const [captured = '', extended = '', released = ''] = holds.map(({ id }) => id)
  const range = { from: new Date(Date.now() - 86_400_000), to: new Date(Date.now() + 60_000) }
  const transactionId = { transactionId: use.id }
  const write = { userId, amount: 1, creditType, description: 'By hand' }
  return {
    getBalances: {},
    getBalance: { creditType },
    checkBalance: { creditType, required: 5 },
    getTransactionHistory: { limit: 10 },
    listTransactions: { creditType, limit: 2 },
    getTransaction: transactionId,
    explain: transactionId,
    getUsageStats: { creditType },
    getGrants: {},
    getHolds: {},
    getPlan: {},
    quote: { operation: 'enrichLead' },
    getPackages: { includeInactive: true },
    getProducts: {},
    createCheckout: { packageId },
    purchaseCredits: { packageId },
    verifyCheckout: { sessionId },
    getPurchases: {},
    getPurchase: { purchaseId: purchase?.id },
    subscribe: { plan: 'pro' },
    getSubscriptions: {},
    cancelSubscription: { subscriptionId: subscription?.id },
    createPortalSession: {},
    createCardSetup: {},
    getAutoTopup: { creditType },
    configureAutoTopup: { creditType, threshold: 5, packageId },
    findUsers: { search: 'buyer' },
    getUserBalances: { userId },
    listUserTransactions: { userId },
    getUserUsageStats: { userId, creditType },
    getUserGrants: { userId },
    getUserHolds: { userId },
    getUserPlan: { userId },
    getUserPurchases: { userId },
    getUserSubscriptions: { userId },
    getUserAutoTopup: { userId, creditType },
    addCredits: write,
    deductCredits: write,
    adjustCredits: write,
    refundCredits: { ...transactionId, reason: 'It failed', amount: 1 },
    transferCredits: { fromUserId: userId, toUserId: 'friend', amount: 1, creditType, description: 'Gift' },
    voidGrant: { grantId: grant.id, reason: 'By mistake' },
    holdCredits: write,
    captureHold: { holdId: captured },
    extendHold: { holdId: extended, expiresInSeconds: 3600 },
    releaseHold: { holdId: released },
    spend: { userId, operation: 'enrichLead' },
    startPlan: { userId, plan: 'free' },
    changePlan: { userId, plan: 'better' },
    endPlan: { userId },
    createPackage: pack,
    updatePackage: { id: packageId, sortOrder: 2 },
    fulfillCheckoutSession: { sessionId },
    listQuarantine: {},
    // There is none: an administrator learns so, and nobody else learns anything.
    releaseQuarantine: { quarantineId: use.id, action: 'dismiss', reason: 'Given back by hand' },
    reconcile: range,
    getMetrics: range,
    verify: {},
    rebuild: { userId, creditType, reason: 'After a repair' },
    runDue: {},
    anonymizeUser: { userId: 'nobody-yet', confirm: 'nobody-yet' },
  }
}
