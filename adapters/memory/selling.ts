import type { PaymentFact, Purchase } from '../../src/ledger/purchase.js'
import type { CreditPackage, PackageDraft, PackageStore } from '../../src/ports/package-store.js'
import type { PurchaseReference } from '../../src/ports/purchase-store.js'

/** Packages of a memory store. */
export class Packages implements PackageStore {
  readonly #packages = new Map<number, CreditPackage>()

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
}

/** Purchases of a memory store, and the money that went back for them. Gives out its own objects: callers copy. */
export class Purchases {
  readonly #purchases = new Map<string, Purchase>()
  /** Session and payment ids, each with the purchase that named it first. */
  readonly #references = new Map<string, string>()
  readonly #facts = new Map<string, PaymentFact>()

  find(reference: PurchaseReference): Purchase | undefined {
    const id =
      'id' in reference
        ? reference.id
        : this.#references.get('sessionId' in reference ? reference.sessionId : reference.paymentId)
    return id === undefined ? undefined : this.#purchases.get(id)
  }

  all(): Purchase[] {
    return [...this.#purchases.values()]
  }

  facts(purchaseId: string): PaymentFact[] {
    const facts = [...this.#facts.values()].filter((fact) => fact.purchaseId === purchaseId)
    return facts.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  write(purchases: readonly Purchase[], facts: readonly PaymentFact[]): void {
    for (const purchase of purchases) {
      this.#purchases.set(purchase.id, purchase)
      for (const reference of [purchase.sessionId, purchase.paymentId]) {
        if (reference !== null && !this.#references.has(reference)) this.#references.set(reference, purchase.id)
      }
    }
    for (const fact of facts) this.#facts.set(`${fact.purchaseId}/${fact.id}`, fact)
  }

  /** Returns how many purchases there were. */
  rename(userId: string, replacement: string): number {
    const own = this.all().filter((purchase) => purchase.userId === userId)
    for (const row of [...own, ...this.#facts.values()]) if (row.userId === userId) row.userId = replacement
    return own.length
  }
}
