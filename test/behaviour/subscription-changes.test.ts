import { expect, it } from 'vitest'
import type { UpgradePolicy } from '../../src/ledger/subscription.js'
import { expectSound } from '../conformance/credit-store/bench.js'
import { ledger } from './planning.js'
import { onEveryStore } from './stage.js'
import { PAID_PLANS, subscriber } from './subscribing.js'

const MARCH = new Date('2026-03-10T12:00:00.000Z')
const APRIL = new Date('2026-04-10T12:00:00.000Z')
const MAY = new Date('2026-05-10T12:00:00.000Z')
const NEXT_YEAR = new Date('2027-03-10T12:00:00.000Z')
/** The middle of the first period, which has 31 days. */
const MIDDLE = new Date('2026-03-26T00:00:00.000Z')

/** What Stripe bills at once for another price in the middle of a period. */
const change = (from: string, to: string, quantity = 1) => [
  { price: from, proration: true, amountMinor: -500, from: MIDDLE, until: APRIL },
  { price: to, proration: true, amountMinor: 1250, quantity, from: MIDDLE, until: APRIL },
]

onEveryStore('an upgrade in the middle of a period', (open) => {
  for (const [upgrade, brings] of [
    ['prorate', 75],
    ['full', 150],
    ['none', 0],
  ] as const satisfies [UpgradePolicy, number][]) {
    it(`brings ${brings} of 150 more credits at once by the policy ${upgrade}, and all of them from the next period on`, async () => {
      const { clock, ...stage } = open()
      const plans = { ...PAID_PLANS, pro: { ...PAID_PLANS.pro, grants: PAID_PLANS.pro?.grants ?? [], upgrade } }
      const { credits, userId, pay } = subscriber(stage, { plans })
      await pay([{ from: MARCH, until: APRIL }])
      clock.set(MIDDLE.toISOString())
      await pay(change('price_basic', 'price_pro'))
      expect(await credits.getBalance(userId, 'calling')).toBe(100 + brings)
      clock.set('2026-04-10T13:00:00.000Z')
      await pay([{ price: 'price_pro', from: APRIL, until: MAY }])
      expect(await credits.getBalance(userId, 'calling')).toBe(250)
      await expectSound(credits, userId)
    })
  }

  it('gains nothing by going to and fro', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ from: MARCH, until: APRIL }])
    clock.set(MIDDLE.toISOString())
    for (let round = 0; round < 3; round += 1) {
      await pay(change('price_basic', 'price_pro'))
      await pay(change('price_pro', 'price_basic'))
    }
    expect(await credits.getBalance(userId, 'calling')).toBe(175)
    await expectSound(credits, userId)
  })

  it('that is billed with the next period only brings nothing for the time that is over', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ from: MARCH, until: APRIL }])
    clock.set('2026-04-10T13:00:00.000Z')
    await pay([...change('price_basic', 'price_pro'), { price: 'price_pro', from: APRIL, until: MAY }])
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    await expectSound(credits, userId)
  })

  it('G4 of seats brings the new seats’ share; a seat that goes and comes back brings nothing', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ from: MARCH, until: APRIL, quantity: 2 }])
    clock.set(MIDDLE.toISOString())
    await pay(change('price_basic', 'price_basic', 3))
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    await pay(change('price_basic', 'price_basic', 2))
    await pay(change('price_basic', 'price_basic', 3))
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    clock.set('2026-04-10T13:00:00.000Z')
    await pay([{ from: APRIL, until: MAY, quantity: 2 }])
    expect(await credits.getBalance(userId, 'calling')).toBe(200)
    await expectSound(credits, userId)
  })

  it('to a yearly price ends the month, gives back what of it was not used, and begins the year', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ price: 'price_pro', from: MARCH, until: APRIL }])
    await credits.deductCredits(userId, 50, 'calling', 'Call')
    clock.set(MIDDLE.toISOString())
    const until = new Date('2027-03-26T00:00:00.000Z')
    await pay([
      { price: 'price_pro', proration: true, amountMinor: -500, from: MIDDLE, until: APRIL },
      { price: 'price_pro_year', from: MIDDLE, until },
    ])
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    clock.set('2026-04-26T00:00:00.000Z')
    await credits.deductCredits(userId, 1, 'calling', 'Call')
    expect((await ledger(credits, userId)).filter((row) => row.startsWith('adj'))).toHaveLength(3)
    await expectSound(credits, userId)
  })

  it('by interval gains nothing for credits of the period that were used already', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ price: 'price_pro', from: MARCH, until: APRIL }])
    await credits.deductCredits(userId, 250, 'calling', 'Call')
    clock.set(MIDDLE.toISOString())
    await pay([{ price: 'price_pro_year', from: MIDDLE, until: new Date('2027-03-26T00:00:00.000Z') }])
    // Half of the month's money was given back, so half of its credits count for the new period.
    expect(await credits.getBalance(userId, 'calling')).toBe(125)
    await expectSound(credits, userId)
  })
})

onEveryStore('a refunded invoice', (open) => {
  it('takes its credits back, in proportion, and never twice', async () => {
    const { credits, userId, pay, refund, hear } = subscriber(open())
    const invoice = await pay([{ from: MARCH, until: APRIL }], { paidMinor: 999 })
    await refund(invoice, 333)
    expect(await credits.getBalance(userId, 'calling')).toBe(67)
    await refund(invoice, 333)
    await refund(invoice, 333)
    await hear(invoice)
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-03-10',
      'clawback -33',
      'clawback -33',
      'clawback -34',
    ])
    await expectSound(credits, userId)
  })

  it('leaves debt for what was used, and gives it back when the refund fails', async () => {
    const { credits, userId, pay, refund, hear } = subscriber(open())
    const invoice = await pay([{ from: MARCH, until: APRIL }])
    await credits.deductCredits(userId, 70, 'calling', 'Call')
    const made = await refund(invoice)
    expect(await credits.getBalance(userId, 'calling')).toBe(-70)
    made.status = 'failed'
    await hear(invoice)
    expect(await credits.getBalance(userId, 'calling')).toBe(30)
    await expectSound(credits, userId)
  })

  it('of which we hear first takes its credits when we hear of the invoice', async () => {
    const { credits, userId, till, pay, hear } = subscriber(open())
    const open_ = await pay([{ from: MARCH, until: APRIL }], { status: 'open' })
    const { paymentId, currency } = open_
    const refund = { refundId: `re_${open_.invoiceId}`, amountMinor: 500, currency, status: 'succeeded' as const }
    till.refunds.set(paymentId ?? '', [{ ...refund, keepCredits: false }])
    const paid = { ...open_, status: 'paid' as const }
    till.invoices.set(paid.invoiceId, paid)
    await hear(paid)
    expect(await credits.getBalance(userId, 'calling')).toBe(50)
    await expectSound(credits, userId)
  })

  it('takes from each of its credit types in proportion', async () => {
    const { credits, userId, pay, refund } = subscriber(open())
    const invoice = await pay([{ price: 'price_team', from: MARCH, until: APRIL }])
    await refund(invoice, 500)
    expect(await credits.getBalance(userId, 'calling')).toBe(25)
    expect(await credits.getBalance(userId, 'scraping')).toBe(4)
    await expectSound(credits, userId)
  })

  it('of a year first takes the months to come, the last ones first', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay, refund } = subscriber(stage)
    const invoice = await pay([{ price: 'price_pro_year', from: MARCH, until: NEXT_YEAR }], { paidMinor: 12_000 })
    clock.set('2026-05-20T12:00:00.000Z')
    await refund(invoice, 9000)
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    clock.set('2026-06-20T12:00:00.000Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect((await ledger(credits, userId)).filter((row) => row.startsWith('claw'))).toEqual([])
    await expectSound(credits, userId)
  })

  it('of a part of a year keeps the months before', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay, refund } = subscriber(stage)
    const invoice = await pay([{ price: 'price_pro_year', from: MARCH, until: NEXT_YEAR }], { paidMinor: 12_000 })
    await refund(invoice, 1500)
    for (const [month, balance] of [
      ['2026-12-20', 250],
      ['2027-01-20', 125],
      ['2027-02-20', 0],
    ] as const) {
      clock.set(`${month}T12:00:00.000Z`)
      expect(await credits.getBalance(userId, 'calling')).toBe(balance)
    }
    await expectSound(credits, userId)
  })

  it('of a whole year after some months takes what they brought, too, and all comes back when it fails', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay, refund, hear } = subscriber(stage)
    const invoice = await pay([{ price: 'price_pro_year', from: MARCH, until: NEXT_YEAR }], { paidMinor: 12_000 })
    await credits.deductCredits(userId, 100, 'calling', 'Call')
    clock.set('2026-04-20T12:00:00.000Z')
    const made = await refund(invoice)
    // 100 were used, 150 expired unused, 250 are there.
    expect(await credits.getBalance(userId, 'calling')).toBe(-100)
    clock.set('2026-04-21T12:00:00.000Z')
    made.status = 'failed'
    await hear(invoice)
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    clock.set('2026-05-20T12:00:00.000Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    await expectSound(credits, userId)
  })

  it('of a year whose subscription has ended takes only what was brought', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay, refund, tell } = subscriber(stage)
    await credits.addCredits({
      userId,
      amount: 500,
      creditType: 'calling',
      description: 'Bought',
      transactionType: 'purchase',
    })
    const invoice = await pay([{ price: 'price_pro_year', from: MARCH, until: NEXT_YEAR }], { paidMinor: 12_000 })
    await tell({ status: 'canceled', endedAt: MARCH })
    clock.set('2026-05-20T12:00:00.000Z')
    await refund(invoice)
    expect(await credits.getBalance(userId, 'calling')).toBe(500)
    await expectSound(credits, userId)
  })
})
