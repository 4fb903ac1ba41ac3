import type {
  Checkout,
  Invoice,
  PaymentDispute,
  PaymentProvider,
  PaymentRefund,
  Subscription,
} from '../../../src/ports/payments.js'
import { Books, type CardBehaviour, type CardFailure, type Interval, known } from './books.js'
import { complete, type MemoryCheckoutOutcome, type MemoryCompleteOptions, settle } from './buyer.js'
import {
  type MemoryDeliverOptions,
  type MemoryDelivery,
  MemoryDeliveries,
  type MemoryWebhookHandler,
} from './delivery.js'
import type { MemoryEvent } from './events.js'
import { type MemoryFailure, MemoryFailures } from './failures.js'
import { giveUpInvoice, invoicePaid, payInvoice } from './invoices.js'
import {
  dispute,
  type MemoryDisputeInput,
  type MemoryRefundInput,
  refund,
  updateDispute,
  updateRefund,
} from './money-back.js'
import { deleteCustomer, fail, newPayment, saveCard, succeed } from './payments.js'
import { providerOf } from './provider.js'
import { type MemoryDeliveryMode, type MemoryPaymentsOptions, settingsOf } from './settings.js'
import {
  addItem,
  addToNextInvoice,
  beginSubscription,
  changeSubscription,
  pauseCollection,
  renew,
} from './subscriptions.js'
import { signatureOf } from './webhooks.js'

/**
 * A payment service within this process, and the provider that talks to it: `new CreditService({ payments })`.
 *
 * The methods that let something happen (`complete`, `refund`, …) resolve when, in `auto` delivery, the endpoint has been
 * told once, so a test can look at the outcome right after. They throw when it cannot happen. Amounts in minor units.
 */
export interface MemoryPayments extends PaymentProvider {
  readonly webhookSecret: string | null
  /** What happens to events from now on. */
  delivery: MemoryDeliveryMode
  /** Everything that happened, oldest first. */
  readonly events: readonly MemoryEvent[]
  /** Events waiting for `deliver`, oldest first. */
  readonly held: readonly MemoryEvent[]
  /** Every attempt to deliver, oldest first. */
  readonly deliveries: readonly MemoryDelivery[]
  /** A provider that is set to the other mode, on the same service: it sees nothing of this one's. */
  otherMode(): PaymentProvider

  /** Where events go: `(request) => credits.handleWebhook(request)`. */
  registerEndpoint(handler: MemoryWebhookHandler): void
  /** Send held events, or resend named ones; the result of each delivery in the order they were sent. */
  deliver(options?: MemoryDeliverOptions): Promise<MemoryDelivery[]>
  /** Lose held events for good. */
  discard(options?: Pick<MemoryDeliverOptions, 'types' | 'eventIds'>): void
  /** Wait until no automatic delivery is under way. */
  idle(): Promise<void>
  /** The signature header's value for a body; `timestamp` in seconds since 1970, default now. */
  sign(body: string | Uint8Array, timestamp?: number): string
  /** Let the next matching call of the provider go wrong. Several add up, the first match wins. */
  failNext(failure?: MemoryFailure): void
  /** Forget the failures still planned. */
  clearFailures(): void

  /** The buyer acts on the checkout page. Default outcome `paid`. */
  complete(sessionId: string, outcome?: MemoryCheckoutOutcome, options?: MemoryCompleteOptions): Promise<Checkout>
  /** A delayed payment (`unpaid`) arrives or bounces. */
  settle(sessionId: string, outcome: 'succeeded' | 'failed'): Promise<Checkout>
  /** The session runs out. It also does by itself after 24 hours of the `clock`. */
  expire(sessionId: string): Promise<Checkout>
  /** Another app sells something through the same account. */
  sellElsewhere(amount?: number): Promise<{ sessionId: string; paymentId: string }>
  refund(input: MemoryRefundInput): Promise<PaymentRefund>
  /** The bank moves a refund on; succeeded ones may still fail. */
  updateRefund(refundId: string, status: PaymentRefund['status']): Promise<void>
  dispute(input: MemoryDisputeInput): Promise<PaymentDispute>
  /** The bank moves a dispute on; lost ones may still be won. */
  updateDispute(disputeId: string, status: PaymentDispute['status']): Promise<void>

  /** The customer saves a card, as in the portal; it is the one that is charged from now on. Default `pays`. */
  saveCard(customerId: string, card?: CardBehaviour): Promise<void>
  /** From now on payments of this customer fail so; default `soft`. `false` ends it. */
  failPayments(customerId: string, failure?: CardFailure | false): void
  /** The buyer passes (or fails) the authentication that a payment waits for. */
  authenticate(paymentId: string, outcome?: 'succeeded' | 'failed'): Promise<void>
  /** The merchant deletes the customer. */
  deleteCustomer(customerId: string): Promise<void>
  /** A customer that was made elsewhere; link it with the option `customer`. */
  addCustomer(): string

  /** A price to sell packages for, or plans when it is billed `every` month, say. */
  addPrice(price: { unitPriceMinor: number; currency?: string; every?: Interval | null }): string
  /** The price is not for sale any more. What was subscribed goes on. */
  archivePrice(priceId: string): void
  /**
   * The subscription's period ends now, wherever the clock is: the next invoice is made and collected. Null: it ended.
   */
  renew(subscriptionId: string): Promise<Invoice | null>
  /** The buyer pays an invoice on its page; `outOfBand`: outside of the service, without a payment. */
  payInvoice(invoiceId: string, options?: { outOfBand?: boolean }): Promise<Invoice>
  /** The merchant gives an invoice up. */
  giveUpInvoice(invoiceId: string, status?: 'uncollectible' | 'void'): Promise<Invoice>
  /** Another price or quantity of an item, from now on; what is different is billed at once. Default: the first item. */
  changeSubscription(
    subscriptionId: string,
    change: { itemId?: string; priceId?: string; quantity?: number },
  ): Promise<Invoice>
  /** One item more, from now on. */
  addItem(subscriptionId: string, priceId: string, quantity?: number): Promise<Invoice>
  /** The next invoice has one more line, for something that is no item of the subscription. */
  addToNextInvoice(subscriptionId: string, amount: number): void
  /** The merchant subscribes a customer without us: nothing says which user it is for. The saved card pays. */
  subscribeElsewhere(customerId: string, priceId: string, quantity?: number): Promise<Subscription>
  /** While it is paused, invoices are made and nothing is collected. */
  pauseCollection(subscriptionId: string, isPaused?: boolean): Promise<Subscription>
}

/** A payment service in memory for tests and demos: stateful, without a network. It translates nothing about credits. */
export function memoryPayments(options: MemoryPaymentsOptions = {}): MemoryPayments {
  const settings = settingsOf(options)
  const deliveries = new MemoryDeliveries(settings)
  const failures = new MemoryFailures(settings.timeoutMs)
  const books = new Books(settings.clock, (event) => deliveries.accept(event))
  const parts = { books, settings, failures, deliveries }
  /** Let it happen, tell the endpoint, and show the object as it was right after. */
  const act = async <R>(change: () => R): Promise<R> => {
    books.tick()
    const result = structuredClone(change())
    await deliveries.settled()
    return result
  }

  return {
    ...providerOf(parts, settings.livemode),
    webhookSecret: settings.webhookSecret,
    get delivery() {
      return deliveries.mode
    },
    set delivery(mode) {
      deliveries.mode = mode
    },
    events: books.events,
    get held() {
      return deliveries.held()
    },
    deliveries: deliveries.log,
    otherMode: () => providerOf(parts, !settings.livemode),
    registerEndpoint: (handler) => deliveries.register(handler),
    deliver: (deliverOptions = {}) => deliveries.deliver(books.events, deliverOptions),
    discard: (discardOptions = {}) => deliveries.discard(books.events, discardOptions),
    idle: () => deliveries.settled(),
    sign: (body, timestamp) =>
      signatureOf(typeof body === 'string' ? new TextEncoder().encode(body) : body, settings, timestamp),
    failNext: (failure = {}) => failures.plan(failure),
    clearFailures: () => failures.clear(),
    complete: (id, outcome = 'paid', completeOptions = {}) => act(() => complete(books, id, outcome, completeOptions)),
    settle: (id, outcome) => act(() => settle(books, id, outcome)),
    expire: (id) => act(() => expire(books, id)),
    sellElsewhere: (amount = 500) => act(() => sellElsewhere(books, amount, settings.livemode)),
    refund: (input) => act(() => refund(books, input)),
    updateRefund: (id, status) => act(() => updateRefund(books, id, status)),
    dispute: (input) => act(() => dispute(books, input)),
    updateDispute: (id, status) => act(() => updateDispute(books, id, status)),
    saveCard: (id, card = 'pays') => act(() => saveCard(books, id, card)),
    failPayments: (id, failure = 'soft') => {
      known(books.customers, id, 'customer').failing = failure === false ? null : failure
    },
    authenticate: (id, outcome = 'succeeded') => act(() => authenticate(books, id, outcome)),
    deleteCustomer: (id) => act(() => deleteCustomer(books, id)),
    addCustomer: () => {
      const customerId = books.newId('customer')
      const { livemode } = settings
      books.customers.set(customerId, { customerId, isDeleted: false, cards: [], failing: null, livemode })
      return customerId
    },
    addPrice: ({ unitPriceMinor, currency = 'usd', every = null }) => {
      const priceId = books.newId('price')
      books.prices.set(priceId, {
        priceId,
        currency,
        unitPriceMinor,
        every,
        isForSale: true,
        livemode: settings.livemode,
      })
      return priceId
    },
    archivePrice: (id) => {
      known(books.prices, id, 'price').isForSale = false
    },
    renew: (id) => act(() => renew(books, id)),
    payInvoice: (id, payOptions = {}) => act(() => payInvoice(books, id, payOptions)),
    giveUpInvoice: (id, status = 'uncollectible') => act(() => giveUpInvoice(books, id, status)),
    changeSubscription: (id, change) => act(() => changeSubscription(books, id, change)),
    addItem: (id, priceId, quantity = 1) => act(() => addItem(books, id, priceId, quantity)),
    addToNextInvoice: (id, amount) => addToNextInvoice(books, id, amount),
    subscribeElsewhere: (customerId, priceId, quantity = 1) =>
      act(() => {
        const of = { customerId, userId: null, priceId, quantity, trialDays: null, livemode: settings.livemode }
        return beginSubscription(books, { ...of, reductionMinor: 0, card: null }).subscription
      }),
    pauseCollection: (id, isPaused = true) => act(() => pauseCollection(books, id, isPaused)),
  }
}

function expire(books: Books, sessionId: string): Checkout {
  const session = known(books.sessions, sessionId, 'session')
  const { checkout } = session
  if (checkout.state !== 'open') throw new Error(`memoryPayments.expire: ${sessionId} is ${checkout.state}, not open`)
  books.expire(session)
  return checkout
}

function authenticate(books: Books, paymentId: string, outcome: 'succeeded' | 'failed'): void {
  const row = known(books.payments, paymentId, 'payment')
  if (row.payment.failure?.kind !== 'authentication_required') {
    throw new Error(`memoryPayments.authenticate: ${paymentId} does not wait for its buyer`)
  }
  if (outcome === 'failed') {
    fail(books, row, 'authentication_required')
    return
  }
  succeed(books, row)
  const invoice = books.invoices.get(row.invoiceId ?? '')
  if (invoice !== undefined) invoicePaid(books, invoice)
}

/** A session and a payment that name nothing of ours. */
function sellElsewhere(books: Books, totalMinor: number, livemode: boolean): { sessionId: string; paymentId: string } {
  const sessionId = books.newId('session')
  const of = { customerId: null, purchaseId: null, currency: 'usd', livemode }
  const row = newPayment(books, { ...of, sessionId, invoiceId: null, totalMinor })
  const { paymentId } = row.payment
  const checkout: Checkout = {
    ...{ ...of, sessionId, paymentId, url: null, clientSecret: null, state: 'paid', mode: 'payment' },
    ...{ subtotalMinor: totalMinor, totalMinor, subscriptionId: null, invoiceId: null, savesCard: false },
  }
  const createdAt = books.now()
  const sold = { userId: 'nobody', unitPriceMinor: totalMinor, quantity: 1, priceId: null, trialDays: null }
  books.sessions.set(sessionId, { checkout, createdAt, expiresAt: createdAt, ...sold, saveCard: false })
  succeed(books, row)
  books.emit('session.completed', sessionId, livemode)
  return { sessionId, paymentId }
}
