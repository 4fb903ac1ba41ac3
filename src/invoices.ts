import { v5 as uuidv5 } from 'uuid'
import { newRowId } from './row-id.js'
import { rememberCustomer } from './customers.js'
import { isCreditError } from './errors.js'
import { canonicalUserId } from './inputs.js'
import type { Posting } from './ledger/posting.js'
import type { Purchase } from './ledger/purchase.js'
import type { PlanGrant, Schedule } from './ledger/schedule.js'
import { netLines } from './ledger/invoice-lines.js'
import { endUnpaid, isPaidFor, lineAmount, type PaidItem, settleLine } from './ledger/subscription.js'
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
  line: InvoiceLine & { subscriptionId: string; itemId: string }
  plan: CheckedPlan
  grant: PlanGrant
}

/**
 * The one way from a paid invoice to credits: webhook, success page, release from quarantine and reconciliation all come
 * here. Each line whose price sells one of our plans is granted once. False: none of it is ours. Paid, and ours, but sold by
 * a price of no plan: a person has to look. `payer`: whose it is, by a person's word.
 */
export async function settleInvoice(till: Till, invoice: Invoice, payer: string | null = null): Promise<boolean> {
  const sold = soldLines(till, invoice)
  if (sold.length === 0 && (await isUnknownPrice(till, invoice))) {
    await quarantineInvoice(till, invoice, 'its price sells no plan')
    return true
  }
  if (sold.length === 0) {
    till.logger.debug({ invoiceId: invoice.invoiceId }, 'ignored an invoice that is not ours')
    return false
  }
  if (invoice.status !== 'paid') return true
  // Whose it was when it was granted, it stays: told again, it must not be granted to somebody else besides.
  const [before] = await till.store.listInvoicePurchases(invoice.invoiceId)
  const userId = before?.userId ?? payer ?? (await payerOf(till, invoice))
  if (userId === null) {
    await quarantineInvoice(till, invoice, 'nobody knows which user pays it')
    return true
  }
  const isUser = await orUnknownUser(grantLines(till, invoice, userId, sold))
  if (!isUser) {
    await quarantineInvoice(till, invoice, 'its user does not exist here')
    return true
  }
  await lookAtSubscription(till, invoice, userId, sold)
  // Money may have gone back before we heard of the invoice.
  const reversals = invoice.paymentId === null ? null : await till.provider.getReversals(invoice.paymentId)
  if (reversals !== null) await settlePaymentReversals(till, reversals)
  return true
}

function soldLines({ plans }: Till, { invoiceId, subscriptionId, lines }: Invoice): SoldLine[] {
  return netLines(lines).flatMap((line) => {
    const plan = plans.byPrice(line.priceId)
    const { itemId, lineId } = line
    if (plan === null || itemId === null || subscriptionId === null) return []
    return plan.grants.map((grant): SoldLine => {
      const name = [invoiceId, lineId, grant.creditType, grant.every].join(' ')
      return { purchaseId: uuidv5(name, INVOICE_NAMESPACE), line: { ...line, subscriptionId, itemId }, plan, grant }
    })
  })
}

/** Money was paid for an item of a subscription that is ours, by its mark or because we know it, and none of its prices is. */
async function isUnknownPrice({ store }: Till, invoice: Invoice): Promise<boolean> {
  const { status, paidMinor, subscriptionId, userId, lines } = invoice
  const isSale = lines.some(({ itemId, amountMinor }) => itemId !== null && amountMinor > 0)
  if (status !== 'paid' || paidMinor === 0 || subscriptionId === null || !isSale) return false
  return userId !== null || (await store.findSubscription(subscriptionId)) !== null
}

/**
 * What a paid invoice should have brought and has not, with its credits as far as they can be told without settling it.
 * Null: none of it is ours.
 */
export async function missingLines(
  till: Till,
  invoice: Invoice,
): Promise<{ credits: number; quarantined: boolean }[] | null> {
  const sold = soldLines(till, invoice)
  if (sold.length === 0 && !(await isUnknownPrice(till, invoice))) return null
  const known = await till.store.listInvoicePurchases(invoice.invoiceId)
  const entry = known.length > 0 ? null : await till.store.findQuarantine(invoiceEntryId(invoice.invoiceId))
  if (entry?.resolution === 'dismissed') return []
  const quarantined = entry?.resolution === null
  if (sold.length === 0) return [{ credits: 0, quarantined }]
  const missing = sold.filter((line) => isSale(line) && !known.some(({ id }) => id === line.purchaseId))
  // How much a part of a period brings depends on what was granted before it.
  return missing.map((line) => ({ credits: line.line.proration ? 0 : amountOf(line), quarantined }))
}

/** Credits of each period that a line pays for. */
function amountOf({ line, grant }: SoldLine): number {
  return lineAmount({ ...line, grant })
}

/** Does a line sell credits? What is taken off a bill sells nothing. */
function isSale(sold: SoldLine): boolean {
  return sold.line.amountMinor >= 0 && amountOf(sold) > 0
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
      const fresh = inOrder.filter(
        (line) => isSale(line) && !known.some(({ purchase }) => purchase.id === line.purchaseId),
      )
      const purchases = fresh.map((line) => sellLine(till, invoice, line, postings))
      const touched = postings.filter((posting) => posting.touched)
      return { result: null, main: null, accounts: touched.map((posting) => posting.finish()), purchases }
    },
    () => null,
  )
}

/** The purchase that a line is, also where it brings nothing: it must bring nothing when it is told of again, too. */
function sellLine(
  { provider }: Till,
  invoice: Invoice,
  { purchaseId, line, plan, grant }: SoldLine,
  postings: readonly Posting[],
): Purchase {
  const posting = postings.find(({ key }) => key.creditType === grant.creditType)
  if (posting === undefined) throw new Error('settleInvoice: the store did not load the account')
  const { quantity, amountMinor } = line
  const credits = settleLine(posting, { ...line, purchaseId, plan: plan.name, grant, upgrade: plan.upgrade })
  const { now, key } = posting
  return {
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
  }
}

/**
 * An invoice may be the first, or the only, news of its subscription, and it may come late: what it began must end where the
 * subscription has ended or gone on with something else. Looked at after the commit, so that whoever hears of the end at the
 * same time sees what was begun, or is seen here.
 */
async function lookAtSubscription(
  till: Till,
  { subscriptionId }: Invoice,
  userId: string,
  sold: readonly SoldLine[],
): Promise<void> {
  if (subscriptionId === null) return
  const known = await till.store.findSubscription(subscriptionId)
  const items = itemsOf(till, known?.items ?? [])
  const isKnown = sold.filter(isSale).every(({ line, grant }) => isPaidFor({ ...line, ...grant }, items))
  if (known !== null && known.endedAt === null && isKnown) return
  const askedAt = till.clock()
  const subscription = await till.provider.getSubscription(subscriptionId)
  if (subscription !== null) await keepPicture(till, subscription, userId, askedAt)
}

/** Keep a picture of a subscription of ours, and end those of its plans that it does not pay for any more. */
export async function settleSubscription(till: Till, subscription: Subscription, askedAt: Date): Promise<void> {
  const { store, plans } = till
  const { subscriptionId, items } = subscription
  const sellsPlan = items.some(({ priceId }) => plans.byPrice(priceId) !== null)
  const ours = sellsPlan || (await store.findSubscription(subscriptionId)) !== null
  const userId = ours ? await payerOf(till, subscription) : null
  if (userId === null) {
    till.logger.debug({ subscriptionId }, 'ignored a subscription that is not ours')
    return
  }
  await keepPicture(till, subscription, userId, askedAt)
}

async function keepPicture(till: Till, subscription: Subscription, userId: string, askedAt: Date): Promise<void> {
  const { store } = till
  const isUser = await orUnknownUser(store.saveSubscription(pictureOf(till, subscription, userId, askedAt)))
  if (isUser) await endPlans(till, userId, subscription)
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

/** What the items pay for. */
function itemsOf({ plans }: Till, items: readonly { itemId: string; priceId: string }[]): PaidItem[] {
  return items.map(({ itemId, priceId }) => ({ itemId, priceId, grants: plans.byPrice(priceId)?.grants ?? [] }))
}

async function endPlans(till: Till, userId: string, { subscriptionId, ...told }: Subscription): Promise<void> {
  const { store, provider } = till
  const isOver = told.endedAt !== null
  const unpaidBy = (schedules: readonly Schedule[], items: Subscription['items']): Schedule[] =>
    schedules.filter((schedule) => isOver || !isPaidFor(schedule, itemsOf(till, items)))
  const schedules = await store.listSchedules(userId)
  const active = schedules.filter((each) => each.subscriptionId === subscriptionId && each.status === 'active')
  const found = unpaidBy(active, told.items)
  if (found.length === 0) return
  // The picture may be older than what was found, and what has ended can't begin again: so it is taken anew. An end is final.
  const fresh = isOver ? told : await provider.getSubscription(subscriptionId)
  if (fresh !== null) await endSchedules(till, userId, unpaidBy(found, fresh.items))
}

async function endSchedules({ store, commands }: Till, userId: string, unpaid: readonly Schedule[]): Promise<void> {
  const creditTypes = [...new Set(unpaid.map(({ creditType }) => creditType))]
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
      for (const posting of postings) endUnpaid(posting, unpaid)
      const touched = postings.filter((posting) => posting.touched)
      return { result: null, main: null, accounts: touched.map((posting) => posting.finish()) }
    },
    () => null,
  )
}
