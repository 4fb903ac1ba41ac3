import type { PaymentDispute, PaymentProvider, PaymentRefund } from '../../../src/ports/payments.js'

/** What a saved card does when it is charged while its owner is away. */
export type SavedCard = 'pays' | 'pays_later' | 'authentication_required' | 'hard' | 'soft'

/** What the payment service sends: a body, and the value of the header `provider.signatureHeader` for it. */
export interface SignedWebhook {
  rawBody: Uint8Array
  signature: string
}

/**
 * What people, banks, time and the network do at the payment service, so that a test can look at what the provider says
 * of it. To bring a new provider, write these over the sandbox or the local double of its service; each is a few lines.
 *
 * Each resolves when the service has done it; with what does not matter, where nothing is said. Amounts are minor units. Ids are the provider's, as the port shows them.
 */
export interface PaymentActs {
  /**
   * The service's clock. It stands still between two calls of `pass`; nothing in the suite takes more than seconds of
   * real time.
   */
  now(): Date
  /** Move the service's clock on. */
  pass(ms: number): Promise<unknown>

  /**
   * The buyer finishes an open session, with a card that pays; the card is saved where the session saves one. `discount`
   * is taken off the subtotal, in a subscription off its first invoice; `tax` is added on top, and is asked for in no
   * subscription.
   */
  pay(sessionId: string, changes?: { discount?: number; tax?: number }): Promise<unknown>
  /** The buyer finishes a session by a delayed means of payment: the money is on its way. */
  payLater(sessionId: string): Promise<unknown>
  /** The money of `payLater` arrives, or will not come. */
  settle(sessionId: string, outcome: 'succeeded' | 'failed'): Promise<unknown>
  /** The buyer's card is declined; the session stays open. */
  decline(sessionId: string): Promise<unknown>
  /** The session's time is up. */
  expire(sessionId: string): Promise<unknown>
  /** Another app sells something for one payment through the same account. */
  sellElsewhere(): Promise<{ sessionId: string; paymentId: string }>

  /** Make a customer at the service, and let the host link it to this user, by your provider's own option for it. */
  linkCustomer(userId: string): Promise<string>
  /** The merchant deletes the customer. */
  deleteCustomer(customerId: string): Promise<unknown>
  /** The customer saves a card away from any checkout; it is the one that is charged from now on. */
  saveCard(customerId: string, card: SavedCard): Promise<unknown>
  /** The buyer passes the authentication that a payment waits for, and the payment is taken. */
  authenticate(paymentId: string): Promise<unknown>

  /** Money goes back: all of what is left by default, `succeeded` by default. Returns the refund's id. */
  refund(
    paymentId: string,
    refund?: { amount?: number; status?: PaymentRefund['status']; keepCredits?: boolean },
  ): Promise<string>
  updateRefund(refundId: string, status: PaymentRefund['status']): Promise<unknown>
  /** The buyer's bank disputes all of a payment by default, `open` by default. Returns the dispute's id. */
  dispute(paymentId: string, dispute?: { amount?: number; status?: PaymentDispute['status'] }): Promise<string>
  updateDispute(disputeId: string, status: PaymentDispute['status']): Promise<unknown>

  /** A price of the service's own in this currency; `monthly`: billed every month, else paid once. Returns its id. */
  newPrice(price: { unitPriceMinor: number; currency: string; monthly: boolean }): Promise<string>
  /** The price is not for sale any more. */
  archivePrice(priceId: string): Promise<unknown>

  /** The subscription's period ends: the next one is billed, and collected from the saved card. Returns the invoice's id. */
  renew(subscriptionId: string): Promise<string>
  /** The subscription's one item gets another quantity; the difference is billed and collected at once. Returns the invoice. */
  changeQuantity(subscriptionId: string, quantity: number): Promise<string>
  /** Nothing is collected from now on, or it is again. */
  pauseCollection(subscriptionId: string, isPaused: boolean): Promise<unknown>
  /** The next invoice has one more line, for something that is no item of the subscription. */
  addToNextInvoice(subscriptionId: string, amount: number): Promise<unknown>
  /** The merchant subscribes a customer with a saved card without us. Returns the subscription's id. */
  subscribeElsewhere(customerId: string, priceId: string): Promise<string>
  /** The buyer pays an open invoice on its page; `elsewhere`: in cash, and the merchant notes it. */
  payInvoice(invoiceId: string, elsewhere?: boolean): Promise<unknown>
  /** The merchant gives an open invoice up. */
  giveUpInvoice(invoiceId: string): Promise<unknown>

  /** The webhooks of everything that happened since they were last taken or lost, oldest first: the host acknowledges them. */
  takeWebhooks(): Promise<SignedWebhook[]>
  /** The webhooks of everything that happened since they were last taken or lost never arrive. */
  loseWebhooks(): Promise<unknown>
  /** Sign any bytes as the service would, so many seconds ago (default 0). */
  sign(rawBody: Uint8Array, ageSeconds?: number): Promise<SignedWebhook>
  /** A well-formed, signed event of a type that nobody acts on. */
  unknownEvent(): Promise<SignedWebhook>

  /** Do some work of the provider's while something is wrong with the service; after it, all is well again. */
  disturbed<R>(how: Disturbance, work: () => Promise<R>): Promise<R>
}

/**
 * `refuses`: every call fails and changes nothing; `hangs`: calls are taken and never answered; `loses_answers`: calls that
 * change something are carried out, and their answers are lost, also those to a client's own repeats.
 */
export type Disturbance = 'refuses' | 'hangs' | 'loses_answers'

/** A provider under test, and the payment service behind it. */
export interface OpenedPayments {
  /** Set to test mode, with a signing secret, and a publishable key if it has embedded checkouts. */
  provider: PaymentProvider
  /** Set to the other mode, on the same service and with the same secret: none of the objects are its own. */
  otherMode: PaymentProvider
  /** A provider without a signing secret; may throw at once. */
  withoutSecret(): PaymentProvider
  /** The origin that buyers may be sent back to: `https://app.example`. */
  appUrl: string
  act: PaymentActs
  /** End what was opened, after the suite. */
  close(): Promise<void>
}
