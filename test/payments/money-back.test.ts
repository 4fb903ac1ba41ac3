import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

describe('money that goes back', () => {
  let shop: Shop

  beforeAll(async () => {
    shop = await openShop()
  })
  afterAll(() => shop.close())

  it('takes all credits of a full refund, and names the charge', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const refund = await shop.stripe.refund({ sessionId })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    const [clawback] = await shop.credits.getTransactionHistory(userId)
    expect(clawback?.metadata).toMatchObject({
      stripeChargeId: refund.charge,
      reversals: [{ id: refund.id, amountMinor: 999 }],
    })
    expect(await shop.credits.marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({
      success: false,
      status: 'refunded',
    })
  })

  it('rounds partial refunds so that they add up exactly (D3: cumulative partials)', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    for (const amount of [333, 333, 333]) await shop.stripe.refund({ sessionId, amount })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -33', 'clawback -33', 'clawback -34'])
  })

  it('ends alike whatever the order and however often the events are delivered', async () => {
    for (const order of ['as-created', 'reversed'] as const) {
      const userId = shop.newBuyer()
      shop.stripe.delivery = 'hold'
      const sessionId = await shop.buy(userId)
      await shop.stripe.refund({ sessionId, amount: 333 })
      await shop.stripe.refund({ sessionId, amount: 100 })
      await shop.stripe.deliver({ order, copies: 3 })
      shop.stripe.delivery = 'auto'
      expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(100 - 43)
    }
  })

  it('settles a refund that is heard of before the payment', async () => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'hold'
    const sessionId = await shop.buy(userId)
    await shop.stripe.refund({ sessionId })
    await shop.stripe.deliver({ types: ['charge.refunded', 'refund.created', 'refund.updated'] })
    expect(await shop.ledger(userId)).toEqual([])
    await shop.stripe.deliver()
    shop.stripe.delivery = 'auto'
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(0)
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
  })

  it('makes debt of credits that were spent; the next purchase repays it first (D1: refund after spend)', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.credits.deductCredits(userId, 90, 'enrichment', 'work')
    await shop.stripe.refund({ sessionId })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(-90)
    const spend = shop.credits.deductCredits(userId, 1, 'enrichment', 'more work')
    await expect(spend).rejects.toThrow('Insufficient credits. Required: 1, Available: -90')
    await shop.buy(userId)
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(10)
    expect(shop.stripe.deliveries.every(({ status }) => status === 200)).toBe(true)
  })

  it('gives back what a pending refund took when it fails', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const refund = await shop.stripe.refund({ sessionId, status: 'pending' })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(0)
    await shop.stripe.updateRefund(refund.id, 'failed')
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100', 'reinstatement 100'])
  })

  it('gives back after a refund that succeeded and then failed, also out of debt', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.credits.deductCredits(userId, 60, 'enrichment', 'work')
    const refund = await shop.stripe.refund({ sessionId })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(-60)
    await shop.stripe.updateRefund(refund.id, 'failed')
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(40)
  })

  it('counts only the partial refund that did not fail', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.stripe.refund({ sessionId, amount: 333 })
    await shop.stripe.refund({ sessionId, amount: 333, status: 'failed' })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(67)
  })

  it('takes in proportion to what was paid, not to the list price', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'paid', { discount: 200 })
    await shop.stripe.refund({ sessionId, amount: 400 })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(50)
    await shop.stripe.refund({ sessionId, amount: 399 })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(0)
  })

  it('takes the refunded purchase and leaves promotional credits alone', async () => {
    const userId = shop.newBuyer()
    await shop.credits.addCredits({
      userId,
      amount: 100,
      creditType: 'enrichment',
      description: 'gift',
      source: 'promotional',
    })
    const sessionId = await shop.buy(userId)
    await shop.stripe.refund({ sessionId })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(100)
  })

  it('asks for the event again when Stripe can not be asked about it, and settles it then', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    shop.stripe.delivery = 'hold'
    await shop.stripe.refund({ sessionId, amount: 333 })
    shop.stripe.failNext({ path: '/v1/refunds', method: 'GET', status: 500, times: 10 })
    const types = ['charge.refunded']
    const [failed] = await shop.stripe.deliver({ types })
    expect(failed?.status).toBe(503)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    shop.stripe.clearFailures()
    await shop.stripe.deliver()
    shop.stripe.delivery = 'auto'
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(67)
  })
})

describe('money that goes back, with policy clamp', () => {
  let shop: Shop

  beforeAll(async () => {
    shop = await openShop({ clawbackPolicy: 'clamp' })
  })
  afterAll(() => shop.close())

  it('forgoes what was spent, and takes it when the use is refunded', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const use = await shop.credits.deductCredits(userId, 90, 'enrichment', 'work')
    await shop.stripe.refund({ sessionId })
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(0)
    await shop.credits.refundCredits(use.id)
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(0)
    expect(await shop.ledger(userId)).toEqual([
      'purchase 100',
      'usage -90',
      'clawback -10',
      'refund 90',
      'clawback -90',
    ])
  })
})
