import type Stripe from 'stripe'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

/* reference/stripe.md, 3.E. A purchase is 100 credits for 999. */

let shop: Shop

beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

const balance = (userId: string): Promise<number> => shop.credits.getBalance(userId, 'enrichment')

/** Keep events back while `work` happens; they wait for `deliver`. */
async function holding<T>(work: () => Promise<T>): Promise<T> {
  shop.stripe.delivery = 'hold'
  try {
    return await work()
  } finally {
    shop.stripe.delivery = 'auto'
  }
}

function expectAnswered(): void {
  expect(shop.stripe.deliveries.filter(({ status }) => status !== 200)).toEqual([])
}

describe('refunds', () => {
  it('73 of 1000 for 7 credits in four parts take whole credits that add up exactly', async () => {
    const pack = await shop.credits.marketplace.createPackage({
      name: 'Seven',
      creditAmount: 7,
      price: 1000,
      creditType: 'enrichment',
    })
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId, { packageId: pack.id })
    for (const amount of [333, 333, 333, 1]) await shop.stripe.refund({ sessionId, amount })
    expect(await shop.ledger(userId)).toEqual([
      'purchase 7',
      'clawback -2',
      'clawback -2',
      'clawback -2',
      'clawback -1',
    ])
  })

  it('74 told by running totals out of order, and again, take the credits once', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(async () => {
      for (const amount of [333, 333, 333]) await shop.stripe.refund({ sessionId, amount })
    })
    // The running totals 333, 999, 666, and 999 once more.
    const shuffled = ([first, second, third]: readonly Stripe.Event[]): Stripe.Event[] =>
      [first, third, second, third].flatMap((event) => event ?? [])
    const told = await shop.stripe.deliver({ types: ['charge.refunded'], order: shuffled })
    expect(told).toHaveLength(4)
    expect(await balance(userId)).toBe(0)
    expect((await shop.ledger(userId)).filter((row) => row.startsWith('clawback'))).toEqual(['clawback -100'])
    await shop.stripe.deliver()
    expect(await balance(userId)).toBe(0)
    expectAnswered()
  })

  it('75 each told by three kinds of events take their credits once', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(async () => {
      const refund = await shop.stripe.refund({ sessionId, amount: 333, status: 'pending' })
      await shop.stripe.updateRefund(refund.id, 'succeeded')
    })
    const told = await shop.stripe.deliver({ copies: 2, concurrently: true })
    expect(new Set(told.map(({ type }) => type))).toEqual(
      new Set(['refund.created', 'refund.updated', 'charge.refund.updated', 'charge.refunded']),
    )
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -33'])
    expectAnswered()
  })

  it('of one payment at the same time are each taken once', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(async () => {
      for (const amount of [100, 200, 300]) await shop.stripe.refund({ sessionId, amount })
    })
    await shop.stripe.deliver({ copies: 3, concurrently: true })
    expect(await balance(userId)).toBe(100 - 60)
    expectAnswered()
  })

  it('79 that succeed and fail by themselves, as those of a certain test card, give everything back', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'paid', { paymentMethod: 'pm_card_refundFail' })
    const refund = await shop.stripe.refund({ sessionId })
    expect(await balance(userId)).toBe(0)
    await shop.stripe.updateRefund(refund.id, 'failed', 'lost_or_stolen_card')
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100', 'reinstatement 100'])
  })

  it('80 that are cancelled while the buyer had to act give everything back', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const refund = await shop.stripe.refund({ sessionId, status: 'requires_action' })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    await shop.stripe.stripe.refunds.cancel(refund.id)
    await shop.stripe.idle()
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100', 'reinstatement 100'])
    const verified = await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(verified).toMatchObject({ success: true, status: 'fulfilled' })
  })

  it('83 of a taxed purchase count against what was paid, tax included', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'paid', { tax: 190 })
    await shop.stripe.refund({ sessionId, amount: 999 })
    expect(await balance(userId)).toBe(100 - 84)
    await shop.stripe.refund({ sessionId, amount: 190 })
    expect(await balance(userId)).toBe(0)
  })

  it('84 of a purchase with credits on top take all that was granted for it, and no gift', async () => {
    const pack = await shop.credits.marketplace.createPackage({
      name: '100 and 20 on top',
      creditAmount: 120,
      price: 999,
      creditType: 'enrichment',
    })
    const userId = shop.newBuyer()
    const gift = { userId, creditType: 'enrichment', description: 'Gift', source: 'promotional' } as const
    await shop.credits.addCredits({ ...gift, amount: 5 })
    const sessionId = await shop.buy(userId, { packageId: pack.id })
    await shop.stripe.refund({ sessionId, amount: 500 })
    expect(await balance(userId)).toBe(5 + 60)
    await shop.stripe.refund({ sessionId, amount: 499 })
    expect(await balance(userId)).toBe(5)
  })

  it('87 of payments of other applications are ignored', async () => {
    const { stripe } = shop.stripe
    const other = await stripe.paymentIntents.create({
      amount: 999,
      currency: 'usd',
      payment_method: 'pm_card_visa',
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { app: 'another', purchase_id: '00000000-0000-7000-8000-000000000000' },
    })
    const { rows: before } = await shop.pool.query('select 1 from creditkit.credit_payment_facts')
    await shop.stripe.refund({ paymentIntent: other.id })
    const { rows: after } = await shop.pool.query('select 1 from creditkit.credit_payment_facts')
    expect(after).toHaveLength(before.length)
    expectAnswered()
  })

  it('of a free order are not possible, and nothing is taken', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'no_payment_required', { discount: 999 })
    await expect(shop.stripe.refund({ sessionId })).rejects.toThrow('there was no payment')
    expect(await balance(userId)).toBe(100)
  })

  it('D7 of a package that was changed and taken off sale take what was granted', async () => {
    const { marketplace } = shop.credits
    const pack = await marketplace.createPackage({
      name: 'Later smaller',
      creditAmount: 80,
      price: 999,
      creditType: 'enrichment',
    })
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId, { packageId: pack.id })
    await marketplace.updatePackage({ id: pack.id, creditAmount: 5, price: 100, isActive: false })
    await shop.stripe.refund({ sessionId })
    expect(await shop.ledger(userId)).toEqual(['purchase 80', 'clawback -80'])
  })
})

describe('I5 the whole journal once more', () => {
  it.each(['as-created', 'reversed'] as const)('changes nothing, %s', async (order) => {
    const userId = shop.newBuyer()
    const first = shop.stripe.events.length
    const sessionId = await shop.buy(userId)
    const refund = await shop.stripe.refund({ sessionId, amount: 333, status: 'pending' })
    await shop.stripe.dispute({ sessionId, amount: 200 })
    await shop.stripe.updateRefund(refund.id, 'succeeded')
    const dispute = await shop.stripe.dispute({ sessionId, amount: 300 })
    await shop.stripe.updateDispute(dispute.id, 'won')
    const before = await shop.credits.getTransactionHistory(userId)
    expect(await balance(userId)).toBe(47)
    const eventIds = shop.stripe.events.slice(first).map(({ id }) => id)
    const answers = await shop.stripe.deliver({ eventIds, order })
    expect(answers.length).toBeGreaterThan(10)
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    expect(await shop.credits.getTransactionHistory(userId)).toEqual(before)
    expect(await balance(userId)).toBe(47)
  })
})

describe('86 a refund that is marked as goodwill', () => {
  const keep = { metadata: { keep_credits: 'true' } }

  it('leaves the credits, and the purchase fulfilled', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.stripe.refund({ sessionId, ...keep })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    const verified = await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(verified).toMatchObject({ success: true, status: 'fulfilled' })
  })

  it('counts beside one that is not: only that one takes credits', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.stripe.refund({ sessionId, amount: 333, ...keep })
    await shop.stripe.refund({ sessionId, amount: 333 })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -33'])
  })

  it('later than it was made gives the credits back, and unmarked takes them again', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const { id } = await shop.stripe.refund({ sessionId })
    const { refunds } = shop.stripe.stripe
    await refunds.update(id, keep)
    await shop.stripe.idle()
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100', 'reinstatement 100'])
    await refunds.update(id, { metadata: { keep_credits: '' } })
    await shop.stripe.idle()
    expect(await balance(userId)).toBe(0)
  })

  it('takes nothing when it fails, and nothing is given back twice', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const { id } = await shop.stripe.refund({ sessionId, ...keep })
    await shop.stripe.updateRefund(id, 'failed')
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('is only what says exactly so', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.stripe.refund({ sessionId, metadata: { keep_credits: 'false' } })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
  })
})

describe('89 while Stripe does not answer', () => {
  it.each([
    ['the payment', '/v1/payment_intents'],
    ['the refunds', '/v1/refunds'],
    ['the disputes', '/v1/disputes'],
  ])('when asked for %s, a refund waits for the next delivery', async (_what, path) => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(() => shop.stripe.refund({ sessionId, amount: 333 }))
    const types = ['charge.refunded']
    for (const failure of [{ status: 500 }, { status: 503 }, { reset: true, times: 2 }]) {
      shop.stripe.failNext({ path, method: 'GET', ...failure })
      const [failed] = await shop.stripe.deliver({ types })
      expect(failed?.status, JSON.stringify(failure)).toBe(503)
      expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    }
    shop.stripe.clearFailures()
    const [answered] = await shop.stripe.deliver({ types })
    expect(answered?.status).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -33'])
    shop.stripe.discard()
  })
})
