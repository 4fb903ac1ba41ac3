import { describe, expect, it } from 'vitest'
import { expectSound } from '../conformance/credit-store/bench.js'
import { call, limited, limitedBy, usedOf } from './limiting.js'
import { HOUR, MINUTE, onEveryStore } from './stage.js'

/* What a limit counted and did not happen in full comes back to it, as long as its window runs. */

onEveryStore('a limit', (open) => {
  describe('and holds', () => {
    it('counts a hold as a use, and gives it back when it is released', async () => {
      for (const of of ['calls', 'credits'] as const) {
        const stage = open()
        const { userId } = stage
        const credits = await limited(stage, of === 'calls' ? 1 : 10, of)
        const hold = await credits.holdCredits(call(userId, 10))
        await expect(credits.holdCredits(call(userId))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
        await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
        await credits.releaseHold({ holdId: hold.id })
        await credits.deductCredits(call(userId, 10))
        await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
        await expectSound(credits, userId)
      }
    })

    it('gives back what a hold counted when its time runs out, with nobody sweeping', async () => {
      const stage = open()
      const { userId, clock } = stage
      const credits = await limited(stage, 1)
      await credits.holdCredits({ ...call(userId, 10), expiresInSeconds: 60 })
      clock.advance(MINUTE - 1)
      await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({ used: 1 })
      clock.advance(1)
      await credits.deductCredits(call(userId))
      await expect(credits.deductCredits(call(userId))).rejects.toMatchObject({ used: 1 })
    })

    it('keeps the call of a hold that was captured, and gives back the credits it did not use', async () => {
      const stage = open()
      const { userId } = stage
      const both = limitedBy(stage, { max: 2, per: 'hour' }, { max: 20, per: 'hour', of: 'credits' })
      await both.addCredits(userId, 100, 'calling', 'Welcome')
      const hold = await both.holdCredits(call(userId, 15))
      await expect(both.deductCredits(call(userId, 6))).rejects.toMatchObject({ limit: { of: 'credits' }, used: 15 })
      await both.captureHold({ holdId: hold.id, amount: 4 })
      await expect(both.deductCredits(call(userId, 17))).rejects.toMatchObject({ limit: { of: 'credits' }, used: 4 })
      await both.deductCredits(call(userId, 16))
      await expect(both.deductCredits(call(userId))).rejects.toMatchObject({ limit: { of: 'calls' }, used: 2 })
    })

    it('counts captures of a hold that stays open once, and gives back what is never captured', async () => {
      const stage = open()
      const { userId } = stage
      const credits = await limited(stage, 20, 'credits')
      const { id: holdId } = await credits.holdCredits(call(userId, 15))
      for (const amount of [4, 3]) await credits.captureHold({ holdId, amount, final: false })
      expect(await usedOf(credits, userId)).toBe(15)
      await credits.releaseHold({ holdId })
      expect(await usedOf(credits, userId)).toBe(7)
    })

    it('counts what a capture takes beyond its hold, and refuses the capture when that goes above', async () => {
      const stage = open()
      const { userId } = stage
      const credits = await limited(stage, 20, 'credits')
      const { id: holdId } = await credits.holdCredits(call(userId, 15))
      const refused = credits.captureHold({ holdId, amount: 21, allowOver: true })
      await expect(refused).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', used: 15 })
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 985, held: 15 })
      await credits.captureHold({ holdId, amount: 20, allowOver: true })
      expect(await usedOf(credits, userId)).toBe(20)
    })

    it('counts a hold around work once, by what the work really cost', async () => {
      const stage = open()
      const { userId } = stage
      const both = limitedBy(stage, { max: 1, per: 'hour' }, { max: 20, per: 'hour', of: 'credits' })
      await both.addCredits(userId, 100, 'calling', 'Welcome')
      const failed = both.withHold(call(userId, 10), () => Promise.reject(new RangeError('no')))
      await expect(failed).rejects.toThrow(RangeError)
      await both.withHold(call(userId, 10), (held) => held.setCost(5))
      await expect(both.deductCredits(call(userId, 16))).rejects.toMatchObject({ limit: { of: 'calls' }, used: 1 })
      const credits = limitedBy(stage, { max: 20, per: 'hour', of: 'credits' })
      expect(await usedOf(credits, userId)).toBe(5)
    })

    it('gives nothing back to another window than the one that counted', async () => {
      const stage = open()
      const { userId, clock } = stage
      const credits = await limited(stage, 10, 'credits')
      const hold = await credits.holdCredits({ ...call(userId, 10), expiresInSeconds: 2 * 3600 })
      clock.advance(HOUR)
      await credits.deductCredits(call(userId, 10))
      await credits.releaseHold({ holdId: hold.id })
      expect(await usedOf(credits, userId)).toBe(10)
    })
  })

  describe('and refunds', () => {
    it('gives the call back when a use is refunded in full, and the credits as far as they are', async () => {
      const stage = open()
      const { userId } = stage
      const both = limitedBy(stage, { max: 1, per: 'hour' }, { max: 10, per: 'hour', of: 'credits' })
      await both.addCredits(userId, 100, 'calling', 'Welcome')
      const use = await both.deductCredits(call(userId, 10))
      await both.refundCredits({ transactionId: use.id, amount: 4 })
      await expect(both.deductCredits(call(userId))).rejects.toMatchObject({ limit: { of: 'calls' }, used: 1 })
      const credits = limitedBy(stage, { max: 10, per: 'hour', of: 'credits' })
      expect(await usedOf(credits, userId)).toBe(6)
      await both.refundCredits(use.id)
      await both.deductCredits(call(userId, 10))
      await expectSound(credits, userId)
    })

    it('keeps the call of a capture that is refunded: its hold was one', async () => {
      const stage = open()
      const { userId } = stage
      const both = limitedBy(stage, { max: 1, per: 'hour' }, { max: 10, per: 'hour', of: 'credits' })
      await both.addCredits(userId, 100, 'calling', 'Welcome')
      const { transaction } = await both.withHold(call(userId, 10), () => null)
      if (transaction === null) throw new Error('nothing was captured')
      await both.refundCredits(transaction.id)
      await expect(both.deductCredits(call(userId))).rejects.toMatchObject({ limit: { of: 'calls' }, used: 1 })
      const credits = limitedBy(stage, { max: 10, per: 'hour', of: 'credits' })
      expect(await usedOf(credits, userId)).toBe(0)
    })

    it('gives nothing back for a use that another window counted', async () => {
      const stage = open()
      const { userId, clock } = stage
      const credits = await limited(stage, 2)
      const use = await credits.deductCredits(call(userId))
      clock.advance(HOUR)
      for (let uses = 0; uses < 2; uses += 1) await credits.deductCredits(call(userId))
      await credits.refundCredits(use.id)
      expect(await usedOf(credits, userId)).toBe(2)
    })
  })
})
