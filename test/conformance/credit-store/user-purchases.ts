import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { PaymentFact, Purchase } from '../../../src/ledger/purchase.js'
import { type Bench, SECOND, times } from './bench.js'
import { purchaseOf, writePurchases } from './records.js'

export function testUserPurchases(bench: Bench): void {
  const at = new Date('2026-03-10T12:00:00.123Z')

  const factOf = ({ userId, id: purchaseId }: Purchase, given: Partial<PaymentFact> = {}): PaymentFact => {
    const base = { userId, purchaseId, paymentId: 'pi_1', kind: 'refund', currency: 'eur' } as const
    return { ...base, id: `re_${uuidv4()}`, amountMinor: 333, status: 'succeeded', updatedAt: at, ...given }
  }

  const byId = <T extends { id: string }>(rows: readonly T[]) => [...rows].sort((a, b) => (a.id < b.id ? -1 : 1))

  async function list(userId: string, limit = 100, after: string | null = null): Promise<Purchase[]> {
    const found = await bench.store.listUserPurchases({ userId, limit, after })
    return found.map(({ purchase }) => purchase)
  }

  /** Pages of `limit`, each from the last id of the one before, until one is empty. */
  async function pages(userId: string, limit: number): Promise<Purchase[]> {
    const all: Purchase[] = []
    for (let after: string | null = null; ;) {
      const page = await list(userId, limit, after)
      expect(page.length).toBeLessThanOrEqual(limit)
      if (page.length === 0) return all
      all.push(...page)
      after = page.at(-1)?.id ?? null
    }
  }

  describe('a purchase with its facts', () => {
    it('is found by its id, with the money that went back for it and no other', async () => {
      const userId = await bench.newUser()
      const [purchase, other] = [purchaseOf(userId), purchaseOf(userId)]
      const facts = [factOf(purchase), factOf(purchase, { kind: 'dispute', status: 'open', amountMinor: 1 })]
      await writePurchases(bench.store, [purchase, other], [...facts, factOf(other)])
      const found = await bench.store.findPurchaseWithFacts(purchase.id)
      expect(found?.purchase).toEqual(purchase)
      expect(byId(found?.facts ?? [])).toEqual(byId(facts))
      expect(await bench.store.findPurchaseWithFacts(uuidv7())).toBeNull()
    })

    it('has none as long as no money went back', async () => {
      const purchase = purchaseOf(await bench.newUser())
      await writePurchases(bench.store, [purchase])
      expect(await bench.store.findPurchaseWithFacts(purchase.id)).toEqual({ purchase, facts: [] })
    })
  })

  describe("a user's purchases", () => {
    it('are listed in every status, newest first by time, whatever their ids say', async () => {
      const [userId, statuses] = [await bench.newUser(), ['pending', 'fulfilled', 'expired', 'refunded'] as const]
      const purchases = statuses.map((status, n) =>
        purchaseOf(userId, { id: uuidv4(), status, createdAt: new Date(at.getTime() + n * SECOND) }),
      )
      const mixed = [1, 3, 0, 2].flatMap((n) => purchases[n] ?? [])
      for (const purchase of mixed) await writePurchases(bench.store, [purchase])
      expect(await list(userId)).toEqual([...purchases].reverse())
    })

    it('of one moment are listed by id downwards', async () => {
      const userId = await bench.newUser()
      const purchases = times(5, () => purchaseOf(userId, { id: uuidv4() }))
      await writePurchases(bench.store, purchases)
      expect(await list(userId)).toEqual(byId(purchases).reverse())
    })

    it('come each with the money that went back for it', async () => {
      const userId = await bench.newUser()
      const [first, second] = [purchaseOf(userId), purchaseOf(userId, { createdAt: new Date(at.getTime() + 1) })]
      const facts = [factOf(first), factOf(first, { status: 'failed' })]
      await writePurchases(bench.store, [first, second], facts)
      const found = await bench.store.listUserPurchases({ userId, limit: 10, after: null })
      expect(found.map(({ purchase, facts: each }) => ({ purchase, facts: byId(each) }))).toEqual([
        { purchase: second, facts: [] },
        { purchase: first, facts: byId(facts) },
      ])
    })

    it('are all given once in pages of any length, also where many are of one moment', async () => {
      const userId = await bench.newUser()
      const purchases = times(7, (n) => purchaseOf(userId, { createdAt: new Date(at.getTime() + Math.floor(n / 3)) }))
      await writePurchases(bench.store, purchases)
      const all = await list(userId)
      expect(all).toHaveLength(7)
      for (const limit of [1, 2, 3, 7, 50]) expect(await pages(userId, limit)).toEqual(all)
    })

    it('that come meanwhile are in no later page', async () => {
      const userId = await bench.newUser()
      const purchases = times(4, (n) => purchaseOf(userId, { createdAt: new Date(at.getTime() + n) }))
      await writePurchases(bench.store, purchases)
      const [newest, ...rest] = await list(userId)
      await writePurchases(bench.store, [purchaseOf(userId, { createdAt: new Date(at.getTime() + 99) })])
      expect(await list(userId, 10, newest?.id)).toEqual(rest)
    })

    it('are theirs alone; nothing comes after what is not theirs', async () => {
      const [userId, other] = [await bench.newUser(), await bench.newUser()]
      const [own, foreign] = [purchaseOf(userId), purchaseOf(other, { createdAt: new Date(at.getTime() + 1) })]
      await writePurchases(bench.store, [own])
      await writePurchases(bench.store, [foreign])
      expect(await list(userId)).toEqual([own])
      expect(await list(userId, 10, foreign.id)).toEqual([])
      expect(await list(userId, 10, uuidv7())).toEqual([])
      expect(await list(await bench.newUser())).toEqual([])
    })
  })
}
