import type { State } from '../../src/ledger/decision.js'
import type { PaymentFact, Purchase } from '../../src/ledger/purchase.js'
import type { Transaction } from '../../src/ledger/transaction.js'
import type { PurchaseReference, PurchaseStore, PurchaseWithFacts } from '../../src/ports/purchase-store.js'
import type { Command } from '../../src/ports/store.js'

/** Purchases of a memory store, and the money that went back for them. Gives out its own objects: callers copy. */
export class Purchases {
  readonly #purchases = new Map<string, Purchase>()
  /** Session, payment and invoice ids, each with the purchase that named it first. */
  readonly #references = new Map<string, string>()
  readonly #facts = new Map<string, PaymentFact>()

  find(reference: PurchaseReference): Purchase | undefined {
    const id = 'id' in reference ? reference.id : this.#references.get(providerId(reference))
    return id === undefined ? undefined : this.#purchases.get(id)
  }

  all(): Purchase[] {
    return [...this.#purchases.values()]
  }

  ofInvoice(invoiceId: string): Purchase[] {
    const named = this.find({ invoiceId })
    const all = this.all().filter((purchase) => purchase.invoiceId === invoiceId && purchase.userId === named?.userId)
    return all.sort(compareIds)
  }

  list({ statuses, from, to, limit, after }: Parameters<PurchaseStore['listPurchases']>[0]): Purchase[] {
    return this.all()
      .filter(({ status, createdAt }) => statuses.includes(status) && createdAt >= from && createdAt < to)
      .filter(({ id }) => after === null || id > after)
      .sort(compareIds)
      .slice(0, limit)
  }

  findWithFacts(id: string): PurchaseWithFacts | undefined {
    const purchase = this.#purchases.get(id)
    return purchase === undefined ? undefined : { purchase, facts: this.#factsOf(purchase) }
  }

  /** Newest first. */
  ofUser({ userId, limit, after }: Parameters<PurchaseStore['listUserPurchases']>[0]): PurchaseWithFacts[] {
    const all = this.all().filter((purchase) => purchase.userId === userId)
    all.sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || compareIds(b, a))
    const last = all.findIndex(({ id }) => id === after)
    if (after !== null && last === -1) return []
    return all.slice(last + 1, last + 1 + limit).map((purchase) => ({ purchase, facts: this.#factsOf(purchase) }))
  }

  /** What a decision about these purchases is handed; `history`: the transactions of its accounts. */
  locked(named: NonNullable<Command['purchases']>, history: () => readonly Transaction[]): State['purchases'] {
    const purchases = named.flatMap(({ id }) => this.#purchases.get(id) ?? [])
    return purchases.sort(compareIds).map((purchase) => ({
      purchase,
      facts: this.#factsOf(purchase),
      history: history()
        .filter(({ relatedId }) => relatedId === purchase.id)
        .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || a.seq - b.seq),
    }))
  }

  write(purchases: readonly Purchase[], facts: readonly PaymentFact[]): void {
    for (const purchase of purchases) {
      this.#purchases.set(purchase.id, purchase)
      for (const reference of [purchase.sessionId, purchase.paymentId, purchase.invoiceId]) {
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

  #factsOf({ id }: Purchase): PaymentFact[] {
    return [...this.#facts.values()].filter(({ purchaseId }) => purchaseId === id).sort(compareIds)
  }
}

function providerId(reference: Exclude<PurchaseReference, { id: string }>): string {
  if ('sessionId' in reference) return reference.sessionId
  return 'paymentId' in reference ? reference.paymentId : reference.invoiceId
}

function compareIds(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : Number(a.id > b.id)
}
