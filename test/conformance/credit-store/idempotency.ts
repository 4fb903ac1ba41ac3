import { describe, expect, it } from 'vitest'
import type { CreditService } from '../../../src/credit-service.js'
import { type Bench, DAY, expectSound, later, outcomes, SECOND, stoppedClock, times } from './bench.js'

export function testIdempotency(bench: Bench): void {
  describe('idempotency keys', () => {
    it('give the first result again and have no second effect (B2: a replay does not throw)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      for (const call of everyWrite(credits, userId)) {
        const first = await call()
        const before = await credits.getAllBalances(userId)
        expect(first.replayed).toBe(false)
        expect(await call()).toEqual({ ...first, replayed: true })
        expect(await credits.getAllBalances(userId)).toEqual(before)
      }
      await expectSound(credits, userId)
    })

    it('give the first result also when the balance is gone (B4)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 10, 'calling', 'Welcome')
      const input = { userId, amount: 10, creditType: 'calling', description: 'All', idempotencyKey: 'job' } as const
      const first = await credits.deductCredits(input)
      expect(await credits.deductCredits(input)).toEqual({ ...first, replayed: true })
    })

    it('give the first result also long after, and when the grant could not be made any more', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      const grant = {
        userId,
        amount: 10,
        creditType: 'calling',
        description: 'A day',
        idempotencyKey: 'grant',
      } as const
      const expiresAt = later(clock, DAY)
      const first = await credits.addCredits({ ...grant, expiresAt })
      clock.advance(400 * DAY)
      expect(await credits.addCredits({ ...grant, expiresAt })).toEqual({ ...first, replayed: true })
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
    })

    it('are not burned by an attempt that was refused (B5)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const input = { userId, amount: 10, creditType: 'calling', description: 'Job', idempotencyKey: 'job' } as const
      await expect(credits.deductCredits(input)).rejects.toThrow('Insufficient credits')
      await credits.addCredits(userId, 10, 'calling', 'Top-up')
      expect(await credits.deductCredits(input)).toMatchObject({ replayed: false, amount: -10 })
      await expect(credits.deductCredits({ ...input, idempotencyKey: 'other' })).rejects.toThrow('Insufficient credits')
    })

    it('write one row when 20 calls at once carry one key, and all get the same result (B6: concurrent same key)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const input = { userId, amount: 10, creditType: 'calling', description: 'Job', idempotencyKey: 'job' } as const
      const { succeeded, codes } = await outcomes(times(20, () => credits.deductCredits(input)))
      expect(codes).toEqual({})
      expect(new Set(succeeded.map(({ id }) => id)).size).toBe(1)
      expect(succeeded.filter(({ replayed }) => !replayed)).toHaveLength(1)
      const [first] = succeeded
      for (const result of succeeded) expect({ ...result, replayed: false }).toEqual({ ...first, replayed: false })
      expect(await credits.getBalance(userId, 'calling')).toBe(90)
      expect(await credits.getTransactionHistory(userId)).toHaveLength(2)
    })

    it('belong to their user: others may use the same (B1: no global key namespace)', async () => {
      const [credits, first, second] = [bench.credits(), await bench.newUser(), await bench.newUser()]
      const input = { amount: 1, creditType: 'calling', description: 'Job', idempotencyKey: 'job-1' } as const
      const results = [
        await credits.addCredits({ ...input, userId: first }),
        await credits.addCredits({ ...input, userId: second }),
      ]
      expect(results.map(({ replayed }) => replayed)).toEqual([false, false])
    })

    it('are the same whichever way a number is written', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const input = { userId, amount: 3, creditType: 'calling', description: 'Job', idempotencyKey: 'k' } as const
      const first = await credits.addCredits({ ...input, metadata: { a: 1, b: [2, { c: 3, d: 4 }] } })
      const again = await credits.addCredits({ ...input, metadata: { b: [2, { d: 4, c: 3 }], a: 1 } })
      expect(again).toEqual({ ...first, replayed: true })
    })

    it('are told apart byte for byte', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const keys = ['key', 'key ', 'KEY', 'k\u00e9y', 'ke\u0301y', '😀', 'k'.repeat(255)]
      for (const idempotencyKey of keys) {
        const input = { userId, amount: 1, creditType: 'calling', description: 'One', idempotencyKey } as const
        expect((await credits.addCredits(input)).replayed).toBe(false)
        expect((await credits.addCredits(input)).replayed).toBe(true)
      }
      expect(await credits.getBalance(userId, 'calling')).toBe(keys.length)
    })

    it('of a refund stand for that refund', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 10, 'calling', 'Welcome')
      const used = await credits.deductCredits(userId, 10, 'calling', 'Call')
      const input = { transactionId: used.id, amount: 4, idempotencyKey: 'refund' }
      const first = await credits.refundCredits(input)
      expect(await credits.refundCredits(input)).toEqual({ ...first, replayed: true })
      await expect(credits.refundCredits({ ...input, amount: 5 })).rejects.toMatchObject({ field: 'amount' })
      await expect(credits.refundCredits({ ...input, reason: 'Other' })).rejects.toMatchObject({ field: 'reason' })
      expect(await credits.getBalance(userId, 'calling')).toBe(4)
    })
  })

  describe('a key that was used for something else', () => {
    const used = {
      amount: 5,
      creditType: 'calling',
      description: 'Job',
      referenceId: 'r',
      idempotencyKey: 'k',
    } as const

    it.each([
      ['amount', { amount: 7 }],
      ['creditType', { creditType: 'scraping' }],
      ['description', { description: 'Another' }],
      ['referenceId', { referenceId: 'other' }],
      ['referenceId', { referenceId: null }],
      ['referenceType', { referenceType: 'lead' }],
      ['metadata', { metadata: { a: 1 } }],
    ] as const)('is a conflict that names the field (B3: changed parameters): %s', async (field, change) => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      await credits.addCredits(userId, 100, 'scraping', 'Welcome')
      await credits.deductCredits({ ...used, userId })
      const conflict = credits.deductCredits({ ...used, ...change, userId })
      await expect(conflict).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', field })
      expect(await credits.getTransactionHistory(userId)).toHaveLength(3)
      expect(await credits.getBalance(userId, 'calling')).toBe(95)
      expect(await credits.getBalance(userId, 'scraping')).toBe(100)
    })

    it.each([
      ['expiresAt', { expiresAt: new Date('2030-01-01T00:00:00Z') }],
      ['effectiveAt', { effectiveAt: new Date('2029-01-01T00:00:00Z') }],
      ['priority', { priority: 1 }],
      ['source', { source: 'promotional' }],
      ['transactionType', { transactionType: 'purchase' }],
      ['paidAmount', { paidAmount: 500 }],
      ['currency', { currency: 'eur' }],
    ] as const)('is a conflict for every part of a grant: %s', async (field, change) => {
      const [credits, userId] = [bench.credits(stoppedClock()), await bench.newUser()]
      const input = { userId, amount: 5, creditType: 'calling', description: 'Grant', idempotencyKey: 'k' } as const
      await credits.addCredits(input)
      await expect(credits.addCredits({ ...input, ...change })).rejects.toMatchObject({ field })
      await expect(credits.addCredits({ ...input, ...change, idempotencyKey: 'k2' })).resolves.toBeDefined()
      await expect(credits.addCredits({ ...input, idempotencyKey: 'k2' })).rejects.toMatchObject({ field })
    })

    it('is a conflict for another operation, in every pairing', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const calls = everyWrite(credits, userId, 'one key')
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      await calls[1]?.()
      const rows = await credits.getTransactionHistory(userId)
      for (const call of [calls[0], calls[2]]) {
        await expect(call?.()).rejects.toMatchObject({ field: 'operation' })
      }
      await expect(calls[3]?.()).rejects.toMatchObject({ field: 'operation' })
      expect((await credits.getTransactionHistory(userId)).slice(-rows.length)).toEqual(rows)
      expect(await credits.getBalance(userId, 'calling')).toBe(93)
    })

    it('is found before the balance is looked at', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 5, 'calling', 'Welcome')
      await credits.deductCredits({ ...used, userId })
      await expect(credits.deductCredits({ ...used, userId, amount: 1000 })).rejects.toMatchObject({ field: 'amount' })
    })

    it('lets exactly one of many different requests at once through', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      await credits.addCredits(userId, 1000, 'calling', 'Welcome')
      await credits.addCredits(userId, 1000, 'scraping', 'Welcome')
      clock.advance(SECOND)
      const types = ['calling', 'scraping'] as const
      const calls = times(20, (index) =>
        credits.deductCredits({ ...used, userId, amount: 1 + index, creditType: types[index % 2] ?? 'calling' }),
      )
      const { succeeded, codes } = await outcomes(calls)
      expect(succeeded).toHaveLength(1)
      expect(codes).toEqual({ IDEMPOTENCY_CONFLICT: 19 })
      expect(await credits.getTransactionHistory(userId)).toHaveLength(3)
      await expectSound(credits, userId)
    })
  })
}

/** One call of each kind of write, with a key each (or one for all), on credits the first of them brings. */
function everyWrite(credits: CreditService, userId: string, key?: string) {
  const base = { userId, creditType: 'calling', description: 'Something' } as const
  let use: Promise<{ id: string }> | undefined
  return [
    () => credits.addCredits({ ...base, amount: 100, idempotencyKey: key ?? 'add' }),
    () => credits.deductCredits({ ...base, amount: 7, idempotencyKey: key ?? 'deduct' }),
    () => credits.adjustCredits({ ...base, amount: -3, idempotencyKey: key ?? 'adjust' }),
    async () => {
      use ??= credits.deductCredits({ ...base, amount: 6, idempotencyKey: 'use to refund' })
      const { id } = await use
      try {
        return await credits.refundCredits({ transactionId: id, idempotencyKey: key ?? 'refund' })
      } catch (error) {
        await credits.refundCredits({ transactionId: id })
        throw error
      }
    },
  ]
}
