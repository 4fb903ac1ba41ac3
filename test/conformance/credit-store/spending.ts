import { describe, expect, it } from 'vitest'
import { addCredits } from '../../../src/ledger/add.js'
import type { AccountKey } from '../../../src/ledger/account.js'
import type { Addition } from '../../../src/ledger/add.js'
import { addition, type Bench, change, DAY, later, outcomes, plant, SECOND, stoppedClock, times } from './bench.js'
import { decideAll, hold, rowOf, use, usesOf } from './spending-bench.js'

/** Texts that end a string, begin an escape or look like JSON somewhere on their way. */
const HOSTILE = [
  `'; drop table user_credits; --`,
  'back\\slash \\u0041 \\n \\"',
  '"quoted" and `ticked`',
  '😀 \u{10FFFF} e\u0301 \u200b \u2028',
  '{"a": [1, null]}',
  'null',
  '$1 :name %s {0} ?',
  'line\r\n\ttab \u0001\u007f',
] as const

export function testSpending(bench: Bench): void {
  /** An account with these grants, which burn in this order, on a clock of its own. */
  async function open(...grants: (number | (Partial<Addition> & { amount: number }))[]) {
    const [clock, key] = [stoppedClock(), { userId: await bench.newUser(), creditType: 'calling' }]
    const add = (amount: number, given: Partial<Addition> = {}, of: AccountKey = key) =>
      change(bench.store, of, clock.now(), (posting) => addCredits(posting, addition(amount, given)))
    for (const [priority, grant] of grants.entries()) {
      const { amount, ...given } = typeof grant === 'number' ? { amount: grant } : grant
      await add(amount, { priority, ...given })
    }
    clock.advance(SECOND)
    return {
      clock,
      key,
      add,
      decide: async (...commands: Parameters<typeof decideAll>[1]) =>
        (await decideAll(bench.store, commands, clock.now())).decided,
      row: () => rowOf(bench, key, clock.now()),
      uses: () => usesOf(bench, key),
      balance: () => bench.store.readBalance(key, clock.now()),
    }
  }

  const applied = (seq: number, balanceAfter: number) => ({ status: 'applied', seq, balanceAfter })
  const refused = (available: number) => ({ status: 'insufficient', available })

  describe('deductions and holds that come at once', () => {
    it('are answered in their own order, whoever owns the accounts', async () => {
      const { clock } = await open()
      const users = await Promise.all(times(3, () => bench.newUser()))
      const keys = users.flatMap((userId) => [
        { userId, creditType: 'scraping' },
        { userId, creditType: 'calling' },
      ])
      for (const key of keys)
        await change(bench.store, key, clock.now(), (posting) => addCredits(posting, addition(1000)))
      // The k-th call takes k credits; every account is named once a round, each round in another order.
      const commands = times(24, (index) => {
        const [round, place] = [Math.floor(index / 6), index % 6]
        const key = keys[round % 2 === 0 ? place : 5 - place] ?? { userId: '', creditType: '' }
        return use(key, index + 1)
      })
      const { decided, first } = await decideAll(bench.store, commands, clock.now())
      const left = new Map(keys.map((key) => [key, { seq: 1, balance: 1000 }]))
      for (const [index, command] of commands.entries()) {
        const state = [...left].find(
          ([{ userId, creditType }]) => userId === command.userId && creditType === command.creditType,
        )?.[1] ?? { seq: 0, balance: 0 }
        state.seq += 1
        state.balance -= command.amount
        expect(decided[index]).toEqual(applied(state.seq, state.balance))
      }
      for (const key of keys) {
        const own = commands.filter(({ userId, creditType }) => userId === key.userId && creditType === key.creditType)
        const uses = await usesOf(bench, key)
        expect(uses.map(({ id, amount }) => [id, amount])).toEqual(own.map(({ id, amount }) => [id, -amount]))
        const row = await rowOf(bench, key, clock.now())
        expect(row).toMatchObject({
          balance: left.get(key)?.balance,
          seq: 5,
          totalUsed: 1000 - row.balance,
          version: 5,
        })
        expect(row.headRemaining).toBe(row.balance)
        expect(row.updatedAt).toEqual(clock.now())
        for (const [index, outcome] of first.entries())
          if (outcome.status === 'applied' && commands[index]?.userId === key.userId)
            expect(outcome.at).toEqual(clock.now())
      }
    })

    it('tell the version that their account has after them, so that no cache keeps what was before', async () => {
      const { clock, key, row } = await open(100)
      const { version } = await row()
      for (const command of [hold(key, 1), use(key, 1), hold(key, 1)]) {
        const { first } = await decideAll(bench.store, [command], clock.now())
        const [only] = first
        if (only?.status === 'applied') expect(only.version).toBe((await row()).version)
      }
      const batch = [hold(key, 1), use(key, 1), use(key, 1), hold(key, 1)]
      const { first } = await decideAll(bench.store, batch, clock.now())
      const told = first.map((outcome, index) => (outcome.status === 'applied' ? outcome.version : version + 4 + index))
      expect(told).toEqual(times(4, (index) => version + 4 + index))
      expect(await row()).toMatchObject({ version: version + 7 })
    })

    it('overtake the refused ones, and nobody else', async () => {
      const { key, decide, uses } = await open(20)
      const answers = await decide(...[5, 50, 3, 13, 12, 1, 2].map((amount) => use(key, amount)))
      expect(answers).toEqual([
        applied(2, 15),
        refused(15),
        applied(3, 12),
        refused(12),
        applied(4, 0),
        refused(0),
        refused(0),
      ])
      expect((await uses()).map(({ amount }) => amount)).toEqual([-5, -3, -12])
    })

    it('wait behind the first that needs more than one grant', async () => {
      const { key, decide, uses } = await open(10, 10)
      const answers = await decide(...[4, 8, 1, 30, 7].map((amount) => use(key, amount)))
      expect(answers).toEqual([applied(3, 16), applied(4, 8), applied(5, 7), refused(7), applied(6, 0)])
      expect((await uses()).map(({ amount, allocations }) => [amount, allocations.length])).toEqual([
        [-4, 1],
        [-8, 2],
        [-1, 1],
        [-7, 1],
      ])
    })

    it.each([
      ['one less than the next grant has left', 9, 1, 0],
      ['just what the next grant has left', 10, 5, 1],
      ['one more than the next grant has left', 11, 4, 1],
      ['one less than all there is', 14, 1, 1],
      ['all there is', 15, 0, 2],
    ])('may take %s', async (_what, amount, head, gone) => {
      const { key, decide, row, balance } = await open(10, 5)
      expect(await decide(use(key, amount))).toEqual([applied(3, 15 - amount)])
      expect(await row()).toMatchObject({ headRemaining: head, balance: 15 - amount, totalUsed: amount })
      expect(await balance()).toMatchObject({ balance: 15 - amount, owned: 15 - amount })
      const open_ = await bench.store.listGrants(
        { userId: key.userId, creditType: null },
        later(stoppedClock(), SECOND),
      )
      expect(open_).toHaveLength(2 - gone)
    })

    it('may not take one more than there is, together or alone', async () => {
      const { key, decide, row } = await open(10, 5)
      expect(await decide(use(key, 16))).toEqual([refused(15)])
      expect(await decide(use(key, 9), use(key, 7), hold(key, 7))).toEqual([applied(3, 6), refused(6), refused(6)])
      expect(await row()).toMatchObject({ balance: 6, held: 0, version: 3 })
    })

    it('are refused by an account that nobody has heard of, which is not made by it', async () => {
      const { key, decide } = await open()
      expect(await decide(use(key, 1), hold(key, 1))).toEqual([refused(0), refused(0)])
      expect(await bench.store.readBalances(key.userId, null)).toEqual([])
    })

    it('are refused while there is debt, whatever there is to spend', async () => {
      const { key, decide, uses } = await open(100)
      await plant(bench.store, key, { debt: 5, balance: 95 })
      expect(await decide(use(key, 1), use(key, 50), hold(key, 1))).toEqual([refused(-5), refused(-5), refused(-5)])
      await plant(bench.store, key, { debt: 0, balance: 100 })
      expect(await decide(use(key, 1))).toEqual([applied(2, 99)])
      expect(await uses()).toHaveLength(1)
    })

    it('count what was used in all to the last number that can be counted', async () => {
      const { key, decide, row } = await open(100)
      await plant(bench.store, key, { totalUsed: Number.MAX_SAFE_INTEGER - 7 })
      expect(await decide(use(key, 3), use(key, 4))).toEqual([applied(2, 97), applied(3, 93)])
      expect(await row()).toMatchObject({ totalUsed: Number.MAX_SAFE_INTEGER })
      await expect(decide(use(key, 1))).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
      expect(await row()).toMatchObject({ balance: 93, totalUsed: Number.MAX_SAFE_INTEGER })
    })
  })

  describe('deductions and holds at a moment at which something is due', () => {
    it('do not take from credits that end just now', async () => {
      const { clock, key, decide, uses } = await open({ amount: 10, expiresAt: later(stoppedClock(), DAY) }, 5)
      clock.set(later(stoppedClock(), DAY - 1).toISOString())
      expect(await decide(use(key, 1))).toEqual([applied(3, 14)])
      clock.advance(1)
      // The other 9 are written off first.
      expect(await decide(use(key, 1), use(key, 5), use(key, 4))).toEqual([applied(5, 4), refused(4), applied(6, 0)])
      expect((await uses()).map(({ createdAt }) => createdAt)).toEqual([later(clock, -1), clock.now(), clock.now()])
    })

    it('refuse nothing that credits cover which begin just now', async () => {
      const effectiveAt = later(stoppedClock(), DAY)
      const { clock, key, decide, row } = await open(3, { amount: 10, effectiveAt })
      expect(await decide(use(key, 4), use(key, 1))).toEqual([refused(3), applied(3, 12)])
      clock.set(effectiveAt.toISOString())
      expect(await decide(use(key, 13), use(key, 12))).toEqual([refused(12), applied(4, 0)])
      expect(await row()).toMatchObject({ scheduled: 0, nextDueAt: null })
    })

    it('prefer credits that begin just now, where they burn first', async () => {
      const effectiveAt = later(stoppedClock(), DAY)
      const { clock, key, decide, row } = await open({ amount: 10, effectiveAt }, 100)
      const later_ = await row()
      expect(await decide(use(key, 1))).toEqual([applied(3, 109)])
      clock.set(effectiveAt.toISOString())
      expect(await decide(use(key, 1))).toEqual([applied(4, 108)])
      const now = await row()
      expect(now.headGrantId).not.toBe(later_.headGrantId)
      expect(now.headRemaining).toBe(9)
    })

    it('may take what a hold gave back whose time has run out just now', async () => {
      const { clock, key, decide, row } = await open(10)
      expect(await decide(hold(key, 8, {}, 60), use(key, 3), use(key, 2))).toMatchObject([
        { status: 'applied' },
        refused(2),
        applied(2, 8),
      ])
      clock.advance(60 * SECOND - 1)
      expect(await decide(use(key, 1))).toEqual([refused(0)])
      clock.advance(1)
      expect(await decide(use(key, 9), use(key, 8))).toEqual([refused(8), applied(3, 0)])
      expect(await row()).toMatchObject({ held: 0, nextDueAt: null })
    })

    it('may take what a plan gives just now', async () => {
      const { clock, key } = await open()
      const plans = { pro: { grants: [{ creditType: 'calling', amount: 10, every: 'day' }] } } as const
      const credits = bench.credits(clock, { plans })
      await credits.startPlan({ userId: key.userId, plan: 'pro' })
      const rush = () => outcomes(times(12, () => credits.deductCredits(key.userId, 1, 'calling', 'Use')))
      for (let day = 0; day < 3; day += 1) {
        const { succeeded, codes } = await rush()
        expect([succeeded.length, codes]).toEqual([10, { INSUFFICIENT_CREDITS: 2 }])
        clock.advance(DAY)
      }
      expect(await usesOf(bench, key)).toHaveLength(30)
    })
  })

  describe('what a deduction says of itself', () => {
    it.each(HOSTILE)('comes back as it was given: %j', async (text) => {
      const { clock, key } = await open(100)
      const credits = bench.credits(clock)
      const metadata = { [text]: text, nested: { list: [text, { [text]: null }] } }
      const said = { description: text, referenceId: text, referenceType: text, actor: text, metadata }
      const input = { ...key, creditType: 'calling', amount: 1, idempotencyKey: text, ...said } as const
      const other = { ...input, idempotencyKey: `${text} of the hold` }
      // Alone, and among others: with a use and a hold of each.
      const alone = await credits.deductCredits({ ...input, idempotencyKey: `${text}, alone` })
      const [used, held] = await Promise.all([credits.deductCredits(input), credits.holdCredits(other)])
      expect(alone).toMatchObject(said)
      expect(used).toMatchObject({ ...said, idempotencyKey: text, replayed: false })
      expect(held).toMatchObject({ ...said, replayed: false })
      const uses = await usesOf(bench, key)
      expect(uses).toMatchObject([said, said])
      expect(uses.map(({ idempotencyKey }) => idempotencyKey)).toEqual([`${text}, alone`, text])
      expect(await bench.store.findHold(held.id, clock.now())).toMatchObject(said)
      const again = await Promise.all([credits.deductCredits(input), credits.holdCredits(other)])
      expect(again).toEqual([
        { ...used, replayed: true },
        { ...held, replayed: true },
      ])
    })

    it.each([
      ['none', null],
      ['empty', {}],
      ['nothing inside', { nothing: null, list: [], object: {}, empty: '' }],
      ['nested', { a: { b: [{ c: [[1, 2.5, -3e-7, 1e21, true]] }] } }],
      ['like our own fields', { status: 'open', n: 1, hold_seconds: 5, idempotency_key: 'k', applies: false }],
    ])('keeps its metadata: %s', async (_what, metadata) => {
      const { clock, key } = await open(100)
      const credits = bench.credits(clock)
      const input = { ...key, creditType: 'calling', amount: 1, description: '', metadata } as const
      const [first, second, held] = await Promise.all([
        credits.deductCredits(input),
        credits.deductCredits({ ...input, idempotencyKey: 'k' }),
        credits.holdCredits(input),
      ])
      for (const { metadata: told } of [first, second, held]) expect(told).toEqual(metadata)
      for (const row of await usesOf(bench, key)) expect(row.metadata).toEqual(metadata)
      expect((await bench.store.findHold(held.id, clock.now()))?.metadata).toEqual(metadata)
    })

    it('has the price and the parameters of a priced operation, also where several come at once', async () => {
      const { clock, key } = await open(100)
      const operations = { crawl: { creditType: 'calling', cost: { unit: 'pages', credits: 2 }, version: 7 } } as const
      const credits = bench.credits(clock, { operations })
      const spent = await Promise.all(
        times(3, (index) =>
          credits.spend({ userId: key.userId, operation: 'crawl', params: { pages: index + 1, of: HOSTILE[index] } }),
        ),
      )
      const kept = await credits.getTransactionHistory(key.userId)
      for (const [index, { id, amount, operation }] of spent.entries()) {
        const expected = { name: 'crawl', params: { pages: index + 1, of: HOSTILE[index] }, priceVersion: '7' }
        expect([amount, operation]).toEqual([-2 * (index + 1), expected])
        expect(kept.find((row) => row.id === id)?.operation).toEqual(expected)
      }
    })
  })
}
