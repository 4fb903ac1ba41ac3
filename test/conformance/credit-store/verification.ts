import { describe, expect, it } from 'vitest'
import { type Bench, later, plant, SECOND, stoppedClock, times } from './bench.js'

export function testVerification(bench: Bench): void {
  describe('verify', () => {
    it.each([
      ['balance', { balance: 1000 }],
      ['total_purchased', { totalPurchased: 1 }],
      ['total_used', { totalUsed: 77 }],
      ['debt', { debt: 5 }],
      ['seq', { seq: 9 }],
      ['head', { headRemaining: 3 }],
      ['scheduled', { scheduled: 4 }],
    ] as const)('finds a wrong %s, and says whose it is', async (rule, wrong) => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 50, 'calling', 'Welcome')
      await credits.addCredits(userId, 50, 'scraping', 'Welcome')
      await credits.deductCredits(userId, 20, 'calling', 'Call')
      await plant(bench.store, { userId, creditType: 'calling' }, wrong)
      const { accounts, violations } = await credits.verify({ userId })
      expect(accounts).toBe(2)
      expect(violations.length).toBeGreaterThan(0)
      for (const violation of violations) expect(violation).toMatchObject({ userId, creditType: 'calling' })
      // A head that lies about its remaining makes the grants' sum wrong, which is another rule.
      expect(violations.map((violation) => violation.rule)).toContain(rule === 'head' ? 'owned' : rule)
      await credits.rebuild({ userId, creditType: 'calling' })
      expect((await credits.verify({ userId })).violations).toEqual([])
    })

    it('visits all accounts of everybody, or of one user', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 1, 'calling', 'One')
      await credits.addCredits(userId, 1, 'scraping', 'One')
      expect((await credits.verify({ userId })).accounts).toBe(2)
      const seen = new Set<string>()
      await bench.store.scanAccounts({ userId: null }, ({ account }) => seen.add(account.userId))
      expect(seen.size).toBeGreaterThan(0)
      expect(seen).toContain(userId)
      expect(await credits.verify({ userId: await bench.newUser() })).toEqual({ accounts: 0, violations: [] })
    })

    it('sees one moment: accounts that change together are seen together', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 1000, 'calling', 'Welcome')
      const writing = times(30, () => credits.deductCredits(userId, 1, 'calling', 'Call'))
      const reports = await Promise.all(times(5, () => credits.verify({ userId })))
      await Promise.all(writing)
      for (const { violations } of reports) expect(violations).toEqual([])
    })
  })

  describe('rebuild', () => {
    it('restores the account, its totals and what every grant has left', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      const base = { userId, creditType: 'calling' } as const
      await credits.addCredits({ ...base, amount: 30, description: 'Ends', expiresAt: later(clock, SECOND) })
      await credits.addCredits({ ...base, amount: 50, description: 'Sold', transactionType: 'purchase' })
      const used = await credits.deductCredits({ ...base, amount: 45, description: 'Call' })
      await credits.refundCredits({ transactionId: used.id, amount: 20 })
      const before = await credits.getAllBalances(userId)
      await plant(bench.store, base, {
        balance: 999,
        totalPurchased: 0,
        totalUsed: 1,
        headGrantId: null,
        headRemaining: 0,
      })
      const rebuilt = await credits.rebuild(base)
      expect(rebuilt).toEqual(before.calling)
      expect((await credits.verify({ userId })).violations).toEqual([])
      const used2 = await credits.deductCredits({ ...base, amount: before.calling.balance, description: 'The rest' })
      expect(used2.balanceAfter).toBe(0)
      expect((await credits.verify({ userId })).violations).toEqual([])
    })

    it('of a sound account changes nothing', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 30, 'calling', 'Welcome')
      await credits.deductCredits(userId, 12, 'calling', 'Call')
      const rows = await credits.getTransactionHistory(userId)
      const before = await credits.getAllBalances(userId)
      expect(await credits.rebuild({ userId, creditType: 'calling' })).toEqual(before.calling)
      expect(await credits.getTransactionHistory(userId)).toEqual(rows)
    })

    it('of an account that does not exist makes none', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      expect(await credits.rebuild({ userId, creditType: 'calling' })).toMatchObject({ balance: 0, owned: 0 })
      expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
    })
  })
}
