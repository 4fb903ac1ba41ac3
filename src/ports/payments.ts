/** A checkout to open at the provider. Everything that decides money comes from the purchase row, never from a client. */
export interface CheckoutRequest {
  /** Our purchase row's id: the provider must give it back with the session and with the payment. */
  purchaseId: string
  userId: string
  packageId: number
  creditType: string
  /** Credits in all; shown in metadata for people, never trusted when it comes back. */
  creditAmount: number
  quantity: number
  name: string
  description: string | null
  /** Price of one unit in the currency's minor units. */
  unitPriceMinor: number
  /** Lower-case ISO 4217 code. */
  currency: string
  /** A price object of the provider's own to charge instead of name, price and currency. */
  priceId: string | null
  /** Absolute; null: the provider adapter's own default under its `appUrl`. */
  successUrl: string | null
  cancelUrl: string | null
}

/** A checkout session as the provider tells it now. */
export interface Checkout {
  sessionId: string
  /** The page to pay on; null once it is closed. */
  url: string | null
  /** Our purchase, from the session's metadata; null when the session is not ours. */
  purchaseId: string | null
  /** `open`: not finished; `unpaid`: finished, the money is on its way; `free`: finished, nothing to pay. */
  state: 'open' | 'paid' | 'free' | 'unpaid' | 'expired'
  /** Is it a one-off payment? Subscriptions and card set-ups never fulfil a package. */
  oneOff: boolean
  /** Lower-case ISO 4217 code, the one the package was priced in (not the buyer's presentment currency). */
  currency: string
  /** Before discounts and taxes, in minor units: what must match the purchase. */
  subtotalMinor: number
  /** What was charged, in minor units: the denominator of a later refund. */
  totalMinor: number
  /** The provider's payment id (`pi_…`); null while there is none, and for free orders. */
  paymentId: string | null
  livemode: boolean
}

/** One refund of a payment, as the provider tells it now. Minor units. */
export interface PaymentRefund {
  refundId: string
  amountMinor: number
  currency: string
  /** `failed` also stands for cancelled: the money did not go back. */
  status: 'pending' | 'succeeded' | 'failed'
}

/** All money of one payment that went back, as the provider tells it now: an absolute picture, never an increment. */
export interface PaymentReversals {
  paymentId: string
  /** Provider's charge id, for the clawback's metadata. */
  chargeId: string | null
  /** Our purchase, from the payment's metadata; null when the payment is not ours. */
  purchaseId: string | null
  /** What was captured, in minor units. */
  capturedMinor: number
  currency: string
  refunds: PaymentRefund[]
  livemode: boolean
}

/** A provider event in our words. `null` events are acknowledged and ignored. */
export type PaymentEvent =
  /** A checkout session changed; `checkout` says where it stands now. `failed`: the delayed payment did not come. */
  | { kind: 'checkout'; checkout: Checkout; failed: boolean }
  /** A payment succeeded; fulfils through its checkout session, if it has one. */
  | { kind: 'payment_succeeded'; paymentId: string; purchaseId: string | null }
  /** An attempt to pay failed. Not final: the buyer may try again on the same page. */
  | {
      kind: 'payment_failed'
      paymentId: string
      purchaseId: string | null
      code: string | null
      message: string | null
    }
  /** Money went back, or came back from a failed refund. */
  | { kind: 'payment_reversed'; reversals: PaymentReversals }

/** A webhook whose signature has been verified. */
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

/**
 * The till. Implementations talk to one payment service and translate; they decide nothing about credits.
 *
 * Every method is bounded in time. `UnavailableError`: surely nothing happened that a repeat would double (calls carry
 * our row's id as the provider's idempotency key), so the same call may be made again.
 */
export interface PaymentProvider {
  readonly name: string
  /** Under which names the provider's ids stand in a transaction's metadata. */
  readonly metadataNames: { session: string; payment: string; charge: string }
  /** Does this provider move real money? */
  readonly livemode: boolean
  /** Name of the request header that carries the signature of a webhook, in lower case. */
  readonly signatureHeader: string

  /**
   * Open a checkout session. Repeating it with the same `purchaseId` and the same request returns the first session.
   */
  createCheckout(request: CheckoutRequest): Promise<Checkout>

  /** The session as it stands now; null when there is none, or when it belongs to another mode or account. */
  getCheckout(sessionId: string): Promise<Checkout | null>

  /** The session a payment came from; null when it came from none. */
  findCheckoutByPayment(paymentId: string): Promise<Checkout | null>

  /** Currency and unit price in minor units of the provider's own price object; null when unknown or not for sale. */
  getPrice(priceId: string): Promise<{ currency: string; unitPriceMinor: number } | null>

  /** Where may buyers be sent back to? Returns the URL made absolute, or null when its origin is not allowed. */
  resolveReturnUrl(url: string): string | null

  /**
   * Check the signature over the raw bytes and the age of the message; always, everywhere.
   * @throws {WebhookSignatureInvalidError} Missing, wrong or old signature, or a signed body that is not an event.
   * @throws {PaymentsNotConfiguredError} No signing secret is configured.
   */
  verifyWebhook(rawBody: Uint8Array, signature: string | null): Promise<VerifiedEvent>
}
