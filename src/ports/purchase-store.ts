import type { Purchase } from '../ledger/purchase.js'

/** A name by which a purchase can be found: ours, or one of the provider's. */
export type PurchaseReference = { id: string } | { sessionId: string } | { paymentId: string }

/** Reads of purchases, and the records that are no decision about credits. Everything else goes through `update`. */
export interface PurchaseStore {
  /** Without a lock: the answer may be old by the time it is used. Session and payment ids name at most one purchase. */
  findPurchase(reference: PurchaseReference): Promise<Purchase | null>

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
}
