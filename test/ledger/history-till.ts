import type {
  Checkout,
  CheckoutRequest,
  PaymentEvent,
  PaymentRefund,
  PaymentReversals,
  VerifiedEvent,
} from '../../src/ports/payments.js'
import { BlankTill, openedCheckout } from '../support/blank-till.js'

export type Told = 'checkout' | 'payment_succeeded' | 'payment_reversed'

interface Sold {
  checkout: Checkout
  refunds: PaymentRefund[]
}

/** A payment provider on paper with any number of checkouts: holds what is true, and tells it as events when asked to. */
export class HistoryTill extends BlankTill {
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
    refunds.push({ refundId, amountMinor, currency: checkout.currency, status, keepCredits: false })
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

  async createCheckout(request: CheckoutRequest): Promise<Checkout> {
    const sessionId = `cs_${request.purchaseId}`
    const known = this.#sold.get(sessionId)
    if (known !== undefined) return { ...known.checkout }
    const checkout = openedCheckout(sessionId, request)
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

  async getReversals(paymentId: string): Promise<PaymentReversals | null> {
    const sold = [...this.#sold.values()].find(({ checkout }) => checkout.paymentId === paymentId)
    return sold === undefined ? null : reversalsOf(sold, paymentId)
  }

  #find(sessionId: string): Sold {
    const sold = this.#sold.get(sessionId)
    if (sold === undefined) throw new Error(`HistoryTill: nobody has opened ${sessionId}`)
    return sold
  }
}

function tell({ checkout, refunds }: Sold, kind: Told): PaymentEvent | null {
  const { paymentId, purchaseId } = checkout
  if (kind === 'checkout') return { kind, checkout: { ...checkout }, failed: false }
  if (paymentId === null) return null
  if (kind === 'payment_succeeded') return { kind, paymentId, purchaseId }
  return { kind, reversals: reversalsOf({ checkout, refunds }, paymentId) }
}

function reversalsOf({ checkout, refunds }: Sold, paymentId: string): PaymentReversals {
  const { purchaseId, totalMinor, currency } = checkout
  return {
    paymentId,
    chargeId: `ch_${paymentId}`,
    purchaseId,
    invoiceId: null,
    capturedMinor: totalMinor,
    currency,
    refunds: refunds.map((refund) => ({ ...refund })),
    disputes: [],
    livemode: false,
  }
}
