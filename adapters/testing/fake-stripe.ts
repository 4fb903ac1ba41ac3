import Stripe from 'stripe'
import { ApiCalls, type ApiCall } from './api-calls.js'
import { buyerPage } from './buyer-pages.js'
import { actorsOf, type Actors } from './actors.js'
import { Failures, type Failure } from './failures.js'
import { closeServer, listen } from './http-server.js'
import { createEndpoint } from './resources/webhook-endpoints.js'
import { StripeAccount } from './stripe-account.js'
import {
  WebhookDelivery,
  type Delivery,
  type DeliverOptions,
  type DeliveryMode,
  type WebhookHandler,
} from './webhook-delivery.js'

/** How to set up a local Stripe. Everything may be left out. */
export interface FakeStripeOptions {
  /** Where events are delivered to. Can be set later: `fake.webhookUrl = …`. */
  webhookUrl?: string
  /** Default `auto`. */
  delivery?: DeliveryMode
  /** Default `sk_test_…`; `sk_live_…` makes every object `livemode: true`. */
  secretKey?: string
  /** The secret of `webhookUrl`; default `whsec_…`. */
  webhookSecret?: string
  /** Gives objects and events their times, and decides when sessions expire. Default the real time. */
  clock?: { now(): Date }
  /** Default a free one. */
  port?: number
  /** Tax that `automatic_tax` adds, in percent; default 0. */
  taxPercent?: number
  /** Days from one failed attempt to collect an invoice to the next; default 3, 5 and 7. */
  retryDays?: readonly number[]
  /** What becomes of a subscription when the last attempt has failed; default `cancel`. */
  afterRetries?: 'cancel' | 'mark_unpaid' | 'leave_past_due'
  /** How often `auto` tries one endpoint for one event; default 5. */
  maxAttempts?: number
  /** The pause before the second try, in milliseconds, doubling after that; default 50. */
  retryDelayMs?: number
  /** How long an endpoint may take to answer, in milliseconds; default 10,000. */
  deliveryTimeoutMs?: number
  /** More options for `stripe`, the SDK: `{ maxNetworkRetries: 0, timeout: 500 }`. */
  stripeConfig?: Stripe.StripeConfig
}

/** One more place to deliver events to. */
export interface EndpointOptions {
  /** Types of events; default all. */
  events?: readonly string[]
  /** Default `fake.webhookSecret`. */
  secret?: string
}

/**
 * A running local Stripe.
 *
 * The methods that let something happen (`complete`, `refund`, …) resolve when, in `auto` delivery, every endpoint has
 * been told once, so a test can look at the outcome right after. They throw when it cannot happen.
 */
export interface FakeStripe extends Actors {
  /** `http://127.0.0.1:1234` */
  readonly url: string
  readonly host: string
  readonly port: number
  /** The real SDK, pointed at this server. */
  readonly stripe: Stripe
  readonly secretKey: string
  readonly webhookSecret: string
  /** Where events go; setting it replaces the endpoint that was set before. */
  webhookUrl: string | undefined
  /** What happens to events from now on. */
  delivery: DeliveryMode
  /** Everything that happened, oldest first. */
  readonly events: readonly Stripe.Event[]
  /** Events waiting for `deliver`, oldest first. */
  readonly held: readonly Stripe.Event[]
  /** Every attempt to deliver, oldest first. */
  readonly deliveries: readonly Delivery[]
  /** Every API call received, oldest first. */
  readonly calls: readonly ApiCall[]
  /** An endpoint by URL, or a function that gets the signed request. `secret` is what it is signed with. */
  registerEndpoint(target: string | URL | WebhookHandler, options?: EndpointOptions): { id: string; secret: string }
  /** Send held events, or resend named ones; the result of each delivery in the order they were sent. */
  deliver(options?: DeliverOptions): Promise<Delivery[]>
  /** Lose held events for good. */
  discard(options?: Pick<DeliverOptions, 'types' | 'eventIds'>): void
  /** Wait until no automatic delivery or retry is under way. */
  idle(): Promise<void>
  /** Let the next matching API call go wrong. Several add up, the first match wins. */
  failNext(failure?: Failure): void
  /** Forget the failures still planned. */
  clearFailures(): void
  /** Stop the server and everything under way. */
  close(): Promise<void>
}

/**
 * Start a stateful local Stripe for tests and demos, and the real SDK talking to it.
 *
 * It checks parameters as the API does, keeps idempotency keys, signs and delivers webhooks, serves the page a buyer
 * pays on, and answers 501 for what it does not have.
 */
export async function fakeStripe(options: FakeStripeOptions = {}): Promise<FakeStripe> {
  const secretKey = options.secretKey ?? 'sk_test_creditkit_local'
  const webhookSecret = options.webhookSecret ?? 'whsec_creditkit_local'
  const account = new StripeAccount({
    livemode: /^[a-z]+_live_/.test(secretKey),
    now: () => options.clock?.now() ?? new Date(),
    taxPercent: options.taxPercent ?? 0,
    billing: {
      retryDays: options.retryDays ?? [3, 5, 7],
      afterRetries: options.afterRetries ?? 'cancel',
    },
    onEvent: (event) => delivery.accept(event),
  })
  const delivery = new WebhookDelivery(account, {
    mode: options.delivery ?? 'auto',
    maxAttempts: options.maxAttempts ?? 5,
    retryDelayMs: options.retryDelayMs ?? 50,
    timeoutMs: options.deliveryTimeoutMs ?? 10_000,
  })
  account.isDelivered = (eventId) => delivery.isDelivered(eventId)
  const failures = new Failures()
  const calls = new ApiCalls(account, failures, secretKey, (ms) => delivery.pause(ms))
  const actors = actorsOf(account, delivery)
  const page = (request: Parameters<typeof buyerPage>[2]) =>
    buyerPage(account, (id, outcome, options) => actors.complete(id, outcome, options), request)
  const { server, port } = await listen({ calls, page }, options.port ?? 0)
  account.url = `http://127.0.0.1:${port}`
  const local = { host: '127.0.0.1', port, protocol: 'http', telemetry: false } as const
  const endpoints = endpointsOf(account, delivery, webhookSecret)
  if (options.webhookUrl !== undefined) endpoints.setUrl(options.webhookUrl)

  return {
    ...actors,
    url: account.url,
    host: local.host,
    port,
    stripe: new Stripe(secretKey, { ...options.stripeConfig, ...local }),
    secretKey,
    webhookSecret,
    get webhookUrl() {
      return endpoints.url()
    },
    set webhookUrl(url) {
      endpoints.setUrl(url)
    },
    get delivery() {
      return delivery.mode
    },
    set delivery(mode) {
      delivery.mode = mode
    },
    get events() {
      return account.all('event')
    },
    get held() {
      return delivery.held()
    },
    deliveries: delivery.log,
    calls: calls.journal,
    registerEndpoint: endpoints.register,
    deliver: (deliverOptions = {}) => delivery.deliver(deliverOptions),
    discard: (discardOptions = {}) => delivery.discard(discardOptions),
    idle: () => delivery.idle(),
    failNext: (failure = {}) => failures.plan(failure),
    clearFailures: () => failures.clear(),
    close: async () => {
      account.stop()
      await delivery.close()
      await closeServer(server)
    },
  }
}

function endpointsOf(account: StripeAccount, delivery: WebhookDelivery, webhookSecret: string) {
  let defaultId: string | undefined
  const register: FakeStripe['registerEndpoint'] = (target, { events = ['*'], secret = webhookSecret } = {}) => {
    const url = typeof target === 'function' ? 'http://localhost/webhooks/stripe' : String(target)
    const endpoint = createEndpoint(account, { url, enabledEvents: events, secret })
    if (typeof target === 'function') delivery.handleWith(endpoint.id, target)
    return { id: endpoint.id, secret }
  }
  return {
    register,
    url: () => (defaultId === undefined ? undefined : account.find('webhook_endpoint', defaultId)?.url),
    setUrl: (url: string | undefined) => {
      if (defaultId !== undefined) account.remove('webhook_endpoint', defaultId)
      defaultId = url === undefined ? undefined : register(url).id
    },
  }
}
