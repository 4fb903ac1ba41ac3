import { describe, expect, it } from 'vitest'
import { InsufficientCreditsError, InvalidAmountError, InvalidInputError } from '../../../src/errors.js'
import { type Bench, expectSound, stoppedClock, times } from './bench.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Text that databases and drivers have been seen to change. */
const AWKWARD = [
  `'; drop table user_credits; --`,
  `"quoted" \\backslash\\ $1 \${x} %s`,
  'two\nlines\tand a tab',
  'e\u0301 is not \u00e9',
  'שלום 😀 👩‍👩‍👧 \u202eabc',
  ' blanks around ',
]

export function testWrites(bench: Bench): void {
  describe('adding credits', () => {
    it('writes one row with exactly the columns that were asked for', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      const added = await credits.addCredits({
        userId,
        amount: 100,
        creditType: 'calling',
        description: 'Bought',
        transactionType: 'purchase',
        referenceId: 'order-1',
        referenceType: 'order',
        metadata: { pack: 'small', nested: [1, { a: null }] },
        idempotencyKey: 'add-1',
        actor: 'admin@example.com',
      })
      expect(added).toEqual({
        id: expect.stringMatching(UUID) as string,
        userId,
        creditType: 'calling',
        seq: 1,
        transactionType: 'purchase',
        amount: 100,
        balanceAfter: 100,
        description: 'Bought',
        referenceId: 'order-1',
        referenceType: 'order',
        metadata: { pack: 'small', nested: [1, { a: null }] },
        createdAt: clock.now(),
        effectiveAt: null,
        idempotencyKey: 'add-1',
        relatedTransactionId: null,
        actor: 'admin@example.com',
        allocations: [{ grantId: added.id, amount: 100 }],
        operation: null,
        replayed: false,
      })
      expect(await credits.getTransactionHistory(userId)).toEqual([added])
    })

    it('is an adjustment unless the caller says otherwise, and only purchases count as purchased', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      expect((await credits.addCredits(userId, 5, 'calling', 'Welcome')).transactionType).toBe('adjustment')
      await credits.addCredits(userId, 7, 'calling', 'Sold', 'purchase')
      await credits.addCredits(userId, 11, 'calling', 'Sorry', 'refund')
      const { calling } = await credits.getAllBalances(userId)
      expect(calling).toMatchObject({ balance: 23, owned: 23, totalPurchased: 7, totalUsed: 0, debt: 0, held: 0 })
    })

    it('counts exactly up to the largest safe integer, and refuses what would go past it', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, Number.MAX_SAFE_INTEGER, 'calling', 'All there are', 'purchase')
      await expect(credits.addCredits(userId, 1, 'calling', 'One more')).rejects.toBeInstanceOf(InvalidAmountError)
      expect(await credits.getBalance(userId, 'calling')).toBe(Number.MAX_SAFE_INTEGER)
      expect(await credits.getTransactionHistory(userId)).toHaveLength(1)
      await credits.deductCredits(userId, Number.MAX_SAFE_INTEGER, 'calling', 'All')
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({
        balance: 0,
        totalUsed: Number.MAX_SAFE_INTEGER,
        totalPurchased: Number.MAX_SAFE_INTEGER,
      })
    })

    it.each(AWKWARD)('keeps every text byte for byte: %j', async (text) => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const added = await credits.addCredits({
        userId,
        amount: 1,
        creditType: 'calling',
        description: text,
        referenceId: text,
        referenceType: text,
        idempotencyKey: text,
        actor: text,
        metadata: { [text]: text },
      })
      const [row] = await credits.getTransactionHistory(userId)
      expect(row).toEqual(added)
      expect(row).toMatchObject({ description: text, referenceId: text, referenceType: text, actor: text })
      expect(row).toMatchObject({ idempotencyKey: text, metadata: { [text]: text } })
    })

    it('keeps metadata that tries to be something else as data', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const text = '{"__proto__":{"polluted":true},"constructor":{"prototype":1},"n":[1e21,-0.5,5e-324,0]}'
      const metadata = JSON.parse(text) as Record<string, unknown>
      await credits.addCredits({ userId, amount: 1, creditType: 'calling', description: 'Hostile', metadata })
      const [row] = await credits.getTransactionHistory(userId)
      expect(sortedJson(row?.metadata)).toBe(sortedJson(metadata))
      expect('polluted' in {}).toBe(false)
    })
  })

  describe('deducting credits', () => {
    it('writes one row with exactly the columns that were asked for', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      const added = await credits.addCredits(userId, 50, 'enrichment', 'Welcome')
      const used = await credits.deductCredits(userId, 20, 'enrichment', 'Lead', 'lead-1', 'lead', { score: 0.5 })
      expect(used).toEqual({
        id: expect.stringMatching(UUID) as string,
        userId,
        creditType: 'enrichment',
        seq: 2,
        transactionType: 'usage',
        amount: -20,
        balanceAfter: 30,
        description: 'Lead',
        referenceId: 'lead-1',
        referenceType: 'lead',
        metadata: { score: 0.5 },
        createdAt: clock.now(),
        effectiveAt: null,
        idempotencyKey: null,
        relatedTransactionId: null,
        actor: null,
        allocations: [{ grantId: added.id, amount: 20 }],
        operation: null,
        replayed: false,
      })
      expect(await credits.getTransactionHistory(userId)).toEqual([used, added])
    })

    it('is refused above the balance, tells the numbers, and writes nothing (A6: no overspend by design)', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 50, 'calling', 'Welcome')
      const before = await credits.getAllBalances(userId)
      const refusal = credits.deductCredits(userId, 100, 'calling', 'Too much')
      await expect(refusal).rejects.toBeInstanceOf(InsufficientCreditsError)
      await expect(refusal).rejects.toMatchObject({
        message: 'Insufficient credits. Required: 100, Available: 50',
        required: 100,
        available: 50,
        shortfall: 50,
      })
      expect(await credits.getAllBalances(userId)).toEqual(before)
      expect(await credits.getTransactionHistory(userId)).toHaveLength(1)
      await expectSound(credits, userId)
    })

    it('from an account that does not exist is refused, and leaves no account row', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const refusal = credits.deductCredits(userId, 1, 'calling', 'Nothing there')
      await expect(refusal).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', available: 0 })
      expect(await bench.store.readBalances(userId, null)).toEqual([])
      expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
    })

    it('goes down to exactly 0 and not below', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 3, 'calling', 'Welcome')
      await credits.deductCredits(userId, 3, 'calling', 'All')
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      await expect(credits.deductCredits(userId, 1, 'calling', 'One more')).rejects.toThrow('Available: 0')
    })

    it('touches no other account, neither of the user nor of anybody else', async () => {
      const [credits, userId, other] = [bench.credits(), await bench.newUser(), await bench.newUser()]
      await credits.addCredits(userId, 10, 'calling', 'Calls')
      await credits.addCredits(userId, 10, 'scraping', 'Pages')
      await credits.addCredits(other, 10, 'calling', 'Calls')
      await credits.deductCredits(userId, 4, 'calling', 'Call')
      expect(await credits.getBalance(userId, 'calling')).toBe(6)
      expect(await credits.getBalance(userId, 'scraping')).toBe(10)
      expect(await credits.getBalance(other, 'calling')).toBe(10)
    })

    it('chains balance_after without a gap, and ends where the balance is', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      for (const round of times(8, (index) => index + 1)) {
        const used = await credits
          .addCredits(userId, round * 7, 'calling', 'In')
          .then(() => credits.deductCredits(userId, round * 5, 'calling', 'Out'))
        if (round % 3 === 0) await credits.refundCredits({ transactionId: used.id, amount: round })
      }
      const rows = (await credits.getTransactionHistory(userId, 'calling')).reverse()
      let balance = 0
      rows.forEach(({ seq, amount, balanceAfter }, index) => {
        balance += amount
        expect({ seq, balanceAfter }).toEqual({ seq: index + 1, balanceAfter: balance })
      })
      expect(await credits.getBalance(userId, 'calling')).toBe(balance)
      await expectSound(credits, userId)
    })
  })

  describe('adjusting credits', () => {
    it('gives and takes, signed, with who did it and why', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const given = await credits.adjustCredits({
        userId,
        amount: 30,
        creditType: 'calling',
        description: 'Goodwill',
        actor: 'ann',
      })
      const taken = await credits.adjustCredits(userId, -12, 'calling', 'Mistake', { ticket: 7 })
      expect(given).toMatchObject({ transactionType: 'adjustment', amount: 30, actor: 'ann', balanceAfter: 30 })
      expect(taken).toMatchObject({ transactionType: 'adjustment', amount: -12, balanceAfter: 18 })
      expect(taken).toMatchObject({ metadata: { ticket: 7 }, allocations: [{ grantId: given.id, amount: 12 }] })
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ totalPurchased: 0, totalUsed: 0 })
      await expectSound(credits, userId)
    })

    it('never takes more than what is available', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.adjustCredits(userId, 5, 'calling', 'Goodwill')
      const refusal = credits.adjustCredits(userId, -6, 'calling', 'Too much')
      await expect(refusal).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS', required: 6, available: 5 })
      expect(await credits.getTransactionHistory(userId)).toHaveLength(1)
    })
  })

  describe('reading balances', () => {
    it('answers 0 for an account nothing has happened to', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      expect(await credits.getBalance(userId, 'calling')).toBe(0)
      expect(await bench.store.readBalance({ userId, creditType: 'calling' }, null)).toMatchObject({
        balance: 0,
        owned: 0,
        version: 0,
        nextExpiry: null,
        staleAfterMs: null,
      })
    })

    it('lists every configured type, and the store only the accounts that exist', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 9, 'scraping', 'Welcome')
      expect(Object.keys(await credits.getAllBalances(userId))).toEqual(['enrichment', 'calling', 'scraping'])
      expect((await bench.store.readBalances(userId, null)).map(({ creditType }) => creditType)).toEqual(['scraping'])
    })

    it('tells whether a balance would do, and what is missing', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 9, 'scraping', 'Welcome')
      const answer = { balance: 9, required: 9, shortfall: 0, hasSufficient: true }
      expect(await credits.checkBalance(userId, 'scraping', 9)).toEqual(answer)
      const missing = { balance: 9, required: 12, shortfall: 3, hasSufficient: false }
      expect(await credits.checkBalance(userId, 'scraping', 12)).toEqual(missing)
    })

    it('raises the version with every change of an account, and with nothing else', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      const version = async () => (await bench.store.readBalance({ userId, creditType: 'calling' }, null)).version
      const seen = [await version()]
      await credits.addCredits(userId, 9, 'calling', 'Welcome')
      seen.push(await version())
      await credits.deductCredits(userId, 4, 'calling', 'Call')
      seen.push(await version())
      await credits.deductCredits(userId, 40, 'calling', 'Too much').catch(() => undefined)
      expect(seen).toEqual([0, 1, 2])
      expect(await version()).toBe(2)
    })

    it('refuses a credit type that is not configured', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      // A caller without types may send anything.
      const unknown = credits.getBalance(userId, 'Calling' as 'calling')
      await expect(unknown).rejects.toBeInstanceOf(InvalidInputError)
    })
  })
}

/** The order of keys is not kept; everything else is. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
