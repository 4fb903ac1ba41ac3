import type { CreditEvent, CreditService, CreditServiceOptions, EventCallbacks, EventKind } from '../../src/index.js'
import { EVENT_KINDS } from '../../src/ledger/event.js'
import type { Logger } from '../../src/ports/logger.js'

/** A service that listens, and what it was told. */
export interface Listener {
  credits: CreditService
  /** Everything it was told, in this order; also of other tests' users. */
  told: CreditEvent[]
  /** What it was told of one user. */
  of: (userId: string) => CreditEvent[]
  /** Its kinds alone. */
  kinds: (userId: string) => EventKind[]
  /** Deliveries that were handed to `waitUntil` and have not been waited for. */
  work: Promise<unknown>[]
  /** Until all deliveries that have begun are over. */
  finished: () => Promise<void>
  warnings: string[]
}

/**
 * Make a service that listens to these kinds. `respond` runs within the callback, after the event was noted; what it
 * throws, the callback throws.
 */
export function listen(
  { service }: { service: (options: CreditServiceOptions) => CreditService },
  kinds: readonly EventKind[] = EVENT_KINDS,
  { respond, ...options }: CreditServiceOptions & { respond?: (event: CreditEvent) => unknown } = {},
): Listener {
  const told: CreditEvent[] = []
  const work: Promise<unknown>[] = []
  const warnings: string[] = []
  const note = (_details: object, message: string) => void warnings.push(message)
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn: note, error: note }
  const callback = (event: CreditEvent): unknown => {
    told.push(event)
    return respond?.(event)
  }
  const on: EventCallbacks = Object.fromEntries(kinds.map((kind) => [kind, callback]))
  const credits = service({ on, logger, waitUntil: (delivery) => void work.push(delivery), ...options })
  const of = (userId: string) => told.filter((event) => event.userId === userId)
  return {
    credits,
    told,
    of,
    kinds: (userId) => of(userId).map(({ kind }) => kind),
    work,
    warnings,
    finished: async () => {
      for (let next = work.shift(); next !== undefined; next = work.shift()) await next
    },
  }
}

/** A promise to be kept by hand. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
