import type { Account, AccountKey } from '../../src/ledger/account.js'
import type { AccountChanges, AccountState } from '../../src/ledger/account-state.js'
import type { AccountHistory } from '../../src/ledger/audit.js'
import type { AutoTopup } from '../../src/ledger/auto-topup.js'
import { type Balance, balanceOf, emptyState } from '../../src/ledger/balance.js'
import { nextMoment } from '../../src/ledger/due.js'
import type { EventRecord } from '../../src/ledger/event.js'
import { compareBurnDown, type Grant, isExpired, isUsable } from '../../src/ledger/grant.js'
import { type Hold, isOverdue } from '../../src/ledger/hold.js'
import type { LimitCount } from '../../src/ledger/limit.js'
import { isDue, type Schedule } from '../../src/ledger/schedule.js'
import type { Transaction } from '../../src/ledger/transaction.js'
import type { DueQuery } from '../../src/ports/due-store.js'
import type { PurchaseStore } from '../../src/ports/purchase-store.js'
import type { StateQuery } from '../../src/ports/store.js'

/** Everything about one account. */
export interface Ledger {
  account: Account
  transactions: Transaction[]
  grants: Map<string, Grant>
  holds: Map<string, Hold>
  schedules: Map<string, Schedule>
  limitCounts: Map<string, LimitCount>
  topup: AutoTopup | null
}

/** All accounts of a memory store, and where their rows are found by id. Gives out its own objects: callers copy. */
export class Ledgers {
  readonly #ledgers = new Map<string, Ledger>()
  readonly #transactions = new Map<string, Transaction>()
  readonly #holds = new Map<string, Ledger>()
  readonly #grants = new Map<string, Ledger>()

  get(key: AccountKey): Ledger | undefined {
    return this.#ledgers.get(ledgerKey(key))
  }

  ofUser(userId: string): Ledger[] {
    return [...this.#ledgers.values()].filter(({ account }) => account.userId === userId)
  }

  all(): Ledger[] {
    return [...this.#ledgers.values()]
  }

  transaction(id: string): Transaction | undefined {
    return this.#transactions.get(id)
  }

  hold(id: string): Hold | undefined {
    return this.#holds.get(id)?.holds.get(id)
  }

  /** With its true remaining. */
  grant(id: string): Grant | undefined {
    const ledger = this.#grants.get(id)
    return ledger === undefined ? undefined : trueGrants(ledger).find((grant) => grant.id === id)
  }

  /** Every grant, hold and schedule there is: more than was asked for is allowed. */
  state(key: AccountKey, now: Date, load: Pick<StateQuery, 'history' | 'topup'> = {}): AccountState {
    const withHistory = load.history === true
    const ledger = this.get(key)
    if (ledger === undefined) {
      const empty = emptyState(key, now)
      const history = { account: empty.account, grants: [], transactions: [], holds: [], schedules: [] }
      return { ...empty, history: withHistory ? history : null }
    }
    const grants = trueGrants(ledger)
    const holds = [...ledger.holds.values()]
    const schedules = [...ledger.schedules.values()]
    return {
      account: ledger.account,
      grants,
      holds,
      schedules,
      topup: load.topup === true ? ledger.topup : null,
      limitCounts: [...ledger.limitCounts.values()],
      usable: grants.filter((grant) => isUsable(grant, now)).reduce((sum, { remaining }) => sum + remaining, 0),
      nextDueAt: nextMoment({ grants, holds, schedules }, now),
      history: withHistory ? this.history(ledger, 'open') : null,
    }
  }

  balance(key: AccountKey, now: Date): Balance {
    return balanceOf(this.state(key, now), now)
  }

  history(ledger: Ledger, holds: 'open' | 'every'): AccountHistory {
    return {
      account: ledger.account,
      grants: trueGrants(ledger),
      transactions: ledger.transactions,
      holds: holds === 'open' ? openHolds(ledger) : [...ledger.holds.values()],
      schedules: activeSchedules(ledger),
    }
  }

  write({
    account,
    transactions,
    newGrants,
    changedGrants,
    holds,
    schedules,
    limitCounts,
    topup,
  }: AccountChanges): void {
    const key = ledgerKey(account)
    const ledger = this.#ledgers.get(key) ?? newLedger(account)
    this.#ledgers.set(key, ledger)
    ledger.account = account
    ledger.transactions.push(...transactions)
    for (const transaction of transactions) this.#transactions.set(transaction.id, transaction)
    for (const grant of [...newGrants, ...changedGrants]) ledger.grants.set(grant.id, grant)
    for (const grant of newGrants) this.#grants.set(grant.id, ledger)
    for (const hold of holds) ledger.holds.set(hold.id, hold)
    for (const hold of holds) this.#holds.set(hold.id, ledger)
    for (const schedule of schedules) ledger.schedules.set(schedule.id, schedule)
    for (const count of limitCounts) ledger.limitCounts.set(count.limitName, count)
    ledger.topup = topup ?? ledger.topup
  }

  /** Open grants of a user that have not ended, in burn-down order per credit type. */
  openGrants(userId: string, creditType: string | null, now: Date): Grant[] {
    return this.ofUser(userId)
      .filter(({ account }) => creditType === null || account.creditType === creditType)
      .sort((a, b) => (a.account.creditType < b.account.creditType ? -1 : 1))
      .flatMap((ledger) =>
        trueGrants(ledger)
          .filter((grant) => isLeft(grant, now))
          .sort(compareBurnDown),
      )
  }

  /** Open holds of a user whose time has not run out, soonest to end first. */
  openHolds(userId: string, creditType: string | null, now: Date): Hold[] {
    return this.ofUser(userId)
      .filter(({ account }) => creditType === null || account.creditType === creditType)
      .flatMap((ledger) => openHolds(ledger).filter((hold) => !isOverdue(hold, now)))
      .sort((a, b) => a.expiresAt.getTime() - b.expiresAt.getTime() || (a.id < b.id ? -1 : 1))
  }

  /** In the order of their keys. */
  due({ expiringWithinSeconds, limit, after }: DueQuery, now: Date): AccountKey[] {
    const soon = expiringWithinSeconds === null ? null : new Date(now.getTime() + expiringWithinSeconds * 1000)
    const found = this.all().filter(
      (ledger) =>
        openHolds(ledger).some((hold) => isOverdue(hold, now)) ||
        activeSchedules(ledger).some((schedule) => isDue(schedule, now)) ||
        trueGrants(ledger).some((grant) => grant.remaining > 0 && (isExpired(grant, now) || endsBy(grant, soon))),
    )
    return pageOfKeys(found, after, limit)
  }

  /** In order of credit type. */
  topups(userId: string): AutoTopup[] {
    const own = this.ofUser(userId).flatMap(({ topup }) => topup ?? [])
    return own.sort((a, b) => (a.creditType < b.creditType ? -1 : 1))
  }

  /** In the order of their keys. */
  dueTopups({ openBefore, limit, after }: Parameters<PurchaseStore['findDueTopups']>[0], now: Date): AccountKey[] {
    const found = this.all().filter(({ account, topup }) => {
      if (topup === null) return false
      const { status, openPurchaseId, openSince, retryAt } = topup
      if (openPurchaseId !== null) return openSince !== null && openSince < openBefore
      return account.topupDue && status === 'active' && (retryAt === null || retryAt <= now)
    })
    return pageOfKeys(found, after, limit)
  }

  /** Put an empty text where a person could be told, and another id where theirs was. */
  anonymize(userId: string, replacement: string): number {
    const ledgers = this.ofUser(userId)
    for (const ledger of ledgers) {
      this.#ledgers.delete(ledgerKey(ledger.account))
      this.#ledgers.set(ledgerKey({ ...ledger.account, userId: replacement }), ledger)
      const silent = { userId: replacement, referenceId: null, referenceType: null, metadata: null }
      ledger.account.userId = replacement
      for (const row of ledger.transactions) {
        const idempotencyKey = row.idempotencyKey === null ? null : `anonymous:${row.id}`
        Object.assign(row, silent, { description: '', request: null, actor: null, idempotencyKey })
      }
      for (const row of ledger.holds.values())
        Object.assign(row, silent, { description: '', request: null, actor: null })
      for (const row of [...ledger.grants.values(), ...ledger.schedules.values(), ...ledger.limitCounts.values()])
        row.userId = replacement
      Object.assign(ledger.account, { topupThreshold: null, topupDue: false })
      if (ledger.topup !== null) Object.assign(ledger.topup, { userId: replacement, status: 'off', recoveryUrl: null })
    }
    return ledgers.length
  }
}

/** The account of an event, whose events go out in order. */
export function ledgerKey({ userId, creditType }: AccountKey | EventRecord): string {
  return JSON.stringify([userId, creditType])
}

function newLedger(account: Account): Ledger {
  return {
    account,
    transactions: [],
    grants: new Map(),
    holds: new Map(),
    schedules: new Map(),
    limitCounts: new Map(),
    topup: null,
  }
}

function pageOfKeys(ledgers: readonly Ledger[], after: AccountKey | null, limit: number): AccountKey[] {
  const start = after === null ? '' : ledgerKey(after)
  const keys = ledgers.map(({ account: { userId, creditType } }) => ({ userId, creditType }))
  return keys
    .filter((key) => ledgerKey(key) > start)
    .sort((a, b) => (ledgerKey(a) < ledgerKey(b) ? -1 : 1))
    .slice(0, limit)
}

/** The head's remaining stands in the account row. */
function trueGrants({ account, grants }: Ledger): Grant[] {
  return [...grants.values()].map((grant) =>
    grant.id === account.headGrantId ? { ...grant, remaining: account.headRemaining } : grant,
  )
}

function openHolds({ holds }: Ledger): Hold[] {
  return [...holds.values()].filter(({ status }) => status === 'open')
}

function activeSchedules({ schedules }: Ledger): Schedule[] {
  return [...schedules.values()].filter(({ status }) => status === 'active')
}

function isLeft(grant: Grant, now: Date): boolean {
  return (grant.remaining > 0 || grant.held > 0) && grant.voidedAt === null && !isExpired(grant, now)
}

function endsBy({ expiresAt, noticedAt, voidedAt }: Grant, moment: Date | null): boolean {
  return moment !== null && expiresAt !== null && expiresAt <= moment && noticedAt === null && voidedAt === null
}
