'use client'

import { useCallback } from 'react'
import {
  type Balance,
  type CreditTypeName,
  type Package,
  type Usage,
  type UsageInput,
  useProvided,
} from './react/provider.js'
import { type QueryResult, useQuery } from './react/use-query.js'

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
export { type CheckoutState, useCheckout } from './react/use-checkout.js'
export type { QueryResult } from './react/use-query.js'
export { type TransactionsResult, useTransactions } from './react/use-transactions.js'

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
  return useQuery(cache.query('getBalances', {}, () => client.getBalances()))
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

/** Ask everything anew that is on the page: after spending, or when a checkout is done. */
export function useRefreshCredits(): () => Promise<void> {
  const { cache } = useProvided('useRefreshCredits')
  return useCallback(() => cache.refresh(), [cache])
}
