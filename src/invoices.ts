import { v5 as uuidv5 } from 'uuid'
import { newRowId } from './row-id.js'
import { rememberCustomer } from './customers.js'
import { isCreditError } from './errors.js'
import { canonicalUserId } from './inputs.js'
import type { Posting } from './ledger/posting.js'
import type { Purchase } from './ledger/purchase.js'
import type { PlanGrant } from './ledger/schedule.js'
import { endSubscription, settleLine } from './ledger/subscription.js'
import type { CheckedPlan } from './plans.js'
import type { Invoice, InvoiceLine, Subscription } from './ports/payments.js'
import type { SubscriptionRecord } from './ports/purchase-store.js'
import { invoiceEntryId, quarantineInvoice } from './quarantine-entries.js'
import { settlePaymentReversals } from './reversals.js'
import type { Till } from './till.js'

/** Names purchases of invoices, so that all who hear of one line give it the same id. */
const INVOICE_NAMESPACE = '6f2b5c1e-9f0e-5d53-8a43-2f6f0c6e7a11'

/** One grant of the plan that one line of an invoice pays for. */
interface SoldLine {
  purchaseId: string
  line: InvoiceLine & { itemId: string }
  plan: CheckedPlan
  grant: PlanGrant
}

/**
 * The one way from a paid invoice to credits: webhook, success page, release from quarantine and reconciliation all come
 * here. Each line whose price sells one of our plans is granted once. False: none of it is ours.
 */
export async function settleInvoice(till: Till, invoice: Invoice): Promise<boolean> {
  const sold = soldLines(till, invoice)
  if (sold.length === 0) {
    till.logger.debug({ invoiceId: invoice.invoiceId }, 'ignored an invoice that is not ours')
    return false
  }
  if (invoice.status !== 'paid') return true
  const userId = await payerOf(till, invoice)
  if (userId === null) {
    await quarantineInvoice(till, invoice, 'nobody knows which user pays it')
    return true
  }
  const isUser = await orUnknownUser(grantLines(till, invoice, userId, sold))
  if (!isUser) {
    await quarantineInvoice(till, invoice, 'its user does not exist here')
    return true
  }
  await pictureFirst(till, invoice)
  // Money may have gone back before we heard of the invoice.
  const reversals = invoice.paymentId === null ? null : await till.provider.getReversals(invoice.paymentId)
  if (reversals !== null) await settlePaymentReversals(till, reversals)
  return true
}

function soldLines({ plans }: Till, { invoiceId, lines }: Invoice): SoldLine[] {
  return lines.flatMap((line) => {
    const plan = plans.byPrice(line.priceId)
    const { itemId } = line
    if (plan === null || itemId === null) return []
    return plan.grants.map((grant): SoldLine => {
      const name = [
        invoiceId,
        itemId,
        line.from.toISOString(),
        line.proration,
        line.amountMinor < 0,
        grant.creditType,
        grant.every,
      ]
      return { purchaseId: uuidv5(name.join(' '), INVOICE_NAMESPACE), line: { ...line, itemId }, plan, grant }
    })
  })
}

/** Credits that a paid invoice should have brought and has not. Null: none of it is ours. */
export async function missingLines(
  till: Till,
  invoice: Invoice,
): Promise<{ credits: number; quarantined: boolean }[] | null> {
  const sold = soldLines(till, invoice)
  if (sold.length === 0) return null
  const known = await till.store.listInvoicePurchases(invoice.invoiceId)
  const entry = known.length > 0 ? null : await till.store.findQuarantine(invoiceEntryId(invoice.invoiceId))
  if (entry?.resolution === 'dismissed') return []
  return sold.flatMap(({ purchaseId, line, grant }) => {
    // How much a part of a period brings depends on what was granted before it.
    if (line.proration || known.some(({ id }) => id === purchaseId)) return []
    const credits = (line.trial ? grant.trialAmount : grant.amount) * line.quantity
    return credits === 0 ? [] : [{ credits, quarantined: entry?.resolution === null }]
  })
}

/**
 * Whose invoice or subscription is it? A subscription stays whose it was when we first heard of it: its metadata may still
 * name a user who has been forgotten since. Null: nobody can tell.
 */
async function payerOf(
  { store, provider }: Till,
  { subscriptionId, userId, customerId }: Pick<Invoice, 'subscriptionId' | 'userId' | 'customerId'>,
): Promise<string | null> {
  const known = subscriptionId === null ? null : await store.findSubscription(subscriptionId)
  if (known !== null) return known.userId
  if (userId !== null) return canonicalOrNull(userId, store.userIdType)
  if (customerId === null) return null
  const customer = await store.findCustomer({ provider: provider.name, livemode: provider.livemode, customerId })
  return customer?.userId ?? null
}

/** False: the host has no such user (any more), and nothing was written. */
async function orUnknownUser(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (isCreditError(error, 'INVALID_INPUT')) return false
    throw error
  }
}

function canonicalOrNull(userId: string, type: Parameters<typeof canonicalUserId>[1]): string | null {
  try {
    return canonicalUserId(userId, type)
  } catch (error) {
    if (isCreditError(error, 'INVALID_INPUT')) return null
    throw error
  }
}

async function grantLines(till: Till, invoice: Invoice, userId: string, sold: readonly SoldLine[]): Promise<void> {
  const { store, commands } = till
  if (invoice.customerId !== null) await rememberCustomer(till, { userId, customerId: invoice.customerId })
  const creditTypes = [...new Set(sold.map(({ grant }) => grant.creditType))]
  // Whole periods first: a part of one is measured by them.
  const inOrder = [...sold].sort((a, b) => Number(a.line.proration) - Number(b.line.proration))
  await commands.run<null>(
    store,
    {
      id: newRowId(),
      userId,
      key: null,
      request: [],
      accounts: creditTypes.map((creditType) => ({ userId, creditType })),
      purchases: sold.map(({ purchaseId }) => ({ userId, id: purchaseId })),
      load: { grants: 'open', schedules: true },
    },
    ({ accounts, purchases: known }, now) => {
      const postings = accounts.map((account) => commands.posting(account, now))
      const fresh = inOrder.filter(({ purchaseId }) => !known.some(({ purchase }) => purchase.id === purchaseId))
      const purchases = fresh.flatMap((line) => sellLine(till, invoice, line, postings))
      const touched = postings.filter((posting) => posting.touched)
      return { result: null, main: null, accounts: touched.map((posting) => posting.finish()), purchases }
    },
    () => null,
  )
}

function sellLine(
  { provider }: Till,
  invoice: Invoice,
  { purchaseId, line, plan, grant }: SoldLine,
  postings: readonly Posting[],
): Purchase[] {
  const posting = postings.find(({ key }) => key.creditType === grant.creditType)
  if (posting === undefined) throw new Error('settleInvoice: the store did not load the account')
  const { itemId, quantity, proration, trial, from, until, amountMinor } = line
  // What is taken off a bill sells nothing.
  if (amountMinor < 0) return []
  const paid = { purchaseId, plan: plan.name, grant, itemId, quantity, proration, trial, from, until }
  const credits = settleLine(posting, { ...paid, upgrade: plan.upgrade })
  if (credits === 0) return []
  const { now, key } = posting
  return [
    {
      ...key,
      id: purchaseId,
      origin: 'invoice',
      packageId: null,
      packageName: plan.name,
      quantity,
      credits,
      unitPriceMinor: Math.round(amountMinor / Math.max(1, quantity)),
      currency: invoice.currency,
      status: 'fulfilled',
      provider: provider.name,
      livemode: invoice.livemode,
      sessionId: null,
      paymentId: invoice.paymentId,
      chargeId: null,
      invoiceId: invoice.invoiceId,
      paidMinor: invoice.paidMinor,
      clawed: 0,
      withheld: 0,
      absorbed: 0,
      createdAt: now,
      updatedAt: now,
      fulfilledAt: now,
    },
  ]
}

/** An invoice may be the first, or the only, news of its subscription. */
async function pictureFirst(till: Till, { subscriptionId }: Invoice): Promise<void> {
  if (subscriptionId === null || (await till.store.findSubscription(subscriptionId)) !== null) return
  const askedAt = till.clock()
  const subscription = await till.provider.getSubscription(subscriptionId)
  if (subscription !== null) await settleSubscription(till, subscription, askedAt)
}

/** Keep a picture of a subscription of ours, and end its plans when it has ended. */
export async function settleSubscription(till: Till, subscription: Subscription, askedAt: Date): Promise<void> {
  const { store, plans } = till
  const ours = subscription.items.some(({ priceId }) => plans.byPrice(priceId) !== null)
  const userId = ours ? await payerOf(till, subscription) : null
  if (userId === null) {
    till.logger.debug({ subscriptionId: subscription.subscriptionId }, 'ignored a subscription that is not ours')
    return
  }
  const isUser = await orUnknownUser(store.saveSubscription(pictureOf(till, subscription, userId, askedAt)))
  if (!isUser) return
  if (subscription.endedAt !== null) {
    await endPlans(
      till,
      userId,
      subscription.items.map(({ itemId }) => itemId),
    )
  }
}

function pictureOf(
  { provider, plans }: Till,
  subscription: Subscription,
  userId: string,
  askedAt: Date,
): SubscriptionRecord {
  const {
    subscriptionId: id,
    customerId,
    status,
    cancelAtPeriodEnd,
    collectionPaused,
    endedAt,
    trialEndsAt,
  } = subscription
  return {
    id,
    userId,
    provider: provider.name,
    livemode: subscription.livemode,
    customerId,
    status,
    items: subscription.items.map(({ itemId, priceId, quantity, periodEnd }) => {
      const plan = plans.byPrice(priceId)?.name ?? null
      return { itemId, priceId, plan, quantity, periodEnd: periodEnd.toISOString() }
    }),
    cancelAtPeriodEnd,
    collectionPaused,
    endedAt,
    trialEndsAt,
    createdAt: askedAt,
    updatedAt: askedAt,
  }
}

async function endPlans({ store, commands }: Till, userId: string, itemIds: readonly string[]): Promise<void> {
  const schedules = await store.listSchedules(userId)
  const paidFor = schedules.filter(({ subscriptionId }) => subscriptionId !== null && itemIds.includes(subscriptionId))
  const creditTypes = [...new Set(paidFor.map(({ creditType }) => creditType))]
  if (creditTypes.length === 0) return
  await commands.run<null>(
    store,
    {
      id: newRowId(),
      userId,
      key: null,
      request: [],
      accounts: creditTypes.map((creditType) => ({ userId, creditType })),
      load: { grants: 'open', schedules: true },
    },
    ({ accounts }, now) => {
      const postings = accounts.map((account) => commands.posting(account, now))
      for (const posting of postings) endSubscription(posting, itemIds)
      const touched = postings.filter((posting) => posting.touched)
      return { result: null, main: null, accounts: touched.map((posting) => posting.finish()) }
    },
    () => null,
  )
}
