'use client'

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { CheckoutResult } from '../src/checkouts.js'
import {
  type Balance,
  type CheckoutInput,
  type CreditTypeName,
  type Package,
  type Transaction,
  type TransactionFilter,
  type Usage,
  type UsageInput,
  useProvided,
} from './react/provider.js'
import type { Query, QueryState } from './react/query-cache.js'

export { CreditsProvider } from './react/provider.js'
export type {
  Balance,
  CheckoutInput,
  CreditsProviderProps,
  CreditTypeName,
  HooksClient,
  Package,
  Register,
  Transaction,
  TransactionFilter,
  Usage,
  UsageInput,
} from './react/provider.js'

/** An answer and what is going on with it. */
export interface QueryResult<Data> extends QueryState<Data> {
  /** Ask anew; resolves when the answer is there. */
  refetch: () => Promise<void>
}

const UNASKED: QueryState<never> = { data: undefined, error: undefined, isLoading: true, isRefreshing: false }
// While rendering on a server nothing is asked: the browser does.
const onServer = (): QueryState<never> => UNASKED

function useQuery<Data>(query: Query<Data>): QueryResult<Data> {
  const state = useSyncExternalStore<QueryState<Data>>(query.listen, query.state, onServer)
  return { ...state, refetch: query.refetch }
}

/** Credits available now, of one type; of the only one there is, when none is named. */
export function useBalance(creditType?: CreditTypeName): QueryResult<number> {
  const { client, cache } = useProvided('useBalance')
  const input = creditType === undefined ? {} : { creditType }
  return useQuery(cache.query('getBalance', input, () => client.getBalance(input)))
}

/** Every credit type's figures. */
export function useBalances(): QueryResult<Record<CreditTypeName, Balance>> {
  const { client, cache } = useProvided('useBalances')
  // The door answers with every configured type.
  return useQuery(cache.query('getBalances', null, () => client.getBalances()))
}

/** Packages on sale, in order. */
export function usePackages(filter: { creditType?: CreditTypeName | undefined } = {}): QueryResult<Package[]> {
  const { client, cache } = useProvided('usePackages')
  const input = filter.creditType === undefined ? {} : { creditType: filter.creditType }
  return useQuery(cache.query('getPackages', input, () => client.getPackages(input)))
}

/** What credits were used for: totals and days. */
export function useUsageStats(input: UsageInput = {}): QueryResult<Usage> {
  const { client, cache } = useProvided('useUsageStats')
  return useQuery(cache.query('getUsageStats', input, () => client.getUsageStats(input)))
}

export interface TransactionsResult extends QueryResult<Transaction[]> {
  /** There are older ones. */
  hasMore: boolean
  isLoadingMore: boolean
  /** Get the next page; it is added to `data`. */
  loadMore: () => Promise<void>
}

interface Older {
  /** Which first page they follow. */
  after: object
  transactions: Transaction[]
  cursor: string | null
}

/** Transactions, newest first, page by page. When the first page changes, it begins anew. */
export function useTransactions(filter: TransactionFilter = {}): TransactionsResult {
  const { client, cache } = useProvided('useTransactions')
  const { data: first, ...state } = useQuery(
    cache.query('listTransactions', filter, () => client.listTransactions(filter)),
  )
  const [more, setMore] = useState<Older | null>(null)
  const [failed, setFailed] = useState<{ after: object; error: Error } | null>(null)
  const [loadingAfter, setLoadingAfter] = useState<object | null>(null)
  const isMounted = useMounted()
  const older = more !== null && more.after === first ? more : null
  const cursor = older === null ? (first?.nextCursor ?? null) : older.cursor
  const isLoadingMore = loadingAfter !== null && loadingAfter === first

  const loadMore = async (): Promise<void> => {
    if (first === undefined || cursor === null || isLoadingMore) return
    setLoadingAfter(first)
    setFailed(null)
    try {
      const next = await client.listTransactions({ ...filter, cursor })
      if (!isMounted.current) return
      const transactions = [...(older?.transactions ?? []), ...next.transactions]
      setMore({ after: first, transactions, cursor: next.nextCursor })
    } catch (error) {
      if (isMounted.current)
        setFailed({ after: first, error: error instanceof Error ? error : new Error(String(error)) })
    } finally {
      if (isMounted.current) setLoadingAfter(null)
    }
  }
  return {
    ...state,
    error: state.error ?? (failed?.after === first ? failed?.error : undefined),
    data: first === undefined ? undefined : [...first.transactions, ...(older?.transactions ?? [])],
    hasMore: cursor !== null,
    isLoadingMore,
    loadMore,
  }
}

export interface CheckoutState {
  /**
   * Open a checkout and go to its page; with `ui: 'embedded'`, or `redirect: false`, the answer says how to go on. One
   * click is one intent: while one is starting, another call returns the same.
   */
  startCheckout: (input: CheckoutInput, options?: { redirect?: boolean }) => Promise<CheckoutResult>
  isStarting: boolean
  error: Error | undefined
}

/** Buying. */
export function useCheckout(): CheckoutState {
  const { client } = useProvided('useCheckout')
  const [isStarting, setStarting] = useState(false)
  const [error, setError] = useState<Error | undefined>(undefined)
  const starting = useRef<Promise<CheckoutResult> | null>(null)
  const isMounted = useMounted()

  const startCheckout = useCallback(
    (input: CheckoutInput, { redirect = input.ui !== 'embedded' } = {}) => {
      starting.current ??= (async () => {
        setStarting(true)
        setError(undefined)
        try {
          const checkout = await client.createCheckout(input)
          if (redirect) window.location.assign(checkout.checkoutUrl)
          return checkout
        } catch (reason) {
          const failure = reason instanceof Error ? reason : new Error(String(reason))
          if (isMounted.current) setError(failure)
          throw failure
        } finally {
          starting.current = null
          if (isMounted.current) setStarting(false)
        }
      })()
      return starting.current
    },
    [client, isMounted],
  )
  return { startCheckout, isStarting, error }
}

/** Ask everything anew that is on the page: after spending, or when a checkout is done. */
export function useRefreshCredits(): () => Promise<void> {
  const { cache } = useProvided('useRefreshCredits')
  return useCallback(() => cache.refresh(), [cache])
}

function useMounted(): { readonly current: boolean } {
  const isMounted = useRef(false)
  useEffect(() => {
    isMounted.current = true
    return () => {
      isMounted.current = false
    }
  }, [])
  return isMounted
}
