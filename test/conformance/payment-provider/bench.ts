import { v7 as uuidv7 } from 'uuid'
import { isCreditError } from '../../../src/errors.js'
import type {
  Checkout,
  CheckoutRequest,
  CustomerGone,
  OffSessionRequest,
  Payment,
  PaymentEvent,
  PaymentProvider,
  SaveCardRequest,
  SubscribeRequest,
} from '../../../src/ports/payments.js'
import type { OpenedPayments, PaymentActs, SignedWebhook } from './acts.js'

/** What every test of the contract works with: the provider under test, and the service behind it. */
export interface Bench extends Omit<OpenedPayments, 'close'> {
  /** A user nobody has heard of, and their customer. */
  newBuyer: () => Promise<Buyer>
  /** What the webhooks that came of `work` mean, oldest first; those that mean nothing are left out. */
  eventsOf: (work: () => Promise<unknown>) => Promise<PaymentEvent[]>
}

export interface Buyer {
  userId: string
  customerId: string
}

export const SECOND = 1000
export const DAY = 86_400_000

export function benchOf(current: () => OpenedPayments): Bench {
  const bench: Bench = {
    get provider() {
      return current().provider
    },
    get otherMode() {
      return current().otherMode
    },
    get appUrl() {
      return current().appUrl
    },
    get act() {
      return current().act
    },
    withoutSecret: () => current().withoutSecret(),
    newBuyer: async () => {
      const userId = newUserId()
      return { userId, ...(await bench.provider.createCustomer({ userId, replaces: null })) }
    },
    eventsOf: async (work) => {
      await bench.act.loseWebhooks()
      await work()
      const events = await translated(bench.provider, await bench.act.takeWebhooks())
      return events.filter((event) => event !== null)
    },
  }
  return bench
}

export function newUserId(): string {
  return `user-${uuidv7()}`
}

/** What signed webhooks mean to a provider. */
export async function translated(
  provider: PaymentProvider,
  webhooks: readonly SignedWebhook[],
): Promise<(PaymentEvent | null)[]> {
  const events: (PaymentEvent | null)[] = []
  for (const { rawBody, signature } of webhooks) {
    const verified = await provider.verifyWebhook(rawBody, signature)
    events.push(await verified.translate())
  }
  return events
}

/** The events of one kind. */
export function ofKind<K extends PaymentEvent['kind']>(
  events: readonly PaymentEvent[],
  kind: K,
): Extract<PaymentEvent, { kind: K }>[] {
  // The kind says which of the union it is; TypeScript can't follow that through the filter.
  return events.filter((event) => event.kind === kind) as Extract<PaymentEvent, { kind: K }>[]
}

/** The last of some things; there must be one. */
export function last<R>(things: readonly R[]): R {
  const thing = things.at(-1)
  if (thing === undefined) throw new Error('last: there is none')
  return thing
}

/** A package of 100 credits for 9.99. */
export function checkoutRequest(buyer: Buyer, changes: Partial<CheckoutRequest> = {}): CheckoutRequest {
  return {
    ...buyer,
    purchaseId: uuidv7(),
    packageId: 7,
    creditType: 'enrichment',
    creditAmount: 100,
    quantity: 1,
    name: 'Starter Pack',
    description: 'Perfect for getting started',
    unitPriceMinor: 999,
    currency: 'usd',
    priceId: null,
    saveCard: false,
    ui: 'page',
    successUrl: null,
    cancelUrl: null,
    ...changes,
  }
}

export function subscribeRequest(
  buyer: Buyer,
  priceId: string,
  changes: Partial<SubscribeRequest> = {},
): SubscribeRequest {
  return {
    ...buyer,
    requestId: uuidv7(),
    priceId,
    plan: 'pro',
    quantity: 1,
    trialDays: null,
    ui: 'page',
    successUrl: null,
    cancelUrl: null,
    ...changes,
  }
}

export function saveCardRequest(buyer: Buyer, changes: Partial<SaveCardRequest> = {}): SaveCardRequest {
  return { ...buyer, requestId: uuidv7(), ui: 'page', successUrl: null, cancelUrl: null, ...changes }
}

/** A top-up of 20.00. */
export function offSessionRequest(buyer: Buyer, changes: Partial<OffSessionRequest> = {}): OffSessionRequest {
  return {
    ...buyer,
    purchaseId: uuidv7(),
    amountMinor: 2000,
    currency: 'usd',
    description: 'Top-up of 100 credits',
    ...changes,
  }
}

/** The session; there must be one. */
export function opened(checkout: Checkout | CustomerGone | null): Checkout {
  if (checkout === null || checkout === 'customer_gone') throw new Error(`opened: ${String(checkout)}`)
  return checkout
}

/** What must be there. */
export function there<R>(thing: R | null | undefined): R {
  if (thing === null || thing === undefined) throw new Error('there: there is none')
  return thing
}

/** A package that was bought and paid for, as the provider tells it. */
export async function bought(
  { provider, act, newBuyer }: Bench,
  changes: Partial<CheckoutRequest> & { buyer?: Buyer; discount?: number; tax?: number } = {},
): Promise<Checkout & { paymentId: string; purchaseId: string; customerId: string; buyer: Buyer }> {
  const { buyer = await newBuyer(), discount, tax, ...request } = changes
  const { sessionId } = opened(await provider.createCheckout(checkoutRequest(buyer, request)))
  await act.pay(sessionId, { ...(discount !== undefined && { discount }), ...(tax !== undefined && { tax }) })
  const checkout = opened(await provider.getCheckout(sessionId))
  const { paymentId, purchaseId, customerId } = checkout
  return {
    ...checkout,
    paymentId: there(paymentId),
    purchaseId: there(purchaseId),
    customerId: there(customerId),
    buyer,
  }
}

/** A payment that was tried with a saved card. */
export async function charged(
  { provider, act, newBuyer }: Bench,
  card: Parameters<PaymentActs['saveCard']>[1],
): Promise<{ buyer: Buyer; request: OffSessionRequest; payment: Payment }> {
  const buyer = await newBuyer()
  await act.saveCard(buyer.customerId, card)
  const request = offSessionRequest(buyer)
  return { buyer, request, payment: await provider.chargeOffSession(request) }
}

/** A monthly subscription that was begun at its checkout. */
export async function subscribed(
  { provider, act, newBuyer }: Bench,
  changes: Partial<SubscribeRequest> & { unitPriceMinor?: number; discount?: number } = {},
): Promise<{ buyer: Buyer; checkout: Checkout; priceId: string; subscriptionId: string; invoiceId: string }> {
  const buyer = await newBuyer()
  const { unitPriceMinor = 1500, discount = 0, ...request } = changes
  const priceId = await act.newPrice({ unitPriceMinor, currency: 'usd', monthly: true })
  const { sessionId } = opened(await provider.createSubscribeCheckout(subscribeRequest(buyer, priceId, request)))
  await act.pay(sessionId, discount === 0 ? {} : { discount })
  const checkout = opened(await provider.getCheckout(sessionId))
  const { subscriptionId, invoiceId } = checkout
  return { buyer, checkout, priceId, subscriptionId: there(subscriptionId), invoiceId: there(invoiceId) }
}

/** The records of a range, all of them. */
export async function listed<R>(records: AsyncIterable<R>): Promise<R[]> {
  const all: R[] = []
  for await (const record of records) all.push(record)
  return all
}

/** The service's clock, moved on to the next whole second: some services count no finer. */
export async function wholeSecond({ act }: Bench): Promise<Date> {
  const past = act.now().getTime() % SECOND
  await act.pass(past === 0 ? SECOND : SECOND - past)
  return act.now()
}

/** The code of the error that a call fails with; null: it does not fail. */
export async function codeOf(call: Promise<unknown>): Promise<string | null> {
  try {
    await call
    return null
  } catch (error) {
    if (isCreditError(error)) return error.code
    throw error
  }
}
