import * as z from 'zod'

/* What comes back about selling, as JSON; see `outputs.ts`. */

const count = z.int().nonnegative()
const text = z.string()
const nullableText = text.nullable()
const moment = z.iso.datetime()

export const creditPackage = z.object({
  id: z.int().positive(),
  key: nullableText,
  name: text,
  description: nullableText,
  creditAmount: count,
  price: count,
  currency: text,
  creditType: text,
  isActive: z.boolean(),
  sortOrder: z.int(),
  metadata: z.record(z.string(), z.unknown()).nullable(),
  stripePriceId: nullableText,
  createdAt: moment,
  updatedAt: moment,
})
export const packages = z.array(creditPackage)

export const purchase = z.object({
  id: z.uuid(),
  userId: text,
  origin: z.enum(['checkout', 'topup', 'invoice']),
  packageId: count.nullable(),
  packageName: text,
  quantity: count,
  creditType: text,
  credits: count,
  unitPriceMinor: count,
  currency: text,
  status: z.enum(['pending', 'processing', 'fulfilled', 'refunded', 'expired', 'failed', 'quarantined']),
  provider: text,
  livemode: z.boolean(),
  sessionId: nullableText,
  paymentId: nullableText,
  invoiceId: nullableText,
  paidMinor: count.nullable(),
  reversedMinor: count,
  clawed: count,
  transactionId: nullableText,
  createdAt: moment,
  fulfilledAt: moment.nullable(),
})
export const purchasePage = z.object({ purchases: z.array(purchase), nextCursor: nullableText })

/** By credit type, and under `legacy` all of them in the older shape. */
export const products = z
  .object({
    legacy: z.array(z.object({ id: count, name: text, credits: count, price: count, type: text })),
  })
  .catchall(packages)

export const checkout = z.object({
  success: z.literal(true),
  checkoutUrl: text,
  sessionId: text,
  clientSecret: text.optional(),
  publishableKey: text.optional(),
})

export const checkoutVerification = z.object({
  success: z.boolean(),
  status: z.enum(['fulfilled', 'processing', 'open', 'expired', 'failed', 'refunded']),
  metadata: z.object({ userId: text, packageId: text, creditType: text, creditAmount: text }),
})

export const portal = z.object({ url: text })

export const subscription = z.object({
  id: text,
  status: text,
  items: z.array(z.object({ plan: nullableText, priceId: text, quantity: count, periodEnd: moment })),
  cancelAtPeriodEnd: z.boolean(),
  collectionPaused: z.boolean(),
  endedAt: moment.nullable(),
  trialEndsAt: moment.nullable(),
})
export const subscriptions = z.array(subscription)

export const autoTopup = z.object({
  creditType: text,
  status: text,
  threshold: count,
  packageId: count,
  quantity: count,
  maxPerMonth: count.nullable(),
  maxAmountMinor: count.nullable(),
  thisMonth: z.object({ count, amountMinor: count }),
  isPaying: z.boolean(),
  retryAt: moment.nullable(),
  lastFailure: nullableText,
  recoveryUrl: nullableText,
})

export const quarantineEntry = z.object({
  id: text,
  userId: nullableText,
  purchaseId: nullableText,
  invoiceId: nullableText,
  reason: text,
  details: z.record(text, z.union([text, z.number(), z.boolean(), z.null()])),
  createdAt: moment,
  resolvedAt: moment.nullable(),
  resolvedBy: nullableText,
  resolution: z.enum(['granted', 'dismissed']).nullable(),
})
export const quarantine = z.array(quarantineEntry)

export const reconciliation = z.object({
  checked: z.record(text, count),
  findings: z.array(
    z.object({
      kind: text,
      reference: text,
      userId: nullableText,
      purchaseId: nullableText,
      credits: z.int().nullable(),
      repaired: z.boolean(),
    }),
  ),
  foreign: z.object({ count, examples: z.array(text) }),
  isClean: z.boolean(),
})

export const metrics = z.object({
  from: moment,
  to: moment,
  asOf: moment,
  purchased: count,
  used: count,
  refunded: count,
  breakage: count,
  clawedBack: z.int(),
  transactions: count,
  uses: count,
  refunds: count,
  activeUsers: count,
  outstanding: z.object({ paid: z.int(), promotional: z.int() }),
  packages: z.array(
    z.object({
      packageId: count,
      name: text,
      purchases: count,
      credits: count,
      revenue: z.record(text, count),
    }),
  ),
  averageDailyUsage: z.number(),
  refundRate: z.number(),
})

export const verification = z.object({
  accounts: count,
  violations: z.array(z.record(text, z.unknown())),
})

export const dueReport = z.object({
  accounts: count,
  failed: count,
  topups: count,
  events: z.object({ delivered: count, failed: count }),
  finished: z.boolean(),
})

export const forgotten = z.object({ userId: text, accounts: count, purchases: count })
