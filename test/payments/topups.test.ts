import type { AutoTopupView, ConfigureAutoTopupInput, CreditEvent, DefaultCreditType } from 'creditkit'
import type Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DAY, idOf, openSubscribingShop, type SubscribingShop } from './subscribing-shop.js'

/* Automatic top-ups through Stripe: reference/stripe.md, section 3.H, by its numbers. */

let shop: SubscribingShop
let userId: string
let told: CreditEvent<'topupFailed'>[]

beforeEach(async () => {
  told = []
  shop = await openSubscribingShop({ on: { topupFailed: (event) => void told.push(event) } })
  userId = shop.newUser()
  await shop.credits.addCredits({ userId, amount: 50, creditType: 'enrichment', description: 'Welcome' })
})
afterEach(() => shop.close())

const configure = (settings: Partial<ConfigureAutoTopupInput<DefaultCreditType>> = {}): Promise<AutoTopupView> => {
  const { packageId } = shop
  return shop.credits.marketplace.configureAutoTopup({
    userId,
    creditType: 'enrichment',
    threshold: 10,
    packageId,
    ...settings,
  })
}
const view = (): Promise<AutoTopupView | null> =>
  shop.credits.marketplace.getAutoTopup({ userId, creditType: 'enrichment' })
const use = async (amount: number): Promise<void> => {
  await shop.credits.deductCredits(userId, amount, 'enrichment', 'Lookup')
  await shop.settled()
}
/** The cron route. */
const runDue = async (): Promise<void> => {
  await shop.credits.runDue()
  await shop.settled()
}
const customerOf = async (): Promise<string> => (await shop.api.customers.list()).data[0]?.id ?? ''
/** The payment is made and its answer lost, twice, since the SDK repeats a call whose connection was cut by itself. */
const lost = { path: '/v1/payment_intents', method: 'POST', reset: true, afterEffect: true, times: 2 } as const
/** Everything that was asked of the card, oldest first. */
const payments = async (): Promise<Stripe.PaymentIntent[]> => (await shop.api.paymentIntents.list()).data.reverse()
const succeeded = async (): Promise<number> => (await payments()).filter(({ status }) => status === 'succeeded').length

describe('an automatic top-up', () => {
  it('121 pays from the saved card when spending reaches the threshold; the webhook finds it granted', async () => {
    await shop.saveCard(userId)
    await configure()
    await use(39)
    expect(await payments()).toEqual([])
    shop.stripe.delivery = 'hold'
    await use(1)
    expect(await shop.ledger(userId)).toEqual(['adjustment 50', 'usage -39', 'usage -1', 'purchase 100'])
    expect(await payments()).toMatchObject([{ amount: 999, currency: 'usd', customer: await customerOf() }])
    await shop.stripe.deliver({ copies: 3, concurrently: true })
    expect(await shop.balance(userId)).toBe(110)
    expect(await view()).toMatchObject({ status: 'active', isPaying: false, thisMonth: { count: 1, amountMinor: 999 } })
  })

  it('121 pays from the card of a checkout that saved it', async () => {
    const { packageId } = shop
    const { sessionId } = await shop.credits.marketplace.createCheckout({ userId, packageId, saveCard: true })
    await shop.stripe.complete(sessionId)
    await configure()
    await use(140)
    expect(await shop.balance(userId)).toBe(110)
    expect(await succeeded()).toBe(2)
  })

  it('121 can be refunded like any purchase, which asks for no other one', async () => {
    await shop.saveCard(userId)
    await configure()
    await use(45)
    const [payment] = await payments()
    await shop.stripe.refund({ paymentIntent: idOf(payment) })
    await shop.settled()
    expect(await shop.balance(userId)).toBe(5)
    expect(await payments()).toHaveLength(1)
  })

  it('122 pays once for twenty uses at once, however long the payment takes', async () => {
    await shop.saveCard(userId)
    await configure({ threshold: 49 })
    shop.stripe.failNext({ path: '/v1/payment_intents', method: 'POST', delayMs: 400 })
    const uses = Array.from({ length: 20 }, () => shop.credits.deductCredits(userId, 1, 'enrichment', 'Lookup'))
    await Promise.all(uses)
    await Promise.all([runDue(), runDue(), use(1)])
    await shop.settled()
    expect(await payments()).toHaveLength(1)
    expect(await shop.balance(userId)).toBe(129)
  })

  it('123 that the bank wants to see the buyer for gives a page, and goes on once they have paid there', async () => {
    await shop.saveCard(userId)
    const [card] = (await shop.api.customers.listPaymentMethods(await customerOf())).data
    await configure()
    shop.stripe.failPayments(idOf(card), 'pm_card_authenticationRequired')
    await use(45)
    const { status, recoveryUrl } = (await view()) ?? {}
    expect(status).toBe('action_required')
    expect(told).toMatchObject([
      { userId, status: 'action_required', failureCode: 'authentication_required', recoveryUrl },
    ])
    await use(1)
    await runDue()
    expect(await payments()).toHaveLength(1)

    await shop.pass(60_000)
    const page = await fetch(recoveryUrl ?? '')
    expect(await page.text()).toContain('$9.99')
    const body = new URLSearchParams({ action: 'pay' })
    const paid = await fetch(recoveryUrl ?? '', { method: 'POST', body, redirect: 'manual' })
    expect(paid.status).toBe(303)
    await shop.settled()
    expect(await shop.balance(userId)).toBe(104)
    expect(await view()).toMatchObject({ status: 'active', recoveryUrl: null, isPaying: false, lastFailure: null })
    expect((await payments()).map((payment) => payment.status)).toEqual(['canceled', 'succeeded'])

    // The card that was saved with it pays from now on.
    await use(94)
    expect(await shop.balance(userId)).toBe(110)
  })

  it('123 that the buyer confirms on the same payment is granted, and goes on', async () => {
    await shop.saveCard(userId)
    await configure()
    shop.stripe.failPayments(await customerOf(), 'pm_card_authenticationRequired')
    await use(45)
    const [payment] = await payments()
    await shop.stripe.authenticate(idOf(payment))
    await shop.settled()
    expect(await shop.balance(userId)).toBe(105)
    expect(await view()).toMatchObject({ status: 'active', recoveryUrl: null, isPaying: false })
    expect(await payments()).toHaveLength(1)
  })

  it('123 whose authentication the buyer fails goes on waiting for them', async () => {
    await shop.saveCard(userId)
    await configure()
    shop.stripe.failPayments(await customerOf(), 'pm_card_authenticationRequired')
    await use(45)
    const [payment] = await payments()
    await shop.stripe.authenticate(idOf(payment), 'failed')
    await shop.settled()
    expect(await shop.balance(userId)).toBe(5)
    const waiting = await view()
    expect(waiting).toMatchObject({ status: 'action_required', isPaying: true })
    expect(waiting?.recoveryUrl).toMatch(/^http/)
    await shop.stripe.authenticate(idOf(payment))
    await shop.settled()
    expect(await shop.balance(userId)).toBe(105)
    expect(await view()).toMatchObject({ status: 'active', recoveryUrl: null, isPaying: false })
    expect(await payments()).toHaveLength(1)
  })

  it('124 a soft decline is tried again after a day, twice, and then suspends it', async () => {
    await shop.saveCard(userId)
    await configure()
    shop.stripe.failPayments(await customerOf(), 'pm_card_chargeDeclinedInsufficientFunds')
    await use(45)
    expect(await view()).toMatchObject({ status: 'active', lastFailure: 'insufficient_funds', thisMonth: { count: 0 } })
    await use(1)
    await shop.pass(DAY - 1000)
    await runDue()
    expect(await payments()).toHaveLength(1)
    await shop.pass(1000)
    await runDue()
    expect(await payments()).toHaveLength(2)
    await shop.pass(DAY)
    await runDue()
    expect(await payments()).toHaveLength(3)
    expect(await view()).toMatchObject({ status: 'suspended' })
    await shop.pass(10 * DAY)
    await runDue()
    await use(1)
    expect(await payments()).toHaveLength(3)
    expect(told.map(({ status }) => status)).toEqual(['active', 'active', 'suspended'])
    expect(await shop.balance(userId)).toBe(3)
  })

  it('124 a soft decline that passes is made good on the next day', async () => {
    await shop.saveCard(userId)
    await configure()
    const customer = await customerOf()
    shop.stripe.failPayments(customer, 'pm_card_chargeDeclinedProcessingError')
    await use(45)
    shop.stripe.failPayments(customer, false)
    await shop.pass(DAY)
    await runDue()
    expect(await shop.balance(userId)).toBe(105)
    expect(await view()).toMatchObject({ status: 'active', lastFailure: null, thisMonth: { count: 1 } })
  })

  it.each(['pm_card_chargeDeclinedLostCard', 'pm_card_chargeDeclinedExpiredCard'])(
    '125 a hard decline (%s) suspends it at once, until there is a new card',
    async (like) => {
      await shop.saveCard(userId)
      await configure()
      const [old] = (await shop.api.customers.listPaymentMethods(await customerOf())).data
      shop.stripe.failPayments(idOf(old), like)
      await use(45)
      expect(await view()).toMatchObject({ status: 'suspended', isPaying: false })
      await shop.pass(2 * DAY)
      await use(1)
      await runDue()
      expect(await configure()).toMatchObject({ status: 'suspended' })
      expect(await payments()).toHaveLength(1)
      await shop.pass(60_000)
      await shop.saveCard(userId, 'pm_card_mastercard')
      expect(await view()).toMatchObject({ status: 'active', lastFailure: null })
      await runDue()
      expect(await shop.balance(userId)).toBe(104)
    },
  )

  it('125 a new card counts, although its news comes after other settings', async () => {
    await shop.saveCard(userId)
    await configure()
    const [old] = (await shop.api.customers.listPaymentMethods(await customerOf())).data
    shop.stripe.failPayments(idOf(old), 'pm_card_chargeDeclinedLostCard')
    await use(45)
    await shop.pass(60_000)
    shop.stripe.delivery = 'hold'
    await shop.saveCard(userId, 'pm_card_mastercard')
    await configure({ threshold: 20 })
    await shop.stripe.deliver()
    expect(await view()).toMatchObject({ status: 'active', threshold: 20 })
  })

  it('125 news of the old card, told again, does not make a suspended one go on', async () => {
    shop.stripe.delivery = 'hold'
    await shop.saveCard(userId)
    await shop.stripe.deliver()
    shop.stripe.delivery = 'auto'
    await configure()
    shop.stripe.failPayments(await customerOf(), 'pm_card_chargeDeclinedLostCard')
    await use(45)
    const eventIds = shop.stripe.events.filter(({ type }) => type === 'setup_intent.succeeded').map(({ id }) => id)
    await shop.stripe.deliver({ eventIds })
    expect(await view()).toMatchObject({ status: 'suspended' })
  })

  it.each([
    ['the webhook', 'auto'],
    ['runDue, when no webhook comes,', 'drop'],
  ] as const)('127 whose answer was lost after the charge is granted once by %s', async (_who, delivery) => {
    await shop.saveCard(userId)
    await configure()
    shop.stripe.delivery = delivery
    shop.stripe.failNext(lost)
    await use(45)
    if (delivery === 'drop') {
      expect(await shop.balance(userId)).toBe(5)
      expect(await view()).toMatchObject({ isPaying: true })
      await shop.pass(2 * 60_000)
      await runDue()
    }
    expect(await shop.balance(userId)).toBe(105)
    expect(await payments()).toHaveLength(1)
    expect(await view()).toMatchObject({ status: 'active', isPaying: false, thisMonth: { count: 1 } })
  })

  it('127 that never reached Stripe is asked for again under the same name, and taken once', async () => {
    await shop.saveCard(userId)
    await configure()
    shop.stripe.failNext({ ...lost, afterEffect: false })
    await use(45)
    await use(1)
    expect(await payments()).toEqual([])
    await shop.pass(2 * 60_000)
    shop.stripe.failNext(lost)
    shop.stripe.delivery = 'drop'
    await runDue()
    expect(await payments()).toHaveLength(1)
    expect(await shop.balance(userId)).toBe(4)
    await shop.pass(2 * 60_000)
    await runDue()
    expect(await payments()).toHaveLength(1)
    expect(await shop.balance(userId)).toBe(104)
  })

  it('127 declined while its answer was lost is a decline, found by runDue', async () => {
    await shop.saveCard(userId)
    await configure()
    shop.stripe.failPayments(await customerOf(), 'pm_card_chargeDeclinedLostCard')
    shop.stripe.delivery = 'drop'
    shop.stripe.failNext(lost)
    await use(45)
    await shop.pass(2 * 60_000)
    await runDue()
    expect(await view()).toMatchObject({ status: 'suspended', lastFailure: 'lost_card', isPaying: false })
    expect(await payments()).toHaveLength(1)
  })

  it('128 keeps to its number per month, also when three are asked for at once', async () => {
    await shop.saveCard(userId)
    await configure({ threshold: 1000, maxPerMonth: 2 })
    await use(1)
    await Promise.all([runDue(), runDue(), runDue()])
    await runDue()
    expect(await payments()).toHaveLength(2)
    expect(await shop.balance(userId)).toBe(249)
    await shop.goTo(new Date('2031-04-01T00:00:00.000Z'))
    await runDue()
    expect(await payments()).toHaveLength(3)
    await configure({ enabled: false })
  })

  it('130 whose card was detached asks for nothing and says so, until there is another one', async () => {
    await shop.saveCard(userId)
    await configure()
    const [card] = (await shop.api.customers.listPaymentMethods(await customerOf())).data
    await shop.api.paymentMethods.detach(idOf(card))
    await shop.settled()
    await use(45)
    expect(await payments()).toEqual([])
    expect(await view()).toMatchObject({ status: 'suspended', lastFailure: 'card_missing' })
    expect(told).toMatchObject([{ status: 'suspended', failureCode: 'card_missing' }])
    await shop.pass(60_000)
    await shop.saveCard(userId)
    await runDue()
    expect(await shop.balance(userId)).toBe(105)
  })

  it('130 of a user who never was a customer says so', async () => {
    await configure()
    await use(45)
    expect(await payments()).toEqual([])
    expect(await view()).toMatchObject({ status: 'suspended', lastFailure: 'card_missing' })
  })

  describe('that is switched off', () => {
    const newCardAndUse = async (): Promise<void> => {
      shop.stripe.failPayments(await customerOf(), false)
      await shop.pass(60_000)
      await shop.saveCard(userId)
      await runDue()
      await use(1)
    }
    beforeEach(async () => {
      await shop.saveCard(userId)
      await configure()
      shop.stripe.failPayments(await customerOf(), 'pm_card_authenticationRequired')
    })

    it('while its payment waits for the buyer gives that up, and a new card is not charged', async () => {
      await use(45)
      const off = { status: 'off', isPaying: false, recoveryUrl: null, thisMonth: { count: 0 } }
      expect(await configure({ enabled: false })).toMatchObject(off)
      await shop.settled()
      await shop.pass(2 * 60_000)
      await runDue()
      await newCardAndUse()
      expect(await view()).toMatchObject(off)
      expect((await payments()).map(({ status }) => status)).toEqual(['canceled'])
      expect(told.map(({ status }) => status)).toEqual(['action_required'])
    })

    it('before the bank refuses its payment stays off, and no page is opened for it', async () => {
      shop.stripe.failNext(lost)
      shop.stripe.delivery = 'drop'
      await use(45)
      expect(await configure({ enabled: false })).toMatchObject({ status: 'off', isPaying: true })
      shop.stripe.delivery = 'auto'
      await shop.pass(2 * 60_000)
      await runDue()
      await newCardAndUse()
      expect(await view()).toMatchObject({ status: 'off', isPaying: false, recoveryUrl: null })
      expect(await payments()).toHaveLength(1)
      expect((await shop.api.checkout.sessions.list()).data.filter(({ mode }) => mode === 'payment')).toEqual([])
    })

    it('while Stripe can not be asked is off all the same', async () => {
      await use(45)
      shop.stripe.failNext({ path: '/v1/payment_intents', method: 'POST', status: 503 })
      expect(await configure({ enabled: false })).toMatchObject({ status: 'off' })
      await shop.pass(2 * 60_000)
      await runDue()
      await newCardAndUse()
      expect(await view()).toMatchObject({ status: 'off', isPaying: false })
      expect(await succeeded()).toBe(0)
    })
  })

  it('131 while the user has a checkout open pays, and both are granted', async () => {
    await shop.saveCard(userId)
    await configure()
    const { packageId } = shop
    const { sessionId } = await shop.credits.marketplace.createCheckout({ userId, packageId })
    await use(45)
    expect(await shop.balance(userId)).toBe(105)
    await shop.stripe.complete(sessionId)
    expect(await shop.balance(userId)).toBe(205)
    expect(await succeeded()).toBe(2)
  })
})
