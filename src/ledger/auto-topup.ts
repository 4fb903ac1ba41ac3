import type { Account, AccountKey } from './account.js'

/**
 * Where an automatic top-up stands. `active`: pays when it is asked to; `off`: the user does not want it; `suspended`: it
 * failed for good, until there is a new card; `action_required`: the buyer's bank wants to see them, so the payment waits
 * for them.
 */
export type AutoTopupStatus = 'active' | 'off' | 'suspended' | 'action_required'

/** One account's automatic top-up: the row of `credit_auto_topups`. */
export interface AutoTopup extends AccountKey {
  /** A use that leaves this balance or less asks for a top-up. */
  threshold: number
  packageId: number
  quantity: number
  /** At most so many per calendar month (UTC); null: any number. */
  maxPerMonth: number | null
  /** At most so much money per calendar month (UTC), in the package's minor units; null: any amount. */
  maxAmountMinor: number | null
  status: AutoTopupStatus
  /** The purchase whose payment is under way; null: none. There is never more than one. */
  openPurchaseId: string | null
  /** When it was begun. */
  openSince: Date | null
  /** Declined payments in a row. */
  failures: number
  /** No payment is begun before this moment. */
  retryAt: Date | null
  /** Beginning of the month that is counted, and what was begun in it and has not failed. */
  monthStart: Date
  monthCount: number
  monthMinor: number
  /** Why it stands where it stands: the provider's code, or a word of ours. */
  lastFailure: string | null
  /** Where the buyer can pay instead, when they have to be there. */
  recoveryUrl: string | null
  createdAt: Date
  updatedAt: Date
}

/** Why no payment is begun. */
export type TopupRefusal = 'not_active' | 'under_way' | 'not_due' | 'too_early' | 'cap_reached'

/** So many declined payments in a row suspend it. */
const MAX_FAILURES = 3

/** Banks count attempts: not more than one a day. What the provider does not take is not repeated more often, either. */
const RETRY_MS = 24 * 3_600_000

/** Begin a payment, if there is to be one now. `totalMinor`: what it will take. */
export function claimTopup(
  topup: AutoTopup,
  account: Pick<Account, 'topupDue'>,
  sale: { purchaseId: string; totalMinor: number },
  now: Date,
): { topup: AutoTopup; refusal: null } | { topup: AutoTopup; refusal: TopupRefusal } {
  const current = inMonth(topup, now)
  const refused = (refusal: TopupRefusal, retryAt = topup.retryAt) => ({ topup: { ...topup, retryAt }, refusal })
  if (topup.openPurchaseId !== null) return refused('under_way')
  if (topup.status !== 'active') return refused('not_active')
  if (!account.topupDue) return refused('not_due')
  if (topup.retryAt !== null && topup.retryAt > now) return refused('too_early')
  const { maxPerMonth, maxAmountMinor, monthCount, monthMinor } = current
  const overCount = maxPerMonth !== null && monthCount >= maxPerMonth
  const overAmount = maxAmountMinor !== null && monthMinor + sale.totalMinor > maxAmountMinor
  if (overCount || overAmount) return refused('cap_reached', startOfMonth(now, 1))
  const claimed: AutoTopup = {
    ...current,
    openPurchaseId: sale.purchaseId,
    openSince: now,
    retryAt: null,
    monthCount: monthCount + 1,
    monthMinor: monthMinor + sale.totalMinor,
    updatedAt: now,
  }
  return { topup: claimed, refusal: null }
}

/** What became of a payment that was begun. */
export type TopupOutcome =
  | { kind: 'paid' }
  | {
      kind: 'failed'
      failure: 'authentication_required' | 'card_missing' | 'hard' | 'soft' | 'not_tried'
      code: string | null
    }

/** Go on by what became of a payment. Null: it is not the one that is under way, or nothing changes. */
export function settleTopup(
  topup: AutoTopup,
  sale: { purchaseId: string; totalMinor: number },
  outcome: TopupOutcome,
  recoveryUrl: string | null,
  now: Date,
): AutoTopup | null {
  if (topup.openPurchaseId !== sale.purchaseId) return null
  if (outcome.kind === 'paid') return { ...reactivated(topup, now), openPurchaseId: null, openSince: null }
  const lastFailure = outcome.code ?? outcome.failure
  // The user does not want it any more, so nothing waits for them, and no new card brings it back.
  if (topup.status === 'off') return { ...withoutOpen(topup, sale.totalMinor, now), retryAt: null, lastFailure }
  // The same payment can still succeed, so it stays under way, however often its buyer tries.
  if (topup.status === 'action_required') return null
  if (outcome.failure === 'authentication_required') {
    return { ...topup, status: 'action_required', lastFailure, recoveryUrl, updatedAt: now }
  }
  // What never came to the card says nothing against it: a new card would not help, and the old one may still be good.
  const isDecline = outcome.failure !== 'not_tried'
  const failures = topup.failures + (isDecline ? 1 : 0)
  const suspended = isDecline && (outcome.failure !== 'soft' || failures >= MAX_FAILURES)
  return {
    ...withoutOpen(topup, sale.totalMinor, now),
    status: suspended ? 'suspended' : topup.status,
    failures,
    retryAt: suspended ? null : new Date(now.getTime() + RETRY_MS),
    lastFailure,
  }
}

/** Was the card there when the top-up stopped? Providers tell times in whole seconds. */
export function isOldNews({ updatedAt }: AutoTopup, savedAt: Date): boolean {
  return savedAt.getTime() + 1000 <= updatedAt.getTime()
}

/**
 * There is a card since `savedAt`: what had stopped before goes on. Null: nothing had, or it is the card that was tried, of
 * which we are told again.
 */
export function resumeTopup(topup: AutoTopup, totalMinor: number, savedAt: Date, now: Date): AutoTopup | null {
  if (isOldNews(topup, savedAt)) return null
  if (topup.status === 'suspended') return reactivated(topup, now)
  if (topup.status === 'action_required') return reactivated(withoutOpen(topup, totalMinor, now), now)
  return null
}

/** The user does not want it. A payment under way stays open until it is known what became of it. */
export function switchOffTopup(topup: AutoTopup, now: Date): AutoTopup {
  return { ...topup, status: 'off', retryAt: null, recoveryUrl: null, updatedAt: now }
}

/** There is nothing to pay with any more. Null: it knows. */
export function suspendTopup(topup: AutoTopup, reason: string, now: Date): AutoTopup | null {
  if (topup.status !== 'active') return null
  return { ...topup, status: 'suspended', lastFailure: reason, updatedAt: now }
}

function reactivated(topup: AutoTopup, now: Date): AutoTopup {
  const status = topup.status === 'off' ? 'off' : 'active'
  return { ...topup, status, failures: 0, retryAt: null, lastFailure: null, recoveryUrl: null, updatedAt: now }
}

/** A payment that was begun will not come: it does not count for the month it was begun in. */
function withoutOpen(topup: AutoTopup, totalMinor: number, now: Date): AutoTopup {
  const current = inMonth(topup, now)
  const counted = topup.openPurchaseId !== null && topup.openSince !== null && topup.openSince >= current.monthStart
  return {
    ...current,
    openPurchaseId: null,
    openSince: null,
    recoveryUrl: null,
    monthCount: current.monthCount - (counted ? 1 : 0),
    monthMinor: current.monthMinor - (counted ? totalMinor : 0),
    updatedAt: now,
  }
}

/** Counted from zero in a new month. */
function inMonth(topup: AutoTopup, now: Date): AutoTopup {
  const monthStart = startOfMonth(now, 0)
  return topup.monthStart >= monthStart ? topup : { ...topup, monthStart, monthCount: 0, monthMinor: 0 }
}

/** Beginning of the calendar month (UTC), so many months later. */
export function startOfMonth(now: Date, later: number): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + later, 1))
}
