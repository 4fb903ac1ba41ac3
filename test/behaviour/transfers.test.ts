import { describe, expect, it } from 'vitest'
import { InsufficientCreditsError, InvalidInputError } from '../../src/index.js'
import { DAY, expectSound, later, outcomes, times } from '../conformance/credit-store/bench.js'
import { buyCredits } from './purchase.js'
import { HOUR, ledgerOf, onEveryStore } from './stage.js'

onEveryStore('transfers', (open) => {
  describe('a transfer', () => {
    it('moves credits to another user, by one transaction on each side that name each other', async () => {
      const { credits, userId: fromUserId, newUser } = open()
      const toUserId = newUser()
      await credits.addCredits(fromUserId, 100, 'calling', 'Welcome')
      const about = { referenceId: 'gift-1', referenceType: 'gift', metadata: { note: 'hi' }, actor: 'admin' }
      const { from, to } = await credits.transferCredits({
        ...about,
        fromUserId,
        toUserId,
        amount: 30,
        creditType: 'calling',
      })
      const both = { ...about, transactionType: 'transfer', creditType: 'calling', description: 'Transfer' } as const
      expect(from).toMatchObject({
        ...both,
        userId: fromUserId,
        amount: -30,
        balanceAfter: 70,
        relatedTransactionId: to.id,
      })
      expect(to).toMatchObject({
        ...both,
        userId: toUserId,
        amount: 30,
        balanceAfter: 30,
        relatedTransactionId: from.id,
      })
      expect((await credits.getTransactionHistory(fromUserId))[0]).toEqual(from)
      expect(await credits.getTransactionHistory(toUserId)).toEqual([to])
      const nothing = { totalUsed: 0, totalPurchased: 0 }
      expect((await credits.getAllBalances(fromUserId)).calling).toMatchObject({ ...nothing, balance: 70, owned: 70 })
      expect((await credits.getAllBalances(toUserId)).calling).toMatchObject({ ...nothing, balance: 30, owned: 30 })
      for (const userId of [fromUserId, toUserId]) await expectSound(credits, userId)
    })

    it('keeps expiry, priority, source and the share of the price, grant by grant', async () => {
      const { credits, userId: fromUserId, newUser, clock } = open()
      const toUserId = newUser()
      const add = { userId: fromUserId, creditType: 'calling', description: 'Grant' } as const
      const expiresAt = later(clock, DAY)
      const first = { ...add, amount: 10, priority: -5, expiresAt, source: 'promotional' } as const
      const sold = { ...add, amount: 300, source: 'purchase', transactionType: 'purchase' } as const
      await credits.addCredits(first)
      await credits.addCredits({ ...sold, paidAmount: 1000, currency: 'eur' })
      const { from, to } = await credits.transferCredits({ fromUserId, toUserId, amount: 110, creditType: 'calling' })
      const grants = await credits.getGrants(toUserId)
      expect(grants).toMatchObject([
        { amount: 10, remaining: 10, priority: -5, expiresAt, source: 'promotional', paidAmount: null },
        { amount: 100, priority: 0, expiresAt: null, source: 'purchase', paidAmount: 333, currency: 'eur' },
      ])
      expect(grants.map(({ purchaseId }) => purchaseId)).toEqual([null, null])
      expect(to.allocations).toEqual(grants.map(({ id: grantId, amount }) => ({ grantId, amount })))
      expect(from.allocations.map((allocation) => 'amount' in allocation && allocation.amount)).toEqual([10, 100])
      expect((await credits.getAllBalances(toUserId)).calling).toMatchObject({ paid: 100, promotional: 10 })
      clock.advance(DAY)
      expect(await credits.getBalance(toUserId, 'calling')).toBe(100)
      await credits.runDue()
      for (const userId of [fromUserId, toUserId]) await expectSound(credits, userId)
    })

    it("repays the receiver's debt first", async () => {
      const stage = open()
      const { userId: toUserId, newUser } = stage
      const { credits, refundPayment } = await buyCredits(stage, { credits: 50 })
      await credits.deductCredits(toUserId, 50, 'calling', 'Use')
      await refundPayment()
      const fromUserId = newUser()
      await credits.addCredits(fromUserId, 100, 'calling', 'Welcome')
      const part = { fromUserId, toUserId, amount: 20, creditType: 'calling' } as const
      await credits.transferCredits(part)
      expect((await credits.getAllBalances(toUserId)).calling).toMatchObject({ balance: -30, owned: 0, debt: 30 })
      const { to } = await credits.transferCredits({ ...part, amount: 40 })
      expect(to).toMatchObject({ amount: 40, balanceAfter: 10 })
      expect((await credits.getAllBalances(toUserId)).calling).toMatchObject({ balance: 10, owned: 10, debt: 0 })
      for (const userId of [fromUserId, toUserId]) await expectSound(credits, userId)
    })

    it('is refused above what is available: held, scheduled, ended and owed credits stay; nothing is written', async () => {
      const { credits, userId: fromUserId, newUser, clock } = open()
      const toUserId = newUser()
      const add = { userId: fromUserId, amount: 100, creditType: 'calling', description: 'Grant' } as const
      await credits.addCredits(add)
      await credits.addCredits({ ...add, effectiveAt: later(clock, DAY) })
      await credits.addCredits({ ...add, expiresAt: later(clock, HOUR) })
      await credits.holdCredits({ ...add, amount: 130, expiresInSeconds: 7200 })
      clock.advance(HOUR)
      const refused = credits.transferCredits({ fromUserId, toUserId, amount: 71, creditType: 'calling' })
      await expect(refused).rejects.toBeInstanceOf(InsufficientCreditsError)
      await expect(refused).rejects.toMatchObject({ required: 71, available: 70, shortfall: 1 })
      expect(await credits.getTransactionHistory(fromUserId)).toHaveLength(3)
      expect(await credits.verify({ userId: toUserId })).toEqual({ accounts: 0, violations: [] })
      await credits.transferCredits({ fromUserId, toUserId, amount: 70, creditType: 'calling' })
      expect(await credits.getBalance(toUserId, 'calling')).toBe(70)
      for (const userId of [fromUserId, toUserId]) await expectSound(credits, userId)
    })

    it('of debtors is refused', async () => {
      const stage = open()
      const { userId: fromUserId, newUser } = stage
      const { credits, refundPayment } = await buyCredits(stage, { credits: 50 })
      await credits.deductCredits(fromUserId, 50, 'calling', 'Use')
      await refundPayment()
      const refused = credits.transferCredits({ fromUserId, toUserId: newUser(), amount: 1, creditType: 'calling' })
      await expect(refused).rejects.toMatchObject({ required: 1, available: -50 })
    })

    it('leaves the purchase with the sender: when its payment goes back, the sender owes', async () => {
      const stage = open()
      const { userId: fromUserId, newUser } = stage
      const { credits, refundPayment } = await buyCredits(stage, { credits: 100 })
      const toUserId = newUser()
      await credits.transferCredits({ fromUserId, toUserId, amount: 60, creditType: 'calling' })
      await refundPayment()
      expect((await credits.getAllBalances(fromUserId)).calling).toMatchObject({ balance: -60, debt: 60 })
      expect(await credits.getBalance(toUserId, 'calling')).toBe(60)
      for (const userId of [fromUserId, toUserId]) await expectSound(credits, userId)
    })

    it('A12 to oneself is refused, however the id is written', async () => {
      const { credits } = open()
      const id = Math.floor(Math.random() * 2 ** 50)
      await credits.addCredits(id, 100, 'calling', 'Welcome')
      for (const toUserId of [id, String(id)]) {
        const refused = credits.transferCredits({ fromUserId: id, toUserId, amount: 1, creditType: 'calling' })
        await expect(refused).rejects.toBeInstanceOf(InvalidInputError)
        await expect(refused).rejects.toMatchObject({ issues: [{ path: 'toUserId' }] })
        await expect(refused).rejects.toThrow('must be another user than the sender')
      }
      expect(await ledgerOf(credits, String(id))).toEqual(['adjustment 100'])
    })

    it('A12 opposite transfers, 50 times at once: no deadlock surfaces, and the total is conserved', async () => {
      const { credits, userId: a, newUser } = open()
      const b = newUser()
      for (const userId of [a, b]) await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const calls = times(100, (index) =>
        credits.transferCredits({
          fromUserId: index % 2 === 0 ? a : b,
          toUserId: index % 2 === 0 ? b : a,
          amount: 1 + (index % 7),
          creditType: 'calling',
        }),
      )
      const { succeeded, codes } = await outcomes(calls)
      const { INSUFFICIENT_CREDITS: refused = 0, ...others } = codes
      expect(others).toEqual({})
      expect(succeeded.length + refused).toBe(100)
      const [left, right] = [await credits.getBalance(a, 'calling'), await credits.getBalance(b, 'calling')]
      expect(left + right).toBe(200)
      const moved = succeeded.reduce((sum, { from }) => (from.userId === a ? sum + from.amount : sum - from.amount), 0)
      expect(left).toBe(100 + moved)
      for (const userId of [a, b]) await expectSound(credits, userId)
    })

    it('A12 never destroys credits: what the receiver could not count stays with the sender', async () => {
      const { credits, userId: fromUserId, newUser } = open()
      const toUserId = newUser()
      const almost = Number.MAX_SAFE_INTEGER - 5
      await credits.addCredits(fromUserId, 100, 'calling', 'Welcome')
      await credits.addCredits(toUserId, almost, 'calling', 'Rich')
      const transfer = { fromUserId, toUserId, amount: 6, creditType: 'calling' } as const
      await expect(credits.transferCredits(transfer)).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
      expect(await credits.getBalance(fromUserId, 'calling')).toBe(100)
      expect(await credits.getBalance(toUserId, 'calling')).toBe(almost)
      await credits.transferCredits({ ...transfer, amount: 5 })
      expect(await credits.getBalance(toUserId, 'calling')).toBe(Number.MAX_SAFE_INTEGER)
    })

    it('with impossible input is refused before anything is asked', async () => {
      const { credits, userId: fromUserId, newUser } = open()
      const input = { fromUserId, toUserId: newUser(), amount: 1, creditType: 'calling' } as const
      for (const amount of [0, -1, 0.5]) {
        await expect(credits.transferCredits({ ...input, amount })).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
      }
      await expect(credits.transferCredits({ ...input, toUserId: ' ' })).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
    })
  })

  describe('a repeated transfer', () => {
    it('with its key returns both first transactions and moves nothing, also when the balance is gone', async () => {
      const { credits, userId: fromUserId, newUser } = open()
      const toUserId = newUser()
      await credits.addCredits(fromUserId, 30, 'calling', 'Welcome')
      const input = { fromUserId, toUserId, amount: 30, creditType: 'calling', idempotencyKey: 'gift' } as const
      const first = await credits.transferCredits(input)
      expect([first.from.replayed, first.to.replayed]).toEqual([false, false])
      const again = await credits.transferCredits(input)
      expect(again).toEqual({ from: { ...first.from, replayed: true }, to: { ...first.to, replayed: true } })
      expect(await credits.getBalance(toUserId, 'calling')).toBe(30)
      for (const userId of [fromUserId, toUserId]) await expectSound(credits, userId)
    })

    it('twenty at once with one key: one transfer, and all get it', async () => {
      const { credits, userId: fromUserId, newUser } = open()
      const toUserId = newUser()
      await credits.addCredits(fromUserId, 100, 'calling', 'Welcome')
      const input = { fromUserId, toUserId, amount: 30, creditType: 'calling', idempotencyKey: 'gift' } as const
      const { succeeded, codes } = await outcomes(times(20, () => credits.transferCredits(input)))
      expect(codes).toEqual({})
      expect(new Set(succeeded.map(({ from, to }) => `${from.id} ${to.id}`)).size).toBe(1)
      expect(succeeded.filter(({ from }) => !from.replayed)).toHaveLength(1)
      expect(await credits.getBalance(toUserId, 'calling')).toBe(30)
    })

    it('with its key and something else is a conflict that names the field', async () => {
      const { credits, userId: fromUserId, newUser } = open()
      const toUserId = newUser()
      await credits.addCredits(fromUserId, 100, 'calling', 'Welcome')
      await credits.addCredits(fromUserId, 100, 'scraping', 'Welcome')
      const input = { fromUserId, toUserId, amount: 30, creditType: 'calling', idempotencyKey: 'gift' } as const
      await credits.transferCredits(input)
      const changes = {
        toUserId: { toUserId: newUser() },
        amount: { amount: 31 },
        creditType: { creditType: 'scraping' },
        description: { description: 'Other' },
        referenceId: { referenceId: 'r' },
        metadata: { metadata: { a: 1 } },
      } as const
      for (const [field, change] of Object.entries(changes)) {
        const conflict = credits.transferCredits({ ...input, ...change })
        await expect(conflict).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field })
      }
      const deduct = { userId: fromUserId, amount: 30, creditType: 'calling', description: 'Transfer' } as const
      const other = credits.deductCredits({ ...deduct, idempotencyKey: 'gift' })
      await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field: 'operation' })
      expect(await credits.getBalance(fromUserId, 'calling')).toBe(70)
    })

    it('has its key from the sender: the receiver may use the same', async () => {
      const { credits, userId: a, newUser } = open()
      const b = newUser()
      for (const userId of [a, b]) await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const there = { fromUserId: a, toUserId: b, amount: 30, creditType: 'calling', idempotencyKey: 'k' } as const
      await credits.transferCredits(there)
      const back = await credits.transferCredits({ ...there, fromUserId: b, toUserId: a })
      expect(back.from.replayed).toBe(false)
      expect(await credits.getBalance(a, 'calling')).toBe(100)
    })
  })
})
