import type { AccountKey } from '../ledger/account.js'
import type { AutoTopup } from '../ledger/auto-topup.js'
import type { PaymentFact, Purchase, PurchaseStatus, QuarantineEntry } from '../ledger/purchase.js'
import type { SubscriptionStatus } from './payments.js'

/**
 * A name by which a purchase can be found: ours, or one of the provider's. An invoice with several lines has several
 * purchases of one user; it finds one of them.
 */
export type PurchaseReference = { id: string } | { sessionId: string } | { paymentId: string } | { invoiceId: string }

/** A purchase and the money that went back for it, in no order, both from one snapshot. */
export interface PurchaseWithFacts {
  purchase: Purchase
  facts: PaymentFact[]
}

/** Who a user is at the provider: the row of `credit_customers`. One per user, provider and mode. */
export interface CustomerRecord {
  userId: string
  provider: string
  livemode: boolean
  customerId: string
  createdAt: Date
  updatedAt: Date
}

/** A mirror of a subscription, for display and support; credits never depend on it. */
export interface SubscriptionRecord {
  /** The provider's id. */
  id: string
  userId: string
  provider: string
  livemode: boolean
  customerId: string | null
  status: SubscriptionStatus
  /** One per plan that it pays for. */
  items: { itemId: string; priceId: string; plan: string | null; quantity: number; periodEnd: string }[]
  cancelAtPeriodEnd: boolean
  collectionPaused: boolean
  endedAt: Date | null
  trialEndsAt: Date | null
  createdAt: Date
  /** Before when the provider was asked: of two pictures the younger one counts, unless only the older one has ended. */
  updatedAt: Date
}

/** Records about selling that are no decision about credits. Everything else goes through `update`. */
export interface PurchaseStore {
  /** Without a lock: the answer may be old by the time it is used. Session and payment ids name at most one purchase. */
  findPurchase(reference: PurchaseReference): Promise<Purchase | null>

  /** All purchases of an invoice, in order of id; empty: it is unknown. */
  listInvoicePurchases(invoiceId: string): Promise<Purchase[]>

  /**
   * Purchases in order of id, keyset by `after`: those of these statuses created in the half-open range. For sweeps.
   */
  listPurchases(query: {
    statuses: readonly PurchaseStatus[]
    from: Date
    to: Date
    limit: number
    after: string | null
  }): Promise<Purchase[]>

  /** One purchase by our id, with the money that went back for it; null: no such id. */
  findPurchaseWithFacts(id: string): Promise<PurchaseWithFacts | null>

  /**
   * A user's purchases in every status, newest first by `createdAt`, then by id downwards; keyset by `after`, the id of the
   * last one of the page before (what is no purchase of the user's has nothing after it). A page costs the same wherever it
   * stands.
   */
  listUserPurchases(query: { userId: string; limit: number; after: string | null }): Promise<PurchaseWithFacts[]>

  /**
   * Note that the provider told us of an event. An audit trail and nothing more: correctness never depends on it.
   * Repeating an event id changes nothing.
   */
  recordWebhookEvent(event: {
    id: string
    provider: string
    type: string
    livemode: boolean
    created: Date
  }): Promise<void>

  /** A user's customer, or the user of a customer (of several, the one who had it first); null: not known. */
  findCustomer(
    query: { provider: string; livemode: boolean } & ({ userId: string } | { customerId: string }),
  ): Promise<CustomerRecord | null>

  /**
   * Remember a user's customer, in place of `replaces` (null: there was none). Where somebody was faster, theirs stays.
   * Returns the record that holds now.
   */
  saveCustomer(customer: CustomerRecord, replaces: string | null): Promise<CustomerRecord>

  /** Forget a customer that is gone at the provider. */
  deleteCustomer(query: { provider: string; livemode: boolean; customerId: string }): Promise<void>

  /**
   * Write a subscription's picture, unless a younger one is there. What has ended (`endedAt`) stays so: a picture of it
   * alive never replaces that. `createdAt` stays as it was first written.
   */
  saveSubscription(subscription: SubscriptionRecord): Promise<void>

  /** A user's subscriptions, youngest first by `createdAt`, then by id. */
  listSubscriptions(userId: string): Promise<SubscriptionRecord[]>

  /** One subscription by the provider's id; null: not known. */
  findSubscription(id: string): Promise<SubscriptionRecord | null>

  /** One entry by id; null: no such id. */
  findQuarantine(id: string): Promise<QuarantineEntry | null>

  /** Entries in order of id, keyset by `after`; `open`: only those that nobody has resolved. */
  listQuarantine(query: { open: boolean; limit: number; after: string | null }): Promise<QuarantineEntry[]>

  /** Automatic top-ups of a user, in order of credit type. */
  listTopups(userId: string): Promise<AutoTopup[]>

  /**
   * Accounts whose automatic top-up has something to do, in a fixed order of the store's own: a payment under way since
   * before `openBefore`, or, with no payment under way, an active one that is due (`topupDue`) and whose `retryAt` has
   * passed or is null. `now` as in a command.
   */
  findDueTopups(query: {
    now: Date | null
    openBefore: Date
    limit: number
    after: AccountKey | null
  }): Promise<AccountKey[]>
}
