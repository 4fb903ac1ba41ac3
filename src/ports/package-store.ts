import type { JsonObject } from '../ledger/transaction.js'

/** A priced bundle of credits, for sale. */
export interface CreditPackage {
  /** Integer, given by the store. */
  id: number
  /** The host's own stable name for it, unique; null: none. */
  key: string | null
  name: string
  description: string | null
  /** Credits of one unit. */
  creditAmount: number
  /** Price of one unit in the currency's minor units (cents). */
  price: number
  /** Lower-case ISO 4217 code. */
  currency: string
  creditType: string
  isActive: boolean
  /** Lower comes first. */
  sortOrder: number
  metadata: JsonObject | null
  /** A price object at Stripe to charge with, instead of name, price and currency. */
  stripePriceId: string | null
  createdAt: Date
  updatedAt: Date
}

/** What an administrator decides about a package. */
export type PackageDraft = Omit<CreditPackage, 'id' | 'createdAt' | 'updatedAt'>

/** Where packages live. They are few; nothing here is per user. */
export interface PackageStore {
  /** By sort order, then id. */
  listPackages(filter: { creditType: string | null; includeInactive: boolean }): Promise<CreditPackage[]>

  findPackage(id: number): Promise<CreditPackage | null>

  /**
   * Insert. With a `key` that exists, `replace` changes that package instead and `refuse` returns null and changes
   * nothing: one package per key, whoever comes first. `OutcomeUnknownError` when the answer was lost.
   */
  savePackage(draft: PackageDraft, whenKeyExists: 'replace' | 'refuse', now: Date | null): Promise<CreditPackage | null>

  /** Change the given fields only; null: no such package. Atomic. `OutcomeUnknownError` when the answer was lost. */
  changePackage(id: number, changes: Partial<PackageDraft>, now: Date | null): Promise<CreditPackage | null>
}
