import type { QuarantineEntry } from '../../src/ledger/purchase.js'
import type { CustomerRecord, PurchaseStore, SubscriptionRecord } from '../../src/ports/purchase-store.js'
import { Packages } from './packages.js'

type Records = Pick<
  PurchaseStore,
  | 'findCustomer'
  | 'saveCustomer'
  | 'deleteCustomer'
  | 'saveSubscription'
  | 'listSubscriptions'
  | 'findSubscription'
  | 'findQuarantine'
  | 'listQuarantine'
>

/** What a memory store knows of a provider's customers and subscriptions, and of payments that nobody got credits for. */
export class PaymentRecords extends Packages implements Records {
  #customers: CustomerRecord[] = []
  readonly #subscriptions = new Map<string, SubscriptionRecord>()
  readonly #quarantine = new Map<string, QuarantineEntry>()

  async findCustomer(query: Parameters<PurchaseStore['findCustomer']>[0]): Promise<CustomerRecord | null> {
    const { provider, livemode } = query
    const found = this.#customers
      .filter((row) => row.provider === provider && row.livemode === livemode)
      .filter((row) => ('userId' in query ? row.userId === query.userId : row.customerId === query.customerId))
      .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.userId < b.userId ? -1 : 1))
    return structuredClone(found[0] ?? null)
  }

  async saveCustomer(customer: CustomerRecord, replaces: string | null): Promise<CustomerRecord> {
    const { userId, provider, livemode } = customer
    const stored = this.#customers.find(
      (row) => row.userId === userId && row.provider === provider && row.livemode === livemode,
    )
    if (stored !== undefined && stored.customerId !== replaces) return structuredClone(stored)
    this.#customers = this.#customers.filter((row) => row !== stored)
    this.#customers.push(structuredClone(customer))
    return structuredClone(customer)
  }

  async deleteCustomer({
    provider,
    livemode,
    customerId,
  }: Parameters<PurchaseStore['deleteCustomer']>[0]): Promise<void> {
    this.#customers = this.#customers.filter(
      (row) => row.provider !== provider || row.livemode !== livemode || row.customerId !== customerId,
    )
  }

  async saveSubscription(subscription: SubscriptionRecord): Promise<void> {
    const known = this.#subscriptions.get(subscription.id)
    if (known !== undefined && countsMore(known, subscription)) return
    const { createdAt } = known ?? subscription
    this.#subscriptions.set(subscription.id, structuredClone({ ...subscription, createdAt }))
  }

  async listSubscriptions(userId: string): Promise<SubscriptionRecord[]> {
    const own = [...this.#subscriptions.values()].filter((row) => row.userId === userId)
    own.sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? -1 : 1))
    return structuredClone(own)
  }

  async findSubscription(id: string): Promise<SubscriptionRecord | null> {
    return structuredClone(this.#subscriptions.get(id) ?? null)
  }

  async findQuarantine(id: string): Promise<QuarantineEntry | null> {
    return structuredClone(this.#quarantine.get(id) ?? null)
  }

  async listQuarantine({
    open,
    limit,
    after,
  }: Parameters<PurchaseStore['listQuarantine']>[0]): Promise<QuarantineEntry[]> {
    const found = [...this.#quarantine.values()]
      .filter(({ id, resolvedAt }) => (after === null || id > after) && (!open || resolvedAt === null))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
    return structuredClone(found.slice(0, limit))
  }

  /** New entries, and what became of known ones: of several who resolve one, the first did; granted stays granted. */
  protected writeQuarantine(entries: readonly QuarantineEntry[]): void {
    for (const entry of entries) {
      const known = this.#quarantine.get(entry.id) ?? entry
      const isGranted = entry.resolution === 'granted' && known.resolution === 'dismissed'
      const { resolvedAt, resolvedBy, resolution } = known.resolvedAt === null || isGranted ? entry : known
      this.#quarantine.set(entry.id, { ...known, resolvedAt, resolvedBy, resolution })
    }
  }

  protected anonymizeRecords(userId: string, replacement: string): void {
    for (const row of [...this.#customers, ...this.#subscriptions.values()])
      if (row.userId === userId) row.userId = replacement
    for (const row of this.#quarantine.values())
      if (row.userId === userId) Object.assign(row, { userId: replacement, details: {}, resolvedBy: null })
  }
}

/** What has ended stays ended; else the younger picture counts. */
function countsMore(a: SubscriptionRecord, b: SubscriptionRecord): boolean {
  const [aEnded, bEnded] = [a.endedAt !== null, b.endedAt !== null]
  return aEnded === bEnded ? a.updatedAt > b.updatedAt : aEnded
}
