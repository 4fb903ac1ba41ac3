import { describe, expect, it } from 'vitest'
import { IdempotencyConflictError } from '../../src/index.js'
import { expectSound } from '../conformance/credit-store/bench.js'
import { ledgerOf, onEveryStore } from './stage.js'

onEveryStore('addMany', (open) => {
  describe('several additions at once', () => {
    const item = { creditType: 'calling', description: 'Payout' } as const

    it('are written together, over users and types, and returned in the order they were asked for', async () => {
      const { credits, userId: ann, newUser } = open()
      const bob = newUser()
      const added = await credits.addMany([
        { ...item, userId: ann, amount: 10, source: 'promotional', actor: 'job', metadata: { a: 1 } },
        { ...item, userId: bob, amount: 20 },
        { ...item, userId: ann, amount: 30, creditType: 'scraping', paidAmount: 300, currency: 'usd' },
        { ...item, userId: ann, amount: 5, priority: -1 },
      ])
      expect(added).toMatchObject([
        { userId: ann, amount: 10, balanceAfter: 10, seq: 1, actor: 'job', metadata: { a: 1 }, replayed: false },
        { userId: bob, amount: 20, balanceAfter: 20, transactionType: 'adjustment' },
        { userId: ann, creditType: 'scraping', amount: 30, balanceAfter: 30 },
        { userId: ann, amount: 5, balanceAfter: 15, seq: 2 },
      ])
      // The later one burns first.
      expect(await credits.getGrants(ann, 'calling')).toMatchObject([
        { remaining: 5, source: 'adjustment' },
        { remaining: 10, source: 'promotional' },
      ])
      await expectSound(credits, ann)
      await expectSound(credits, bob)
    })

    it('count as done where their keys were used before, also by addCredits, and only the others are written', async () => {
      const { credits, userId: ann, newUser } = open()
      const bob = newUser()
      const first = await credits.addCredits({
        ...item,
        userId: ann,
        amount: 10,
        source: 'purchase',
        idempotencyKey: 'k',
      })
      const items = [
        { ...item, userId: ann, amount: 10, source: 'purchase', idempotencyKey: 'k' },
        { ...item, userId: bob, amount: 20, idempotencyKey: 'k' },
      ] as const
      for (const replayed of [false, true])
        expect(await credits.addMany(items)).toMatchObject([
          { id: first.id, replayed: true },
          { userId: bob, amount: 20, replayed },
        ])
      expect(await credits.addCredits({ ...item, userId: bob, amount: 20, idempotencyKey: 'k' })).toMatchObject({
        replayed: true,
      })
      expect([await ledgerOf(credits, ann), await ledgerOf(credits, bob)]).toEqual([
        ['adjustment 10'],
        ['adjustment 20'],
      ])
      await expectSound(credits, bob)
    })

    it('write nothing when one of them has a key that meant something else, or is the key of another', async () => {
      const { credits, userId: ann, newUser } = open()
      const bob = newUser()
      await credits.addCredits({ ...item, userId: ann, amount: 10, idempotencyKey: 'k' })
      const conflict = credits.addMany([
        { ...item, userId: bob, amount: 20 },
        { ...item, userId: ann, amount: 11, idempotencyKey: 'k' },
      ])
      await expect(conflict).rejects.toBeInstanceOf(IdempotencyConflictError)
      await expect(conflict).rejects.toMatchObject({ field: 'items.1.amount' })
      const twice = { ...item, userId: bob, amount: 1, idempotencyKey: 'twice' }
      await expect(credits.addMany([twice, twice])).rejects.toMatchObject({ code: 'INVALID_INPUT' })
      await expect(credits.addMany([])).rejects.toMatchObject({ code: 'INVALID_INPUT' })
      await expect(credits.addMany(Array.from({ length: 1001 }, () => twice))).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
      expect(await ledgerOf(credits, bob)).toEqual([])
    })

    it('are grants like any other: what ends first burns first', async () => {
      const { credits, userId: ann } = open()
      const [lasting, ending] = await credits.addMany([
        { ...item, userId: ann, amount: 7 },
        { ...item, userId: ann, amount: 5, expiresAt: new Date(Date.now() + 31_536_000_000) },
      ])
      const used = await credits.deductCredits({ ...item, userId: ann, amount: 6 })
      expect(used.allocations).toMatchObject([
        { grantId: ending?.id, amount: 5 },
        { grantId: lasting?.id, amount: 1 },
      ])
      await expectSound(credits, ann)
    })
  })
})
