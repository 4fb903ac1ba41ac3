import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCreditError } from '../../src/index.js'
import { clawbackTarget, type PaymentFact } from '../../src/ledger/purchase.js'
import type { VerifiedEvent } from '../../src/ports/payments.js'
import { later } from '../conformance/credit-store/bench.js'
import { BUYER, openCheckout } from './buyer.js'
import { SETTINGS, timeFor } from './random-histories.js'

const timeout = timeFor(SETTINGS.numRuns * 3, 100)

type Buyer = Awaited<ReturnType<typeof openCheckout>>

/** What happens at the provider, what we hear of it and how often, and what the buyer does meanwhile. */
type Step =
  | { kind: 'pay' }
  | { kind: 'refund'; amountMinor: number; status: 'pending' | 'succeeded' }
  | { kind: 'settle'; index: number; status: 'succeeded' | 'failed' }
  | { kind: 'dispute'; amountMinor: number; status: 'inquiry' | 'open' }
  | { kind: 'decide'; index: number; status: 'open' | 'won' | 'lost' | 'prevented' }
  | { kind: 'deliver'; what: 'checkout' | 'payment_succeeded' | 'payment_reversed'; times: number }
  /** A picture is taken now and heard of later, when it is old. */
  | { kind: 'take picture' }
  | { kind: 'hear of picture' }
  | { kind: 'spend'; amount: number }
  | { kind: 'refund use'; index: number; amount: number }
  | { kind: 'give'; amount: number; paid: boolean; lasts: number | null }
  | { kind: 'wait'; ms: number }

const span = fc.integer({ min: 1, max: 5 }).map((units) => units * 1000)
const amount = fc.integer({ min: 1, max: 80 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'pay' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('refund' as const),
      amountMinor: fc.oneof(fc.integer({ min: 1, max: 999 }), fc.constant(333), fc.constant(999)),
      status: fc.constantFrom('pending' as const, 'succeeded' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      index: fc.nat({ max: 3 }),
      status: fc.constantFrom('succeeded' as const, 'failed' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('dispute' as const),
      amountMinor: fc.oneof(fc.integer({ min: 1, max: 1100 }), fc.constant(999)),
      status: fc.constantFrom('inquiry' as const, 'open' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      index: fc.nat({ max: 2 }),
      status: fc.constantFrom('open' as const, 'won' as const, 'lost' as const, 'prevented' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      what: fc.constantFrom('checkout' as const, 'payment_succeeded' as const, 'payment_reversed' as const),
      times: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'take picture' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'hear of picture' }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('spend' as const), amount }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refund use' as const), index: fc.nat({ max: 3 }), amount }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('give' as const),
      amount,
      paid: fc.boolean(),
      lasts: fc.option(span),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: span }) },
)
const timelines = fc.array(step, { maxLength: 30, size: 'max' })
const policies = fc.constantFrom('debt' as const, 'clamp' as const)

describe('payment events in any order, any number of times, with spending in between', () => {
  it('always end in the same clawed total, with every sum rule kept on the way', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(timelines, policies, async (timeline, policy) => {
        const buyer = await openCheckout({ credits: 100, price: 999, policy })
        const past: Past = { uses: [], pictures: [] }
        for (const step of timeline) {
          await play(buyer, step, past)
          expect((await buyer.credits.verify()).violations).toEqual([])
          await expectAccounted(buyer)
        }
        // However it went: once everything true has been heard, this is where it must stand.
        buyer.till.pay()
        for (const what of ['payment_reversed', 'checkout', 'payment_reversed'] as const) await buyer.deliver(what)
        const target = clawbackTarget(100, 999, factsOf(buyer))
        const expected = { clawed: target, status: target === 100 ? 'refunded' : 'fulfilled', paidMinor: 999 }
        expect(await buyer.purchase()).toMatchObject(expected)
        await expectAccounted(buyer)
        expect((await buyer.credits.verify()).violations).toEqual([])
        const rows = (await buyer.history())?.transactions ?? []
        expect(rows.filter(({ referenceId }) => referenceId === 'cs_paper')).toHaveLength(1)
      }),
      { ...SETTINGS, numRuns: SETTINGS.numRuns * 3 },
    )
  })

  it('end alike in every order of delivery, when the same things are true', { timeout }, async () => {
    const order = fc.shuffledSubarray(
      ['checkout', 'payment_succeeded', 'payment_reversed', 'payment_reversed'] as const,
      {
        minLength: 4,
      },
    )
    const refunds = fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(order, refunds, policies, async (deliveries, amounts, policy) => {
        const ends = []
        for (const whats of [deliveries, ['checkout', 'payment_reversed'] as const]) {
          const buyer = await openCheckout({ credits: 100, price: 999, policy })
          buyer.till.pay()
          for (const each of amounts) buyer.till.refund(each)
          for (const what of whats) await buyer.deliver(what)
          const { clawed, absorbed, status, paidMinor, paymentId } = await buyer.purchase()
          ends.push({ clawed, absorbed, status, paidMinor, paymentId, balance: await buyer.balance() })
        }
        expect(ends[0]).toEqual(ends[1])
      }),
      SETTINGS,
    )
  })
})

/** What the buyer has used, and pictures of the payment that nobody has heard of yet. */
interface Past {
  uses: string[]
  pictures: VerifiedEvent[]
}

/** What is true of the money that went back, as facts. */
function factsOf({ till }: Buyer): PaymentFact[] {
  const common = { userId: BUYER, purchaseId: 'p', paymentId: 'pi_paper', currency: 'usd', updatedAt: new Date(0) }
  return [
    ...till.refunds.map(({ refundId: id, amountMinor, status }) => {
      return { ...common, kind: 'refund' as const, id, amountMinor, status }
    }),
    ...till.disputes.map(({ disputeId: id, amountMinor, status }) => {
      return { ...common, kind: 'dispute' as const, id, amountMinor, status }
    }),
  ]
}

async function play(buyer: Buyer, step: Step, { uses, pictures }: Past): Promise<void> {
  const { credits, till, clock } = buyer
  const base = { userId: BUYER, creditType: 'calling', description: step.kind } as const
  switch (step.kind) {
    case 'pay': {
      till.pay()
      return
    }
    case 'refund': {
      till.refund(step.amountMinor, step.status)
      return
    }
    case 'settle': {
      till.settle(step.index, step.status)
      return
    }
    case 'dispute': {
      till.dispute(step.amountMinor, step.status)
      return
    }
    case 'decide': {
      till.decide(step.index, step.status)
      return
    }
    case 'take picture': {
      pictures.push(till.event('payment_reversed'))
      return
    }
    case 'hear of picture': {
      const picture = pictures.shift()
      if (picture !== undefined) await credits.marketplace.processEvent(picture)
      return
    }
    case 'deliver':
      for (let count = 0; count < step.times; count++) await buyer.deliver(step.what)
      return
    case 'spend':
      return refusable(async () => uses.push((await credits.deductCredits({ ...base, amount: step.amount })).id))
    case 'refund use': {
      const transactionId = uses[step.index]
      if (transactionId === undefined) return
      return refusable(async () => credits.refundCredits({ transactionId, amount: step.amount }))
    }
    case 'give': {
      const expiresAt = step.lasts === null ? null : later(clock, step.lasts)
      const transactionType = step.paid ? 'purchase' : 'adjustment'
      await credits.addCredits({ ...base, amount: step.amount, transactionType, expiresAt })
      return
    }
    case 'wait':
      clock.advance(step.ms)
  }
}

/** Already clawed = taken from grants or made debt + clamped + absorbed. */
async function expectAccounted({ purchase, history }: Buyer): Promise<void> {
  const [{ id, clawed, absorbed }, account] = [await purchase(), await history()]
  const corrections = (account?.transactions ?? []).filter(({ relatedId }) => relatedId === id)
  const taken = corrections.reduce((sum, row) => sum - row.amount, 0)
  const clamped = account?.grants.find((grant) => grant.id === id)?.shortfall ?? 0
  expect(taken + clamped + absorbed).toBe(clawed)
}

/** The buyer may be refused; anything else is a fault. */
async function refusable(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isCreditError(error)) throw error
  }
}
