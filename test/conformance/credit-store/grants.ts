import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../../../src/errors.js'
import type { Allocation, GrantSource } from '../../../src/ledger/grant.js'
import { type Bench, DAY, expectSound, later, SECOND, stoppedClock, type StoppedClock, times } from './bench.js'

interface GrantInput {
  amount: number
  priority?: number
  effectiveAt?: Date
  expiresAt?: Date
  transactionType?: 'purchase' | 'refund'
  source?: GrantSource
}

/** An account on a clock of its own, and its grants by name. */
async function open(bench: Bench) {
  const [clock, userId] = [stoppedClock(), await bench.newUser()]
  const credits = bench.credits(clock)
  const names = new Map<string, string>()
  return {
    clock,
    userId,
    credits,
    balance: () => credits.getBalance(userId, 'calling'),
    deduct: (amount: number) => credits.deductCredits(userId, amount, 'calling', 'Use'),
    grant: async (name: string, input: GrantInput) => {
      const added = await credits.addCredits({ ...input, userId, creditType: 'calling', description: name })
      names.set(added.id, name)
      return added
    },
    /** `['A 3', 'B 1']`: which grants paid, and how much each. */
    paid: ({ allocations }: { allocations: Allocation[] }) =>
      allocations.map((part) => ('amount' in part ? `${names.get(part.grantId) ?? '?'} ${part.amount}` : '?')),
  }
}

const at = (clock: StoppedClock, days: number) => later(clock, days * DAY)

export function testGrants(bench: Bench): void {
  describe('burn-down order', () => {
    it('takes the lower priority number first', async () => {
      const { grant, deduct, paid } = await open(bench)
      await grant('late', { amount: 10, priority: 5 })
      await grant('first', { amount: 10, priority: -1 })
      await grant('middle', { amount: 10 })
      expect(paid(await deduct(25))).toEqual(['first 10', 'middle 10', 'late 5'])
    })

    it('takes what ends sooner first, and what never ends last', async () => {
      const { clock, grant, deduct, paid } = await open(bench)
      await grant('never', { amount: 10 })
      await grant('in a month', { amount: 10, expiresAt: at(clock, 30) })
      await grant('tomorrow', { amount: 10, expiresAt: at(clock, 1) })
      expect(paid(await deduct(25))).toEqual(['tomorrow 10', 'in a month 10', 'never 5'])
    })

    it('takes promotional credits before paid ones that end together', async () => {
      const { clock, grant, deduct, paid } = await open(bench)
      const expiresAt = at(clock, 30)
      await grant('bought', { amount: 10, expiresAt, transactionType: 'purchase' })
      await grant('plan', { amount: 10, expiresAt, source: 'subscription' })
      await grant('gift', { amount: 10, expiresAt, source: 'promotional' })
      await grant('sorry', { amount: 10, expiresAt, transactionType: 'refund' })
      expect(paid(await deduct(35))).toEqual(['gift 10', 'sorry 10', 'bought 10', 'plan 5'])
    })

    it('takes what started earlier first, then what was granted first, also in one millisecond (C5: order with ties)', async () => {
      const { clock, grant, deduct, paid } = await open(bench)
      await grant('yesterday', { amount: 1, effectiveAt: at(clock, -1) })
      await grant('last week', { amount: 1, effectiveAt: at(clock, -7) })
      const plain = times(6, (index) => `plain ${index}`)
      for (const name of plain) await grant(name, { amount: 1 })
      expect(paid(await deduct(8))).toEqual([...plain.map((name) => `${name} 1`), 'last week 1', 'yesterday 1'])
    })

    it('puts priority above expiry, and expiry above everything else', async () => {
      const { clock, grant, deduct, paid } = await open(bench)
      await grant('gift without end', { amount: 1, source: 'promotional' })
      await grant('paid, ends', { amount: 1, transactionType: 'purchase', expiresAt: at(clock, 9) })
      await grant('first of all', { amount: 1, priority: -1, transactionType: 'purchase' })
      await grant('ends, but later', { amount: 1, priority: 1, expiresAt: at(clock, 1) })
      expect(paid(await deduct(4))).toEqual([
        'first of all 1',
        'paid, ends 1',
        'gift without end 1',
        'ends, but later 1',
      ])
    })

    it('goes on with the same grant until it is empty', async () => {
      const { credits, userId, grant, deduct, paid, balance } = await open(bench)
      await grant('A', { amount: 10 })
      await grant('B', { amount: 10 })
      const seen = []
      for (const amount of [4, 4, 4, 4, 4]) seen.push(paid(await deduct(amount)))
      expect(seen).toEqual([['A 4'], ['A 4'], ['A 2', 'B 2'], ['B 4'], ['B 4']])
      expect(await balance()).toBe(0)
      await expectSound(credits, userId)
    })

    it('gives way to a grant that comes later and burns earlier, and comes back to the first', async () => {
      const { credits, userId, grant, deduct, paid, balance } = await open(bench)
      await grant('A', { amount: 100 })
      await deduct(60)
      await grant('B', { amount: 50, priority: -1 })
      expect(paid(await deduct(10))).toEqual(['B 10'])
      expect(await balance()).toBe(80)
      expect(paid(await deduct(80))).toEqual(['B 40', 'A 40'])
      await expectSound(credits, userId)
    })

    it('works through many grants in one deduction', async () => {
      const { credits, userId, grant, deduct, balance } = await open(bench)
      for (const index of times(25, (index) => index)) await grant(`G${index}`, { amount: 1 + index })
      expect((await deduct(300)).allocations).toHaveLength(24)
      expect(await balance()).toBe(25)
      await expectSound(credits, userId)
    })
  })

  describe('expiry', () => {
    it('ends a grant at the moment itself: usable before, not at it and not after it', async () => {
      const { clock, grant, deduct, balance } = await open(bench)
      await grant('A', { amount: 10, expiresAt: later(clock, SECOND) })
      clock.advance(SECOND - 1)
      expect(await balance()).toBe(10)
      await deduct(1)
      clock.advance(1)
      expect(await balance()).toBe(0)
      await expect(deduct(1)).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', available: 0 })
      clock.advance(1)
      expect(await balance()).toBe(0)
    })

    it('holds at the moment of use, whether or not anybody has written it down (C1: expired but unswept)', async () => {
      const { clock, credits, userId, grant, deduct, paid, balance } = await open(bench)
      await grant('A', { amount: 10, expiresAt: later(clock, SECOND) })
      await grant('B', { amount: 5 })
      clock.advance(SECOND)
      expect(await balance()).toBe(5)
      expect(await credits.checkBalance(userId, 'calling', 6)).toMatchObject({ hasSufficient: false, shortfall: 1 })
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 5, owned: 15 })
      await expect(deduct(6)).rejects.toThrow('Available: 5')
      expect(paid(await deduct(5))).toEqual(['B 5'])
    })

    it('is written once, before the next change, with the time it happened', async () => {
      const { clock, credits, userId, grant, deduct } = await open(bench)
      const expiresAt = later(clock, SECOND)
      const ended = await grant('A', { amount: 10, expiresAt })
      await grant('B', { amount: 5 })
      await deduct(3)
      clock.advance(DAY)
      await deduct(1)
      await deduct(1)
      const rows = await credits.getTransactionHistory(userId, 'calling')
      expect(rows.map(({ transactionType, amount }) => [transactionType, amount])).toEqual([
        ['usage', -1],
        ['usage', -1],
        ['expiration', -7],
        ['usage', -3],
        ['adjustment', 5],
        ['adjustment', 10],
      ])
      expect(rows[2]).toMatchObject({ effectiveAt: expiresAt, createdAt: clock.now(), balanceAfter: 5 })
      expect(rows[2]?.allocations).toEqual([{ grantId: ended.id, amount: 7 }])
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 3, owned: 3, totalUsed: 5 })
      await expectSound(credits, userId)
    })

    it('is not written by a refusal', async () => {
      const { clock, credits, userId, grant, deduct } = await open(bench)
      await grant('A', { amount: 10, expiresAt: later(clock, SECOND) })
      clock.advance(DAY)
      await expect(deduct(1)).rejects.toThrow('Available: 0')
      expect(await credits.getTransactionHistory(userId)).toHaveLength(1)
      await expectSound(credits, userId)
    })

    it('writes one row per grant when several have ended', async () => {
      const { clock, credits, userId, grant } = await open(bench)
      for (const days of [3, 1, 2]) await grant(`${days} days`, { amount: days, expiresAt: at(clock, days) })
      clock.advance(2 * DAY)
      await grant('New', { amount: 1 })
      const rows = await credits.getTransactionHistory(userId)
      const ended = rows.filter(({ transactionType }) => transactionType === 'expiration')
      expect(ended.map(({ amount }) => amount).sort()).toEqual([-1, -2])
      expect(await credits.getBalance(userId, 'calling')).toBe(4)
      await expectSound(credits, userId)
    })

    it('tells when the next credits end, and when a balance goes stale', async () => {
      const { clock, credits, userId, grant } = await open(bench)
      await grant('A', { amount: 10, expiresAt: at(clock, 2) })
      await grant('B', { amount: 10, expiresAt: at(clock, 5) })
      await grant('C', { amount: 10, effectiveAt: at(clock, 1), expiresAt: at(clock, 2) })
      expect((await credits.getAllBalances(userId)).calling.nextExpiry).toEqual(at(clock, 2))
      const { staleAfterMs } = await bench.store.readBalance({ userId, creditType: 'calling' }, clock.now())
      expect(staleAfterMs).toBe(DAY)
    })

    it('in the past is refused, and so is an end before the start (C6)', async () => {
      const { clock, grant, credits, userId } = await open(bench)
      const refused = [
        { expiresAt: clock.now() },
        { expiresAt: later(clock, -SECOND) },
        { effectiveAt: at(clock, 2), expiresAt: at(clock, 2) },
        { effectiveAt: at(clock, 2), expiresAt: at(clock, 1) },
      ]
      for (const times of refused) {
        await expect(grant('A', { amount: 10, ...times })).rejects.toBeInstanceOf(InvalidInputError)
      }
      expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
    })
  })

  describe('scheduled grants', () => {
    it('are usable from their moment on and not before, and owned all the time', async () => {
      const { clock, credits, userId, grant, deduct, balance } = await open(bench)
      const scheduled = await grant('A', { amount: 10, effectiveAt: later(clock, SECOND) })
      expect(scheduled).toMatchObject({ effectiveAt: later(clock, SECOND), balanceAfter: 10 })
      clock.advance(SECOND - 1)
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 0, owned: 10 })
      await expect(deduct(1)).rejects.toThrow('Available: 0')
      clock.advance(1)
      expect(await balance()).toBe(10)
      await deduct(10)
      expect(await balance()).toBe(0)
      await expectSound(credits, userId)
    })

    it('that burn first go before the grant in use once they start, and leave it what it had', async () => {
      const { clock, credits, userId, grant, deduct, paid, balance } = await open(bench)
      await grant('A', { amount: 100 })
      await grant('B', { amount: 50, priority: -1, effectiveAt: later(clock, SECOND) })
      await deduct(60)
      clock.advance(SECOND)
      expect(paid(await deduct(10))).toEqual(['B 10'])
      expect(await balance()).toBe(80)
      await expectSound(credits, userId)
      expect(paid(await deduct(80))).toEqual(['B 40', 'A 40'])
      await expectSound(credits, userId)
    })

    it('that start leave the grant in use what it had, also when the next change is no use', async () => {
      const { clock, credits, userId, grant, deduct, balance } = await open(bench)
      await grant('A', { amount: 100 })
      await grant('B', { amount: 50, priority: -1, effectiveAt: later(clock, SECOND) })
      const used = await deduct(60)
      clock.advance(SECOND)
      await grant('C', { amount: 1 })
      expect(await balance()).toBe(91)
      await credits.refundCredits({ transactionId: used.id, amount: 5 })
      expect(await balance()).toBe(96)
      await expectSound(credits, userId)
    })

    it('that start and end between two changes are written off unused', async () => {
      const { clock, credits, userId, grant, deduct, balance } = await open(bench)
      await grant('A', { amount: 10, effectiveAt: at(clock, 1), expiresAt: at(clock, 2) })
      await grant('B', { amount: 5 })
      clock.advance(3 * DAY)
      expect(await balance()).toBe(5)
      await deduct(5)
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 0, owned: 0 })
      await expectSound(credits, userId)
    })
  })
}
