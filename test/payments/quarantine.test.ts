import { randomUUID } from 'node:crypto'
import type Stripe from 'stripe'
import type { CreditEvent } from 'creditkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

/* Payments that are not what was sold: reference/stripe.md, 31, 34 and 37, and what a person does about them. */

let shop: Shop
const told: CreditEvent[] = []
const work: Promise<unknown>[] = []

beforeAll(async () => {
  shop = await openShop({
    on: { paymentQuarantined: (event) => void told.push(event), added: (event) => void told.push(event) },
    waitUntil: (delivery) => void work.push(delivery),
  })
})
afterAll(() => shop.close())

type Entry = Awaited<ReturnType<Shop['credits']['marketplace']['listQuarantine']>>[number]

async function entriesOf(userId: string, includeResolved = false): Promise<Entry[]> {
  const entries = await shop.credits.marketplace.listQuarantine({ includeResolved, limit: 200 })
  return entries.filter((entry) => entry.userId === userId)
}

async function entryOf(userId: string): Promise<Entry> {
  const [entry, ...others] = await entriesOf(userId, true)
  if (entry === undefined || others.length > 0) throw new Error(`entryOf: ${userId} does not have one entry`)
  return entry
}

async function toldOf(userId: string): Promise<CreditEvent[]> {
  for (let next = work.shift(); next !== undefined; next = work.shift()) await next
  return told.filter((event) => event.userId === userId)
}

/** A checkout that is paid for less than was sold. */
async function buyTooCheaply(userId: string): Promise<{ sessionId: string; entry: Entry }> {
  const sessionId = await shop.checkout(userId)
  await shop.stripe.complete(sessionId, 'paid', { overrides: { amount_subtotal: 1 } })
  return { sessionId, entry: await entryOf(userId) }
}

/** A session made by somebody with our key, or by hand in the Dashboard, that carries our mark. */
async function foreignSession(metadata: Stripe.MetadataParam, unitAmount = 999): Promise<string> {
  const { id } = await shop.stripe.stripe.checkout.sessions.create({
    mode: 'payment',
    line_items: [
      { quantity: 1, price_data: { currency: 'usd', unit_amount: unitAmount, product_data: { name: 'By hand' } } },
    ],
    metadata: { app: 'creditkit', ...metadata },
    payment_intent_data: { metadata: { app: 'creditkit', ...metadata } },
    success_url: 'https://shop.example/',
  })
  return id
}

async function purchaseIdOf(sessionId: string): Promise<string> {
  const session = await shop.stripe.stripe.checkout.sessions.retrieve(sessionId)
  return session.metadata?.purchase_id ?? ''
}

const list = (): ReturnType<Shop['credits']['marketplace']['listQuarantine']> =>
  shop.credits.marketplace.listQuarantine()
const release = (input: Parameters<Shop['credits']['marketplace']['releaseQuarantine']>[0]): Promise<Entry> =>
  shop.credits.marketplace.releaseQuarantine(input)

describe('a payment that is not what was sold', () => {
  it.each<[string, Partial<Stripe.Checkout.Session>, string]>([
    ['34 of a lower amount', { amount_subtotal: 1 }, 'priced at 1, sold at 999 (minor units)'],
    ['34 of a higher amount', { amount_subtotal: 1998 }, 'priced at 1998, sold at 999 (minor units)'],
    ['31 in another currency', { currency: 'eur' }, 'paid in eur, sold in usd'],
  ])('%s is kept for a person, once, with what was paid', async (_what, overrides, reason) => {
    const userId = shop.newBuyer()
    shop.stripe.delivery = 'hold'
    const sessionId = await shop.checkout(userId)
    const session = await shop.stripe.complete(sessionId, 'paid', { overrides })
    const answers = await shop.stripe.deliver({ copies: 3, concurrently: true })
    shop.stripe.delivery = 'auto'
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    expect(await shop.ledger(userId)).toEqual([])
    const purchaseId = await purchaseIdOf(sessionId)
    expect(await entriesOf(userId)).toMatchObject([
      {
        userId,
        purchaseId,
        invoiceId: null,
        reason,
        details: { sessionId, paymentId: session.payment_intent, totalMinor: 999 },
        resolvedAt: null,
        resolution: null,
      },
    ])
    const entry = await entryOf(userId)
    expect(await toldOf(userId)).toMatchObject([
      { kind: 'paymentQuarantined', userId, quarantineId: entry.id, purchaseId, reason },
    ])
  })

  it('28 because a line was added to its checkout is kept for a person, who grants what was sold', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId)
    const overrides = { amount_subtotal: 1499, amount_total: 1499 }
    await shop.stripe.complete(sessionId, 'paid', { overrides })
    const { id } = await entryOf(userId)
    await release({ quarantineId: id })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('26 because another quantity was paid is kept for a person', async () => {
    const userId = shop.newBuyer()
    const sessionId = await shop.checkout(userId, { quantity: 2 })
    await shop.stripe.complete(sessionId, 'paid', { quantity: 3 })
    expect(await shop.ledger(userId)).toEqual([])
    expect(await entryOf(userId)).toMatchObject({ reason: 'priced at 2997, sold at 1998 (minor units)' })
  })

  it('37 because a session of somebody else names it grants nothing, and its own session still counts', async () => {
    const userId = shop.newBuyer()
    const own = await shop.checkout(userId)
    const purchaseId = await purchaseIdOf(own)
    const other = await foreignSession({ purchase_id: purchaseId, creditAmount: '1000000', userId: 'thief' })
    await shop.stripe.complete(other)
    expect(await shop.ledger(userId)).toEqual([])
    expect(await shop.ledger('thief')).toEqual([])
    expect(await entryOf(userId)).toMatchObject({
      purchaseId,
      reason: 'paid through another checkout session',
      details: { sessionId: other },
    })
    await shop.stripe.complete(own)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    const verified = await shop.credits.marketplace.verifyCheckout({ userId, sessionId: own })
    expect(verified).toMatchObject({ status: 'fulfilled' })
  })

  it('that names a purchase which is not in the database is kept, once, without a user', async () => {
    for (const purchaseId of [randomUUID(), 'no-uuid']) {
      shop.stripe.delivery = 'hold'
      const sessionId = await foreignSession({ purchase_id: purchaseId })
      await shop.stripe.complete(sessionId)
      const answers = await shop.stripe.deliver({ copies: 2 })
      shop.stripe.delivery = 'auto'
      expect(answers.filter(({ status }) => status !== 200)).toEqual([])
      const entries = (await list()).filter(({ details }) => details.sessionId === sessionId)
      expect(entries).toMatchObject([
        {
          userId: null,
          purchaseId: null,
          reason: 'no such purchase is known here',
          details: { purchaseId, totalMinor: 999, currency: 'usd' },
        },
      ])
      const [entry] = entries
      const quarantineId = entry?.id ?? ''
      const granting = release({ quarantineId })
      await expect(granting).rejects.toThrow('add the credits by hand, then dismiss it')
      expect(await release({ quarantineId, action: 'dismiss' })).toMatchObject({ resolution: 'dismissed' })
    }
  })

  it('that names no purchase but carries our mark is ignored, and so is an unpaid one', async () => {
    const before = await list()
    await shop.stripe.complete(await foreignSession({}))
    await shop.stripe.complete(await foreignSession({ purchase_id: randomUUID() }), 'unpaid')
    await shop.stripe.expire(await foreignSession({ purchase_id: randomUUID() }))
    expect(await list()).toEqual(before)
    expect(shop.stripe.deliveries.filter(({ status }) => status !== 200)).toEqual([])
  })
})

describe('a person who looks at a quarantined payment', () => {
  it('grants what was sold; doing so again changes nothing', async () => {
    const userId = shop.newBuyer()
    const { sessionId, entry } = await buyTooCheaply(userId)
    const decided = await release({ quarantineId: entry.id, actor: 'ann' })
    expect(decided).toMatchObject({ resolution: 'granted', resolvedBy: 'ann' })
    expect(decided.resolvedAt).toBeInstanceOf(Date)
    expect(await release({ quarantineId: entry.id, actor: 'bob' })).toEqual(decided)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    expect(await entriesOf(userId)).toEqual([])
    const verified = await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(verified).toMatchObject({ success: true, status: 'fulfilled' })
    expect((await toldOf(userId)).map(({ kind }) => kind)).toEqual(['paymentQuarantined', 'added'])
  })

  it('grants once when two do it at the same time', async () => {
    const userId = shop.newBuyer()
    const { entry } = await buyTooCheaply(userId)
    const actors = ['ann', 'bob', 'cleo', 'dora']
    const decided = await Promise.all(actors.map((actor) => release({ quarantineId: entry.id, actor })))
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    expect(new Set(decided.map(({ resolvedBy }) => resolvedBy)).size).toBe(1)
  })

  it('dismisses it, and nobody grants it any more: neither a person nor the event told again', async () => {
    const userId = shop.newBuyer()
    const { sessionId, entry } = await buyTooCheaply(userId)
    const decided = await release({ quarantineId: entry.id, action: 'dismiss', actor: 'ann' })
    expect(decided).toMatchObject({ resolution: 'dismissed', resolvedBy: 'ann' })
    expect(await release({ quarantineId: entry.id, action: 'dismiss' })).toEqual(decided)
    await expect(release({ quarantineId: entry.id })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    const eventIds = shop.stripe.events.slice(-3).map(({ id }) => id)
    await shop.stripe.deliver({ eventIds })
    const byHand = shop.credits.marketplace.fulfillCheckoutSession({ sessionId })
    await expect(byHand).rejects.toMatchObject({ code: 'CHECKOUT_NOT_PAID' })
    expect(await shop.ledger(userId)).toEqual([])
    expect(await entriesOf(userId, true)).toEqual([decided])
  })

  it('does not grant what another one dismisses at the same moment, or the other way round', async () => {
    const userId = shop.newBuyer()
    const { entry } = await buyTooCheaply(userId)
    const actions = ['grant', 'dismiss'] as const
    await Promise.allSettled(actions.map((action) => release({ quarantineId: entry.id, action })))
    const granted = (await shop.ledger(userId)).length > 0
    expect((await entryOf(userId)).resolution).toBe(granted ? 'granted' : 'dismissed')
  })

  it('may grant what was paid through another session', async () => {
    const userId = shop.newBuyer()
    const own = await shop.checkout(userId)
    await shop.stripe.complete(await foreignSession({ purchase_id: await purchaseIdOf(own) }))
    const { id: quarantineId } = await entryOf(userId)
    expect(await release({ quarantineId })).toMatchObject({ resolution: 'granted' })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('is told when there is no such payment, or no such place to go on from', async () => {
    for (const quarantineId of [randomUUID(), 'no-uuid']) {
      await expect(release({ quarantineId })).rejects.toMatchObject({ code: 'QUARANTINE_NOT_FOUND' })
    }
    const page = shop.credits.marketplace.listQuarantine({ after: 'no-uuid' })
    await expect(page).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })

  it('walks through all of them page by page', async () => {
    const { marketplace } = shop.credits
    const all = await marketplace.listQuarantine({ includeResolved: true, limit: 200 })
    const found: string[] = []
    for (let after: string | null = null; ;) {
      const page: Entry[] = await marketplace.listQuarantine({ includeResolved: true, limit: 2, after })
      found.push(...page.map(({ id }) => id))
      after = page.at(-1)?.id ?? null
      if (page.length < 2) break
    }
    expect(found).toEqual(all.map(({ id }) => id))
    expect(all.length).toBeGreaterThan(8)
  })
})

describe('a quarantined payment whose money goes back', () => {
  it('in full is settled: there is nothing left to grant, and it can only be dismissed', async () => {
    const userId = shop.newBuyer()
    const { sessionId, entry } = await buyTooCheaply(userId)
    await shop.stripe.refund({ sessionId })
    const verified = await shop.credits.marketplace.verifyCheckout({ userId, sessionId })
    expect(verified).toMatchObject({ success: false, status: 'refunded' })
    await expect(release({ quarantineId: entry.id })).rejects.toMatchObject({ code: 'CHECKOUT_NOT_PAID' })
    expect(await shop.ledger(userId)).toEqual([])
    const dismissed = await release({ quarantineId: entry.id, action: 'dismiss' })
    expect(dismissed).toMatchObject({ resolution: 'dismissed' })
  })

  it('in part is granted less that part', async () => {
    const userId = shop.newBuyer()
    const { sessionId, entry } = await buyTooCheaply(userId)
    await shop.stripe.refund({ sessionId, amount: 333 })
    expect(await shop.ledger(userId)).toEqual([])
    await release({ quarantineId: entry.id })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -33'])
  })

  it('after it was granted is taken back like any other', async () => {
    const userId = shop.newBuyer()
    const { sessionId, entry } = await buyTooCheaply(userId)
    await release({ quarantineId: entry.id })
    await shop.stripe.refund({ sessionId })
    expect(await shop.ledger(userId)).toEqual(['purchase 100', 'clawback -100'])
  })

  it('and then does not, since the refund fails, waits for a person again', async () => {
    const userId = shop.newBuyer()
    const { sessionId, entry } = await buyTooCheaply(userId)
    const refund = await shop.stripe.refund({ sessionId, status: 'pending' })
    await shop.stripe.updateRefund(refund.id, 'failed')
    await release({ quarantineId: entry.id })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('by a dispute that is won leaves it to be granted', async () => {
    const userId = shop.newBuyer()
    const { sessionId, entry } = await buyTooCheaply(userId)
    const dispute = await shop.stripe.dispute({ sessionId })
    await shop.stripe.updateDispute(dispute.id, 'won')
    await release({ quarantineId: entry.id })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })
})
