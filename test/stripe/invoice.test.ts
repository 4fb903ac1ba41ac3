import { testClock } from 'creditkit/testing'
import { afterEach, describe, expect, it } from 'vitest'
import type { Invoice } from '../../src/ports/payments.js'
import { foreignBundle, foreignSubscription, giveCard, monthlyPrice, subscribe } from './subscribing.js'
import { openTill, type TestTill } from './support.js'

const clock = testClock()
let till: TestTill | undefined
afterEach(() => till?.fake.close())
const open = async (...options: Parameters<typeof openTill>) => (till = await openTill(...options))

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** Let time pass, and the hour after it that a renewal's invoice stays a draft. */
async function pass({ fake }: TestTill, ms: number): Promise<void> {
  clock.advance(ms)
  await fake.tick()
  clock.advance(2 * HOUR_MS)
  await fake.tick()
}

/** The subscription's latest invoice in our words. */
async function latestInvoice({ fake, payments }: TestTill, subscription: string): Promise<Invoice | null> {
  const { data } = await fake.stripe.invoices.list({ subscription, limit: 1 })
  return payments.getInvoice(data[0]?.id ?? '')
}

describe('getInvoice', () => {
  it('tells who paid what, and for which time', async () => {
    const opened = await open()
    const { payments, customerId } = opened
    const { subscriptionId, invoiceId, priceId } = await subscribe(opened, { quantity: 3 })
    const subscription = await payments.getSubscription(subscriptionId)
    const [item] = subscription?.items ?? []
    expect(await payments.getInvoice(invoiceId)).toEqual({
      invoiceId,
      status: 'paid',
      subscriptionId,
      customerId,
      userId: 'user_1',
      paidMinor: 6_000,
      currency: 'usd',
      paymentId: expect.stringMatching(/^pi_/) as unknown,
      url: expect.stringMatching(/^http/) as unknown,
      lines: [
        {
          lineId: expect.stringMatching(/^il_/) as unknown,
          itemId: item?.itemId,
          priceId,
          quantity: 3,
          proration: false,
          trial: false,
          amountMinor: 6_000,
          from: item?.periodStart,
          until: item?.periodEnd,
        },
      ],
      livemode: false,
    })
  })

  it('tells a trial from what is free by a coupon', async () => {
    const opened = await open({}, { clock })
    const { payments, fake } = opened
    await giveCard(opened)
    const { invoiceId, subscriptionId } = await subscribe(opened, { trialDays: 14 })
    expect(await payments.getInvoice(invoiceId)).toMatchObject({
      status: 'paid',
      paidMinor: 0,
      paymentId: null,
      lines: [{ trial: true, amountMinor: 0, proration: false }],
    })
    const free = await fake.stripe.coupons.create({ percent_off: 100, duration: 'forever' })
    const { id } = await foreignSubscription(opened, { discounts: [{ coupon: free.id }] })
    expect(await latestInvoice(opened, id)).toMatchObject({
      status: 'paid',
      paidMinor: 0,
      paymentId: null,
      lines: [{ trial: false, amountMinor: 2_000 }],
    })
    await pass(opened, 14 * DAY_MS)
    expect(await latestInvoice(opened, subscriptionId)).toMatchObject({
      status: 'paid',
      paidMinor: 2_000,
      lines: [{ trial: false, amountMinor: 2_000 }],
    })
  })

  it('still knows a trial that was ended early', async () => {
    const opened = await open({}, { clock })
    const { payments, fake } = opened
    const { invoiceId, subscriptionId } = await subscribe(opened, { trialDays: 14 })
    clock.advance(3 * DAY_MS)
    await fake.stripe.subscriptions.update(subscriptionId, { trial_end: 'now' })
    expect(await payments.getInvoice(invoiceId)).toMatchObject({ lines: [{ trial: true, amountMinor: 0 }] })
    const paid = await latestInvoice(opened, subscriptionId)
    expect(paid?.paidMinor).toBe(2_000)
    expect(paid?.lines.map(({ trial, amountMinor }) => [trial, amountMinor])).toContainEqual([false, 2_000])
  })

  it('tells amounts before discounts, and what was paid after them', async () => {
    const opened = await open()
    await giveCard(opened)
    const half = await opened.fake.stripe.coupons.create({ percent_off: 50, duration: 'once' })
    const { id } = await foreignSubscription(opened, { discounts: [{ coupon: half.id }] })
    expect(await latestInvoice(opened, id)).toMatchObject({ paidMinor: 1_000, lines: [{ amountMinor: 2_000 }] })
  })

  it('marks the lines of a change in the middle of a period, with the item they are of', async () => {
    const opened = await open({}, { clock })
    const { fake, payments } = opened
    const { subscriptionId, priceId } = await subscribe(opened)
    const bigger = await monthlyPrice(opened, 4_000)
    const itemId = (await payments.getSubscription(subscriptionId))?.items[0]?.itemId ?? ''
    clock.advance(10 * DAY_MS)
    await fake.stripe.subscriptions.update(subscriptionId, {
      items: [{ id: itemId, price: bigger }],
      proration_behavior: 'always_invoice',
    })
    const invoice = await latestInvoice(opened, subscriptionId)
    expect(invoice?.lines.map((line) => [line.proration, line.itemId, line.priceId, line.amountMinor > 0])).toEqual([
      [true, itemId, priceId, false],
      [true, itemId, bigger, true],
    ])
  })

  it('tells all of more lines than fit its first page', async () => {
    const opened = await open()
    const { fake, payments } = opened
    await giveCard(opened)
    const { id, prices } = await foreignBundle(opened, 14)
    await fake.renew(id)
    const invoice = await latestInvoice(opened, id)
    expect(invoice?.lines.map(({ priceId }) => priceId).sort()).toEqual(prices.sort())
    expect(new Set(invoice?.lines.map(({ itemId }) => itemId)).size).toBe(14)
    expect(fake.calls.some(({ path }) => path.endsWith('/lines'))).toBe(true)
    expect(await payments.getInvoice(invoice?.invoiceId ?? '')).toEqual(invoice)
  })

  it('knows no item for what was added by hand', async () => {
    const opened = await open()
    const { fake, customerId: customer } = opened
    const { subscriptionId } = await subscribe(opened)
    await fake.stripe.invoiceItems.create({ customer, amount: 500, currency: 'usd', subscription: subscriptionId })
    await fake.renew(subscriptionId)
    const invoice = await latestInvoice(opened, subscriptionId)
    expect(invoice?.paidMinor).toBe(2_500)
    const byHand = invoice?.lines.find(({ amountMinor }) => amountMinor === 500)
    expect(byHand).toMatchObject({ itemId: null, priceId: null, proration: false, trial: false })
  })

  it('names no payment for what was paid elsewhere', async () => {
    const opened = await open()
    const { fake, payments } = opened
    const { subscriptionId } = await subscribe(opened)
    fake.failPayments(opened.customerId)
    await fake.renew(subscriptionId)
    const unpaid = await latestInvoice(opened, subscriptionId)
    expect(unpaid).toMatchObject({ status: 'open', paidMinor: 0, paymentId: null })
    await fake.payInvoice(unpaid?.invoiceId ?? '', { outOfBand: true })
    expect(await payments.getInvoice(unpaid?.invoiceId ?? '')).toMatchObject({ status: 'paid', paymentId: null })
  })

  it('names our user from the metadata of the invoice, else of the subscription, and never of another app', async () => {
    const opened = await open()
    const { fake, payments } = opened
    await giveCard(opened)
    const { id } = await foreignSubscription(opened)
    const before = await latestInvoice(opened, id)
    expect(before?.userId).toBeNull()
    await fake.stripe.subscriptions.update(id, { metadata: { app: 'creditkit', user_id: 'user_9' } })
    expect(await payments.getInvoice(before?.invoiceId ?? '')).toMatchObject({ userId: 'user_9' })
    const foreign = await foreignSubscription(opened, { metadata: { app: 'another', user_id: 'user_1' } })
    // Marked as another app's, it is nothing of ours even where it sells for a price of ours.
    expect(await latestInvoice(opened, foreign.id)).toMatchObject({ userId: null, paymentId: null, lines: [] })
  })

  it('still tells its lines where the subscription is not known any more', async () => {
    const opened = await open()
    const { payments, fake } = opened
    const { invoiceId, priceId, subscriptionId } = await subscribe(opened)
    const error = { type: 'invalid_request_error', code: 'resource_missing', param: 'id' } as const
    fake.failNext({ path: '/v1/subscriptions', status: 404, error })
    expect(await payments.getInvoice(invoiceId)).toMatchObject({
      subscriptionId,
      userId: 'user_1',
      paymentId: expect.stringMatching(/^pi_/) as unknown,
      lines: [{ priceId, trial: false, amountMinor: 2_000 }],
    })
  })

  it('has nothing of ours in invoices of no subscription, and is null for what there is not', async () => {
    const { fake, payments, customerId: customer } = await open()
    await fake.stripe.invoiceItems.create({ customer, amount: 500, currency: 'usd' })
    const { id } = await fake.stripe.invoices.create({ customer })
    expect(await payments.getInvoice(id)).toMatchObject({ subscriptionId: null, userId: null, lines: [] })
    for (const unknown of ['in_unknown', 'sub_1', 'in_', '']) expect(await payments.getInvoice(unknown)).toBeNull()
  })
})
