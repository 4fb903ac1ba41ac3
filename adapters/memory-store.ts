import { type Account, type AccountKey, availableCredits, emptyAccount } from '../src/ledger/account.js'
import type { AccountHistory } from '../src/ledger/audit.js'
import type { Decision, State } from '../src/ledger/decision.js'
import { type Grant, isUsable, nextChange } from '../src/ledger/grant.js'
import type { AccountState } from '../src/ledger/posting.js'
import type { PaymentFact, Purchase } from '../src/ledger/purchase.js'
import type { JsonObject, Transaction } from '../src/ledger/transaction.js'
import { InvalidInputError } from '../src/errors.js'
import type { CreditPackage, PackageDraft } from '../src/ports/package-store.js'
import type { PurchaseReference } from '../src/ports/purchase-store.js'
import type {
  Applied,
  Balance,
  Command,
  CompareRequest,
  Conflict,
  CreditStore,
  Decide,
  Replayed,
  StateQuery,
  TransactionPosition,
  TransactionQuery,
  Usage,
} from '../src/ports/store.js'

/**
 * A store in this process's memory, for tests and first steps: every promise of the port but durability, and no `tx`.
 * One process only. A decision runs in one turn of the event loop, so nothing can come between.
 */
export function memoryStore(): CreditStore {
  return new MemoryStore()
}

/** Everything about one account. */
interface Ledger {
  account: Account
  transactions: Transaction[]
  grants: Map<string, Grant>
}

interface KeptCommand {
  transaction: Transaction | null
  request: JsonObject | null
  keptResult: JsonObject | null
}

class MemoryStore implements CreditStore {
  readonly userIdType = 'text'
  readonly memoryScope = {}
  readonly #ledgers = new Map<string, Ledger>()
  readonly #transactions = new Map<string, Transaction>()
  readonly #keys = new Map<string, KeptCommand>()
  readonly #packages = new Map<number, CreditPackage>()
  readonly #purchases = new Map<string, Purchase>()
  /** Session and payment ids, each with the purchase that named it first. */
  readonly #references = new Map<string, string>()
  readonly #facts = new Map<string, PaymentFact>()

  async update<R>(
    command: Command,
    decide: Decide<R>,
    compare: CompareRequest,
  ): Promise<Applied<R> | Replayed | Conflict> {
    if (command.tx !== undefined) {
      throw new InvalidInputError([
        { path: 'tx', message: 'memoryStore has no database transactions; use a Postgres store' },
      ])
    }
    const known = this.#findCommand(command)
    const field = known === undefined || command.key === null ? null : compare(command.request, known)
    if (field !== null) return { status: 'conflict', field }
    if (known !== undefined) {
      const { transaction, keptResult } = structuredClone(known)
      return { status: 'replayed', transaction, keptResult, accounts: this.#accounts(command) }
    }
    const now = command.now ?? new Date()
    const decision = decide(structuredClone(this.#load(command, now)), now)
    this.#write(command, structuredClone(decision))
    return {
      status: 'applied',
      result: decision.result,
      accounts: decision.accounts.map(({ account }) => ({ ...account })),
    }
  }

  async locate(id: string): Promise<AccountKey | null> {
    const found = this.#transactions.get(id) ?? this.#allGrants().find((grant) => grant.id === id)
    return found === undefined ? null : { userId: found.userId, creditType: found.creditType }
  }

  async readBalance(key: AccountKey, now: Date | null): Promise<Balance> {
    return this.#balance(key, now ?? new Date())
  }

  async readBalances(userId: string, now: Date | null): Promise<Balance[]> {
    const at = now ?? new Date()
    return this.#ledgersOf(userId).map(({ account }) => this.#balance(account, at))
  }

  async listTransactions(query: TransactionQuery): Promise<Transaction[]> {
    const { userId, creditType, transactionType, from, to, after, offset, limit } = query
    const rows = this.#ledgersOf(userId)
      .flatMap(({ transactions }) => transactions)
      .filter((row) => creditType === null || row.creditType === creditType)
      .filter((row) => transactionType === null || row.transactionType === transactionType)
      .filter(({ createdAt }) => (from === null || createdAt >= from) && (to === null || createdAt < to))
      .sort(creditType === null ? compareNewestFirst : (a, b) => b.seq - a.seq)
      .filter(
        (row) => after === null || (creditType === null ? compareNewestFirst(row, after) > 0 : row.seq < after.seq),
      )
    return structuredClone(rows.slice(offset, offset + limit))
  }

  async readUsage(key: AccountKey, from: Date | null, to: Date | null, now: Date | null): Promise<Usage> {
    const all = this.#ledgers.get(ledgerKey(key))?.transactions ?? []
    const rows = all.filter(({ createdAt }) => (from === null || createdAt >= from) && (to === null || createdAt < to))
    const days = new Map<string, { date: string; used: number; added: number }>()
    const usage: Usage = {
      totalUsed: 0,
      totalPurchased: 0,
      totalRefunded: 0,
      transactions: rows.length,
      from: from ?? all[0]?.createdAt ?? null,
      to: to ?? now ?? new Date(),
      daily: [],
    }
    for (const { transactionType, amount, createdAt, relatedId } of rows) {
      const date = createdAt.toISOString().slice(0, 10)
      const day = days.get(date) ?? { date, used: 0, added: 0 }
      days.set(date, day)
      if (transactionType === 'usage') usage.totalUsed -= amount
      if (transactionType === 'usage') day.used -= amount
      if (transactionType === 'purchase') usage.totalPurchased += amount
      if (transactionType === 'refund' && relatedId !== null) usage.totalRefunded += amount
      if (amount > 0) day.added += amount
    }
    usage.daily = [...days.values()].sort((a, b) => (a.date < b.date ? -1 : 1))
    return usage
  }

  async scanAccounts(userId: string | null, visit: (history: AccountHistory) => void): Promise<void> {
    const ledgers = userId === null ? [...this.#ledgers.values()] : this.#ledgersOf(userId)
    for (const ledger of ledgers) visit(structuredClone(this.#history(ledger)))
  }

  async listPackages({
    creditType,
    includeInactive,
  }: {
    creditType: string | null
    includeInactive: boolean
  }): Promise<CreditPackage[]> {
    return [...this.#packages.values()]
      .filter((row) => (creditType === null || row.creditType === creditType) && (includeInactive || row.isActive))
      .sort((a, b) => a.sortOrder - b.sortOrder || a.id - b.id)
      .map((row) => structuredClone(row))
  }

  async findPackage(id: number): Promise<CreditPackage | null> {
    return structuredClone(this.#packages.get(id) ?? null)
  }

  async savePackage(
    draft: PackageDraft,
    whenKeyExists: 'replace' | 'refuse',
    now: Date | null,
  ): Promise<CreditPackage | null> {
    const existing = draft.key === null ? undefined : [...this.#packages.values()].find(({ key }) => key === draft.key)
    if (existing !== undefined && whenKeyExists === 'refuse') return null
    const at = now ?? new Date()
    const row = {
      ...structuredClone(draft),
      id: existing?.id ?? this.#packages.size + 1,
      createdAt: existing?.createdAt ?? at,
      updatedAt: at,
    }
    this.#packages.set(row.id, row)
    return structuredClone(row)
  }

  async changePackage(id: number, changes: Partial<PackageDraft>, now: Date | null): Promise<CreditPackage | null> {
    const row = this.#packages.get(id)
    if (row === undefined) return null
    const changed = { ...row, ...structuredClone(changes), updatedAt: now ?? new Date() }
    this.#packages.set(id, changed)
    return structuredClone(changed)
  }

  async findPurchase(reference: PurchaseReference): Promise<Purchase | null> {
    const id =
      'id' in reference
        ? reference.id
        : this.#references.get('sessionId' in reference ? reference.sessionId : reference.paymentId)
    return structuredClone((id === undefined ? undefined : this.#purchases.get(id)) ?? null)
  }

  async recordWebhookEvent(): Promise<void> {
    // Nobody can read the audit trail of a store that ends with the process.
  }

  async close(): Promise<void> {
    // Nothing was opened.
  }

  #findCommand({ id, userId, key }: Command): KeptCommand | undefined {
    const byKey = key === null ? undefined : this.#keys.get(JSON.stringify([userId, key]))
    if (byKey !== undefined) return byKey
    const transaction = this.#transactions.get(id)
    return transaction === undefined ? undefined : { transaction, request: transaction.request, keptResult: null }
  }

  #accounts({ accounts }: Command): Account[] {
    return accounts.flatMap((key) => structuredClone(this.#ledgers.get(ledgerKey(key))?.account ?? []))
  }

  #load(command: Command, now: Date): State {
    return {
      accounts: command.accounts.map((key) => this.#accountState(key, command.load, now)),
      purchases: (command.purchases ?? []).flatMap(({ id }) => {
        const purchase = this.#purchases.get(id)
        if (purchase === undefined) return []
        return [{ purchase, facts: [...this.#facts.values()].filter(({ purchaseId }) => purchaseId === id) }]
      }),
      transactions: (command.load.transactions ?? []).flatMap((id) => {
        const transaction = this.#transactions.get(id)
        if (transaction === undefined || !command.accounts.some((key) => ledgerKey(key) === ledgerKey(transaction)))
          return []
        const history = this.#ledgers.get(ledgerKey(transaction))?.transactions ?? []
        return [{ transaction, related: history.filter(({ relatedId }) => relatedId === id) }]
      }),
    }
  }

  /** Always all grants that may matter: more than was asked for is allowed. */
  #accountState(key: AccountKey, load: StateQuery, now: Date): AccountState {
    const ledger = this.#ledgers.get(ledgerKey(key))
    if (ledger === undefined) {
      const account = emptyAccount(key, now)
      const history = { account, grants: [], transactions: [], heldByHolds: 0 }
      return { account, grants: [], usable: 0, nextDueAt: null, history: load.history === true ? history : null }
    }
    const grants = trueGrants(ledger)
    return {
      account: ledger.account,
      grants,
      usable: usableCredits(grants, now),
      nextDueAt: nextChange(grants, now),
      history: load.history === true ? this.#history(ledger) : null,
    }
  }

  #history(ledger: Ledger): AccountHistory {
    return { account: ledger.account, grants: trueGrants(ledger), transactions: ledger.transactions, heldByHolds: 0 }
  }

  #write<R>(command: Command, decision: Decision<R>): void {
    for (const { account, transactions, newGrants, changedGrants } of decision.accounts) {
      const key = ledgerKey(account)
      const ledger = this.#ledgers.get(key) ?? { account, transactions: [], grants: new Map<string, Grant>() }
      this.#ledgers.set(key, ledger)
      ledger.account = account
      ledger.transactions.push(...transactions)
      for (const transaction of transactions) this.#transactions.set(transaction.id, transaction)
      for (const grant of [...newGrants, ...changedGrants]) ledger.grants.set(grant.id, grant)
    }
    for (const purchase of decision.purchases ?? []) {
      this.#purchases.set(purchase.id, purchase)
      for (const reference of [purchase.sessionId, purchase.paymentId]) {
        if (reference !== null && !this.#references.has(reference)) this.#references.set(reference, purchase.id)
      }
    }
    for (const fact of decision.facts ?? []) this.#facts.set(`${fact.purchaseId}/${fact.id}`, fact)
    if (command.key === null) return
    const { main, keptResult } = decision
    const request = main === null ? Object.fromEntries(command.request) : main.request
    this.#keys.set(JSON.stringify([command.userId, command.key]), {
      transaction: main,
      request,
      keptResult: keptResult ?? null,
    })
  }

  #balance(key: AccountKey, now: Date): Balance {
    const ledger = this.#ledgers.get(ledgerKey(key))
    const account = ledger?.account ?? emptyAccount(key, now)
    const grants = ledger === undefined ? [] : trueGrants(ledger)
    const dueAt = nextChange(grants, now)
    const expiries = grants
      .filter((grant) => grant.remaining > 0 && isUsable(grant, now))
      .flatMap(({ expiresAt }) => expiresAt ?? [])
    return {
      creditType: key.creditType,
      balance: availableCredits(account.debt, usableCredits(grants, now)),
      owned: account.balance + account.debt,
      held: account.held,
      debt: account.debt,
      totalPurchased: account.totalPurchased,
      totalUsed: account.totalUsed,
      nextExpiry: expiries.sort((a, b) => a.getTime() - b.getTime())[0] ?? null,
      version: account.version,
      staleAfterMs: dueAt === null ? null : dueAt.getTime() - now.getTime(),
    }
  }

  #ledgersOf(userId: string): Ledger[] {
    return [...this.#ledgers.values()].filter(({ account }) => account.userId === userId)
  }

  #allGrants(): Grant[] {
    return [...this.#ledgers.values()].flatMap(({ grants }) => [...grants.values()])
  }
}

function ledgerKey({ userId, creditType }: AccountKey): string {
  return JSON.stringify([userId, creditType])
}

/** The head's remaining stands in the account row. */
function trueGrants({ account, grants }: Ledger): Grant[] {
  return [...grants.values()].map((grant) =>
    grant.id === account.headGrantId ? { ...grant, remaining: account.headRemaining } : grant,
  )
}

function usableCredits(grants: Grant[], now: Date): number {
  return grants.filter((grant) => isUsable(grant, now)).reduce((sum, grant) => sum + grant.remaining, 0)
}

function compareNewestFirst(a: TransactionPosition, b: TransactionPosition): number {
  return (
    b.createdAt.getTime() - a.createdAt.getTime() ||
    b.seq - a.seq ||
    (a.creditType < b.creditType ? -1 : Number(a.creditType > b.creditType))
  )
}
