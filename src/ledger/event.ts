import type { AccountKey } from './account.js'
import type { JsonObject } from './transaction.js'

/** What hosts can be told of. */
export const EVENT_KINDS = [
  'added',
  'deducted',
  'refunded',
  'held',
  'expiringSoon',
  'expired',
  'balanceLow',
  'depleted',
  'limitReached',
  'purchaseFulfilled',
  'paymentFailed',
  'clawedBack',
  'paymentQuarantined',
  'topupFailed',
] as const

/** What can happen that hosts are told of: the names of the callbacks in `on`, and the `kind` of an event. */
export type HostEventKind = (typeof EVENT_KINDS)[number]

/** `topupDue` is told to ourselves alone. */
export const ALL_EVENT_KINDS = [...EVENT_KINDS, 'topupDue'] as const
export type EventKind = (typeof ALL_EVENT_KINDS)[number]

/** What each kind of event says, beside whose account it is about. Amounts are positive credits, times ISO 8601. */
export interface EventPayloads {
  /** Credits came in: bought, given, by plan, transferred or reinstated. */
  added: TransactionPayload
  deducted: TransactionPayload & { referenceId: string | null; referenceType: string | null }
  /** Credits of a use were given back. */
  refunded: TransactionPayload & { refundedTransactionId: string }
  held: { holdId: string; amount: number; expiresAt: string; balance: number }
  /** Credits will expire within the configured time. Told once per grant. */
  expiringSoon: { grantId: string; amount: number; expiresAt: string; balance: number }
  expired: TransactionPayload
  /** The balance fell to a threshold: the lowest of those it fell to at once. */
  balanceLow: { threshold: number; balance: number }
  /** The balance fell to 0 or below. */
  depleted: { balance: number }
  /** The last of what a limit allows was used. */
  limitReached: { max: number; per: string; of: string; resetsAt: string }
  purchaseFulfilled: TransactionPayload & { purchaseId: string; paidMinor: number | null; currency: string | null }
  paymentFailed: { purchaseId: string | null; paymentId: string; failureCode: string | null; message: string | null }
  /** Credits were taken because their payment went back. */
  clawedBack: TransactionPayload & { debt: number }
  /** Money came that could not be turned into credits: a person has to look, see `listQuarantine`. */
  paymentQuarantined: { quarantineId: string; purchaseId: string | null; reason: string }
  /**
   * An automatic top-up could not be paid. `status`: `active`: it tries again at `retryAt`; `action_required`: the buyer
   * has to pay at `recoveryUrl`; `suspended`: it stops until there is a new card.
   */
  topupFailed: {
    purchaseId: string
    status: string
    failureCode: string | null
    retryAt: string | null
    recoveryUrl: string | null
  }
  /** The balance fell to where the user wants a top-up. */
  topupDue: { balance: number; threshold: number }
}

type TransactionPayload = {
  transactionId: string
  /** Credits, positive. */
  amount: number
  description: string
  /** Credits available after the whole step. */
  balance: number
}

/** One thing to tell: the row of `credit_outbox`, without what concerns its delivery. */
export interface EventRecord extends AccountKey {
  id: string
  kind: EventKind
  payload: JsonObject
  /** The account's version after the step it belongs to, and its place within that step: the order of delivery. */
  seq: number
  position: number
  createdAt: Date
}

/** An event before it has its place. */
export type EventDraft = { [K in EventKind]: { kind: K; payload: EventPayloads[K] } }[EventKind]
