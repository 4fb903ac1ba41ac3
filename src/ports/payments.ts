/** What every checkout to open has in common. Everything that decides money comes from our rows, never from a client. */
interface CheckoutRequestBase {
  userId: string
  /** The provider's customer to bill. */
  customerId: string
  quantity: number
  /** `page`: the provider's own page; `embedded`: shown within the host's page, by `clientSecret`. */
  ui: 'page' | 'embedded'
  /** Absolute; null: the provider adapter's own default under its `appUrl`. Embedded: only `successUrl` is used. */
  successUrl: string | null
  cancelUrl: string | null
}

/** A checkout of a package to open at the provider. */
export interface CheckoutRequest extends CheckoutRequestBase {
  /** Our purchase row's id: the provider must give it back with the session and with the payment. */
  purchaseId: string
  packageId: number
  creditType: string
  /** Credits in all; shown in metadata for people, never trusted when it comes back. */
  creditAmount: number
  name: string
  description: string | null
  /** Price of one unit in the currency's minor units. */
  unitPriceMinor: number
  /** Lower-case ISO 4217 code. */
  currency: string
  /** A price object of the provider's own to charge instead of name, price and currency. */
  priceId: string | null
  /** Keep the means of payment for later payments that the buyer is not there for. */
  saveCard: boolean
}

/** A checkout of a subscription to open at the provider. */
export interface SubscribeRequest extends CheckoutRequestBase {
  /** Names this one intent: repeating it returns the first session. */
  requestId: string
  /** The provider's recurring price. */
  priceId: string
  /** The plan's name, shown in metadata for people. */
  plan: string
  trialDays: number | null
}

/** A checkout that only saves a card, for automatic top-ups. */
export interface SaveCardRequest extends Omit<CheckoutRequestBase, 'quantity'> {
  requestId: string
}

/** The provider does not know the customer any more; make a new one and ask again. */
export type CustomerGone = 'customer_gone'

/** A checkout session as the provider tells it now. */
export interface Checkout {
  sessionId: string
  /** The page to pay on; null once it is closed, and for embedded ones. */
  url: string | null
  /** What an embedded checkout is shown with; null for pages. */
  clientSecret: string | null
  /** Our purchase, from the session's metadata; null when the session is not ours, or sells no package. */
  purchaseId: string | null
  /** `open`: not finished; `unpaid`: finished, the money is on its way; `free`: finished, nothing to pay. */
  state: 'open' | 'paid' | 'free' | 'unpaid' | 'expired'
  /** Only one-off payments fulfil a package: subscriptions grant by their invoices. */
  mode: 'payment' | 'subscription' | 'setup'
  /** Lower-case ISO 4217 code, the one the package was priced in (not the buyer's presentment currency). */
  currency: string
  /** Before discounts and taxes, in minor units: what must match the purchase. */
  subtotalMinor: number
  /** What was charged, in minor units: the denominator of a later refund. */
  totalMinor: number
  /** The provider's payment id (`pi_…`); null while there is none, and for free orders. */
  paymentId: string | null
  customerId: string | null
  /** Of a subscription's checkout: what was begun, and its first invoice. */
  subscriptionId: string | null
  invoiceId: string | null
  /** Was it asked to keep the means of payment for later? */
  savesCard: boolean
  livemode: boolean
}

/** Why a payment did not go through, as far as it decides what to do next. */
export interface PaymentFailure {
  /**
   * `authentication_required`: the buyer has to be there; `card_missing`: there is nothing to pay with; `hard`: this card
   * will never work; `soft`: may work later; `not_tried`: the provider does not take the request, whatever the card (too
   * small an amount, a currency it does not offer), which somebody has to put right.
   */
  kind: 'authentication_required' | 'card_missing' | 'hard' | 'soft' | 'not_tried'
  /** The provider's own code, for logs and support. */
  code: string | null
  /** For people; never contains card data. */
  message: string | null
}

/** A payment as the provider tells it now. */
export interface Payment {
  /** Null: none was made, since there is nothing to pay with. */
  paymentId: string | null
  /** Our purchase, from the payment's metadata; null when the payment is not ours. */
  purchaseId: string | null
  state: 'succeeded' | 'processing' | 'failed' | 'canceled'
  /** What was received, in minor units; 0 before it succeeded. */
  amountMinor: number
  currency: string
  customerId: string | null
  /** Set when `state` is `failed`. */
  failure: PaymentFailure | null
  livemode: boolean
}

/** A payment to take from a saved card while the buyer is away. */
export interface OffSessionRequest {
  /** Names the payment: repeating it within 24 hours never takes money twice. */
  purchaseId: string
  userId: string
  customerId: string
  amountMinor: number
  currency: string
  /** What the buyer reads on the receipt. */
  description: string
}

/** One refund of a payment, as the provider tells it now. Minor units. */
export interface PaymentRefund {
  refundId: string
  amountMinor: number
  currency: string
  /** `failed` also stands for cancelled: the money did not go back. */
  status: 'pending' | 'succeeded' | 'failed'
  /** The merchant marked it as goodwill: money back, credits kept. */
  keepCredits: boolean
}

/** One dispute of a payment, as the provider tells it now. Minor units. */
export interface PaymentDispute {
  disputeId: string
  amountMinor: number
  currency: string
  /**
   * `inquiry`: the bank asks, no money has moved; `open`: the money is gone until it is decided; `prevented`: settled
   * before it became a dispute, by a refund if at all.
   */
  status: 'inquiry' | 'open' | 'won' | 'lost' | 'prevented'
}

/** All money of one payment that went back, as the provider tells it now: an absolute picture, never an increment. */
export interface PaymentReversals {
  paymentId: string
  /** Provider's charge id, for the clawback's metadata. */
  chargeId: string | null
  /** Our purchase, from the payment's metadata; null when the payment names none. */
  purchaseId: string | null
  /** The invoice the payment was for; null when it was for none. */
  invoiceId: string | null
  /** What was captured, in minor units. */
  capturedMinor: number
  currency: string
  refunds: PaymentRefund[]
  disputes: PaymentDispute[]
  livemode: boolean
}

/** One line of an invoice. */
export interface InvoiceLine {
  /** The provider's id of the line: the same whenever the invoice is told of. */
  lineId: string
  /** The subscription's item it bills; null: none, so nothing of ours. */
  itemId: string | null
  priceId: string | null
  quantity: number
  /** Bills part of a period, because something was changed in the middle of it; `amountMinor` may be negative. */
  proration: boolean
  /** Bills a trial: nothing is paid and nothing is due. */
  trial: boolean
  /** Before discounts, in minor units. */
  amountMinor: number
  /** The time it bills, half-open. */
  from: Date
  until: Date
}

/** A subscription's invoice as the provider tells it now. */
export interface Invoice {
  invoiceId: string
  status: 'draft' | 'open' | 'paid' | 'uncollectible' | 'void'
  subscriptionId: string | null
  customerId: string | null
  /** Our user, from metadata that we put on the subscription; null: it says none. */
  userId: string | null
  /** Minor units. */
  paidMinor: number
  currency: string
  /** What paid it; null: nothing was to be paid, or it was paid elsewhere. */
  paymentId: string | null
  /** The provider's page of the invoice, where it can be paid. */
  url: string | null
  lines: InvoiceLine[]
  livemode: boolean
}

export type SubscriptionStatus =
  'incomplete' | 'incomplete_expired' | 'trialing' | 'active' | 'past_due' | 'unpaid' | 'paused' | 'canceled'

/** A subscription as the provider tells it now. */
export interface Subscription {
  subscriptionId: string
  customerId: string | null
  /** Our user, from the subscription's metadata; null: it says none. */
  userId: string | null
  status: SubscriptionStatus
  items: { itemId: string; priceId: string; quantity: number; periodStart: Date; periodEnd: Date }[]
  cancelAtPeriodEnd: boolean
  /** No invoice is collected at present. */
  collectionPaused: boolean
  /** Since when it is over for good (`canceled`, `incomplete_expired`); null: it is not. */
  endedAt: Date | null
  trialEndsAt: Date | null
  livemode: boolean
}

/** A provider event in our words. `null` events are acknowledged and ignored. */
export type PaymentEvent =
  /** A checkout session changed; `checkout` says where it stands now. `failed`: the delayed payment did not come. */
  | { kind: 'checkout'; checkout: Checkout; failed: boolean }
  /** A payment succeeded; fulfils through its checkout session, if it has one, else as an automatic top-up. */
  | { kind: 'payment_succeeded'; paymentId: string; purchaseId: string | null }
  /** An attempt to pay failed. Not final: the buyer may try again on the same page. */
  | {
      kind: 'payment_failed'
      paymentId: string
      purchaseId: string | null
      code: string | null
      message: string | null
    }
  /** The payment will not come any more. */
  | { kind: 'payment_canceled'; paymentId: string; purchaseId: string | null }
  /** Money went back, or came back from a failed refund or a won dispute. */
  | { kind: 'payment_reversed'; reversals: PaymentReversals }
  /** An invoice was paid, could not be paid, or was given up. */
  | { kind: 'invoice'; invoice: Invoice }
  | { kind: 'subscription'; subscription: Subscription }
  | { kind: 'customer_deleted'; customerId: string }
  /** Since `savedAt` the customer has a card that can be charged while they are away. */
  | { kind: 'card_saved'; customerId: string; savedAt: Date }

/** A webhook whose signature has been verified, or an event that the provider's API told. */
export interface VerifiedEvent {
  eventId: string
  /** The provider's own event type, for logs and the audit table. */
  type: string
  livemode: boolean
  /** Seconds since the epoch, the provider's clock. Never used for ordering. */
  created: number
  /**
   * What happened, in our words; null: nothing we act on (unknown type, another app's, another account's, other mode).
   * Fetches from the provider what the payload can't be trusted for. Throws `UnavailableError` when that is not possible
   * now, so that the provider delivers again.
   */
  translate(): Promise<PaymentEvent | null>
}

/** A range of time by the provider's `created`, half-open. */
export interface TimeRange {
  from: Date
  to: Date
}

/** What the provider has on record, for reconciliation: page after page, so that any number fits. */
export interface PaymentRecords {
  /** Events that were never delivered, oldest first, as far back as the provider remembers them. */
  undeliveredEvents(range: TimeRange): AsyncIterable<VerifiedEvent>
  /** Finished checkout sessions, other apps' too. */
  checkouts(range: TimeRange): AsyncIterable<Checkout>
  /** Payments that name one of our purchases or were taken for one of our top-ups. */
  payments(range: TimeRange): AsyncIterable<Payment>
  /** Payments of ours of which money went back, by a refund or dispute made in this time; each may come several times. */
  reversals(range: TimeRange): AsyncIterable<PaymentReversals>
  /** Paid invoices of subscriptions, other apps' too. */
  invoices(range: TimeRange): AsyncIterable<Invoice>
}

/**
 * The till. Implementations talk to one payment service and translate; they decide nothing about credits.
 *
 * Every method is bounded in time. `UnavailableError`: surely nothing happened that a repeat would double (calls carry
 * our row's id as the provider's idempotency key), so the same call may be made again.
 */
export interface PaymentProvider {
  readonly name: string
  /** Under which names the provider's ids stand in a transaction's metadata. */
  readonly metadataNames: { session: string; payment: string; charge: string; invoice: string }
  /** Does this provider move real money? */
  readonly livemode: boolean
  /** Name of the request header that carries the signature of a webhook, in lower case. */
  readonly signatureHeader: string
  /** What a browser shows an embedded checkout with; null: not configured, so that embedded ones are refused. */
  readonly publishableKey: string | null
  readonly records: PaymentRecords

  /**
   * The provider's customer for a user: the one the host links, else a new one. Repeating it with the same `replaces`
   * returns the same customer, also ten times at once. `replaces`: the customer that is gone; null: there was none.
   */
  createCustomer(request: { userId: string; replaces: string | null }): Promise<{ customerId: string }>

  /** Open a checkout session. Repeating it with the same `purchaseId` and the same request returns the first session. */
  createCheckout(request: CheckoutRequest): Promise<Checkout | CustomerGone>

  /** Open a checkout of a subscription. Repeating it with the same `requestId` returns the first session. */
  createSubscribeCheckout(request: SubscribeRequest): Promise<Checkout | CustomerGone>

  /** Open a checkout that saves a card. Repeating it with the same `requestId` returns the first session. */
  createSaveCardCheckout(request: SaveCardRequest): Promise<Checkout | CustomerGone>

  /** A page where the customer manages subscriptions, cards and invoices. */
  createPortalSession(request: {
    customerId: string
    returnUrl: string | null
  }): Promise<{ url: string } | CustomerGone>

  /** The session as it stands now; null when there is none, or when it belongs to another mode or account. */
  getCheckout(sessionId: string): Promise<Checkout | null>

  /** The session a payment came from; null when it came from none. */
  findCheckoutByPayment(paymentId: string): Promise<Checkout | null>

  /**
   * Take a payment from the customer's saved card. A refused payment is an answer (`failed`), not an error.
   * @throws {UnavailableError} Surely nothing was taken.
   * @throws {OutcomeUnknownError} It may have been taken: repeat with the same request, or look with `findPayment`.
   */
  chargeOffSession(request: OffSessionRequest): Promise<Payment>

  /** The payment as it stands now; null when there is none, or when it belongs to another mode or account. */
  getPayment(paymentId: string): Promise<Payment | null>

  /** The payment of the customer that names this purchase, made since then; null: there is none. */
  findPayment(query: { purchaseId: string; customerId: string; since: Date }): Promise<Payment | null>

  /** Give up a payment that waits for its buyer. False: it could not be cancelled (any more). */
  cancelPayment(paymentId: string): Promise<boolean>

  /** The invoice as it stands now; null as for sessions. */
  getInvoice(invoiceId: string): Promise<Invoice | null>

  /** The subscription as it stands now; null as for sessions. */
  getSubscription(subscriptionId: string): Promise<Subscription | null>

  /** End a subscription at the end of what is paid, or at once; returns it as it is then. Null: there is none. */
  cancelSubscription(subscriptionId: string, when: 'period_end' | 'now'): Promise<Subscription | null>

  /** All money of this payment that went back; null: no such payment, or none that could be ours. */
  getReversals(paymentId: string): Promise<PaymentReversals | null>

  /**
   * Currency and unit price in minor units of the provider's own price object; null when unknown or not for sale.
   * `recurring`: is it billed again and again? Packages are sold for one-off prices, plans for recurring ones.
   */
  getPrice(priceId: string): Promise<{ currency: string; unitPriceMinor: number; recurring: boolean } | null>

  /** Where may buyers be sent back to? Returns the URL made absolute, or null when its origin is not allowed. */
  resolveReturnUrl(url: string): string | null

  /**
   * Check the signature over the raw bytes and the age of the message; always, everywhere.
   * @throws {WebhookSignatureInvalidError} Missing, wrong or old signature, or a signed body that is not an event.
   * @throws {PaymentsNotConfiguredError} No signing secret is configured.
   */
  verifyWebhook(rawBody: Uint8Array, signature: string | null): Promise<VerifiedEvent>
}
