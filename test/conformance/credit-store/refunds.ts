import { describe, expect, it } from 'vitest'
import { AlreadyRefundedError, NotRefundableError, TransactionNotFoundError } from '../../../src/errors.js'
import { type Bench, expectSound, later, outcomes, SECOND, stoppedClock, times } from './bench.js'

export function testRefunds(bench: Bench): void {
  describe('refunding a use', () => {
    it('gives the credits back and points at the use', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      const added = await credits.addCredits(userId, 50, 'calling', 'Welcome')
      const used = await credits.deductCredits(userId, 20, 'calling', 'Call', 'call-1', 'call')
      const refund = await credits.refundCredits(used.id)
      expect(refund).toMatchObject({
        transactionType: 'refund',
        amount: 20,
        balanceAfter: 50,
        seq: 3,
        relatedTransactionId: used.id,
        referenceId: 'call-1',
        referenceType: 'call',
        description: 'Refund: Call',
        allocations: [{ grantId: added.id, amount: 20 }],
      })
      const { calling } = await credits.getAllBalances(userId)
      expect(calling).toMatchObject({ balance: 50, totalUsed: 0, totalPurchased: 0 })
      await expectSound(credits, userId)
    })

    it('works in parts, never above the use in sum (D11: capped by the original)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 50, 'calling', 'Welcome')
      const { id: transactionId } = await credits.deductCredits(userId, 20, 'calling', 'Call')
      await credits.refundCredits({ transactionId, amount: 8, reason: 'Bad line' })
      await expect(credits.refundCredits({ transactionId, amount: 13 })).rejects.toBeInstanceOf(NotRefundableError)
      await credits.refundCredits({ transactionId, amount: 5 })
      const rest = await credits.refundCredits({ transactionId })
      expect(rest.amount).toBe(7)
      for (const amount of [undefined, 1]) {
        const again = credits.refundCredits({ transactionId, ...(amount === undefined ? {} : { amount }) })
        await expect(again).rejects.toBeInstanceOf(AlreadyRefundedError)
        await expect(again).rejects.toThrow('Transaction has already been refunded')
      }
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 50, totalUsed: 0 })
      const descriptions = (await credits.getTransactionHistory(userId)).map(({ description }) => description)
      expect(descriptions.slice(0, 3)).toEqual(['Refund: Call', 'Refund: Call', 'Bad line'])
      await expectSound(credits, userId)
    })

    it('goes back to the grants it came from, in reverse', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const grants = []
      for (const name of ['A', 'B', 'C']) grants.push((await credits.addCredits(userId, 10, 'calling', name)).id)
      const [a, b, c] = grants
      const used = await credits.deductCredits(userId, 25, 'calling', 'Call')
      const first = await credits.refundCredits({ transactionId: used.id, amount: 8 })
      expect(first.allocations).toEqual([
        { grantId: c, amount: 5 },
        { grantId: b, amount: 3 },
      ])
      const second = await credits.refundCredits({ transactionId: used.id })
      expect(second.allocations).toEqual([
        { grantId: b, amount: 7 },
        { grantId: a, amount: 10 },
      ])
      const next = await credits.deductCredits(userId, 1, 'calling', 'Call')
      expect(next.allocations).toEqual([{ grantId: a, amount: 1 }])
      await expectSound(credits, userId)
    })

    it('of credits that have ended meanwhile ends them at once', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      const expiresAt = later(clock, SECOND)
      await credits.addCredits({ userId, amount: 10, creditType: 'calling', description: 'Short', expiresAt })
      await credits.addCredits(userId, 10, 'calling', 'Long')
      const used = await credits.deductCredits(userId, 15, 'calling', 'Call')
      clock.advance(SECOND)
      await credits.refundCredits(used.id)
      const rows = await credits.getTransactionHistory(userId)
      expect(rows.slice(0, 2).map(({ transactionType, amount }) => [transactionType, amount])).toEqual([
        ['expiration', -10],
        ['refund', 15],
      ])
      expect(await credits.getBalance(userId, 'calling')).toBe(10)
      await expect(credits.refundCredits(used.id)).rejects.toBeInstanceOf(AlreadyRefundedError)
      await expectSound(credits, userId)
    })

    it('is for uses only (D10: no refund of a refund or a purchase)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const added = await credits.addCredits(userId, 50, 'calling', 'Sold', 'purchase')
      const used = await credits.deductCredits(userId, 20, 'calling', 'Call')
      const refund = await credits.refundCredits({ transactionId: used.id, amount: 1 })
      const taken = await credits.adjustCredits(userId, -1, 'calling', 'Mistake')
      for (const { id } of [added, refund, taken]) {
        await expect(credits.refundCredits(id)).rejects.toBeInstanceOf(NotRefundableError)
      }
      expect(await credits.getTransactionHistory(userId)).toHaveLength(4)
    })

    it('tells an unknown id and the id of somebody else the same', async () => {
      const [credits, userId, other] = [bench.credits(), await bench.newUser(), await bench.newUser()]
      await credits.addCredits(userId, 50, 'calling', 'Welcome')
      const { id } = await credits.deductCredits(userId, 20, 'calling', 'Call')
      const ids = ['1e3', '9223372036854775808', '', '01936f0e-0000-7000-8000-000000000000', "' or 1=1"]
      const inputs = [...ids.map((transactionId) => ({ transactionId })), { transactionId: id, userId: other }]
      for (const input of inputs) {
        const refusal = credits.refundCredits(input)
        await expect(refusal).rejects.toBeInstanceOf(TransactionNotFoundError)
        await expect(refusal).rejects.toThrow(/^Transaction not found$/)
      }
      await expect(credits.refundCredits({ transactionId: id.toUpperCase(), userId })).resolves.toBeDefined()
    })

    it('of a long description keeps it storable', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 50, 'calling', 'Welcome')
      for (const text of ['x'.repeat(2000), `${'x'.repeat(1991)}😀${'y'.repeat(7)}`]) {
        const used = await credits.deductCredits(userId, 20, 'calling', text)
        const { description } = await credits.refundCredits(used.id)
        expect(description.isWellFormed()).toBe(true)
        expect(description.slice(0, 100)).toBe(`Refund: ${text}`.slice(0, 100))
      }
    })

    it('happens once when 10 ask at once (D10: a use refunded twice)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 50, 'calling', 'Welcome')
      const { id } = await credits.deductCredits(userId, 20, 'calling', 'Call')
      const { succeeded, codes } = await outcomes(times(10, () => credits.refundCredits(id)))
      expect(succeeded).toHaveLength(1)
      expect(codes).toEqual({ ALREADY_REFUNDED: 9 })
      expect(await credits.getBalance(userId, 'calling')).toBe(50)
      await expectSound(credits, userId)
    })
  })
}
