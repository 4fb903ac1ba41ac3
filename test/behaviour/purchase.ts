import { randomUUID } from 'node:crypto'
import type { ClawbackPolicy, CreditService } from '../../src/index.js'
import type { Checkout, CheckoutRequest, VerifiedEvent } from '../../src/ports/payments.js'
import { PaperTill } from '../ledger/paper-till.js'
import type { Stage } from './stage.js'

export interface Bought {
  /** A service with the till, on the stage's store and clock. */
  credits: CreditService
  /** The purchase's id: its transaction's and its grant's, too. */
  purchaseId: string
  paymentId: string
  /** Money goes back, and we hear of it. Minor units; default: all that was paid. */
  refundPayment: (amountMinor?: number) => Promise<void>
  /** The payment's own events come once more. */
  redeliver: () => Promise<void>
}

/** The stage's user has bought `credits` for `price` minor units, and they are there. */
export async function buyCredits(
  { service, userId }: Pick<Stage, 'service' | 'userId'>,
  {
    credits: creditAmount,
    price = 1000,
    policy = 'debt',
  }: { credits: number; price?: number; policy?: ClawbackPolicy },
): Promise<Bought> {
  const till = new OwnTill()
  const credits = service({ payments: till, clawbackPolicy: policy })
  const { marketplace } = credits
  const pack = await marketplace.createPackage({ name: 'Pack', creditAmount, price, creditType: 'calling' })
  await marketplace.createCheckout({ userId, packageId: pack.id })
  till.pay()
  await marketplace.processEvent(till.event('checkout'))
  const { purchaseId, paymentId } = till.checkout
  if (purchaseId === null || paymentId === null) throw new Error('buyCredits: nothing was paid')
  return {
    credits,
    purchaseId,
    paymentId,
    refundPayment: (amountMinor = price) => {
      till.refund(amountMinor)
      return marketplace.processEvent(till.event('payment_reversed'))
    },
    redeliver: async () => {
      for (const kind of ['checkout', 'payment_succeeded'] as const) await marketplace.processEvent(till.event(kind))
    },
  }
}

/** A till whose ids are its own, so that many of them can work on one store. */
class OwnTill extends PaperTill {
  readonly #id = randomUUID()

  override get checkout(): Checkout {
    const { paymentId, ...checkout } = super.checkout
    return { ...checkout, sessionId: `cs_${this.#id}`, paymentId: paymentId === null ? null : `pi_${this.#id}` }
  }

  override async createCheckout(request: CheckoutRequest): Promise<Checkout> {
    await super.createCheckout(request)
    return this.checkout
  }

  override async getCheckout(sessionId: string): Promise<Checkout | null> {
    return sessionId === this.checkout.sessionId ? this.checkout : null
  }

  override event(kind: 'checkout' | 'payment_succeeded' | 'payment_reversed'): VerifiedEvent {
    const told = super.event(kind)
    return { ...told, eventId: `${told.eventId}_${this.#id}` }
  }
}
