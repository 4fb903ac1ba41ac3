import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { periodStart } from '../../src/ledger/period.js'
import { nextPeriodAt } from '../../src/ledger/schedule.js'
import type { Invoice } from '../../src/ports/payments.js'
import { openStage } from '../behaviour/stage.js'
import { type LineTerms, PAID_PLANS, subscriber } from '../behaviour/subscribing.js'
import { stoppedClock } from '../conformance/credit-store/bench.js'
import { SETTINGS, timeFor } from './random-histories.js'

const timeout = timeFor(SETTINGS.numRuns * 2, 100)
const HOUR = 3_600_000

const PRICES = ['price_basic', 'price_pro', 'price_pro_year', 'price_scraping_year'] as const
type Price = (typeof PRICES)[number]

/** What the subscriber does, so many hours after what was before. All of it happens within the first month. */
interface Turn {
  hours: number
  price: Price
  quantity: number
  end: boolean
}

const turn: fc.Arbitrary<Turn> = fc.record({
  hours: fc.integer({ min: 1, max: 60 }),
  price: fc.constantFrom(...PRICES),
  quantity: fc.integer({ min: 1, max: 3 }),
  end: fc.constantFrom(false, false, false, false, false, true),
})
const turns = fc.array(turn, { minLength: 1, maxLength: 6 })
const ranks = fc.array(fc.nat({ max: 100 }), { minLength: 24, maxLength: 24 })

describe('news of a subscription', () => {
  it('in any order, late and more than once, ends in the same months to come', { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(turns, ranks, async (life, order) => {
        const told = await live(life, null)
        const late = await live(life, order)
        expect(told.perMonth).toEqual(paidPerMonth(life))
        expect(late.toCome).toEqual(told.toCome)
        for (const creditType of ['calling', 'scraping']) {
          expect(late.granted(creditType)).toBeLessThanOrEqual(told.granted(creditType))
        }
      }),
      { ...SETTINGS, numRuns: SETTINGS.numRuns * 2 },
    )
  })
})

/** What each month to come brings: what is paid for by the year and has not ended. */
function paidPerMonth(life: readonly Turn[]): string[] {
  const last = life.findIndex(({ end }) => end)
  const { price, quantity } = life.at(last < 0 ? -1 : last) ?? { price: 'price_basic', quantity: 1 }
  if (last >= 0 || !price.endsWith('_year')) return []
  return [price === 'price_pro_year' ? `${250 * quantity} calling` : `${40 * quantity} scraping`]
}

/** Live through it. Without an order all is told as it happens; else afterwards, by these ranks, each piece of news twice. */
async function live(life: readonly Turn[], order: readonly number[] | null) {
  const clock = stoppedClock('2026-03-10T12:00:00.000Z')
  const store = memoryStore()
  const { service } = openStage(store, clock)
  const world = subscriber({ service, userId: 'ann' }, { plans: PAID_PLANS })
  const news: News[] = []
  let last: { price: Price; quantity: number; until: Date } | null = null
  /** The news that began each credit type's months in the range, by its place. */
  let bases = new Map<string, number>()
  for (const { hours, price, quantity, end } of life) {
    clock.advance(hours * HOUR)
    const from = clock.now()
    if (end) {
      world.change({ ...last, status: 'canceled', endedAt: from })
      await tell({ invoice: null, base: null })
      break
    }
    const { lines, until, isBase } = billed(last, { price, quantity, from })
    last = { price, quantity, until }
    world.change({ price, quantity })
    if (isBase) bases = new Map()
    const creditType = price === 'price_scraping_year' ? 'scraping' : 'calling'
    const base = bases.get(creditType) ?? null
    if (base === null) bases.set(creditType, news.length)
    await tell({ invoice: world.bill(lines), base })
    await tell({ invoice: null, base: null })
  }
  if (order !== null) for (const piece of shuffled(news, order)) await hear(piece)
  const toCome = await monthsToCome(store)
  return {
    perMonth: toCome.map(({ amount, creditType }) => `${amount} ${creditType}`),
    toCome,
    granted: await creditsGranted(store),
  }

  async function tell(piece: News): Promise<void> {
    news.push(piece)
    if (order === null) await hear(piece)
  }

  async function hear({ invoice }: News): Promise<void> {
    await (invoice === null ? world.tell() : world.hear(invoice))
  }
}

/** An invoice, or that the subscription has changed. */
interface News {
  invoice: Invoice | null
  /** The news by whose months it is measured, by its place; null: by none. */
  base: number | null
}

/** What is billed at once: another interval begins anew, else what is left of the period is. */
function billed(
  last: { price: Price; quantity: number; until: Date } | null,
  { price, quantity, from }: { price: Price; quantity: number; from: Date },
): { lines: LineTerms[]; until: Date; isBase: boolean } {
  const interval = (name: Price) => (name.endsWith('_year') ? 'year' : 'month')
  if (last === null || interval(last.price) !== interval(price)) {
    const until = periodStart(from, interval(price), 1)
    return { lines: [{ price, quantity, from, until }], until, isBase: true }
  }
  const rest = { proration: true, from, until: last.until }
  const back = { ...rest, price: last.price, quantity: last.quantity, amountMinor: -10 }
  return { lines: [back, { ...rest, price, quantity, amountMinor: 20 }], until: last.until, isBase: false }
}

/** Everything twice, by rank; but what is measured by other months never before them. */
function shuffled(news: readonly News[], ranks: readonly number[]): News[] {
  const twice = [...news, ...news].map((piece, index) => ({ piece, rank: ranks[index % ranks.length] ?? 0, index }))
  const sorted = twice.sort((a, b) => a.rank - b.rank || a.index - b.index).map(({ piece }) => piece)
  return sorted.flatMap((piece) => {
    const base = piece.base === null ? undefined : news[piece.base]
    return base === undefined ? [piece] : [base, piece]
  })
}

async function monthsToCome(store: ReturnType<typeof memoryStore>) {
  const active = (await store.listSchedules('ann')).filter((schedule) => nextPeriodAt(schedule) !== null)
  return active.map(({ creditType, amount, nextAt, paidUntil, undelivered, raises }) => {
    const credits = raises.reduce((sum, raise) => sum + raise.undelivered, undelivered ?? 0)
    return { creditType, amount, credits, nextAt, paidUntil }
  })
}

async function creditsGranted(store: ReturnType<typeof memoryStore>): Promise<(creditType: string) => number> {
  const sums = new Map<string, number>()
  await store.scanAccounts({ userId: 'ann' }, ({ account, grants }) => {
    sums.set(
      account.creditType,
      grants.reduce((sum, { amount }) => sum + amount, 0),
    )
  })
  return (creditType) => sums.get(creditType) ?? 0
}
