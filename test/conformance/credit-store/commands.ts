import { describe, expect, it } from 'vitest'
import { InsufficientCreditsError } from '../../../src/errors.js'
import type { Account, AccountKey } from '../../../src/ledger/account.js'
import type { State } from '../../../src/ledger/decision.js'
import type { StateQuery } from '../../../src/ports/store.js'
import {
  accountStateOf,
  type Bench,
  adding,
  DAY,
  deducting,
  later,
  newCommand,
  NOTHING,
  run,
  stateOf,
  stoppedClock,
} from './bench.js'

export function testCommands(bench: Bench): void {
  const newAccount = async () => ({ userId: await bench.newUser(), creditType: 'calling' })

  describe('a command', () => {
    it("is decided with the time it brings, or with the store's own", async () => {
      const key = await newAccount()
      const seen: Date[] = []
      const noting = (_state: State, now: Date) => {
        seen.push(now)
        return NOTHING
      }
      const given = new Date('2031-01-02T03:04:05.678Z')
      await run(bench.store, newCommand([key], { now: given }), noting)
      await run(bench.store, newCommand([key]), noting)
      expect(seen[0]).toEqual(given)
      expect(Math.abs((seen[1]?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000)
    })

    it('answers with the account rows as written', async () => {
      const key = await newAccount()
      const command = newCommand([key])
      const outcome = await run(bench.store, command, adding(command, 25))
      expect(outcome).toMatchObject({ status: 'applied', result: 1 })
      const [account] = outcome.status === 'applied' ? outcome.accounts : []
      expect(account).toMatchObject({ ...key, balance: 25, seq: 1, version: 1, headRemaining: 25 })
      expect(account).toMatchObject({ headGrantId: command.id })
      const stored = await accountOf(key)
      expect(stored).toEqual(account)
    })

    it('hands its accounts over in the order it named them', async () => {
      const [first, second] = [await newAccount(), await newAccount()]
      const keys = [first, { ...second, creditType: 'scraping' }, { ...first, creditType: 'enrichment' }, second]
      for (const order of [keys, [...keys].reverse()]) {
        const command = newCommand(order)
        await run(bench.store, command, (state, now) => {
          expect(state.accounts.map(({ account }) => [account.userId, account.creditType])).toEqual(
            order.map(({ userId, creditType }) => [userId, creditType]),
          )
          return adding(command, 1)(state, now)
        })
      }
    })

    it('whose decision throws writes nothing, burns no key, and leaves no account row', async () => {
      const [key, other] = [await newAccount(), await newAccount()]
      const add = newCommand([key])
      await run(bench.store, add, adding(add, 10))
      const command = newCommand([other, key], { key: 'k' })
      const refused = run(bench.store, command, deducting(command, 5))
      await expect(refused).rejects.toBeInstanceOf(InsufficientCreditsError)
      const failed = run(bench.store, command, () => {
        throw new RangeError('a mistake of the caller')
      })
      await expect(failed).rejects.toThrow(RangeError)
      expect(await bench.store.readBalances(other.userId, null)).toEqual([])
      expect((await accountOf(key))?.seq).toBe(1)
      expect(await run(bench.store, command, adding(command, 1))).toMatchObject({ status: 'applied' })
    })

    it('is all or nothing over several accounts', async () => {
      const [rich, poor] = [await newAccount(), await newAccount()]
      const [more, less] = [newCommand([rich]), newCommand([poor])]
      await run(bench.store, more, adding(more, 100))
      await run(bench.store, less, adding(less, 4))
      const command = newCommand([rich, poor])
      await expect(run(bench.store, command, deducting(command, 5))).rejects.toThrow('Insufficient credits')
      expect(await accountOf(rich)).toMatchObject({ balance: 100, seq: 1 })
      expect(await accountOf(poor)).toMatchObject({ balance: 4, seq: 1 })
    })

    it('that happened before is replayed by its id, and is not decided again', async () => {
      const key = await newAccount()
      const command = newCommand([key])
      await run(bench.store, command, adding(command, 10))
      const again = await run(bench.store, command, () => {
        throw new Error('decided again')
      })
      expect(again).toMatchObject({ status: 'replayed', transaction: { id: command.id, amount: 10 } })
      expect((await accountOf(key))?.balance).toBe(10)
    })

    it('that happened before is replayed by its key, or is a conflict that names the field', async () => {
      const key = await newAccount()
      const request = [
        ['operation', 'deduct'],
        ['amount', 10],
      ] as const
      const first = newCommand([key], { key: 'k', request })
      await run(bench.store, first, adding(first, 10))
      const neverDecided = () => {
        throw new Error('decided again')
      }
      const again = await run(bench.store, newCommand([key], { key: 'k', request }), neverDecided)
      expect(again).toMatchObject({ status: 'replayed', transaction: { id: first.id }, keptResult: null })
      const other = newCommand([key], { key: 'k', request: [['amount', 11]] })
      expect(await run(bench.store, other, neverDecided)).toEqual({ status: 'conflict', field: 'amount' })
    })

    it('that writes no row keeps its request and result under its key', async () => {
      const key = await newAccount()
      const request = [
        ['operation', 'hold'],
        ['amount', 3],
      ] as const
      const command = () => newCommand([key], { key: 'k', request })
      const kept = { holdId: 'h', nested: { list: [1, null, true] } }
      const decide = () => ({ ...NOTHING, result: 'first', keptResult: kept })
      expect(await run(bench.store, command(), decide)).toMatchObject({ status: 'applied', result: 'first' })
      const replayed = { status: 'replayed', transaction: null, keptResult: kept, accounts: [] }
      expect(await run(bench.store, command(), decide)).toEqual(replayed)
      const other = { ...command(), request: [['operation', 'hold'] as const, ['amount', 4] as const] }
      expect(await run(bench.store, other, decide)).toEqual({ status: 'conflict', field: 'amount' })
      const deduct = { ...command(), request: [['operation', 'deduct'] as const] }
      expect(await run(bench.store, deduct, decide)).toEqual({ status: 'conflict', field: 'operation' })
    })

    it('loads transactions of its own accounts only, each with its corrections, oldest first', async () => {
      const [credits, key, other] = [bench.credits(), await newAccount(), await newAccount()]
      await credits.addCredits(key.userId, 10, 'calling', 'Welcome')
      const used = await credits.deductCredits(key.userId, 10, 'calling', 'Call')
      for (const amount of [3, 4]) await credits.refundCredits({ transactionId: used.id, amount })
      const foreign = await credits.addCredits(other.userId, 10, 'calling', 'Welcome')
      const load = { grants: { covering: 0 }, transactions: [foreign.id, used.id] }
      const { transactions } = await stateOf(bench.store, newCommand([key], { load }))
      expect(transactions.map(({ transaction }) => transaction.id)).toEqual([used.id])
      expect(transactions[0]?.related.map(({ amount }) => amount)).toEqual([3, 4])
    })
  })

  describe('the grants a command sees', () => {
    /** Grants of 10 each: ended, in use (two), closed, scheduled. */
    async function fiveGrants() {
      const [clock, key] = [stoppedClock(), await newAccount()]
      const credits = bench.credits(clock)
      const base = { ...key, creditType: 'calling', amount: 10 } as const
      const closed = await credits.addCredits({ ...base, description: 'closed' })
      const used = await credits.deductCredits(key.userId, 10, 'calling', 'Use')
      const ended = await credits.addCredits({ ...base, description: 'ended', expiresAt: later(clock, DAY) })
      const first = await credits.addCredits({ ...base, description: 'first', expiresAt: later(clock, 9 * DAY) })
      const second = await credits.addCredits({ ...base, description: 'second' })
      const scheduled = await credits.addCredits({ ...base, description: 's', effectiveAt: later(clock, 5 * DAY) })
      clock.advance(2 * DAY)
      const ids = { closed: closed.id, ended: ended.id, first: first.id, second: second.id, scheduled: scheduled.id }
      return { clock, key, used, ids }
    }

    async function load(key: AccountKey, now: Date, load: StateQuery) {
      const state = await accountStateOf(bench.store, key, { now, load })
      return { ...state, ids: state.grants.map(({ id }) => id) }
    }

    it('cover what it asked for, and one more when they cover it exactly', async () => {
      const { clock, key, ids } = await fiveGrants()
      const covering = async (n: number) => load(key, clock.now(), { grants: { covering: n } })
      expect((await covering(9)).ids).toContain(ids.first)
      for (const n of [10, 11, 20, 1000])
        expect((await covering(n)).ids).toEqual(expect.arrayContaining([ids.first, ids.second]))
    })

    it('always hold those that have ended, and the one in use', async () => {
      const { clock, key, ids } = await fiveGrants()
      const { ids: seen, usable, nextDueAt } = await load(key, clock.now(), { grants: { covering: 0 } })
      expect(seen).toEqual(expect.arrayContaining([ids.ended, ids.first]))
      expect(usable).toBe(20)
      expect(nextDueAt).toEqual(later(clock, 3 * DAY))
    })

    it('are all open ones, or closed ones too, where it asks for them', async () => {
      const { clock, key, ids } = await fiveGrants()
      const open = await load(key, clock.now(), { grants: 'open' })
      expect(open.ids).toEqual(expect.arrayContaining([ids.ended, ids.first, ids.second, ids.scheduled]))
      const every = await load(key, clock.now(), { grants: 'every', history: true })
      expect([...every.ids].sort()).toEqual(Object.values(ids).sort())
      expect(every.history?.transactions.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6])
      expect(every.history).toMatchObject({ holds: [], schedules: [] })
      expect(every.grants.find(({ id }) => id === ids.closed)).toMatchObject({ open: false, remaining: 0, amount: 10 })
      expect(every.grants.find(({ id }) => id === ids.first)).toMatchObject({ open: true, remaining: 10 })
    })

    it('hold those a loaded transaction touched, also closed ones', async () => {
      const { clock, key, ids, used } = await fiveGrants()
      const { ids: seen } = await load(key, clock.now(), { grants: { covering: 0 }, transactions: [used.id] })
      expect(seen).toContain(ids.closed)
    })
  })

  async function accountOf(key: AccountKey) {
    const found: Account[] = []
    await bench.store.scanAccounts({ userId: key.userId }, ({ account }) => found.push(account))
    return found.find(({ creditType }) => creditType === key.creditType)
  }
}
