import type { Account, AccountKey } from '../../src/ledger/account.js'
import type { AccountHistory } from '../../src/ledger/audit.js'
import type { AutoTopup } from '../../src/ledger/auto-topup.js'
import type { Balance } from '../../src/ledger/balance.js'
import type { Decision, State } from '../../src/ledger/decision.js'
import type { EventRecord } from '../../src/ledger/event.js'
import type { Grant } from '../../src/ledger/grant.js'
import { type Hold, isOverdue } from '../../src/ledger/hold.js'
import { type Metrics, metricsOf, type MetricsQuery } from '../../src/ledger/metrics.js'
import type { Purchase } from '../../src/ledger/purchase.js'
import type { Schedule } from '../../src/ledger/schedule.js'
import type { JsonObject, Transaction } from '../../src/ledger/transaction.js'
import type { TransactionPage } from '../../src/ledger/transaction-positions.js'
import { type DayOfUse, usageByDay } from '../../src/ledger/usage.js'
import { InvalidInputError } from '../../src/errors.js'
import type { DueQuery } from '../../src/ports/due-store.js'
import type { ClaimedEvent, ClaimQuery } from '../../src/ports/outbox-store.js'
import type { PurchaseReference, PurchaseStore, PurchaseWithFacts } from '../../src/ports/purchase-store.js'
import type { ReportStore, UserBalances } from '../../src/ports/report-store.js'
import type {
  Applied,
  Command,
  CommandItem,
  CompareRequest,
  Conflict,
  CreditStore,
  Decide,
  Replayed,
  TransactionQuery,
} from '../../src/ports/store.js'
import type { Usage } from '../../src/ports/usage-store.js'
import { ledgerKey, Ledgers } from './ledgers.js'
import { Outbox } from './outbox.js'
import { pageOf } from './transaction-pages.js'
import { PaymentRecords } from './payment-records.js'
import { Purchases } from './purchases.js'
import { pageOfUsers } from './users.js'

/**
 * A store in this process's memory, for tests and first steps: every promise of the port but durability, and no database
 * transactions. One process only. A decision runs in one turn of the event loop, so nothing can come between.
 */
export function memoryStore(): CreditStore {
  return new MemoryStore()
}

interface KeptCommand {
  transaction: Transaction | null
  request: JsonObject | null
  keptResult: JsonObject | null
}

class MemoryStore extends PaymentRecords implements CreditStore {
  readonly userIdType = 'text'
  readonly memoryScope = {}
  readonly #ledgers = new Ledgers()
  readonly #purchases = new Purchases()
  readonly #outbox = new Outbox()
  readonly #keys = new Map<string, KeptCommand>()

  async update<R>(
    command: Command,
    decide: Decide<R>,
    compare: CompareRequest,
  ): Promise<Applied<R> | Replayed | Conflict> {
    const known = this.#findCommand(command)
    const field = known === undefined || command.key === null ? null : compare(command.request, known)
    if (field !== null) return { status: 'conflict', field }
    if (known !== undefined) {
      const { transaction, keptResult } = structuredClone(known)
      return { status: 'replayed', transaction, keptResult, accounts: this.#accounts(command) }
    }
    const items = (command.items ?? []).map((item) => this.#findCommand(item))
    const itemField = differentItem(command.items ?? [], items, compare)
    if (itemField !== null) return { status: 'conflict', field: itemField }
    const now = command.now ?? new Date()
    const state = this.#load(command, now)
    const done = items.map((item) => item?.transaction ?? null)
    const decision = decide(structuredClone({ ...state, items: done }), now)
    this.#write(command, structuredClone(decision))
    return {
      status: 'applied',
      result: decision.result,
      accounts: decision.accounts.map(({ account }) => ({ ...account })),
    }
  }

  within(): CreditStore {
    throw noTransactions()
  }

  async transaction<R>(): Promise<R> {
    throw noTransactions()
  }

  async findTransaction(id: string): Promise<Transaction | null> {
    return structuredClone(this.#ledgers.transaction(id) ?? null)
  }

  async findHold(id: string, now: Date | null): Promise<Hold | null> {
    const hold = this.#ledgers.hold(id)
    if (hold === undefined) return null
    return structuredClone(isOverdue(hold, now ?? new Date()) ? { ...hold, status: 'expired' } : hold)
  }

  async listHolds(
    { userId, creditType }: { userId: string; creditType: string | null },
    now: Date | null,
  ): Promise<Hold[]> {
    return structuredClone(this.#ledgers.openHolds(userId, creditType, now ?? new Date()))
  }

  async findGrant(id: string): Promise<Grant | null> {
    return structuredClone(this.#ledgers.grant(id) ?? null)
  }

  async findGrants(userId: string, ids: readonly string[]): Promise<Grant[]> {
    const found = ids.flatMap((id) => this.#ledgers.grant(id) ?? [])
    return structuredClone(found.filter((grant) => grant.userId === userId))
  }

  async listGrants(
    { userId, creditType }: { userId: string; creditType: string | null },
    now: Date | null,
  ): Promise<Grant[]> {
    return structuredClone(this.#ledgers.openGrants(userId, creditType, now ?? new Date()))
  }

  async listSchedules(userId: string): Promise<Schedule[]> {
    const all = this.#ledgers.ofUser(userId).flatMap(({ schedules }) => [...schedules.values()])
    return structuredClone(all.sort((a, b) => (a.id < b.id ? -1 : 1)))
  }

  async readBalance(key: AccountKey, now: Date | null): Promise<Balance> {
    return this.#ledgers.balance(key, now ?? new Date())
  }

  async readBalances(userId: string, now: Date | null): Promise<Balance[]> {
    const at = now ?? new Date()
    return this.#ledgers.ofUser(userId).map(({ account }) => this.#ledgers.balance(account, at))
  }

  async listTransactions(query: TransactionQuery): Promise<TransactionPage> {
    return structuredClone(pageOf(this.#ledgers.ofUser(query.userId), query))
  }

  async readUsage(key: AccountKey, from: Date | null, to: Date | null, now: Date | null): Promise<Usage> {
    const all = this.#ledgers.get(key)?.transactions ?? []
    const rows = all.filter(({ createdAt }) => (from === null || createdAt >= from) && (to === null || createdAt < to))
    const days = usageByDay(rows)
    const sum = (of: (day: DayOfUse) => number): number => days.reduce((total, day) => total + of(day), 0)
    return {
      totalUsed: sum(({ used }) => used),
      totalPurchased: sum(({ purchased }) => purchased),
      totalRefunded: sum(({ refunded }) => refunded),
      transactions: rows.length,
      from: from ?? all[0]?.createdAt ?? null,
      to: to ?? now ?? new Date(),
      daily: days.map(({ date, used, added }) => ({ date, used, added })),
    }
  }

  async findUsageToRollUp(): Promise<AccountKey[]> {
    return []
  }

  async rollUpUsage(): Promise<boolean> {
    // Reading all of it again is as fast as memory is.
    return false
  }

  async forgetUsageSums(): Promise<void> {
    // There are none.
  }

  async scanAccounts(
    { userId, creditType, holds = 'open' }: { userId: string | null; creditType?: string; holds?: 'open' | 'every' },
    visit: (history: AccountHistory) => void,
  ): Promise<void> {
    const ledgers = userId === null ? this.#ledgers.all() : this.#ledgers.ofUser(userId)
    for (const ledger of ledgers) {
      if (creditType === undefined || ledger.account.creditType === creditType)
        visit(structuredClone(this.#ledgers.history(ledger, holds)))
    }
  }

  async findPurchase(reference: PurchaseReference): Promise<Purchase | null> {
    return structuredClone(this.#purchases.find(reference) ?? null)
  }

  async listInvoicePurchases(invoiceId: string): Promise<Purchase[]> {
    return structuredClone(this.#purchases.ofInvoice(invoiceId))
  }

  async listPurchases(query: Parameters<PurchaseStore['listPurchases']>[0]): Promise<Purchase[]> {
    return structuredClone(this.#purchases.list(query))
  }

  async findPurchaseWithFacts(id: string): Promise<PurchaseWithFacts | null> {
    return structuredClone(this.#purchases.findWithFacts(id) ?? null)
  }

  async listUserPurchases(query: Parameters<PurchaseStore['listUserPurchases']>[0]): Promise<PurchaseWithFacts[]> {
    return structuredClone(this.#purchases.ofUser(query))
  }

  async listTopups(userId: string): Promise<AutoTopup[]> {
    return structuredClone(this.#ledgers.topups(userId))
  }

  async findDueTopups(query: Parameters<PurchaseStore['findDueTopups']>[0]): Promise<AccountKey[]> {
    return this.#ledgers.dueTopups(query, query.now ?? new Date())
  }

  async recordWebhookEvent(): Promise<void> {
    // Nobody can read the audit trail of a store that ends with the process.
  }

  async findDue(query: DueQuery): Promise<AccountKey[]> {
    return this.#ledgers.due(query, query.now ?? new Date())
  }

  async claimEvents(query: ClaimQuery): Promise<ClaimedEvent[]> {
    return this.#outbox.claim(query, query.now ?? new Date())
  }

  async settleEvent({ id }: Pick<EventRecord, 'id'>): Promise<void> {
    this.#outbox.settle(id)
  }

  async failEvent({ id }: Pick<EventRecord, 'id'>, delaySeconds: number | null, now: Date | null): Promise<void> {
    this.#outbox.fail(id, delaySeconds, now ?? new Date())
  }

  async listParkedEvents(limit: number): Promise<ClaimedEvent[]> {
    return this.#outbox.parked(limit)
  }

  async readMetrics(query: MetricsQuery): Promise<Metrics> {
    const histories = this.#ledgers.all().map((ledger) => this.#ledgers.history(ledger, 'open'))
    return metricsOf(histories, this.#purchases.all(), query)
  }

  async findUsers(query: Parameters<ReportStore['findUsers']>[0], now: Date | null): Promise<UserBalances[]> {
    const owners = this.#ledgers.all().map(({ account }) => account.userId)
    return Promise.all(
      pageOfUsers(owners, query).map(async (userId) => ({ userId, balances: await this.readBalances(userId, now) })),
    )
  }

  async anonymizeUser(userId: string, replacement: string): Promise<{ accounts: number; purchases: number }> {
    if (this.#ledgers.ofUser(replacement).length > 0)
      throw new Error('anonymizeUser: there is a user of the new name already')
    const purchases = this.#purchases.rename(userId, replacement)
    const accounts = this.#ledgers.anonymize(userId, replacement)
    this.#outbox.drop(userId)
    this.anonymizeRecords(userId, replacement)
    for (const [name, kept] of this.#keys) {
      if (!name.startsWith(keyPrefix(userId))) continue
      this.#keys.delete(name)
      const key = name.slice(keyPrefix(userId).length)
      // Those of ours keep what they guard from happening twice; those of callers may name somebody.
      if (key.startsWith('creditkit:')) this.#keys.set(keyOf(replacement, key), kept)
    }
    return { accounts, purchases }
  }

  async close(): Promise<void> {
    // Nothing was opened.
  }

  #findCommand({ id, userId, key }: CommandItem): KeptCommand | undefined {
    const byKey = key === null ? undefined : this.#keys.get(keyOf(userId, key))
    if (byKey !== undefined) return byKey
    const transaction = this.#ledgers.transaction(id)
    return transaction === undefined ? undefined : { transaction, request: transaction.request, keptResult: null }
  }

  #accounts({ accounts }: Command): Account[] {
    return accounts.flatMap((key) => structuredClone(this.#ledgers.get(key)?.account ?? []))
  }

  #load(command: Command, now: Date): Omit<State, 'items'> {
    const { load, accounts } = command
    const history = (): Transaction[] => accounts.flatMap((key) => this.#ledgers.get(key)?.transactions ?? [])
    return {
      accounts: accounts.map((key) => this.#ledgers.state(key, now, load)),
      purchases: this.#purchases.locked(command.purchases ?? [], history),
      transactions: (load.transactions ?? []).flatMap((id) => {
        const transaction = this.#ledgers.transaction(id)
        if (transaction === undefined || !accounts.some((key) => ledgerKey(key) === ledgerKey(transaction))) return []
        return [{ transaction, related: history().filter(({ relatedId }) => relatedId === id) }]
      }),
    }
  }

  #write<R>(command: Command, decision: Decision<R>): void {
    const { main, keptResult = null, accounts, items = [], purchases = [], facts = [], quarantine = [] } = decision
    for (const changes of accounts) {
      this.#ledgers.write(changes)
      this.#outbox.add(changes.events)
    }
    this.#purchases.write(purchases, facts)
    this.writeQuarantine(quarantine)
    for (const row of items) this.#keep(row.userId, row.idempotencyKey, row, null)
    const request = main === null ? Object.fromEntries(command.request) : main.request
    this.#keep(command.userId, command.key, main, keptResult, request)
  }

  #keep(
    userId: string,
    key: string | null,
    transaction: Transaction | null,
    keptResult: JsonObject | null,
    request = transaction?.request ?? null,
  ): void {
    if (key !== null) this.#keys.set(keyOf(userId, key), { transaction, request, keptResult })
  }
}

function keyOf(userId: string, key: string): string {
  return `${keyPrefix(userId)}${key}`
}

function keyPrefix(userId: string): string {
  return `${JSON.stringify(userId)}/`
}

function differentItem(
  items: readonly CommandItem[],
  known: readonly (KeptCommand | undefined)[],
  compare: CompareRequest,
): string | null {
  for (const [index, { key, request }] of items.entries()) {
    const stored = known[index]
    const field = stored === undefined || key === null ? null : compare(request, stored)
    if (field !== null) return `items.${index}.${field}`
  }
  return null
}

function noTransactions(): InvalidInputError {
  return new InvalidInputError([
    { path: 'tx', message: 'memoryStore has no database transactions; use a Postgres store' },
  ])
}
