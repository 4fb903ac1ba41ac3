import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { Account, AccountKey } from '../../../src/ledger/account.js'
import type { AutoTopup } from '../../../src/ledger/auto-topup.js'
import { accountStateOf, type Bench, change, times } from './bench.js'
import { topupOf, writeTopup } from './records.js'

export function testTopups(bench: Bench): void {
  const at = new Date('2026-03-10T12:00:00.123Z')
  const time = (ms: number) => new Date(at.getTime() + ms)

  const newKey = async (creditType = 'calling'): Promise<AccountKey> => ({ userId: await bench.newUser(), creditType })

  const write = (topup: AutoTopup, account: Partial<Account> = {}) => writeTopup(bench.store, topup, account)

  const seen = (key: AccountKey, topup?: boolean) =>
    accountStateOf(bench.store, key, { now: at, load: topup === undefined ? {} : { topup } })

  describe('automatic top-ups', () => {
    it('are handed to a command that asks for them, with every field they were written with', async () => {
      const full = topupOf(await newKey(), {
        ...{ threshold: Number.MAX_SAFE_INTEGER, quantity: 3, maxPerMonth: 4, maxAmountMinor: Number.MAX_SAFE_INTEGER },
        ...{ status: 'action_required', openPurchaseId: uuidv7(), openSince: time(1), failures: 2, retryAt: time(2) },
        ...{ monthCount: 3, monthMinor: Number.MAX_SAFE_INTEGER, lastFailure: 'card_declined' },
        ...{ recoveryUrl: `https://example.com/?a='b"` },
      })
      for (const topup of [full, topupOf(await newKey(), { threshold: 0 })]) {
        await write(topup)
        expect((await seen(topup, true)).topup).toEqual(topup)
        expect((await seen(topup, false)).topup).toBeNull()
        expect((await seen(topup)).topup).toBeNull()
      }
      expect((await seen(await newKey(), true)).topup).toBeNull()
    })

    it('are one per account, written whole when they change, and stay as they are when they do not', async () => {
      const [key, other] = [await newKey(), await newKey('scraping')]
      const created = topupOf(key)
      await write(created)
      await write(topupOf({ ...other, userId: key.userId }, { threshold: 3 }))
      const changed = topupOf(key, { threshold: 5, packageId: 9, status: 'suspended', updatedAt: time(10) })
      await write(changed)
      await change(bench.store, key, at, () => undefined)
      expect((await seen(key, true)).topup).toEqual(changed)
      expect(await bench.store.listTopups(key.userId)).toEqual([
        changed,
        topupOf({ ...other, userId: key.userId }, { threshold: 3 }),
      ])
    })

    it('are listed of one user, in order of credit type', async () => {
      const { userId } = await newKey()
      const all = ['scraping', 'Zoom', 'calling', 'a-b', 'ab'].map((creditType) => topupOf({ userId, creditType }))
      for (const topup of all) await write(topup)
      await write(topupOf(await newKey()))
      const found = await bench.store.listTopups(userId)
      expect(found.map(({ creditType }) => creditType)).toEqual(['Zoom', 'a-b', 'ab', 'calling', 'scraping'])
      expect(await bench.store.listTopups(await bench.newUser())).toEqual([])
    })

    it("leave their account's threshold, and that one is due, in its row", async () => {
      const key = await newKey()
      expect((await seen(key)).account).toMatchObject({ topupThreshold: null, topupDue: false })
      await write(topupOf(key), { topupThreshold: Number.MAX_SAFE_INTEGER, topupDue: true })
      expect((await seen(key)).account).toMatchObject({ topupThreshold: Number.MAX_SAFE_INTEGER, topupDue: true })
      await write(topupOf(key), { topupThreshold: null, topupDue: false })
      expect((await seen(key)).account).toMatchObject({ topupThreshold: null, topupDue: false })
    })
  })

  describe('automatic top-ups with something to do', () => {
    /** Everything there is to do, page by page; it is in one order, and nothing comes twice. */
    async function findAll(now: Date | null, limit = 100, openBefore = at): Promise<AccountKey[]> {
      const found: AccountKey[] = []
      for (let after: AccountKey | null = null; ;) {
        const page: AccountKey[] = await bench.store.findDueTopups({ now, openBefore, limit, after })
        expect(page.length).toBeLessThanOrEqual(limit)
        if (after !== null) expect(page).not.toContainEqual(after)
        found.push(...page)
        after = page.at(-1) ?? null
        if (page.length < limit) break
      }
      expect(new Set(found.map(({ userId, creditType }) => JSON.stringify([userId, creditType]))).size).toBe(
        found.length,
      )
      return found
    }

    async function isDue(given: Partial<AutoTopup>, account: Partial<Account>, now: Date | null = at) {
      const key = await newKey()
      await write(topupOf(key, given), account)
      return (await findAll(now)).some(({ userId }) => userId === key.userId)
    }

    const due = { topupDue: true, topupThreshold: 20 }

    it('are active ones that are due', async () => {
      expect(await isDue({}, due)).toBe(true)
      expect(await isDue({}, { topupThreshold: 20 })).toBe(false)
      for (const status of ['off', 'suspended', 'action_required'] as const)
        expect(await isDue({ status }, due)).toBe(false)
    })

    it('are not those that may not be tried again yet', async () => {
      expect(await isDue({ retryAt: time(1) }, due)).toBe(false)
      expect(await isDue({ retryAt: at }, due)).toBe(true)
      expect(await isDue({ retryAt: time(-1) }, due)).toBe(true)
    })

    it('are those whose payment is under way for so long, whatever their status, due or not', async () => {
      for (const account of [due, {}]) {
        for (const status of ['active', 'off', 'suspended', 'action_required'] as const) {
          const open = { status, openPurchaseId: uuidv7() }
          expect(await isDue({ ...open, openSince: time(-1), retryAt: time(9) }, account)).toBe(true)
          expect(await isDue({ ...open, openSince: at }, account)).toBe(false)
        }
      }
    })

    it("are judged by the store's own clock where none is given", async () => {
      const from = (ms: number) => new Date(Date.now() + ms)
      expect(await isDue({ retryAt: from(-60_000) }, due, null)).toBe(true)
      expect(await isDue({ retryAt: from(60_000) }, due, null)).toBe(false)
    })

    it('are found page by page, in one order', async () => {
      const keys = (await Promise.all(times(4, () => newKey()))).flatMap((key) => [
        key,
        { ...key, creditType: 'scraping' },
      ])
      for (const [index, key] of keys.entries()) {
        const open = { openPurchaseId: uuidv7(), openSince: time(-1) }
        await write(topupOf(key, index % 2 === 0 ? {} : open), due)
      }
      const whole = await findAll(at)
      for (const key of keys) expect(whole).toContainEqual(key)
      for (const limit of [1, 3, whole.length]) expect(await findAll(at, limit)).toEqual(whole)
    })
  })
}
