import { randomUUID } from 'node:crypto'
import type { CreditService, CreditServiceOptions } from '../../src/index.js'
import type {
  Checkout,
  Invoice,
  InvoiceLine,
  PaymentEvent,
  PaymentRefund,
  PaymentReversals,
  Subscription,
} from '../../src/ports/payments.js'
import { BlankTill } from '../support/blank-till.js'
import type { PlanOptions } from './planning.js'
import type { Stage } from './stage.js'

/** Plans that are paid for by subscriptions, each by the price `price_<name>`; Pro by the year, too. */
export const PAID_PLANS: PlanOptions = {
  basic: { stripePriceId: 'price_basic', grants: [{ creditType: 'calling', amount: 100, every: 'month' }] },
  pro: {
    stripePriceId: ['price_pro', 'price_pro_year'],
    grants: [{ creditType: 'calling', amount: 250, every: 'month' }],
  },
  saving: {
    stripePriceId: 'price_saving',
    grants: [{ creditType: 'calling', amount: 100, every: 'month', rollover: { max: 30 } }],
  },
  team: {
    stripePriceId: 'price_team',
    grants: [
      { creditType: 'calling', amount: 50, every: 'month' },
      { creditType: 'scraping', amount: 7, every: 'month' },
    ],
  },
  scraping: {
    stripePriceId: 'price_scraping_year',
    grants: [{ creditType: 'scraping', amount: 40, every: 'month' }],
  },
  tried: {
    stripePriceId: 'price_tried',
    grants: [{ creditType: 'calling', amount: 100, every: 'month', trialAmount: 20 }],
  },
}

/** A line of an invoice as a test says it; the rest is usual. */
export type LineTerms = Partial<InvoiceLine> & { price?: string; from: Date; until: Date }

/** A provider on paper that tells of one subscription's invoices and of money that went back for them. */
class InvoiceTill extends BlankTill {
  readonly invoices = new Map<string, Invoice>()
  readonly refunds = new Map<string, PaymentRefund[]>()
  /** As it is now; null: nobody can tell. */
  subscription: Subscription | null = null

  createCheckout = (): Promise<Checkout> => Promise.reject(new Error('InvoiceTill: sells no packages'))
  getCheckout = (): Promise<null> => Promise.resolve(null)
  findCheckoutByPayment = (): Promise<null> => Promise.resolve(null)

  override async getInvoice(invoiceId: string): Promise<Invoice | null> {
    return this.invoices.get(invoiceId) ?? null
  }

  override async getSubscription(): Promise<Subscription | null> {
    return this.subscription
  }

  async getReversals(paymentId: string): Promise<PaymentReversals | null> {
    const invoice = [...this.invoices.values()].find((each) => each.paymentId === paymentId)
    if (invoice === undefined) return null
    const { invoiceId, paidMinor: capturedMinor, currency, livemode } = invoice
    const refunds = (this.refunds.get(paymentId) ?? []).map((refund) => ({ ...refund }))
    return {
      paymentId,
      chargeId: null,
      purchaseId: null,
      invoiceId,
      capturedMinor,
      currency,
      refunds,
      disputes: [],
      livemode,
    }
  }
}

export interface Subscriber {
  credits: CreditService
  userId: string
  till: InvoiceTill
  /** An invoice is paid. */
  bill: (lines: LineTerms[], terms?: Partial<Invoice>) => Invoice
  /** An invoice is paid, and we hear of it. */
  pay: (lines: LineTerms[], terms?: Partial<Invoice>) => Promise<Invoice>
  /** We hear of anything. `by`: another deployment hears of it. */
  process: (event: PaymentEvent, by?: CreditService) => Promise<void>
  /** We hear of an invoice (once more). */
  hear: (invoice: Invoice) => Promise<void>
  /** Money goes back, and we hear of it. Default: all that was paid. */
  refund: (invoice: Invoice, amountMinor?: number) => Promise<PaymentRefund>
  /** The subscription is like this now. Default: one item, of the price Basic. */
  change: (terms?: Partial<Omit<Subscription, 'items'>> & { price?: string; quantity?: number }) => Subscription
  /** We hear of the subscription. */
  tell: (terms?: Partial<Subscription>) => Promise<void>
}

/** Somebody who pays for plans by invoices. */
export function subscriber(
  { service, userId }: Pick<Stage, 'service' | 'userId'>,
  options: CreditServiceOptions = {},
): Subscriber {
  const till = new InvoiceTill()
  const id = randomUUID()
  const credits = service({ plans: PAID_PLANS, payments: till, ...options })
  let told = 0
  const process = async (event: PaymentEvent, by = credits): Promise<void> => {
    told += 1
    const eventId = `evt_${id}_${told}`
    await by.marketplace.processEvent({
      eventId,
      type: event.kind,
      livemode: false,
      created: 0,
      translate: async () => event,
    })
  }
  const hear = (invoice: Invoice): Promise<void> => process({ kind: 'invoice', invoice })
  const bill = (lines: LineTerms[], terms: Partial<Invoice> = {}): Invoice => {
    const number = till.invoices.size + 1
    const invoice: Invoice = {
      invoiceId: `in_${id}_${number}`,
      status: 'paid',
      subscriptionId: `sub_${id}`,
      customerId: `cus_${id}`,
      userId,
      paidMinor: 1000,
      currency: 'usd',
      paymentId: `pi_${id}_${number}`,
      url: null,
      livemode: false,
      ...terms,
      lines: lines.map(({ price = 'price_basic', ...line }, index) => ({
        lineId: `il_${id}_${number}_${index}`,
        itemId: `si_${id}`,
        priceId: price,
        quantity: 1,
        proration: false,
        trial: false,
        amountMinor: 1000,
        ...line,
      })),
    }
    till.invoices.set(invoice.invoiceId, invoice)
    return invoice
  }
  const picture = ({
    price: priceId = 'price_basic',
    quantity = 1,
    ...terms
  }: Parameters<Subscriber['change']>[0] = {}) => {
    const period = {
      periodStart: new Date('2026-03-10T12:00:00.000Z'),
      periodEnd: new Date('2026-04-10T12:00:00.000Z'),
    }
    const subscription: Subscription = {
      subscriptionId: `sub_${id}`,
      customerId: `cus_${id}`,
      userId,
      status: 'active',
      items: [{ itemId: `si_${id}`, priceId, quantity, ...period }],
      cancelAtPeriodEnd: false,
      collectionPaused: false,
      endedAt: null,
      trialEndsAt: null,
      livemode: false,
      ...terms,
    }
    return subscription
  }
  return {
    credits,
    userId,
    till,
    process,
    hear,
    bill,
    pay: async (lines, terms = {}) => {
      const invoice = bill(lines, terms)
      await hear(invoice)
      return invoice
    },
    refund: async ({ invoiceId, paymentId, paidMinor, currency }, amountMinor = paidMinor) => {
      if (paymentId === null) throw new Error('subscriber: nothing was paid')
      const known = till.refunds.get(paymentId) ?? []
      const refundId = `re_${invoiceId}_${known.length}`
      const refund: PaymentRefund = { refundId, amountMinor, currency, status: 'succeeded', keepCredits: false }
      till.refunds.set(paymentId, [...known, refund])
      const reversals = await till.getReversals(paymentId)
      if (reversals !== null) await process({ kind: 'payment_reversed', reversals })
      return refund
    },
    change: (terms) => (till.subscription = picture(terms)),
    tell: async (terms) => {
      await process({
        kind: 'subscription',
        subscription: terms === undefined ? (till.subscription ?? picture()) : { ...picture(), ...terms },
      })
    },
  }
}
