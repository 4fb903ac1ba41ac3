import type {
  Checkout,
  CheckoutRequest,
  PaymentEvent,
  PaymentProvider,
  PaymentRefund,
  VerifiedEvent,
} from '../../src/ports/payments.js'

/** A payment provider on paper: holds what is true of one checkout, and tells it as events when asked to. */
export class PaperTill implements PaymentProvider {
  readonly name = 'paper'
  readonly metadataNames = { session: 'sessionId', payment: 'paymentId', charge: 'chargeId' }
  readonly livemode = false
  readonly signatureHeader = 'paper-signature'
  readonly refunds: PaymentRefund[] = []
  #checkout: Checkout | null = null
  #events = 0

  get checkout(): Checkout {
    if (this.#checkout === null) throw new Error('PaperTill: nobody has opened a checkout')
    return this.#checkout
  }

  get paid(): boolean {
    return this.checkout.state === 'paid'
  }

  pay(): void {
    this.#checkout = { ...this.checkout, state: 'paid', url: null, paymentId: 'pi_paper' }
  }

  /** Money going back; nothing happens when there is not as much left. */
  refund(amountMinor: number, status: PaymentRefund['status'] = 'succeeded'): void {
    const gone = this.refunds.filter((refund) => refund.status !== 'failed').map((refund) => refund.amountMinor)
    const left = this.checkout.totalMinor - gone.reduce((sum, amount) => sum + amount, 0)
    if (!this.paid || amountMinor > left) return
    const refundId = `re_${this.refunds.length + 1}`
    this.refunds.push({ refundId, amountMinor, currency: this.checkout.currency, status })
  }

  /** A refund's later fate. Failed is final. */
  settle(index: number, status: PaymentRefund['status']): void {
    const refund = this.refunds[index]
    if (refund !== undefined && refund.status !== 'failed') refund.status = status
  }

  /** An event that tells of what is true now, as a webhook does after we have fetched it. */
  event(kind: 'checkout' | 'payment_succeeded' | 'payment_reversed'): VerifiedEvent {
    this.#events += 1
    const told = this.#tell(kind)
    const event = { eventId: `evt_${this.#events}`, type: kind, livemode: false, created: 0 }
    return { ...event, translate: async () => told }
  }

  #tell(kind: 'checkout' | 'payment_succeeded' | 'payment_reversed'): PaymentEvent | null {
    const { checkout } = this
    if (kind === 'checkout') return { kind, checkout: { ...checkout }, failed: false }
    const { paymentId, purchaseId, totalMinor, currency } = checkout
    if (paymentId === null) return null
    if (kind === 'payment_succeeded') return { kind, paymentId, purchaseId }
    const refunds = this.refunds.map((refund) => ({ ...refund }))
    const reversals = { paymentId, chargeId: 'ch_paper', purchaseId, capturedMinor: totalMinor, currency, refunds }
    return { kind, reversals: { ...reversals, livemode: false } }
  }

  async createCheckout({ purchaseId, unitPriceMinor, quantity, currency }: CheckoutRequest): Promise<Checkout> {
    const totalMinor = unitPriceMinor * quantity
    this.#checkout = {
      sessionId: 'cs_paper',
      url: 'https://pay.example/cs_paper',
      purchaseId,
      state: 'open',
      oneOff: true,
      currency,
      subtotalMinor: totalMinor,
      totalMinor,
      paymentId: null,
      livemode: false,
    }
    return this.#checkout
  }

  async getCheckout(sessionId: string): Promise<Checkout | null> {
    return sessionId === 'cs_paper' ? { ...this.checkout } : null
  }

  async findCheckoutByPayment(): Promise<Checkout | null> {
    return { ...this.checkout }
  }

  async getPrice(): Promise<null> {
    return null
  }

  resolveReturnUrl(url: string): string {
    return url
  }

  async verifyWebhook(): Promise<VerifiedEvent> {
    throw new Error('PaperTill: there are no webhooks on paper')
  }
}
