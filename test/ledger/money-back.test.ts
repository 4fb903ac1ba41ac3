import { describe, expect, it } from 'vitest'
import { later } from '../conformance/credit-store/bench.js'
import { BUYER, openCheckout, type Sale } from './buyer.js'

/** Paid, delivered, and what is in the account already. */
async function buy(sale: Sale) {
  const buyer = await openCheckout(sale)
  buyer.till.pay()
  await buyer.deliver('checkout')
  return buyer
}

describe('a payment that is refunded', () => {
  it('takes the credits back to the cent, whatever the parts', async () => {
    const { till, deliver, balance, purchase } = await buy({ credits: 100, price: 999 })
    const seen = []
    for (const amount of [333, 333, 333]) {
      till.refund(amount)
      await deliver('payment_reversed')
      await deliver('payment_reversed')
      seen.push(await balance())
    }
    expect(seen).toEqual([67, 34, 0])
    expect(await purchase()).toMatchObject({ status: 'refunded', clawed: 100, absorbed: 0 })
  })

  it('after the credits were spent makes debt, which blocks spending and is repaid first', async () => {
    const { credits, till, deliver, balance } = await buy({ credits: 1000, price: 999 })
    await credits.deductCredits(BUYER, 900, 'calling', 'Spent')
    till.refund(999)
    await deliver('payment_reversed')
    expect(await balance()).toBe(-900)
    expect((await credits.getAllBalances(BUYER)).calling).toMatchObject({ debt: 900, owned: 0, totalPurchased: 1000 })
    await expect(credits.deductCredits(BUYER, 1, 'calling', 'More')).rejects.toThrow('Available: -900')
    const next = await credits.addCredits(BUYER, 1000, 'calling', 'Next', 'purchase')
    expect(next.allocations).toEqual([
      { grantId: next.id, amount: 100 },
      { grantId: next.id, debt: 900 },
    ])
    expect(await balance()).toBe(100)
    expect((await credits.verify()).violations).toEqual([])
  })

  it('after the credits were spent takes nothing where debt is not wanted, and remembers it', async () => {
    const { credits, till, deliver, balance, history } = await buy({ credits: 1000, price: 999, policy: 'clamp' })
    const used = await credits.deductCredits(BUYER, 900, 'calling', 'Spent')
    till.refund(999)
    await deliver('payment_reversed')
    expect(await balance()).toBe(0)
    expect((await history())?.grants.map(({ shortfall }) => shortfall)).toEqual([900])
    await credits.refundCredits({ transactionId: used.id, amount: 100 })
    expect(await balance()).toBe(0)
    await credits.addCredits(BUYER, 50, 'calling', 'Next')
    expect(await balance()).toBe(50)
    expect((await credits.verify()).violations).toEqual([])
  })

  it('takes its own credits and leaves free ones alone (D2: no wrong bucket)', async () => {
    const { credits, clock, till, deliver, balance } = await buy({ credits: 100, price: 999 })
    const expiresAt = later(clock, 1000)
    await credits.addCredits({ userId: BUYER, amount: 100, creditType: 'calling', description: 'Free', expiresAt })
    till.refund(999)
    await deliver('payment_reversed')
    expect(await balance()).toBe(100)
  })

  it('takes other paid credits before it makes debt, and never promotional ones', async () => {
    const { credits, till, deliver, history } = await buy({ credits: 100, price: 999 })
    await credits.deductCredits(BUYER, 100, 'calling', 'Spent')
    const paid = await credits.addCredits(BUYER, 30, 'calling', 'Paid elsewhere', 'purchase')
    const free = await credits.addCredits(BUYER, 30, 'calling', 'Free')
    till.refund(999)
    await deliver('payment_reversed')
    const left = new Map((await history())?.grants.map(({ id, remaining }) => [id, remaining]))
    expect([left.get(paid.id), left.get(free.id)]).toEqual([0, 30])
    expect((await credits.getAllBalances(BUYER)).calling).toMatchObject({ balance: -70, owned: 30, debt: 70 })
  })

  it('that fails in the end gives everything back, once', async () => {
    for (const policy of ['debt', 'clamp'] as const) {
      const { credits, till, deliver, balance, purchase } = await buy({ credits: 100, price: 999, policy })
      await credits.deductCredits(BUYER, 60, 'calling', 'Spent')
      till.refund(999, 'pending')
      await deliver('payment_reversed')
      expect(await balance()).toBe(policy === 'debt' ? -60 : 0)
      till.settle(0, 'failed')
      await deliver('payment_reversed')
      await deliver('payment_reversed')
      expect(await balance()).toBe(40)
      expect(await purchase()).toMatchObject({ status: 'fulfilled', clawed: 0, absorbed: 0 })
      expect((await credits.verify()).violations).toEqual([])
    }
  })

  it('before we heard of the payment leaves what the buyer may keep', async () => {
    const { till, deliver, balance, purchase } = await openCheckout({ credits: 100, price: 999 })
    till.pay()
    till.refund(333)
    await deliver('payment_reversed')
    expect(await purchase()).toMatchObject({ status: 'pending', clawed: 0 })
    await deliver('payment_succeeded')
    await deliver('checkout')
    expect(await balance()).toBe(67)
    expect(await purchase()).toMatchObject({ status: 'fulfilled', clawed: 33 })
  })
})
