/*
 * What an account must hold, counted the slow way and written without looking at the ledger: a list of lots and a list
 * of uses. Knows nothing of heads, sequences or stored sums.
 */

export interface Lot {
  left: number
  startsAt: number
  endsAt: number
  priority: number
  paid: boolean
  /** Order of making. */
  number: number
  /** As given, for the order of lots that are equal otherwise. */
  startOrder: number
}

interface Use {
  /** What it took, lot by lot, and has not given back yet. */
  taken: { lot: Lot; amount: number }[]
}

export type Answer = 'done' | 'insufficient' | 'already-refunded' | 'too-much'

export class AccountModel {
  readonly lots: Lot[] = []
  readonly uses: Use[] = []

  add(amount: number, lot: Omit<Lot, 'left' | 'number'>): Answer {
    this.lots.push({ ...lot, left: amount, number: this.lots.length })
    return 'done'
  }

  available(now: number): number {
    return this.#usable(now).reduce((sum, { left }) => sum + left, 0)
  }

  deduct(amount: number, now: number): Answer {
    const taken = this.#take(amount, now)
    if (taken === null) return 'insufficient'
    this.uses.push({ taken })
    return 'done'
  }

  adjust(amount: number, now: number): Answer {
    if (amount < 0) return this.#take(-amount, now) === null ? 'insufficient' : 'done'
    return this.add(amount, { startsAt: -Infinity, endsAt: Infinity, priority: 0, paid: false, startOrder: -Infinity })
  }

  /** Back to the lots, the last taken first. `amount` null: everything that is left of the use. */
  refund(use: number, amount: number | null, now: number): Answer {
    const taken = this.uses[use]?.taken ?? []
    const total = taken.reduce((sum, part) => sum + part.amount, 0)
    if (total === 0) return 'already-refunded'
    if ((amount ?? total) > total) return 'too-much'
    let wanted = amount ?? total
    for (const part of [...taken].reverse()) {
      const back = Math.min(part.amount, wanted)
      part.amount -= back
      wanted -= back
      // What comes back to a lot that has ended is gone.
      if (now < part.lot.endsAt) part.lot.left += back
    }
    return 'done'
  }

  #take(amount: number, now: number): Use['taken'] | null {
    if (this.available(now) < amount) return null
    const taken: Use['taken'] = []
    let wanted = amount
    while (wanted > 0) {
      const lot = this.#usable(now).reduce((best, other) => (burnsBefore(other, best) ? other : best))
      const part = Math.min(lot.left, wanted)
      lot.left -= part
      wanted -= part
      taken.push({ lot, amount: part })
    }
    return taken
  }

  #usable(now: number): Lot[] {
    return this.lots.filter((lot) => lot.left > 0 && lot.startsAt <= now && now < lot.endsAt)
  }
}

function burnsBefore(a: Lot, b: Lot): boolean {
  const [left, right] = [a, b].map((lot) => [lot.priority, lot.endsAt, lot.paid ? 1 : 0, lot.startOrder, lot.number])
  for (const [index, value] of (left ?? []).entries()) {
    const other = right?.[index] ?? 0
    if (value !== other) return value < other
  }
  return false
}
