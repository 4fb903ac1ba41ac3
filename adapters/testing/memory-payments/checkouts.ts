import { IdempotencyConflictError, InvalidInputError } from '../../../src/errors.js'
import type {
  Checkout,
  CheckoutRequest,
  CustomerGone,
  SaveCardRequest,
  SubscribeRequest,
} from '../../../src/ports/payments.js'
import type { Books, PriceRow, SessionRow } from './books.js'
import { resolveReturnUrl, type MemorySettings } from './settings.js'

const SESSION_DAYS = 1

type AnyRequest = SaveCardRequest & { quantity?: number }

/** What of a session does not depend on who asked for it. */
interface Sold {
  mode: Checkout['mode']
  purchaseId: string | null
  currency: string
  unitPriceMinor: number
  priceId: string | null
  trialDays: number | null
  saveCard: boolean
}

export function openCheckout(
  books: Books,
  settings: MemorySettings,
  request: CheckoutRequest,
  livemode: boolean,
): Checkout | CustomerGone {
  const { purchaseId, priceId, currency, unitPriceMinor, saveCard } = request
  const price = priceId === null ? { currency, unitPriceMinor } : sellable(books, priceId, false)
  const sold = { mode: 'payment' as const, purchaseId, priceId: null, trialDays: null, saveCard }
  const asked = { ...request, requestId: purchaseId }
  return open(books, settings, asked, { ...sold, ...pick(price) }, livemode)
}

export function openSubscribeCheckout(
  books: Books,
  settings: MemorySettings,
  request: SubscribeRequest,
  livemode: boolean,
): Checkout | CustomerGone {
  const { priceId, trialDays } = request
  const price = pick(sellable(books, priceId, true))
  const sold = { mode: 'subscription' as const, purchaseId: null, priceId, trialDays, saveCard: true }
  return open(books, settings, request, { ...sold, ...price }, livemode)
}

export function openSaveCardCheckout(
  books: Books,
  settings: MemorySettings,
  request: SaveCardRequest,
  livemode: boolean,
): Checkout | CustomerGone {
  const sold = { mode: 'setup' as const, purchaseId: null, currency: 'usd', unitPriceMinor: 0 }
  return open(books, settings, request, { ...sold, priceId: null, trialDays: null, saveCard: true }, livemode)
}

/** One session for one name. A customer that replaces another asks for something else under the same name. */
function open(
  books: Books,
  settings: MemorySettings,
  request: AnyRequest,
  sold: Sold,
  livemode: boolean,
): Checkout | CustomerGone {
  const { customerId, userId, requestId, quantity = 1, ui, successUrl, cancelUrl } = request
  if (books.customer(customerId, livemode) === null) return 'customer_gone'
  if (successUrl !== null) allowed('successUrl', successUrl, settings)
  if (cancelUrl !== null) allowed('cancelUrl', cancelUrl, settings)
  const name = `${sold.mode} ${customerId} ${requestId}`
  const before = books.named.get(name)
  if (before !== undefined) {
    if (before.request !== JSON.stringify(request)) throw new IdempotencyConflictError('checkout')
    const session = books.sessions.get(before.id)
    if (session === undefined) throw new Error('memoryPayments: a session that was named is not there')
    return session.checkout
  }
  const { mode, purchaseId, currency, unitPriceMinor, priceId, trialDays, saveCard } = sold
  const sessionId = books.newId('session')
  const subtotalMinor = trialDays === null ? unitPriceMinor * quantity : 0
  const checkout: Checkout = {
    sessionId,
    url: ui === 'page' ? `https://memory-payments.example/pay/${sessionId}` : null,
    clientSecret: ui === 'embedded' ? `${sessionId}_secret` : null,
    purchaseId,
    state: 'open',
    mode,
    currency,
    subtotalMinor,
    totalMinor: subtotalMinor,
    paymentId: null,
    customerId,
    subscriptionId: null,
    invoiceId: null,
    savesCard: mode === 'setup' || (mode === 'payment' && saveCard),
    livemode,
  }
  const times = { createdAt: books.now(), expiresAt: books.inDays(SESSION_DAYS) }
  const row: SessionRow = { checkout, ...times, userId, unitPriceMinor, quantity, priceId, trialDays, saveCard }
  books.sessions.set(sessionId, row)
  books.named.set(name, { request: JSON.stringify(request), id: sessionId })
  return checkout
}

function sellable(books: Books, priceId: string, recurring: boolean): PriceRow {
  const price = books.prices.get(priceId)
  if (price?.isForSale === true && (price.every !== null) === recurring) return price
  const message = `is no price of the payment provider that is for sale ${recurring ? 'again and again' : 'once'}`
  throw new InvalidInputError([{ path: 'priceId', message }])
}

function pick({ currency, unitPriceMinor }: { currency: string; unitPriceMinor: number }) {
  return { currency, unitPriceMinor }
}

function allowed(path: string, url: string, settings: MemorySettings): void {
  if (resolveReturnUrl(url, settings) === null) {
    throw new InvalidInputError([{ path, message: 'must lead to an allowed origin' }])
  }
}
