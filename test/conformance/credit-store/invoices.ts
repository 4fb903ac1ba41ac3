import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { AccountKey } from '../../../src/ledger/account.js'
import { addCredits } from '../../../src/ledger/add.js'
import { deductCredits } from '../../../src/ledger/deduct.js'
import type { Purchase } from '../../../src/ledger/purchase.js'
import {
  addition,
  type Bench,
  change,
  details,
  named,
  newCommand,
  outcomes,
  stateOf,
  stoppedClock,
  times,
} from './bench.js'
import { purchaseOf, writePurchases } from './records.js'

export function testInvoices(bench: Bench): void {
  /** So many purchases of one invoice, not written yet. */
  async function newInvoice(lines: number, change: Partial<Purchase> = {}): Promise<Purchase[]> {
    const [userId, invoiceId, paymentId] = [await bench.newUser(), `in_${uuidv4()}`, `pi_${uuidv4()}`]
    return times(lines, () =>
      purchaseOf(userId, { origin: 'invoice', packageId: null, invoiceId, paymentId, ...change }),
    )
  }

  const byId = (purchases: readonly Purchase[]) => [...purchases].sort((a, b) => (a.id < b.id ? -1 : 1))

  describe('purchases of an invoice', () => {
    it('are written at once; its id and its payment find the first of them', async () => {
      const purchases = (await newInvoice(3)).reverse()
      await writePurchases(bench.store, purchases)
      const [first] = purchases
      const { invoiceId, paymentId } = first ?? {}
      expect(await bench.store.findPurchase({ invoiceId: invoiceId ?? '' })).toEqual(first)
      expect(await bench.store.findPurchase({ paymentId: paymentId ?? '' })).toEqual(first)
      expect(await bench.store.findPurchase({ invoiceId: `in_${uuidv4()}` })).toBeNull()
    })

    it('are listed all, in order of id, whenever each was written, and of that invoice alone', async () => {
      const [purchases, others] = [await newInvoice(4), await newInvoice(2)]
      const [first, ...rest] = [...purchases].reverse()
      const invoiceId = first?.invoiceId ?? ''
      await writePurchases(bench.store, others)
      expect(await bench.store.listInvoicePurchases(invoiceId)).toEqual([])
      if (first !== undefined) await writePurchases(bench.store, [first])
      expect(await bench.store.listInvoicePurchases(invoiceId)).toEqual([first])
      await writePurchases(bench.store, rest)
      expect(await bench.store.listInvoicePurchases(invoiceId)).toEqual(byId(purchases))
      expect(await bench.store.findPurchase({ invoiceId })).toEqual(first)
    })

    it('stay found as they change, one by one or together', async () => {
      const purchases = await newInvoice(2, { paymentId: null })
      const invoiceId = purchases[0]?.invoiceId ?? ''
      await writePurchases(bench.store, purchases)
      const paymentId = `pi_${uuidv4()}`
      const paid = purchases.map((purchase): Purchase => ({ ...purchase, paymentId, status: 'fulfilled' }))
      await writePurchases(bench.store, [...paid].reverse())
      expect(await bench.store.listInvoicePurchases(invoiceId)).toEqual(byId(paid))
      expect(await bench.store.findPurchase({ paymentId })).toEqual(paid[1])
      expect(await bench.store.findPurchase({ invoiceId })).toEqual(paid[0])
    })

    it('are written once by ten who hear of it at once', async () => {
      const purchases = await newInvoice(3)
      const { codes } = await outcomes(times(10, () => writePurchases(bench.store, purchases)))
      expect(codes).toEqual({})
      expect(await bench.store.listInvoicePurchases(purchases[0]?.invoiceId ?? '')).toEqual(byId(purchases))
    })
  })

  describe('metrics', () => {
    it("count what was sold of packages, not a plan's invoices", async () => {
      const creditType = `type-${uuidv4()}`
      const fulfilledAt = new Date('2026-03-10T12:00:00Z')
      const sold = { creditType, status: 'fulfilled', fulfilledAt, paidMinor: 999 } as const
      await writePurchases(bench.store, await newInvoice(2, sold))
      const query = { from: new Date(0), to: new Date('2027-01-01T00:00:00Z'), creditType }
      expect((await bench.store.readMetrics(query)).packages).toEqual([])
      await writePurchases(bench.store, [purchaseOf(await bench.newUser(), { ...sold, origin: 'topup' })])
      expect((await bench.store.readMetrics(query)).packages).toEqual([
        { packageId: 7, name: 'Small', purchases: 1, credits: 100, revenue: { eur: 999 } },
      ])
    })
  })

  describe('what a command sees of its purchases', () => {
    /** A user with a fulfilled purchase, and a grant of theirs that has nothing to do with it. */
    async function open() {
      const [clock, userId] = [stoppedClock(), await bench.newUser()]
      const key: AccountKey = { userId, creditType: 'calling' }
      const purchase = purchaseOf(userId, { status: 'fulfilled' })
      await writePurchases(bench.store, [purchase])
      const add = async (amount: number, purchaseId: string | null, account = key) => {
        const given = addition(amount, { purchaseId, source: 'purchase' })
        await change(bench.store, account, clock.now(), (posting) => addCredits(posting, given))
        return given.grantId
      }
      return {
        purchase,
        key,
        add,
        /** Use up everything of the account. */
        useAll: async (account = key) => {
          const { balance } = await bench.store.readBalance(account, clock.now())
          await change(bench.store, account, clock.now(), (p) => deductCredits(p, { ...details(), amount: balance }))
        },
        /** Take credits of a grant back for the purchase; returns the transaction's id. */
        correct: async (amount: number, grantId: string, relatedId: string, account = key) => {
          clock.advance(1)
          const id = uuidv7()
          const draft = { id, transactionType: 'clawback' as const, description: 'Payment refunded', relatedId }
          const taken = { ...draft, amount: -amount, allocations: [{ grantId, amount }] }
          await change(bench.store, account, clock.now(), (posting) => posting.post(taken))
          return id
        },
        see: (accounts: AccountKey[] = [key], purchases: Pick<Purchase, 'id' | 'userId'>[] = [purchase]) =>
          stateOf(
            bench.store,
            newCommand(accounts, { userId, purchases, now: clock.now(), load: { grants: { covering: 0 } } }),
          ),
      }
    }

    it("are the corrections made for it on the command's accounts, oldest first", async () => {
      const { purchase, key, add, correct, see } = await open()
      const other = purchaseOf(key.userId, { status: 'fulfilled' })
      await writePurchases(bench.store, [other])
      const scraping = { ...key, creditType: 'scraping' }
      const [grant, elsewhere] = [await add(100, purchase.id), await add(100, null, scraping)]
      const first = await correct(3, grant, purchase.id)
      const second = await correct(2, elsewhere, purchase.id, scraping)
      const third = await correct(1, grant, purchase.id)
      const others = await correct(4, grant, other.id)
      const ids = ({ purchases }: Awaited<ReturnType<typeof see>>, { id }: Purchase) =>
        purchases.find((found) => found.purchase.id === id)?.history.map((row) => row.id)
      expect(ids(await see(), purchase)).toEqual([first, third])
      expect(ids(await see([scraping]), purchase)).toEqual([second])
      expect(ids(await see([]), purchase)).toEqual([])
      const both = await see([scraping, key], [other, purchase])
      expect(ids(both, purchase)).toEqual([first, second, third])
      expect(ids(both, other)).toEqual([others])
      const [correction] = both.purchases.find((found) => found.purchase.id === purchase.id)?.history ?? []
      expect(correction).toEqual(await bench.store.findTransaction(first))
    })

    it('are, unasked, every grant that names it, open or closed', async () => {
      const { purchase, add, useAll, see } = await open()
      const used = [await add(10, purchase.id), await add(10, purchase.id)]
      await useAll()
      // The head is loaded anyway.
      await add(5, null)
      const [opened, unrelated] = [await add(10, purchase.id), await add(10, null)]
      const { accounts } = await see()
      const grants = accounts[0]?.grants ?? []
      for (const id of used) expect(named(grants, id)).toMatchObject({ open: false, purchaseId: purchase.id })
      expect(named(grants, opened)).toMatchObject({ open: true, remaining: 10, purchaseId: purchase.id })
      expect(new Set(grants.map(({ id }) => id)).size).toBe(grants.length)
      expect(unrelated).not.toBe(opened)
    })

    it('are, unasked, every grant that a correction of it touched, open or closed', async () => {
      const { purchase, add, useAll, correct, see } = await open()
      const closed = await add(10, null)
      await correct(4, closed, purchase.id)
      await useAll()
      await add(5, null)
      const opened = await add(10, null)
      await correct(1, opened, purchase.id)
      const { accounts } = await see()
      const grants = accounts[0]?.grants ?? []
      expect(named(grants, closed)).toMatchObject({ open: false, purchaseId: null })
      expect(named(grants, opened)).toMatchObject({ open: true, remaining: 9 })
    })

    it('are grants that name it before it is written, and none of other accounts', async () => {
      const { key, add, useAll, see } = await open()
      const unwritten = purchaseOf(key.userId)
      const scraping = { ...key, creditType: 'scraping' }
      const [own, other] = [await add(10, unwritten.id), await add(10, unwritten.id, scraping)]
      await useAll()
      const { accounts, purchases } = await see([key], [unwritten])
      expect(purchases).toEqual([])
      const grants = accounts[0]?.grants ?? []
      expect(named(grants, own)).toMatchObject({ open: false })
      expect(grants.some(({ id }) => id === other)).toBe(false)
    })
  })
}
