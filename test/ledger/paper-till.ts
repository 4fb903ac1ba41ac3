import type {
  Checkout,
  CheckoutRequest,
  PaymentDispute,
  PaymentEvent,
  PaymentRefund,
  PaymentReversals,
  VerifiedEvent,
} from '../../src/ports/payments.js'
import { BlankTill, openedCheckout } from '../support/blank-till.js'

/** A payment provider on paper: holds what is true of one checkout, and tells it as events when asked to. */
export class PaperTill extends BlankTill {
  readonly refunds: PaymentRefund[] = []
  readonly disputes: PaymentDispute[] = []
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
    this.refunds.push({ refundId, amountMinor, currency: this.checkout.currency, status, keepCredits: false })
  }

  /** The buyer's bank takes money back, or asks about it. */
  dispute(amountMinor: number, status: PaymentDispute['status']): void {
    if (!this.paid) return
    const disputeId = `du_${this.disputes.length + 1}`
    this.disputes.push({ disputeId, amountMinor, currency: this.checkout.currency, status })
  }

  /** A dispute's later fate. */
  decide(index: number, status: PaymentDispute['status']): void {
    const dispute = this.disputes[index]
    if (dispute !== undefined) dispute.status = status
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
    const { paymentId, purchaseId } = checkout
    if (paymentId === null) return null
    if (kind === 'payment_succeeded') return { kind, paymentId, purchaseId }
    return { kind, reversals: this.#reversals(paymentId) }
  }

  #reversals(paymentId: string): PaymentReversals {
    const { purchaseId, totalMinor, currency } = this.checkout
    return {
      paymentId,
      chargeId: 'ch_paper',
      purchaseId,
      invoiceId: null,
      capturedMinor: totalMinor,
      currency,
      refunds: this.refunds.map((refund) => ({ ...refund })),
      disputes: this.disputes.map((dispute) => ({ ...dispute })),
      livemode: false,
    }
  }

  async createCheckout(request: CheckoutRequest): Promise<Checkout> {
    this.#checkout = openedCheckout('cs_paper', request)
    return this.#checkout
  }

  async getReversals(paymentId: string): Promise<PaymentReversals | null> {
    return this.#reversals(paymentId)
  }

  async getCheckout(sessionId: string): Promise<Checkout | null> {
    return sessionId === 'cs_paper' ? { ...this.checkout } : null
  }

  async findCheckoutByPayment(): Promise<Checkout | null> {
    return { ...this.checkout }
  }
}
