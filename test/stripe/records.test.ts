import { testClock } from 'creditkit/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { isCreditError } from '../../src/errors.js'
import type { TimeRange } from '../../src/ports/payments.js'
import { foreignSubscription, giveCard, subscribe } from './subscribing.js'
import { openTill, type TestTill } from './support.js'

const clock = testClock()
let till: TestTill | undefined
afterEach(() => till?.fake.close())
const open = async (...options: Parameters<typeof openTill>) => (till = await openTill(...options))

const LATELY: TimeRange = { from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 3_600_000) }

async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const entry of list) found.push(entry)
  return found
}

/** Another app's checkout, paid. */
async function foreignSale({ fake }: TestTill): Promise<string> {
  const { id } = await fake.stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://other.example/',
    metadata: { app: 'another', purchase_id: 'p1' },
    payment_intent_data: { metadata: { app: 'another', purchase_id: 'p1' } },
    line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'X' } } }],
  })
  await fake.complete(id)
  return id
}

describe('records.checkouts', () => {
  it('lists finished ones, of other apps without a purchase', async () => {
    const opened = await open()
    const { payments, fake } = opened
    const paid = await opened.sell()
    await opened.sell()
    await fake.complete(paid.sessionId)
    const foreign = await foreignSale(opened)
    const found = await all(payments.records.checkouts(LATELY))
    expect(found.map(({ sessionId, purchaseId, state }) => [sessionId, purchaseId, state])).toEqual([
      [foreign, null, 'paid'],
      [paid.sessionId, paid.purchaseId, 'paid'],
    ])
  })

  it('takes the beginning of the range and leaves its end', async () => {
    const start = Math.floor(Date.now() / 1000) * 1000
    const at = (ms: number) => new Date(start + ms)
    const still = testClock(at(0))
    const opened = await open({}, { clock: still })
    const { sessionId } = await opened.sell()
    await opened.fake.complete(sessionId)
    const count = async (from: Date, to: Date) => (await all(opened.payments.records.checkouts({ from, to }))).length
    expect(await count(at(0), at(1_000))).toBe(1)
    expect(await count(at(0), at(1))).toBe(1)
    expect(await count(at(-1_000), at(0))).toBe(0)
    expect(await count(at(1), at(5_000))).toBe(0)
    expect(await count(at(0), at(0))).toBe(0)
    expect(await count(at(1_000), at(-1_000))).toBe(0)
  })

  it('reads as many pages as there are, and no more than are asked for', async () => {
    const opened = await open()
    const { fake, payments } = opened
    fake.delivery = 'drop'
    for (let i = 0; i < 103; i++) await fake.complete((await opened.sell()).sessionId)
    const before = fake.calls.length
    const found = await all(payments.records.checkouts(LATELY))
    expect(new Set(found.map(({ sessionId }) => sessionId)).size).toBe(103)
    expect(fake.calls).toHaveLength(before + 2)
    for await (const checkout of payments.records.checkouts(LATELY)) {
      expect(checkout.state).toBe('paid')
      break
    }
    expect(fake.calls).toHaveLength(before + 3)
  })

  it('is unavailable where a page does not come', async () => {
    const { fake, payments } = await open()
    fake.failNext({ status: 500 })
    await expect(all(payments.records.checkouts(LATELY))).rejects.toSatisfy((error) =>
      isCreditError(error, 'UNAVAILABLE'),
    )
  })
})

describe('records.payments', () => {
  it('lists what names one of our purchases, whatever became of it', async () => {
    const opened = await open()
    const { payments, fake, customerId } = opened
    const { sessionId, purchaseId } = await opened.sell()
    await fake.complete(sessionId)
    await foreignSale(opened)
    await giveCard(opened)
    await foreignSubscription(opened)
    const charge = { userId: 'user_1', customerId, amountMinor: 999, currency: 'usd', description: 'Top-up' }
    await payments.chargeOffSession({ ...charge, purchaseId: 'topup_1' })
    fake.failPayments(customerId)
    await payments.chargeOffSession({ ...charge, purchaseId: 'topup_2' })
    const found = await all(payments.records.payments(LATELY))
    expect(found.map((payment) => [payment.purchaseId, payment.state])).toEqual([
      ['topup_2', 'failed'],
      ['topup_1', 'succeeded'],
      [purchaseId, 'succeeded'],
    ])
  })
})

describe('records.reversals', () => {
  it('lists payments of ours with refunds and disputes of that time, and none of others', async () => {
    const opened = await open()
    const { payments, fake } = opened
    const refunded = await opened.sell()
    const disputed = await opened.sell()
    for (const { sessionId } of [refunded, disputed]) await fake.complete(sessionId)
    await fake.refund({ sessionId: refunded.sessionId, amount: 1 })
    await fake.refund({ sessionId: refunded.sessionId, amount: 2 })
    await fake.dispute({ sessionId: disputed.sessionId })
    const foreign = await foreignSale(opened)
    await fake.refund({ sessionId: foreign, amount: 1 })
    await fake.dispute({ sessionId: foreign, amount: 1 })
    const found = await all(payments.records.reversals(LATELY))
    expect(new Set(found.map(({ purchaseId }) => purchaseId))).toEqual(
      new Set([refunded.purchaseId, disputed.purchaseId]),
    )
    const before = { from: new Date(0), to: LATELY.from }
    expect(await all(payments.records.reversals(before))).toEqual([])
  })
})

describe('records.invoices', () => {
  it('lists paid ones of subscriptions, also of other apps', async () => {
    const opened = await open()
    const { payments, fake, customerId: customer } = opened
    const { invoiceId } = await subscribe(opened)
    await giveCard(opened)
    const foreign = await foreignSubscription(opened)
    fake.failPayments(customer)
    await foreignSubscription(opened)
    await fake.stripe.invoiceItems.create({ customer, amount: 0, currency: 'usd' })
    const byHand = await fake.stripe.invoices.create({ customer })
    await fake.stripe.invoices.finalizeInvoice(byHand.id)
    const found = await all(payments.records.invoices(LATELY))
    expect(found.map(({ status, userId, subscriptionId }) => [status, userId, subscriptionId])).toEqual([
      ['paid', null, foreign.id],
      ['paid', 'user_1', expect.any(String)],
    ])
    expect(found[1]).toEqual(await payments.getInvoice(invoiceId))
  })
})

describe('records.undeliveredEvents', () => {
  it('tells what no endpoint has heard, oldest first, and can translate it', async () => {
    const opened = await open()
    const { payments, fake } = opened
    let isUp = true
    fake.registerEndpoint(() => Promise.resolve(new Response(null, { status: isUp ? 200 : 500 })))
    const heard = await opened.sell()
    await fake.complete(heard.sessionId)
    await fake.deliver()
    isUp = false
    const lost = await opened.sell()
    await fake.complete(lost.sessionId)
    await fake.refund({ sessionId: lost.sessionId })
    await fake.deliver()
    const events = await all(payments.records.undeliveredEvents(LATELY))
    const types = events.map(({ type }) => type)
    expect([...types].sort()).toEqual([
      'charge.refunded',
      'checkout.session.completed',
      'payment_intent.succeeded',
      'refund.created',
    ])
    expect(types.indexOf('payment_intent.succeeded')).toBeLessThan(types.indexOf('charge.refunded'))
    const completed = events.find(({ type }) => type === 'checkout.session.completed')
    expect(completed).toMatchObject({ livemode: false, eventId: expect.stringMatching(/^evt_/) as unknown })
    expect(await completed?.translate()).toMatchObject({ checkout: { purchaseId: lost.purchaseId, state: 'paid' } })
  })

  it('tells those of the connected account as its own', async () => {
    const { fake, payments, sell } = await open({ account: 'acct_1' })
    fake.registerEndpoint(() => Promise.resolve(new Response(null, { status: 500 })))
    await fake.expire((await sell()).sessionId)
    const [expired] = await all(payments.records.undeliveredEvents(LATELY))
    expect(await expired?.translate()).toMatchObject({ checkout: { state: 'expired' } })
    expect(new Set(fake.calls.slice(-2).map(({ stripeAccount }) => stripeAccount))).toEqual(new Set(['acct_1']))
  })

  it('keeps the order over pages and across seconds', async () => {
    const moving = testClock(new Date(Date.now() - 1_000_000))
    const opened = await open({}, { clock: moving })
    const { fake, payments } = opened
    fake.registerEndpoint(() => Promise.resolve(new Response(null, { status: 500 })))
    const wanted: string[] = []
    for (let i = 0; i < 105; i++) {
      const { sessionId, purchaseId } = await opened.sell()
      wanted.push(purchaseId ?? '')
      await fake.expire(sessionId)
      if (i % 10 === 0) moving.advance(1_000)
    }
    const events = await all(payments.records.undeliveredEvents(LATELY))
    const found: unknown[] = []
    for (const event of events) {
      const meaning = await event.translate()
      if (meaning?.kind === 'checkout') found.push(meaning.checkout.purchaseId)
    }
    expect(found).toEqual(wanted)
  })

  it('asks for no more types at once than Stripe takes, and for nothing that Stripe has forgotten', async () => {
    const { fake, payments } = await open({}, { clock })
    const before = fake.calls.length
    expect(await all(payments.records.undeliveredEvents({ from: new Date(0), to: LATELY.to }))).toEqual([])
    const calls = fake.calls.slice(before)
    expect(calls.length).toBeGreaterThan(1)
    const types: string[] = []
    for (const { params } of calls) {
      const some = Object.values(Object(params.types) as { [index: string]: string })
      expect(some.length).toBeLessThanOrEqual(20)
      types.push(...some)
      const { gte } = Object(params.created) as { gte: string }
      expect(Number(gte) * 1000).toBeGreaterThan(Date.now() - 31 * 86_400_000)
    }
    expect(new Set(types).size).toBe(29)
    expect(types).toContain('charge.refund.updated')
  })
})
