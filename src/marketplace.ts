import * as z from 'zod'
import { type Commands, newRowId } from './commands.js'
import type { UserId } from './credit-inputs.js'
import type { CreditTypes } from './credit-types.js'
import {
  CheckoutNotFoundError,
  CheckoutNotPaidError,
  InvalidInputError,
  PackageInactiveError,
  PackageNotFoundError,
  PaymentsNotConfiguredError,
} from './errors.js'
import { canonicalUserId, idempotencyKey, identifier, parseInput, userId } from './inputs.js'
import type { ClawbackPolicy } from './ledger/clawback.js'
import type { Purchase, PurchaseStatus } from './ledger/purchase.js'
import {
  type CreatePackageInput,
  type ListPackagesInput,
  packageId,
  Packages,
  type UpdatePackageInput,
  type UpsertPackageInput,
} from './packages.js'
import { findOurPurchase, fulfillCheckout, processPaymentEvent, type Till } from './payments.js'
import type { Logger } from './ports/logger.js'
import type { CreditPackage } from './ports/package-store.js'
import type { Checkout, PaymentProvider, VerifiedEvent } from './ports/payments.js'
import type { CreditStore } from './ports/store.js'

export interface CreateCheckoutInput {
  /** The buyer; gets the credits. */
  userId: UserId
  packageId: number
  /** Units of the package, 1–1000. Default 1. */
  quantity?: number | undefined
  /** Where to send the buyer back, on an allowed origin. Default: the provider's own. */
  successUrl?: string | undefined
  cancelUrl?: string | undefined
  /** Your name for this one intent to buy: a repeat returns the same checkout session. */
  idempotencyKey?: string | undefined
}

export interface CheckoutResult {
  success: true
  /** The provider's page to pay on. */
  checkoutUrl: string
  sessionId: string
}

/** Where a checkout stands. `processing`: the money is on its way, or a person has to look at the payment. */
export type CheckoutStatus = 'fulfilled' | 'processing' | 'open' | 'expired' | 'failed' | 'refunded'

export interface CheckoutVerification {
  /** The credits are there. */
  success: boolean
  status: CheckoutStatus
  /** What was sold, as the guide's session metadata: for display only. */
  metadata: { userId: string; packageId: string; creditType: string; creditAmount: string }
}

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

interface MarketplaceOptions<T extends string> {
  open: () => Promise<{ store: CreditStore; commands: Commands }>
  payments: PaymentProvider | null
  creditTypes: CreditTypes<T>
  clawbackPolicy: ClawbackPolicy
  logger: Logger
}

const MAX_QUANTITY = 1000

const createCheckoutInput = z.object({
  userId,
  packageId,
  quantity: z.number().int().min(1).max(MAX_QUANTITY).default(1),
  successUrl: z.string().max(2048).optional(),
  cancelUrl: z.string().max(2048).optional(),
  idempotencyKey: idempotencyKey.optional(),
})

const sessionInput = z.object({ sessionId: identifier })
const verifyCheckoutInput = sessionInput.extend({ userId })

const STATUS: Record<PurchaseStatus, CheckoutStatus> = {
  pending: 'open',
  processing: 'processing',
  quarantined: 'processing',
  fulfilled: 'fulfilled',
  refunded: 'refunded',
  expired: 'expired',
  failed: 'failed',
}

/** Everything about selling credits: the catalogue, checkouts, and money that comes and goes. */
export class Marketplace<T extends string> {
  readonly #options: MarketplaceOptions<T>
  readonly #packages: Packages<T>

  constructor(options: MarketplaceOptions<T>) {
    this.#options = options
    this.#packages = new Packages(options.creditTypes, options.payments)
  }

  /** The configured payment provider. Throws `PaymentsNotConfiguredError` when there is none. */
  get provider(): PaymentProvider {
    if (this.#options.payments === null) throw new PaymentsNotConfiguredError()
    return this.#options.payments
  }

  /** Packages by sort order; only active ones, unless asked. */
  async getPackages(input: ListPackagesInput<T> = {}): Promise<CreditPackage[]> {
    return this.#packages.list((await this.#options.open()).store, input)
  }

  /** Active packages grouped by credit type. */
  async getProducts(): Promise<Products<T>> {
    const packages = await this.getPackages()
    const grouped = this.#options.creditTypes.names.map(
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
    const { store, commands } = await this.#options.open()
    return this.#packages.create(store, commands, input)
  }

  /** Change the given fields. What was sold before keeps what it promised. Throws `PackageNotFoundError`. */
  async updatePackage(input: UpdatePackageInput<T>): Promise<CreditPackage> {
    const { store, commands } = await this.#options.open()
    return this.#packages.update(store, commands, input)
  }

  /** Create the package with this `key`, or make the existing one so: for catalogues kept in code. */
  async upsertPackage(input: UpsertPackageInput<T>): Promise<CreditPackage> {
    const { store, commands } = await this.#options.open()
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
    const parsed = parseInput(createCheckoutInput, input)
    const till = await this.#till()
    const successUrl = this.#returnUrl('successUrl', parsed.successUrl)
    const cancelUrl = this.#returnUrl('cancelUrl', parsed.cancelUrl)
    const pack = await till.store.findPackage(parsed.packageId)
    if (pack === null) throw new PackageNotFoundError()
    const purchase = await this.#recordPurchase(till, parsed, pack, { successUrl, cancelUrl })
    const checkout = await this.#openSession(till, purchase, pack, { successUrl, cancelUrl })
    if (checkout.url === null) {
      const message = `was used for a checkout that is ${checkout.state} now; use a new key for a new purchase`
      throw new InvalidInputError([{ path: 'idempotencyKey', message }])
    }
    await attachSession(till, purchase, checkout)
    return { success: true, checkoutUrl: checkout.url, sessionId: checkout.sessionId }
  }

  /** The guide's name for {@link createCheckout}. */
  async purchaseCredits(input: CreateCheckoutInput): Promise<CheckoutResult> {
    return this.createCheckout(input)
  }

  /**
   * For the success page: where does the buyer's checkout stand? Fulfils it when it is paid, so credits are there even if
   * no webhook ever comes.
   *
   * @throws {CheckoutNotFoundError} No such session, or another user's.
   */
  async verifyCheckout(input: { userId: UserId; sessionId: string }): Promise<CheckoutVerification> {
    const { userId: buyer, sessionId } = parseInput(verifyCheckoutInput, input)
    const till = await this.#till()
    const owner = canonicalUserId(buyer, till.store.userIdType)
    const known = await till.store.findPurchase({ sessionId })
    if (known !== null && known.userId !== owner) throw new CheckoutNotFoundError()
    if (known !== null && isSettled(known)) return verification(known)
    const checkout = await till.provider.getCheckout(sessionId)
    const found = known ?? (checkout === null ? null : await findOurPurchase(till.store, checkout))
    if (checkout === null || found === null || found.userId !== owner) throw new CheckoutNotFoundError()
    return verification((await fulfillCheckout(till, checkout)) ?? found)
  }

  /**
   * Fulfil a checkout by hand, for an administrator: the same core as the webhook, so it can be repeated.
   *
   * @throws {CheckoutNotFoundError} No such session, or not one of ours.
   * @throws {CheckoutNotPaidError} No money has arrived, or it is in quarantine because it is not what was sold.
   */
  async fulfillCheckoutSession(input: { sessionId: string }): Promise<CheckoutVerification> {
    const { sessionId } = parseInput(sessionInput, input)
    const till = await this.#till()
    const checkout = await till.provider.getCheckout(sessionId)
    const purchase = checkout === null ? null : await fulfillCheckout(till, checkout)
    if (purchase === null) throw new CheckoutNotFoundError()
    if (purchase.status === 'quarantined') {
      throw new CheckoutNotPaidError('Checkout session was paid, but not for what was sold: a person has to look at it')
    }
    const result = verification(purchase)
    if (result.status !== 'fulfilled' && result.status !== 'refunded') {
      throw new CheckoutNotPaidError(`Checkout session has not been paid: it is ${result.status}`)
    }
    return result
  }

  /** Act on an event whose signature was verified. The webhook handler calls it. */
  async processEvent(event: VerifiedEvent): Promise<void> {
    await processPaymentEvent(await this.#till(), event)
  }

  async #till(): Promise<Till> {
    const { provider } = this
    const { store, commands } = await this.#options.open()
    return { store, commands, provider, clawbackPolicy: this.#options.clawbackPolicy, logger: this.#options.logger }
  }

  #returnUrl(field: string, url: string | undefined): string | null {
    if (url === undefined) return null
    const resolved = this.provider.resolveReturnUrl(url)
    if (resolved === null) throw new InvalidInputError([{ path: field, message: 'must be on an allowed origin' }])
    return resolved
  }

  /** Write what is being sold, before anybody can pay for it. A repeated key finds the first purchase. */
  async #recordPurchase(
    { store, commands, provider }: Till,
    input: z.output<typeof createCheckoutInput>,
    pack: CreditPackage,
    urls: { successUrl: string | null; cancelUrl: string | null },
  ): Promise<Purchase> {
    const buyer = canonicalUserId(input.userId, store.userIdType)
    const credits = pack.creditAmount * input.quantity
    if (!Number.isSafeInteger(credits))
      throw new InvalidInputError([{ path: 'quantity', message: 'is too large for this package' }])
    const id = newRowId()
    const purchaseId = await commands.run<string>(
      store,
      {
        id,
        userId: buyer,
        key: input.idempotencyKey ?? null,
        request: [
          ['operation', 'checkout'],
          ['packageId', input.packageId],
          ['quantity', input.quantity],
          ['successUrl', urls.successUrl],
          ['cancelUrl', urls.cancelUrl],
        ],
        accounts: [],
        load: { grants: { covering: 0 } },
      },
      (_state, now) => {
        if (!pack.isActive) throw new PackageInactiveError()
        const purchase: Purchase = {
          id,
          userId: buyer,
          creditType: pack.creditType,
          packageId: pack.id,
          packageName: pack.name,
          quantity: input.quantity,
          credits,
          unitPriceMinor: pack.price,
          currency: pack.currency,
          status: 'pending',
          provider: provider.name,
          livemode: provider.livemode,
          sessionId: null,
          paymentId: null,
          chargeId: null,
          paidMinor: null,
          clawed: 0,
          absorbed: 0,
          createdAt: now,
          updatedAt: now,
          fulfilledAt: null,
        }
        return { result: id, main: null, accounts: [], purchases: [purchase], keptResult: { purchaseId: id } }
      },
      ({ keptResult }) => (typeof keptResult?.purchaseId === 'string' ? keptResult.purchaseId : id),
    )
    const purchase = await store.findPurchase({ id: purchaseId })
    if (purchase === null) throw new Error('createCheckout: the purchase that was written is not there')
    return purchase
  }

  async #openSession(
    { provider }: Till,
    purchase: Purchase,
    pack: CreditPackage,
    urls: { successUrl: string | null; cancelUrl: string | null },
  ): Promise<Checkout> {
    const { id, packageName, quantity, credits, unitPriceMinor, currency, creditType } = purchase
    if (purchase.sessionId !== null) {
      const known = await provider.getCheckout(purchase.sessionId)
      if (known !== null) return known
      const message = 'was used for a checkout that the payment provider does not know any more; use a new key'
      throw new InvalidInputError([{ path: 'idempotencyKey', message }])
    }
    // A repeated key sells what was sold first, also when the package has another price by now.
    const samePrice = pack.price === unitPriceMinor && pack.currency === currency
    return provider.createCheckout({
      purchaseId: id,
      userId: purchase.userId,
      packageId: pack.id,
      creditType,
      creditAmount: credits,
      quantity,
      name: packageName,
      description: pack.description,
      unitPriceMinor,
      currency,
      priceId: samePrice ? pack.stripePriceId : null,
      ...urls,
    })
  }
}

/** Remember which session the purchase is paid through. The webhook may have come first and have done it. */
async function attachSession({ store, commands }: Till, purchase: Purchase, { sessionId }: Checkout): Promise<void> {
  if (purchase.sessionId !== null) return
  await commands.run(
    store,
    {
      id: newRowId(),
      userId: purchase.userId,
      key: null,
      request: [],
      accounts: [],
      purchases: [purchase],
      load: { grants: { covering: 0 } },
    },
    ({ purchases: [locked] }, now) => {
      const attach = locked !== undefined && locked.purchase.sessionId === null
      return {
        result: null,
        main: null,
        accounts: [],
        purchases: attach ? [{ ...locked.purchase, sessionId, updatedAt: now }] : [],
      }
    },
    () => null,
  )
}

/** Nothing the provider could tell now would change it, but for refunds, which come by themselves. */
function isSettled({ status }: Purchase): boolean {
  return status === 'fulfilled' || status === 'refunded' || status === 'quarantined'
}

function verification({ status, userId, packageId, creditType, credits }: Purchase): CheckoutVerification {
  return {
    success: status === 'fulfilled',
    status: STATUS[status],
    metadata: { userId, packageId: String(packageId), creditType, creditAmount: String(credits) },
  }
}
