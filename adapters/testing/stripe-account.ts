import { randomInt } from 'node:crypto'
import type Stripe from 'stripe'
import { noSuch } from './api-error.js'

/** Every kind of object the server stores, by the name in its `object` field. A new resource adds its line here. */
export interface StoredObjects {
  balance_transaction: Stripe.BalanceTransaction
  'billing_portal.configuration': Stripe.BillingPortal.Configuration
  'billing_portal.session': Stripe.BillingPortal.Session
  charge: Stripe.Charge
  'checkout.session': Stripe.Checkout.Session
  coupon: Stripe.Coupon
  customer: Stripe.Customer | Stripe.DeletedCustomer
  discount: Stripe.Discount
  dispute: Stripe.Dispute
  event: Stripe.Event
  invoice: Stripe.Invoice
  invoice_payment: Stripe.InvoicePayment
  invoiceitem: Stripe.InvoiceItem
  payment_intent: Stripe.PaymentIntent
  payment_method: Stripe.PaymentMethod
  price: Stripe.Price
  product: Stripe.Product
  promotion_code: Stripe.PromotionCode
  refund: Stripe.Refund
  setup_intent: Stripe.SetupIntent
  subscription: Stripe.Subscription
  'test_helpers.test_clock': Stripe.TestHelpers.TestClock
  webhook_endpoint: Stripe.WebhookEndpoint
}

/** A kind of object that is stored. */
export type StoredKind = keyof StoredObjects

type EventOf<T extends Stripe.Event.Type> = Extract<Stripe.Event, { type: T }>

/** The API version objects and events are rendered in. */
export const API_VERSION = '2026-10-28.endive'

/** Longer waits than a timer can hold are left to `tick`. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** What a checkout session was made with and its API object does not show. */
interface CheckoutDetails {
  lineItems: Stripe.LineItem[]
  paymentIntentData: Stripe.Checkout.SessionCreateParams.PaymentIntentData
  subscriptionData: Stripe.Checkout.SessionCreateParams.SubscriptionData
  setupIntentData: Stripe.Checkout.SessionCreateParams.SetupIntentData
  automaticTax: boolean
}

/** What comes of a payment that something else waits for: an invoice. */
export type PaymentNews = 'succeeded' | 'failed' | 'requires_action' | 'processing'

/** How the account collects what subscriptions owe. */
export interface BillingSettings {
  /** Days from one failed attempt to the next. */
  retryDays: readonly number[]
  /** What becomes of a subscription when the last attempt has failed. */
  afterRetries: 'cancel' | 'mark_unpaid' | 'leave_past_due'
}

interface DueTask {
  /** Milliseconds since 1970. */
  at: number
  /** The test clock it goes by; null for the account's own. */
  clock: string | null
  work: () => void
}

interface StripeAccountOptions {
  livemode: boolean
  now: () => Date
  /** Tax added by `automatic_tax`, in percent. */
  taxPercent: number
  billing: BillingSettings
  /** Called with each event right after it was stored. */
  onEvent: (event: Stripe.Event) => void
}

/** The whole state of one Stripe account: its objects, its clock and the events it gave rise to. */
export class StripeAccount {
  readonly livemode: boolean
  readonly taxPercent: number
  readonly billing: BillingSettings
  /** Where the buyer's pages are: `http://127.0.0.1:1234`. Set when the server listens. */
  url = ''
  /** By checkout session id. */
  readonly checkouts = new Map<string, CheckoutDetails>()
  /** By webhook endpoint id. */
  readonly webhookSecrets = new Map<string, string>()
  /** By charge or payment method id: the test payment method it behaves as (`pm_card_visa`). */
  readonly behaviours = new Map<string, string>()
  /** Payment methods that can never be used again: detached, or paid with while they belonged to nobody. */
  readonly usedUp = new Set<string>()
  /** Payment methods that were authenticated for payments without the buyer. */
  readonly setUp = new Set<string>()
  /** By customer or payment method id: the test payment method it behaves as until told otherwise. */
  readonly failing = new Map<string, string>()
  /** By payment intent id: who wants to know how it goes. */
  readonly awaited = new Map<string, (news: PaymentNews) => void>()
  /** By invoice id: all its lines; the invoice itself shows the first ten. */
  readonly invoiceLines = new Map<string, Stripe.InvoiceLineItem[]>()
  /** By invoice id: how often the account has tried to collect it by itself. */
  readonly attempts = new Map<string, number>()
  /** Subscriptions nobody has been told of: `customer.subscription.created` is still to come. */
  readonly unannounced = new Set<string>()
  /** Subscriptions whose trial's end has been announced. */
  readonly trialEndTold = new Set<string>()
  /** The API call being carried out, for `event.request`. */
  request: Stripe.Event.Request | null = null
  /** For `events.list({ delivery_success })`; set by the webhook delivery. */
  isDelivered: (eventId: string) => boolean = () => true

  readonly #tables = new Map<StoredKind, Map<string, StoredObjects[StoredKind]>>()
  readonly #due: DueTask[] = []
  /** The time at which overdue work should have been done, while it is done. */
  #asOf: number | null = null
  /** The test clock that what happens now goes by. */
  #clock: string | null = null
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #options: StripeAccountOptions

  constructor(options: StripeAccountOptions) {
    this.#options = options
    this.livemode = options.livemode
    this.taxPercent = options.taxPercent
    this.billing = options.billing
  }

  /** Seconds since 1970, by the clock of what is happening: the account's, or a test clock. */
  now(): number {
    return Math.floor(this.#time() / 1000)
  }

  /** Let something happen by the clock of this customer, which may have a test clock. */
  inTimeOf<T>(customerId: string | null, work: () => T): T {
    const customer = customerId === null ? undefined : this.find('customer', customerId)
    const clock = customer === undefined || customer.deleted === true ? null : idOf(customer.test_clock)
    return this.#during(this.#asOf, clock, work)
  }

  /** Let something happen as if it were `time`, in seconds since 1970. */
  asOf<T>(time: number, work: () => T): T {
    return this.#during(time * 1000, this.#clock, work)
  }

  /** A new id in Stripe's shape: `pi_` and 24 letters and digits. */
  newId(prefix: string, length = 24): string {
    const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    let id = ''
    while (id.length < length) id += alphabet.charAt(randomInt(alphabet.length))
    return `${prefix}_${id}`
  }

  /** All objects of one kind, oldest first. */
  all<K extends keyof StoredObjects>(kind: K): StoredObjects[K][] {
    return [...this.#table(kind).values()]
  }

  find<K extends keyof StoredObjects>(kind: K, id: string): StoredObjects[K] | undefined {
    return this.#table(kind).get(id)
  }

  /** @throws {ApiError} `resource_missing`: 404 when the id stood in the URL, 400 when it was a parameter. */
  get<K extends keyof StoredObjects>(kind: K, id: string, param = 'id', status: 400 | 404 = 404): StoredObjects[K] {
    const object = this.find(kind, id)
    if (object === undefined) throw noSuch(kind, id, param, status)
    return object
  }

  /** The same for a customer that has not been deleted. */
  customer(id: string, param = 'customer', status: 400 | 404 = 400): Stripe.Customer {
    const customer = this.get('customer', id, param, status)
    if (customer.deleted === true) throw noSuch('customer', id, param, status)
    return customer
  }

  /** Store a new object, or put another in place of the one with the same id. */
  put<K extends keyof StoredObjects>(kind: K, object: StoredObjects[K]): void {
    this.#table(kind).set(object.id, object)
  }

  remove(kind: StoredKind, id: string): void {
    this.#table(kind).delete(id)
  }

  /** Record that something happened to `object`; the event keeps the object as it is now. */
  emit<T extends Stripe.Event.Type>(type: T, object: EventOf<T>['data']['object'], previous?: object): Stripe.Event {
    const base = {
      id: this.newId('evt'),
      object: 'event',
      api_version: API_VERSION,
      created: this.now(),
      data: { object: snapshot(object), ...(previous !== undefined && { previous_attributes: snapshot(previous) }) },
      livemode: this.livemode,
      pending_webhooks: 0,
      request: this.request ?? { id: null, idempotency_key: null },
      type,
    } satisfies Stripe.EventBase
    // `type` and `data.object` belong together by this method's signature; tsc cannot follow that through a union.
    const event = base as unknown as Stripe.Event
    this.put('event', event)
    this.#options.onEvent(event)
    return event
  }

  /** Do `work` once the clock has moved on by `ms`; looked at on every call, every `tick` and after `ms`. */
  later(ms: number, work: () => void): void {
    const at = this.#time() + ms
    this.#due.push({ at, clock: this.#clock, work })
    const wait = at - this.#options.now().getTime()
    if (this.#clock !== null || wait > MAX_TIMER_MS) return
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        this.tick()
      },
      Math.max(0, wait),
    ).unref()
    this.#timers.add(timer)
  }

  /** Do `work` when the clock shows `time`, in seconds since 1970. */
  at(time: number, work: () => void): void {
    this.later(time * 1000 - this.#time(), work)
  }

  /** Nothing becomes due any more. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#due.length = 0
  }

  /** Do what has become due by the account's clock, each thing as of the time it was due. */
  tick(): void {
    this.#runDue(null, this.#options.now().getTime())
  }

  /** Move a test clock, doing what becomes due on the way. `until` in seconds since 1970. */
  advance(clock: Stripe.TestHelpers.TestClock, until: number): void {
    this.#runDue(clock.id, until * 1000)
    clock.frozen_time = until
  }

  /** Forget what was to come by a test clock. */
  forgetClock(clockId: string): void {
    const kept = this.#due.filter((task) => task.clock !== clockId)
    this.#due.splice(0, this.#due.length, ...kept)
  }

  #runDue(clock: string | null, until: number): void {
    for (;;) {
      const due = this.#due.filter((task) => task.clock === clock && task.at <= until)
      const [first] = due.sort((a, b) => a.at - b.at)
      if (first === undefined) return
      this.#due.splice(this.#due.indexOf(first), 1)
      this.#during(first.at, clock, first.work)
    }
  }

  #during<T>(asOf: number | null, clock: string | null, work: () => T): T {
    const before = [this.#asOf, this.#clock] as const
    ;[this.#asOf, this.#clock] = [asOf, clock]
    try {
      return work()
    } finally {
      ;[this.#asOf, this.#clock] = before
    }
  }

  /** Milliseconds since 1970. */
  #time(): number {
    if (this.#asOf !== null) return this.#asOf
    const clock = this.#clock === null ? undefined : this.find('test_helpers.test_clock', this.#clock)
    return clock === undefined ? this.#options.now().getTime() : clock.frozen_time * 1000
  }

  #table<K extends StoredKind>(kind: K): Map<string, StoredObjects[K]> {
    const table = this.#tables.get(kind) ?? new Map<string, StoredObjects[StoredKind]>()
    this.#tables.set(kind, table)
    // Only `put` fills tables, with objects of their kind.
    return table as Map<string, StoredObjects[K]>
  }
}

/** The object as it goes over the wire: what is stored may change afterwards without changing this. */
export function snapshot<T>(object: T): T {
  return JSON.parse(JSON.stringify(object)) as T
}

/** The id of a reference that may have been expanded. */
export function idOf(reference: string | { id: string } | null | undefined): string | null {
  if (reference === null || reference === undefined) return null
  return typeof reference === 'string' ? reference : reference.id
}

/** Apply a metadata parameter: given keys replace, empty values delete, `null` clears. */
export function mergeMetadata(
  current: Stripe.Metadata,
  given: Stripe.MetadataParam | '' | null | undefined,
): Stripe.Metadata {
  if (given === undefined) return current
  if (given === null || given === '') return {}
  const merged = new Map(Object.entries(current))
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === '') merged.delete(key)
    else merged.set(key, String(value))
  }
  // Object.fromEntries defines `__proto__` as an ordinary key.
  return Object.fromEntries(merged)
}
