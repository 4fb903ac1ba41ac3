import { testClock } from 'creditkit/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { foreignBundle, foreignSubscription, giveCard, subscribe } from './subscribing.js'
import { openTill, type TestTill } from './support.js'

const clock = testClock()
let till: TestTill | undefined
afterEach(() => till?.fake.close())
const open = async (...options: Parameters<typeof openTill>) => (till = await openTill(...options))

const DAY_MS = 86_400_000

describe('getSubscription', () => {
  it('tells whose it is, what it bills, and until when', async () => {
    const opened = await open()
    const { subscriptionId, priceId } = await subscribe(opened, { quantity: 3 })
    const raw = await opened.fake.stripe.subscriptions.retrieve(subscriptionId)
    const { id: itemId, current_period_start: start = 0, current_period_end: end = 0 } = raw.items.data[0] ?? {}
    expect(await opened.payments.getSubscription(subscriptionId)).toEqual({
      subscriptionId,
      customerId: opened.customerId,
      userId: 'user_1',
      status: 'active',
      items: [{ itemId, priceId, quantity: 3, periodStart: new Date(start * 1000), periodEnd: new Date(end * 1000) }],
      cancelAtPeriodEnd: false,
      collectionPaused: false,
      endedAt: null,
      trialEndsAt: null,
      livemode: false,
    })
  })

  it('knows ended ones, and those of others without a user', async () => {
    const opened = await open()
    const { fake, payments } = opened
    const { subscriptionId } = await subscribe(opened)
    await fake.cancelSubscription(subscriptionId)
    expect(await payments.getSubscription(subscriptionId)).toMatchObject({
      status: 'canceled',
      endedAt: expect.any(Date) as unknown,
      userId: 'user_1',
    })
    await giveCard(opened)
    const foreign = await foreignSubscription(opened, { metadata: { app: 'another', user_id: 'user_1' } })
    expect(await payments.getSubscription(foreign.id)).toMatchObject({ userId: null, status: 'active', items: [] })
    for (const id of ['sub_unknown', 'in_1', '']) expect(await payments.getSubscription(id)).toBeNull()
  })

  it('knows a trial, and one that waits for a means of payment after it', async () => {
    const opened = await open({}, { clock })
    const { fake, payments } = opened
    const pause = { end_behavior: { missing_payment_method: 'pause' as const } }
    const { id } = await foreignSubscription(opened, { trial_period_days: 7, trial_settings: pause })
    const trialing = await payments.getSubscription(id)
    expect(trialing?.status).toBe('trialing')
    expect(trialing?.trialEndsAt).toEqual(trialing?.items[0]?.periodEnd)
    clock.advance(8 * DAY_MS)
    await fake.tick()
    expect(await payments.getSubscription(id)).toMatchObject({ status: 'paused', endedAt: null })
  })

  it('says when its collection is paused', async () => {
    const opened = await open()
    const { fake, payments } = opened
    const { subscriptionId } = await subscribe(opened)
    const { subscriptions } = fake.stripe
    await subscriptions.update(subscriptionId, { pause_collection: { behavior: 'void' } })
    expect(await payments.getSubscription(subscriptionId)).toMatchObject({ status: 'active', collectionPaused: true })
    await subscriptions.update(subscriptionId, { pause_collection: '' })
    expect(await payments.getSubscription(subscriptionId)).toMatchObject({ collectionPaused: false })
  })

  it('tells all of more items than fit its first page', async () => {
    const opened = await open()
    await giveCard(opened)
    const { id, prices } = await foreignBundle(opened, 12)
    const raw = await opened.fake.stripe.subscriptions.retrieve(id)
    // Stripe shows the first ten; the local one shows all.
    const first = { ...raw, items: { ...raw.items, data: raw.items.data.slice(0, 10), has_more: true } }
    Object.assign(opened.fake.stripe.subscriptions, { retrieve: () => Promise.resolve(first) })
    const found = await opened.payments.getSubscription(id)
    expect(found?.items.map(({ priceId }) => priceId).sort()).toEqual(prices.sort())
  })

  it('takes a status that nobody knows for one that is not paid', async () => {
    const opened = await open()
    const { subscriptionId } = await subscribe(opened)
    const raw = await opened.fake.stripe.subscriptions.retrieve(subscriptionId)
    const future = { ...raw, status: 'future_value' }
    Object.assign(opened.fake.stripe.subscriptions, { retrieve: () => Promise.resolve(future) })
    expect(await opened.payments.getSubscription(subscriptionId)).toMatchObject({ status: 'unpaid' })
  })
})

describe('cancelSubscription', () => {
  it('ends it with its period, once however often it is asked', async () => {
    const opened = await open()
    const { fake, payments } = opened
    const { subscriptionId } = await subscribe(opened)
    const ending = await payments.cancelSubscription(subscriptionId, 'period_end')
    expect(ending).toMatchObject({ status: 'active', cancelAtPeriodEnd: true, endedAt: null })
    const calls = fake.calls.length
    expect(await payments.cancelSubscription(subscriptionId, 'period_end')).toEqual(ending)
    expect(fake.calls.slice(calls).map(({ method }) => method)).toEqual(['GET'])
  })

  it('ends it at once, also twice, also at the same time, also after it was to end with its period', async () => {
    const opened = await open()
    const { payments } = opened
    const { subscriptionId } = await subscribe(opened)
    await payments.cancelSubscription(subscriptionId, 'period_end')
    const [one, two] = await Promise.all([1, 2].map(() => payments.cancelSubscription(subscriptionId, 'now')))
    expect(one).toMatchObject({ status: 'canceled', endedAt: expect.any(Date) as unknown })
    expect(two).toEqual(one)
    for (const when of ['now', 'period_end'] as const) {
      expect(await payments.cancelSubscription(subscriptionId, when)).toEqual(one)
    }
  })

  it('is told of by the portal in either billing mode, and not by an end that is far away', async () => {
    const opened = await open()
    const { fake, payments } = opened
    const { subscriptionId } = await subscribe(opened)
    const raw = await fake.stripe.subscriptions.retrieve(subscriptionId)
    const end = raw.items.data[0]?.current_period_end ?? 0
    const answer = (cancel_at: number) => {
      const flexible = { ...raw, cancel_at_period_end: false, cancel_at }
      Object.assign(fake.stripe.subscriptions, { retrieve: () => Promise.resolve(flexible) })
    }
    answer(end)
    expect(await payments.getSubscription(subscriptionId)).toMatchObject({ cancelAtPeriodEnd: true })
    answer(end + 86_400)
    expect(await payments.getSubscription(subscriptionId)).toMatchObject({ cancelAtPeriodEnd: false })
  })

  it('is null for what there is not', async () => {
    const { payments } = await open()
    expect(await payments.cancelSubscription('sub_unknown', 'now')).toBeNull()
    expect(await payments.cancelSubscription('cus_1', 'period_end')).toBeNull()
  })
})
