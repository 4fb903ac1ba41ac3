import { randomUUID } from 'node:crypto'
import { CreditService, isCreditError } from '../../src/index.js'
import type { Checkout, CheckoutRequest } from '../../src/ports/payments.js'
import type { CreditStore } from '../../src/ports/store.js'
import { type StoppedClock, stoppedClock } from '../conformance/credit-store/bench.js'
import { PaperTill } from '../ledger/paper-till.js'
import { seededRandom } from '../support/seeded-random.js'

/** A till of any number of checkouts, each paid and refunded by its number. */
class Shop extends PaperTill {
  readonly checkouts: Checkout[] = []
  readonly #prefix = randomUUID()

  override async createCheckout(request: CheckoutRequest): Promise<Checkout> {
    const checkout = await super.createCheckout(request)
    const sessionId = `cs_${this.#prefix}_${this.checkouts.length}`
    this.checkouts.push({ ...checkout, sessionId })
    return { ...checkout, sessionId }
  }

  override async getCheckout(sessionId: string): Promise<Checkout | null> {
    const found = this.checkouts.find((checkout) => checkout.sessionId === sessionId)
    return found === undefined ? null : { ...found, state: 'paid', url: null, paymentId: `pi_${sessionId}` }
  }

  /** What the provider tells of a paid checkout after `amountMinor` of it went back. */
  reversal({ sessionId, purchaseId, totalMinor, currency }: Checkout, amountMinor: number) {
    const refund = {
      refundId: `re_${sessionId}`,
      amountMinor,
      currency,
      status: 'succeeded' as const,
      keepCredits: false,
    }
    const paymentId = `pi_${sessionId}`
    const payment = { paymentId, chargeId: null, purchaseId, invoiceId: null, capturedMinor: totalMinor, currency }
    const event = { eventId: `evt_${sessionId}`, type: 'refund', livemode: false, created: 0 }
    const told = {
      kind: 'payment_reversed' as const,
      reversals: { ...payment, refunds: [refund], disputes: [], livemode: false },
    }
    return { ...event, translate: async () => told }
  }
}

const TYPES = ['calling', 'enrichment'] as const

/** Two credit types, four users, three packages, everything that can happen to credits, about 10 minutes between steps. */
export class Scenario {
  readonly clock: StoppedClock
  readonly credits: CreditService
  readonly outcomes: string[] = []
  readonly users = ['ann', 'bob', 'cid', 'dee'].map((name) => `${name}-${randomUUID()}`)
  readonly #shop = new Shop()
  readonly #random: () => number
  readonly #uses: string[] = []
  readonly #holds: string[] = []
  readonly #paid: string[] = []
  #packages: number[] = []

  constructor(store: CreditStore, seed: number, start: string) {
    this.clock = stoppedClock(start)
    this.credits = new CreditService({ store, clock: this.clock, payments: this.#shop, cache: null })
    const random = seededRandom(seed)
    this.#random = () => random.next()
  }

  async play(steps: number, afterEach: () => Promise<unknown> = async () => null): Promise<void> {
    const { marketplace } = this.credits
    for (const [creditType, price, currency] of [
      ['calling', 999, 'usd'],
      ['calling', 2500, 'eur'],
      ['enrichment', 777, 'usd'],
    ] as const) {
      const pack = await marketplace.createPackage({ name: 'Pack', creditAmount: 70, price, currency, creditType })
      this.#packages.push(pack.id)
    }
    for (let step = 0; step < steps; step += 1) {
      this.clock.advance(this.#number(1_200_000))
      this.outcomes.push(await this.#tryStep())
      await afterEach()
    }
    await this.credits.runDue()
  }

  async #tryStep(): Promise<string> {
    const step = this.#pick(this.#steps())
    try {
      await step()
      return 'done'
    } catch (error) {
      if (isCreditError(error)) return error.code
      throw error
    }
  }

  #steps(): (() => Promise<unknown>)[] {
    const { credits, clock } = this
    const account = { userId: this.#pick(this.users), creditType: this.#pick(TYPES) }
    const amount = this.#number(40)
    const entry = { ...account, amount, description: 'Step' }
    const soon = new Date(clock.now().getTime() + this.#number(7_200_000))
    const deduct = async () => this.#uses.push((await credits.deductCredits(entry)).id)
    const buy = () => this.#buy(account.userId)
    return [
      deduct,
      deduct,
      deduct,
      buy,
      buy,
      () => credits.addCredits({ ...entry, source: 'promotional', expiresAt: soon }),
      () => credits.addCredits({ ...entry, transactionType: 'purchase', paidAmount: 500, currency: 'usd' }),
      () => credits.addCredits({ ...entry, transactionType: 'refund' }),
      () => credits.adjustCredits({ ...entry, amount: -amount }),
      () => credits.refundCredits({ transactionId: this.#pick(this.#uses), amount: this.#number(20) }),
      () => credits.refundCredits({ transactionId: this.#pick(this.#uses) }),
      async () => this.#holds.push((await credits.holdCredits({ ...entry, expiresInSeconds: 3600 })).id),
      async () => this.#uses.push((await credits.captureHold(this.#capture())).id),
      () => credits.releaseHold({ holdId: this.#pick(this.#holds) }),
      () => credits.transferCredits({ ...entry, fromUserId: account.userId, toUserId: this.#pick(this.users) }),
      () => this.#void(account.userId),
      () => this.#refundPayment(),
      () => credits.runDue(),
    ]
  }

  async #buy(userId: string): Promise<void> {
    const { marketplace } = this.credits
    const packageId = this.#pick(this.#packages)
    await marketplace.createCheckout({ userId, packageId, quantity: this.#number(2) })
    const sessionId = this.#shop.checkouts.at(-1)?.sessionId ?? ''
    await marketplace.fulfillCheckoutSession({ sessionId })
    this.#paid.push(sessionId)
    await marketplace.updatePackage({ id: packageId, name: `Pack ${this.#paid.length}` })
  }

  async #refundPayment(): Promise<void> {
    const sessionId = this.#pick(this.#paid)
    const checkout = this.#shop.checkouts.find((each) => each.sessionId === sessionId)
    if (checkout === undefined) return
    const amountMinor = this.#pick([checkout.totalMinor, Math.floor(checkout.totalMinor / 3)])
    await this.credits.marketplace.processEvent(this.#shop.reversal(checkout, amountMinor))
  }

  async #void(userId: string): Promise<void> {
    const [grant] = await this.credits.getGrants(userId)
    if (grant !== undefined) await this.credits.voidGrant({ grantId: grant.id, reason: 'Step' })
  }

  #capture() {
    const part = { amount: this.#number(30), allowOver: true, final: this.#number(2) === 1 }
    return { holdId: this.#pick(this.#holds), ...part }
  }

  /** From 1 to `max`. */
  #number(max: number): number {
    return 1 + Math.floor(this.#random() * max)
  }

  #pick<V>(values: readonly V[]): V {
    const value = values[Math.floor(this.#random() * values.length)]
    // Nothing to choose from yet: the call is refused like one with an unknown id.
    return value ?? (randomUUID() as V)
  }
}
