import { InvalidAmountError } from '../errors.js'
import { type Account, type AccountKey, availableCredits } from './account.js'
import type { AccountHistory } from './audit.js'
import {
  allocatedCredits,
  type Allocation,
  compareBurnDown,
  earliestAfter,
  type Grant,
  type GrantAllocation,
  headOf,
  isExpired,
  isGrantAllocation,
  isUsable,
  nextChange,
} from './grant.js'
import type { Transaction } from './transaction.js'

/** What a store loads of one account, under its lock, for a decision. */
export interface AccountState {
  account: Account
  /** The grants asked for, with their true remaining, and every open grant whose expiry has passed. */
  grants: Grant[]
  /** Σ remaining of all grants usable now, loaded or not. */
  usable: number
  /** The next moment at which time alone changes something (an expiry, a start, a hold's end); null: never. */
  nextDueAt: Date | null
  /** Everything there is, where it was asked for. */
  history: AccountHistory | null
}

/** What becomes of one account: to be written whole or not at all. */
export interface AccountChanges {
  account: Account
  transactions: Transaction[]
  newGrants: Grant[]
  /** Known grants whose row changes. */
  changedGrants: Grant[]
}

/** What the author of a new grant says; the rest follows from the account. */
export type GrantDraft = Pick<
  Grant,
  'id' | 'amount' | 'effectiveAt' | 'expiresAt' | 'priority' | 'source' | 'paidAmount' | 'currency' | 'purchaseId'
>

/** What the author of a new transaction says; the rest follows from the account. */
export type TransactionDraft = Pick<Transaction, 'id' | 'transactionType' | 'amount' | 'description' | 'allocations'> &
  Partial<Transaction>

/**
 * One account while a decision is being made about it: transactions are appended, grants change, and `finish` says what
 * to write. Works on copies, so a decision can run again. Before anything else, what time has ended is written off.
 */
export class Posting {
  readonly #original: ReadonlyMap<string, Grant>
  readonly #grants = new Map<string, Grant>()
  readonly #account: Account
  readonly #transactions: Transaction[] = []
  readonly #newId: () => string
  readonly now: Date
  #usable: number
  #nextDueAt: Date | null

  constructor(state: AccountState, now: Date, newId: () => string) {
    this.#account = { ...state.account }
    this.#original = new Map(state.grants.map((grant) => [grant.id, grant]))
    for (const grant of state.grants) this.#grants.set(grant.id, { ...grant })
    this.#usable = state.usable
    this.#nextDueAt = state.nextDueAt
    this.#newId = newId
    this.now = now
    for (const grant of [...this.#grants.values()].sort(compareBurnDown)) this.#writeOff(grant)
  }

  get key(): AccountKey {
    return this.#account
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

  /** A grant the state was loaded with. Asking for another one is a bug in the caller's `load`. */
  grant(id: string): Readonly<Grant> {
    const grant = this.#grants.get(id)
    if (grant === undefined) throw new Error(`Posting.grant: grant ${id} was not loaded`)
    return grant
  }

  /** Append a transaction and apply its allocations to grants and debt. */
  post(draft: TransactionDraft): Transaction {
    const account = this.#account
    const transaction: Transaction = {
      referenceId: null,
      referenceType: null,
      metadata: null,
      effectiveAt: null,
      idempotencyKey: null,
      request: null,
      relatedId: null,
      actor: null,
      ...draft,
      userId: account.userId,
      creditType: account.creditType,
      createdAt: this.now,
      seq: account.seq + 1,
      balanceAfter: countable(account.balance + draft.amount),
    }
    const allocated = draft.allocations.reduce((sum, allocation) => sum + allocatedCredits(allocation), 0)
    if (draft.amount === 0 || allocated !== Math.abs(draft.amount)) {
      throw new Error(`Posting.post: ${allocated} credits allocated for a transaction of ${draft.amount}`)
    }
    const sign = Math.sign(draft.amount)
    for (const allocation of draft.allocations) this.#apply(allocation, sign)
    account.balance = transaction.balanceAfter
    account.seq = transaction.seq
    if (draft.transactionType === 'purchase') account.totalPurchased = countable(account.totalPurchased + draft.amount)
    if (draft.transactionType === 'usage') account.totalUsed = countable(account.totalUsed - draft.amount)
    if (draft.transactionType === 'refund' && transaction.relatedId !== null) account.totalUsed -= draft.amount
    this.#transactions.push(transaction)
    return transaction
  }

  /**
   * Add a grant by one transaction. Debt is repaid from it first; a grant that is over already is written off at once.
   */
  addGrant(grant: GrantDraft, draft: Omit<TransactionDraft, 'amount' | 'allocations'>): Transaction {
    const added: Grant = {
      ...grant,
      userId: this.#account.userId,
      creditType: this.#account.creditType,
      remaining: 0,
      held: 0,
      shortfall: 0,
      writtenOff: 0,
      open: true,
      voidedAt: null,
      seq: this.#account.seq + 1,
      createdAt: this.now,
    }
    this.#grants.set(added.id, added)
    const transaction = this.post({
      ...draft,
      amount: grant.amount,
      allocations: this.#repayingDebt([{ grantId: added.id, amount: grant.amount }]),
    })
    this.#writeOff(added)
    return transaction
  }

  /**
   * Credits come back to grants they were taken from: a shortfall of the grant is settled first, then debt is repaid,
   * and what comes back to a grant that is over is written off at once. `allocations` sum up to the draft's amount.
   */
  giveBack(allocations: GrantAllocation[], draft: Omit<TransactionDraft, 'amount' | 'allocations'>): Transaction {
    const amount = allocations.reduce((sum, allocation) => sum + allocation.amount, 0)
    const transaction = this.post({ ...draft, amount, allocations: this.#repayingDebt(allocations) })
    for (const { grantId } of allocations) {
      const grant = this.#mutable(grantId)
      this.#settleShortfall(grant, transaction)
      this.#writeOff(grant)
    }
    return transaction
  }

  /** Raise (or lower) what a clawback still wants from a grant. */
  changeShortfall(grantId: string, credits: number): void {
    this.#mutable(grantId).shortfall += credits
  }

  /** What to write. Asserts what must hold after any decision. */
  finish(): AccountChanges {
    const account = this.#account
    const head = headOf(this.#grants.values(), this.now)
    const oldHead = account.headGrantId
    account.headGrantId = head?.id ?? null
    account.headRemaining = head?.remaining ?? 0
    account.nextDueAt = earliestAfter(this.now, [this.#nextDueAt, nextChange(this.#grants.values(), this.now)])
    account.version += 1
    account.updatedAt = this.now
    for (const grant of this.#grants.values()) grant.open = grant.remaining > 0 || grant.held > 0
    this.#assertSound()
    return {
      account,
      transactions: this.#transactions,
      newGrants: [...this.#grants.values()].filter(({ id }) => !this.#original.has(id)),
      changedGrants: [...this.#grants.values()].filter((grant) => this.#rowChanges(grant, oldHead)),
    }
  }

  /** The head's remaining stands in the account row, so its own row need not change while it stays the head. */
  #rowChanges(grant: Grant, oldHead: string | null): boolean {
    const before = this.#original.get(grant.id)
    if (before === undefined) return false
    const { headGrantId } = this.#account
    if (grant.id === oldHead && grant.id !== headGrantId) return true
    const onlyInAccountRow = grant.id === oldHead && grant.id === headGrantId
    return (
      (grant.remaining !== before.remaining && !onlyInAccountRow) ||
      grant.held !== before.held ||
      grant.shortfall !== before.shortfall ||
      grant.writtenOff !== before.writtenOff ||
      grant.open !== before.open ||
      grant.voidedAt?.getTime() !== before.voidedAt?.getTime()
    )
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

  /** Turn credits coming into grants into repaid debt, as far as there is debt. */
  #repayingDebt(incoming: GrantAllocation[]): Allocation[] {
    let debt = this.#account.debt
    return incoming.flatMap(({ grantId, amount }) => {
      const settled = Math.min(amount, this.#grants.get(grantId)?.shortfall ?? 0)
      const repaid = Math.min(amount - settled, debt)
      debt -= repaid
      const kept = { grantId, amount: amount - repaid }
      return repaid === 0 ? [kept] : kept.amount === 0 ? [{ grantId, debt: repaid }] : [kept, { grantId, debt: repaid }]
    })
  }

  #settleShortfall(grant: Grant, cause: Transaction): void {
    const settled = Math.min(grant.shortfall, grant.remaining)
    if (settled === 0) return
    grant.shortfall -= settled
    this.post({
      id: this.#newId(),
      transactionType: 'clawback',
      amount: -settled,
      description: 'Credits of a refunded payment',
      // Beside the other clawbacks of its purchase, so that a give-back finds it.
      relatedId: grant.purchaseId ?? cause.id,
      allocations: [{ grantId: grant.id, amount: settled }],
    })
  }

  /** Write the transaction that takes what is left of a grant that has expired or was voided. */
  #writeOff(grant: Grant): void {
    const expired = isExpired(grant, this.now)
    if (grant.remaining === 0 || (!expired && grant.voidedAt === null)) return
    grant.writtenOff += grant.remaining
    this.post({
      id: this.#newId(),
      transactionType: grant.voidedAt === null ? 'expiration' : 'void',
      amount: -grant.remaining,
      description: grant.voidedAt === null ? 'Credits expired' : 'Credits voided',
      effectiveAt: grant.voidedAt ?? grant.expiresAt,
      allocations: [{ grantId: grant.id, amount: grant.remaining }],
    })
  }

  #mutable(id: string): Grant {
    const grant = this.#grants.get(id)
    if (grant === undefined) throw new Error(`Posting: grant ${id} was not loaded`)
    return grant
  }

  #assertSound(): void {
    const { balance, debt, held } = this.#account
    if (debt < 0 || held < 0 || balance + debt < held) {
      throw new Error(`Posting.finish: impossible account, balance ${balance}, debt ${debt}, held ${held}`)
    }
    for (const { id, remaining, held: pinned, shortfall } of this.#grants.values()) {
      if (remaining < 0 || pinned < 0 || shortfall < 0) throw new Error(`Posting.finish: impossible grant ${id}`)
    }
  }
}

/** Credits are counted exactly or not at all. */
function countable(credits: number): number {
  if (!Number.isSafeInteger(credits))
    throw new InvalidAmountError('Amount is too large: the balance could not be counted exactly')
  return credits
}
