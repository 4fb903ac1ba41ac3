import { describe, expect, it } from 'vitest'
import { CreditService, InvalidInputError } from '../../src/index.js'
import { expectSound } from '../conformance/credit-store/bench.js'
import { ledger } from './planning.js'
import { onEveryStore } from './stage.js'
import { subscriber } from './subscribing.js'

const MARCH = new Date('2026-03-10T12:00:00.000Z')
const APRIL = new Date('2026-04-10T12:00:00.000Z')
const MAY = new Date('2026-05-10T12:00:00.000Z')
const JUNE = new Date('2026-06-10T12:00:00.000Z')
const NEXT_YEAR = new Date('2027-03-10T12:00:00.000Z')
const HOUR_LATER = '2026-04-10T13:00:00.000Z'

onEveryStore('a subscription', (open) => {
  it('grants the plan’s credits with its first paid invoice, until a day after the period ends', async () => {
    const { credits, userId, pay } = subscriber(open())
    await pay([{ from: MARCH, until: APRIL }])
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    const [grant] = await credits.getGrants(userId)
    expect(grant).toMatchObject({
      amount: 100,
      source: 'subscription',
      expiresAt: new Date('2026-04-11T12:00:00.000Z'),
    })
    await expectSound(credits, userId)
  })

  it('G5 grants once, however often and by however many at once an invoice is told of', async () => {
    const { credits, userId, pay, hear } = subscriber(open())
    const invoice = await pay([{ from: MARCH, until: APRIL }])
    await Promise.all(Array.from({ length: 8 }, () => hear(invoice)))
    expect(await ledger(credits, userId)).toEqual(['adjustment 100 @ 2026-03-10'])
    await expectSound(credits, userId)
  })

  it('grants once when the first news of an invoice comes eight times at once', async () => {
    const { credits, userId, pay, hear, till } = subscriber(open())
    const draft = await pay([{ from: MARCH, until: APRIL }], { status: 'open' })
    const paid = { ...draft, status: 'paid' as const }
    till.invoices.set(paid.invoiceId, paid)
    await Promise.all(Array.from({ length: 8 }, () => hear(paid)))
    expect(await ledger(credits, userId)).toEqual(['adjustment 100 @ 2026-03-10'])
    await expectSound(credits, userId)
  })

  it('grants nothing for an invoice that is not paid', async () => {
    const { credits, userId, pay } = subscriber(open())
    for (const status of ['draft', 'open', 'uncollectible', 'void'] as const) {
      await pay([{ from: MARCH, until: APRIL }], { status })
    }
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect(await credits.getTransactionHistory(userId)).toEqual([])
  })

  it('renews when the next invoice is paid, an hour late as they are, and what was left ends then', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ from: MARCH, until: APRIL }])
    await credits.deductCredits(userId, 40, 'calling', 'Call')
    clock.set(HOUR_LATER)
    expect(await credits.getBalance(userId, 'calling')).toBe(60)
    await pay([{ from: APRIL, until: MAY }])
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    expect(await ledger(credits, userId)).toEqual([
      'adjustment 100 @ 2026-03-10',
      'usage -40',
      'expiration -60 @ 2026-04-10',
      'adjustment 100 @ 2026-04-10',
    ])
    await expectSound(credits, userId)
  })

  it('G8 past due: the last period’s credits end a day after it, and come back with the payment', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ from: MARCH, until: APRIL }])
    clock.set('2026-04-11T11:59:59.999Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    clock.set('2026-04-11T12:00:00.000Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    await credits.runDue()
    clock.set('2026-04-20T12:00:00.000Z')
    await pay([{ from: APRIL, until: MAY }])
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    expect((await credits.getGrants(userId))[0]?.expiresAt).toEqual(new Date('2026-05-11T12:00:00.000Z'))
    await expectSound(credits, userId)
  })

  it('pays a period that is over in full, for as long as it would have lasted', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    clock.set('2026-04-20T12:00:00.000Z')
    await pay([{ from: MARCH, until: APRIL }])
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    expect((await credits.getGrants(userId))[0]?.expiresAt).toEqual(new Date('2026-05-21T12:00:00.000Z'))
    await expectSound(credits, userId)
  })

  it('brings an older period’s credits beside a younger one’s, when its invoice comes late', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    clock.set('2026-04-10T13:00:00.000Z')
    await pay([{ from: APRIL, until: MAY }])
    await pay([{ from: MARCH, until: APRIL }])
    expect(await credits.getBalance(userId, 'calling')).toBe(200)
    clock.set('2026-05-10T13:00:00.000Z')
    await pay([{ from: MAY, until: JUNE }])
    expect((await ledger(credits, userId)).filter((row) => row.startsWith('adj'))).toHaveLength(3)
    await expectSound(credits, userId)
  })

  it('keeps up to its cap of unused credits', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ price: 'price_saving', from: MARCH, until: APRIL }])
    await credits.deductCredits(userId, 20, 'calling', 'Call')
    clock.set(HOUR_LATER)
    await pay([{ price: 'price_saving', from: APRIL, until: MAY }])
    expect(await credits.getBalance(userId, 'calling')).toBe(130)
    await expectSound(credits, userId)
  })

  it('counts seats: the plan’s credits times the quantity', async () => {
    const { credits, userId, pay } = subscriber(open())
    await pay([{ from: MARCH, until: APRIL, quantity: 3 }])
    expect(await credits.getBalance(userId, 'calling')).toBe(300)
  })

  it('grants every credit type of its plan, and every item of its invoice', async () => {
    const { credits, userId, pay } = subscriber(open())
    await pay([
      { price: 'price_team', from: MARCH, until: APRIL },
      { price: 'price_basic', itemId: `si_second_${userId}`, from: MARCH, until: APRIL },
    ])
    expect(await credits.getBalance(userId, 'calling')).toBe(150)
    expect(await credits.getBalance(userId, 'scraping')).toBe(7)
    await expectSound(credits, userId)
  })

  it('ignores lines whose price sells none of our plans', async () => {
    const { credits, userId, pay } = subscriber(open())
    const lines = [
      { price: 'price_of_another_app', from: MARCH, until: APRIL },
      { price: 'price_basic', itemId: null, from: MARCH, until: APRIL },
    ]
    const { invoiceId } = await pay(lines, { userId: null })
    expect(await credits.getAllBalances(userId)).toMatchObject({ calling: { balance: 0 } })
    const entries = await credits.marketplace.listQuarantine({ limit: 200 })
    expect(entries.filter((entry) => entry.invoiceId === invoiceId)).toEqual([])
  })

  it('grants a yearly price’s credits month by month, whether or not anything runs', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    await pay([{ price: 'price_pro_year', from: MARCH, until: NEXT_YEAR }], { paidMinor: 12_000 })
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    await credits.deductCredits(userId, 50, 'calling', 'Call')
    clock.set('2026-12-10T12:00:00.000Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    clock.set('2027-03-10T11:00:00.000Z')
    await credits.runDue()
    expect((await ledger(credits, userId)).filter((row) => row.startsWith('adj'))).toHaveLength(12)
    clock.set('2027-04-10T12:00:00.000Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    await expectSound(credits, userId)
  })

  it('anchored on the 31st grants once for each of its invoices', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    const ends = ['01-31', '02-28', '03-31', '04-30', '05-31', '06-30'].map(
      (day) => new Date(`2026-${day}T10:00:00.000Z`),
    )
    for (const [index, from] of ends.slice(0, -1).entries()) {
      clock.set(new Date(from.getTime() + 3_600_000).toISOString())
      await pay([{ from, until: ends[index + 1] ?? from }])
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
    }
    expect((await ledger(credits, userId)).filter((row) => row.startsWith('adj'))).toHaveLength(5)
    await expectSound(credits, userId)
  })

  it('first heard of in February grants once for each invoice of longer months, too', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    const ends = ['02-28', '03-31', '04-30', '05-31'].map((day) => new Date(`2026-${day}T10:00:00.000Z`))
    for (const [index, from] of ends.slice(0, -1).entries()) {
      clock.set(new Date(from.getTime() + 3_600_000).toISOString())
      await pay([{ from, until: ends[index + 1] ?? from }])
      await credits.runDue()
    }
    clock.set('2026-05-30T10:00:00.000Z')
    await credits.runDue()
    expect((await ledger(credits, userId)).filter((row) => row.startsWith('adj'))).toHaveLength(3)
    await expectSound(credits, userId)
  })

  it('brings its trial’s credits and no more while nothing is paid', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay } = subscriber(stage)
    const trialEnd = new Date('2026-03-24T12:00:00.000Z')
    const free = { paidMinor: 0, paymentId: null }
    await pay([{ price: 'price_tried', trial: true, amountMinor: 0, from: MARCH, until: trialEnd }], free)
    expect(await credits.getBalance(userId, 'calling')).toBe(20)
    clock.set('2026-03-24T13:00:00.000Z')
    await pay([{ price: 'price_tried', from: trialEnd, until: new Date('2026-04-24T12:00:00.000Z') }])
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    await expectSound(credits, userId)
  })

  it('brings nothing for a trial unless its plan says so', async () => {
    const { credits, userId, pay } = subscriber(open())
    await pay([{ trial: true, amountMinor: 0, from: MARCH, until: APRIL }], { paidMinor: 0, paymentId: null })
    expect(await credits.getTransactionHistory(userId)).toEqual([])
  })

  it('with a coupon for everything brings all its credits', async () => {
    const { credits, userId, pay } = subscriber(open())
    await pay([{ from: MARCH, until: APRIL, amountMinor: 1000 }], { paidMinor: 0, paymentId: null })
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
  })
})

onEveryStore('the end of a subscription', (open) => {
  it('G2 leaves the paid period its credits, and bought ones for ever', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay, tell } = subscriber(stage)
    await credits.addCredits({
      userId,
      amount: 300,
      creditType: 'calling',
      description: 'Bought',
      transactionType: 'purchase',
    })
    await pay([{ from: MARCH, until: APRIL }])
    await tell({ status: 'canceled', endedAt: MARCH })
    expect(await credits.getBalance(userId, 'calling')).toBe(400)
    clock.set(APRIL.toISOString())
    expect(await credits.getBalance(userId, 'calling')).toBe(300)
    await expectSound(credits, userId)
  })

  it('stops the months of a yearly price that were to come', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay, tell } = subscriber(stage)
    await pay([{ price: 'price_pro_year', from: MARCH, until: NEXT_YEAR }])
    await tell({ status: 'canceled', endedAt: MARCH })
    clock.set('2026-06-10T12:00:00.000Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect((await ledger(credits, userId)).filter((row) => row.startsWith('adj'))).toHaveLength(1)
    await expectSound(credits, userId)
  })

  it('told within its grace ends what was left', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay, tell } = subscriber(stage)
    await pay([{ from: MARCH, until: APRIL }])
    clock.set(HOUR_LATER)
    expect(await credits.getBalance(userId, 'calling')).toBe(100)
    await tell({ status: 'canceled', endedAt: APRIL })
    expect(await credits.getBalance(userId, 'calling')).toBe(0)
    expect(await ledger(credits, userId)).toEqual(['adjustment 100 @ 2026-03-10', 'expiration -100 @ 2026-04-10'])
    await expectSound(credits, userId)
  })

  it('G3 told again after another one has begun leaves that one alone', async () => {
    const { clock, ...stage } = open()
    const first = subscriber(stage)
    await first.pay([{ from: MARCH, until: APRIL }])
    await first.tell({ status: 'canceled', endedAt: MARCH })
    clock.set('2026-04-01T12:00:00.000Z')
    const second = subscriber(stage)
    await second.pay([
      { price: 'price_pro', from: new Date('2026-04-01T12:00:00.000Z'), until: new Date('2026-05-01T12:00:00.000Z') },
    ])
    await first.tell({ status: 'canceled', endedAt: MARCH })
    clock.set('2026-04-12T12:00:00.000Z')
    expect(await first.credits.getBalance(first.userId, 'calling')).toBe(250)
    await expectSound(first.credits, first.userId)
  })

  it('G9 of one of two leaves the other one alone', async () => {
    const { clock, ...stage } = open()
    const [one, two] = [subscriber(stage), subscriber(stage)]
    await one.pay([{ from: MARCH, until: APRIL }])
    await two.pay([{ price: 'price_pro', from: MARCH, until: APRIL }])
    await one.tell({ status: 'canceled', endedAt: MARCH })
    clock.set(HOUR_LATER)
    expect(await one.credits.getBalance(one.userId, 'calling')).toBe(250)
    await expectSound(one.credits, one.userId)
  })

  it('is shown to the user, and an older picture does not undo it', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, tell } = subscriber(stage)
    await tell({ status: 'past_due' })
    expect(await credits.marketplace.getSubscriptions({ userId })).toMatchObject([
      { status: 'past_due', items: [{ plan: 'basic', quantity: 1, periodEnd: APRIL }] },
    ])
    clock.set(APRIL.toISOString())
    await tell({ status: 'canceled', endedAt: APRIL })
    clock.set(MARCH.toISOString())
    await tell({ status: 'active' })
    expect(await credits.marketplace.getSubscriptions({ userId })).toMatchObject([
      { status: 'canceled', endedAt: APRIL },
    ])
  })
})

onEveryStore('a plan that is not sold any more', (open) => {
  it('goes on for who has paid for it', async () => {
    const { clock, ...stage } = open()
    const { credits, userId, pay, change, till, process } = subscriber(stage)
    await pay([{ price: 'price_pro_year', from: MARCH, until: NEXT_YEAR }])
    const subscription = change({ price: 'price_pro_year' })
    await process({ kind: 'subscription', subscription })
    const grants = [{ creditType: 'calling' as const, amount: 1, every: 'week' as const }]
    const later = stage.service({ payments: till, plans: { fresh: { stripePriceId: 'price_new', grants } } })
    await process({ kind: 'subscription', subscription }, later)
    clock.set('2026-05-20T12:00:00.000Z')
    expect(await credits.getBalance(userId, 'calling')).toBe(250)
    await expectSound(credits, userId)
  })
})

describe('plans with prices', () => {
  it('are refused when two of them are sold for the same price', () => {
    const grants = [{ creditType: 'calling' as const, amount: 1, every: 'month' as const }]
    const stage = () =>
      subscriber(
        { service: (options) => new CreditService(options), userId: 'ann' },
        {
          plans: { a: { stripePriceId: 'price_1', grants }, b: { stripePriceId: ['price_2', 'price_1'], grants } },
        },
      )
    expect(stage).toThrow(InvalidInputError)
    expect(stage).toThrow('"price_1" sells the plan "a" already')
  })
})
