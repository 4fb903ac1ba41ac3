import type { AccountChanges, AccountState } from './account-state.js'
import type { PaymentFact, Purchase, QuarantineEntry } from './purchase.js'
import type { JsonObject, Transaction } from './transaction.js'

/** What a store hands to a decision: everything the command named, locked, with its true values. */
export interface State {
  /** In the order of the command's accounts. */
  accounts: AccountState[]
  /**
   * The purchases the command named and that exist, in order of id, with the money that went back for them, and with the
   * corrections that were made for it: the accounts' transactions whose `relatedId` is the purchase's, oldest first.
   */
  purchases: { purchase: Purchase; facts: PaymentFact[]; history: Transaction[] }[]
  /** The transactions the command's `load` named and that exist, with their corrections (`relatedId`), oldest first. */
  transactions: { transaction: Transaction; related: Transaction[] }[]
  /** For each of the command's items: its transaction, where it had happened before. */
  items: (Transaction | null)[]
}

/** What a decision wants written: all of it or nothing. */
export interface Decision<R> {
  result: R
  /**
   * The command's own row in the ledger: carries the command's id and key. It stands in `accounts` too; naming it here
   * makes it the row whose id and key decide whether the command has happened before.
   */
  main: Transaction | null
  /** The rows of the command's items that had not happened before: they carry the items' ids and keys. */
  items?: Transaction[]
  accounts: AccountChanges[]
  /** New and changed purchases, whole rows. */
  purchases?: Purchase[]
  /** New and changed facts, whole rows. */
  facts?: PaymentFact[]
  /** New and resolved entries, whole rows; of a known id only the resolution changes. */
  quarantine?: QuarantineEntry[]
  /** Kept for a keyed command without a row of its own in the ledger, and given back when the key is repeated. */
  keptResult?: JsonObject
}
