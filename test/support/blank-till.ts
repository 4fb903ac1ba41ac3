import type {
  Checkout,
  CheckoutRequest,
  Invoice,
  OffSessionRequest,
  Payment,
  PaymentProvider,
  PaymentRecords,
  PaymentReversals,
  Subscription,
  VerifiedEvent,
} from '../../src/ports/payments.js'

const nothing = {
  async *[Symbol.asyncIterator]() {
    // Nothing is on record.
  },
}

/** A payment provider that sells packages on paper and nothing else; tests say what is true of its checkouts. */
export abstract class BlankTill implements PaymentProvider {
  readonly name = 'paper'
  readonly metadataNames = { session: 'sessionId', payment: 'paymentId', charge: 'chargeId', invoice: 'invoiceId' }
  readonly livemode: boolean = false
  readonly signatureHeader = 'paper-signature'
  readonly publishableKey: string | null = null
  readonly records: PaymentRecords = {
    undeliveredEvents: () => nothing,
    checkouts: () => nothing,
    payments: () => nothing,
    invoices: () => nothing,
    reversals: () => nothing,
  }

  async createCustomer({ userId }: { userId: string }): Promise<{ customerId: string }> {
    return { customerId: `cus_${userId}` }
  }

  abstract createCheckout(request: CheckoutRequest): Promise<Checkout>
  abstract getCheckout(sessionId: string): Promise<Checkout | null>
  abstract findCheckoutByPayment(paymentId: string): Promise<Checkout | null>
  abstract getReversals(paymentId: string): Promise<PaymentReversals | null>

  async createSubscribeCheckout(): Promise<Checkout> {
    throw new Error('BlankTill: no subscriptions on paper')
  }

  async createSaveCardCheckout(): Promise<Checkout> {
    throw new Error('BlankTill: no cards on paper')
  }

  async createPortalSession(): Promise<{ url: string }> {
    throw new Error('BlankTill: no portal on paper')
  }

  async chargeOffSession({ purchaseId }: OffSessionRequest): Promise<Payment> {
    throw new Error(`BlankTill: no card to pay ${purchaseId} with`)
  }

  async getPayment(paymentId: string): Promise<Payment | null> {
    throw new Error(`BlankTill: no payment ${paymentId} on paper`)
  }

  async findPayment({ purchaseId }: { purchaseId: string }): Promise<Payment | null> {
    throw new Error(`BlankTill: no payment of ${purchaseId} on paper`)
  }

  async cancelPayment(paymentId: string): Promise<boolean> {
    throw new Error(`BlankTill: no payment ${paymentId} on paper`)
  }

  async getInvoice(invoiceId: string): Promise<Invoice | null> {
    throw new Error(`BlankTill: no invoice ${invoiceId} on paper`)
  }

  async getSubscription(): Promise<Subscription | null> {
    return null
  }

  async cancelSubscription(): Promise<Subscription | null> {
    return null
  }

  async getPrice(): Promise<null> {
    return null
  }

  resolveReturnUrl(url: string): string | null {
    return url
  }

  async verifyWebhook(): Promise<VerifiedEvent> {
    throw new Error('BlankTill: there are no webhooks on paper')
  }
}

/** A checkout that a buyer has just opened. */
export function openedCheckout(
  sessionId: string,
  { purchaseId, customerId, saveCard, unitPriceMinor, quantity, currency }: CheckoutRequest,
): Checkout {
  const totalMinor = unitPriceMinor * quantity
  return {
    sessionId,
    url: `https://pay.example/${sessionId}`,
    clientSecret: null,
    purchaseId,
    state: 'open',
    mode: 'payment',
    currency,
    subtotalMinor: totalMinor,
    totalMinor,
    paymentId: null,
    customerId,
    subscriptionId: null,
    invoiceId: null,
    savesCard: saveCard,
    livemode: false,
  }
}
