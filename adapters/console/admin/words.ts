import type { FindingKind } from '../../../src/reconciliation.js'
import type { BurnDownReason, GrantSource } from '../../../src/ledger/grant.js'
import type { TransactionType } from '../../../src/ledger/transaction.js'
import type { UserPurchase } from '../../../src/purchases.js'
import type { Tone } from '../parts.js'

/* What the service's names are called on administrators' pages. */

export const TRANSACTION_WORDS: Record<TransactionType, string> = {
  purchase: 'Purchase',
  usage: 'Use',
  refund: 'Refund of a use',
  adjustment: 'Adjustment',
  expiration: 'Expired',
  clawback: 'Taken back',
  reinstatement: 'Given back',
  transfer: 'Transfer',
  void: 'Grant ended by hand',
}

/** Only what ends or takes back credits stands out; the words say the rest. */
export const TRANSACTION_TONES: Record<TransactionType, Tone> = {
  purchase: 'good',
  usage: 'calm',
  refund: 'calm',
  adjustment: 'calm',
  expiration: 'warn',
  clawback: 'bad',
  reinstatement: 'good',
  transfer: 'calm',
  void: 'warn',
}

export const SOURCE_WORDS: Record<GrantSource, string> = {
  purchase: 'Bought',
  subscription: 'Subscription',
  promotional: 'Given for free',
  refund: 'Refund',
  adjustment: 'Adjustment',
}

/** Why one grant was used before the next one. */
export const REASON_WORDS: Record<BurnDownReason, string> = {
  priority: 'its priority number is lower',
  expiry: 'it expires sooner',
  promotional: 'it was free, and free credits are used before paid ones',
  effectiveAt: 'it became usable earlier',
  granted: 'it was granted earlier',
}

export const PURCHASE_WORDS: Record<UserPurchase['status'], { text: string; tone: Tone }> = {
  pending: { text: 'Not paid', tone: 'calm' },
  processing: { text: 'Under way', tone: 'warn' },
  fulfilled: { text: 'Paid', tone: 'good' },
  refunded: { text: 'Refunded', tone: 'warn' },
  expired: { text: 'Abandoned', tone: 'calm' },
  failed: { text: 'Failed', tone: 'bad' },
  quarantined: { text: 'In quarantine', tone: 'bad' },
}

export const ORIGIN_WORDS: Record<UserPurchase['origin'], string> = {
  checkout: 'Checkout',
  topup: 'Automatic top-up',
  invoice: 'Subscription invoice',
}

export const FINDING_WORDS: Record<FindingKind, { title: string; meaning: string; isRepairable: boolean }> = {
  paid_not_granted: {
    title: 'Paid, but no credits came',
    meaning: 'The provider has the money and the user has no credits. A repair grants them.',
    isRepairable: true,
  },
  granted_not_paid: {
    title: 'Credits came, but no money',
    meaning: 'The provider knows of no payment. It is never repaired by itself: look at the purchase, then adjust.',
    isRepairable: false,
  },
  under_clawed: {
    title: 'Money went back, credits did not',
    meaning: 'Too few credits were taken for a refund or dispute. A repair takes the rest.',
    isRepairable: true,
  },
  over_clawed: {
    title: 'Too many credits were taken back',
    meaning: 'More credits were taken than money went back. A repair gives them back.',
    isRepairable: true,
  },
  quarantined: {
    title: 'Waits in quarantine',
    meaning: 'The payment is not what was sold. Decide about it on the page “Quarantine”.',
    isRepairable: false,
  },
  unknown_purchase: {
    title: 'Paid for a purchase that is not here',
    meaning: 'It names a purchase of ours that this database does not have, such as one of a test environment.',
    isRepairable: false,
  },
  not_handled: {
    title: 'Could not be looked at',
    meaning: 'Something failed on the way; the log says what. Run the comparison again.',
    isRepairable: true,
  },
}

const RULE_WORDS: Readonly<Record<string, string>> = {
  seq: 'Transactions are numbered without gaps',
  balance_after: 'Each balance follows from the one before',
  sign: 'What comes in is positive, what goes out is negative',
  allocations: 'A transaction is covered by its grants exactly',
  refunds: 'A use is never refunded for more than it took',
  balance: 'The balance is the sum of all transactions',
  total_purchased: 'The total bought is the sum of all purchases',
  total_used: 'The total used is the sum of all uses, less refunds',
  last_credit: 'The last credit is the last one in the ledger',
  debt: 'The debt is what clawbacks could not take',
  owned: 'Owned credits are the sum of all grants',
  held: 'Held credits are the sum of all open holds',
  grant: 'What is left of a grant follows from the ledger',
  grant_range: 'No grant is below zero',
  grant_open: 'A grant is open while something is left of it',
  grant_missing: 'Every grant in the ledger is there',
  head: 'The next grant to be used is the right one',
  scheduled: 'Credits of later are counted as such',
  next_due_at: 'The next change is foreseen',
  usage_daily: 'Summed up days of use match the ledger',
}

/** A sum rule in words; rules of a later version under their own name. */
export function ruleWords(rule: string): string {
  return (Object.hasOwn(RULE_WORDS, rule) ? RULE_WORDS[rule] : undefined) ?? rule
}
