import { describe, expect, it } from 'vitest'
import { expectSound, later } from '../conformance/credit-store/bench.js'
import { buyCredits } from './purchase.js'
import { HOUR, ledgerOf, MINUTE, onEveryStore, type OpenStage } from './stage.js'

/** 100 credits that end in an hour, 60 of them held for two hours, and 50 that never end. */
async function holdingShortLived(open: OpenStage) {
  const stage = open()
  const { credits, userId, clock } = stage
  const add = { userId, amount: 100, creditType: 'calling', description: 'Grant' } as const
  const { id: shortLived } = await credits.addCredits({ ...add, expiresAt: later(clock, HOUR) })
  const { id: lasting } = await credits.addCredits({ ...add, amount: 50 })
  const { id: holdId } = await credits.holdCredits({ ...add, amount: 60, expiresInSeconds: 7200 })
  return { ...stage, shortLived, lasting, holdId, figures: async () => (await credits.getAllBalances(userId)).calling }
}

/** 100 bought credits, 60 of them held, and then all the money goes back. */
async function holdingRefunded(open: OpenStage, policy: 'debt' | 'clamp') {
  const stage = open()
  const { userId } = stage
  const bought = await buyCredits(stage, { credits: 100, policy })
  const { credits } = bought
  const { id: holdId } = await credits.holdCredits({ userId, amount: 60, creditType: 'calling', description: 'Call' })
  await bought.refundPayment()
  return { ...stage, ...bought, holdId, figures: async () => (await credits.getAllBalances(userId)).calling }
}

onEveryStore('held credits', (open) => {
  describe('a hold on a grant that expires meanwhile', () => {
    it('E10 the lot expires while held: what is held stays capturable, the rest of the capture ends at once', async () => {
      const { credits, userId, clock, holdId, shortLived, figures } = await holdingShortLived(open)
      clock.advance(HOUR)
      expect(await figures()).toMatchObject({ balance: 50, owned: 150, held: 60 })
      await expect(credits.deductCredits(userId, 51, 'calling', 'Expired')).rejects.toThrow('Available: 50')
      const use = await credits.captureHold({ holdId, amount: 45 })
      expect(use.allocations).toEqual([{ grantId: shortLived, amount: 45 }])
      expect(await ledgerOf(credits, userId)).toEqual([
        'adjustment 100',
        'adjustment 50',
        'expiration -40',
        'usage -45',
        'expiration -15',
      ])
      expect(await figures()).toMatchObject({ balance: 50, owned: 50, held: 0, totalUsed: 45 })
      await expectSound(credits, userId)
    })

    it('E10 the lot expires while held: what is released ends at once', async () => {
      const { credits, userId, clock, holdId, figures } = await holdingShortLived(open)
      clock.advance(HOUR)
      await credits.releaseHold({ holdId })
      expect((await ledgerOf(credits, userId)).slice(2)).toEqual(['expiration -40', 'expiration -60'])
      expect(await figures()).toMatchObject({ balance: 50, owned: 50, held: 0 })
      await expectSound(credits, userId)
    })

    it('E10 the lot expires while held: what the timeout gives back ends at once, swept or not', async () => {
      const { credits, userId, clock, figures } = await holdingShortLived(open)
      clock.advance(2 * HOUR)
      expect(await figures()).toMatchObject({ balance: 50, held: 0 })
      await credits.runDue()
      expect((await ledgerOf(credits, userId)).slice(2)).toEqual(['expiration -40', 'expiration -60'])
      expect(await figures()).toMatchObject({ balance: 50, owned: 50, held: 0 })
      await expectSound(credits, userId)
    })

    it('is captured beyond what it holds from what has not ended', async () => {
      const { credits, clock, userId, holdId, shortLived, lasting } = await holdingShortLived(open)
      clock.advance(HOUR)
      const { allocations } = await credits.captureHold({ holdId, amount: 70, allowOver: true })
      expect(allocations).toEqual([
        { grantId: shortLived, amount: 60 },
        { grantId: lasting, amount: 10 },
      ])
      await expectSound(credits, userId)
    })

    it('whose timeout comes first gives back what is still usable', async () => {
      const { credits, userId, clock } = open()
      const add = { userId, amount: 100, creditType: 'calling', description: 'Grant' } as const
      await credits.addCredits({ ...add, expiresAt: later(clock, HOUR) })
      await credits.holdCredits({ ...add, amount: 60, expiresInSeconds: 60 })
      clock.advance(MINUTE)
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      clock.advance(HOUR)
      await credits.runDue()
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100', 'expiration -100'])
      await expectSound(credits, userId)
    })

    it('whose timeout comes at the same moment ends with it, in one row', async () => {
      const { credits, userId, clock } = open()
      const add = { userId, amount: 100, creditType: 'calling', description: 'Grant' } as const
      await credits.addCredits({ ...add, expiresAt: later(clock, HOUR) })
      await credits.holdCredits({ ...add, amount: 60, expiresInSeconds: 3600 })
      clock.advance(HOUR)
      await credits.runDue()
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100', 'expiration -100'])
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 0, owned: 0, held: 0 })
      await expectSound(credits, userId)
    })
  })

  describe('a hold on a grant that is voided meanwhile', () => {
    it('E10 the lot is voided while held: what is held stays capturable, the rest is void at once', async () => {
      const { credits, userId, holdId, shortLived, figures } = await holdingShortLived(open)
      expect(await credits.voidGrant({ grantId: shortLived, reason: 'Fraud' })).toMatchObject({
        remaining: 0,
        held: 60,
      })
      expect(await figures()).toMatchObject({ balance: 50, owned: 110, held: 60 })
      await credits.captureHold({ holdId, amount: 45 })
      expect((await ledgerOf(credits, userId)).slice(2)).toEqual(['void -40', 'usage -45', 'void -15'])
      expect(await figures()).toMatchObject({ balance: 50, owned: 50, held: 0 })
      await expectSound(credits, userId)
    })

    it('E10 the lot is voided while held: what is released is void at once', async () => {
      const { credits, userId, holdId, shortLived, figures } = await holdingShortLived(open)
      await credits.voidGrant({ grantId: shortLived, reason: 'Fraud' })
      await credits.releaseHold({ holdId })
      expect((await ledgerOf(credits, userId)).slice(2)).toEqual(['void -40', 'void -60'])
      expect(await figures()).toMatchObject({ balance: 50, owned: 50, held: 0 })
      await expectSound(credits, userId)
    })

    it('voided once more keeps the time of the first, and the held credits', async () => {
      const { credits, userId, clock, holdId, shortLived, figures } = await holdingShortLived(open)
      const { voidedAt } = await credits.voidGrant({ grantId: shortLived, reason: 'Fraud' })
      clock.advance(MINUTE)
      expect(await credits.voidGrant({ grantId: shortLived, reason: 'Again' })).toMatchObject({ voidedAt, held: 60 })
      expect(await figures()).toMatchObject({ balance: 50, owned: 110, held: 60 })
      await credits.captureHold({ holdId })
      expect((await ledgerOf(credits, userId)).slice(2)).toEqual(['void -40', 'usage -60'])
      await expectSound(credits, userId)
    })
  })

  describe('a hold on a purchase whose money goes back meanwhile, policy debt', () => {
    it('E10 the purchase is refunded while held: the held credits are not touched, and are owed', async () => {
      const { credits, userId, figures } = await holdingRefunded(open, 'debt')
      expect(await figures()).toMatchObject({ balance: -60, owned: 60, held: 60, debt: 60 })
      expect(await ledgerOf(credits, userId)).toEqual(['purchase 100', 'clawback -100'])
      await expect(credits.deductCredits(userId, 1, 'calling', 'More')).rejects.toMatchObject({ available: -60 })
      const more = credits.holdCredits({ userId, amount: 1, creditType: 'calling', description: 'More' })
      await expect(more).rejects.toMatchObject({ required: 1, available: -60, shortfall: 61 })
      await expectSound(credits, userId)
    })

    it('released, they repay the debt', async () => {
      const { credits, userId, holdId, figures } = await holdingRefunded(open, 'debt')
      await credits.releaseHold({ holdId })
      expect(await figures()).toMatchObject({ balance: 0, owned: 0, held: 0, debt: 0 })
      expect((await ledgerOf(credits, userId)).slice(2)).toEqual(['reinstatement 60', 'clawback -60'])
      await expectSound(credits, userId)
    })

    it('timed out, they repay the debt, swept or not', async () => {
      const { credits, userId, clock, figures } = await holdingRefunded(open, 'debt')
      clock.advance(15 * MINUTE)
      expect(await figures()).toMatchObject({ balance: 0, owned: 0, held: 0, debt: 0 })
      await credits.runDue()
      expect(await figures()).toMatchObject({ balance: 0, owned: 0, held: 0, debt: 0 })
      await expectSound(credits, userId)
    })

    it('captured, the debt stays for the next credits', async () => {
      const { credits, userId, holdId, figures } = await holdingRefunded(open, 'debt')
      expect(await credits.captureHold({ holdId, amount: 50 })).toMatchObject({ amount: -50 })
      expect(await figures()).toMatchObject({ balance: -50, owned: 0, held: 0, debt: 50, totalUsed: 50 })
      await credits.addCredits(userId, 70, 'calling', 'Next')
      expect(await figures()).toMatchObject({ balance: 20, owned: 20, debt: 0 })
      await expectSound(credits, userId)
    })

    it('captured beyond what it holds is refused while there is debt, and the hold stays', async () => {
      const { credits, userId, holdId, figures } = await holdingRefunded(open, 'debt')
      await credits.addCredits(userId, 30, 'calling', 'Repays half')
      const beyond = credits.captureHold({ holdId, amount: 61, allowOver: true })
      await expect(beyond).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', required: 1, available: -30 })
      expect(await figures()).toMatchObject({ balance: -30, owned: 60, held: 60, debt: 30 })
      await expectSound(credits, userId)
    })
  })

  describe('a hold on a purchase whose money goes back meanwhile, policy clamp', () => {
    it('E10 the purchase is refunded while held: nothing is owed, and what is released is taken', async () => {
      const { credits, userId, holdId, figures } = await holdingRefunded(open, 'clamp')
      expect(await figures()).toMatchObject({ balance: 0, owned: 60, held: 60, debt: 0 })
      await credits.addCredits(userId, 10, 'calling', 'Gift')
      await credits.releaseHold({ holdId })
      expect(await figures()).toMatchObject({ balance: 10, owned: 10, held: 0, debt: 0 })
      expect(await ledgerOf(credits, userId)).toEqual(['purchase 100', 'clawback -40', 'adjustment 10', 'clawback -60'])
      await expectSound(credits, userId)
    })

    it('captured in part: what comes back is taken, and so is what a refund of the use gives back', async () => {
      const { credits, userId, holdId, figures } = await holdingRefunded(open, 'clamp')
      const { id } = await credits.captureHold({ holdId, amount: 50 })
      expect(await figures()).toMatchObject({ balance: 0, owned: 0, held: 0, debt: 0 })
      await credits.refundCredits({ transactionId: id, amount: 20 })
      expect(await figures()).toMatchObject({ balance: 0, owned: 0, totalUsed: 30 })
      expect((await ledgerOf(credits, userId)).slice(2)).toEqual([
        'usage -50',
        'clawback -10',
        'refund 20',
        'clawback -20',
      ])
      await expectSound(credits, userId)
    })
  })
})
