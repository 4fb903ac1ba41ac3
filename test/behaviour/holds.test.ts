import { describe, expect, it } from 'vitest'
import { HoldNotFoundError, HoldNotOpenError, InsufficientCreditsError } from '../../src/index.js'
import { expectSound, later, outcomes, times } from '../conformance/credit-store/bench.js'
import { holding } from './holding.js'
import { ledgerOf, MINUTE, onEveryStore } from './stage.js'

onEveryStore('holds', (open) => {
  describe('a hold', () => {
    it('E1 hold 60 of 100, deduct 50: refused; available 40, owned 100', async () => {
      const { credits, userId, hold, figures, clock, grantId } = await holding(open)
      expect(hold).toMatchObject({
        userId,
        creditType: 'calling',
        amount: 60,
        captured: 0,
        status: 'open',
        allocations: [{ grantId, amount: 60 }],
        expiresAt: later(clock, 10 * MINUTE),
        replayed: false,
      })
      expect(await figures()).toMatchObject({ balance: 40, owned: 100, held: 60, totalUsed: 0 })
      const refused = credits.deductCredits(userId, 50, 'calling', 'Too much')
      await expect(refused).rejects.toBeInstanceOf(InsufficientCreditsError)
      await expect(refused).rejects.toMatchObject({ required: 50, available: 40, shortfall: 10 })
      await expect(refused).rejects.toThrow('Insufficient credits. Required: 50, Available: 40')
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100'])
      await credits.deductCredits(userId, 40, 'calling', 'The rest')
      expect(await figures()).toMatchObject({ balance: 0, owned: 60, held: 60 })
      await expectSound(credits, userId)
    })

    it('E2 settle 40 of 60: 20 come back, in the same step', async () => {
      const { credits, userId, holdId, found, figures, grantId } = await holding(open)
      const use = await credits.captureHold({ holdId, amount: 40 })
      expect(use).toMatchObject({
        transactionType: 'usage',
        amount: -40,
        balanceAfter: 60,
        description: 'Long call',
        relatedTransactionId: holdId,
        allocations: [{ grantId, amount: 40 }],
      })
      expect(await found()).toMatchObject({ status: 'captured', captured: 40 })
      expect(await figures()).toMatchObject({ balance: 60, owned: 60, held: 0, totalUsed: 40 })
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100', 'usage -40'])
      await expectSound(credits, userId)
    })

    it('is used in full when a capture names no amount', async () => {
      const { credits, userId, holdId, figures } = await holding(open)
      expect(await credits.captureHold({ holdId, description: 'Call of 12 minutes' })).toMatchObject({
        amount: -60,
        description: 'Call of 12 minutes',
      })
      expect(await figures()).toMatchObject({ balance: 40, owned: 40, held: 0 })
      await expectSound(credits, userId)
    })

    it('E3 settle 80 of a 60 hold: takes 20 more where that is allowed and affordable, else it is refused and stays', async () => {
      const { credits, userId, holdId, found, figures } = await holding(open)
      const notAllowed = credits.captureHold({ holdId, amount: 61 })
      await expect(notAllowed).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
      await expect(notAllowed).rejects.toThrow(/left of the hold \(60\)/)
      const unaffordable = credits.captureHold({ holdId, amount: 101, allowOver: true })
      await expect(unaffordable).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', required: 41, available: 40 })
      expect(await found()).toMatchObject({ status: 'open', captured: 0 })
      expect(await figures()).toMatchObject({ balance: 40, owned: 100, held: 60 })
      expect(await credits.captureHold({ holdId, amount: 80, allowOver: true })).toMatchObject({ amount: -80 })
      expect(await found()).toMatchObject({ status: 'captured', captured: 80 })
      expect(await figures()).toMatchObject({ balance: 20, owned: 20, held: 0, totalUsed: 80 })
      await expectSound(credits, userId)
    })

    it('is captured from its own grants first, and goes beyond them as an ordinary deduction', async () => {
      const { credits, userId, holdId, grantId } = await holding(open)
      const urgent = { userId, amount: 15, creditType: 'calling', description: 'Burns first', priority: -1 } as const
      const { id: first } = await credits.addCredits(urgent)
      const { allocations } = await credits.captureHold({ holdId, amount: 80, allowOver: true })
      expect(allocations).toEqual([
        { grantId, amount: 65 },
        { grantId: first, amount: 15 },
      ])
      await expectSound(credits, userId)
    })

    it('pins grants in burn-down order, and others pay meanwhile', async () => {
      const { credits, userId } = open()
      const add = { userId, amount: 30, creditType: 'calling', description: 'Grant' } as const
      const grants = []
      for (const priority of [2, 0, 1]) grants.push((await credits.addCredits({ ...add, priority })).id)
      const [last, first, second] = grants
      const hold = await credits.holdCredits({ ...add, amount: 40 })
      expect(hold.allocations).toEqual([
        { grantId: first, amount: 30 },
        { grantId: second, amount: 10 },
      ])
      const { allocations } = await credits.deductCredits(userId, 25, 'calling', 'Meanwhile')
      expect(allocations).toEqual([
        { grantId: second, amount: 20 },
        { grantId: last, amount: 5 },
      ])
      await credits.releaseHold({ holdId: hold.id })
      const after = await credits.deductCredits(userId, 41, 'calling', 'After')
      expect(after.allocations).toEqual([
        { grantId: first, amount: 30 },
        { grantId: second, amount: 10 },
        { grantId: last, amount: 1 },
      ])
      await expectSound(credits, userId)
    })

    it('stays open for further captures where a capture is not final, and the last one gives back the rest', async () => {
      const { credits, userId, holdId, found, figures } = await holding(open)
      await credits.captureHold({ holdId, amount: 10, final: false })
      expect(await found()).toMatchObject({ status: 'open', captured: 10 })
      expect(await figures()).toMatchObject({ balance: 40, owned: 90, held: 50 })
      await credits.captureHold({ holdId, amount: 25, final: false })
      await expect(credits.captureHold({ holdId, amount: 26, final: false })).rejects.toThrow('(25)')
      await credits.captureHold({ holdId, amount: 5 })
      expect(await found()).toMatchObject({ status: 'captured', captured: 40 })
      expect(await figures()).toMatchObject({ balance: 60, owned: 60, held: 0, totalUsed: 40 })
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100', 'usage -10', 'usage -25', 'usage -5'])
      await expectSound(credits, userId)
    })

    it('of which nothing is left can be released, and extended by a capture that goes beyond it', async () => {
      const { credits, userId, holdId, figures } = await holding(open)
      await credits.captureHold({ holdId, final: false })
      await expect(credits.captureHold({ holdId })).rejects.toThrow('Nothing is left of this hold to capture')
      await credits.captureHold({ holdId, amount: 3, allowOver: true, final: false })
      expect(await credits.releaseHold({ holdId })).toMatchObject({ status: 'released', captured: 63 })
      expect(await figures()).toMatchObject({ balance: 37, owned: 37, held: 0 })
      await expectSound(credits, userId)
    })

    it('that is released gives everything back, and writes no row', async () => {
      const { credits, userId, holdId, figures } = await holding(open)
      expect(await credits.releaseHold({ holdId })).toMatchObject({ id: holdId, status: 'released', captured: 0 })
      expect(await figures()).toMatchObject({ balance: 100, owned: 100, held: 0 })
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100'])
      await expectSound(credits, userId)
    })

    it('is refused above what is available, with the numbers, and leaves nothing', async () => {
      const { credits, userId, figures, newUser } = await holding(open)
      const input = { amount: 41, creditType: 'calling', description: 'Too much' } as const
      const refused = credits.holdCredits({ ...input, userId })
      await expect(refused).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', required: 41, available: 40 })
      expect(await figures()).toMatchObject({ balance: 40, held: 60 })
      const nobody = newUser()
      await expect(credits.holdCredits({ ...input, userId: nobody })).rejects.toThrow('Available: 0')
      expect(await credits.verify({ userId: nobody })).toEqual({ accounts: 0, violations: [] })
    })

    it('is refused when it could not be one, before anything is asked', async () => {
      const { credits, userId, holdId } = await holding(open)
      const input = { userId, amount: 1, creditType: 'calling', description: 'Wrong' } as const
      for (const amount of [0, -1, 0.5, NaN]) {
        await expect(credits.holdCredits({ ...input, amount })).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
        await expect(credits.captureHold({ holdId, amount })).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
      }
      for (const expiresInSeconds of [0, -1, 1.5, 31 * 86_400 + 1]) {
        const issues = [{ path: 'expiresInSeconds' }]
        await expect(credits.holdCredits({ ...input, expiresInSeconds })).rejects.toMatchObject({ issues })
        await expect(credits.extendHold({ holdId, expiresInSeconds })).rejects.toMatchObject({ issues })
      }
    })
  })

  describe('the end of a hold', () => {
    const ENDS = {
      settle: ({ credits, holdId }) => credits.captureHold({ holdId, amount: 10 }),
      release: ({ credits, holdId }) => credits.releaseHold({ holdId }),
    } satisfies Record<string, (held: Awaited<ReturnType<typeof holding>>) => Promise<unknown>>

    describe.each(['settle', 'release'] as const)('after the first: %s', (first) => {
      it.each(['settle', 'release'] as const)('E4 %s is refused, and nothing happens twice', async (second) => {
        const held = await holding(open)
        await ENDS[first](held)
        const before = await held.figures()
        const refused = ENDS[second](held)
        const status = first === 'settle' ? 'captured' : 'released'
        await expect(refused).rejects.toBeInstanceOf(HoldNotOpenError)
        await expect(refused).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN', status })
        await expect(refused).rejects.toThrow(`Hold is no longer open: it has been ${status}`)
        const extended = held.credits.extendHold({ holdId: held.holdId, expiresInSeconds: 60 })
        await expect(extended).rejects.toMatchObject({ status })
        expect(await held.figures()).toEqual(before)
        await expectSound(held.credits, held.userId)
      })
    })

    it('E4 ten captures and ten releases at once: exactly one has an effect', async () => {
      for (const round of times(3, (index) => index)) {
        const { credits, userId, holdId, found, figures } = await holding(open)
        const ends = times(20, (index): Promise<unknown> =>
          (index + round) % 2 === 0 ? credits.captureHold({ holdId, amount: 10 }) : credits.releaseHold({ holdId }),
        )
        const { succeeded, codes } = await outcomes(ends)
        expect(succeeded).toHaveLength(1)
        expect(codes).toEqual({ HOLD_NOT_OPEN: 19 })
        const captured = (await found())?.status === 'captured' ? 10 : 0
        expect(await figures()).toMatchObject({ balance: 100 - captured, owned: 100 - captured, held: 0 })
        await expectSound(credits, userId)
      }
    })

    it('E5 comes with its timeout, to the millisecond, with no sweeper running', async () => {
      const { credits, userId, holdId, found, figures, clock } = await holding(open)
      clock.advance(10 * MINUTE - 1)
      expect(await figures()).toMatchObject({ balance: 40, held: 60 })
      await expect(credits.deductCredits(userId, 41, 'calling', 'Too early')).rejects.toThrow('Available: 40')
      clock.advance(1)
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      expect(await figures()).toMatchObject({ balance: 100, owned: 100, held: 0 })
      expect(await found()).toMatchObject({ status: 'expired' })
      const late = credits.captureHold({ holdId, amount: 10 })
      await expect(late).rejects.toMatchObject({ code: 'HOLD_NOT_OPEN', status: 'expired' })
      await expect(late).rejects.toThrow('Hold is no longer open: it has been ended by its timeout')
      await expect(credits.releaseHold({ holdId })).rejects.toMatchObject({ status: 'expired' })
      const extended = credits.extendHold({ holdId, expiresInSeconds: 60 })
      await expect(extended).rejects.toMatchObject({ status: 'expired' })
      expect(await credits.deductCredits(userId, 100, 'calling', 'Everything')).toMatchObject({ balanceAfter: 0 })
      await expectSound(credits, userId)
    })

    it('E9 the process dies after it held: fifteen minutes later the credits are back, also for a sweeper', async () => {
      const { credits, clock, userId, service, store } = open()
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const { id } = await service().holdCredits({ userId, amount: 60, creditType: 'calling', description: 'Crash' })
      clock.advance(15 * MINUTE - 1)
      expect(await credits.getBalance(userId, 'calling')).toBe(40)
      clock.advance(1)
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      await service().runDue()
      expect(await store.findHold(id, clock.now())).toMatchObject({ status: 'expired', captured: 0 })
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 100, owned: 100, held: 0 })
      expect(await ledgerOf(credits, userId)).toEqual(['adjustment 100'])
      await expectSound(credits, userId)
    })

    it('that was captured in part gives back by its timeout what is left', async () => {
      const { credits, userId, holdId, found, figures, clock } = await holding(open)
      await credits.captureHold({ holdId, amount: 25, final: false })
      clock.advance(10 * MINUTE)
      expect(await figures()).toMatchObject({ balance: 75, owned: 75, held: 0 })
      await credits.runDue()
      expect(await found()).toMatchObject({ status: 'expired', captured: 25 })
      await expectSound(credits, userId)
    })

    it('is put off by extending, and never brought forward', async () => {
      const { credits, userId, holdId, hold, clock, found } = await holding(open)
      clock.advance(MINUTE)
      expect((await credits.extendHold({ holdId, expiresInSeconds: 60 })).expiresAt).toEqual(hold.expiresAt)
      const { expiresAt } = await credits.extendHold({ holdId, expiresInSeconds: 1200 })
      expect(expiresAt).toEqual(later(clock, 20 * MINUTE))
      clock.set(hold.expiresAt.toISOString())
      expect(await found()).toMatchObject({ status: 'open' })
      expect(await credits.getBalance(userId, 'calling')).toBe(40)
      clock.set(expiresAt.toISOString())
      expect(await credits.getBalance(userId, 'calling')).toBe(100)
      await expectSound(credits, userId)
    })

    it('E7 twenty concurrent holds of 10 on 100: exactly 10', async () => {
      const { credits, userId } = open()
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const input = { userId, amount: 10, creditType: 'calling', description: 'Call' } as const
      const { succeeded, codes } = await outcomes(times(20, () => credits.holdCredits(input)))
      expect(succeeded).toHaveLength(10)
      expect(codes).toEqual({ INSUFFICIENT_CREDITS: 10 })
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 0, owned: 100, held: 100 })
      await Promise.all(succeeded.map(({ id: holdId }) => credits.captureHold({ holdId, amount: 7 })))
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 30, owned: 30, held: 0 })
      await expectSound(credits, userId)
    })
  })

  describe('a hold and who asks for it', () => {
    it('is not found by the id of somebody else, an unknown or a malformed one', async () => {
      const { credits, userId, holdId, newUser, figures } = await holding(open)
      const stranger = newUser()
      const wrong = [{ holdId, userId: stranger }, { holdId: stranger.slice(5) }, { holdId: 'h1' }, { holdId: '' }]
      for (const input of wrong) {
        const asks = [
          () => credits.captureHold({ ...input, amount: 1 }),
          () => credits.releaseHold(input),
          () => credits.extendHold({ ...input, expiresInSeconds: 60 }),
        ]
        for (const ask of asks) {
          const refused = ask()
          await expect(refused).rejects.toBeInstanceOf(HoldNotFoundError)
          await expect(refused).rejects.toThrow(/^Hold not found$/)
        }
      }
      expect(await figures()).toMatchObject({ balance: 40, held: 60 })
      expect(await credits.releaseHold({ holdId: holdId.toUpperCase(), userId })).toMatchObject({ status: 'released' })
    })
  })
})
