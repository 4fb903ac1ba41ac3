import type { Clock } from './ports/clock.js'
import type { Logger } from './ports/logger.js'
import type { ClaimedEvent, OutboxStore } from './ports/outbox-store.js'
import type { AccountKey } from './ledger/account.js'
import { ALL_EVENT_KINDS, type EventKind, type EventPayloads, type HostEventKind } from './ledger/event.js'

/** What a callback is given: what happened, to whose credits, and when. `id` is the same in every attempt. */
export type CreditEvent<K extends HostEventKind = HostEventKind> = {
  [E in HostEventKind]: EventPayloads[E] & { id: string; kind: E; userId: string; creditType: string; createdAt: Date }
}[K]

/**
 * Callbacks by kind of event. Each is told after its write has committed, at least once, in order per account. What it
 * throws is logged and tried again; a write is never undone, delayed or repeated by it. A callback may use the service, but
 * not wait for its `runDue` or `close`, which wait for callbacks.
 */
export type EventCallbacks = { [K in HostEventKind]?: ((event: CreditEvent<K>) => unknown) | undefined }

/** Ours beside the host's. */
export type AllCallbacks = EventCallbacks & { topupDue?: ((account: AccountKey) => Promise<void>) | undefined }

export interface DeliveryReport {
  delivered: number
  failed: number
}

/** An event that failed so often is parked, and its account goes on. */
const MAX_FAILURES = 10

/** A callback that takes longer counts as failed, in milliseconds; it may still be running when it is called again. */
const CALLBACK_TIMEOUT_MS = 30_000

/** How long nobody else gets an event that was handed out; longer than a page of callbacks should take. */
const LEASE_SECONDS = 120

const EVENTS_AT_ONCE = 50

/** So many accounts are told at the same time; slow callbacks of more than these keep others waiting. */
const ACCOUNTS_AT_ONCE = 100

export interface EventDeliveryTools {
  store: OutboxStore
  on: AllCallbacks
  /** Keeps a serverless process alive until the promise has settled. */
  waitUntil: ((work: Promise<unknown>) => void) | null
  clock: Clock | null
  logger: Logger
}

/** Tells waiting events to the host's callbacks: after every write that made some, and whenever `runDue` runs. */
export class EventDelivery {
  readonly #tools: EventDeliveryTools
  readonly #kinds: readonly EventKind[]
  #running: Promise<DeliveryReport> | null = null
  /** How often there was a reason to look for events. */
  #wakes = 0
  #wakeUp: () => void = () => undefined

  constructor(tools: EventDeliveryTools) {
    this.#tools = tools
    this.#kinds = ALL_EVENT_KINDS.filter((kind) => tools.on[kind] !== undefined)
  }

  /** There are new events. Returns at once; nobody waits for callbacks. */
  wake(): void {
    this.#wakes += 1
    if (this.#running !== null) {
      this.#wakeUp()
      return
    }
    const work = this.deliver(null).catch((error: unknown) => {
      // They stay in the outbox, and the next write or runDue tells them.
      this.#tools.logger.warn({ err: error }, 'events could not be delivered now')
    })
    try {
      this.#tools.waitUntil?.(work)
    } catch (error) {
      // What was asked for is written; Next's `after`, for one, throws outside of a request.
      this.#tools.logger.warn({ err: error }, 'waitUntil failed; events are told all the same, while the process lives')
    }
  }

  /** Tell everything that waits; begin nothing new after `deadline`. Calls at the same time share one run. */
  deliver(deadline: number | null): Promise<DeliveryReport> {
    if (this.#kinds.length === 0) return Promise.resolve({ delivered: 0, failed: 0 })
    this.#running ??= this.#deliverAll(deadline)
    return this.#running
  }

  /** Until the deliveries that have begun are over. */
  async finished(): Promise<void> {
    await this.#running?.catch(() => null)
  }

  /** Accounts are told side by side, so that a slow callback delays no other account. */
  async #deliverAll(deadline: number | null): Promise<DeliveryReport> {
    const report: DeliveryReport = { delivered: 0, failed: 0 }
    const busy = new Set<Promise<void>>()
    try {
      for (;;) {
        const seen = this.#wakes
        const inTime = deadline === null || Date.now() < deadline
        const page = inTime && busy.size < ACCOUNTS_AT_ONCE ? await this.#claim() : []
        for (const events of byAccount(page)) {
          const work: Promise<void> = this.#deliverAccount(events, report).finally(() => {
            busy.delete(work)
            // A claim that was under way saw this account as taken, and what waits behind it not at all.
            this.#wakes += 1
          })
          busy.add(work)
        }
        if (page.length > 0) continue
        // In one turn with the last look at what is left, so that no wake comes between.
        if (busy.size === 0 && seen === this.#wakes) break
        await this.#somethingHappens(busy, seen)
      }
    } finally {
      this.#running = null
      await Promise.allSettled(busy)
    }
    return report
  }

  #claim(): Promise<ClaimedEvent[]> {
    const { store } = this.#tools
    const kinds = this.#kinds
    return store.claimEvents({ limit: EVENTS_AT_ONCE, kinds, leaseSeconds: LEASE_SECONDS, now: this.#now() })
  }

  /** One of the accounts is done, or there are new events. */
  async #somethingHappens(busy: ReadonlySet<Promise<void>>, seen: number): Promise<void> {
    if (busy.size === 0 || seen !== this.#wakes) return
    const woken = new Promise<void>((resolve) => {
      this.#wakeUp = resolve
    })
    await Promise.race([woken, ...busy])
  }

  async #deliverAccount(events: readonly ClaimedEvent[], report: DeliveryReport): Promise<void> {
    try {
      await this.#deliverInOrder(events, report)
    } catch (error) {
      // What could not be noted is told again when its lease is over.
      this.#tools.logger.warn({ err: error }, 'what became of an event could not be noted')
    }
  }

  /** One account's events; behind one that fails, the others wait for a page of their own. */
  async #deliverInOrder(events: readonly ClaimedEvent[], report: DeliveryReport): Promise<void> {
    const { store, logger } = this.#tools
    const leaseEnds = Date.now() + LEASE_SECONDS * 1000
    for (const event of events) {
      // Left to whoever claims them next: somebody else may have them before this callback is over.
      if (Date.now() + CALLBACK_TIMEOUT_MS > leaseEnds) return
      try {
        await this.#call(event)
      } catch (error) {
        report.failed += 1
        const failures = event.failures + 1
        const parked = failures >= MAX_FAILURES
        const { id, kind, userId } = event
        logger[parked ? 'error' : 'warn'](
          { err: error, id, kind, userId, failures, parked },
          'an event callback failed',
        )
        await store.failEvent(event, parked ? null : retryDelaySeconds(failures), this.#now())
        // Those behind it are anybody's now; the next page has them.
        return
      }
      await store.settleEvent(event)
      report.delivered += 1
    }
  }

  async #call({ id, kind, userId, creditType, createdAt, payload }: ClaimedEvent): Promise<void> {
    // Only kinds that have a callback are claimed; TypeScript can't pair it with its event through the union.
    const callback = this.#tools.on[kind] as (event: unknown) => unknown
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      const message = `the callback took longer than ${CALLBACK_TIMEOUT_MS / 1000} s`
      timer = setTimeout(() => reject(new Error(message)), CALLBACK_TIMEOUT_MS)
    })
    try {
      await Promise.race([callback({ ...payload, id, kind, userId, creditType, createdAt }), late])
    } finally {
      clearTimeout(timer)
    }
  }

  #now(): Date | null {
    return this.#tools.clock?.now() ?? null
  }
}

/** 2 s, 4 s, 8 s, … up to an hour. */
function retryDelaySeconds(failures: number): number {
  return Math.min(3600, 2 ** failures)
}

function byAccount(events: readonly ClaimedEvent[]): ClaimedEvent[][] {
  const groups = new Map<string, ClaimedEvent[]>()
  for (const event of events) {
    const account = JSON.stringify([event.userId, event.creditType])
    groups.set(account, [...(groups.get(account) ?? []), event])
  }
  return [...groups.values()]
}
