import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { CreditServiceOptions } from '../../../src/credit-service-options.js'
import type { AccountHistory } from '../../../src/ledger/audit.js'
import { addCredits } from '../../../src/ledger/add.js'
import type { BalanceCache } from '../../../src/ports/cache.js'
import type { SpendCommand } from '../../../src/ports/store.js'
import { addition, type Bench, change, expectSound, later, named, plant, SECOND, stoppedClock, times } from './bench.js'
import { decideAll, hold, rowOf, use, usesOf } from './spending-bench.js'

/** What deductions and holds bring with them: rows of holds, keys, alerts and top-ups. */
export function testSpendingSides(bench: Bench): void {
  async function open(...amounts: number[]) {
    const [clock, key] = [stoppedClock(), { userId: await bench.newUser(), creditType: 'calling' } as const]
    const add = (amount: number, creditType = 'calling') =>
      change(bench.store, { ...key, creditType }, clock.now(), (posting) => addCredits(posting, addition(amount)))
    for (const amount of amounts) await add(amount)
    clock.advance(SECOND)
    return {
      clock,
      key,
      add,
      credits: bench.credits(clock),
      decide: async (...commands: SpendCommand[]) => (await decideAll(bench.store, commands, clock.now())).decided,
      row: () => rowOf(bench, key, clock.now()),
      history: async (): Promise<AccountHistory> => {
        let found: AccountHistory | undefined
        await bench.store.scanAccounts({ ...key, holds: 'every' }, (history) => (found = history))
        if (found === undefined) throw new Error('open: there is no account')
        return found
      },
    }
  }

  const said = { referenceId: 'r', referenceType: 'call', metadata: { a: [1] }, actor: 'agent' }

  describe('holds among deductions', () => {
    it('write their own rows, and pin what they take of the head', async () => {
      const { clock, key, decide, row, history } = await open(100)
      const kept = { operation: { name: 'crawl', params: {}, priceVersion: '1' } }
      const holds = [hold(key, 10, { ...said, kept }, 60), hold(key, 20, { key: 'job' }, 30)]
      const [first, second] = holds
      if (first === undefined || second === undefined) throw new Error('there are two')
      const answers = await decide(use(key, 1), first, use(key, 2), second, use(key, 3))
      // A hold has no row of the ledger: it tells of its account as it is.
      expect(answers).toEqual([
        { status: 'applied', seq: 2, balanceAfter: 99 },
        { status: 'applied', seq: 2, balanceAfter: 99 },
        { status: 'applied', seq: 3, balanceAfter: 97 },
        { status: 'applied', seq: 3, balanceAfter: 97 },
        { status: 'applied', seq: 4, balanceAfter: 94 },
      ])
      expect(await row()).toMatchObject({
        balance: 94,
        held: 30,
        headRemaining: 64,
        totalUsed: 6,
        version: 6,
        nextDueAt: later(clock, 30 * SECOND),
      })
      const { grants, holds: written } = await history()
      expect(grants).toMatchObject([{ amount: 100, remaining: 64, held: 30, open: true }])
      const pinned = (amount: number) => [{ grantId: grants[0]?.id, amount }]
      const now = clock.now()
      expect(named(written, first.id)).toEqual({
        ...key,
        ...said,
        id: first.id,
        amount: 10,
        captured: 0,
        status: 'open',
        expiresAt: later(clock, 60 * SECOND),
        allocations: pinned(10),
        description: 'Hold',
        request: kept,
        createdAt: now,
        updatedAt: now,
      })
      expect(named(written, second.id)).toMatchObject({ amount: 20, request: null, allocations: pinned(20) })
      await expectSound(bench.credits(clock), key.userId)
    })

    it.each(['captured', 'captured in part', 'released', 'expired', 'extended'])(
      'are later %s like any other',
      async (what) => {
        const { clock, key, decide, row, history, credits } = await open(100)
        const held = hold(key, 10, said, 60)
        await decide(use(key, 1), held, hold(key, 20, {}, 600), use(key, 2))
        const own = { holdId: held.id, actor: said.actor }
        if (what === 'captured') expect(await credits.captureHold(own)).toMatchObject({ ...said, amount: -10 })
        if (what === 'captured in part')
          expect(await credits.captureHold({ ...own, amount: 4 })).toMatchObject({ ...said, amount: -4 })
        if (what === 'released') expect(await credits.releaseHold(own)).toMatchObject({ status: 'released' })
        if (what === 'extended') await credits.extendHold({ ...own, expiresInSeconds: 120 })
        clock.advance(60 * SECOND)
        await decide(use(key, 1))
        const used = what === 'captured' ? 10 : what === 'captured in part' ? 4 : 0
        const left = what === 'extended' ? 10 : 0
        expect(await row()).toMatchObject({ balance: 96 - used, held: 20 + left, headRemaining: 76 - used - left })
        const { holds, grants } = await history()
        const status = what === 'captured in part' ? 'captured' : what === 'extended' ? 'open' : what
        expect(named(holds, held.id)).toMatchObject({ status, captured: used })
        expect(grants).toMatchObject([{ held: 20 + left }])
        await expectSound(credits, key.userId)
      },
    )

    it('may pin credits to the last but one, and the last by more than the head', async () => {
      const { key, decide, row, history } = await open(10, 10)
      await decide(hold(key, 4), hold(key, 5), hold(key, 5), use(key, 6))
      expect(await row()).toMatchObject({ balance: 14, held: 14, headGrantId: null, headRemaining: 0 })
      const { grants } = await history()
      const pinned = grants.map(({ remaining, held }) => [remaining, held])
      expect(pinned.sort(([, a], [, b]) => (a ?? 0) - (b ?? 0))).toEqual([
        [0, 4],
        [0, 10],
      ])
    })

    it('are forgotten by no cache: what it knew before them is not taken any more', async () => {
      const { key, row } = await open(100)
      const versions: (number | undefined)[] = []
      const cache: BalanceCache = {
        ttlSeconds: 60,
        get: async () => null,
        set: async () => undefined,
        invalidate: async (_key, minVersion) => void versions.push(minVersion),
      }
      const credits = bench.credits(undefined, { cache })
      const call = { ...key, amount: 1, description: 'Call' }
      for (const ask of [() => credits.holdCredits(call), () => credits.deductCredits(call)]) {
        await ask()
        expect(versions.at(-1)).toBe((await row()).version)
      }
      const { version } = await row()
      await Promise.all([credits.holdCredits(call), credits.deductCredits(call), credits.holdCredits(call)])
      expect(Math.max(...versions.slice(-3).map((told) => told ?? 0))).toBe(version + 3)
    })
  })

  describe('keys of deductions and holds that come at once', () => {
    it('give what they wrote before, and take nothing', async () => {
      const { key, decide, row } = await open(100)
      const [first, second] = [use(key, 5, { key: 'a' }), hold(key, 5, { key: 'b' })]
      await decide(first, second)
      const before = await row()
      const again = [use(key, 5, { key: 'a' }), hold(key, 5, { key: 'b' })]
      // Also when there is nothing left, and behind one that is refused.
      const answers = await decide(use(key, 500), ...again)
      expect(answers).toEqual([
        { status: 'insufficient', available: 90 },
        { status: 'replayed', id: first.id },
        { status: 'replayed', id: null },
      ])
      expect(await row()).toEqual(before)
      expect(await decide(use(key, 1), ...again, use(key, 2))).toMatchObject([
        { status: 'applied', balanceAfter: 94 },
        { status: 'replayed' },
        { status: 'replayed' },
        { status: 'applied', balanceAfter: 92 },
      ])
    })

    it('tell the field in which they are used for something else', async () => {
      const { key, add, decide } = await open(100)
      await add(100, 'scraping')
      const other = { ...key, creditType: 'scraping' }
      await decide(use(key, 5, { key: 'u', ...said }), hold(key, 5, { key: 'h' }))
      const conflicts = await decide(
        use(key, 6, { key: 'u', ...said }),
        use(key, 5, { key: 'u', ...said, referenceId: 'x' }),
        use(key, 5, { key: 'u', ...said, metadata: { a: [2] } }),
        use(key, 5, { key: 'u', ...said, description: 'Else' }),
        hold(key, 5, { key: 'u', ...said }),
        use(key, 5, { key: 'h' }),
        use(other, 5, { key: 'u', ...said }),
        hold(other, 5, { key: 'h' }),
        // Before the balance is looked at.
        use(key, 5000, { key: 'u', ...said }),
      )
      const fields = ['amount', 'referenceId', 'metadata', 'description', 'operation', 'operation']
      expect(conflicts).toEqual(
        [...fields, 'creditType', 'creditType', 'amount'].map((field) => ({ status: 'conflict', field })),
      )
      expect(await usesOf(bench, other)).toEqual([])
      expect(await decide(use(key, 1))).toMatchObject([{ status: 'applied', balanceAfter: 94 }])
    })

    it('are those of a hold, too, that was made by itself, and of its capture and release', async () => {
      const { key, decide, credits } = await open(100)
      const call = { ...key, amount: 5, description: 'Hold' }
      const { id: holdId } = await credits.holdCredits({ ...call, idempotencyKey: 'hold' })
      await credits.captureHold({ holdId, amount: 1, final: false, idempotencyKey: 'capture' })
      await credits.releaseHold({ holdId, idempotencyKey: 'release' })
      const keys = ['hold', 'capture', 'release'].map((used) => use(key, 1, { key: used }))
      const answers = await decide(...keys, use(key, 1, { key: 'new' }))
      expect(answers.map(({ status }) => status)).toEqual(['conflict', 'conflict', 'conflict', 'applied'])
    })

    it('are not burnt by a refusal', async () => {
      const { key, add, decide } = await open(10)
      const asked = (): SpendCommand[] => [use(key, 20, { key: 'a' }), hold(key, 30, { key: 'b' })]
      expect(await decide(...asked())).toEqual(times(2, () => ({ status: 'insufficient', available: 10 })))
      await add(100)
      expect(await decide(...asked())).toMatchObject([{ status: 'applied' }, { status: 'applied' }])
    })

    it('belong to their users', async () => {
      const accounts = await Promise.all(times(3, () => open(10)))
      const commands = accounts.flatMap(({ key }, index) => [
        use(key, 1 + index, { key: 'job 1' }),
        hold(key, 1 + index, { key: 'job 2' }),
      ])
      const { decided } = await decideAll(bench.store, commands, stoppedClock().now())
      expect(decided.map(({ status }) => status)).toEqual(commands.map(() => 'applied'))
    })

    it('write one row each, also when the same ones come many at a time', async () => {
      const { key, credits } = await open(50, 50)
      const answers = await Promise.all(
        times(60, (index) =>
          credits.deductCredits({ ...key, amount: 5, description: 'Use', idempotencyKey: `job ${index % 15}` }),
        ),
      )
      const rows = await usesOf(bench, key)
      expect(rows).toHaveLength(15)
      for (const [index, { id, replayed }] of answers.entries()) {
        expect(id).toBe(answers[index % 15]?.id)
        expect(replayed).toBe(index >= 15)
      }
    })
  })

  describe('what deductions and holds that come at once set off', () => {
    /** A service that listens, and the thresholds and zeros it was told of one user. */
    function listening(userId: string, options: CreditServiceOptions) {
      const told: (number | 'depleted')[] = []
      const work: Promise<unknown>[] = []
      const credits = bench.credits(undefined, {
        logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
        on: {
          balanceLow: (event) => {
            if (event.userId === userId) told.push(event.threshold)
          },
          depleted: (event) => {
            if (event.userId === userId) told.push('depleted')
          },
        },
        waitUntil: (delivery) => void work.push(delivery),
        ...options,
      })
      return {
        /** Take so many credits one by one, at once; every third of them by a hold. */
        take: async (count: number): Promise<unknown[]> => {
          const call = { userId, amount: 1, creditType: 'calling', description: 'One' } as const
          await Promise.all(
            times(count, (index) => (index % 3 === 2 ? credits.holdCredits(call) : credits.deductCredits(call))),
          )
          for (let next = work.shift(); next !== undefined; next = work.shift()) await next
          return told.splice(0)
        },
      }
    }

    it('are told once for each threshold they fall to', async () => {
      const { key, add, credits } = await open()
      await add(100)
      const { take } = listening(key.userId, { lowBalance: [90, 50, 0] })
      expect(await take(9)).toEqual([])
      expect(await take(1)).toEqual([90])
      expect(await take(30)).toEqual([])
      expect(await take(20)).toEqual([50])
      expect(await take(39)).toEqual([])
      expect(await take(1)).toEqual([0, 'depleted'])
      await add(80)
      // It has not been above 90 again.
      expect(await take(40)).toEqual([50])
      await expectSound(credits, key.userId)
    })

    it('are told by the thresholds of now, when those have changed', async () => {
      const { key, add } = await open()
      await add(100)
      const rare = listening(key.userId, { lowBalance: [10] })
      const often = listening(key.userId, { lowBalance: [95, 80, 60] })
      const silent = bench.credits()
      expect(await rare.take(2)).toEqual([])
      expect(await often.take(2)).toEqual([])
      expect(await often.take(2)).toEqual([95])
      await silent.deductCredits(key.userId, 20, 'calling', 'Nobody listens')
      // It fell below 80 while nobody was told: that is caught up with.
      expect(await often.take(1)).toEqual([80])
      expect(await rare.take(2)).toEqual([])
      expect(await often.take(12)).toEqual([60])
    })

    it('are told by a share of the last credit', async () => {
      const { key, add } = await open()
      await add(100)
      const { take } = listening(key.userId, { lowBalance: ['33%'] })
      await add(7)
      // A third of 7, rounded down.
      expect(await take(104)).toEqual([])
      expect(await take(1)).toEqual([2])
      await add(201)
      expect(await take(136)).toEqual([])
      expect(await take(1)).toEqual([66])
    })

    it('ask for a top-up when they fall to its threshold, once', async () => {
      const { key, add, decide, row } = await open()
      await add(100)
      await plant(bench.store, key, { topupThreshold: 90, topupDue: false })
      await decide(...times(9, () => use(key, 1)))
      expect(await row()).toMatchObject({ balance: 91, topupDue: false })
      await decide(use(key, 1))
      expect(await row()).toMatchObject({ balance: 90, topupDue: true })
      await decide(use(key, 1), hold(key, 1))
      expect(await row()).toMatchObject({ balance: 89, held: 1, topupDue: true })
      await add(100)
      expect(await row()).toMatchObject({ topupDue: false })
      await decide(use(key, 50), hold(key, 40), use(key, 10))
      expect(await row()).toMatchObject({ balance: 129, held: 41, topupDue: true })
    })

    it('do not settle a top-up that is due and was lifted by other means', async () => {
      const { key, add, decide, row } = await open()
      await add(100)
      await plant(bench.store, key, { topupThreshold: 50, topupDue: true })
      await decide(use(key, 1))
      expect(await row()).toMatchObject({ topupDue: false })
    })
  })

  describe('the same deduction sent again under its own id', () => {
    it('is found, and never written twice, whatever was asked with it', async () => {
      const { clock, key, decide, row } = await open(100)
      const lost = [use(key, 5), hold(key, 6), use(key, 7, { key: 'k' }), hold(key, 8, { key: 'l' })]
      await decide(...lost)
      const before = await row()
      for (const command of lost) {
        const { id, request, key: own, hold: held } = command
        const again = { id, userId: key.userId, key: held?.key ?? own, request, accounts: [key], now: clock.now() }
        const outcome = await bench.store.update(
          { ...again, load: { grants: { covering: command.amount } } },
          () => expect.unreachable('it has happened'),
          () => null,
        )
        expect(outcome).toMatchObject({ status: 'replayed', keptResult: held === null ? null : { holdId: id } })
      }
      expect(await row()).toEqual(before)
      // A statement that comes late, after its call was settled by other means, is undone as a whole.
      for (const twice of lost.filter((command) => command.key === null)) {
        const late = [use(key, 1, { id: uuidv7() }), twice]
        const outcomes = await bench.store.spend?.(late, () => null, { now: clock.now(), wait: true })
        expect(outcomes ?? []).not.toContainEqual(expect.objectContaining({ status: 'applied' }))
      }
      expect(await row()).toEqual(before)
    })
  })
}
