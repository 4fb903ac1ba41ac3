import { randomInt } from 'node:crypto'
import type Stripe from 'stripe'
import { noSuch } from './api-error.js'

/** Every kind of object the server stores, by the name in its `object` field. A new resource adds its line here. */
export interface StoredObjects {
  balance_transaction: Stripe.BalanceTransaction
  charge: Stripe.Charge
  'checkout.session': Stripe.Checkout.Session
  coupon: Stripe.Coupon
  customer: Stripe.Customer | Stripe.DeletedCustomer
  dispute: Stripe.Dispute
  event: Stripe.Event
  payment_intent: Stripe.PaymentIntent
  price: Stripe.Price
  product: Stripe.Product
  promotion_code: Stripe.PromotionCode
  refund: Stripe.Refund
  webhook_endpoint: Stripe.WebhookEndpoint
}

type EventOf<T extends Stripe.Event.Type> = Extract<Stripe.Event, { type: T }>

/** The API version objects and events are rendered in. */
export const API_VERSION = '2026-10-28.endive'

/** Longer waits than a timer can hold are left to `tick`. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** What a checkout session was made with and its API object does not show. */
interface CheckoutDetails {
  lineItems: Stripe.LineItem[]
  paymentIntentData: Stripe.Checkout.SessionCreateParams.PaymentIntentData
  automaticTax: boolean
}

interface StripeAccountOptions {
  livemode: boolean
  now: () => Date
  /** Tax added by `automatic_tax`, in percent. */
  taxPercent: number
  /** Called with each event right after it was stored. */
  onEvent: (event: Stripe.Event) => void
}

/** The whole state of one Stripe account: its objects, its clock and the events it gave rise to. */
export class StripeAccount {
  readonly livemode: boolean
  readonly taxPercent: number
  /** Where the buyer's pages are: `http://127.0.0.1:1234`. Set when the server listens. */
  url = ''
  /** By checkout session id. */
  readonly checkouts = new Map<string, CheckoutDetails>()
  /** By webhook endpoint id. */
  readonly webhookSecrets = new Map<string, string>()
  /** By charge id: the test payment method it was paid with (`pm_card_visa`). */
  readonly paidWith = new Map<string, string>()
  /** The API call being carried out, for `event.request`. */
  request: Stripe.Event.Request | null = null
  /** For `events.list({ delivery_success })`; set by the webhook delivery. */
  isDelivered: (eventId: string) => boolean = () => true

  readonly #tables: { [K in keyof StoredObjects]: Map<string, StoredObjects[K]> } = {
    balance_transaction: new Map(),
    charge: new Map(),
    'checkout.session': new Map(),
    coupon: new Map(),
    customer: new Map(),
    dispute: new Map(),
    event: new Map(),
    payment_intent: new Map(),
    price: new Map(),
    product: new Map(),
    promotion_code: new Map(),
    refund: new Map(),
    webhook_endpoint: new Map(),
  }
  readonly #due: { at: number; work: () => void }[] = []
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #options: StripeAccountOptions

  constructor(options: StripeAccountOptions) {
    this.#options = options
    this.livemode = options.livemode
    this.taxPercent = options.taxPercent
  }

  /** Seconds since 1970, by the account's clock. */
  now(): number {
    return Math.floor(this.#options.now().getTime() / 1000)
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
    return [...this.#tables[kind].values()]
  }

  find<K extends keyof StoredObjects>(kind: K, id: string): StoredObjects[K] | undefined {
    return this.#tables[kind].get(id)
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
    this.#tables[kind].set(object.id, object)
  }

  remove(kind: keyof StoredObjects, id: string): void {
    this.#tables[kind].delete(id)
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

  /** Do `work` once the account's clock has moved on by `ms`; looked at on every call, every `tick` and after `ms`. */
  later(ms: number, work: () => void): void {
    this.#due.push({ at: this.#options.now().getTime() + ms, work })
    if (ms > MAX_TIMER_MS) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.tick()
    }, ms).unref()
    this.#timers.add(timer)
  }

  /** Nothing becomes due any more. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#due.length = 0
  }

  /** Do what has become due. */
  tick(): void {
    const time = this.#options.now().getTime()
    for (;;) {
      const index = this.#due.findIndex((task) => task.at <= time)
      const task = this.#due[index]
      if (task === undefined) return
      this.#due.splice(index, 1)
      task.work()
    }
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
