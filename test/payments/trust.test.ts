import { gzipSync } from 'node:zlib'
import type Stripe from 'stripe'
import { CreditService } from 'creditkit'
import { postgresStore } from 'creditkit/adapters/postgres'
import { stripePayments, type StripePaymentsOptions } from 'creditkit/adapters/stripe'
import { fakeStripe, signedWebhook } from 'creditkit/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type Shop } from './shop.js'

/* reference/stripe.md, 3.C: what is believed, and what is not. */

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const MINUTE = 60

let shop: Shop

beforeAll(async () => {
  shop = await openShop()
  shop.stripe.delivery = 'hold'
})
afterEach(() => shop.stripe.discard())
afterAll(() => shop.close())

/** The shop's service with other options, on the same database. */
function otherwise(options: Partial<StripePaymentsOptions>): CreditService {
  const { stripe, webhookSecret } = shop.stripe
  const payments = stripePayments({ stripe, webhookSecret, appUrl: 'https://shop.example', ...options })
  return new CreditService({ store: postgresStore(shop.pool), payments, logger: quiet })
}

/** Pay a checkout, and return its event instead of delivering it. */
async function bought(userId: string, overrides: Partial<Stripe.Checkout.Session> = {}): Promise<Stripe.Event> {
  await shop.stripe.complete(await shop.checkout(userId), 'paid', { overrides })
  const event = shop.stripe.held.find(({ type }) => type === 'checkout.session.completed')
  if (event === undefined) throw new Error('bought: the checkout was not completed')
  return event
}

function sessionIdOf(event: Stripe.Event): string {
  if (event.type !== 'checkout.session.completed') throw new Error('sessionIdOf: not of a session')
  return event.data.object.id
}

const seconds = (): number => Math.floor(Date.now() / 1000)

async function post(event: object | string, timestamp = seconds()): Promise<number> {
  const request = await signedWebhook(event, shop.stripe.webhookSecret, { url: shop.webhookUrl, timestamp })
  return (await fetch(request)).status
}

async function handled(credits: CreditService, event: object): Promise<number> {
  return (await credits.handleWebhook(await signedWebhook(event, shop.stripe.webhookSecret))).status
}

async function rows(): Promise<number> {
  const tables = ['credit_transactions', 'credit_grants', 'credit_payment_facts', 'credit_quarantine', 'user_credits']
  const counts = tables.map((table) => `(select count(*) from creditkit.${table})`).join(' + ')
  const { rows: found } = await shop.pool.query<{ n: string }>(`select ${counts} as n`)
  return Number(found[0]?.n)
}

describe('what a session says of itself', () => {
  it('37 of amounts and users is not believed: the buyer gets what was sold', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    const session = event.type === 'checkout.session.completed' ? event.data.object : null
    const claims = { userId: 'thief', creditAmount: '1000000', creditType: 'calling', packageId: '1', quantity: '9' }
    await shop.stripe.stripe.checkout.sessions.update(session?.id ?? '', { metadata: claims })
    expect(
      await post({ ...event, data: { object: { ...session, metadata: { ...session?.metadata, ...claims } } } }),
    ).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    expect(await shop.credits.getTransactionHistory('thief')).toEqual([])
  })

  it('59 in names that are parts of prototypes has no effect', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    const hostile = '"metadata":{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}},"app"'
    const text = JSON.stringify(event).replace('"metadata":{"app"', hostile)
    expect(text).toContain('"__proto__"')
    expect(await post(text)).toBe(200)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('35 is not for a package when it is a subscription or saves a card, though it names a purchase', async () => {
    const userId = shop.newBuyer()
    const { stripe } = shop.stripe
    const open = await stripe.checkout.sessions.retrieve(await shop.checkout(userId))
    const { id: product } = await stripe.products.create({ name: 'Monthly' })
    const recurring = { product, currency: 'usd', unit_amount: 999, recurring: { interval: 'month' } } as const
    const { id: price } = await stripe.prices.create(recurring)
    const common = { metadata: { ...open.metadata }, success_url: 'https://shop.example/' }
    const sessions = [
      await stripe.checkout.sessions.create({ ...common, mode: 'setup', currency: 'usd' }),
      await stripe.checkout.sessions.create({ ...common, mode: 'subscription', line_items: [{ price, quantity: 1 }] }),
    ]
    const before = await rows()
    for (const { id: sessionId } of sessions) {
      await shop.stripe.complete(sessionId)
      const answers = await shop.stripe.deliver()
      expect(answers.map(({ type }) => type)).toContain('checkout.session.completed')
      expect(answers.filter(({ status }) => status !== 200)).toEqual([])
      const byHand = shop.credits.marketplace.fulfillCheckoutSession({ sessionId })
      await expect(byHand).rejects.toMatchObject({ code: 'CHECKOUT_NOT_FOUND' })
    }
    expect(await rows()).toBe(before)
    expect(await shop.ledger(userId)).toEqual([])
  })

  it('60 in a payment status that nobody knows yet is not a payment', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    const { stripe } = shop.stripe
    const stored = await stripe.checkout.sessions.retrieve(sessionIdOf(event))
    // What Stripe may add one day.
    const sessions = { retrieve: () => Promise.resolve({ ...stored, payment_status: 'future_value' }) }
    const client = new Proxy(stripe, {
      get: (target, name) => {
        const value: unknown = name === 'checkout' ? { sessions } : Reflect.get(target, name)
        return value
      },
    })
    expect(await handled(otherwise({ stripe: client, livemode: false }), event)).toBe(200)
    expect(await shop.ledger(userId)).toEqual([])
    expect(await post(event)).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })
})

describe('an event', () => {
  it('39 of a payment link or a payment made in the Dashboard is answered and ignored', async () => {
    const before = await rows()
    const { stripe } = shop.stripe
    const { id } = await stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 999, product_data: { name: 'Link' } } }],
      success_url: 'https://buy.stripe.example/',
    })
    await shop.stripe.complete(id)
    await shop.stripe.refund({ sessionId: id })
    const answers = await shop.stripe.deliver()
    expect(answers.length).toBeGreaterThan(3)
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    expect(await rows()).toBe(before)
  })

  it('43 of test mode means nothing to a live shop, and the other way round', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    expect(await handled(otherwise({ livemode: true }), event)).toBe(200)
    expect(await post({ ...event, livemode: true })).toBe(200)
    expect(await shop.ledger(userId)).toEqual([])
    expect(await post(event)).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('43 that claims to be live can not make a test session one', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    expect(await handled(otherwise({ livemode: true }), { ...event, livemode: true })).toBe(200)
    expect(await shop.ledger(userId)).toEqual([])
  })

  it('45 of another account means nothing; of the configured one it counts, and every call names it', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    expect(await post({ ...event, account: 'acct_other' })).toBe(200)
    const connected = otherwise({ account: 'acct_ours' })
    expect(await handled(connected, event)).toBe(200)
    expect(await handled(connected, { ...event, account: 'acct_other' })).toBe(200)
    expect(await shop.ledger(userId)).toEqual([])
    const before = shop.stripe.calls.length
    expect(await handled(connected, { ...event, account: 'acct_ours' })).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
    const accounts = shop.stripe.calls.slice(before).map(({ stripeAccount }) => stripeAccount)
    expect(new Set(accounts)).toEqual(new Set(['acct_ours']))
  })

  it('50 that is replayed is refused when it is old, and has no effect when it is young', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    expect(await post(event, seconds() - 10 * MINUTE)).toBe(400)
    expect(await shop.ledger(userId)).toEqual([])
    for (const age of [4 * MINUTE, 4 * MINUTE, 0]) expect(await post(event, seconds() - age)).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('51 from a clock that is two minutes ahead counts, and a day ahead does not', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    expect(await post(event, seconds() + 24 * 60 * MINUTE)).toBe(400)
    expect(await shop.ledger(userId)).toEqual([])
    expect(await post(event, seconds() + 2 * MINUTE)).toBe(200)
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('57 is read by its bytes, whatever type they claim to have, but not compressed', async () => {
    const userId = shop.newBuyer()
    const body = JSON.stringify(await bought(userId))
    const signed = await signedWebhook(body, shop.stripe.webhookSecret)
    const headers = { 'stripe-signature': signed.headers.get('stripe-signature') ?? '' }
    const compressed = await fetch(shop.webhookUrl, {
      method: 'POST',
      headers: { ...headers, 'content-encoding': 'gzip' },
      body: new Uint8Array(gzipSync(body)),
    })
    expect(compressed.status).toBe(415)
    expect(await shop.ledger(userId)).toEqual([])
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) {
      const answer = await fetch(shop.webhookUrl, {
        method: 'POST',
        headers: { ...headers, 'content-type': type },
        body,
      })
      expect(answer.status, type).toBe(200)
    }
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('58 must be one, however well it is signed', async () => {
    const before = await rows()
    for (const body of ['not json', 'null', '[]', '{}', '""', '{"object":"event"}', '']) {
      expect(await post(body), body).toBe(400)
    }
    expect(await rows()).toBe(before)
  })

  it('60 of an unknown type is answered and ignored', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    const calls = shop.stripe.calls.length
    for (const type of ['foo.bar', 'toString', '__proto__', 'invoice.will_be_due']) {
      expect(await post({ ...event, type }), type).toBe(200)
    }
    expect(await shop.ledger(userId)).toEqual([])
    expect(shop.stripe.calls).toHaveLength(calls)
  })

  it('62 of the thin kind is refused, since it says nothing that could be acted on', async () => {
    const thin = {
      id: 'evt_thin',
      object: 'v2.core.event',
      type: 'v1.charge.refunded',
      created: new Date().toISOString(),
      livemode: false,
      related_object: { id: 'ch_1', type: 'charge', url: '/v1/charges/ch_1' },
    }
    expect(await post(thin)).toBe(400)
  })

  it('63 is only ever posted, and never sent elsewhere', async () => {
    for (const path of ['', '/', '?a=b']) {
      const answer = await fetch(`${shop.webhookUrl}${path}`, { redirect: 'manual' })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
    }
  })
})

describe('a buyer who asks', () => {
  it('40, 42 after a session that is not theirs, or can not be one, gets the same answer, and its owner the credits', async () => {
    const userId = shop.newBuyer()
    const event = await bought(userId)
    const sessionId = sessionIdOf(event)
    const calls = shop.stripe.calls.length
    const { marketplace } = shop.credits
    for (const guess of [sessionId, 'cs_', '../customers', 'cs_test_a/../b', 'pi_1', `cs_${'x'.repeat(300)}`]) {
      const verify = marketplace.verifyCheckout({ userId: shop.newBuyer(), sessionId: guess })
      await expect(verify, guess).rejects.toThrow(/^(?!.*cs_test)/)
    }
    expect(shop.stripe.calls).toHaveLength(calls)
    expect(await marketplace.verifyCheckout({ userId, sessionId })).toMatchObject({ status: 'fulfilled' })
    expect(await shop.ledger(userId)).toEqual(['purchase 100'])
  })

  it('44 after a test session in a shop that has gone live finds none, and gets nothing', async () => {
    const live = await fakeStripe({ secretKey: 'sk_live_creditkit_local' })
    const { marketplace } = otherwise({ stripe: live.stripe, webhookSecret: live.webhookSecret })
    const userId = shop.newBuyer()
    const event = await bought(userId)
    const sessionId = sessionIdOf(event)
    const before = await rows()
    const verify = marketplace.verifyCheckout({ userId, sessionId })
    await expect(verify).rejects.toMatchObject({ code: 'CHECKOUT_NOT_FOUND' })
    const byHand = marketplace.fulfillCheckoutSession({ sessionId })
    await expect(byHand).rejects.toMatchObject({ code: 'CHECKOUT_NOT_FOUND' })
    expect(await rows()).toBe(before)
    await live.close()
  })
})
