import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CreditEvent, EventCallbacks, EventKind } from '../../src/index.js'
import { openShop, type Shop } from '../payments/shop.js'

/* Events of payments, through the local Stripe and its webhook, on real Postgres. */

const KINDS: readonly EventKind[] = [
  'added',
  'purchaseFulfilled',
  'paymentFailed',
  'clawedBack',
  'depleted',
  'balanceLow',
]

describe('events of payments', () => {
  let shop: Shop
  const told: CreditEvent[] = []
  const work: Promise<unknown>[] = []
  const on: EventCallbacks = Object.fromEntries(
    KINDS.map((kind) => [kind, (event: CreditEvent) => void told.push(event)]),
  )

  beforeAll(async () => {
    shop = await openShop({ on, lowBalance: [50], waitUntil: (delivery) => void work.push(delivery) })
  })
  afterAll(() => shop.close())

  async function toldOf(userId: string): Promise<CreditEvent[]> {
    for (let next = work.shift(); next !== undefined; next = work.shift()) await next
    return told.filter((event) => event.userId === userId)
  }

  it('purchaseFulfilled is told with what was paid, after the credits came in, once for all deliveries', async () => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'hold'
    const sessionId = await shop.buy(userId)
    await shop.stripe.deliver({ copies: 3, concurrently: true })
    shop.stripe.delivery = 'auto'
    await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    const [transaction] = await shop.credits.getTransactionHistory(userId)
    const payload = { transactionId: transaction?.id, amount: 100, balance: 100 }
    expect(await toldOf(userId)).toMatchObject([
      { kind: 'added', ...payload },
      { kind: 'purchaseFulfilled', ...payload, purchaseId: transaction?.id, paidMinor: 999, currency: 'usd' },
    ])
  })

  it('purchaseFulfilled is not told of credits that were given', async () => {
    const userId = shop.newBuyer()
    const gift = { userId, amount: 5, creditType: 'enrichment', description: 'By hand' } as const
    await shop.credits.addCredits({ ...gift, transactionType: 'purchase', paidAmount: 100, currency: 'usd' })
    expect((await toldOf(userId)).map(({ kind }) => kind)).toEqual(['added'])
  })

  it('paymentFailed is told of each attempt, once for all its deliveries, and grants nothing', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    shop.stripe.delivery = 'hold'
    await shop.stripe.complete(sessionId, 'declined')
    await shop.stripe.deliver({ copies: 3 })
    const failed = await toldOf(userId)
    expect(failed).toMatchObject([{ kind: 'paymentFailed', creditType: 'enrichment', failureCode: 'card_declined' }])
    await shop.stripe.complete(sessionId, 'declined')
    await shop.stripe.deliver({ copies: 3, concurrently: true })
    shop.stripe.delivery = 'auto'
    expect((await toldOf(userId)).map(({ kind }) => kind)).toEqual(['paymentFailed', 'paymentFailed'])
    expect(await shop.ledger(userId)).toEqual([])
    await shop.stripe.complete(sessionId)
    const purchase = (await toldOf(userId)).find(({ kind }) => kind === 'purchaseFulfilled')
    const [first] = failed
    if (first?.kind !== 'paymentFailed' || purchase?.kind !== 'purchaseFulfilled') throw new Error('not told')
    expect(first.purchaseId).toBe(purchase.purchaseId)
  })

  it('clawedBack is told with the debt it made, and the balance falls by it', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.credits.deductCredits(userId, 30, 'enrichment', 'Work')
    await toldOf(userId)
    const before = told.length
    const refund = await shop.stripe.refund({ sessionId })
    await shop.stripe.deliver({ copies: 2 })
    const [clawback] = await shop.credits.getTransactionHistory(userId)
    await toldOf(userId)
    expect(refund.amount).toBe(999)
    expect(told.slice(before)).toMatchObject([
      { kind: 'clawedBack', userId, transactionId: clawback?.id, amount: 100, debt: 30, balance: -30 },
      { kind: 'balanceLow', threshold: 50, balance: -30 },
      { kind: 'depleted', balance: -30 },
    ])
  })

  it('added is told of credits that are given back when a refund fails, but not of owed ones that are forgiven', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.credits.deductCredits(userId, 30, 'enrichment', 'Work')
    const refund = await shop.stripe.refund({ sessionId, status: 'pending' })
    await shop.stripe.updateRefund(refund.id, 'failed')
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(70)
    const added = (await toldOf(userId)).filter(({ kind }) => kind === 'added')
    expect(added).toHaveLength(2)
    expect(added[1]).toMatchObject({ balance: 70 })
  })
})
