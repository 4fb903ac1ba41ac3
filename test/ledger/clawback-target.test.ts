import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clawbackTarget, type PaymentFact } from '../../src/ledger/purchase.js'
import { SETTINGS } from './random-histories.js'

/** `333`: a refund. `~666`: a dispute. */
type Change = [id: string, amountMinor: number, status: PaymentFact['status'], kind?: PaymentFact['kind']]

function fact([id, amountMinor, status, kind = 'refund']: Change): PaymentFact {
  const of = { userId: 'ann', purchaseId: 'p', paymentId: 'pi_1', currency: 'usd', updatedAt: new Date(0) }
  return { ...of, id, kind, amountMinor, status }
}

/** What each change takes (negative) or gives back, as the facts come in one after the other. */
function steps(captured: number, credits: number, changes: readonly Change[]): number[] {
  const known = new Map<string, PaymentFact>()
  let clawed = 0
  return changes.map((change) => {
    known.set(change[0], fact(change))
    const target = clawbackTarget(credits, captured, [...known.values()])
    const step = clawed - target
    clawed = target
    return step
  })
}

describe('credits to take back', () => {
  it.each<[string, number, number, Change[], number[]]>([
    ['thirds of a price that is not divisible', 999, 100, thirds(333, 333, 333), [-33, -33, -34]],
    ['parts of very few credits', 1000, 7, thirds(333, 333, 333, 1), [-2, -2, -2, -1]],
    ['one credit in two parts', 999, 1, thirds(500, 499), [-0, -1]],
    [
      'a refund that is pending and then fails',
      999,
      100,
      [
        ['re', 999, 'pending'],
        ['re', 999, 'failed'],
      ],
      [-100, 100],
    ],
    [
      'a partial refund, then a dispute that is won, then the rest',
      999,
      100,
      [
        ['re_1', 333, 'succeeded'],
        ['du', 666, 'pending', 'dispute'],
        ['du', 666, 'failed', 'dispute'],
        ['re_2', 666, 'succeeded'],
      ],
      [-33, -67, 67, -67],
    ],
    [
      'a partial refund and a dispute over everything',
      999,
      100,
      [
        ['re', 333, 'succeeded'],
        ['du', 999, 'pending', 'dispute'],
      ],
      [-33, -67],
    ],
    [
      'a dispute that is lost and won late',
      999,
      100,
      [
        ['du', 999, 'pending', 'dispute'],
        ['du', 999, 'succeeded', 'dispute'],
        ['du', 999, 'failed', 'dispute'],
      ],
      [-100, 0, 100],
    ],
    ['everything of a payment of nothing', 0, 100, thirds(0), [0]],
    ['the largest numbers', 99_999_999, Number.MAX_SAFE_INTEGER, thirds(99_999_998, 1), [-9007199164668997, -90071994]],
  ])('follow the money: %s', (_name, captured, credits, changes, expected) => {
    expect(steps(captured, credits, changes).map((step) => step + 0)).toEqual(expected.map((step) => step + 0))
  })

  it('are never below 0 or above what was sold, grow with the money, and depend on nothing but its sum', () => {
    const amounts = fc.array(fc.nat({ max: 99_999_999 }), { maxLength: 6 })
    const credits = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99_999_999 }), credits, amounts, (captured, sold, parts) => {
        const facts = parts.map((part, index) => fact([`re_${index}`, part, 'succeeded']))
        const target = clawbackTarget(sold, captured, facts)
        expect(target).toBeGreaterThanOrEqual(clawbackTarget(sold, captured, facts.slice(1)))
        expect(target).toBe(clawbackTarget(sold, captured, [...facts].reverse()))
        const reversed = parts.reduce((sum, part) => sum + part, 0)
        expect(target).toBe(clawbackTarget(sold, captured, [fact(['all', reversed, 'pending'])]))
        expect(target === sold).toBe(reversed >= captured)
        expect(target).toBeGreaterThanOrEqual(0)
      }),
      SETTINGS,
    )
  })
})

function thirds(...amounts: number[]): Change[] {
  return amounts.map((amount, index) => [`re_${index}`, amount, 'succeeded'])
}
