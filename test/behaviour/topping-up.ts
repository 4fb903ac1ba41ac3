import { randomUUID } from 'node:crypto'
import { OutcomeUnknownError, UnavailableError } from '../../src/errors.js'
import type {
  AutoTopupView,
  ConfigureAutoTopupInput,
  CreditService,
  CreditServiceOptions,
  DefaultCreditType,
} from '../../src/index.js'
import type {
  Checkout,
  CheckoutRequest,
  OffSessionRequest,
  Payment,
  PaymentEvent,
  PaymentFailure,
  PaymentReversals,
} from '../../src/ports/payments.js'
import { BlankTill, openedCheckout } from '../support/blank-till.js'
import type { Stage } from './stage.js'

/** What happens to the next payments from a saved card; the last one goes on for ever. */
export type CardAnswer =
  'pays' | PaymentFailure['kind'] | 'processing' | 'answer lost' | 'never reached' | 'out of order'

/** A provider on paper whose customers have a card. */
export class CardTill extends BlankTill {
  /** Every request to pay by its own user, also repeated ones; on a store that others share, theirs come too. */
  readonly asked: OffSessionRequest[] = []
  readonly payments = new Map<string, Payment>()
  readonly canceled: string[] = []
  readonly checkouts = new Map<string, Checkout>()
  answers: CardAnswer[] = ['pays']

  constructor(readonly userId: string) {
    super()
  }

  override async chargeOffSession(request: OffSessionRequest): Promise<Payment> {
    if (request.userId !== this.userId) throw new UnavailableError('this card is of another test')
    this.asked.push(request)
    const known = this.payments.get(request.purchaseId)
    if (known !== undefined) return { ...known }
    const answer = (this.answers.length > 1 ? this.answers.shift() : this.answers[0]) ?? 'pays'
    if (answer === 'never reached') throw new OutcomeUnknownError('the provider did not answer')
    if (answer === 'out of order') throw new UnavailableError('the provider is busy')
    const payment = this.#payment(request, answer)
    if (answer !== 'card_missing') this.payments.set(request.purchaseId, payment)
    if (answer === 'answer lost') throw new OutcomeUnknownError('the provider did not answer')
    return { ...payment }
  }

  #payment({ purchaseId, amountMinor, currency, customerId }: OffSessionRequest, answer: CardAnswer): Payment {
    const base = { paymentId: `pi_${purchaseId}`, purchaseId, currency, customerId, livemode: false, failure: null }
    if (answer === 'pays' || answer === 'answer lost') return { ...base, state: 'succeeded', amountMinor }
    if (answer === 'processing' || answer === 'never reached' || answer === 'out of order')
      return { ...base, state: 'processing', amountMinor: 0 }
    const failure: PaymentFailure = { kind: answer, code: `code_${answer}`, message: 'Declined' }
    return {
      ...base,
      paymentId: answer === 'card_missing' ? null : base.paymentId,
      state: 'failed',
      amountMinor: 0,
      failure,
    }
  }

  override async getPayment(paymentId: string): Promise<Payment | null> {
    return [...this.payments.values()].find((payment) => payment.paymentId === paymentId) ?? null
  }

  override async findPayment({ purchaseId }: { purchaseId: string }): Promise<Payment | null> {
    return this.payments.get(purchaseId) ?? null
  }

  override async cancelPayment(paymentId: string): Promise<boolean> {
    this.canceled.push(paymentId)
    return true
  }

  async createCheckout(request: CheckoutRequest): Promise<Checkout> {
    const checkout = openedCheckout(`cs_${request.purchaseId}`, request)
    this.checkouts.set(checkout.sessionId, checkout)
    return checkout
  }

  async getCheckout(sessionId: string): Promise<Checkout | null> {
    return this.checkouts.get(sessionId) ?? null
  }

  findCheckoutByPayment = (): Promise<null> => Promise.resolve(null)
  getReversals = (): Promise<PaymentReversals | null> => Promise.resolve(null)
}

export const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

export interface TopupUser {
  credits: CreditService
  userId: string
  till: CardTill
  packageId: number
  /** 100 calling credits for 999, at 10 or below. */
  configure: (settings?: Partial<ConfigureAutoTopupInput<DefaultCreditType>>) => Promise<AutoTopupView>
  view: () => Promise<AutoTopupView>
  use: (amount: number) => Promise<unknown>
  balance: () => Promise<number>
  tell: (event: PaymentEvent) => Promise<void>
  /** Waits until what was told after a commit has been acted on. */
  settled: () => Promise<void>
}

/** Somebody with 50 credits and a saved card. */
export async function topupUser(
  { service, userId, store, clock }: Pick<Stage, 'service' | 'userId' | 'store' | 'clock'>,
  options: CreditServiceOptions = {},
): Promise<TopupUser> {
  const till = new CardTill(userId)
  const work: Promise<unknown>[] = []
  const credits = service({
    logger: quiet,
    payments: till,
    waitUntil: (promise) => void work.push(promise),
    ...options,
  })
  const { marketplace } = credits
  const pack = await marketplace.createPackage({ name: 'Pack', creditAmount: 100, price: 999, creditType: 'calling' })
  await credits.addCredits({ userId, amount: 50, creditType: 'calling', description: 'Welcome' })
  const now = clock.now()
  await store.saveCustomer(
    { userId, provider: till.name, livemode: false, customerId: `cus_${userId}`, createdAt: now, updatedAt: now },
    null,
  )
  const settled = async (): Promise<void> => {
    for (let done = 0; done < work.length; done += 1) await work[done]
  }
  return {
    credits,
    userId,
    till,
    packageId: pack.id,
    configure: (settings = {}) =>
      marketplace.configureAutoTopup({ userId, creditType: 'calling', threshold: 10, packageId: pack.id, ...settings }),
    view: async () => {
      const view = await marketplace.getAutoTopup({ userId, creditType: 'calling' })
      if (view === null) throw new Error('topupUser: nothing is configured')
      return view
    },
    use: async (amount) => {
      await credits.deductCredits({ userId, amount, creditType: 'calling', description: 'Call' })
      await settled()
    },
    balance: () => credits.getBalance(userId, 'calling'),
    tell: async (event) => {
      const told = { eventId: `evt_${randomUUID()}`, type: event.kind, livemode: false, created: 0 }
      await marketplace.processEvent({ ...told, translate: async () => event })
    },
    settled,
  }
}
