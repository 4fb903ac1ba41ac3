import { type Account, type AccountKey, availableCredits } from './account.js'
import {
  type AccountChanges,
  type AccountRules,
  type AccountState,
  assertSound,
  countTransaction,
  type GrantDraft,
  newGrant,
  newTransaction,
  NO_RULES,
  type TransactionDraft,
} from './account-state.js'
import { announcements } from './announcements.js'
import type { AutoTopup } from './auto-topup.js'
import { nextMoment, settleDue } from './due.js'
import type { EventDraft } from './event.js'
import {
  allocatedCredits,
  type Allocation,
  compareBurnDown,
  earliestAfter,
  type Grant,
  type GrantAllocation,
  grantRowDiffers,
  headOf,
  isGrantAllocation,
  isOver,
  isPaid,
  isUsable,
  repayingDebt,
} from './grant.js'
import type { Hold } from './hold.js'
import { LimitCounter, windowEnd } from './limit.js'
import type { Schedule } from './schedule.js'
import type { Transaction } from './transaction.js'

type DraftBeyondAmount = Omit<TransactionDraft, 'amount' | 'allocations'>

/**
 * One account while a decision is being made about it: transactions are appended, grants and holds change, and `finish`
 * says what to write. Works on copies, so a decision can run again. Before anything else, what time has done is settled.
 */
export class Posting {
  readonly now: Date
  readonly newId: () => string
  readonly limits: LimitCounter
  readonly #rules: AccountRules
  readonly #original: ReadonlyMap<string, Grant>
  readonly #knownHolds: ReadonlySet<string>
  readonly #grants = new Map<string, Grant>()
  readonly #holds = new Map<string, Hold>()
  readonly #schedules = new Map<string, Schedule>()
  readonly #saved = new Set<string>()
  readonly #account: Account
  readonly #transactions: Transaction[] = []
  readonly #announcements: EventDraft[] = []
  readonly #availableBefore: number
  #topup: AutoTopup | null
  #usable: number
  #nextDueAt: Date | null
  #asOf: Date

  constructor(state: AccountState, now: Date, newId: () => string, rules: AccountRules = NO_RULES) {
    this.now = now
    this.#asOf = now
    this.newId = newId
    this.#rules = rules
    this.#account = { ...state.account }
    this.#original = new Map(state.grants.map((grant) => [grant.id, grant]))
    for (const grant of state.grants) this.#grants.set(grant.id, { ...grant })
    this.#knownHolds = new Set(state.holds.map(({ id }) => id))
    for (const hold of state.holds) this.#holds.set(hold.id, hold)
    for (const schedule of state.schedules) this.#schedules.set(schedule.id, schedule)
    this.limits = new LimitCounter(state.account, rules.limits, state.limitCounts, now)
    this.#topup = state.topup
    this.#usable = state.usable
    this.#nextDueAt = state.nextDueAt
    this.#availableBefore = this.available
    settleDue(this)
  }

  /** Do what time did at an earlier moment: credits that ended only after it had not ended then. */
  settleAsOf(moment: Date, settle: () => unknown): void {
    this.#asOf = moment
    settle()
    this.#asOf = this.now
  }

  get key(): AccountKey {
    return { userId: this.#account.userId, creditType: this.#account.creditType }
  }

  get account(): Readonly<Account> {
    return this.#account
  }

  /** Credits that can be spent now; negative: debt. */
  get available(): number {
    return availableCredits(this.#account.debt, this.#usable)
  }

  get grants(): Iterable<Readonly<Grant>> {
    return this.#grants.values()
  }

  /** Is there anything to write? */
  get touched(): boolean {
    const rows = this.#transactions.length + this.#saved.size + this.#announcements.length
    return rows > 0 || [...this.#original.values()].some((before) => grantRowDiffers(before, this.grant(before.id)))
  }

  /** The loaded grants that have something left, in burn-down order. */
  openGrants(): readonly Readonly<Grant>[] {
    return [...this.#grants.values()].filter(({ remaining, held }) => remaining > 0 || held > 0).sort(compareBurnDown)
  }

  /** Grants that are over and whose free credits have not been written off. */
  endedGrants(): readonly Readonly<Grant>[] {
    const ended = [...this.#grants.values()].filter((grant) => grant.remaining > 0 && isOver(grant, this.now))
    return ended.sort(compareBurnDown)
  }

  /** A grant the state was loaded with. Asking for another one is a bug in the caller's `load`. */
  grant(id: string): Readonly<Grant> {
    return this.#mutable(id)
  }

  get holds(): readonly Hold[] {
    return [...this.#holds.values()]
  }

  get schedules(): readonly Schedule[] {
    return [...this.#schedules.values()]
  }

  /** The account's automatic top-up; null: there is none, or it was not asked for. */
  get topup(): AutoTopup | null {
    return this.#topup
  }

  /** Append a transaction and apply its allocations to grants and debt. */
  post(draft: TransactionDraft): Transaction {
    const account = this.#account
    const transaction = newTransaction(draft, account, this.now)
    const allocated = draft.allocations.reduce((sum, allocation) => sum + allocatedCredits(allocation), 0)
    if (draft.amount === 0 || allocated !== Math.abs(draft.amount)) {
      throw new Error(`Posting.post: ${allocated} credits allocated for a transaction of ${draft.amount}`)
    }
    for (const allocation of draft.allocations) this.#apply(allocation, Math.sign(draft.amount))
    countTransaction(account, transaction)
    this.#transactions.push(transaction)
    return transaction
  }

  /**
   * Add a grant by one transaction. Debt is repaid from it first; a grant that is over already is written off at once.
   */
  addGrant(grant: GrantDraft, draft: DraftBeyondAmount): Transaction {
    this.createGrant(grant)
    return this.giveBack([{ grantId: grant.id, amount: grant.amount }], draft)
  }

  /** A new grant without credits: `giveBack` brings them. */
  createGrant(grant: GrantDraft): void {
    this.#grants.set(grant.id, newGrant(grant, this.#account, this.now))
  }

  /**
   * Credits come (back) to grants: a shortfall of the grant is settled first, then debt is repaid, and what comes to a
   * grant that is over is written off at once. `allocations` sum up to the draft's amount.
   */
  giveBack(allocations: GrantAllocation[], draft: DraftBeyondAmount): Transaction {
    const amount = allocations.reduce((sum, allocation) => sum + allocation.amount, 0)
    const shortfallOf = (grantId: string): number => this.#mutable(grantId).shortfall
    const parts = repayingDebt(allocations, this.#account.debt, shortfallOf)
    const transaction = this.post({ ...draft, amount, allocations: parts })
    for (const { grantId } of allocations) {
      const grant = this.#mutable(grantId)
      this.#settleShortfall(grant, transaction.id)
      if (isOver(grant, this.#asOf)) this.writeOff(grantId, grant.remaining, grant.voidedAt ?? grant.expiresAt)
    }
    return transaction
  }

  /** Set free credits of grants aside. */
  pin(allocations: readonly GrantAllocation[]): void {
    for (const { grantId, amount } of allocations) this.#move(grantId, -amount)
  }

  /** Make credits that were set aside free again. */
  unpin(allocations: readonly GrantAllocation[]): void {
    for (const { grantId, amount } of allocations) this.#move(grantId, amount)
  }

  /**
   * After a hold let go of these credits: what a clawback still wants of their grants is settled, paid ones repay debt (as
   * a clawback would have taken them had they been free), and those of a grant that is over are written off.
   */
  settleReturned(returned: readonly GrantAllocation[], causeId: string): void {
    for (const { grantId, amount } of returned) {
      const grant = this.#mutable(grantId)
      const settled = this.#settleShortfall(grant, causeId)
      if (isOver(grant, this.#asOf)) this.writeOff(grantId, grant.remaining, grant.voidedAt ?? grant.expiresAt)
      else if (isPaid(grant)) this.#repayDebtFrom(grant, amount - settled, causeId)
    }
  }

  /** Write the transaction that ends free credits of a grant unused: because it expired, or was voided. */
  writeOff(grantId: string, amount: number, effectiveAt: Date | null, details?: Partial<TransactionDraft>): void {
    if (amount === 0) return
    const grant = this.#mutable(grantId)
    grant.writtenOff += amount
    const voided = grant.voidedAt !== null
    this.post({
      id: this.newId(),
      transactionType: voided ? 'void' : 'expiration',
      description: voided ? 'Credits voided' : 'Credits expired',
      effectiveAt,
      ...details,
      amount: -amount,
      allocations: [{ grantId, amount }],
    })
  }

  /** Raise (or lower) what a clawback still wants from a grant. */
  changeShortfall(grantId: string, credits: number): void {
    this.#mutable(grantId).shortfall += credits
  }

  /** Let a grant end at another moment, which must be to come; null: never. */
  changeExpiry(grantId: string, expiresAt: Date | null): void {
    const grant = this.#mutable(grantId)
    if (isUsable(grant, this.now)) this.#usable -= grant.remaining
    grant.expiresAt = expiresAt
    grant.noticedAt = null
    if (isUsable(grant, this.now)) this.#usable += grant.remaining
  }

  /** From now on nothing of this grant is usable. */
  markVoided(grantId: string): void {
    const grant = this.#mutable(grantId)
    if (isUsable(grant, this.now)) this.#usable -= grant.remaining
    grant.voidedAt = this.now
  }

  saveHold(hold: Hold): void {
    this.#holds.set(hold.id, hold)
    this.#saved.add(hold.id)
  }

  saveSchedule(schedule: Schedule): void {
    this.#schedules.set(schedule.id, schedule)
    this.#saved.add(schedule.id)
  }

  /** Change the automatic top-up. The account knows at which balance it is to be asked for. */
  saveTopup(topup: AutoTopup): void {
    this.#topup = topup
    this.#saved.add('topup')
    this.#account.topupThreshold = topup.status === 'off' ? null : topup.threshold
  }

  /** Tell of something that no transaction or hold shows, where somebody listens. */
  announce(event: EventDraft): void {
    this.#announcements.push(event)
  }

  /** Tell, once, that a grant will expire soon. */
  noticeExpiry(grantId: string): void {
    const grant = this.#mutable(grantId)
    if (grant.expiresAt === null || grant.noticedAt !== null) return
    grant.noticedAt = this.now
    const { remaining: amount, expiresAt } = grant
    this.announce({
      kind: 'expiringSoon',
      payload: { grantId, amount, expiresAt: expiresAt.toISOString(), balance: this.available },
    })
  }

  /** What to write. Asserts what must hold after any decision. */
  finish(): AccountChanges {
    const account = this.#account
    const head = headOf(this.#grants.values(), this.now)
    // Credits that can be spent without a grant to spend them from: the caller's `load` was too small.
    if ((head === null) !== (this.#usable === 0)) throw new Error('Posting.finish: the next grant was not loaded')
    const oldHead = account.headGrantId
    account.headGrantId = head?.id ?? null
    account.headRemaining = head?.remaining ?? 0
    account.scheduled = account.balance + account.debt - account.held - this.#usable
    const nextKnown = nextMoment(this, this.now)
    account.nextDueAt = earliestAfter(this.now, [this.#nextDueAt, nextKnown])
    account.version += 1
    account.updatedAt = this.now
    for (const grant of this.#grants.values()) grant.open = grant.remaining > 0 || grant.held > 0
    assertSound(account, this.#grants.values())
    const newGrants = [...this.#grants.values()].filter(({ id }) => !this.#original.has(id))
    const events = this.#events(newGrants)
    return {
      account,
      transactions: this.#transactions,
      newGrants,
      changedGrants: [...this.#grants.values()].filter((grant) => this.#rowChanges(grant, oldHead)),
      holds: this.holds.filter(({ id }) => this.#saved.has(id)),
      schedules: this.schedules.filter(({ id }) => this.#saved.has(id)),
      limitCounts: this.limits.changed,
      topup: this.#saved.has('topup') ? this.#topup : null,
      events: events.map(({ kind, payload }, position) => {
        return { ...this.key, id: this.newId(), kind, payload, seq: account.version, position, createdAt: this.now }
      }),
    }
  }

  /** What is to be told of this step; decides the account's next alert, too. */
  #events(newGrants: Grant[]): EventDraft[] {
    const { events, marks } = announcements(this.#rules, {
      account: this.#account,
      transactions: this.#transactions,
      newHolds: this.holds.filter(({ id }) => !this.#knownHolds.has(id)),
      newGrants,
      reached: this.limits.reached.map((limit) => ({ limit, resetsAt: windowEnd(limit.per, this.now) })),
      before: this.#availableBefore,
      after: this.available,
      others: this.#announcements,
    })
    Object.assign(this.#account, marks)
    return events
  }

  /** The head's remaining stands in the account row, so its own row need not change while it stays the head. */
  #rowChanges(grant: Grant, oldHead: string | null): boolean {
    const before = this.#original.get(grant.id)
    if (before === undefined) return false
    const { headGrantId } = this.#account
    if (grant.id === oldHead && grant.id !== headGrantId) return true
    const staysHead = grant.id === oldHead && grant.id === headGrantId
    return grantRowDiffers(staysHead ? { ...before, remaining: grant.remaining } : before, grant)
  }

  #apply(allocation: Allocation, sign: number): void {
    if (!isGrantAllocation(allocation)) {
      this.#account.debt -= sign * allocation.debt
      return
    }
    const grant = this.#mutable(allocation.grantId)
    grant.remaining += sign * allocation.amount
    if (isUsable(grant, this.now)) this.#usable += sign * allocation.amount
  }

  /** Move credits of a grant from held to free; negative: from free to held. */
  #move(grantId: string, credits: number): void {
    const grant = this.#mutable(grantId)
    grant.remaining += credits
    grant.held -= credits
    this.#account.held -= credits
    if (isUsable(grant, this.now)) this.#usable += credits
  }

  #settleShortfall(grant: Grant, causeId: string): number {
    const settled = Math.min(grant.shortfall, grant.remaining)
    grant.shortfall -= settled
    // Beside the other clawbacks of its purchase, so that a give-back finds it.
    this.#clawBack(grant, settled, grant.purchaseId ?? causeId)
    return settled
  }

  /** Owned and owed credits cancel each other: two transactions, so that no row of the ledger is of amount 0. */
  #repayDebtFrom(grant: Grant, credits: number, causeId: string): void {
    const amount = Math.min(credits, this.#account.debt)
    if (amount === 0) return
    this.post({
      id: this.newId(),
      transactionType: 'reinstatement',
      amount,
      description: 'Debt repaid from released credits',
      relatedId: causeId,
      allocations: [{ debt: amount }],
    })
    this.#clawBack(grant, amount, causeId)
  }

  #clawBack(grant: Grant, amount: number, relatedId: string): void {
    if (amount === 0) return
    this.post({
      id: this.newId(),
      transactionType: 'clawback',
      amount: -amount,
      description: 'Credits of a refunded payment',
      relatedId,
      allocations: [{ grantId: grant.id, amount }],
    })
  }

  #mutable(id: string): Grant {
    const grant = this.#grants.get(id)
    if (grant === undefined) throw new Error(`Posting: grant ${id} was not loaded`)
    return grant
  }
}
