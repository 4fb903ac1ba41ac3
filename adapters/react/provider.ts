import { createContext, createElement, type ReactElement, type ReactNode, useContext, useEffect, useMemo } from 'react'
import type { CreditBalance } from '../../src/credit-balance.js'
import type { CheckoutResult, CreateCheckoutInput } from '../../src/checkouts.js'
import type { CreditTransaction } from '../../src/credit-transaction.js'
import type { CreditPackage } from '../../src/ports/package-store.js'
import type { Json, WireMoment } from '../../src/api/wire.js'
import type { UsageStats } from '../../src/usage-stats.js'
import { QueryCache } from './query-cache.js'

/**
 * Your credit types, for the hooks' arguments: `declare module 'creditkit/react' { interface Register { creditType:
 * 'calling' | 'scraping' } }`. Without it, any text.
 */
// Empty, so that a host can fill it.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Register {}

/** The names of your credit types, as `Register` has them; any text without it. */
export type CreditTypeName = Register extends { creditType: infer T extends string } ? T : string

/** One row of the ledger as `useTransactions` has it: a `CreditTransaction` whose moments are ISO 8601 text. */
export type Transaction = Json<CreditTransaction>

/**
 * One credit type's figures as `useBalances` has them: a `CreditBalance` whose `nextExpiry` is ISO 8601 text, or null.
 */
export type Balance = Json<CreditBalance>

/**
 * One package as `usePackages` has it: `price` is in minor units of `currency`, for one unit; moments are ISO 8601
 * text.
 */
export type Package = Json<CreditPackage>

/** What `useUsageStats` has: credits used and added, in all and by UTC day. */
export type Usage = Json<UsageStats>

/** What `startCheckout` takes. The buyer is whoever is signed in, as the server's `authenticate` says. */
export type CheckoutInput = Omit<CreateCheckoutInput, 'userId'>

/**
 * Which transactions `useTransactions` shows. `from` and `to` are half-open, as Dates or ISO 8601 text; `limit` is the
 * size of a page, 1–200, default 50.
 */
export type TransactionFilter = TransactionFields<CreditTypeName>

/**
 * Which use `useUsageStats` sums up: half-open [startDate, endDate), as Dates or ISO 8601 text; default: from the first
 * transaction until now. `creditType` may be left out where the service has only one.
 */
export type UsageInput = UsageFields<CreditTypeName>

interface TransactionFields<Name extends string> {
  creditType?: Name | undefined
  transactionType?: CreditTransaction['transactionType'] | undefined
  from?: WireMoment
  to?: WireMoment
  limit?: number | undefined
}

interface UsageFields<Name extends string> {
  creditType?: Name | undefined
  startDate?: WireMoment
  endDate?: WireMoment
}

/** What the hooks call; `createCreditsClient` makes one. */
// Methods and not functions, of any text, and with inputs that may be missing: so a client is one whether it knows one credit
// type or several, and whatever is registered.
export interface HooksClient {
  getBalance(input?: { creditType?: string | undefined }): Promise<number>
  getBalances(): Promise<Record<string, Balance>>
  getPackages(input?: { creditType?: string | undefined }): Promise<Package[]>
  listTransactions(
    input?: TransactionFields<string> & { cursor?: string | null | undefined },
  ): Promise<{ transactions: Transaction[]; nextCursor: string | null }>
  getUsageStats(input?: UsageFields<string>): Promise<Usage>
  createCheckout(input: CheckoutInput): Promise<CheckoutResult>
}

/** What `CreditsProvider` takes. Another `client` forgets everything that was asked before. */
export interface CreditsProviderProps {
  /** Made once, outside of the component. */
  client: HooksClient
  /** Ask anew when the window is looked at again, at most every five seconds. Default true. */
  refetchOnFocus?: boolean | undefined
  children?: ReactNode
}

interface Provided {
  client: HooksClient
  cache: QueryCache
}

const CreditsContext = createContext<Provided | null>(null)

const FOCUS_PAUSE_MS = 5_000

/** Gives the hooks below it their client, and shares what they ask. */
export function CreditsProvider({ client, refetchOnFocus = true, children }: CreditsProviderProps): ReactElement {
  const provided = useMemo(() => ({ client, cache: new QueryCache() }), [client])
  useEffect(() => {
    if (!refetchOnFocus) return undefined
    let last = Date.now()
    const onFocus = () => {
      if (document.visibilityState === 'hidden' || Date.now() - last < FOCUS_PAUSE_MS) return
      last = Date.now()
      void provided.cache.refresh()
    }
    window.addEventListener('focus', onFocus)
    document.addEventListener('visibilitychange', onFocus)
    return () => {
      window.removeEventListener('focus', onFocus)
      document.removeEventListener('visibilitychange', onFocus)
    }
  }, [provided, refetchOnFocus])
  return createElement(CreditsContext.Provider, { value: provided }, children)
}

/** @throws {Error} There is no provider above. */
export function useProvided(hook: string): Provided {
  const provided = useContext(CreditsContext)
  if (provided === null) throw new Error(`${hook}: put <CreditsProvider client={…}> around the components that use it`)
  return provided
}
