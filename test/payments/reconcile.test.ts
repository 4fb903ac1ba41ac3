import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Finding } from 'creditkit'
import { openShop, type Shop } from './shop.js'

const HOUR = 3_600_000

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())
beforeEach(() => {
  shop.stripe.delivery = 'auto'
})

/** The last hour and the next one, and only what is about this user. */
async function reconcile(userId: string, apply = false): Promise<Finding[]> {
  const now = Date.now()
  const range = { from: new Date(now - HOUR), to: new Date(now + HOUR) }
  const { findings } = await shop.credits.marketplace.reconcile({ ...range, apply })
  return findings.filter((finding) => finding.userId === userId)
}

/** The buyer pays, and nobody hears of it. */
async function buyUnheard(userId: string): Promise<string> {
  shop.stripe.delivery = 'drop'
  const sessionId = await shop.buy(userId)
  shop.stripe.delivery = 'auto'
  return sessionId
}

describe('reconciliation', () => {
  it('134 says what a lost webhook left ungranted, and grants it once when it may', async () => {
    const userId = shop.newBuyer()
    const sessionId = await buyUnheard(userId)
    const missing = { kind: 'paid_not_granted', reference: sessionId, credits: 100 }
    expect(await reconcile(userId)).toMatchObject([{ ...missing, repaired: false }])
    expect(await shop.ledger(userId)).toEqual([])
    expect(await reconcile(userId, true)).toMatchObject([{ ...missing, repaired: true }])
    expect(await reconcile(userId, true)).toEqual([])
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('135 finds what Stripe never made an event of, by the objects', async () => {
    const userId = shop.newBuyer()
    const sessionId = await buyUnheard(userId)
    // Nothing to resend: the events themselves are not there.
    const { marketplace } = shop.credits
    const from = new Date(Date.now() - HOUR)
    const report = await marketplace.reconcile({ from, to: new Date(Date.now() + HOUR), apply: true })
    expect(report.findings.map(({ reference }) => reference)).toContain(sessionId)
    expect(report.checked.checkouts).toBeGreaterThan(0)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('136 beside live webhooks grants once', async () => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'hold'
    await shop.buy(userId)
    shop.stripe.delivery = 'auto'
    await Promise.all([
      reconcile(userId, true),
      shop.stripe.deliver({ copies: 3 }),
      reconcile(userId, true),
      shop.stripe.deliver({ eventIds: shop.stripe.events.slice(-5).map(({ id }) => id) }),
    ])
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('137 says nothing of abandoned checkouts', async () => {
    const userId = shop.newBuyer()
    await shop.checkout(userId)
    const expired = await shop.checkout(userId)
    await shop.stripe.expire(expired)
    expect(await reconcile(userId, true)).toEqual([])
  })

  it('138 finds a lost refund, takes its credits, and gives them back when its failure was lost, too', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    shop.stripe.delivery = 'drop'
    const refund = await shop.stripe.refund({ sessionId, amount: 333 })
    expect(await reconcile(userId)).toMatchObject([{ kind: 'under_clawed', credits: 33, repaired: false }])
    expect(await reconcile(userId, true)).toMatchObject([{ kind: 'under_clawed', repaired: true }])
    await shop.stripe.updateRefund(refund.id, 'failed')
    expect(await reconcile(userId)).toMatchObject([{ kind: 'over_clawed', credits: 33, repaired: false }])
    expect(await reconcile(userId, true)).toMatchObject([{ kind: 'over_clawed', repaired: true }])
    expect(await reconcile(userId)).toEqual([])
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -33', 'reinstatement 33'])
  })

  it('138 finds a lost dispute', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.buy(userId)
    shop.stripe.delivery = 'drop'
    await shop.stripe.dispute({ sessionId })
    expect(await reconcile(userId, true)).toMatchObject([{ kind: 'under_clawed', credits: 100, repaired: true }])
    expect(await shop.credits.getBalance(userId, 'enrichment')).toBe(0)
  })

  it('139 reports credits that nobody paid for, and takes nothing', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.pool.query(
      `update creditkit.credit_purchases set status = 'fulfilled', fulfilled_at = now() where session_id = $1`,
      [sessionId],
    )
    const finding = { kind: 'granted_not_paid', reference: sessionId, repaired: false }
    expect(await reconcile(userId, true)).toMatchObject([finding])
    expect(await shop.ledger(userId)).toEqual([])
    await shop.pool.query(
      `update creditkit.credit_purchases set status = 'pending', fulfilled_at = null where session_id = $1`,
      [sessionId],
    )
  })

  it('finds a delayed payment that arrived days after its checkout', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'unpaid')
    shop.stripe.delivery = 'drop'
    await shop.stripe.settle(sessionId, 'succeeded')
    const from = new Date(Date.now() + HOUR)
    const later = { from, to: new Date(from.getTime() + HOUR), apply: true }
    const { findings } = await shop.credits.marketplace.reconcile(later)
    expect(findings).toContainEqual(expect.objectContaining({ userId, kind: 'paid_not_granted', repaired: true }))
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('39 counts paid sessions of other apps as foreign, and leaves them alone', async () => {
    const { stripe } = shop.stripe
    const session = await stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'Mug' } } }],
      success_url: 'https://other.example',
    })
    await shop.stripe.complete(session.id)
    const now = Date.now()
    const report = await shop.credits.marketplace.reconcile({ from: new Date(now - HOUR), to: new Date(now + HOUR) })
    expect(report.foreign.examples).toContain(session.id)
    expect(report.findings.map(({ reference }) => reference)).not.toContain(session.id)
  })

  it('31 shows what is in quarantine, and never releases it', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.pool.query(`update creditkit.credit_purchases set unit_price_minor = 1 where session_id = $1`, [
      sessionId,
    ])
    await shop.stripe.complete(sessionId)
    expect(await reconcile(userId, true)).toMatchObject([
      { kind: 'quarantined', reference: sessionId, repaired: false },
    ])
    expect(await shop.ledger(userId)).toEqual([])
    await shop.pool.query(`update creditkit.credit_purchases set unit_price_minor = 999 where session_id = $1`, [
      sessionId,
    ])
  })

  it('31 says nothing more of what a person has dismissed', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    await shop.stripe.complete(sessionId, 'paid', { overrides: { amount_subtotal: 1 } })
    const { marketplace } = shop.credits
    const entries = await marketplace.listQuarantine({ limit: 200 })
    const quarantineId = entries.find((entry) => entry.userId === userId)?.id ?? ''
    expect(await reconcile(userId, true)).toMatchObject([{ kind: 'quarantined', reference: sessionId }])
    await marketplace.releaseQuarantine({ quarantineId, action: 'dismiss' })
    expect(await reconcile(userId)).toEqual([])
    expect(await reconcile(userId, true)).toEqual([])
    expect(await shop.ledger(userId)).toEqual([])
  })

  it('reports a payment for a purchase that is not here, until a person dismisses it', async () => {
    const { stripe } = shop.stripe
    const metadata = { app: 'creditkit', purchase_id: randomUUID() }
    const { id: sessionId } = await stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'Mug' } } }],
      metadata,
      payment_intent_data: { metadata },
      success_url: 'https://shop.example',
    })
    await shop.stripe.complete(sessionId)
    const { marketplace } = shop.credits
    const now = Date.now()
    const findings = async (): Promise<Finding[]> => {
      const report = await marketplace.reconcile({ from: new Date(now - HOUR), to: new Date(now + HOUR) })
      return report.findings.filter(({ purchaseId }) => purchaseId === metadata.purchase_id)
    }
    expect(await findings()).toMatchObject([{ kind: 'unknown_purchase', repaired: false }])
    const entries = await marketplace.listQuarantine({ limit: 200 })
    const quarantineId = entries.find(({ details }) => details.sessionId === sessionId)?.id ?? ''
    await marketplace.releaseQuarantine({ quarantineId, action: 'dismiss' })
    expect(await findings()).toEqual([])
  })

  it('goes through more objects than a page has, and says how far it is', async () => {
    const buyers = Array.from({ length: 130 }, () => shop.newBuyer())
    shop.stripe.delivery = 'drop'
    for (const buyer of buyers) await shop.buy(buyer)
    const progress: string[] = []
    const now = Date.now()
    const report = await shop.credits.marketplace.reconcile({
      from: new Date(now - HOUR),
      to: new Date(now + HOUR),
      apply: true,
      onProgress: ({ pass, checked }) => progress.push(`${pass} ${checked}`),
    })
    const found = report.findings.filter(({ userId }) => buyers.includes(userId ?? ''))
    expect(found).toHaveLength(130)
    expect(found.every(({ repaired, kind }) => repaired && kind === 'paid_not_granted')).toBe(true)
    expect(progress).toContain('checkouts 100')
    const balances = await Promise.all(buyers.map((buyer) => shop.credits.getBalance(buyer, 'enrichment')))
    expect(new Set(balances)).toEqual(new Set([100]))
  })
})
