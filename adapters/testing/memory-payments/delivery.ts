import type { MemoryEvent } from './events.js'
import type { MemoryDeliveryMode, MemorySettings } from './settings.js'
import { SIGNATURE_HEADER, signatureOf } from './webhooks.js'

/** Gets the signed request, answers it: `(request) => credits.handleWebhook(request)`. */
export type MemoryWebhookHandler = (request: Request) => Response | Promise<Response>

/** One attempt to tell of one event. */
export interface MemoryDelivery {
  eventId: string
  type: string
  /** HTTP status; 0 when there was no answer. */
  status: number
  body: string
}

/** Which events `deliver` sends, how often and in which order. */
export interface MemoryDeliverOptions {
  /** Only held events of these types. */
  types?: readonly string[]
  /** These events, held or not: a resend. */
  eventIds?: readonly string[]
  /** How often each is sent; default 1. */
  copies?: number
  /** Default `as-created`. A function gets the list with its copies and returns what to send. */
  order?: 'as-created' | 'reversed' | ((events: readonly MemoryEvent[]) => readonly MemoryEvent[])
  /** Send all at the same time instead of one after the other. */
  concurrently?: boolean
  /** The time in the signature, in seconds since 1970; default now. */
  timestamp?: number
}

/** Tells the host about events. */
export class MemoryDeliveries {
  mode: MemoryDeliveryMode
  readonly log: MemoryDelivery[] = []
  #handler: MemoryWebhookHandler | null = null
  #held: MemoryEvent[] = []
  readonly #acknowledged = new Set<string>()
  #queue: Promise<unknown> = Promise.resolve()

  constructor(private readonly settings: MemorySettings) {
    this.mode = settings.delivery
  }

  register(handler: MemoryWebhookHandler): void {
    this.#handler = handler
  }

  /** A new event. */
  accept(event: MemoryEvent): void {
    if (this.mode === 'drop') return
    this.#held.push(event)
    const handler = this.#handler
    if (this.mode === 'auto' && handler !== null) {
      this.#queue = this.#queue.then(() => this.#attempt(handler, event))
    }
  }

  /** Events that wait for `deliver()`, oldest first. */
  held(): MemoryEvent[] {
    return [...this.#held]
  }

  isDelivered(event: MemoryEvent): boolean {
    return this.#acknowledged.has(event.id)
  }

  async deliver(events: readonly MemoryEvent[], options: MemoryDeliverOptions): Promise<MemoryDelivery[]> {
    const handler = this.#handler
    if (handler === null) throw new Error('memoryPayments.deliver: call registerEndpoint first')
    await this.settled()
    const wanted = this.#select(events, options).flatMap((event) =>
      Array.from({ length: options.copies ?? 1 }, () => event),
    )
    const ordered = typeof options.order === 'function' ? options.order(wanted) : wanted
    if (options.order === 'reversed') wanted.reverse()
    const steps = ordered.map((event) => () => this.#attempt(handler, event, options.timestamp))
    if (options.concurrently === true) return Promise.all(steps.map((step) => step()))
    const results: MemoryDelivery[] = []
    for (const step of steps) results.push(await step())
    return results
  }

  /** Held events that will never arrive. */
  discard(events: readonly MemoryEvent[], options: Pick<MemoryDeliverOptions, 'types' | 'eventIds'>): void {
    const gone = this.#select(events, options)
    this.#held = this.#held.filter((event) => !gone.includes(event))
  }

  /** Wait until every automatic delivery has been tried. */
  async settled(): Promise<void> {
    for (;;) {
      const queue = this.#queue
      await queue
      if (queue === this.#queue) return
    }
  }

  #select(
    events: readonly MemoryEvent[],
    { types, eventIds }: Pick<MemoryDeliverOptions, 'types' | 'eventIds'>,
  ): MemoryEvent[] {
    const named = eventIds === undefined ? this.#held : events.filter(({ id }) => eventIds.includes(id))
    return named.filter(({ type }) => types === undefined || types.includes(type))
  }

  async #attempt(handler: MemoryWebhookHandler, event: MemoryEvent, signedAt?: number): Promise<MemoryDelivery> {
    const delivery: MemoryDelivery = { eventId: event.id, type: event.type, status: 0, body: '' }
    try {
      const response = await handler(requestOf(event, this.settings, signedAt))
      delivery.status = response.status
      delivery.body = await response.text()
    } catch (error) {
      // The endpoint did not answer: that is the delivery's result, not a failure of the service.
      delivery.body = String(error)
    }
    this.log.push(delivery)
    if (delivery.status >= 200 && delivery.status < 300) {
      this.#acknowledged.add(event.id)
      this.#held = this.#held.filter(({ id }) => id !== event.id)
    }
    return delivery
  }
}

function requestOf({ createdAt: _, ...event }: MemoryEvent, settings: MemorySettings, signedAt?: number): Request {
  const body = new TextEncoder().encode(JSON.stringify(event))
  const headers = { 'content-type': 'application/json', [SIGNATURE_HEADER]: signatureOf(body, settings, signedAt) }
  return new Request('http://localhost/webhooks/memory', { method: 'POST', headers, body })
}
