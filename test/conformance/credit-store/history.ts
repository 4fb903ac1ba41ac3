import { describe, expect, it } from 'vitest'
import { type Bench, DAY, later, SECOND, stoppedClock, times } from './bench.js'

export function testHistory(bench: Bench): void {
  /** 12 rows over three credit types, two of them at every moment. */
  async function busyUser() {
    const [clock, userId] = [stoppedClock(), await bench.newUser()]
    const credits = bench.credits(clock)
    const rows = []
    for (const index of times(6, (index) => index)) {
      const type = index % 2 === 0 ? 'calling' : 'scraping'
      rows.push(await credits.addCredits(userId, 10 + index, type, `In ${index}`))
      rows.push(
        await (index === 5
          ? credits.addCredits(userId, 5, 'enrichment', 'Out 5')
          : credits.deductCredits(userId, 1 + index, type, `Out ${index}`)),
      )
      clock.advance(SECOND)
    }
    return { clock, userId, credits, rows }
  }
  const named = (rows: readonly { description: string }[]) => rows.map(({ description }) => description)
  const NEWEST_FIRST = 'Out 5,In 5,Out 4,In 4,Out 3,In 3,Out 2,In 2,Out 1,In 1,Out 0,In 0'.split(',')

  describe('the history', () => {
    it('lists the rows as they were returned, newest first, across credit types', async () => {
      const { credits, userId, rows } = await busyUser()
      const listed = await credits.getTransactionHistory(userId)
      expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(rows.map(({ id }) => id)))
      for (const row of listed) expect(rows).toContainEqual(row)
      const moments = listed.map(({ createdAt }) => createdAt.getTime())
      expect(moments).toEqual([...moments].sort((a, b) => b - a))
      expect(named(listed).slice(2)).toEqual(NEWEST_FIRST.slice(2))
    })

    it('lists one credit type by seq, whatever the clocks said', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      for (const index of times(5, (index) => index)) {
        await credits.addCredits(userId, 1, 'calling', `In ${index}`)
        clock.advance(index === 2 ? -DAY : SECOND)
      }
      const listed = await credits.getTransactionHistory(userId, 'calling')
      expect(listed.map(({ seq }) => seq)).toEqual([5, 4, 3, 2, 1])
    })

    it('pages by limit and offset without gaps or repeats', async () => {
      const { credits, userId } = await busyUser()
      const all = await credits.getTransactionHistory(userId)
      const paged = []
      for (const offset of [0, 5, 10, 15]) {
        paged.push(...(await credits.getTransactionHistory(userId, undefined, 5, offset)))
      }
      expect(paged).toEqual(all)
      const calling = await credits.getTransactionHistory(userId, 'calling')
      expect(calling).toEqual(all.filter(({ creditType }) => creditType === 'calling'))
      expect(await credits.getTransactionHistory(userId, 'calling', 2, 1)).toEqual(calling.slice(1, 3))
    })

    it("is empty for somebody unknown, and shows nobody else's rows", async () => {
      const { credits } = await busyUser()
      expect(await credits.getTransactionHistory(await bench.newUser())).toEqual([])
    })

    it('gives 50 rows by default', async () => {
      const [credits, userId] = [bench.credits(), await bench.newUser()]
      await Promise.all(times(51, () => credits.addCredits(userId, 1, 'calling', 'One')))
      expect(await credits.getTransactionHistory(userId)).toHaveLength(50)
      expect(await credits.getTransactionHistory(userId, 'calling', 200)).toHaveLength(51)
    })
  })

  describe('the list with cursors', () => {
    it.each([1, 2, 5, 12, 50])('gives everything once, in pages of %d', async (limit) => {
      const { credits, userId } = await busyUser()
      const all = await credits.getTransactionHistory(userId)
      const paged = []
      let cursor: string | null = null
      do {
        const page: Awaited<ReturnType<typeof credits.listTransactions>> = await credits.listTransactions({
          userId,
          limit,
          cursor,
        })
        expect(page.transactions.length).toBeLessThanOrEqual(limit)
        paged.push(...page.transactions)
        cursor = page.nextCursor
      } while (cursor !== null)
      expect(paged).toEqual(all)
    })

    it('is not moved by rows that are written meanwhile', async () => {
      const { credits, userId } = await busyUser()
      for (const creditType of [undefined, 'calling'] as const) {
        const first = await credits.listTransactions({ userId, creditType, limit: 3 })
        const expected = await credits.getTransactionHistory(userId, creditType, 200, 3)
        await credits.addCredits(userId, 1, 'calling', 'Meanwhile')
        const second = await credits.listTransactions({ userId, creditType, limit: 200, cursor: first.nextCursor })
        expect(second).toEqual({ transactions: expected, nextCursor: null })
      }
    })

    it('gives everything once where the clock went back, each account in its order', async () => {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const credits = bench.credits(clock)
      for (const index of times(24, (n) => n)) {
        await credits.addCredits(userId, 1, index % 3 === 0 ? 'scraping' : 'calling', `In ${index}`)
        clock.advance(index % 4 === 3 ? -7 * SECOND : SECOND)
      }
      const paged = []
      for (let cursor: string | null = null; ;) {
        const page: Awaited<ReturnType<typeof credits.listTransactions>> = await credits.listTransactions({
          userId,
          limit: 5,
          cursor,
        })
        paged.push(...page.transactions)
        cursor = page.nextCursor
        if (cursor === null) break
      }
      expect(new Set(named(paged)).size).toBe(24)
      expect(paged).toHaveLength(24)
      for (const creditType of ['calling', 'scraping'] as const) {
        const own = await credits.getTransactionHistory(userId, creditType)
        expect(paged.filter((row) => row.creditType === creditType)).toEqual(own)
      }
    })

    it('gives the same pages of a range and a type, however much has been summed up for statistics', async () => {
      const { clock, credits, userId } = await busyUser()
      const start = clock.now().getTime() - 6 * SECOND
      const queries = [
        { from: new Date(start + SECOND) },
        { to: new Date(start + 4 * SECOND) },
        { from: new Date(start + SECOND), to: new Date(start + 4 * SECOND), transactionType: 'usage' },
        { to: new Date(start + 5 * SECOND), transactionType: 'adjustment' },
        { from: later(clock, -DAY), to: later(clock, DAY) },
        { from: later(clock, DAY) },
      ] as const
      const lists = () =>
        Promise.all(
          queries.flatMap((query) =>
            ([undefined, 'calling'] as const).map((creditType) =>
              credits.listTransactions({ userId, creditType, ...query }),
            ),
          ),
        )
      const before = await lists()
      expect(before.map(({ transactions }) => transactions.length)).toEqual([10, 4, 8, 4, 3, 1, 5, 3, 12, 6, 0, 0])
      for (const key of ['calling', 'scraping'].map((creditType) => ({ userId, creditType }))) {
        await bench.store.rollUpUsage(key, 3)
        expect(await lists()).toEqual(before)
        while (await bench.store.rollUpUsage(key, 3));
        expect(await lists()).toEqual(before)
      }
    })

    it('filters by type, and by a half-open range of time', async () => {
      const { clock, credits, userId } = await busyUser()
      const start = clock.now().getTime() - 6 * SECOND
      const range = { from: new Date(start + SECOND), to: new Date(start + 3 * SECOND) }
      const inRange = await credits.listTransactions({ userId, ...range })
      expect(named(inRange.transactions)).toEqual(['Out 2', 'In 2', 'Out 1', 'In 1'])
      const uses = await credits.listTransactions({ userId, ...range, transactionType: 'usage' })
      expect(named(uses.transactions)).toEqual(['Out 2', 'Out 1'])
      const one = await credits.listTransactions({ userId, ...range, creditType: 'scraping', limit: 1 })
      expect(named(one.transactions)).toEqual(['Out 1'])
      const rest = await credits.listTransactions({ userId, ...range, creditType: 'scraping', cursor: one.nextCursor })
      expect(named(rest.transactions)).toEqual(['In 1'])
    })
  })
}
