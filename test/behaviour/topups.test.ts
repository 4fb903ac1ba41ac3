import { expect, it } from 'vitest'
import {
  InsufficientCreditsError,
  InvalidInputError,
  PackageInactiveError,
  PackageNotFoundError,
} from '../../src/index.js'
import { expectSound } from '../conformance/credit-store/bench.js'
import { HOUR, onEveryStore } from './stage.js'
import { quiet, topupUser } from './topping-up.js'

const DAY = 24 * HOUR

onEveryStore('an automatic top-up', (open) => {
  it('pays once when spending brings the balance to the threshold', async () => {
    const { credits, userId, till, configure, use, balance, view } = await topupUser(open())
    await configure()
    await use(39)
    expect(till.asked).toEqual([])
    await use(1)
    expect(await balance()).toBe(110)
    expect(till.asked).toMatchObject([{ userId, amountMinor: 999, currency: 'usd', customerId: `cus_${userId}` }])
    expect(await view()).toMatchObject({ status: 'active', isPaying: false, thisMonth: { count: 1, amountMinor: 999 } })
    const [bought] = await credits.getTransactionHistory(userId, 'calling', 1)
    expect(bought).toMatchObject({ transactionType: 'purchase', amount: 100, referenceType: 'payment' })
    await expectSound(credits, userId)
  })

  it('pays once for twenty uses at once', async () => {
    const { credits, userId, till, configure, balance, settled } = await topupUser(open())
    await configure({ threshold: 49 })
    const use = { userId, amount: 1, creditType: 'calling', description: 'Call' } as const
    await Promise.all(Array.from({ length: 20 }, () => credits.deductCredits(use)))
    await settled()
    expect(new Set(till.asked.map(({ purchaseId }) => purchaseId)).size).toBe(1)
    expect(await balance()).toBe(130)
    await expectSound(credits, userId)
  })

  it('goes on until the balance is above the threshold', async () => {
    const { credits, till, configure, use, balance } = await topupUser(open())
    await configure({ threshold: 250 })
    await use(1)
    expect(till.asked).toHaveLength(1)
    await credits.runDue()
    await credits.runDue()
    await credits.runDue()
    expect(till.asked).toHaveLength(3)
    expect(await balance()).toBe(349)
  })

  it('is asked for by a hold, too', async () => {
    const { credits, userId, till, configure, settled } = await topupUser(open())
    await configure()
    await credits.holdCredits({ userId, amount: 45, creditType: 'calling', description: 'Call' })
    await settled()
    expect(till.asked).toHaveLength(1)
  })

  it('H7 that fails never fails the spending that asked for it', async () => {
    const { credits, userId, till, configure, use, balance } = await topupUser(open())
    till.answers = ['hard']
    await configure()
    await use(45)
    expect(await balance()).toBe(5)
    const tooMuch = credits.deductCredits({ userId, amount: 6, creditType: 'calling', description: 'Call' })
    await expect(tooMuch).rejects.toThrow(InsufficientCreditsError)
  })

  it('H2 a soft decline is tried again after a day, twice, and then suspends it', async () => {
    const { clock, ...stage } = open()
    const { credits, till, configure, use, view } = await topupUser({ clock, ...stage })
    till.answers = ['soft']
    await configure()
    await use(45)
    expect(await view()).toMatchObject({ status: 'active', lastFailure: 'code_soft', thisMonth: { count: 0 } })
    clock.advance(DAY - 1)
    await credits.runDue()
    expect(till.asked).toHaveLength(1)
    clock.advance(1)
    await credits.runDue()
    expect(till.asked).toHaveLength(2)
    clock.advance(DAY)
    await credits.runDue()
    expect(await view()).toMatchObject({ status: 'suspended', isPaying: false })
    clock.advance(30 * DAY)
    await credits.runDue()
    await use(1)
    expect(till.asked).toHaveLength(3)
    expect(new Set(till.asked.map(({ purchaseId }) => purchaseId)).size).toBe(3)
  })

  it('H2 a hard decline suspends it until there is a new card', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, till, configure, use, view, tell, balance } = await topupUser({ clock, ...stage })
    till.answers = ['hard', 'pays']
    await configure()
    await use(45)
    expect(await view()).toMatchObject({ status: 'suspended', lastFailure: 'code_hard' })
    await credits.runDue()
    expect(await configure({ threshold: 20 })).toMatchObject({ status: 'suspended' })
    expect(till.asked).toHaveLength(1)
    const before = new Date(clock.now().getTime() - 60_000)
    await tell({ kind: 'card_saved', customerId: `cus_${userId}`, savedAt: before })
    expect(await view()).toMatchObject({ status: 'suspended' })
    await tell({ kind: 'card_saved', customerId: `cus_${userId}`, savedAt: clock.now() })
    expect(await view()).toMatchObject({ status: 'active' })
    await credits.runDue()
    expect(await balance()).toBe(105)
  })

  it('without a card or a customer waits for one', async () => {
    const { till, configure, use, view } = await topupUser(open())
    till.answers = ['card_missing']
    await configure()
    await use(45)
    expect(await view()).toMatchObject({ status: 'suspended', lastFailure: 'code_card_missing', isPaying: false })
  })

  it('H3 keeps to the number of top-ups per month, also when three are asked for at once', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, till, configure, use, balance } = await topupUser({ clock, ...stage })
    await configure({ threshold: 1000, maxPerMonth: 2 })
    await use(1)
    await Promise.all([credits.runDue(), credits.runDue(), credits.runDue()])
    await credits.runDue()
    expect(new Set(till.asked.map(({ purchaseId }) => purchaseId)).size).toBe(2)
    expect(await balance()).toBe(249)
    clock.set('2026-04-01T00:00:00.000Z')
    await credits.runDue()
    expect(await balance()).toBe(349)
    await expectSound(credits, userId)
  })

  it('H3 keeps to the money per month', async () => {
    const { credits, configure, use, view, till } = await topupUser(open())
    await configure({ threshold: 1000, maxAmountMinor: 2500 })
    await use(1)
    for (let run = 0; run < 4; run += 1) await credits.runDue()
    expect(till.asked).toHaveLength(2)
    expect(await view()).toMatchObject({
      thisMonth: { count: 2, amountMinor: 1998 },
      retryAt: new Date('2026-04-01T00:00:00.000Z'),
    })
  })

  it('H5 whose answer was lost is settled without paying twice', async () => {
    const { clock, ...stage } = open()
    const { credits, till, configure, use, view, balance } = await topupUser({ clock, ...stage })
    till.answers = ['answer lost', 'pays']
    await configure()
    await use(45)
    expect(await balance()).toBe(5)
    expect(await view()).toMatchObject({ isPaying: true })
    clock.advance(2 * 60_000)
    await credits.runDue()
    expect(await balance()).toBe(105)
    expect(till.payments.size).toBe(1)
    expect(await view()).toMatchObject({ isPaying: false, thisMonth: { count: 1 } })
  })

  for (const answer of ['never reached', 'out of order'] as const) {
    it(`that ${answer === 'never reached' ? 'never reached the provider' : 'the provider had no time for'} is sent again under the same name`, async () => {
      const { clock, ...stage } = open()
      const { credits, till, configure, use, balance } = await topupUser({ clock, ...stage })
      till.answers = [answer, 'pays']
      await configure()
      await use(45)
      await use(1)
      expect(till.asked).toHaveLength(1)
      clock.advance(2 * 60_000)
      await credits.runDue()
      expect(await balance()).toBe(104)
      expect(new Set(till.asked.map(({ purchaseId }) => purchaseId)).size).toBe(1)
    })
  }

  it('is given up rather than sent again after a day, when the provider may have forgotten its name', async () => {
    const { clock, ...stage } = open()
    const { credits, till, configure, use, view } = await topupUser({ clock, ...stage })
    till.answers = ['never reached', 'pays']
    await configure()
    await use(45)
    clock.advance(DAY)
    await credits.runDue()
    expect(till.asked).toHaveLength(1)
    expect(await view()).toMatchObject({ status: 'active', lastFailure: 'never_sent', isPaying: false })
    clock.advance(DAY)
    await credits.runDue()
    expect(new Set(till.asked.map(({ purchaseId }) => purchaseId)).size).toBe(2)
  })

  it('H5 that the webhook tells of first is granted once', async () => {
    const { till, configure, use, tell, balance, credits, userId } = await topupUser(open())
    till.answers = ['answer lost']
    await configure()
    await use(45)
    const [purchaseId] = till.payments.keys()
    const event = { kind: 'payment_succeeded', paymentId: `pi_${purchaseId}`, purchaseId: purchaseId ?? null } as const
    await Promise.all([tell(event), tell(event), tell(event), credits.runDue()])
    expect(await balance()).toBe(105)
    await expectSound(credits, userId)
  })

  it('that is processing waits for its money', async () => {
    const { clock, ...stage } = open()
    const { credits, till, configure, use, view, tell, balance } = await topupUser({ clock, ...stage })
    till.answers = ['processing']
    await configure()
    await use(45)
    clock.advance(DAY * 2)
    await credits.runDue()
    expect(await view()).toMatchObject({ isPaying: true, thisMonth: { count: 1 } })
    expect(till.asked).toHaveLength(1)
    const [payment] = till.payments.values()
    if (payment === undefined) throw new Error('nothing was asked for')
    Object.assign(payment, { state: 'succeeded', amountMinor: 999 })
    await tell({ kind: 'payment_succeeded', paymentId: payment.paymentId ?? '', purchaseId: payment.purchaseId })
    expect(await balance()).toBe(105)
  })

  it('H6 that needs the buyer gives a page to pay on, and goes on when they have paid there', async () => {
    const failed: unknown[] = []
    const { credits, till, configure, use, view, settled, balance, userId } = await topupUser(open(), {
      on: { topupFailed: (event) => failed.push(event) },
    })
    till.answers = ['authentication_required', 'pays']
    await configure()
    await use(45)
    await settled()
    const { status, recoveryUrl } = await view()
    expect(status).toBe('action_required')
    expect(failed).toMatchObject([
      { status: 'action_required', failureCode: 'code_authentication_required', recoveryUrl },
    ])
    const [checkout] = till.checkouts.values()
    expect(recoveryUrl).toBe(checkout?.url)
    await credits.runDue()
    expect(till.asked).toHaveLength(1)

    Object.assign(checkout ?? {}, { state: 'paid', paymentId: `pi_recovery_${userId}`, url: null })
    await credits.marketplace.verifyCheckout({ userId, sessionId: checkout?.sessionId ?? '' })
    expect(await balance()).toBe(105)
    expect(await view()).toMatchObject({ status: 'active', recoveryUrl: null, isPaying: false })
    expect(till.canceled).toEqual([till.payments.values().next().value?.paymentId])
    await expectSound(credits, userId)
  })

  it('H6 that the buyer confirms after all is granted, and goes on', async () => {
    const { till, configure, use, view, tell, balance } = await topupUser(open())
    till.answers = ['authentication_required', 'pays']
    await configure()
    await use(45)
    const [payment] = till.payments.values()
    if (payment === undefined) throw new Error('nothing was asked for')
    Object.assign(payment, { state: 'succeeded', amountMinor: 999, failure: null })
    await tell({ kind: 'payment_succeeded', paymentId: payment.paymentId ?? '', purchaseId: payment.purchaseId })
    expect(await balance()).toBe(105)
    expect(await view()).toMatchObject({ status: 'active', recoveryUrl: null, isPaying: false })
  })

  it('that the provider does not take, whatever the card, is tried every day and never suspended for it', async () => {
    const { clock, ...stage } = open()
    const warnings: unknown[] = []
    const logger = { ...quiet, warn: (context: object) => void warnings.push(context) }
    const { credits, till, configure, use, view, balance } = await topupUser({ clock, ...stage }, { logger })
    till.answers = ['not_tried']
    await configure()
    await use(45)
    for (let day = 1; day <= 4; day += 1) {
      expect(await view()).toMatchObject({
        status: 'active',
        lastFailure: 'code_not_tried',
        retryAt: new Date(clock.now().getTime() + DAY),
        thisMonth: { count: 0 },
      })
      await credits.runDue()
      expect(till.asked).toHaveLength(day)
      clock.advance(DAY)
      if (day === 4) till.answers = ['pays']
      await credits.runDue()
    }
    expect(await balance()).toBe(105)
    expect(warnings).toHaveLength(4)
    expect(warnings[0]).toMatchObject({ failure: { code: 'code_not_tried', message: 'Declined' } })
  })

  it('switched off pays no more, also in mid-flight', async () => {
    const { till, configure, use, credits, view } = await topupUser(open())
    till.answers = ['soft', 'pays']
    await configure()
    await configure({ enabled: false })
    await use(45)
    await credits.runDue()
    expect(till.asked).toEqual([])
    expect(await view()).toMatchObject({ status: 'off' })
    await configure()
    await use(1)
    expect(till.asked).toHaveLength(1)
  })

  it('switched off before it reached the provider is not sent again', async () => {
    const { clock, ...stage } = open()
    const { credits, till, configure, use, view } = await topupUser({ clock, ...stage })
    till.answers = ['never reached', 'pays']
    await configure()
    await use(45)
    await configure({ enabled: false })
    clock.advance(2 * 60_000)
    await credits.runDue()
    expect(till.asked).toHaveLength(1)
    expect(await view()).toMatchObject({ status: 'off', isPaying: false, thisMonth: { count: 0 } })
  })

  it('switched off at the moment its buyer confirms it is granted, and is off', async () => {
    const { till, configure, use, view, balance } = await topupUser(open())
    till.answers = ['authentication_required']
    await configure()
    await use(45)
    for (const payment of till.payments.values()) {
      Object.assign(payment, { state: 'succeeded', amountMinor: 999, failure: null })
    }
    expect(await configure({ enabled: false })).toMatchObject({ status: 'off', isPaying: false })
    expect(await balance()).toBe(105)
    expect(await view()).toMatchObject({ status: 'off', thisMonth: { count: 1 } })
  })

  it('stops for a package that is no longer sold', async () => {
    const { credits, packageId, till, configure, use, view } = await topupUser(open())
    await configure()
    await credits.marketplace.updatePackage({ id: packageId, isActive: false })
    await use(45)
    expect(till.asked).toEqual([])
    expect(await view()).toMatchObject({ status: 'suspended', lastFailure: 'package_inactive' })
    await credits.marketplace.updatePackage({ id: packageId, isActive: true })
    expect(await configure()).toMatchObject({ status: 'active' })
  })

  it('is never caused by money that went back', async () => {
    const stage = open()
    const { credits, userId, till, configure, use } = await topupUser(stage)
    await configure({ maxPerMonth: 1 })
    await use(45)
    expect(till.asked).toHaveLength(1)
    const [purchaseId] = till.payments.keys()
    const paymentId = `pi_${purchaseId}`
    const refund = { refundId: `re_${purchaseId}`, amountMinor: 999, currency: 'usd', status: 'succeeded' as const }
    const reversals = {
      paymentId,
      chargeId: null,
      purchaseId: purchaseId ?? null,
      invoiceId: null,
      capturedMinor: 999,
      currency: 'usd',
      refunds: [{ ...refund, keepCredits: false }],
      disputes: [],
      livemode: false,
    }
    await configure({ maxPerMonth: 10 })
    await credits.marketplace.processEvent({
      eventId: `evt_${purchaseId}`,
      type: 'refund',
      livemode: false,
      created: 0,
      translate: async () => ({ kind: 'payment_reversed', reversals }),
    })
    await credits.runDue()
    expect(await credits.getBalance(userId, 'calling')).toBe(5)
    expect(till.asked).toHaveLength(1)
  })

  it('refuses settings that can’t be, and writes nothing', async () => {
    const { credits, userId, packageId, configure } = await topupUser(open())
    const other = await credits.marketplace.createPackage({
      name: 'Other',
      creditAmount: 1,
      price: 1,
      creditType: 'scraping',
    })
    for (const wrong of [
      { threshold: -1 },
      { threshold: 0.5 },
      { packageId: other.id },
      { maxAmountMinor: 998 },
      { maxPerMonth: 0 },
    ]) {
      await expect(configure(wrong)).rejects.toThrow(InvalidInputError)
    }
    await expect(configure({ packageId: 999_999 })).rejects.toThrow(PackageNotFoundError)
    await credits.marketplace.updatePackage({ id: packageId, isActive: false })
    await expect(configure()).rejects.toThrow(PackageInactiveError)
    expect(await credits.marketplace.getAutoTopup({ userId, creditType: 'calling' })).toBeNull()
  })
})
