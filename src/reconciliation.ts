import * as z from 'zod'
import { isCreditError } from './errors.js'
import { fulfillCheckout } from './fulfillments.js'
import { moment, parseInput } from './inputs.js'
import { missingLines, settleInvoice } from './invoices.js'
import type { Purchase } from './ledger/purchase.js'
import { processPaymentEvent } from './payments.js'
import type { Checkout, Invoice, Payment, PaymentReversals, TimeRange } from './ports/payments.js'
import { checkoutEntryId, purchaseEntryId } from './quarantine-entries.js'
import { missingClawback, purchasesOf, settlePaymentReversals } from './reversals.js'
import type { Till } from './till.js'
import { settleTopupPayment } from './topups.js'

/** Which time `reconcile` looks at, and whether it repairs what it finds. */
export interface ReconcileInput {
  /** What the provider made in this time, half-open, at most ten years; also what it made before, if it may have been paid only now. */
  from: Date
  to: Date
  /** Repair what the provider's word decides. Default false: only say what is wrong. */
  apply?: boolean | undefined
  /** Told after each hundred objects, and at the end of each pass. */
  onProgress?: ((progress: ReconcileProgress) => void) | undefined
}

/**
 * How far a reconciliation is. It goes day by day, so `pass` changes to and fro; `checked` counts its objects in the
 * whole run.
 */
export interface ReconcileProgress {
  pass: keyof ReconcileReport['checked']
  checked: number
}

/**
 * `paid_not_granted`: money came, credits did not. `granted_not_paid`: credits came, money did not; never repaired, a person
 * has to look. `under_clawed`, `over_clawed`: money went back, and too few or too many credits with it. `quarantined`: waits
 * for a person. `unknown_purchase`: paid for a purchase of ours that is not in this database. `not_handled`: looking at it, or
 * repairing it, failed; the log says why.
 */
export type FindingKind =
  | 'paid_not_granted'
  | 'granted_not_paid'
  | 'under_clawed'
  | 'over_clawed'
  | 'quarantined'
  | 'unknown_purchase'
  | 'not_handled'

/** One thing that is not as it should be: at most one per purchase. */
export interface Finding {
  kind: FindingKind
  /**
   * The provider's id of what it is about: a session, payment, invoice or event. The purchase's own where it has none.
   */
  reference: string
  /** Whose it is; null: not known. */
  userId: string | null
  /** Of this database, but for `unknown_purchase`; null: of an invoice, or not known. */
  purchaseId: string | null
  /** Credits that are missing or too many, positive; null: not known. */
  credits: number | null
  /** It is right now. With `apply: false` nothing is repaired. */
  repaired: boolean
}

/** What `reconcile` looked at and found. */
export interface ReconcileReport {
  /** How many objects were looked at. */
  checked: {
    events: number
    checkouts: number
    payments: number
    invoices: number
    reversals: number
    purchases: number
  }
  /** What is not as it should be, each thing once. */
  findings: Finding[]
  /** Paid objects of other apps on the same account: how many, and the first hundred. */
  foreign: { count: number; examples: string[] }
  /** Nothing is wrong, or everything that was has been repaired. */
  isClean: boolean
}

/** Every day of it is asked about. */
const MAX_RANGE_MS = 3_660 * 86_400_000

const reconcileInput = z
  .object({
    from: moment,
    to: moment,
    apply: z.boolean().default(false),
    onProgress: z.custom<(progress: ReconcileProgress) => void>((value) => typeof value === 'function').optional(),
  })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be after from' })
  .refine(({ from, to }) => to.getTime() - from.getTime() <= MAX_RANGE_MS, {
    ...{ path: ['to'], message: 'must be at most ten years after from' },
  })

const DAY_MS = 86_400_000

/** A session lives so long before it is paid. */
const SESSION_MS = 25 * 3_600_000

/** An invoice is collected for so long after it was made: the provider tries a card that fails again for weeks. */
const COLLECTING_MS = 30 * DAY_MS

/** A delayed payment takes so long to arrive. */
const SETTLING_MS = 15 * DAY_MS

const PAGE = 100
const MAX_EXAMPLES = 100

/** Compare what the provider has on record with the ledger, day by day, so that any number of objects fits. */
export async function reconcile(till: Till, given: ReconcileInput): Promise<ReconcileReport> {
  const { from, to, apply, onProgress } = parseInput(reconcileInput, given)
  const run = new Reconciliation(till, apply, onProgress ?? (() => undefined))
  for (const range of days({ from: before(from, SESSION_MS), to })) {
    await run.sales(range)
    await run.granted(range)
  }
  for (const range of days({ from: before(from, COLLECTING_MS), to })) await run.invoices(range)
  for (const range of days({ from, to })) await run.reversals(range)
  await run.unsettled({ from: before(from, SETTLING_MS), to })
  // Last, so that what they would have repaired has been reported.
  await run.events({ from, to })
  return run.report()
}

/** So much earlier, but not before there was time: providers know no negative ones. */
function before(moment: Date, ms: number): Date {
  return new Date(Math.max(0, moment.getTime() - ms))
}

function* days({ from, to }: TimeRange): Generator<TimeRange> {
  for (let at = from.getTime(); at < to.getTime(); at += DAY_MS) {
    yield { from: new Date(at), to: new Date(Math.min(at + DAY_MS, to.getTime())) }
  }
}

/** One run: what it has found so far. */
class Reconciliation {
  readonly #till: Till
  readonly #apply: boolean
  readonly #onProgress: (progress: ReconcileProgress) => void
  readonly #checked = { events: 0, checkouts: 0, payments: 0, invoices: 0, reversals: 0, purchases: 0 }
  readonly #findings = new Map<string, Finding>()
  readonly #foreign = { count: 0, examples: [] as string[] }
  /** Purchases of the day that the provider says are paid. */
  #paid = new Set<string>()
  /** Paid checkouts of purchases that are not here, which a person has dismissed: by those purchases. */
  readonly #dismissed = new Set<string>()

  constructor(till: Till, apply: boolean, onProgress: (progress: ReconcileProgress) => void) {
    this.#till = till
    this.#apply = apply
    this.#onProgress = onProgress
  }

  report(): ReconcileReport {
    const findings = [...this.#findings.values()]
    return {
      checked: this.#checked,
      findings,
      foreign: this.#foreign,
      isClean: findings.every(({ repaired }) => repaired),
    }
  }

  /** Events that never arrived are handled as if they arrived now. */
  async events(range: TimeRange): Promise<void> {
    for await (const event of this.#each('events', this.#till.provider.records.undeliveredEvents(range))) {
      if (this.#apply) await this.#tolerant(event.eventId, () => processPaymentEvent(this.#till, event))
    }
  }

  /** Finished checkouts and payments: is everything that was paid granted? */
  async sales(range: TimeRange): Promise<void> {
    this.#paid = new Set()
    const { records } = this.#till.provider
    for await (const checkout of this.#each('checkouts', records.checkouts(range))) {
      const isPaid = checkout.state === 'paid' || checkout.state === 'free'
      if (checkout.mode === 'payment' && isPaid)
        await this.#tolerant(checkout.sessionId, () => this.#checkout(checkout))
    }
    for await (const payment of this.#each('payments', records.payments(range))) {
      const { paymentId, state } = payment
      if (paymentId !== null && state === 'succeeded')
        await this.#tolerant(paymentId, () => this.#payment({ ...payment, paymentId }))
    }
  }

  /** Is everything that was granted paid? */
  async granted(range: TimeRange): Promise<void> {
    for await (const purchase of this.#purchases(['fulfilled'], range)) {
      if (purchase.origin !== 'checkout' || this.#paid.has(purchase.id) || purchase.sessionId === null) continue
      const checkout = await this.#till.provider.getCheckout(purchase.sessionId)
      if (checkout?.state === 'paid' || checkout?.state === 'free') continue
      this.#found('granted_not_paid', purchase.sessionId, purchase, purchase.credits, false)
    }
  }

  async invoices(range: TimeRange): Promise<void> {
    for await (const invoice of this.#each('invoices', this.#till.provider.records.invoices(range))) {
      if (invoice.status === 'paid') await this.#tolerant(invoice.invoiceId, () => this.#invoice(invoice))
    }
  }

  /** Money that went back: is it taken from the credits, all of it and no more? */
  async reversals(range: TimeRange): Promise<void> {
    const seen = new Set<string>()
    for await (const reversals of this.#each('reversals', this.#till.provider.records.reversals(range))) {
      if (seen.has(reversals.paymentId)) continue
      seen.add(reversals.paymentId)
      await this.#tolerant(reversals.paymentId, () => this.#reversals(reversals))
    }
  }

  /** Purchases that wait for their money: delayed payments settle days after their checkout was made. */
  async unsettled(range: TimeRange): Promise<void> {
    const { provider } = this.#till
    for await (const purchase of this.#purchases(['pending', 'processing', 'quarantined'], range)) {
      if (purchase.status === 'quarantined') {
        await this.#notGranted(purchase.sessionId ?? purchase.paymentId ?? purchase.id, purchase, purchase)
        continue
      }
      if (purchase.sessionId === null) continue
      const checkout = await provider.getCheckout(purchase.sessionId)
      if (checkout?.state === 'paid' || checkout?.state === 'free')
        await this.#tolerant(checkout.sessionId, () => this.#checkout(checkout))
    }
  }

  async #checkout(checkout: Checkout): Promise<void> {
    const { sessionId, purchaseId } = checkout
    if (purchaseId === null) {
      this.#isForeign(sessionId)
      return
    }
    if (await this.#isDismissed(checkoutEntryId(sessionId))) this.#dismissed.add(purchaseId)
    const purchase = await this.#purchase(purchaseId, sessionId)
    if (purchase === null) return
    const settled = this.#apply ? await fulfillCheckout(this.#till, checkout) : purchase
    await this.#notGranted(sessionId, purchase, settled)
  }

  async #payment({ paymentId, purchaseId }: Payment & { paymentId: string }): Promise<void> {
    if (purchaseId === null) return
    const purchase = await this.#purchase(purchaseId, paymentId)
    // Of a checkout, its session says more.
    if (purchase?.origin !== 'topup') return
    if (this.#apply) await settleTopupPayment(this.#till, { paymentId, purchaseId })
    await this.#notGranted(paymentId, purchase, await this.#till.store.findPurchase({ id: purchaseId }))
  }

  async #invoice(invoice: Invoice): Promise<void> {
    const till = this.#till
    const { invoiceId, userId } = invoice
    const missing = await missingLines(till, invoice)
    if (missing === null) this.#isForeign(invoiceId)
    if (missing === null || missing.length === 0) return
    if (this.#apply) await settleInvoice(till, invoice)
    const left = this.#apply ? await missingLines(till, invoice) : missing
    const credits = missing.reduce((sum, line) => sum + line.credits, 0)
    const repaired = left?.length === 0
    const kind = missing.some(({ quarantined }) => quarantined) && !repaired ? 'quarantined' : 'paid_not_granted'
    this.#found(kind, invoiceId, { userId, id: null }, credits, repaired)
  }

  async #reversals(reversals: PaymentReversals): Promise<void> {
    const till = this.#till
    const wrong: { purchase: Purchase; missing: number }[] = []
    for (const purchase of await purchasesOf(till, reversals)) {
      const missing = await missingClawback(till, purchase, reversals)
      if (missing !== 0) wrong.push({ purchase, missing })
    }
    if (wrong.length === 0) return
    if (this.#apply) await settlePaymentReversals(till, reversals)
    const { paymentId } = reversals
    // As it stands by now: it may have moved on meanwhile.
    const now = this.#apply ? ((await till.provider.getReversals(paymentId)) ?? reversals) : reversals
    for (const { purchase, missing } of wrong) {
      const repaired = this.#apply && (await missingClawback(till, purchase, now)) === 0
      const kind = missing > 0 ? 'under_clawed' : 'over_clawed'
      this.#found(kind, paymentId, purchase, Math.abs(missing), repaired)
    }
  }

  /** The purchase of something paid, when it is not settled. */
  async #purchase(purchaseId: string, reference: string): Promise<Purchase | null> {
    const purchase = await this.#till.store.findPurchase({ id: purchaseId })
    if (purchase === null) {
      if (this.#dismissed.has(purchaseId)) return null
      this.#found('unknown_purchase', reference, { userId: null, id: purchaseId }, null, false)
      return null
    }
    this.#paid.add(purchase.id)
    return purchase.status === 'fulfilled' || purchase.status === 'refunded' ? null : purchase
  }

  async #notGranted(reference: string, before: Purchase, after: Purchase | null): Promise<void> {
    if (after?.status === 'quarantined' && (await this.#isDismissed(purchaseEntryId(before.id)))) return
    const repaired = after?.status === 'fulfilled' || after?.status === 'refunded'
    const kind = after?.status === 'quarantined' ? 'quarantined' : 'paid_not_granted'
    this.#found(kind, reference, before, before.credits, repaired)
  }

  /** Has a person decided that nothing more happens? */
  async #isDismissed(quarantineId: string): Promise<boolean> {
    return (await this.#till.store.findQuarantine(quarantineId))?.resolution === 'dismissed'
  }

  #found(
    kind: FindingKind,
    reference: string,
    { userId, id: purchaseId }: { userId: string | null; id: string | null },
    credits: number | null,
    repaired: boolean,
  ): void {
    this.#findings.set(purchaseId ?? reference, { kind, reference, userId, purchaseId, credits, repaired })
  }

  #isForeign(reference: string): void {
    this.#foreign.count += 1
    if (this.#foreign.examples.length < MAX_EXAMPLES) this.#foreign.examples.push(reference)
  }

  async *#purchases(statuses: readonly Purchase['status'][], { from, to }: TimeRange): AsyncGenerator<Purchase> {
    let after: string | null = null
    for (;;) {
      const page: Purchase[] = await this.#till.store.listPurchases({ statuses, from, to, limit: PAGE, after })
      yield* this.#each('purchases', page)
      after = page.at(-1)?.id ?? null
      if (page.length < PAGE) return
    }
  }

  async *#each<R>(pass: ReconcileProgress['pass'], records: AsyncIterable<R> | Iterable<R>): AsyncGenerator<R> {
    for await (const record of records) {
      this.#checked[pass] += 1
      yield record
      if (this.#checked[pass] % PAGE === 0) this.#onProgress({ pass, checked: this.#checked[pass] })
    }
    this.#onProgress({ pass, checked: this.#checked[pass] })
  }

  /** What can't be handled, for whatever reason, keeps nothing else from it, and is a finding. */
  async #tolerant(reference: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      // Then nothing can be said of the others, either.
      if (isCreditError(error, 'UNAVAILABLE')) throw error
      this.#till.logger.error({ err: error, reference }, 'reconcile could not handle something')
      this.#found('not_handled', reference, { userId: null, id: null }, null, false)
    }
  }
}
