import { describe, expect, it } from 'vitest'
import { type Bench, adding, deducting, expectSound, newCommand, outcomes, run, times } from './bench.js'

export function testConcurrency(bench: Bench): void {
  describe('many callers at once', () => {
    it('spend the last credits exactly once (A1: no double spend on a moving lock)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const { succeeded, codes } = await outcomes(times(2, () => credits.deductCredits(userId, 80, 'calling', 'Call')))
      expect(succeeded).toHaveLength(1)
      expect(codes).toEqual({ INSUFFICIENT_CREDITS: 1 })
      expect(await credits.getBalance(userId, 'calling')).toBe(20)
    })

    it('never overspend a grant: 50 uses of 3 against 40 + 60 leave 1 (A4: readers of one lot)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 40, 'calling', 'Small')
      await credits.addCredits(userId, 60, 'calling', 'Large')
      const { succeeded, codes } = await outcomes(times(50, () => credits.deductCredits(userId, 3, 'calling', 'Call')))
      expect(succeeded).toHaveLength(33)
      expect(codes).toEqual({ INSUFFICIENT_CREDITS: 17 })
      expect(await credits.getBalance(userId, 'calling')).toBe(1)
      await credits.deductCredits(userId, 1, 'calling', 'The last')
      await expectSound(credits, userId)
    })

    it('make one account when all of them come first (A2: first-touch race)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const { succeeded, codes } = await outcomes(times(20, () => credits.addCredits(userId, 1, 'calling', 'One')))
      expect(codes).toEqual({})
      expect(succeeded.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(times(20, (index) => index + 1))
      expect(await credits.getBalance(userId, 'calling')).toBe(20)
      expect(await credits.verify({ userId })).toEqual({ accounts: 1, violations: [] })
    })

    it('neither lose a first grant nor go below 0 when a use comes with it (A3: the row is absent)', async () => {
      const credits = bench.credits()
      for (const userId of await Promise.all(times(10, () => bench.newUser()))) {
        const { succeeded } = await outcomes([
          credits.deductCredits(userId, 10, 'calling', 'Call'),
          credits.addCredits(userId, 10, 'calling', 'Welcome'),
        ])
        expect(succeeded.at(-1)).toMatchObject({ amount: 10 })
        expect(await credits.getBalance(userId, 'calling')).toBe(succeeded.length === 2 ? 0 : 10)
        await expectSound(credits, userId)
      }
    })

    it('never deadlock, in whichever order they name their accounts', async () => {
      const [credits, first, second] = [bench.credits(), await bench.newUser(), await bench.newUser()]
      const keys = [first, second].flatMap((userId) => [
        { userId, creditType: 'calling' },
        { userId, creditType: 'scraping' },
      ])
      const { succeeded, codes } = await outcomes(
        times(40, (index) => {
          const rotated = [...keys.slice(index % 4), ...keys.slice(0, index % 4)]
          const command = newCommand(index % 8 < 4 ? rotated : rotated.reverse())
          return run(bench.store, command, adding(command, 3))
        }),
      )
      expect(codes).toEqual({})
      expect(succeeded.map(({ status }) => status)).toEqual(times(40, () => 'applied'))
      for (const userId of [first, second]) {
        expect((await credits.getAllBalances(userId)).calling.balance).toBe(120)
        await expectSound(credits, userId)
      }
    })

    it('see each other: of two decisions that only one balance can cover, the second sees the first', async () => {
      const [credits, userId, other] = [bench.credits(), await bench.newUser(), await bench.newUser()]
      const [a, b] = [
        { userId, creditType: 'calling' },
        { userId: other, creditType: 'calling' },
      ]
      for (const key of [a, b]) await credits.addCredits(key.userId, 10, 'calling', 'Welcome')
      const calls = times(20, (index) => {
        const command = newCommand(index % 2 === 0 ? [a, b] : [b, a])
        return run(bench.store, command, deducting(command, 3))
      })
      const { succeeded, codes } = await outcomes(calls)
      expect(succeeded).toHaveLength(3)
      expect(codes).toEqual({ INSUFFICIENT_CREDITS: 17 })
      for (const key of [a, b]) expect(await credits.getBalance(key.userId, 'calling')).toBe(1)
    })
  })
}
