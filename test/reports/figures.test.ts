import { describe, expect, it } from 'vitest'
import { metricsOf } from '../../src/ledger/metrics.js'
import { grant, history, type Posted, purchase, time } from './histories.js'

const all = { from: time('00:00'), to: time('00:00', 11), creditType: null }
const posted = (
  clock: string,
  transactionType: Posted['transactionType'],
  amount: number,
  more: Partial<Posted> = {},
): Posted => ({
  transactionType,
  amount,
  createdAt: time(clock),
  allocations: [{ grantId: 'a', amount: Math.abs(amount) }],
  ...more,
})

describe('figures of a ledger', () => {
  it('are zeros where nothing has happened', () => {
    expect(metricsOf([], [], all)).toStrictEqual({
      purchased: 0,
      used: 0,
      refunded: 0,
      breakage: 0,
      clawedBack: 0,
      transactions: 0,
      uses: 0,
      refunds: 0,
      activeUsers: 0,
      outstanding: { paid: 0, promotional: 0 },
      packages: [],
    })
  })

  it('add up what was bought, used, given back and lost, and count who used', () => {
    const ann = history({
      grants: [grant('a', { source: 'purchase' })],
      posted: [
        posted('09:00', 'purchase', 100),
        posted('10:00', 'usage', -30),
        posted('10:10', 'usage', -10),
        posted('11:00', 'refund', 30, { relatedId: 'ann-calling-2' }),
        // A gift: credits that are no use given back.
        posted('11:30', 'refund', 5),
        posted('12:00', 'expiration', -20),
        posted('12:30', 'void', -15),
      ],
    })
    const bob = history({ userId: 'bob', grants: [grant('a')], posted: [posted('09:00', 'adjustment', 8)] })
    expect(metricsOf([ann, bob], [], all)).toMatchObject({
      purchased: 100,
      used: 40,
      refunded: 30,
      breakage: 35,
      clawedBack: 0,
      transactions: 8,
      uses: 2,
      refunds: 1,
      activeUsers: 1,
      outstanding: { paid: 60, promotional: 8 },
    })
  })

  it('are of the range, from its beginning to before its end; what is owed is from all time before the end', () => {
    const rows = ['09:00', '10:00', '11:00', '12:00'].map((clock) => posted(clock, 'purchase', 10))
    const ann = history({ grants: [grant('a', { source: 'subscription' })], posted: rows })
    const figures = metricsOf([ann], [], { ...all, from: time('10:00'), to: time('12:00') })
    expect(figures).toMatchObject({ purchased: 20, transactions: 2, outstanding: { paid: 30, promotional: 0 } })
  })

  it('are of one credit type, where one is named', () => {
    const grants = [grant('a')]
    const calling = history({ grants, posted: [posted('09:00', 'purchase', 10)] })
    const other = history({ creditType: 'scraping', grants, posted: [posted('09:00', 'purchase', 3)] })
    const sold = [purchase('1'), purchase('2', { creditType: 'scraping', credits: 7 })]
    const figures = metricsOf([calling, other], sold, { ...all, creditType: 'scraping' })
    expect(figures).toMatchObject({ purchased: 3, transactions: 1, packages: [{ purchases: 1, credits: 7 }] })
  })

  it('count credits that were owed for a refunded payment once, also when a released hold pays the debt', () => {
    const ann = history({
      grants: [grant('a', { source: 'purchase' })],
      posted: [
        posted('09:00', 'purchase', 100),
        posted('10:00', 'clawback', -100, { allocations: [{ grantId: 'a', amount: 40 }, { debt: 60 }] }),
        posted('11:00', 'reinstatement', 50, { allocations: [{ debt: 50 }] }),
        posted('11:00', 'clawback', -50),
        // A won dispute is no such settlement: it gives credits back, which repay debt.
        posted('12:00', 'reinstatement', 10, { allocations: [{ grantId: 'a', debt: 10 }] }),
      ],
    })
    expect(metricsOf([ann], [], all)).toMatchObject({ clawedBack: 100 })
  })

  it('list packages by how often they were bought, under their last name, with their takings by currency', () => {
    const sold = [
      purchase('1', { packageId: 7, fulfilledAt: time('11:00'), packageName: 'New name' }),
      purchase('2', { packageId: 7, fulfilledAt: time('10:00'), currency: 'eur', paidMinor: 800 }),
      purchase('3', { packageId: 7, status: 'refunded', quantity: 3, credits: 300, paidMinor: 2500 }),
      purchase('4', { packageId: 9, fulfilledAt: time('12:00') }),
      purchase('5', { packageId: 8 }),
      purchase('6', { packageId: 8, status: 'pending', fulfilledAt: null, paidMinor: null }),
      purchase('7', { packageId: 8, fulfilledAt: time('00:00', 11) }),
    ]
    expect(metricsOf([], sold, all).packages).toEqual([
      { packageId: 7, name: 'New name', purchases: 3, credits: 500, revenue: { usd: 3499, eur: 800 } },
      { packageId: 8, name: 'Pack', purchases: 1, credits: 100, revenue: { usd: 999 } },
      { packageId: 9, name: 'Pack', purchases: 1, credits: 100, revenue: { usd: 999 } },
    ])
  })
})
