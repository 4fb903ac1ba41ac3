import { describe, expect, it } from 'vitest'
import { addCredits } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import { holdCredits } from '../../../src/ledger/hold.js'
import type { UserBalances } from '../../../src/ports/report-store.js'
import { addition, type Bench, change, DAY, details, later, stoppedClock, times } from './bench.js'

export function testFindingUsers(bench: Bench): void {
  const clock = stoppedClock()

  /** A user with an account of each of these credit types, of 10 credits. */
  async function newOwner(...creditTypes: string[]): Promise<string> {
    const userId = await bench.newUser()
    for (const creditType of creditTypes)
      await change(bench.store, { userId, creditType }, clock.now(), (posting) => addCredits(posting, addition(10)))
    return userId
  }

  const find = (prefix: string, limit = 1000, after: string | null = null): Promise<UserBalances[]> =>
    bench.store.findUsers({ prefix, limit, after }, clock.now())

  const idsOf = (users: readonly UserBalances[]): string[] => users.map(({ userId }) => userId)

  /** Everybody whose id begins so, in pages of `limit`. */
  async function walk(prefix: string, limit: number): Promise<string[]> {
    const all: string[] = []
    for (let after: string | null = null; ;) {
      const page = idsOf(await find(prefix, limit, after))
      expect(page.length).toBeLessThanOrEqual(limit)
      if (page.length === 0) return all
      all.push(...page)
      after = page.at(-1) ?? null
    }
  }

  describe('finding users', () => {
    it('finds those whose id begins so, and nobody else', async () => {
      const users = await Promise.all(times(4, () => newOwner('calling')))
      const everybody = idsOf(await find(''))
      for (const userId of users) {
        for (const prefix of [userId, userId.slice(0, -1), userId.slice(0, 3)]) {
          const found = idsOf(await find(prefix))
          expect(found).toContain(userId)
          expect(found).toEqual(everybody.filter((id) => id.startsWith(prefix)))
        }
        expect(idsOf(await find(`${userId}0`))).not.toContain(userId)
      }
      expect(everybody).toEqual(expect.arrayContaining(users))
    })

    it('finds each once, however many accounts they have, and nobody without one', async () => {
      const [userId, nobody] = [await newOwner('calling', 'scraping', 'enrichment'), await bench.newUser()]
      expect(idsOf(await find(userId)).filter((id) => id === userId)).toHaveLength(1)
      expect(idsOf(await find(nobody))).not.toContain(nobody)
    })

    it('takes every character as it is', async () => {
      const userId = await newOwner('calling')
      const patterns = ['%', '_', `${userId.slice(0, 2)}%`, userId.replace(/.$/, '_'), '^', '.*', '\\', `'`, '😀']
      for (const prefix of patterns) expect(await find(prefix)).toEqual([])
    })

    it('is in order of id as text', async () => {
      await Promise.all(times(3, () => newOwner('calling')))
      const ids = idsOf(await find(''))
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => (a < b ? -1 : 1)))
    })

    it('gives everybody once, page by page, and nobody who comes before the place where it goes on', async () => {
      await Promise.all(times(5, () => newOwner('calling', 'scraping')))
      const everybody = idsOf(await find(''))
      for (const limit of [3, 7]) expect(await walk('', limit)).toEqual(everybody)
      const prefix = everybody[0]?.slice(0, 1) ?? ''
      const some = everybody.filter((id) => id.startsWith(prefix))
      expect(await walk(prefix, 1)).toEqual(some)
      expect(idsOf(await find(prefix, 1000, some.at(-2)))).toEqual(some.slice(-1))
    })

    it('goes on within what was looked for, wherever the place is', async () => {
      const userId = await newOwner('calling')
      // Before and behind everything that begins like the id.
      for (const [after, expected] of [
        [userId.slice(0, 1), [userId]],
        [userId, []],
        [`${userId}~`, []],
      ] as const)
        expect(idsOf(await find(userId, 1000, after)).filter((id) => id === userId)).toEqual(expected)
    })

    it('tells the balances of all their accounts, as they are read one by one', async () => {
      const userId = await newOwner('calling', 'scraping')
      const key = { userId, creditType: 'calling' }
      await change(bench.store, key, clock.now(), (posting) => {
        addCredits(posting, addition(5, { expiresAt: later(clock, DAY) }))
        deductCredits(posting, { ...details(), amount: 3 })
        holdCredits(posting, { ...details(), amount: 4, expiresInSeconds: 60 })
      })
      for (const now of [clock.now(), later(clock, DAY / 2), later(clock, 2 * DAY)]) {
        const users = await bench.store.findUsers({ prefix: userId, limit: 1, after: null }, now)
        const expected = await bench.store.readBalances(userId, now)
        const byType = (balances: typeof expected) =>
          [...balances].sort((a, b) => (a.creditType < b.creditType ? -1 : 1))
        expect(users.map((user) => ({ ...user, balances: byType(user.balances) }))).toEqual([
          { userId, balances: byType(expected) },
        ])
        expect(expected).toHaveLength(2)
      }
    })

    it("reads balances by the store's own clock where no time is given", async () => {
      const userId = await bench.newUser()
      const at = (days: number) => new Date(Date.now() + days * DAY)
      await change(bench.store, { userId, creditType: 'calling' }, at(-9), (posting) => {
        addCredits(posting, addition(1, { expiresAt: at(-1) }))
        addCredits(posting, addition(2, { expiresAt: at(1) }))
      })
      const [found] = await bench.store.findUsers({ prefix: userId, limit: 1, after: null }, null)
      expect(found).toMatchObject({ userId, balances: [{ creditType: 'calling', balance: 2 }] })
    })
  })
}
