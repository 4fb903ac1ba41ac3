import type { CreditTransaction } from '../../../src/credit-transaction.js'

/** What a client tells: before it asks for something, and after it was answered. */
export type Told =
  | { kind: 'asks'; userId: string; key: string; amount: number }
  | { kind: 'acknowledged'; key: string; transactionId: string; replayed: boolean }
  | { kind: 'refused'; key: string; code: string }

/** What was found wrong, in words. */
export interface Findings {
  /** Acknowledged, and not in the ledger. */
  lost: string[]
  /** One key, more than one row; or another amount than was asked for. */
  doubled: string[]
  /** Refused by name, and in the ledger all the same. */
  refusedButWritten: string[]
  /** An account below 0. */
  overspent: string[]
}

/** Everything the clients told, kept outside of the database. */
export class Journal {
  readonly #asked = new Map<string, { userId: string; amount: number }>()
  readonly #acknowledged = new Map<string, string>()
  readonly #refused = new Set<string>()
  replays = 0

  note(told: Told): void {
    if (told.kind === 'asks') this.#asked.set(told.key, { userId: told.userId, amount: told.amount })
    if (told.kind === 'refused') this.#refused.add(told.key)
    if (told.kind !== 'acknowledged') return
    this.#acknowledged.set(told.key, told.transactionId)
    if (told.replayed) this.replays += 1
  }

  get asked(): number {
    return this.#asked.size
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** Compare what was told with what the ledger says. */
  compare(ledger: readonly CreditTransaction[]): Findings {
    const byKey = new Map<string, CreditTransaction[]>()
    for (const row of ledger) {
      if (row.idempotencyKey === null) continue
      const rows = byKey.get(row.idempotencyKey) ?? []
      rows.push(row)
      byKey.set(row.idempotencyKey, rows)
    }
    const findings: Findings = { lost: [], doubled: [], refusedButWritten: [], overspent: [] }
    for (const [key, transactionId] of this.#acknowledged)
      if (!(byKey.get(key) ?? []).some(({ id }) => id === transactionId)) findings.lost.push(key)
    for (const [key, rows] of byKey) {
      const asked = this.#asked.get(key)
      if (asked === undefined) continue
      const isAsAsked = rows.length === 1 && rows[0]?.amount === -asked.amount && rows[0].userId === asked.userId
      if (!isAsAsked) findings.doubled.push(key)
      if (this.#refused.has(key) && !this.#acknowledged.has(key)) findings.refusedButWritten.push(key)
    }
    for (const { userId, balanceAfter, seq } of ledger)
      if (balanceAfter < 0) findings.overspent.push(`${userId}, row ${seq}`)
    return findings
  }
}
