import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { type CreditService, isCreditError } from '../../src/index.js'
import type { AccountHistory } from '../../src/ledger/audit.js'
import { periodStart } from '../../src/ledger/period.js'
import { clawbackTarget, type Purchase } from '../../src/ledger/purchase.js'
import { creditsToCome, nextPeriodAt } from '../../src/ledger/schedule.js'
import type { Invoice, PaymentRefund } from '../../src/ports/payments.js'
import { openStage } from '../behaviour/stage.js'
import { type LineTerms, PAID_PLANS, subscriber } from '../behaviour/subscribing.js'
import { DAY, stoppedClock } from '../conformance/credit-store/bench.js'
import { SETTINGS, timeFor } from './random-histories.js'

const timeout = timeFor(SETTINGS.numRuns * 2, 100)

const PRICES = ['price_basic', 'price_pro', 'price_saving', 'price_pro_year', 'price_scraping_year'] as const
type Price = (typeof PRICES)[number]

const intervalOf = (price: Price) => (price.endsWith('_year') ? 'year' : 'month')

/** What the subscriber, the merchant and time do, and what we hear of it. */
type Step =
  | { kind: 'renew'; price: Price; quantity: number; trial: boolean }
  | { kind: 'change'; price: Price; quantity: number }
  | { kind: 'hear again'; index: number }
  | { kind: 'refund'; index: number; amountMinor: number }
  | { kind: 'fail refund'; index: number }
  | { kind: 'cancel' }
  | { kind: 'spend'; amount: number }
  | { kind: 'buy'; amount: number }
  | { kind: 'wait'; days: number }
  | { kind: 'sweep' }

const index = fc.nat({ max: 4 })
const quantity = fc.integer({ min: 1, max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('renew' as const),
      price: fc.constantFrom(...PRICES),
      quantity,
      trial: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('change' as const), price: fc.constantFrom(...PRICES), quantity }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hear again' as const), index }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('refund' as const),
      index,
      amountMinor: fc.constantFrom(1, 333, 500, 1000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fail refund' as const), index }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'cancel' }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('spend' as const), amount: fc.integer({ min: 1, max: 300 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('buy' as const), amount: fc.integer({ min: 1, max: 200 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), days: fc.integer({ min: 1, max: 45 }) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'sweep' }) },
)

describe('a subscription in any order of what can happen to it', () => {
  it('keeps every sum rule, and takes back exactly what its refunds say', { timeout }, async () => {
    const policies = fc.constantFrom('debt' as const, 'clamp' as const)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), policies, async (steps, clawbackPolicy) => {
        const player = new Player(clawbackPolicy)
        for (const each of steps) {
          await player.play(each)
          expect((await player.credits.verify()).violations).toEqual([])
          await player.expectAccounted()
        }
        await player.hearAll()
        await player.expectClawed()
        await player.expectNothingToComeOnceAllIsRefunded()
      }),
      { ...SETTINGS, numRuns: SETTINGS.numRuns * 2 },
    )
  })
})

class Player {
  readonly clock = stoppedClock('2026-01-31T10:00:00.000Z')
  readonly #store = memoryStore()
  readonly #world
  readonly #invoices: Invoice[] = []
  readonly #refunds: PaymentRefund[] = []
  #periodEnd: Date
  #now: { price: Price; quantity: number } = { price: 'price_basic', quantity: 1 }

  constructor(clawbackPolicy: 'debt' | 'clamp') {
    const { service } = openStage(this.#store, this.clock)
    this.#world = subscriber({ service, userId: 'ann' }, { plans: PAID_PLANS, clawbackPolicy })
    this.#periodEnd = this.clock.now()
  }

  get credits(): CreditService {
    return this.#world.credits
  }

  async play(step: Step): Promise<void> {
    const { credits, clock } = this
    const entry = { userId: 'ann', creditType: 'calling', description: step.kind } as const
    switch (step.kind) {
      case 'renew': {
        // Periods follow one another; one that was not paid for in time begins when it is.
        const from = this.#periodEnd.getTime() < clock.now().getTime() - 20 * DAY ? clock.now() : this.#periodEnd
        if (from > clock.now()) return
        const until = periodStart(from, intervalOf(step.price), 1)
        return this.#bill(step, until, [{ price: step.price, quantity: step.quantity, trial: step.trial, from, until }])
      }
      case 'change': {
        const from = clock.now()
        if (from >= this.#periodEnd) return
        const rest = { proration: true, from, until: this.#periodEnd }
        const back = { ...rest, ...this.#now, amountMinor: -10 }
        const { price, quantity } = step
        if (intervalOf(price) === intervalOf(this.#now.price)) {
          return this.#bill(step, this.#periodEnd, [back, { ...rest, price, quantity, amountMinor: 20 }])
        }
        const until = periodStart(from, intervalOf(price), 1)
        return this.#bill(step, until, [back, { price, quantity, from, until }])
      }
      case 'hear again': {
        const invoice = this.#invoices[step.index]
        if (invoice === undefined) return
        await credits.runDue()
        const before = await this.#histories()
        await this.#world.hear(invoice)
        expect((await this.#histories()).map(written)).toEqual(before.map(written))
        return
      }
      case 'refund': {
        const invoice = this.#invoices[step.index]
        if (invoice !== undefined) this.#refunds.push(await this.#world.refund(invoice, step.amountMinor))
        return
      }
      case 'fail refund': {
        const refund = this.#refunds[step.index]
        if (refund === undefined) return
        refund.status = 'failed'
        await this.hearAll()
        return
      }
      case 'cancel':
        this.#world.change({ ...this.#now, status: 'canceled', endedAt: clock.now() })
        return this.#world.tell()
      case 'spend':
        return refusable(() => credits.deductCredits({ ...entry, amount: step.amount }))
      case 'buy':
        return refusable(() => credits.addCredits({ ...entry, amount: step.amount, transactionType: 'purchase' }))
      case 'wait':
        clock.advance(step.days * DAY)
        return
      case 'sweep':
        await credits.runDue()
    }
  }

  async #bill({ price, quantity }: { price: Price; quantity: number }, periodEnd: Date, lines: LineTerms[]) {
    this.#now = { price, quantity }
    this.#periodEnd = periodEnd
    this.#world.change(this.#now)
    this.#invoices.push(await this.#world.pay(lines))
  }

  async hearAll(): Promise<void> {
    for (const invoice of this.#invoices) await this.#world.hear(invoice)
  }

  /**
   * Already clawed = withheld + taken from grants or made debt + clamped + absorbed. And what a purchase brought, has still
   * to bring and never will is no more than it sold.
   */
  async expectAccounted(): Promise<void> {
    const histories = await this.#histories()
    const schedules = await this.#store.listSchedules('ann')
    for (const { id, creditType, credits, clawed, withheld, absorbed } of await this.#purchases()) {
      const history = histories.find(({ account }) => account.creditType === creditType)
      const corrections = (history?.transactions ?? []).filter(({ relatedId }) => relatedId === id)
      const taken = corrections.reduce((sum, { amount }) => sum - amount, 0)
      const own = (history?.grants ?? []).filter(({ purchaseId }) => purchaseId === id)
      const clamped = own.reduce((sum, { shortfall }) => sum + shortfall, 0)
      expect(taken + clamped + absorbed + withheld).toBe(clawed)
      const brought = own.filter(({ scheduleId }) => scheduleId !== null).reduce((sum, { amount }) => sum + amount, 0)
      const toCome = schedules.filter((each) => nextPeriodAt(each) !== null).map((each) => creditsToCome(each, id))
      expect(toCome.reduce((sum, more) => sum + more, brought + withheld)).toBeLessThanOrEqual(credits)
    }
  }

  async expectNothingToComeOnceAllIsRefunded(): Promise<void> {
    for (const invoice of this.#invoices) await this.#world.refund(invoice)
    const before = await this.#grantsOfPlans()
    this.clock.advance(800 * DAY)
    await this.credits.runDue()
    expect(await this.#grantsOfPlans()).toEqual(before)
  }

  async #grantsOfPlans(): Promise<string[]> {
    const grants = (await this.#histories()).flatMap((history) => history.grants)
    return grants.filter(({ scheduleId }) => scheduleId !== null).map(({ id }) => id)
  }

  async expectClawed(): Promise<void> {
    for (const purchase of await this.#purchases()) {
      const refunds = this.#world.till.refunds.get(purchase.paymentId ?? '') ?? []
      const facts = refunds.map(({ refundId: id, amountMinor, currency, status }) => {
        const of = { userId: 'ann', purchaseId: purchase.id, paymentId: '', kind: 'refund' as const }
        return { ...of, id, amountMinor, currency, status, updatedAt: this.clock.now() }
      })
      expect(purchase.clawed).toBe(clawbackTarget(purchase.credits, purchase.paidMinor ?? 0, facts))
    }
  }

  async #purchases(): Promise<Purchase[]> {
    const lists = await Promise.all(this.#invoices.map(({ invoiceId }) => this.#store.listInvoicePurchases(invoiceId)))
    return lists.flat()
  }

  async #histories(): Promise<AccountHistory[]> {
    const found: AccountHistory[] = []
    for (const creditType of ['calling', 'scraping']) {
      await this.#store.scanAccounts({ userId: 'ann', creditType }, (history) => found.push(history))
    }
    return found
  }
}

function written({ transactions }: AccountHistory): string[] {
  return transactions.map(({ id }) => id)
}

async function refusable(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isCreditError(error)) throw error
  }
}
