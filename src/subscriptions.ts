import * as z from 'zod'
import {
  type CheckoutPages,
  type CheckoutResult,
  checkoutResult,
  pagesInput,
  quantityInput,
  resolvePages,
} from './checkouts.js'
import { newRowId } from './row-id.js'
import type { UserId } from './credit-inputs.js'
import { changeTopup } from './cards.js'
import { withCustomer } from './customers.js'
import { InvalidInputError, SubscriptionNotFoundError } from './errors.js'
import * as inputs from './inputs.js'
import { settleSubscription } from './invoices.js'
import { switchOffTopup } from './ledger/auto-topup.js'
import type { SubscriptionStatus } from './ports/payments.js'
import type { SubscriptionRecord } from './ports/purchase-store.js'
import type { Till } from './till.js'
import { giveUpOpenPayment } from './topups.js'

/**
 * What `subscribe` takes: who pays, for which plan, and how much of it. The credits go to `userId` with each paid
 * invoice.
 */
export interface SubscribeInput extends CheckoutPages {
  userId: UserId
  /** A plan with a `stripePriceId`. */
  plan: string
  /** Which of the plan's prices. Default: its first. */
  stripePriceId?: string | undefined
  /** Seats, say: the plan's credits times so many. 1–1000, default 1. */
  quantity?: number | undefined
  /** Free for so many days, 1–730; the plan's `trialAmount` are the credits meanwhile. */
  trialDays?: number | undefined
  /** Your name for this one intent: a repeat returns the same checkout session. */
  idempotencyKey?: string | undefined
}

export const subscribeInput = z.object({
  userId: inputs.userId,
  plan: inputs.configuredName,
  stripePriceId: inputs.identifier.optional(),
  quantity: quantityInput,
  trialDays: z.number().int().min(1).max(730).optional(),
  idempotencyKey: inputs.idempotencyKey.optional(),
  ...pagesInput,
})

/** A subscription as the provider last told of it. */
export interface UserSubscription {
  id: string
  status: SubscriptionStatus
  /** What it pays for; `plan` null: nothing of ours. */
  items: { plan: string | null; priceId: string; quantity: number; periodEnd: Date }[]
  cancelAtPeriodEnd: boolean
  /** Nothing is collected at present, so nothing is granted. */
  collectionPaused: boolean
  endedAt: Date | null
  trialEndsAt: Date | null
}

/** Open a checkout of a plan. Credits come with each paid invoice. */
export async function subscribe(till: Till, given: SubscribeInput): Promise<CheckoutResult> {
  const input = inputs.parseInput(subscribeInput, given)
  const userId = inputs.canonicalUserId(input.userId, till.store.userIdType)
  const priceId = priceOf(till, input)
  const pages = resolvePages(till, input)
  // Named by the user's own key, so that nothing needs to be written before somebody pays.
  const requestId = input.idempotencyKey === undefined ? newRowId() : `${userId} ${input.idempotencyKey}`
  const { plan, quantity, trialDays = null } = input
  const checkout = await withCustomer(till, userId, (customerId) =>
    till.provider.createSubscribeCheckout({
      requestId,
      userId,
      customerId,
      plan,
      priceId,
      quantity,
      trialDays,
      ...pages,
    }),
  )
  return checkoutResult(till, checkout)
}

function priceOf(
  { plans }: Till,
  { plan: name, stripePriceId }: { plan: string; stripePriceId?: string | undefined },
): string {
  const plan = plans.plan(name)
  const priceId = stripePriceId ?? plan.priceIds[0]
  if (priceId === undefined) {
    throw new InvalidInputError([{ path: 'plan', message: `"${name}" has no stripePriceId, so it can't be paid for` }])
  }
  if (!plan.priceIds.includes(priceId)) {
    throw new InvalidInputError([{ path: 'stripePriceId', message: `does not sell the plan "${name}"` }])
  }
  return priceId
}

/** What `createCardSetup` takes: whose card is saved, and where the page leads back to. Nothing is charged. */
export interface SaveCardInput extends CheckoutPages {
  userId: UserId
  /** Your name for this one intent: a repeat returns the same page. */
  idempotencyKey?: string | undefined
}

export const saveCardInput = z.object({
  userId: inputs.userId,
  idempotencyKey: inputs.idempotencyKey.optional(),
  ...pagesInput,
})

/** Open a page where the user saves a card, for automatic top-ups. */
export async function createCardSetup(till: Till, given: SaveCardInput): Promise<CheckoutResult> {
  const input = inputs.parseInput(saveCardInput, given)
  const userId = inputs.canonicalUserId(input.userId, till.store.userIdType)
  const pages = resolvePages(till, input)
  const requestId = input.idempotencyKey === undefined ? newRowId() : `${userId} ${input.idempotencyKey}`
  const checkout = await withCustomer(till, userId, (customerId) =>
    till.provider.createSaveCardCheckout({ requestId, userId, customerId, ...pages }),
  )
  return checkoutResult(till, checkout)
}

/**
 * Whose portal `createPortalSession` opens, and where it leads back to. The page's address soon ends: make it when they
 * click.
 */
export interface PortalInput {
  userId: UserId
  /**
   * Where the page leads back to, on an allowed origin. Default: the provider's own (`portalReturnUrl` of
   * `stripePayments`).
   */
  returnUrl?: string | undefined
}

export const portalInput = z.object({ userId: inputs.userId, returnUrl: z.string().max(2048).optional() })

/** A page where the user manages subscriptions, cards and invoices. */
export async function createPortalSession(till: Till, given: PortalInput): Promise<{ url: string }> {
  const input = inputs.parseInput(portalInput, given)
  const userId = inputs.canonicalUserId(input.userId, till.store.userIdType)
  const returnUrl = input.returnUrl === undefined ? null : till.provider.resolveReturnUrl(input.returnUrl)
  if (input.returnUrl !== undefined && returnUrl === null) {
    throw new InvalidInputError([{ path: 'returnUrl', message: 'must be on an allowed origin' }])
  }
  return withCustomer(till, userId, (customerId) => till.provider.createPortalSession({ customerId, returnUrl }))
}

/** A user's subscriptions, the youngest first. */
export async function getSubscriptions(till: Till, given: { userId: UserId }): Promise<UserSubscription[]> {
  const { userId } = inputs.parseInput(z.object({ userId: inputs.userId }), given)
  const records = await till.store.listSubscriptions(inputs.canonicalUserId(userId, till.store.userIdType))
  return records.map(toUserSubscription)
}

function toUserSubscription(record: SubscriptionRecord): UserSubscription {
  const { id, status, cancelAtPeriodEnd, collectionPaused, endedAt, trialEndsAt } = record
  const items = record.items.map(({ plan, priceId, quantity, periodEnd }) => {
    return { plan, priceId, quantity, periodEnd: new Date(periodEnd) }
  })
  return { id, status, items, cancelAtPeriodEnd, collectionPaused, endedAt, trialEndsAt }
}

/** Which subscription `cancelSubscription` ends, and when. By default nothing changes until what is paid is over. */
export interface CancelSubscriptionInput {
  /** Must own it. */
  userId: UserId
  /** The provider's id, as `getSubscriptions` shows it: `sub_…`. */
  subscriptionId: string
  /** `period_end` (default): it runs to the end of what is paid. `now`: it ends, and nothing is given back. */
  when?: 'period_end' | 'now' | undefined
}

export const cancelSubscriptionInput = z.object({
  userId: inputs.userId,
  subscriptionId: inputs.identifier,
  when: z.enum(['period_end', 'now']).default('period_end'),
})

/** End a subscription at the provider. Bought credits are never touched by it. */
export async function cancelSubscription(till: Till, given: CancelSubscriptionInput): Promise<UserSubscription> {
  const { userId, subscriptionId, when } = inputs.parseInput(cancelSubscriptionInput, given)
  const owner = inputs.canonicalUserId(userId, till.store.userIdType)
  const known = await till.store.findSubscription(subscriptionId)
  if (known?.userId !== owner) throw new SubscriptionNotFoundError()
  const askedAt = till.clock()
  const subscription = await till.provider.cancelSubscription(subscriptionId, when)
  if (subscription === null) throw new SubscriptionNotFoundError()
  await settleSubscription(till, subscription, askedAt)
  return toUserSubscription((await till.store.findSubscription(subscriptionId)) ?? known)
}

/** End a user's subscriptions at once, and their automatic top-ups. Throws when the provider can't be asked now. */
export async function stopPaying(till: Till, userId: string): Promise<void> {
  for (const topup of await till.store.listTopups(userId)) {
    await changeTopup(till, topup, (current, now) => (current.status === 'off' ? null : switchOffTopup(current, now)))
    await giveUpOpenPayment(till, topup)
  }
  for (const { id, endedAt } of await till.store.listSubscriptions(userId)) {
    if (endedAt !== null) continue
    const askedAt = till.clock()
    const subscription = await till.provider.cancelSubscription(id, 'now')
    if (subscription !== null) await settleSubscription(till, subscription, askedAt)
  }
}
