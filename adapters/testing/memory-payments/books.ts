import { randomUUID } from 'node:crypto'
import type {
  Checkout,
  Invoice,
  InvoiceLine,
  Payment,
  PaymentDispute,
  PaymentFailure,
  PaymentRefund,
  Subscription,
} from '../../../src/ports/payments.js'
import type { MemoryEvent, MemoryEventType } from './events.js'

/** How charging a saved card fails. `not_tried` is none of them: there every request is taken. */
export type CardFailure = Exclude<PaymentFailure['kind'], 'not_tried'>

/** What a saved card does when it is charged while its owner is away. */
export type CardBehaviour = 'pays' | 'pays_later' | Exclude<CardFailure, 'card_missing'>

/** How often a price is billed. */
export type Interval = 'day' | 'week' | 'month' | 'year'

export interface CustomerRow {
  customerId: string
  isDeleted: boolean
  /** The newest first: it is the one that is charged. */
  cards: CardBehaviour[]
  /** How every payment of the customer fails at present. */
  failing: CardFailure | null
  livemode: boolean
}

export interface PriceRow {
  priceId: string
  currency: string
  unitPriceMinor: number
  /** Null: paid once. */
  every: Interval | null
  isForSale: boolean
  livemode: boolean
}

export interface SessionRow {
  checkout: Checkout
  createdAt: Date
  expiresAt: Date
  userId: string
  unitPriceMinor: number
  quantity: number
  /** Of a subscription. */
  priceId: string | null
  trialDays: number | null
  saveCard: boolean
}

export interface PaymentRow {
  payment: Payment & { paymentId: string }
  /** What is to be paid, in minor units. */
  totalMinor: number
  chargeId: string | null
  sessionId: string | null
  invoiceId: string | null
  createdAt: Date
  refunds: (PaymentRefund & { createdAt: Date })[]
  disputes: (PaymentDispute & { createdAt: Date })[]
}

export interface InvoiceRow {
  invoice: Invoice
  /** What is to be paid, in minor units. */
  totalMinor: number
  createdAt: Date
}

export interface SubscriptionRow {
  subscription: Subscription
  every: Interval
  /** From where its periods are counted. */
  anchor: Date
  /** How many periods have begun since then. */
  periods: number
  /** Lines that wait for the next invoice. */
  extras: InvoiceLine[]
}

const DAY_MS = 86_400_000

/** Everything the payment service knows. */
export class Books {
  readonly customers = new Map<string, CustomerRow>()
  readonly prices = new Map<string, PriceRow>()
  readonly sessions = new Map<string, SessionRow>()
  readonly payments = new Map<string, PaymentRow>()
  readonly invoices = new Map<string, InvoiceRow>()
  readonly subscriptions = new Map<string, SubscriptionRow>()
  readonly events: MemoryEvent[] = []
  /** What was answered under a name, and the request that had it. */
  readonly named = new Map<string, { request: string; id: string }>()

  constructor(
    private readonly clock: { now(): Date },
    private readonly onEvent: (event: MemoryEvent) => void,
  ) {}

  now(): Date {
    return this.clock.now()
  }

  newId(prefix: string): string {
    return `${prefix}_${randomUUID().replaceAll('-', '')}`
  }

  inDays(days: number): Date {
    return new Date(this.now().getTime() + days * DAY_MS)
  }

  /** Something happened to the object with this id. */
  emit(type: MemoryEventType, id: string, livemode: boolean): void {
    const createdAt = this.now()
    const created = Math.floor(createdAt.getTime() / 1000)
    const event = { id: this.newId('event'), type, livemode, created, data: { id }, createdAt }
    this.events.push(event)
    this.onEvent(event)
  }

  /** Sessions whose time is up expire. */
  tick(): void {
    for (const session of this.sessions.values()) {
      if (session.checkout.state === 'open' && session.expiresAt <= this.now()) this.expire(session)
    }
  }

  expire({ checkout }: SessionRow): void {
    Object.assign(checkout, { state: 'expired', url: null, clientSecret: null })
    this.emit('session.expired', checkout.sessionId, checkout.livemode)
  }

  /** A customer of this mode who was not deleted. */
  customer(customerId: string, livemode: boolean): CustomerRow | null {
    const customer = this.customers.get(customerId)
    return customer?.livemode === livemode && !customer.isDeleted ? customer : null
  }
}

/** What must be there, or the test that names it is wrong. */
export function known<R>(rows: ReadonlyMap<string, R>, id: string, what: string): R {
  const row = rows.get(id)
  if (row === undefined) throw new Error(`memoryPayments: there is no ${what} ${id}`)
  return row
}
