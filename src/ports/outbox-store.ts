import type { EventKind, EventRecord } from '../ledger/event.js'

/** An event handed out for delivery. */
export interface ClaimedEvent extends EventRecord {
  /** How often its delivery has failed so far. */
  failures: number
}

export interface ClaimQuery {
  limit: number
  /** Kinds the claimer can tell somebody of. */
  kinds: readonly EventKind[]
  leaseSeconds: number
  now: Date | null
}

/**
 * Events waiting to be told. They are written with the decision they belong to (`AccountChanges.events`), and go when they
 * have been told.
 */
export interface OutboxStore {
  /**
   * Hand out events to deliver, those of one account in the order of `seq` and `position`. An account's events go to one
   * claimer at a time: nobody else gets any of them for `leaseSeconds`, or until they are settled. An account whose first
   * event waits for its next attempt, or is of none of `kinds`, waits as a whole, and so does everything behind an event
   * of another kind; parked events are passed over. `now` as in a command.
   */
  claimEvents(query: ClaimQuery): Promise<ClaimedEvent[]>

  /** The event has been told: it goes. Repeating changes nothing. */
  settleEvent(event: Pick<EventRecord, 'userId' | 'id'>): Promise<void>

  /**
   * Telling it failed: count the failure and try again in `delaySeconds`; null: never again, the event is parked and its
   * account goes on. Events that were handed out behind it are free again.
   */
  failEvent(event: Pick<EventRecord, 'userId' | 'id'>, delaySeconds: number | null, now: Date | null): Promise<void>

  /** Events that were parked, oldest first. */
  listParkedEvents(limit: number): Promise<ClaimedEvent[]>
}
