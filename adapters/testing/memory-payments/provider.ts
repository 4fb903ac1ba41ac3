import type { PaymentProvider, PaymentRecords, TimeRange, VerifiedEvent } from '../../../src/ports/payments.js'
import type { Books } from './books.js'
import { openCheckout, openSaveCardCheckout, openSubscribeCheckout } from './checkouts.js'
import type { MemoryDeliveries } from './delivery.js'
import { type MemoryEvent, translate } from './events.js'
import type { MemoryFailures } from './failures.js'
import { reversalsOf } from './money-back.js'
import { cancelPayment, chargeOffSession } from './payments.js'
import { resolveReturnUrl, type MemorySettings } from './settings.js'
import { cancelSubscription } from './subscriptions.js'
import { SIGNATURE_HEADER, verifyEvent } from './webhooks.js'

/** What a provider in memory is made of. */
export interface MemoryParts {
  books: Books
  settings: MemorySettings
  failures: MemoryFailures
  deliveries: MemoryDeliveries
}

/** The port over the books of the service, as seen in one mode. */
export function providerOf(parts: MemoryParts, livemode: boolean): PaymentProvider {
  const { books, settings, failures } = parts
  const call = <R>(name: string, work: () => R | Promise<R>): Promise<R> =>
    failures.run(name, () => {
      books.tick()
      return work()
    })
  const ofMode = <R extends { livemode: boolean }>(object: R | undefined): R | null =>
    object?.livemode === livemode ? object : null

  return {
    name: 'memory',
    metadataNames: {
      session: 'memorySessionId',
      payment: 'memoryPaymentId',
      charge: 'memoryChargeId',
      invoice: 'memoryInvoiceId',
    },
    livemode,
    signatureHeader: SIGNATURE_HEADER,
    publishableKey: settings.publishableKey,
    records: recordsOf(parts, livemode),
    createCustomer: (request) => call('createCustomer', () => createCustomer(parts, request, livemode)),
    createCheckout: (request) => call('createCheckout', () => openCheckout(books, settings, request, livemode)),
    createSubscribeCheckout: (request) =>
      call('createSubscribeCheckout', () => openSubscribeCheckout(books, settings, request, livemode)),
    createSaveCardCheckout: (request) =>
      call('createSaveCardCheckout', () => openSaveCardCheckout(books, settings, request, livemode)),
    createPortalSession: ({ customerId }) =>
      call('createPortalSession', () => {
        if (books.customer(customerId, livemode) === null) return 'customer_gone'
        return { url: `https://memory-payments.example/portal/${books.newId('portal')}` }
      }),
    getCheckout: (id) => call('getCheckout', () => ofMode(books.sessions.get(id)?.checkout)),
    findCheckoutByPayment: (id) =>
      call('findCheckoutByPayment', () => {
        const sessionId = ofMode(books.payments.get(id)?.payment) && books.payments.get(id)?.sessionId
        return books.sessions.get(sessionId ?? '')?.checkout ?? null
      }),
    chargeOffSession: (request) => call('chargeOffSession', () => chargeOffSession(books, request, livemode)),
    getPayment: (id) => call('getPayment', () => ofMode(books.payments.get(id)?.payment)),
    findPayment: ({ purchaseId, customerId, since }) =>
      call('findPayment', () => {
        const found = [...books.payments.values()].find(({ payment, createdAt }) => {
          return payment.purchaseId === purchaseId && payment.customerId === customerId && createdAt >= since
        })
        return ofMode(found?.payment)
      }),
    cancelPayment: (id) => call('cancelPayment', () => cancelPayment(books, id, livemode)),
    getInvoice: (id) => call('getInvoice', () => ofMode(books.invoices.get(id)?.invoice)),
    getSubscription: (id) => call('getSubscription', () => ofMode(books.subscriptions.get(id)?.subscription)),
    cancelSubscription: (id, when) =>
      call('cancelSubscription', () => {
        const subscription = ofMode(books.subscriptions.get(id)?.subscription)
        if (subscription !== null) cancelSubscription(books, subscription, when)
        return subscription
      }),
    getReversals: (id) =>
      call('getReversals', () => {
        const reversals = reversalsOf(books, id)
        return reversals && ofMode(reversals)
      }),
    getPrice: (id) =>
      call('getPrice', () => {
        const price = ofMode(books.prices.get(id))
        if (price?.isForSale !== true) return null
        return { currency: price.currency, unitPriceMinor: price.unitPriceMinor, recurring: price.every !== null }
      }),
    resolveReturnUrl: (url) => resolveReturnUrl(url, settings),
    verifyWebhook: async (rawBody, signature) =>
      verifiedEvent(parts, verifyEvent(rawBody, signature, settings), livemode),
  }
}

/** The one that the host links, else one for each user, and another for each that it replaces. */
async function createCustomer(
  { books, settings }: MemoryParts,
  { userId, replaces }: { userId: string; replaces: string | null },
  livemode: boolean,
): Promise<{ customerId: string }> {
  const linked = await settings.customer?.(userId)
  if (linked?.id !== undefined && linked.id !== replaces) return { customerId: linked.id }
  const name = `customer ${String(livemode)} ${JSON.stringify([userId, replaces])}`
  const before = books.named.get(name)
  if (before !== undefined) return { customerId: before.id }
  const customerId = books.newId('customer')
  books.customers.set(customerId, { customerId, isDeleted: false, cards: [], failing: null, livemode })
  books.named.set(name, { request: '', id: customerId })
  books.emit('customer.created', customerId, livemode)
  return { customerId }
}

function verifiedEvent(
  { books, failures }: MemoryParts,
  { id, type, livemode, created, data }: Omit<MemoryEvent, 'createdAt'>,
  ours: boolean,
): VerifiedEvent {
  return {
    eventId: id,
    type,
    livemode,
    created,
    translate: () =>
      failures.run('translate', () => (livemode === ours ? translate(books, { type, data, created }) : null)),
  }
}

function recordsOf(parts: MemoryParts, livemode: boolean): PaymentRecords {
  const { books, failures, deliveries } = parts
  /** A list as it was when it was asked for, in the order of time. */
  async function* list<R>(name: string, { from, to }: TimeRange, rows: () => { createdAt: Date; record: R }[]) {
    const found = await failures.run(`records.${name}`, () =>
      rows().filter(({ createdAt }) => createdAt >= from && createdAt < to),
    )
    for (const { record } of found) yield record
  }
  const ofMode = (row: { record: { livemode: boolean } }): boolean => row.record.livemode === livemode

  return {
    async *undeliveredEvents(range) {
      const rows = () =>
        books.events
          .filter((event) => event.livemode === livemode && !deliveries.isDelivered(event))
          .map((event) => ({ createdAt: event.createdAt, record: event }))
      for await (const event of list('undeliveredEvents', range, rows)) yield verifiedEvent(parts, event, livemode)
    },
    checkouts: (range) =>
      list('checkouts', range, () =>
        [...books.sessions.values()]
          .map(({ createdAt, checkout }) => ({ createdAt, record: checkout }))
          .filter((row) => ofMode(row) && row.record.state !== 'open' && row.record.state !== 'expired'),
      ),
    payments: (range) =>
      list('payments', range, () =>
        [...books.payments.values()]
          .map(({ createdAt, payment }) => ({ createdAt, record: payment }))
          .filter((row) => ofMode(row) && row.record.purchaseId !== null),
      ),
    reversals: (range) =>
      list('reversals', range, () =>
        [...books.payments.values()].flatMap(({ payment, refunds, disputes }) =>
          [...refunds, ...disputes].flatMap(({ createdAt }) => {
            const record = reversalsOf(books, payment.paymentId)
            return record?.livemode === livemode ? [{ createdAt, record }] : []
          }),
        ),
      ),
    invoices: (range) =>
      list('invoices', range, () =>
        [...books.invoices.values()]
          .map(({ createdAt, invoice }) => ({ createdAt, record: invoice }))
          .filter((row) => ofMode(row) && row.record.status === 'paid'),
      ),
  }
}
