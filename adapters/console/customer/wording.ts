import type { TransactionType } from '../../../src/ledger/transaction.js'
import type { GrantSource } from '../../../src/ledger/grant.js'
import type { BurnDownReason } from '../../../src/ledger/grant.js'
import type { PurchaseStatus } from '../../../src/ledger/purchase.js'
import type { SubscriptionStatus } from '../../../src/ports/payments.js'
import type { AutoTopupStatus } from '../../../src/ledger/auto-topup.js'
import type { Tone } from '../parts.js'

/* Our terms as customers read them. */

export const KINDS: Readonly<Record<TransactionType, string>> = {
  purchase: 'Bought',
  usage: 'Used',
  refund: 'Given back',
  adjustment: 'Adjusted',
  expiration: 'Expired',
  clawback: 'Taken back',
  reinstatement: 'Restored',
  transfer: 'Transferred',
  void: 'Ended early',
}

/** What a kind of transaction means. */
export const KIND_MEANINGS: Readonly<Record<TransactionType, string>> = {
  purchase: 'Credits that were bought, or came with a subscription.',
  usage: 'Credits that were spent.',
  refund: 'Credits of an earlier use that were given back.',
  adjustment: 'Credits that were given or corrected by us.',
  expiration: 'Credits that were not used before they ended.',
  clawback: 'Credits that were taken back because their payment was returned.',
  reinstatement: 'Credits that were taken back and are yours again.',
  transfer: 'Credits that moved between two accounts.',
  void: 'Credits that were ended before their time.',
}

export const SOURCES: Readonly<Record<GrantSource, string>> = {
  purchase: 'Bought',
  subscription: 'Subscription',
  promotional: 'Free credits',
  refund: 'Given back',
  adjustment: 'Adjustment',
}

/** Why credits of one grant were used before those of the next. */
export const REASONS: Readonly<Record<BurnDownReason, string>> = {
  priority: 'They are set to be used first.',
  expiry: 'They end sooner than the next ones.',
  promotional: 'Free credits are used before paid ones.',
  effectiveAt: 'They began earlier than the next ones.',
  granted: 'They are older than the next ones.',
}

type Words = Readonly<{ text: string; tone: Tone }>

export const PURCHASE_STATES: Readonly<Record<PurchaseStatus, Words>> = {
  pending: { text: 'Not paid', tone: 'calm' },
  processing: { text: 'Payment on its way', tone: 'warn' },
  fulfilled: { text: 'Paid', tone: 'good' },
  refunded: { text: 'Refunded', tone: 'calm' },
  expired: { text: 'Not completed', tone: 'calm' },
  failed: { text: 'Payment failed', tone: 'bad' },
  quarantined: { text: 'Being checked', tone: 'warn' },
}

export const SUBSCRIPTION_STATES: Readonly<Record<SubscriptionStatus, Words>> = {
  incomplete: { text: 'First payment missing', tone: 'warn' },
  incomplete_expired: { text: 'Never began', tone: 'calm' },
  trialing: { text: 'Free trial', tone: 'good' },
  active: { text: 'Active', tone: 'good' },
  past_due: { text: 'Payment overdue', tone: 'bad' },
  unpaid: { text: 'Unpaid', tone: 'bad' },
  paused: { text: 'Paused', tone: 'warn' },
  canceled: { text: 'Ended', tone: 'calm' },
}

export const TOPUP_STATES: Readonly<Record<AutoTopupStatus, Words>> = {
  active: { text: 'On', tone: 'good' },
  off: { text: 'Off', tone: 'calm' },
  suspended: { text: 'Stopped', tone: 'bad' },
  action_required: { text: 'Waiting for you', tone: 'warn' },
}
