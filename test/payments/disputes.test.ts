import type Stripe from 'stripe'
import { signedWebhook } from 'creditkit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

/* reference/stripe.md, 3.F. A purchase is 100 credits for 999. */

const REPEATED = { copies: 3, concurrently: true } as const

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

async function facts(userId: string): Promise<string[]> {
  const { rows } = await shop.pool.query<{ fact: string }>(
    `select kind || ' ' || status || ' ' || amount_minor as fact from creditkit.credit_payment_facts
     where user_id = $1 order by kind desc, id`,
    [userId],
  )
  return rows.map(({ fact }) => fact)
}

function expectAnswered(): void {
  expect(shop.stripe.deliveries.filter(({ status }) => status !== 200)).toEqual([])
}

describe('a dispute', () => {
  it('90 takes the credits when it is created, and losing it takes no more', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const dispute = await shop.stripe.dispute({ sessionId })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    const [clawback] = await shop.credits.getTransactionHistory(userId)
    expect(clawback?.metadata).toMatchObject({
      stripeChargeId: dispute.charge,
      reversals: [{ id: dispute.id, amountMinor: 999, status: 'open' }],
    })
    await shop.stripe.updateDispute(dispute.id, 'lost')
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    expect(await facts(userId)).toEqual(['dispute lost 999'])
    const verified = await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(verified).toMatchObject({ success: false, status: 'refunded' })
    expectAnswered()
  })

  it('90 makes debt of what was spent', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.credits.deductCredits(userId, 70, 'enrichment', 'work')
    const dispute = await shop.stripe.dispute({ sessionId })
    expect(await balance(userId)).toBe(-70)
    await shop.stripe.updateDispute(dispute.id, 'lost')
    expect(await balance(userId)).toBe(-70)
  })

  it('91 gives the credits back once when it is won, though two events say so, each three times', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.credits.deductCredits(userId, 30, 'enrichment', 'work')
    const dispute = await shop.stripe.dispute({ sessionId })
    expect(await balance(userId)).toBe(-30)
    await holding(() => shop.stripe.updateDispute(dispute.id, 'won'))
    const told = await shop.stripe.deliver(REPEATED)
    expect(new Set(told.map(({ type }) => type))).toEqual(
      new Set(['charge.dispute.funds_reinstated', 'charge.dispute.closed']),
    )
    expect(await balance(userId)).toBe(70)
    expect(await facts(userId)).toEqual(['dispute won 999'])
    const verified = await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(verified).toMatchObject({ success: true, status: 'fulfilled' })
    expectAnswered()
  })

  it('92 that is only an inquiry takes nothing, neither while it is open nor when it is closed', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const dispute = await shop.stripe.dispute({ sessionId, status: 'warning_needs_response' })
    await shop.stripe.updateDispute(dispute.id, 'warning_under_review')
    await shop.stripe.updateDispute(dispute.id, 'warning_closed')
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    expect(await facts(userId)).toEqual(['dispute inquiry 999'])
    expectAnswered()
  })

  it('93 that begins as an inquiry and escalates takes the credits once, in any order of its events', async () => {
    for (const order of ['as-created', 'reversed'] as const) {
      const userId = shop.newBuyer()
      const sessionId = await shop.buy(userId)
      await holding(async () => {
        const dispute = await shop.stripe.dispute({ sessionId, status: 'warning_needs_response' })
        await shop.stripe.updateDispute(dispute.id, 'needs_response')
      })
      await shop.stripe.deliver({ order, copies: 2 })
      expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
      expect(await facts(userId)).toEqual(['dispute open 999'])
    }
  })

  it('94 that is heard of before the payment is settled with it, and given back when it is won later', async () => {
    const userId = shop.newBuyer()
    const dispute = await holding(async () => {
      const sessionId = await shop.buy(userId)
      return shop.stripe.dispute({ sessionId })
    })
    await shop.stripe.deliver({ types: ['charge.dispute.funds_withdrawn', 'charge.dispute.created'] })
    expect(await shop.ledger(userId)).toEqual([])
    expect(await facts(userId)).toEqual(['dispute open 999'])
    await shop.stripe.deliver()
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    await shop.stripe.updateDispute(dispute.id, 'won')
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100', 'reinstatement 100'])
  })

  it('94 that is won before the payment is heard of takes nothing', async () => {
    const userId = shop.newBuyer()
    await holding(async () => {
      const sessionId = await shop.buy(userId)
      const dispute = await shop.stripe.dispute({ sessionId })
      await shop.stripe.updateDispute(dispute.id, 'won')
    })
    await shop.stripe.deliver({ order: 'reversed', copies: 2 })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('96 that is lost when it is created takes the credits', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.stripe.dispute({ sessionId, status: 'lost' })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    expectAnswered()
  })

  it('99 that is won leaves the payment to be refunded', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const dispute = await shop.stripe.dispute({ sessionId })
    await shop.stripe.updateDispute(dispute.id, 'won')
    await shop.stripe.refund({ sessionId })
    const rows = ['purchase 100', 'clawback -100', 'reinstatement 100', 'clawback -100']
    expect(await shop.ledger(userId)).toEqual(rows)
    expect(await balance(userId)).toBe(0)
    expectAnswered()
  })

  it('100 that is lost and won after all gives the credits back', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const dispute = await shop.stripe.dispute({ sessionId })
    for (const status of ['lost', 'appeal_needs_response', 'won'] as const) {
      await shop.stripe.updateDispute(dispute.id, status)
    }
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100', 'reinstatement 100'])
    expect(await balance(userId)).toBe(100)
    expectAnswered()
  })

  it('100 ends with the credits there when a late win is told in any order', async () => {
    for (const order of ['as-created', 'reversed'] as const) {
      const userId = shop.newBuyer()
      const sessionId = await shop.buy(userId)
      await holding(async () => {
        const dispute = await shop.stripe.dispute({ sessionId })
        await shop.stripe.updateDispute(dispute.id, 'lost')
        await shop.stripe.updateDispute(dispute.id, 'won')
      })
      await shop.stripe.deliver({ order, copies: 2 })
      expect(await balance(userId)).toBe(100)
      expect(await facts(userId)).toEqual(['dispute won 999'])
    }
  })

  it('103 that was prevented by a refund takes the credits once, for the refund', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(async () => {
      await shop.stripe.refund({ sessionId })
      await shop.stripe.dispute({ sessionId, status: 'prevented' })
    })
    await shop.stripe.deliver({ order: 'reversed', copies: 2 })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    expect(await facts(userId)).toEqual(['refund succeeded 999', 'dispute prevented 999'])
  })

  it('103 that was prevented without a refund takes nothing, also when it was an inquiry first', async () => {
    for (const first of ['prevented', 'warning_needs_response'] as const) {
      const userId = shop.newBuyer()
      const sessionId = await shop.buy(userId)
      const dispute = await shop.stripe.dispute({ sessionId, status: first })
      await shop.stripe.updateDispute(dispute.id, 'prevented')
      expect(await shop.ledger(userId)).toEqual(['purchase 100'])
      expect(await facts(userId)).toEqual(['dispute prevented 999'])
    }
  })
})

describe('a dispute of a part of the payment', () => {
  it('takes credits in proportion, rounded down, and gives exactly those back', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const dispute = await shop.stripe.dispute({ sessionId, amount: 500 })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -50'])
    await shop.stripe.updateDispute(dispute.id, 'won')
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -50', 'reinstatement 50'])
  })

  it('adds up with another one of the same charge, each with its own end', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    const first = await shop.stripe.dispute({ sessionId, amount: 333 })
    const second = await shop.stripe.dispute({ sessionId, amount: 666 })
    expect(await balance(userId)).toBe(0)
    await shop.stripe.updateDispute(first.id, 'lost')
    await shop.stripe.updateDispute(second.id, 'won')
    expect(await balance(userId)).toBe(67)
  })

  it('never takes more than was granted, also when the bank asks for more than was paid', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.stripe.dispute({ sessionId, amount: 1200 })
    await shop.stripe.dispute({ sessionId, amount: 999 })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
  })
})

describe('a dispute and a refund of the same charge', () => {
  it('take the credits once in all (D8)', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.stripe.refund({ sessionId })
    const dispute = await shop.stripe.dispute({ sessionId })
    await shop.stripe.updateDispute(dispute.id, 'lost')
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    expectAnswered()
  })

  it('leave what the refund took when the dispute is won', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await shop.stripe.refund({ sessionId, amount: 333 })
    const dispute = await shop.stripe.dispute({ sessionId })
    expect(await balance(userId)).toBe(0)
    await shop.stripe.updateDispute(dispute.id, 'won')
    const rows = ['purchase 100', 'clawback -33', 'clawback -67', 'reinstatement 67']
    expect(await shop.ledger(userId)).toEqual(rows)
  })

  it('end alike when the refund fails in the end and the dispute is won, told backwards', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(async () => {
      const refund = await shop.stripe.refund({ sessionId, amount: 400, status: 'pending' })
      const dispute = await shop.stripe.dispute({ sessionId, amount: 599 })
      await shop.stripe.updateRefund(refund.id, 'failed')
      await shop.stripe.updateDispute(dispute.id, 'won')
    })
    await shop.stripe.deliver({ order: 'reversed', copies: 2 })
    expect(await balance(userId)).toBe(100)
    expect(await facts(userId)).toEqual(['refund failed 400', 'dispute won 599'])
  })
})

describe('news of a dispute', () => {
  /** The latest event of a type, changed, signed and sent as Stripe would. */
  async function send(type: string, change: (dispute: Stripe.Dispute) => object): Promise<number> {
    const event = shop.stripe.events.findLast((candidate) => candidate.type === type)
    if (event?.type !== 'charge.dispute.created') throw new Error(`there was no ${type}`)
    const changed = { ...event, data: { object: change(event.data.object) } }
    const request = await signedWebhook(changed, shop.stripe.webhookSecret, { url: shop.webhookUrl })
    return (await fetch(request)).status
  }

  it('that names only the charge finds the purchase', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(() => shop.stripe.dispute({ sessionId }))
    expect(await send('charge.dispute.created', (dispute) => ({ ...dispute, payment_intent: null }))).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
    shop.stripe.discard()
  })

  it('that is old, or of another API version, says what is true now', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(() => shop.stripe.dispute({ sessionId }))
    // As if the bank had asked for twice as much and had lost already.
    const wrong = (dispute: Stripe.Dispute): object => ({ ...dispute, amount: 1998, status: 'won', reason: undefined })
    expect(await send('charge.dispute.created', wrong)).toBe(200)
    expect(await facts(userId)).toEqual(['dispute open 999'])
    expect(await balance(userId)).toBe(0)
    shop.stripe.discard()
  })

  it('is asked for again while Stripe can not list disputes, with nothing half done', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    await holding(() => shop.stripe.dispute({ sessionId }))
    shop.stripe.failNext({ path: '/v1/disputes', method: 'GET', status: 500 })
    const [first] = await shop.stripe.deliver({ types: ['charge.dispute.created'] })
    expect(first?.status).toBe(503)
    expect(await facts(userId)).toEqual([])
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    const statuses = (await shop.stripe.deliver()).map(({ status }) => status)
    expect(statuses).toEqual([200, 200])
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
  })

  it('of a payment that is not ours is answered and ignored', async () => {
    const { id } = await shop.stripe.stripe.paymentIntents.create({
      amount: 999,
      currency: 'usd',
      payment_method: 'pm_card_visa',
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { purchase_id: '00000000-0000-7000-8000-000000000000' },
    })
    const { rows: before } = await shop.pool.query('select 1 from creditkit.credit_payment_facts')
    await shop.stripe.dispute({ paymentIntent: id })
    const { rows: after } = await shop.pool.query('select 1 from creditkit.credit_payment_facts')
    expect(after).toHaveLength(before.length)
    expect(shop.stripe.deliveries.at(-1)).toMatchObject({ type: 'charge.dispute.funds_withdrawn', status: 200 })
  })
})
