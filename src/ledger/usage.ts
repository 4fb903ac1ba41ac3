import type { Transaction } from './transaction.js'

/** What happened to an account on one UTC day. Credits, positive; `date` is `YYYY-MM-DD`. */
export interface DayOfUse {
  date: string
  /** Number of transactions. */
  transactions: number
  used: number
  purchased: number
  /** Uses given back. */
  refunded: number
  /** Everything that came in. */
  added: number
  /** Every transaction of the day lies between these; others may, too, where the clock went back. */
  firstSeq: number
  lastSeq: number
}

/** The days of an account up to and with transaction `seq`, summed up once so that nobody has to read them again. */
export interface RolledUpUsage {
  seq: number
  days: DayOfUse[]
}

/** Sums of transactions by UTC day, in order. */
export function usageByDay(transactions: Iterable<Transaction>): DayOfUse[] {
  const days = new Map<string, DayOfUse>()
  for (const { transactionType, amount, createdAt, relatedId, seq } of transactions) {
    const date = createdAt.toISOString().slice(0, 10)
    const day = days.get(date) ?? emptyDay(date, seq)
    days.set(date, day)
    day.transactions += 1
    if (transactionType === 'usage') day.used -= amount
    if (transactionType === 'purchase') day.purchased += amount
    if (transactionType === 'refund' && relatedId !== null) day.refunded += amount
    if (amount > 0) day.added += amount
    day.firstSeq = Math.min(day.firstSeq, seq)
    day.lastSeq = Math.max(day.lastSeq, seq)
  }
  return [...days.values()].sort((a, b) => (a.date < b.date ? -1 : 1))
}

function emptyDay(date: string, seq: number): DayOfUse {
  return { date, transactions: 0, used: 0, purchased: 0, refunded: 0, added: 0, firstSeq: seq, lastSeq: seq }
}
