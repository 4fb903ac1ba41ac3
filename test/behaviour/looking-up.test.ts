import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { HoldNotFoundError, InvalidInputError, TransactionNotFoundError } from '../../src/index.js'
import { holding } from './holding.js'
import { MINUTE, onEveryStore } from './stage.js'

onEveryStore('looking up', (open) => {
  describe('a hold', () => {
    it('is given as it is now: open, captured, or expired at its end', async () => {
      const { credits, hold, holdId, clock, userId } = await holding(open)
      expect(await credits.getHold({ holdId })).toEqual(hold)
      expect(await credits.getHold({ holdId: holdId.toUpperCase(), userId })).toEqual(hold)
      await credits.captureHold({ holdId, amount: 40, final: false })
      expect(await credits.getHold({ holdId })).toMatchObject({ status: 'open', captured: 40, replayed: false })
      clock.advance(10 * MINUTE)
      expect(await credits.getHold({ holdId })).toMatchObject({ status: 'expired', captured: 40 })
    })

    it("is not found where it is unknown, no id at all, or another user's", async () => {
      const { credits, holdId, newUser } = await holding(open)
      for (const input of [{ holdId: uuidv7() }, { holdId: 'job-1' }, { holdId, userId: newUser() }])
        await expect(credits.getHold(input)).rejects.toBeInstanceOf(HoldNotFoundError)
    })

    it('names the operation it is for', async () => {
      const { service, userId } = open()
      const credits = service({ operations: { call: { creditType: 'calling', cost: 3 } } })
      await credits.addCredits(userId, 10, 'calling', 'Welcome')
      await credits.withHold({ userId, operation: 'call' }, async ({ hold }) => {
        const priced = { name: 'call', params: {}, priceVersion: hold.operation?.priceVersion }
        expect(await credits.getHold({ holdId: hold.id })).toMatchObject({ amount: 3, operation: priced })
        expect(await credits.getHolds(userId)).toEqual([hold])
      })
      expect(await credits.getHolds(userId)).toEqual([])
    })
  })

  describe('the open holds of a user', () => {
    it('are given soonest to end first, of one credit type or of all, until their time runs out', async () => {
      const { credits, userId, hold, clock } = await holding(open)
      await credits.addCredits(userId, 9, 'scraping', 'Welcome')
      const more = { userId, amount: 4, description: 'Page' } as const
      const page = await credits.holdCredits({ ...more, creditType: 'scraping', expiresInSeconds: 60 })
      const call = await credits.holdCredits({ ...more, creditType: 'calling', expiresInSeconds: 3600 })
      expect(await credits.getHolds(userId)).toEqual([page, hold, call])
      expect(await credits.getHolds(userId, 'calling')).toEqual([hold, call])
      clock.advance(MINUTE)
      expect(await credits.getHolds(userId)).toEqual([hold, call])
      await credits.releaseHold({ holdId: hold.id })
      expect(await credits.getHolds(userId)).toEqual([call])
    })

    it('are what the balances show as held', async () => {
      const { credits, userId, figures } = await holding(open)
      await credits.holdCredits({ userId, amount: 7, creditType: 'calling', description: 'More' })
      const held = (await credits.getHolds(userId, 'calling')).reduce((sum, { amount }) => sum + amount, 0)
      expect(held).toBe((await figures()).held)
    })

    it('are refused for a credit type that is not configured', async () => {
      const { credits, userId } = open()
      // @ts-expect-error: of types we don't know
      await expect(credits.getHolds(userId, 'golden')).rejects.toBeInstanceOf(InvalidInputError)
    })
  })

  describe('a transaction', () => {
    it('is given as it was written', async () => {
      const { credits, userId } = open()
      const added = await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const used = await credits.deductCredits({
        userId,
        amount: 30,
        creditType: 'calling',
        description: 'Call',
        referenceId: 'call-1',
        metadata: { minutes: 3 },
        actor: 'worker',
        idempotencyKey: 'once',
      })
      for (const written of [added, used])
        expect(await credits.getTransaction({ transactionId: written.id })).toEqual(written)
      expect(await credits.getTransaction({ transactionId: used.id.toUpperCase(), userId })).toEqual(used)
    })

    it("is not found where it is unknown, no id at all, or another user's", async () => {
      const { credits, userId, newUser } = open()
      const { id: transactionId } = await credits.addCredits(userId, 1, 'calling', 'Welcome')
      const asked = [{ transactionId: uuidv7() }, { transactionId: 'x' }, { transactionId, userId: newUser() }]
      for (const input of asked)
        await expect(credits.getTransaction(input)).rejects.toBeInstanceOf(TransactionNotFoundError)
    })
  })
})
