import { useRef, useState } from 'react'
import { type Transaction, type TransactionFilter, useProvided } from './provider.js'
import { asError, type QueryResult, useMounted, useQuery } from './use-query.js'

/**
 * What `useTransactions` gives: `data` holds all pages that were asked for so far, newest first. `error` is also that
 * of `loadMore`.
 */
export interface TransactionsResult extends QueryResult<Transaction[]> {
  /** There are older ones. */
  hasMore: boolean
  isLoadingMore: boolean
  /** Get the next page; it is added to `data`. Called again meanwhile, it waits for the same page. */
  loadMore: () => Promise<void>
}

/** The pages after the first. */
interface Older {
  /** Which first page they follow. */
  after: object
  transactions: Transaction[]
  /** Where the next page begins; null: there is none. */
  cursor: string | null
  /** The next page, while it is on its way. */
  loading: Promise<void> | null
  error: Error | undefined
}

/** Transactions, newest first, page by page. When the first page changes, it begins anew. */
export function useTransactions(filter: TransactionFilter = {}): TransactionsResult {
  const { client, cache } = useProvided('useTransactions')
  const query = cache.query('listTransactions', filter, () => client.listTransactions(filter))
  const { data: first, ...state } = useQuery(query)
  const [shown, setShown] = useState<Older | null>(null)
  // What is shown next: React may take its time, and the next page follows this one.
  const known = useRef<Older | null>(null)
  const isMounted = useMounted()

  const show = (older: Older): void => {
    known.current = older
    if (isMounted.current) setShown(older)
  }
  const load = async (before: Older, cursor: string): Promise<void> => {
    let after: Older
    try {
      const { transactions, nextCursor } = await client.listTransactions({ ...filter, cursor })
      after = { ...before, transactions: [...before.transactions, ...transactions], cursor: nextCursor }
    } catch (reason) {
      after = { ...before, error: asError(reason) }
    }
    // Else it began anew meanwhile.
    if (known.current?.after === before.after) show(after)
  }
  const loadMore = async (): Promise<void> => {
    const page = query.state().data
    if (page === undefined) return
    const before: Older =
      known.current?.after === page
        ? known.current
        : { after: page, transactions: [], cursor: page.nextCursor, loading: null, error: undefined }
    if (before.loading !== null) return before.loading
    if (before.cursor === null) return
    const { cursor: next } = before
    // Not before it is shown as loading: its end takes that back.
    const loading = Promise.resolve().then(() => load({ ...before, error: undefined }, next))
    show({ ...before, error: undefined, loading })
    await loading
  }

  const older = shown !== null && shown.after === first ? shown : null
  const cursor = older === null ? (first?.nextCursor ?? null) : older.cursor
  return {
    ...state,
    error: state.error ?? older?.error,
    data: first === undefined ? undefined : [...first.transactions, ...(older?.transactions ?? [])],
    hasMore: cursor !== null,
    isLoadingMore: older !== null && older.loading !== null,
    loadMore,
  }
}
