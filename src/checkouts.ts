import * as z from 'zod'
import { newRowId } from './row-id.js'
import type { UserId } from './credit-inputs.js'
import { withCustomer } from './customers.js'
import {
  CheckoutNotFoundError,
  CheckoutNotPaidError,
  InvalidInputError,
  PackageInactiveError,
  PackageNotFoundError,
} from './errors.js'
import { fulfillCheckout } from './fulfillments.js'
import { canonicalUserId, idempotencyKey, identifier, parseInput, userId } from './inputs.js'
import { settleInvoice } from './invoices.js'
import type { Purchase, PurchaseStatus } from './ledger/purchase.js'
import { packageId } from './packages.js'
import type { CreditPackage } from './ports/package-store.js'
import type { Checkout } from './ports/payments.js'
import { newPurchase } from './purchases.js'
import { findOurPurchase, type Till } from './till.js'

/** Where a buyer goes to pay, and comes back to. */
export interface CheckoutPages {
  /**
   * Where to send the buyer back, on an allowed origin; `{CHECKOUT_SESSION_ID}` in it becomes the session's id.
   * Default: the provider's own.
   */
  successUrl?: string | undefined
  /** The same for buyers who give up. Embedded checkouts have none. */
  cancelUrl?: string | undefined
  /** `page` (default): the provider's own; `embedded`: within yours, by `clientSecret` and `publishableKey`. */
  ui?: 'page' | 'embedded' | undefined
}

/**
 * What `createCheckout` takes. Price and credits are the package's when the checkout is made: nothing of them comes
 * from the caller.
 */
export interface CreateCheckoutInput extends CheckoutPages {
  /** The buyer; gets the credits. */
  userId: UserId
  /** The `id` of an active package. */
  packageId: number
  /** Units of the package, 1–1000. Default 1. */
  quantity?: number | undefined
  /** Keep the card for automatic top-ups; the provider tells the buyer. Default false. */
  saveCard?: boolean | undefined
  /** Your name for this one intent to buy: a repeat returns the same checkout session. */
  idempotencyKey?: string | undefined
}

/**
 * A checkout that was opened, and where to pay: send the buyer to `checkoutUrl`, or show an embedded one by
 * `clientSecret` and `publishableKey`. Nothing is granted yet.
 */
export interface CheckoutResult {
  /** Always true: what goes wrong is thrown. */
  success: true
  /** The provider's page to pay on; empty for embedded checkouts. */
  checkoutUrl: string
  /** The provider's id of the session, for `verifyCheckout` on the page after paying. */
  sessionId: string
  /** What an embedded checkout is shown with; only there for those. */
  clientSecret?: string
  publishableKey?: string
}

/** Where a checkout stands. `processing`: the money is on its way, or a person has to look at the payment. */
export type CheckoutStatus = 'fulfilled' | 'processing' | 'open' | 'expired' | 'failed' | 'refunded'

/**
 * Where a checkout stands, for the page after paying. While `status` is `processing` ask again later, or wait for the
 * webhook.
 */
export interface CheckoutVerification {
  /** The credits are there. False for `refunded`, too. */
  success: boolean
  status: CheckoutStatus
  /**
   * What was sold, as the guide's session metadata: text, for display only. Of a subscription `packageId` is empty, and
   * `creditType` names all types, separated by commas.
   */
  metadata: { userId: string; packageId: string; creditType: string; creditAmount: string }
}

const MAX_QUANTITY = 1000

export const quantityInput = z.number().int().min(1).max(MAX_QUANTITY).default(1)

export const pagesInput = {
  successUrl: z.string().max(2048).optional(),
  cancelUrl: z.string().max(2048).optional(),
  ui: z.enum(['page', 'embedded']).default('page'),
}

export const createCheckoutInput = z.object({
  userId,
  packageId,
  quantity: quantityInput,
  saveCard: z.boolean().default(false),
  idempotencyKey: idempotencyKey.optional(),
  ...pagesInput,
})

const sessionInput = z.object({ sessionId: identifier })
const verifyCheckoutInput = sessionInput.extend({ userId })

/** Open a checkout for a package. The purchase is written before the provider is asked. */
export async function createCheckout(till: Till, given: CreateCheckoutInput): Promise<CheckoutResult> {
  const input = parseInput(createCheckoutInput, given)
  const pages = resolvePages(till, input)
  const pack = await till.store.findPackage(input.packageId)
  if (pack === null) throw new PackageNotFoundError()
  const purchase = await recordPurchase(till, input, pack, pages)
  const checkout = await openSession(till, purchase, pack, { ...pages, saveCard: input.saveCard })
  await attachSession(till, purchase, checkout)
  return checkoutResult(till, checkout)
}

/** Return URLs made absolute, and only on allowed origins. */
export function resolvePages(
  { provider }: Till,
  {
    successUrl,
    cancelUrl,
    ui,
  }: { successUrl?: string | undefined; cancelUrl?: string | undefined; ui: 'page' | 'embedded' },
) {
  if (ui === 'embedded' && provider.publishableKey === null) {
    const message = 'embedded checkouts need the publishable key (STRIPE_PUBLISHABLE_KEY)'
    throw new InvalidInputError([{ path: 'ui', message }])
  }
  const resolve = (path: string, url: string | undefined): string | null => {
    if (url === undefined) return null
    const resolved = provider.resolveReturnUrl(url)
    if (resolved === null) throw new InvalidInputError([{ path, message: 'must be on an allowed origin' }])
    return resolved
  }
  return { successUrl: resolve('successUrl', successUrl), cancelUrl: resolve('cancelUrl', cancelUrl), ui }
}

export function checkoutResult({ provider }: Till, { url, clientSecret, sessionId, state }: Checkout): CheckoutResult {
  if (url === null && clientSecret === null) {
    const message = `was used for a checkout that is ${state} now; use a new key for a new purchase`
    throw new InvalidInputError([{ path: 'idempotencyKey', message }])
  }
  const page: CheckoutResult = { success: true, checkoutUrl: url ?? '', sessionId }
  if (clientSecret === null || provider.publishableKey === null) return page
  return { ...page, clientSecret, publishableKey: provider.publishableKey }
}

/** Write what is being sold, before anybody can pay for it. A repeated key finds the first purchase. */
async function recordPurchase(
  { store, commands, provider }: Till,
  input: z.output<typeof createCheckoutInput>,
  pack: CreditPackage,
  { successUrl, cancelUrl, ui }: ReturnType<typeof resolvePages>,
): Promise<Purchase> {
  const buyer = canonicalUserId(input.userId, store.userIdType)
  const { quantity } = input
  if (!Number.isSafeInteger(pack.creditAmount * quantity))
    throw new InvalidInputError([{ path: 'quantity', message: 'is too large for this package' }])
  const id = newRowId()
  const purchaseId = await commands.run<string>(
    store,
    {
      id,
      userId: buyer,
      key: input.idempotencyKey ?? null,
      request: [
        ['operation', 'checkout'],
        ['packageId', input.packageId],
        ['quantity', quantity],
        ['saveCard', input.saveCard],
        ['successUrl', successUrl],
        ['cancelUrl', cancelUrl],
        ['ui', ui],
      ],
      accounts: [],
      load: { grants: { covering: 0 } },
    },
    (_state, now) => {
      if (!pack.isActive) throw new PackageInactiveError()
      const purchase = newPurchase({ id, userId: buyer, pack, quantity, origin: 'checkout', provider, now })
      return { result: id, main: null, accounts: [], purchases: [purchase], keptResult: { purchaseId: id } }
    },
    ({ keptResult }) => (typeof keptResult?.purchaseId === 'string' ? keptResult.purchaseId : id),
  )
  const purchase = await store.findPurchase({ id: purchaseId })
  if (purchase === null) throw new Error('createCheckout: the purchase that was written is not there')
  return purchase
}

async function openSession(
  till: Till,
  purchase: Purchase,
  pack: CreditPackage,
  options: ReturnType<typeof resolvePages> & { saveCard: boolean },
): Promise<Checkout> {
  const { provider } = till
  const { id, userId: buyer, packageName, quantity, credits, unitPriceMinor, currency, creditType } = purchase
  if (purchase.sessionId !== null) {
    const known = await provider.getCheckout(purchase.sessionId)
    if (known !== null) return known
    const message = 'was used for a checkout that the payment provider does not know any more; use a new key'
    throw new InvalidInputError([{ path: 'idempotencyKey', message }])
  }
  // A repeated key sells what was sold first, also when the package has another price by now.
  const samePrice = pack.price === unitPriceMinor && pack.currency === currency
  return withCustomer(till, buyer, (customerId) =>
    provider.createCheckout({
      purchaseId: id,
      userId: buyer,
      customerId,
      packageId: pack.id,
      creditType,
      creditAmount: credits,
      quantity,
      name: packageName,
      description: pack.description,
      unitPriceMinor,
      currency,
      priceId: samePrice ? pack.stripePriceId : null,
      ...options,
    }),
  )
}

/** Remember which session the purchase is paid through. The webhook may have come first and have done it. */
async function attachSession({ store, commands }: Till, purchase: Purchase, { sessionId }: Checkout): Promise<void> {
  if (purchase.sessionId !== null) return
  await commands.run(
    store,
    {
      id: newRowId(),
      userId: purchase.userId,
      key: null,
      request: [],
      accounts: [],
      purchases: [purchase],
      load: { grants: { covering: 0 } },
    },
    ({ purchases: [locked] }, now) => {
      const attach = locked !== undefined && locked.purchase.sessionId === null
      return {
        result: null,
        main: null,
        accounts: [],
        purchases: attach ? [{ ...locked.purchase, sessionId, updatedAt: now }] : [],
      }
    },
    () => null,
  )
}

/** For the success page: where does the buyer's checkout stand? Fulfils it when it is paid. */
export async function verifyCheckout(
  till: Till,
  given: { userId: UserId; sessionId: string },
): Promise<CheckoutVerification> {
  const { userId: buyer, sessionId } = parseInput(verifyCheckoutInput, given)
  const owner = canonicalUserId(buyer, till.store.userIdType)
  const known = await till.store.findPurchase({ sessionId })
  if (known !== null && known.userId !== owner) throw new CheckoutNotFoundError()
  if (known !== null && isSettled(known)) return verification(known)
  const checkout = await till.provider.getCheckout(sessionId)
  if (checkout?.mode === 'subscription') return verifySubscription(till, owner, checkout)
  const found = known ?? (checkout === null ? null : await findOurPurchase(till.store, checkout))
  if (checkout === null || found === null || found.userId !== owner) throw new CheckoutNotFoundError()
  return verification((await fulfillCheckout(till, checkout)) ?? found)
}

/** A subscription's first invoice is settled as its webhook would. */
async function verifySubscription(till: Till, owner: string, checkout: Checkout): Promise<CheckoutVerification> {
  const { store, provider } = till
  const { customerId, invoiceId, state } = checkout
  const { name, livemode } = provider
  const customer = customerId === null ? null : await store.findCustomer({ provider: name, livemode, customerId })
  if (customer?.userId !== owner) throw new CheckoutNotFoundError()
  const invoice = invoiceId === null ? null : await provider.getInvoice(invoiceId)
  if (invoice !== null) await settleInvoice(till, invoice)
  const status = invoice?.status === 'paid' ? 'fulfilled' : SUBSCRIPTION_STATUS[state]
  const sold = invoiceId === null ? [] : await store.listInvoicePurchases(invoiceId)
  const creditType = sold.map((purchase) => purchase.creditType).join(',')
  const creditAmount = String(sold.reduce((sum, { credits }) => sum + credits, 0))
  return {
    success: status === 'fulfilled',
    status,
    metadata: { userId: owner, packageId: '', creditType, creditAmount },
  }
}

const SUBSCRIPTION_STATUS: Record<Checkout['state'], CheckoutStatus> = {
  open: 'open',
  paid: 'processing',
  free: 'processing',
  unpaid: 'processing',
  expired: 'expired',
}

/** Fulfil a checkout by hand, for an administrator: the same core as the webhook, so it can be repeated. */
export async function fulfillByHand(till: Till, given: { sessionId: string }): Promise<CheckoutVerification> {
  const { sessionId } = parseInput(sessionInput, given)
  const checkout = await till.provider.getCheckout(sessionId)
  const purchase = checkout === null ? null : await fulfillCheckout(till, checkout)
  if (purchase === null) throw new CheckoutNotFoundError()
  if (purchase.status === 'quarantined') {
    throw new CheckoutNotPaidError('Checkout session was paid, but not for what was sold: a person has to look at it')
  }
  const result = verification(purchase)
  if (result.status !== 'fulfilled' && result.status !== 'refunded') {
    throw new CheckoutNotPaidError(`Checkout session has not been paid: it is ${result.status}`)
  }
  return result
}

/** Nothing the provider could tell now would change it, but for refunds, which come by themselves. */
function isSettled({ status }: Purchase): boolean {
  return status === 'fulfilled' || status === 'refunded' || status === 'quarantined'
}

const STATUS: Record<PurchaseStatus, CheckoutStatus> = {
  pending: 'open',
  processing: 'processing',
  quarantined: 'processing',
  fulfilled: 'fulfilled',
  refunded: 'refunded',
  expired: 'expired',
  failed: 'failed',
}

function verification({ status, userId: owner, packageId: pack, creditType, credits }: Purchase): CheckoutVerification {
  return {
    success: status === 'fulfilled',
    status: STATUS[status],
    metadata: { userId: owner, packageId: String(pack), creditType, creditAmount: String(credits) },
  }
}
