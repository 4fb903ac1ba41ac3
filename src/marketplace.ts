import {
  type CheckoutVerification,
  createCheckout,
  type CheckoutResult,
  type CreateCheckoutInput,
  fulfillByHand,
  verifyCheckout,
} from './checkouts.js'
import type { UserId } from './credit-inputs.js'
import { PaymentsNotConfiguredError } from './errors.js'
import { instrument } from './instrumentation.js'
import {
  type CreatePackageInput,
  type ListPackagesInput,
  Packages,
  type UpdatePackageInput,
  type UpsertPackageInput,
} from './packages.js'
import { processPaymentEvent } from './payments.js'
import type { CreditPackage } from './ports/package-store.js'
import type { PaymentProvider, VerifiedEvent } from './ports/payments.js'
import {
  getPurchase,
  type GetPurchaseInput,
  getPurchases,
  type GetPurchasesInput,
  type PurchasePage,
  type UserPurchase,
} from './purchases.js'
import {
  type ListQuarantineInput,
  listQuarantine,
  type QuarantineEntry,
  type ReleaseQuarantineInput,
  releaseQuarantine,
} from './quarantine.js'
import { reconcile, type ReconcileInput, type ReconcileReport } from './reconciliation.js'
import type { Session } from './session.js'
import {
  cancelSubscription,
  type CancelSubscriptionInput,
  createCardSetup,
  createPortalSession,
  getSubscriptions,
  type PortalInput,
  type SaveCardInput,
  subscribe,
  type SubscribeInput,
  type UserSubscription,
} from './subscriptions.js'
import { type AutoTopupView, configureAutoTopup, type ConfigureAutoTopupInput, getAutoTopup } from './topup-settings.js'

/** A package in the shape the guide's older clients know. */
export interface LegacyProduct {
  id: number
  name: string
  credits: number
  price: number
  type: string
}

/** Active packages by credit type, each list in order; `legacy`: all of them as one flat list. */
export type Products<T extends string> = Record<T, CreditPackage[]> & { legacy: LegacyProduct[] }

/** Everything about selling credits: the catalogue, checkouts, subscriptions, and money that comes and goes. */
export class Marketplace<T extends string> {
  readonly #session: Session<T>
  readonly #packages: Packages<T>

  constructor(session: Session<T>) {
    this.#session = session
    this.#packages = new Packages(session.types, session.options.payments ?? null)
    instrument(this, [Marketplace], session, 'marketplace.')
  }

  /** The configured payment provider. Throws `PaymentsNotConfiguredError` when there is none. */
  get provider(): PaymentProvider {
    const { payments } = this.#session.options
    if (payments === undefined) throw new PaymentsNotConfiguredError()
    return payments
  }

  /** Packages by sort order; only active ones, unless asked. */
  async getPackages(input: ListPackagesInput<T> = {}): Promise<CreditPackage[]> {
    return this.#packages.list((await this.#session.open()).store, input)
  }

  /** Active packages grouped by credit type. */
  async getProducts(): Promise<Products<T>> {
    const packages = await this.getPackages()
    const grouped = this.#session.types.names.map(
      (name) => [name, packages.filter(({ creditType }) => creditType === name)] as const,
    )
    const legacy = packages.map(({ id, name, creditAmount, price, creditType }) => ({
      id,
      name,
      credits: creditAmount,
      price,
      type: creditType,
    }))
    return { ...Object.fromEntries(grouped), legacy } as Products<T>
  }

  /** @throws {InvalidInputError} Also for a `stripePriceId` that charges something else than `price` and `currency`. */
  async createPackage(input: CreatePackageInput<T>): Promise<CreditPackage> {
    const { store, commands } = await this.#session.open()
    return this.#packages.create(store, commands, input)
  }

  /** Change the given fields. What was sold before keeps what it promised. Throws `PackageNotFoundError`. */
  async updatePackage(input: UpdatePackageInput<T>): Promise<CreditPackage> {
    const { store, commands } = await this.#session.open()
    return this.#packages.update(store, commands, input)
  }

  /** Create the package with this `key`, or make the existing one so: for catalogues kept in code. */
  async upsertPackage(input: UpsertPackageInput<T>): Promise<CreditPackage> {
    const { store, commands } = await this.#session.open()
    return this.#packages.upsert(store, commands, input)
  }

  /**
   * Open a checkout for a package. The purchase is written before the provider is asked, so whatever happens afterwards,
   * a payment finds what was sold.
   *
   * @throws {PackageNotFoundError} @throws {PackageInactiveError}
   * @throws {InvalidInputError} A URL on an origin that is not allowed, among others.
   * @throws {UnavailableError} The provider could not be asked; repeat with the same key.
   */
  async createCheckout(input: CreateCheckoutInput): Promise<CheckoutResult> {
    return createCheckout(await this.#session.till(), input)
  }

  /** The guide's name for {@link createCheckout}. */
  async purchaseCredits(input: CreateCheckoutInput): Promise<CheckoutResult> {
    return this.createCheckout(input)
  }

  /**
   * For the success page: where does the buyer's checkout stand? Fulfils it when it is paid, so credits are there even if
   * no webhook ever comes; of a subscription, its first invoice.
   *
   * @throws {CheckoutNotFoundError} No such session, or another user's.
   */
  async verifyCheckout(input: { userId: UserId; sessionId: string }): Promise<CheckoutVerification> {
    return verifyCheckout(await this.#session.till(), input)
  }

  /**
   * Fulfil a checkout by hand, for an administrator: the same core as the webhook, so it can be repeated.
   *
   * @throws {CheckoutNotFoundError} No such session, or not one of ours.
   * @throws {CheckoutNotPaidError} No money has arrived, or it is in quarantine because it is not what was sold.
   */
  async fulfillCheckoutSession(input: { sessionId: string }): Promise<CheckoutVerification> {
    return fulfillByHand(await this.#session.till(), input)
  }

  /**
   * A user's purchases, of whatever status and origin, newest first, page by page; every page costs the same. From the
   * database alone: no payment provider is needed.
   */
  async getPurchases(input: GetPurchasesInput): Promise<PurchasePage<T>> {
    return getPurchases(this.#session, input)
  }

  /**
   * One purchase by its id, with what became of its money.
   *
   * @throws {PurchaseNotFoundError} No such purchase, or `userId` is not its buyer.
   */
  async getPurchase(input: GetPurchaseInput): Promise<UserPurchase<T>> {
    return getPurchase(this.#session, input)
  }

  /**
   * Open a checkout of a plan that has a `stripePriceId`. Credits come with each paid invoice.
   * @throws {InvalidInputError} No such plan, or no price to pay for it.
   */
  async subscribe(input: SubscribeInput): Promise<CheckoutResult> {
    return subscribe(await this.#session.till(), input)
  }

  /** A user's subscriptions, as the provider last told of them; the youngest first. */
  async getSubscriptions(input: { userId: UserId }): Promise<UserSubscription[]> {
    return getSubscriptions(await this.#session.till(), input)
  }

  /**
   * End a subscription, by default when what is paid is over. Credits that were bought are never touched.
   * @throws {SubscriptionNotFoundError} No such subscription, or another user's.
   */
  async cancelSubscription(input: CancelSubscriptionInput): Promise<UserSubscription> {
    return cancelSubscription(await this.#session.till(), input)
  }

  /** The provider's page where a user manages subscriptions, cards and invoices. */
  async createPortalSession(input: PortalInput): Promise<{ url: string }> {
    return createPortalSession(await this.#session.till(), input)
  }

  /** Open a page where a user saves a card, for automatic top-ups. */
  async createCardSetup(input: SaveCardInput): Promise<CheckoutResult> {
    return createCardSetup(await this.#session.till(), input)
  }

  /**
   * Buy a package from the saved card whenever spending brings the balance to `threshold` or below. A top-up that fails
   * never fails the spending; at most one payment is under way; credits taken back for refunds never cause one.
   *
   * @throws {PackageNotFoundError} @throws {PackageInactiveError} @throws {InvalidInputError}
   */
  async configureAutoTopup(input: ConfigureAutoTopupInput<T>): Promise<AutoTopupView<T>> {
    return configureAutoTopup(await this.#session.till(), this.#session.types, input)
  }

  /** A user's automatic top-up of one credit type; null: never configured. */
  async getAutoTopup(input: { userId: UserId; creditType?: T | undefined }): Promise<AutoTopupView<T> | null> {
    return getAutoTopup(await this.#session.till(), this.#session.types, input)
  }

  /** Payments that could not be turned into credits, for a person to look at. */
  async listQuarantine(input: ListQuarantineInput = {}): Promise<QuarantineEntry[]> {
    return listQuarantine(await this.#session.till(), input)
  }

  /**
   * Decide about a payment in quarantine: grant what was sold, or dismiss it. Repeating the decision changes nothing.
   *
   * @throws {QuarantineNotFoundError} @throws {CheckoutNotPaidError} There is no money to grant for.
   * @throws {InvalidInputError} Decided otherwise before; or nobody knows whose payment it is, and `userId` is missing.
   */
  async releaseQuarantine(input: ReleaseQuarantineInput): Promise<QuarantineEntry> {
    return releaseQuarantine(await this.#session.till(), input)
  }

  /**
   * Compare what the provider has on record with the ledger: what is missing, what is too much, what is not ours. A dry
   * run unless `apply`, which repairs what the provider's word decides. Safe beside live webhooks.
   */
  async reconcile(input: ReconcileInput): Promise<ReconcileReport> {
    return reconcile(await this.#session.till(), input)
  }

  /** Act on an event whose signature was verified. The webhook handler calls it. */
  async processEvent(event: VerifiedEvent): Promise<void> {
    await processPaymentEvent(await this.#session.till(), event)
  }
}
