import { describe, expect, it } from 'vitest'
import { DAY, expectSound, later } from '../conformance/credit-store/bench.js'
import { buyCredits } from './purchase.js'
import { HOUR, ledgerOf, onEveryStore } from './stage.js'

onEveryStore('balances', (open) => {
  describe('all balances', () => {
    it('stand beside each other: available, owned, held, debt, totals, what is paid for, and the next expiry', async () => {
      const stage = open()
      const { userId, clock } = stage
      const { credits } = await buyCredits(stage, { credits: 100 })
      const add = { userId, amount: 10, creditType: 'calling', description: 'Grant' } as const
      await credits.addCredits({ ...add, expiresAt: later(clock, DAY) })
      await credits.addCredits({
        ...add,
        amount: 20,
        effectiveAt: later(clock, HOUR),
        expiresAt: later(clock, 2 * HOUR),
      })
      await credits.addCredits({ ...add, amount: 30, source: 'subscription', priority: 1 })
      const { id: used } = await credits.deductCredits(userId, 4, 'calling', 'Use')
      await credits.refundCredits({ transactionId: used, amount: 1 })
      await credits.holdCredits({ ...add, amount: 12 })
      const zero = { balance: 0, paid: 0, promotional: 0, owned: 0, held: 0, debt: 0, totalPurchased: 0, totalUsed: 0 }
      expect(await credits.getAllBalances(userId)).toEqual({
        enrichment: { ...zero, nextExpiry: null },
        calling: {
          balance: 125,
          paid: 125,
          promotional: 0,
          owned: 157,
          held: 12,
          debt: 0,
          totalPurchased: 100,
          totalUsed: 3,
          nextExpiry: null,
        },
        scraping: { ...zero, nextExpiry: null },
      })
      clock.advance(HOUR)
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({
        balance: 157,
        paid: 130,
        promotional: 27,
        owned: 157,
        held: 0,
        nextExpiry: later(clock, HOUR),
      })
      await expectSound(credits, userId)
    })

    it('split what is usable into paid for and promotional, by the source of its grants', async () => {
      const { credits, userId, clock } = open()
      const add = { userId, amount: 1, creditType: 'calling', description: 'Grant' } as const
      const figures = async () => (await credits.getAllBalances(userId)).calling
      const sources = { purchase: 1, subscription: 10, promotional: 100, refund: 1000, adjustment: 10_000 } as const
      for (const source of ['purchase', 'subscription', 'promotional', 'refund', 'adjustment'] as const) {
        await credits.addCredits({ ...add, source, amount: sources[source], expiresAt: later(clock, DAY) })
      }
      expect(await figures()).toMatchObject({ balance: 11_111, paid: 11, promotional: 11_100, totalPurchased: 0 })
      await credits.deductCredits(userId, 11_101, 'calling', 'Promotional credits burn first')
      expect(await figures()).toMatchObject({ balance: 10, paid: 10, promotional: 0 })
      clock.advance(DAY)
      expect(await figures()).toMatchObject({ balance: 0, paid: 0, promotional: 0, nextExpiry: null })
    })

    it('tell whether something could be paid, from what is available', async () => {
      const { credits, userId } = open()
      const check = (required: number) => credits.checkBalance(userId, 'calling', required)
      expect(await check(1)).toEqual({ hasSufficient: false, balance: 0, required: 1, shortfall: 1 })
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      await credits.holdCredits({ userId, amount: 30, creditType: 'calling', description: 'Hold' })
      expect(await check(70)).toEqual({ hasSufficient: true, balance: 70, required: 70, shortfall: 0 })
      expect(await check(71)).toEqual({ hasSufficient: false, balance: 70, required: 71, shortfall: 1 })
    })
  })

  describe('a balance', () => {
    it('A9 debt is never hidden: at -50 the next deduct is refused, the balance reads -50, a grant of 100 leaves 50', async () => {
      const stage = open()
      const { userId } = stage
      const { credits, refundPayment } = await buyCredits(stage, { credits: 50 })
      await credits.deductCredits(userId, 50, 'calling', 'Use')
      await refundPayment()
      expect(await credits.getBalance(userId, 'calling')).toBe(-50)
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: -50, owned: 0, debt: 50 })
      expect(await credits.checkBalance(userId, 'calling', 1)).toMatchObject({ hasSufficient: false, shortfall: 51 })
      const refused = credits.deductCredits(userId, 1, 'calling', 'More')
      await expect(refused).rejects.toMatchObject({ required: 1, available: -50, shortfall: 51 })
      await expect(refused).rejects.toThrow('Insufficient credits. Required: 1, Available: -50')
      const taken = credits.adjustCredits(userId, -1, 'calling', 'Correction')
      await expect(taken).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', available: -50 })
      await credits.addCredits(userId, 100, 'calling', 'Gift')
      expect(await credits.getBalance(userId, 'calling')).toBe(50)
      await credits.deductCredits(userId, 50, 'calling', 'Use')
      await expectSound(credits, userId)
    })

    it('A11 any opening balance has a ledger row: the sum of the ledger is the balance after the first deduct', async () => {
      const { service, newUser, credits: plain } = open()
      const credits = service({
        creditTypes: ['calling', 'enrichment', 'scraping'],
        plans: { free: { grants: [{ creditType: 'calling', amount: 100, every: 'month' }] } },
      })
      const rich = newUser()
      await credits.addCredits(rich, 100, 'calling', 'Welcome')
      const openings: Record<string, (userId: string) => Promise<unknown>> = {
        added: (userId) => credits.addCredits(userId, 100, 'calling', 'Welcome'),
        adjusted: (userId) => credits.adjustCredits(userId, 100, 'calling', 'Opening'),
        planned: (userId) => credits.startPlan({ userId, plan: 'free' }),
        transferred: (toUserId) =>
          credits.transferCredits({ fromUserId: rich, toUserId, amount: 100, creditType: 'calling' }),
        bought: (userId) => buyCredits({ service, userId }, { credits: 100 }),
      }
      for (const [name, open] of Object.entries(openings)) {
        const userId = newUser()
        await open(userId)
        const [opening] = await credits.getTransactionHistory(userId)
        expect([name, opening?.seq, opening?.amount, opening?.balanceAfter]).toEqual([name, 1, 100, 100])
        await credits.deductCredits(userId, 30, 'calling', 'First use')
        const rows = await credits.getTransactionHistory(userId)
        const sum = rows.reduce((total, { amount }) => total + amount, 0)
        expect([rows.length, sum]).toEqual([2, await credits.getBalance(userId, 'calling')])
        expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 70, owned: 70, totalUsed: 30 })
        await expectSound(plain, userId)
      }
    })

    it('C2 display = spendable: balance, lots, history and what can be deducted agree after expiry and adjustment', async () => {
      const { credits, userId, clock } = open()
      const add = { userId, amount: 100, creditType: 'calling', description: 'Grant' } as const
      await credits.addCredits({ ...add, expiresAt: later(clock, HOUR) })
      await credits.addCredits({ ...add, amount: 50 })
      await credits.deductCredits(userId, 20, 'calling', 'Use')
      clock.advance(HOUR)
      const agree = async (expected: number) => {
        expect(await credits.getBalance(userId, 'calling')).toBe(expected)
        expect((await credits.getAllBalances(userId)).calling.balance).toBe(expected)
        expect(await credits.checkBalance(userId, 'calling', expected + 1)).toMatchObject({ shortfall: 1 })
        const lots = (await credits.getGrants(userId, 'calling')).reduce((sum, { remaining }) => sum + remaining, 0)
        expect(lots).toBe(expected)
        const tooMuch = credits.deductCredits(userId, expected + 1, 'calling', 'Too much')
        await expect(tooMuch).rejects.toMatchObject({ available: expected })
      }
      const lastBalance = async () => (await credits.getTransactionHistory(userId))[0]?.balanceAfter
      // Nobody has written the expiry yet; the next write, or the sweeper, does.
      await agree(50)
      await credits.runDue()
      await agree(50)
      expect(await lastBalance()).toBe(50)
      await credits.adjustCredits(userId, -15, 'calling', 'Correction')
      await agree(35)
      expect(await lastBalance()).toBe(35)
      await credits.adjustCredits(userId, 5, 'calling', 'Correction')
      await agree(40)
      await credits.deductCredits(userId, 40, 'calling', 'Everything')
      expect(await lastBalance()).toBe(0)
      expect(await ledgerOf(credits, userId)).toEqual([
        'adjustment 100',
        'adjustment 50',
        'usage -20',
        'expiration -80',
        'adjustment -15',
        'adjustment 5',
        'usage -40',
      ])
      await expectSound(credits, userId)
    })
  })
})
