import { type AccountKey, emptyAccount } from './account.js'
import type { AccountState } from './account-state.js'
import { earliestAfter, isPaid, isUsable } from './grant.js'
import { Posting } from './posting.js'

/** Credits that can be spent now, and what stands beside them. */
export interface Balance {
  creditType: string
  /** Available now; negative: debt. */
  balance: number
  /** Of the usable credits, those that were paid for (purchases, subscriptions) and those that were not. */
  paid: number
  promotional: number
  owned: number
  held: number
  debt: number
  totalPurchased: number
  totalUsed: number
  /** When the next usable credits end; null: none will. */
  nextExpiry: Date | null
  /** The account's version; 0 for an account that does not exist. */
  version: number
  /** Milliseconds from now until time alone changes the balance; null: never. */
  staleAfterMs: number | null
}

/**
 * The balance as it is now, from all of an account's open grants, overdue holds and due schedules: as if what time has
 * done had been written already.
 */
export function balanceOf(state: AccountState, now: Date): Balance {
  let made = 0
  const posting = new Posting(state, now, () => `foreseen ${(made += 1)}`)
  const usable = [...posting.grants].filter((grant) => grant.remaining > 0 && isUsable(grant, now))
  const sum = (paid: boolean): number =>
    usable.filter((grant) => isPaid(grant) === paid).reduce((total, { remaining }) => total + remaining, 0)
  const balance = posting.available
  const ended = state.grants.reduce((total, { id, writtenOff }) => total + posting.grant(id).writtenOff - writtenOff, 0)
  const { account } = posting.finish()
  const dueAt = account.nextDueAt
  return {
    creditType: account.creditType,
    balance,
    paid: sum(true),
    promotional: sum(false),
    // What has ended is owned until that is written.
    owned: account.balance + account.debt + ended,
    held: account.held,
    debt: account.debt,
    totalPurchased: account.totalPurchased,
    totalUsed: account.totalUsed,
    nextExpiry: earliestAfter(
      now,
      usable.map(({ expiresAt }) => expiresAt),
    ),
    version: state.account.version,
    staleAfterMs: dueAt === null ? null : dueAt.getTime() - now.getTime(),
  }
}

/** The state of an account nothing has happened to. */
export function emptyState(key: AccountKey, now: Date): AccountState {
  return {
    account: emptyAccount(key, now),
    grants: [],
    holds: [],
    schedules: [],
    limitCounts: [],
    topup: null,
    usable: 0,
    nextDueAt: null,
    history: null,
  }
}
