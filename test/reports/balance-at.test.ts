import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import type { AccountHistory } from '../../src/ledger/audit.js'
import { balanceAt } from '../../src/ledger/balance-at.js'
import { grant, history, hold, type Posted, time } from './histories.js'
import { Scenario } from './scenario.js'

const added = (clock: string, grantId: string, amount: number): Posted => ({
  transactionType: 'adjustment',
  amount,
  createdAt: time(clock),
  allocations: [{ grantId, amount }],
})
const used = (clock: string, grantId: string, amount: number, relatedId: string | null = null): Posted => ({
  transactionType: 'usage',
  amount: -amount,
  createdAt: time(clock),
  allocations: [{ grantId, amount }],
  relatedId,
})

/** The balance at each of these times of the day. */
const balances = (of: AccountHistory, ...clocks: string[]) => clocks.map((clock) => balanceAt(of, time(clock)))

describe('the balance at a past moment', () => {
  it('counts what had been written by then, also at that very moment', () => {
    const past = history({ grants: [grant('a')], posted: [added('09:00', 'a', 100), used('10:00', 'a', 30)] })
    expect(balances(past, '08:59', '09:00', '09:59', '10:00', '23:00')).toEqual([0, 100, 100, 70, 70])
  })

  it('counts credits from their beginning to their end, whenever the end was written', () => {
    const terms = { effectiveAt: time('10:00'), expiresAt: time('12:00') }
    const past = history({
      grants: [grant('a', terms), grant('b')],
      posted: [
        added('09:00', 'a', 100),
        added('09:00', 'b', 7),
        { ...used('15:00', 'a', 100), transactionType: 'expiration', effectiveAt: time('12:00') },
      ],
    })
    expect(balances(past, '09:30', '10:00', '11:59', '12:00', '16:00')).toEqual([7, 107, 107, 7, 7])
  })

  it('counts voided credits until they were voided', () => {
    const past = history({
      grants: [grant('a', { voidedAt: time('11:00') })],
      posted: [added('09:00', 'a', 100), { ...used('11:00', 'a', 100), transactionType: 'void' }],
    })
    expect(balances(past, '10:59', '11:00')).toEqual([100, 0])
  })

  it('leaves out what a hold pinned while it was open', () => {
    const pinned = { amount: 60, allocations: [{ grantId: 'a', amount: 60 }] }
    const grants = [grant('a')]
    const posted = [added('08:30', 'a', 100)]
    const released = hold('h', { ...pinned, status: 'released', updatedAt: time('11:00') })
    const open = hold('h', pinned)
    expect(balances(history({ grants, posted, holds: [released] }), '08:59', '09:00', '10:59', '11:00')).toEqual([
      100, 40, 40, 100,
    ])
    // Nobody has written yet that its time ran out at 20:00.
    expect(balances(history({ grants, posted, holds: [open] }), '19:59', '20:00')).toEqual([40, 100])
  })

  it('takes captures out of what their hold pinned, grant by grant, and no more than was held', () => {
    const allocations = [
      { grantId: 'a', amount: 40 },
      { grantId: 'b', amount: 20 },
    ]
    const past = history({
      grants: [grant('a', { expiresAt: time('12:00') }), grant('b')],
      posted: [
        added('08:30', 'a', 40),
        added('08:30', 'b', 60),
        used('10:00', 'a', 25, 'h'),
        // 15 and 20 of the hold, 10 beyond it.
        {
          ...used('11:00', 'a', 45, 'h'),
          allocations: [
            { grantId: 'a', amount: 15 },
            { grantId: 'b', amount: 30 },
          ],
        },
      ],
      holds: [hold('h', { amount: 60, allocations, captured: 70, status: 'captured', updatedAt: time('11:00') })],
    })
    // 100 − 60; still 40 after a capture of what was pinned; 40 − 10 after the over-capture.
    expect(balances(past, '08:59', '09:00', '10:00', '11:00')).toEqual([100, 40, 40, 30])
  })

  it('is the debt of the moment, as a negative number', () => {
    const past = history({
      grants: [grant('a', { source: 'purchase' }), grant('b')],
      posted: [
        added('08:30', 'a', 100),
        used('09:00', 'a', 80),
        {
          ...used('10:00', 'a', 100),
          transactionType: 'clawback',
          allocations: [{ grantId: 'a', amount: 20 }, { debt: 80 }],
        },
        {
          ...added('11:00', 'b', 90),
          allocations: [
            { grantId: 'b', debt: 80 },
            { grantId: 'b', amount: 10 },
          ],
        },
      ],
    })
    expect(balances(past, '09:59', '10:00', '11:00')).toEqual([20, -80, 10])
  })

  it('is what the balance was then, at every moment of long histories', { timeout: 60_000 }, async () => {
    for (const seed of [4, 13, 59]) {
      const store = memoryStore()
      const scenario = new Scenario(store, seed, '2026-03-01T08:00:00.000Z')
      const { credits, clock, users } = scenario
      const seen: { userId: string; at: Date; balance: number }[] = []
      await scenario.play(200, async () => {
        await credits.runDue()
        for (const userId of users)
          seen.push({ userId, at: clock.now(), balance: await credits.getBalance(userId, 'calling') })
      })
      const past = new Map<string, AccountHistory>()
      const keep = (account: AccountHistory) => past.set(account.account.userId, account)
      await store.scanAccounts({ userId: null, creditType: 'calling', holds: 'every' }, keep)
      for (const { userId, at, balance } of seen) {
        const account = past.get(userId) ?? history({})
        expect({ seed, at, balance: balanceAt(account, at) }).toEqual({ seed, at, balance })
      }
    }
  })
})
