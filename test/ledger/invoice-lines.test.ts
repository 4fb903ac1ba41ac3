import { describe, expect, it } from 'vitest'
import { type BilledLine, netLines } from '../../src/ledger/invoice-lines.js'

const MARCH = new Date('2026-03-10T12:00:00.000Z')
const MIDDLE = new Date('2026-03-26T00:00:00.000Z')
const APRIL = new Date('2026-04-10T12:00:00.000Z')

let lines = 0
const line = (terms: Partial<BilledLine> = {}): BilledLine => {
  lines += 1
  const price = { itemId: 'si_1', priceId: 'price_1', quantity: 1 }
  const lineId = `il_${String(lines).padStart(3, '0')}`
  return { ...price, lineId, proration: false, amountMinor: 100, from: MARCH, until: APRIL, ...terms }
}
const seats = (quantity: number, terms: Partial<BilledLine> = {}) =>
  line({ quantity, proration: true, amountMinor: quantity, from: MIDDLE, ...terms })
const back = (quantity: number) => seats(quantity, { amountMinor: -quantity })
const sold = (given: readonly BilledLine[]) => netLines(given).filter(({ amountMinor }) => amountMinor >= 0)

describe('the lines of an invoice', () => {
  it('stay as they are when each bills something else', () => {
    const others = [{ itemId: 'si_2' }, { priceId: 'price_2' }, { from: MIDDLE }, { until: MIDDLE }]
    const given = [line(), ...others.map((terms) => line(terms)), back(1), seats(2)]
    expect(netLines(given)).toEqual(given)
  })

  it('sell only the last of several changes in one moment', () => {
    expect(sold([back(1), seats(2), back(2), seats(3)])).toMatchObject([{ quantity: 3 }])
  })

  it('sell nothing where a change was taken back in the same moment', () => {
    expect(sold([back(1), seats(2), back(2), seats(1)])).toEqual([])
  })

  it('sell what was taken back only later', () => {
    expect(sold([back(1), seats(2), { ...back(2), from: APRIL }])).toMatchObject([{ quantity: 2 }])
  })

  it('are one where one period is billed in several tiers, by the first of their ids', () => {
    const [first, second] = [line({ quantity: 5 }), line({ quantity: 3, amountMinor: 20 })]
    const expected = [{ ...first, quantity: 8, amountMinor: 120 }]
    expect(netLines([first, second])).toEqual(expected)
    expect(netLines([second, first])).toEqual(expected)
  })
})
