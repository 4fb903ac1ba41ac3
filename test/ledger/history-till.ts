import type {
  Checkout,
  CheckoutRequest,
  PaymentEvent,
  PaymentProvider,
  PaymentRefund,
  VerifiedEvent,
} from '../../src/ports/payments.js'

export type Told = 'checkout' | 'payment_succeeded' | 'payment_reversed'

interface Sold {
  checkout: Checkout
  refunds: PaymentRefund[]
}

/** A payment provider on paper with any number of checkouts: holds what is true, and tells it as events when asked to. */
export class HistoryTill implements PaymentProvider {
  readonly name = 'paper'
  readonly metadataNames = { session: 'sessionId', payment: 'paymentId', charge: 'chargeId' }
  readonly livemode = false
  readonly signatureHeader = 'paper-signature'
  readonly #sold = new Map<string, Sold>()
  #events = 0

  pay(sessionId: string): void {
    const sold = this.#find(sessionId)
    const { purchaseId } = sold.checkout
    sold.checkout = { ...sold.checkout, state: 'paid', url: null, paymentId: `pi_${purchaseId ?? ''}` }
  }

  /** Money going back; nothing happens when there is not as much left. */
  refund(sessionId: string, amountMinor: number, status: PaymentRefund['status']): void {
    const { checkout, refunds } = this.#find(sessionId)
    const gone = refunds.filter((refund) => refund.status !== 'failed').map((refund) => refund.amountMinor)
    if (amountMinor > checkout.totalMinor - gone.reduce((sum, amount) => sum + amount, 0)) return
    const refundId = `re_${checkout.purchaseId ?? ''}_${refunds.length}`
    refunds.push({ refundId, amountMinor, currency: checkout.currency, status })
  }

  /** The money of a refund stays after all. Failed is final. */
  failRefund(sessionId: string, index: number): void {
    const { refunds } = this.#find(sessionId)
    const refund = refunds[index % refunds.length]
    if (refund !== undefined) refund.status = 'failed'
  }

  /** An event that tells of what is true now, as a webhook does after we have fetched it. */
  event(sessionId: string, kind: Told): VerifiedEvent {
    this.#events += 1
    const sold = this.#find(sessionId)
    const eventId = `evt_${sold.checkout.purchaseId ?? ''}_${this.#events}`
    return { eventId, type: kind, livemode: false, created: 0, translate: async () => tell(sold, kind) }
  }

  async createCheckout({ purchaseId, unitPriceMinor, quantity, currency }: CheckoutRequest): Promise<Checkout> {
    const sessionId = `cs_${purchaseId}`
    const known = this.#sold.get(sessionId)
    if (known !== undefined) return { ...known.checkout }
    const totalMinor = unitPriceMinor * quantity
    const checkout: Checkout = {
      sessionId,
      url: `https://pay.example/${sessionId}`,
      purchaseId,
      state: 'open',
      oneOff: true,
      currency,
      subtotalMinor: totalMinor,
      totalMinor,
      paymentId: null,
      livemode: false,
    }
    this.#sold.set(sessionId, { checkout, refunds: [] })
    return { ...checkout }
  }

  async getCheckout(sessionId: string): Promise<Checkout | null> {
    const sold = this.#sold.get(sessionId)
    return sold === undefined ? null : { ...sold.checkout }
  }

  async findCheckoutByPayment(paymentId: string): Promise<Checkout | null> {
    const sold = [...this.#sold.values()].find(({ checkout }) => checkout.paymentId === paymentId)
    return sold === undefined ? null : { ...sold.checkout }
  }

  async getPrice(): Promise<null> {
    return null
  }

  resolveReturnUrl(url: string): string {
    return url
  }

  async verifyWebhook(): Promise<VerifiedEvent> {
    throw new Error('HistoryTill: there are no webhooks on paper')
  }

  #find(sessionId: string): Sold {
    const sold = this.#sold.get(sessionId)
    if (sold === undefined) throw new Error(`HistoryTill: nobody has opened ${sessionId}`)
    return sold
  }
}

function tell({ checkout, refunds }: Sold, kind: Told): PaymentEvent | null {
  const { paymentId, purchaseId, totalMinor: capturedMinor, currency } = checkout
  if (kind === 'checkout') return { kind, checkout: { ...checkout }, failed: false }
  if (paymentId === null) return null
  if (kind === 'payment_succeeded') return { kind, paymentId, purchaseId }
  const told = refunds.map((refund) => ({ ...refund }))
  const reversals = { paymentId, chargeId: `ch_${paymentId}`, purchaseId, capturedMinor, currency, refunds: told }
  return { kind, reversals: { ...reversals, livemode: false } }
}
