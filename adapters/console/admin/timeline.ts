import type { ProcedureOutput, Visit } from '../frame.js'

export type TimelineEntry =
  | { kind: 'transaction'; at: Date; transaction: ProcedureOutput<'listUserTransactions'>['transactions'][number] }
  | { kind: 'purchase'; at: Date; purchase: ProcedureOutput<'getUserPurchases'>['purchases'][number] }

/** Where each of the two lists goes on: null from its start, `END` nowhere. */
export interface TimelinePlace {
  transactions: string | null
  purchases: string | null
}

/** No cursor of either list is this text. */
export const END = 'end'

interface Asked {
  userId: string
  creditType: string | undefined
  place: TimelinePlace
  /** Entries of a page. */
  limit: number
}

/**
 * Transactions and purchases as one list, newest first. Both are read by their own keyset cursors, so a page costs the same
 * at any depth, and nothing is shown twice or left out between pages.
 */
export async function readTimeline(
  visit: Visit,
  { userId, creditType, place, limit }: Asked,
): Promise<{ entries: TimelineEntry[]; next: TimelinePlace | null }> {
  const transactions = new Source(place.transactions, limit, async (page) => {
    const read = await visit.run('listUserTransactions', { userId, creditType, ...page })
    return { ...read, entries: read.transactions.map(transactionEntry) }
  })
  const purchases = new Source(place.purchases, limit, async (page) => {
    const read = await visit.run('getUserPurchases', { userId, ...page })
    return { ...read, entries: read.purchases.map(purchaseEntry) }
  })
  const isAsked = (entry: TimelineEntry) =>
    entry.kind === 'transaction' || creditType === undefined || entry.purchase.creditType === creditType
  const entries: TimelineEntry[] = []
  while (entries.length < limit) {
    const [transaction, purchase] = await Promise.all([transactions.peek(), purchases.peek()])
    // Of the same moment the transaction is shown first: what a purchase brought is newer than the purchase.
    const isPurchase = purchase !== null && (transaction === null || purchase.at > transaction.at)
    const newest = isPurchase ? purchase : transaction
    if (newest === null) return { entries, next: null }
    ;(isPurchase ? purchases : transactions).take()
    if (isAsked(newest)) entries.push(newest)
  }
  const [nextTransactions, nextPurchases] = await Promise.all([transactions.place(), purchases.place()])
  const isOver = nextTransactions === END && nextPurchases === END
  return { entries, next: isOver ? null : { transactions: nextTransactions, purchases: nextPurchases } }
}

function transactionEntry(transaction: ProcedureOutput<'listUserTransactions'>['transactions'][number]): TimelineEntry {
  return { kind: 'transaction', at: transaction.createdAt, transaction }
}

function purchaseEntry(purchase: ProcedureOutput<'getUserPurchases'>['purchases'][number]): TimelineEntry {
  return { kind: 'purchase', at: purchase.createdAt, purchase }
}

type ReadPage = (page: {
  limit: number
  cursor: string | null
}) => Promise<{ entries: TimelineEntry[]; nextCursor: string | null }>

/** One of the lists, entry by entry. */
class Source {
  readonly #read: ReadPage
  readonly #limit: number
  /** Where the page in hand begins, and where the next one does. */
  #start: string | null
  #next: string | null
  #page: TimelineEntry[] = []
  #taken = 0
  #isRead = false

  constructor(start: string | null, limit: number, read: ReadPage) {
    this.#start = start
    this.#next = start
    this.#limit = limit
    this.#read = read
  }

  /** The next entry; null: there are no more. */
  async peek(): Promise<TimelineEntry | null> {
    while (this.#taken === this.#page.length) {
      if (this.#next === END || (this.#isRead && this.#next === null)) return null
      this.#start = this.#next
      const { entries, nextCursor } = await this.#read({ limit: this.#limit, cursor: this.#start })
      this.#page = entries
      this.#taken = 0
      this.#next = nextCursor
      this.#isRead = true
    }
    return this.#page[this.#taken] ?? null
  }

  take(): void {
    this.#taken += 1
  }

  /** Where the list goes on after what was taken. In the middle of a page only a shorter page knows. */
  async place(): Promise<string | null> {
    if (this.#start === END) return END
    if (this.#taken === this.#page.length) return this.#next ?? END
    if (this.#taken === 0) return this.#start
    const { nextCursor } = await this.#read({ limit: this.#taken, cursor: this.#start })
    return nextCursor ?? END
  }
}
