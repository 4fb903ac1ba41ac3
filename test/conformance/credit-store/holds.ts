import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { AccountKey } from '../../../src/ledger/account.js'
import { addCredits } from '../../../src/ledger/add.js'
import {
  captureHold,
  extendHold,
  type Hold,
  holdCredits,
  type HoldDetails,
  releaseHold,
} from '../../../src/ledger/hold.js'
import type { AccountHistory } from '../../../src/ledger/audit.js'
import type { Transaction } from '../../../src/ledger/transaction.js'
import {
  accountStateOf,
  addition,
  type Bench,
  change,
  details,
  DAY,
  expectSound,
  later,
  named,
  outcomes,
  SECOND,
  stoppedClock,
  times,
} from './bench.js'

const MINUTE = 60 * SECOND

type GivenHold = Partial<HoldDetails & { expiresInSeconds: number }>

export function testHolds(bench: Bench): void {
  /** An account with three grants of 10, `first`, `second` and `third` to burn, on a clock of its own. */
  async function open() {
    const [clock, key] = [stoppedClock(), { userId: await bench.newUser(), creditType: 'calling' }]
    const ids = { first: uuidv7(), second: uuidv7(), third: uuidv7() }
    for (const [priority, grantId] of Object.values(ids).entries())
      await change(bench.store, key, clock.now(), (posting) => addCredits(posting, addition(10, { grantId, priority })))
    return {
      ...ids,
      clock,
      key,
      hold: (amount: number, given?: GivenHold) => hold(key, clock.now(), amount, given),
      release: ({ id }: Hold) =>
        change(bench.store, key, clock.now(), (posting) => releaseHold(posting, named(posting.holds, id)), {
          load: { holds: [id] },
        }),
      capture: async ({ id }: Hold, amount: number | null, final = true): Promise<Transaction> => {
        const { transactions } = await change(
          bench.store,
          key,
          clock.now(),
          (posting) => captureHold(posting, named(posting.holds, id), { amount, final, allowOver: false }, details()),
          { load: { holds: [id] } },
        )
        return named(transactions, transactions[0]?.id)
      },
      balance: () => bench.store.readBalance(key, clock.now()),
      /** What a command sees that asks for no grants and, unless `load` says so, for no holds. */
      see: async (load: { holds?: string[]; transactions?: string[] } = {}) => {
        const state = await accountStateOf(bench.store, key, { now: clock.now(), load })
        return { ...state, holdIds: state.holds.map(({ id }) => id), grantIds: state.grants.map(({ id }) => id) }
      },
    }
  }

  async function hold(key: AccountKey, now: Date, amount: number, given: GivenHold = {}): Promise<Hold> {
    const { idempotencyKey: _none, ...plain } = details()
    const draft = { ...plain, expiresInSeconds: 900, ...given, amount }
    const { holds } = await change(bench.store, key, now, (posting) => holdCredits(posting, draft))
    return named(holds, draft.id)
  }

  async function historyOf(key: AccountKey, holds: 'open' | 'every'): Promise<AccountHistory> {
    const found: AccountHistory[] = []
    await bench.store.scanAccounts({ ...key, holds }, (history) => found.push(history))
    const [history] = found
    if (history === undefined || found.length > 1) throw new Error(`${found.length} accounts were visited`)
    return history
  }

  describe('the holds a command sees', () => {
    it('are those it names, whole, with the grants they pin, whatever burns next', async () => {
      const { hold, see, first, third } = await open()
      const pinning = await hold(10)
      expect(pinning.allocations).toEqual([{ grantId: first, amount: 10 }])
      const { holds, grants } = await see({ holds: [pinning.id] })
      expect(named(holds, pinning.id)).toEqual(pinning)
      expect(named(grants, first)).toMatchObject({ remaining: 0, held: 10, open: true })
      const last = await hold(15, { expiresInSeconds: 60 })
      expect(named((await see({ holds: [last.id] })).grants, third)).toMatchObject({ remaining: 5, held: 5 })
    })

    it('are of its own accounts only', async () => {
      const [{ see }, other] = [await open(), await open()]
      const foreign = await other.hold(5)
      expect((await see({ holds: [foreign.id, uuidv7()] })).holds).toEqual([])
    })

    it('are captured and released ones too, where it names them', async () => {
      const { hold, see, capture, release } = await open()
      const [captured, released] = [await hold(4), await hold(3)]
      await capture(captured, 1)
      await release(released)
      const { holds } = await see({ holds: [captured.id, released.id] })
      expect(named(holds, captured.id)).toMatchObject({ status: 'captured', captured: 1, amount: 4 })
      expect(named(holds, released.id)).toMatchObject({ status: 'released', captured: 0, amount: 3 })
    })

    it('are, unasked, the open ones whose time has run out, from the moment itself on', async () => {
      const { clock, hold, see, first } = await open()
      const overdue = await hold(10, { expiresInSeconds: 60 })
      clock.advance(MINUTE - 1)
      expect((await see()).nextDueAt).toEqual(overdue.expiresAt)
      clock.advance(1)
      const { holds, grants, nextDueAt } = await see()
      expect(named(holds, overdue.id)).toEqual(overdue)
      expect(named(grants, first)).toMatchObject({ held: 10 })
      expect(nextDueAt).toBeNull()
    })

    it('come with pinned grants that have ended since', async () => {
      const { clock, key, hold, see } = await open()
      const grantId = uuidv7()
      await change(bench.store, key, clock.now(), (posting) =>
        addCredits(posting, addition(10, { grantId, priority: -1, expiresAt: later(clock, MINUTE) })),
      )
      const { id } = await hold(10)
      clock.advance(2 * MINUTE)
      await change(bench.store, key, clock.now(), (posting) => addCredits(posting, addition(1)))
      expect(named((await see({ holds: [id] })).grants, grantId)).toMatchObject({ remaining: 0, held: 10, open: true })
      clock.advance(15 * MINUTE)
      expect(named((await see()).grants, grantId)).toMatchObject({ held: 10 })
    })

    it('are those that a loaded transaction captured', async () => {
      const { hold, see, capture } = await open()
      const [captured, other] = [await hold(4), await hold(3)]
      const used = await capture(captured, 4)
      const { holds } = await see({ transactions: [used.id] })
      expect(named(holds, captured.id)).toMatchObject({ status: 'captured', captured: 4 })
      const later = await capture(other, 2, false)
      expect(named((await see({ transactions: [later.id] })).holds, other.id)).toMatchObject({ status: 'open' })
    })

    it('are all open ones for a rebuild, and its history has them', async () => {
      const { clock, key, hold, release } = await open()
      const [kept, gone] = [await hold(4), await hold(3)]
      await release(gone)
      const load = { grants: 'every', history: true } as const
      const { holds, history } = await accountStateOf(bench.store, key, { now: clock.now(), load })
      expect(named(holds, kept.id)).toEqual(kept)
      expect(history?.holds).toEqual([kept])
    })
  })

  describe('finding a hold', () => {
    it('gives every field it was written with', async () => {
      const { clock, hold } = await open()
      const written = await hold(15, {
        description: `two\nlines, 'quoted' 😀`,
        referenceId: 'job-1',
        referenceType: 'job',
        metadata: { nested: [1, { a: null }] },
        actor: 'worker-7',
        request: { pricedOperation: 'transcribe', params: { minutes: 3 }, priceVersion: '2' },
        expiresInSeconds: 90,
      })
      expect(written).toMatchObject({ amount: 15, captured: 0, status: 'open', expiresAt: later(clock, 90 * SECOND) })
      expect(await bench.store.findHold(written.id, clock.now())).toEqual(written)
      expect(await bench.store.findHold(uuidv7(), clock.now())).toBeNull()
    })

    it('says expired once its time has run out, though nobody has written so', async () => {
      const { clock, key, hold } = await open()
      const { id, expiresAt } = await hold(5, { expiresInSeconds: 60 })
      expect(await bench.store.findHold(id, new Date(expiresAt.getTime() - 1))).toMatchObject({ status: 'open' })
      expect(await bench.store.findHold(id, expiresAt)).toMatchObject({ status: 'expired', amount: 5, expiresAt })
      clock.advance(DAY)
      expect((await historyOf(key, 'open')).holds).toMatchObject([{ id, status: 'open' }])
    })

    it("says so by the store's own clock, too", async () => {
      const [key, long] = [{ userId: await bench.newUser(), creditType: 'calling' }, 31 * 86_400]
      await change(bench.store, key, null, (posting) => addCredits(posting, addition(10)))
      const running = await hold(key, new Date(), 1, { expiresInSeconds: long })
      const over = await hold(key, new Date(Date.now() - 2 * DAY), 1, { expiresInSeconds: 86_400 })
      expect(await bench.store.findHold(running.id, null)).toMatchObject({ status: 'open' })
      expect(await bench.store.findHold(over.id, null)).toMatchObject({ status: 'expired' })
    })

    it('leaves what was captured, released or extended in time as it is', async () => {
      const { clock, hold, capture, release } = await open()
      const [captured, released] = [await hold(4), await hold(3)]
      await capture(captured, 1)
      await release(released)
      clock.advance(DAY)
      expect(await bench.store.findHold(captured.id, clock.now())).toMatchObject({ status: 'captured', captured: 1 })
      expect(await bench.store.findHold(released.id, clock.now())).toMatchObject({ status: 'released' })
    })

    it('gives its new end once it was extended', async () => {
      const { clock, key, hold } = await open()
      const { id, expiresAt } = await hold(4, { expiresInSeconds: 60 })
      const load = { holds: [id] }
      await change(bench.store, key, clock.now(), (posting) => extendHold(posting, named(posting.holds, id), 3600), {
        load,
      })
      expect(await bench.store.findHold(id, expiresAt)).toMatchObject({
        status: 'open',
        expiresAt: later(clock, DAY / 24),
      })
    })
  })

  describe('balances with holds', () => {
    it('leave out what is held, and count it again once its time has run out, written or not', async () => {
      const { clock, key, hold, balance } = await open()
      const before = await balance()
      await hold(12, { expiresInSeconds: 60 })
      const held = { balance: 18, promotional: 18, paid: 0, owned: 30, held: 12, staleAfterMs: MINUTE }
      expect(await balance()).toMatchObject(held)
      clock.advance(MINUTE - 1)
      expect(await balance()).toMatchObject({ ...held, staleAfterMs: 1 })
      clock.advance(1)
      expect(await balance()).toMatchObject({ balance: 30, promotional: 30, owned: 30, held: 0, staleAfterMs: null })
      // The row is as it was: nothing was written by looking.
      expect((await balance()).version).toBe(before.version + 1)
      expect((await historyOf(key, 'open')).account).toMatchObject({ held: 12, version: before.version + 1 })
    })

    it('tell paid credits from promotional ones, held, released and overdue', async () => {
      const { clock, key, hold, balance } = await open()
      await change(bench.store, key, clock.now(), (posting) =>
        addCredits(posting, addition(50, { source: 'purchase', transactionType: 'purchase', priority: 9 })),
      )
      await hold(40, { expiresInSeconds: 60 })
      expect(await balance()).toMatchObject({ balance: 40, paid: 40, promotional: 0, owned: 80, held: 40 })
      clock.advance(MINUTE)
      expect(await balance()).toMatchObject({ balance: 80, paid: 50, promotional: 30, owned: 80, held: 0 })
    })

    it('give nothing back to a grant that has ended, and own it until that is written', async () => {
      const { clock, key, hold, balance } = await open()
      await change(bench.store, key, clock.now(), (posting) =>
        addCredits(posting, addition(10, { priority: -1, expiresAt: later(clock, 30 * SECOND) })),
      )
      await hold(15, { expiresInSeconds: 60 })
      expect(await balance()).toMatchObject({ balance: 25, owned: 40, held: 15, nextExpiry: null })
      clock.advance(45 * SECOND)
      expect(await balance()).toMatchObject({ balance: 25, owned: 40, held: 15 })
      clock.advance(15 * SECOND)
      expect(await balance()).toMatchObject({ balance: 30, owned: 40, held: 0 })
      await change(bench.store, key, clock.now(), () => undefined)
      expect(await balance()).toMatchObject({ balance: 30, owned: 30, held: 0 })
      expect((await historyOf(key, 'every')).holds).toMatchObject([{ status: 'expired' }])
    })

    it('repay debt from paid credits that an overdue hold lets go of', async () => {
      const { clock, key, hold, balance } = await open()
      await change(bench.store, key, clock.now(), (posting) =>
        addCredits(posting, addition(20, { source: 'purchase', transactionType: 'purchase', priority: -1 })),
      )
      await hold(20, { expiresInSeconds: 60 })
      await change(bench.store, key, clock.now(), (posting) =>
        posting.post({
          id: uuidv7(),
          transactionType: 'clawback',
          amount: -5,
          description: 'Owed',
          allocations: [{ debt: 5 }],
        }),
      )
      expect(await balance()).toMatchObject({ balance: -5, owned: 50, held: 20, debt: 5 })
      clock.advance(MINUTE)
      expect(await balance()).toMatchObject({ balance: 45, paid: 15, promotional: 30, owned: 45, held: 0, debt: 0 })
    })

    it('are the same one by one and all together', async () => {
      const { clock, key, hold } = await open()
      await change(bench.store, { ...key, creditType: 'scraping' }, clock.now(), (posting) =>
        addCredits(posting, addition(7)),
      )
      await hold(12, { expiresInSeconds: 60 })
      for (const now of [clock.now(), later(clock, MINUTE)]) {
        const all = await bench.store.readBalances(key.userId, now)
        const each = ['calling', 'scraping'].map((creditType) => bench.store.readBalance({ ...key, creditType }, now))
        expect(all.sort((a, b) => (a.creditType < b.creditType ? -1 : 1))).toEqual(await Promise.all(each))
      }
    })
  })

  describe('scanning accounts', () => {
    it('hands over the open holds, or every one there ever was', async () => {
      const { key, hold, capture, release } = await open()
      const [kept, captured, released] = [await hold(1), await hold(2), await hold(3)]
      await capture(captured, 2)
      await release(released)
      expect((await historyOf(key, 'open')).holds).toEqual([kept])
      const { holds } = await historyOf(key, 'every')
      expect(holds.map(({ amount, status }) => `${amount} ${status}`).sort()).toEqual([
        '1 open',
        '2 captured',
        '3 released',
      ])
    })

    it('visits the accounts of one credit type where one is named', async () => {
      const { clock, key } = await open()
      await change(bench.store, { ...key, creditType: 'scraping' }, clock.now(), (posting) =>
        addCredits(posting, addition(7)),
      )
      expect((await historyOf({ ...key, creditType: 'scraping' }, 'open')).account.balance).toBe(7)
      expect((await historyOf(key, 'open')).account.balance).toBe(30)
    })
  })

  describe('many callers of one hold', () => {
    it('capture or release it once between them', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const { id: holdId } = await credits.holdCredits({
        userId,
        amount: 60,
        creditType: 'calling',
        description: 'Job',
      })
      const { succeeded, codes } = await outcomes<unknown>([
        ...times(5, () => credits.captureHold({ holdId, amount: 40 })),
        ...times(5, () => credits.releaseHold({ holdId })),
      ])
      expect(succeeded).toHaveLength(1)
      expect(codes).toEqual({ HOLD_NOT_OPEN: 9 })
      const captured = (await bench.store.findHold(holdId, null))?.status === 'captured'
      expect(await credits.getBalance(userId, 'calling')).toBe(captured ? 60 : 100)
      await expectSound(credits, userId)
    })

    it('never hold more than there is', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const { succeeded, codes } = await outcomes(
        times(20, () => credits.holdCredits({ userId, amount: 10, creditType: 'calling', description: 'Job' })),
      )
      expect(succeeded).toHaveLength(10)
      expect(codes).toEqual({ INSUFFICIENT_CREDITS: 10 })
      expect((await credits.getAllBalances(userId)).calling).toMatchObject({ balance: 0, held: 100, owned: 100 })
      await expectSound(credits, userId)
    })
  })
}
