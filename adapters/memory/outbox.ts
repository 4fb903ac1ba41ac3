import type { EventRecord } from '../../src/ledger/event.js'
import type { ClaimedEvent, ClaimQuery } from '../../src/ports/outbox-store.js'
import { ledgerKey } from './ledgers.js'

interface Waiting extends ClaimedEvent {
  nextAttemptAt: Date
  parked: boolean
}

/** Events waiting to be told, in the order in which they were written. */
export class Outbox {
  #waiting: Waiting[] = []

  add(events: readonly EventRecord[]): void {
    for (const event of events)
      this.#waiting.push({ ...event, failures: 0, nextAttemptAt: event.createdAt, parked: false })
  }

  claim({ limit, kinds, leaseSeconds }: ClaimQuery, now: Date): ClaimedEvent[] {
    const claimed: Waiting[] = []
    const held = new Set<string>()
    for (const event of this.#waiting.filter(({ parked }) => !parked)) {
      const account = ledgerKey(event)
      const isFirst = !claimed.some((other) => ledgerKey(other) === account)
      // The first event decides for its account; those behind it go along.
      if (!kinds.includes(event.kind) || (isFirst && event.nextAttemptAt > now)) held.add(account)
      if (claimed.length < limit && !held.has(account)) claimed.push(event)
    }
    for (const event of claimed) event.nextAttemptAt = new Date(now.getTime() + leaseSeconds * 1000)
    return claimed.map(withoutDelivery)
  }

  settle(id: string): void {
    this.#waiting = this.#waiting.filter((event) => event.id !== id)
  }

  fail(id: string, delaySeconds: number | null, now: Date): void {
    const failed = this.#waiting.find((event) => event.id === id)
    if (failed === undefined) return
    const behind = this.#waiting.slice(this.#waiting.indexOf(failed) + 1)
    for (const event of behind) if (ledgerKey(event) === ledgerKey(failed)) event.nextAttemptAt = now
    failed.failures += 1
    failed.parked = delaySeconds === null
    failed.nextAttemptAt = new Date(now.getTime() + (delaySeconds ?? 0) * 1000)
  }

  parked(limit: number): ClaimedEvent[] {
    return this.#waiting
      .filter(({ parked }) => parked)
      .slice(0, limit)
      .map(withoutDelivery)
  }

  drop(userId: string): void {
    this.#waiting = this.#waiting.filter((event) => event.userId !== userId)
  }
}

function withoutDelivery({ nextAttemptAt: _next, parked: _parked, ...event }: Waiting): ClaimedEvent {
  return structuredClone(event)
}
