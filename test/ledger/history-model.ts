/*
 * What accounts must hold, counted the slow way and written without looking at the ledger: lists of lots, uses and holds.
 * Knows nothing of heads, sequences or stored sums.
 */

export interface Lot {
  account: number
  /** Free credits; 0 once the lot has ended. */
  left: number
  startsAt: number
  endsAt: number
  priority: number
  paid: boolean
  voided: boolean
  /** Order of making. */
  number: number
}

export type LotTerms = Pick<Lot, 'startsAt' | 'endsAt' | 'priority' | 'paid'>

/** What becomes of credits that come back to a lot that has ended: gone, a new lot, or the lot lives again. */
export type RefundPolicy = 'expire' | 'regrant' | 'extend'

interface Part {
  lot: Lot
  amount: number
}

interface Use {
  at: number
  /** What it took, lot by lot, and has not given back yet. */
  taken: Part[]
}

interface ModelHold {
  account: number
  /** What it still pins, in the order in which captures use it. */
  pinned: Part[]
  endsAt: number
  open: boolean
}

export interface Capture {
  amount: number | null
  allowOver: boolean
  final: boolean
}

export type Answer =
  'done' | 'INSUFFICIENT_CREDITS' | 'ALREADY_REFUNDED' | 'NOT_REFUNDABLE' | 'HOLD_NOT_OPEN' | 'INVALID_AMOUNT'

const FOREVER: LotTerms = { startsAt: -Infinity, endsAt: Infinity, priority: 0, paid: false }

export class LedgerModel {
  readonly lots: Lot[] = []
  readonly uses: Use[] = []
  readonly holds: ModelHold[] = []
  readonly #policy: RefundPolicy

  constructor(policy: RefundPolicy) {
    this.#policy = policy
  }

  /** Time has passed: holds and lots whose time is over have ended. To be called before anything else at a new time. */
  pass(now: number): void {
    for (const hold of this.holds) if (hold.open && hold.endsAt <= now) end(hold, now)
    for (const lot of this.lots) if (lot.endsAt <= now) lot.left = 0
  }

  available(account: number, now: number): number {
    return sum(this.#usable(account, now).map(({ left }) => left))
  }

  held(account: number): number {
    const pinned = this.holds.filter((hold) => hold.account === account).flatMap((hold) => hold.pinned)
    return sum(pinned.map(({ amount }) => amount))
  }

  add(account: number, amount: number, terms: LotTerms = FOREVER): Answer {
    this.lots.push({ ...terms, account, left: amount, voided: false, number: this.lots.length })
    return 'done'
  }

  adjust(account: number, amount: number, now: number): Answer {
    if (amount > 0) return this.add(account, amount)
    return this.#take(account, -amount, now) === null ? 'INSUFFICIENT_CREDITS' : 'done'
  }

  /** All of them, or none. */
  deduct(items: readonly { account: number; amount: number }[], now: number): Answer {
    const accounts = new Set(items.map(({ account }) => account))
    for (const account of accounts) {
      const wanted = sum(items.filter((item) => item.account === account).map((item) => item.amount))
      if (wanted > this.available(account, now)) return 'INSUFFICIENT_CREDITS'
    }
    for (const { account, amount } of items) this.uses.push({ at: now, taken: this.#take(account, amount, now) ?? [] })
    return 'done'
  }

  /** Back to the lots, the last taken first. `amount` null: everything that is left of the use. */
  refund(use: Use, amount: number | null, now: number): Answer {
    const total = sum(use.taken.map((part) => part.amount))
    if (total === 0) return 'ALREADY_REFUNDED'
    if ((amount ?? total) > total) return 'NOT_REFUNDABLE'
    let wanted = amount ?? total
    for (const part of [...use.taken].reverse()) {
      const back = Math.min(part.amount, wanted)
      part.amount -= back
      wanted -= back
      if (back > 0) this.#giveBack(part.lot, back, use.at, now)
    }
    return 'done'
  }

  hold(account: number, amount: number, endsAt: number, now: number): Answer {
    const pinned = this.#take(account, amount, now)
    if (pinned === null) return 'INSUFFICIENT_CREDITS'
    this.holds.push({ account, pinned, endsAt, open: true })
    return 'done'
  }

  capture(hold: ModelHold, { amount, allowOver, final }: Capture, now: number): Answer {
    if (!hold.open) return 'HOLD_NOT_OPEN'
    const left = sum(hold.pinned.map((part) => part.amount))
    const wanted = amount ?? left
    if (wanted === 0 || (wanted > left && !allowOver)) return 'INVALID_AMOUNT'
    const extra = this.#take(hold.account, Math.max(0, wanted - left), now)
    if (extra === null) return 'INSUFFICIENT_CREDITS'
    const own = firstOf(hold.pinned, Math.min(wanted, left))
    this.uses.push({ at: now, taken: merged([...own, ...extra]) })
    if (final) end(hold, now)
    return 'done'
  }

  release(hold: ModelHold, now: number): Answer {
    if (!hold.open) return 'HOLD_NOT_OPEN'
    end(hold, now)
    return 'done'
  }

  extend(hold: ModelHold, endsAt: number): Answer {
    if (!hold.open) return 'HOLD_NOT_OPEN'
    hold.endsAt = Math.max(hold.endsAt, endsAt)
    return 'done'
  }

  /** A lot with nothing left of it has nothing to void, and stays as it is. */
  void(lot: Lot): Answer {
    const pinned = this.holds.flatMap((hold) => hold.pinned).filter((part) => part.lot === lot && part.amount > 0)
    if (lot.left > 0 || pinned.length > 0) lot.voided = true
    return 'done'
  }

  transfer(from: number, to: number, amount: number, now: number): Answer {
    const taken = this.#take(from, amount, now)
    if (taken === null) return 'INSUFFICIENT_CREDITS'
    for (const { lot, amount: part } of taken) this.add(to, part, lot)
    return 'done'
  }

  #giveBack(lot: Lot, amount: number, usedAt: number, now: number): void {
    const ended = lot.voided || lot.endsAt <= now
    if (ended && (this.#policy === 'expire' || lot.voided)) return
    // It lives for as long as the lot still had when it was used.
    const endsAt = ended ? now + Math.max(1, lot.endsAt - usedAt) : lot.endsAt
    if (ended && this.#policy === 'regrant') {
      const { priority, paid } = lot
      this.add(lot.account, amount, { ...FOREVER, priority, paid, endsAt })
      return
    }
    lot.endsAt = endsAt
    lot.left += amount
  }

  /** Null: not covered, and nothing was taken. */
  #take(account: number, amount: number, now: number): Part[] | null {
    if (this.available(account, now) < amount) return null
    const taken: Part[] = []
    let wanted = amount
    while (wanted > 0) {
      const lot = this.#usable(account, now).reduce((best, other) => (burnsBefore(other, best) ? other : best))
      const part = Math.min(lot.left, wanted)
      lot.left -= part
      wanted -= part
      taken.push({ lot, amount: part })
    }
    return taken
  }

  #usable(account: number, now: number): Lot[] {
    return this.lots.filter((lot) => {
      return lot.account === account && !lot.voided && lot.left > 0 && lot.startsAt <= now && now < lot.endsAt
    })
  }
}

/** What a hold pins is free again, or gone where the lot has ended meanwhile. */
function end(hold: ModelHold, now: number): void {
  for (const { lot, amount } of hold.pinned) if (now < lot.endsAt) lot.left += amount
  hold.pinned = []
  hold.open = false
}

/** Take the first `amount` out of these parts. */
function firstOf(parts: Part[], amount: number): Part[] {
  let wanted = amount
  return parts.map((part) => {
    const taken = Math.min(part.amount, wanted)
    part.amount -= taken
    wanted -= taken
    return { lot: part.lot, amount: taken }
  })
}

/** One part for each lot, in the order of the first. */
function merged(parts: readonly Part[]): Part[] {
  const whole: Part[] = []
  for (const { lot, amount } of parts.filter((part) => part.amount > 0)) {
    const known = whole.find((part) => part.lot === lot)
    if (known === undefined) whole.push({ lot, amount })
    else known.amount += amount
  }
  return whole
}

function burnsBefore(a: Lot, b: Lot): boolean {
  const [left, right] = [a, b].map((lot) => [lot.priority, lot.endsAt, lot.paid ? 1 : 0, lot.startsAt, lot.number])
  for (const [index, value] of (left ?? []).entries()) {
    const other = right?.[index] ?? 0
    if (value !== other) return value < other
  }
  return false
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}
