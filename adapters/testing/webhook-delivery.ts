import type Stripe from 'stripe'
import { webhookHeaders } from './signed-webhook.js'
import type { StripeAccount } from './stripe-account.js'

/**
 * What happens to a new event.
 *
 * - `auto`: delivered at once, in order, and again with a growing pause while the endpoint does not answer 2xx.
 * - `hold`: kept until `deliver()`.
 * - `drop`: never delivered by itself. It can be listed by the API and delivered by id.
 */
export type DeliveryMode = 'auto' | 'hold' | 'drop'

/** An endpoint inside this process: gets the signed request, answers it. */
export type WebhookHandler = (request: Request) => Response | Promise<Response>

/** One attempt to tell one endpoint about one event. */
export interface Delivery {
  eventId: string
  type: string
  /** The endpoint. */
  url: string
  /** 1 for the first attempt at this endpoint. */
  attempt: number
  /** HTTP status; 0 when there was no answer. */
  status: number
  body: string
  /** Why there was no answer. */
  error?: string
}

/** Which events `deliver` sends, how often and in which order. */
export interface DeliverOptions {
  /** Only held events of these types. */
  types?: readonly string[]
  /** These events, held or not: a resend. */
  eventIds?: readonly string[]
  /** How often each is sent; default 1. */
  copies?: number
  /** Default `as-created`. A function gets the list with its copies and returns what to send. */
  order?: 'as-created' | 'reversed' | ((events: readonly Stripe.Event[]) => readonly Stripe.Event[])
  /** Send all at the same time instead of one after the other. */
  concurrently?: boolean
  /** Wait this long before each, in milliseconds. */
  delayMs?: number
  /** The time in the signature, in seconds since 1970; default now. */
  timestamp?: number
}

interface WebhookDeliveryOptions {
  mode: DeliveryMode
  /** How often `auto` tries one endpoint for one event. */
  maxAttempts: number
  /** The pause before the second try, in milliseconds; it doubles with each further one. */
  retryDelayMs: number
  /** How long an endpoint may take to answer. */
  timeoutMs: number
}

interface Progress {
  event: Stripe.Event
  isHeld: boolean
  isDropped: boolean
  /** Ids of the endpoints that had to be told when the event happened. */
  expected: Set<string>
  /** Ids of the endpoints that answered 2xx. */
  acknowledged: Set<string>
  /** By endpoint id. */
  attempts: Map<string, number>
}

/** Tells endpoints about events. */
export class WebhookDelivery {
  mode: DeliveryMode
  readonly log: Delivery[] = []
  readonly #progress = new Map<string, Progress>()
  readonly #handlers = new Map<string, WebhookHandler>()
  readonly #closed = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  #queue: Promise<void> = Promise.resolve()

  constructor(
    private readonly account: StripeAccount,
    private readonly options: WebhookDeliveryOptions,
  ) {
    this.mode = options.mode
  }

  /** Let a function stand for the endpoint's URL. */
  handleWith(endpointId: string, handler: WebhookHandler): void {
    this.#handlers.set(endpointId, handler)
  }

  /** A new event. */
  accept(event: Stripe.Event): void {
    const expected = this.#endpointsFor(event)
    event.pending_webhooks = expected.length
    this.#progress.set(event.id, {
      event,
      isHeld: this.mode === 'hold',
      isDropped: this.mode === 'drop',
      expected: new Set(expected.map((endpoint) => endpoint.id)),
      acknowledged: new Set(),
      attempts: new Map(),
    })
    if (this.mode !== 'auto' || expected.length === 0) return
    this.#queue = this.#queue.then(async () => {
      for (const endpoint of expected) await this.#tryWithRetries(event, endpoint)
    })
  }

  /** Events that wait for `deliver()`, oldest first. */
  held(): Stripe.Event[] {
    return [...this.#progress.values()].filter(({ isHeld }) => isHeld).map(({ event }) => event)
  }

  /** Every endpoint that had to be told has answered 2xx. */
  isDelivered(eventId: string): boolean {
    const progress = this.#progress.get(eventId)
    if (progress === undefined) return true
    if (progress.isHeld || (progress.isDropped && progress.acknowledged.size === 0)) return false
    return [...progress.expected].every((id) => progress.acknowledged.has(id))
  }

  /**
   * Send held or named events now. An event stays held until every endpoint has answered 2xx, so calling this again is
   * Stripe's retry.
   */
  async deliver(options: DeliverOptions): Promise<Delivery[]> {
    const steps = this.#inOrder(this.#select(options), options).flatMap((event) =>
      this.#targets(event, options.eventIds !== undefined).map((endpoint) => async () => {
        if (options.delayMs !== undefined) await this.pause(options.delayMs)
        return this.#attempt(event, endpoint, options.timestamp)
      }),
    )
    const results: Delivery[] = []
    if (options.concurrently === true) results.push(...(await Promise.all(steps.map((step) => step()))))
    else for (const step of steps) results.push(await step())
    return results
  }

  /** Held events that will never arrive. */
  discard(options: Pick<DeliverOptions, 'types' | 'eventIds'>): void {
    for (const event of this.#select(options)) {
      const progress = this.#progress.get(event.id)
      if (progress === undefined) continue
      progress.isHeld = false
      progress.isDropped = true
    }
  }

  /** Wait until every automatic delivery has been tried once. */
  async settled(): Promise<void> {
    for (;;) {
      const queue = this.#queue
      await queue
      if (queue === this.#queue) return
    }
  }

  /** Wait until nothing is under way: no first try and no further one. */
  async idle(): Promise<void> {
    do {
      await this.settled()
      await Promise.all(this.#running)
    } while (this.#running.size > 0)
  }

  /** Stop everything under way. */
  async close(): Promise<void> {
    this.mode = 'drop'
    this.#closed.abort()
    await this.idle()
  }

  /** Wait without keeping the process alive; ends at once when closed. */
  async pause(ms: number): Promise<void> {
    const { signal } = this.#closed
    if (signal.aborted) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms).unref()
      signal.addEventListener('abort', done)
    })
  }

  async #tryWithRetries(event: Stripe.Event, endpoint: Stripe.WebhookEndpoint): Promise<void> {
    const first = await this.#attempt(event, endpoint)
    if (isSuccess(first)) return
    const retries = this.#retry(event, endpoint)
    this.#running.add(retries)
    void retries.finally(() => this.#running.delete(retries))
  }

  /** Runs beside the queue: a failing endpoint does not hold up later events. */
  async #retry(event: Stripe.Event, endpoint: Stripe.WebhookEndpoint): Promise<void> {
    for (let attempt = 2; attempt <= this.options.maxAttempts; attempt += 1) {
      await this.pause(this.options.retryDelayMs * 2 ** (attempt - 2))
      const current = this.account.find('webhook_endpoint', endpoint.id)
      if (this.#closed.signal.aborted || current?.status !== 'enabled') return
      if (isSuccess(await this.#attempt(event, current))) return
    }
  }

  async #attempt(event: Stripe.Event, endpoint: Stripe.WebhookEndpoint, timestamp?: number): Promise<Delivery> {
    const progress = this.#progress.get(event.id)
    const attempt = (progress?.attempts.get(endpoint.id) ?? 0) + 1
    progress?.attempts.set(endpoint.id, attempt)
    const delivery: Delivery = { eventId: event.id, type: event.type, url: endpoint.url, attempt, status: 0, body: '' }
    try {
      const response = await this.#post(event, endpoint, timestamp)
      delivery.status = response.status
      delivery.body = await response.text()
    } catch (error) {
      // The endpoint did not answer: that is the delivery's result, not a failure of this server.
      delivery.error = describe(error)
    }
    this.log.push(delivery)
    if (progress !== undefined && isSuccess(delivery)) this.#acknowledge(progress, endpoint.id)
    return delivery
  }

  async #post(event: Stripe.Event, endpoint: Stripe.WebhookEndpoint, timestamp?: number): Promise<Response> {
    const body = JSON.stringify(event, null, 2)
    const secret = this.account.webhookSecrets.get(endpoint.id) ?? ''
    const headers = await webhookHeaders(body, [secret], timestamp)
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(this.options.timeoutMs)])
    signal.throwIfAborted()
    const handler = this.#handlers.get(endpoint.id)
    if (handler === undefined) {
      return fetch(endpoint.url, { method: 'POST', headers, body, redirect: 'manual', signal })
    }
    const answer = Promise.resolve(handler(new Request(endpoint.url, { method: 'POST', headers, body })))
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error(describe(signal.reason))), { once: true })
    })
    return Promise.race([answer, aborted])
  }

  #acknowledge(progress: Progress, endpointId: string): void {
    progress.acknowledged.add(endpointId)
    const waiting = this.#endpointsFor(progress.event).filter(({ id }) => !progress.acknowledged.has(id))
    progress.event.pending_webhooks = waiting.length
    if (waiting.length === 0) progress.isHeld = false
  }

  #select({ types, eventIds }: Pick<DeliverOptions, 'types' | 'eventIds'>): Stripe.Event[] {
    const candidates = eventIds === undefined ? this.held() : eventIds.map((id) => this.account.get('event', id))
    return candidates.filter((event) => types === undefined || types.includes(event.type))
  }

  #inOrder(events: readonly Stripe.Event[], options: DeliverOptions): readonly Stripe.Event[] {
    const copied = events.flatMap((event) => Array.from({ length: options.copies ?? 1 }, () => event))
    if (typeof options.order === 'function') return options.order(copied)
    return options.order === 'reversed' ? copied.reverse() : copied
  }

  #targets(event: Stripe.Event, isResend: boolean): Stripe.WebhookEndpoint[] {
    if (!this.account.all('webhook_endpoint').some(({ status }) => status === 'enabled')) {
      throw new Error('fakeStripe.deliver: no webhook endpoint is registered; set webhookUrl or call registerEndpoint')
    }
    const done = this.#progress.get(event.id)?.acknowledged
    return this.#endpointsFor(event).filter(({ id }) => isResend || done?.has(id) !== true)
  }

  #endpointsFor(event: Stripe.Event): Stripe.WebhookEndpoint[] {
    return this.account.all('webhook_endpoint').filter(({ status, enabled_events }) => {
      return status === 'enabled' && (enabled_events.includes('*') || enabled_events.includes(event.type))
    })
  }
}

function isSuccess({ status }: Delivery): boolean {
  return status >= 200 && status < 300
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
