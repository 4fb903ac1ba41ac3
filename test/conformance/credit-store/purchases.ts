import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { PaymentFact, Purchase } from '../../../src/ledger/purchase.js'
import type { CreditStore } from '../../../src/ports/store.js'
import { type Bench, newCommand, outcomes, run, stateOf, times } from './bench.js'
import { purchaseOf, writePurchases } from './records.js'

export function testPurchases(bench: Bench): void {
  const at = new Date('2026-03-10T12:00:00.123Z')

  const newPurchase = async (change: Partial<Purchase> = {}) => purchaseOf(await bench.newUser(), change)

  const write = (purchases: Purchase[], facts: PaymentFact[] = []) => writePurchases(bench.store, purchases, facts)

  describe('purchases', () => {
    it('are found by their id with every field they were written with', async () => {
      const purchase = await newPurchase({
        packageName: `Größe "S" 😀 '; --`,
        quantity: 3,
        credits: Number.MAX_SAFE_INTEGER,
        chargeId: 'ch_1',
        paidMinor: 2997,
        ...{ clawed: 5, withheld: 2, absorbed: 1 },
      })
      await write([purchase])
      expect(await bench.store.findPurchase({ id: purchase.id })).toEqual(purchase)
      expect(await bench.store.findPurchase({ id: uuidv7() })).toBeNull()
    })

    it('are found by the session and by the payment, once they have them', async () => {
      const purchase = await newPurchase()
      const [sessionId, paymentId] = [`cs_${uuidv4()}`, `pi_${uuidv4()}`]
      await write([purchase])
      expect(await bench.store.findPurchase({ sessionId })).toBeNull()
      await write([{ ...purchase, sessionId }])
      expect(await bench.store.findPurchase({ sessionId })).toMatchObject({ id: purchase.id, sessionId })
      expect(await bench.store.findPurchase({ paymentId })).toBeNull()
      const paid = { ...purchase, sessionId, paymentId, status: 'processing' } as const
      await write([paid])
      for (const reference of [{ id: purchase.id }, { sessionId }, { paymentId }]) {
        expect(await bench.store.findPurchase(reference)).toEqual(paid)
      }
    })

    it('are written without a package, by whatever brought them about', async () => {
      for (const origin of ['checkout', 'topup', 'invoice'] as const) {
        const purchase = await newPurchase({ origin, packageId: origin === 'invoice' ? null : 7 })
        await write([purchase])
        expect(await bench.store.findPurchase({ id: purchase.id })).toEqual(purchase)
      }
    })

    it('never share a session or a payment: the one that named it first is found', async () => {
      const [sessionId, older, newer] = [`cs_${uuidv4()}`, await newPurchase(), await newPurchase()]
      await write([older])
      await write([newer])
      await write([{ ...newer, sessionId }])
      await write([{ ...older, sessionId }])
      expect(await bench.store.findPurchase({ sessionId })).toMatchObject({ id: newer.id })
    })

    it('are handed to a command with the money that went back, and stay away from others', async () => {
      const [purchase, other] = [await newPurchase(), await newPurchase()]
      const fact = (id: string, change: Partial<PaymentFact> = {}): PaymentFact => {
        const base = {
          userId: purchase.userId,
          purchaseId: purchase.id,
          paymentId: 'pi_1',
          kind: 'refund' as const,
          currency: 'eur',
        }
        return { ...base, id, amountMinor: 333, status: 'pending', updatedAt: at, ...change }
      }
      const [first, second] = [fact(`re_${uuidv4()}`), fact(`re_${uuidv4()}`, { kind: 'dispute', amountMinor: 1 })]
      await write([purchase], [first, second])
      await write([other])
      await write([purchase], [{ ...first, status: 'failed', updatedAt: new Date(at.getTime() + 1) }])
      const command = newCommand([], { userId: purchase.userId, purchases: [purchase] })
      await run(bench.store, command, ({ purchases }) => {
        expect(purchases.map((locked) => locked.purchase)).toEqual([purchase])
        const facts = purchases[0]?.facts ?? []
        expect([...facts].sort((a, b) => b.amountMinor - a.amountMinor)).toEqual([
          { ...first, status: 'failed', updatedAt: new Date(at.getTime() + 1) },
          second,
        ])
        return { result: null, main: null, accounts: [] }
      })
    })

    it('are handed over in order of id, whatever the order in which they were named', async () => {
      const userId = await bench.newUser()
      const purchases = times(4, () => purchaseOf(userId))
      await write(purchases)
      const ids = purchases.map(({ id }) => id).sort()
      for (const named of [purchases, [...purchases].reverse()]) {
        const state = await stateOf(bench.store, newCommand([], { userId, purchases: named }))
        expect(state.purchases.map(({ purchase }) => purchase.id)).toEqual(ids)
      }
    })

    it('know money that went back by every status there is, a fact of each purchase by the same id', async () => {
      const userId = await bench.newUser()
      const purchases = [purchaseOf(userId), purchaseOf(userId)]
      const facts = purchases.flatMap(({ id: purchaseId }, index) =>
        STATUSES.map((status, place): PaymentFact => {
          const kind = place < 4 ? 'refund' : 'dispute'
          const base = { userId, purchaseId, paymentId: 'pi_1', currency: 'eur', updatedAt: at }
          return { ...base, id: `${kind}_${place}`, kind, status, amountMinor: 100 * index + place }
        }),
      )
      await write(purchases, facts)
      const state = await stateOf(bench.store, newCommand([], { userId, purchases }))
      expect(state.purchases.map((found) => found.facts)).toEqual(
        [...purchases]
          .sort((a, b) => (a.id < b.id ? -1 : 1))
          .map(({ id }) => facts.filter(({ purchaseId }) => purchaseId === id).sort((a, b) => (a.id < b.id ? -1 : 1))),
      )
    })

    it('that do not exist are not handed over', async () => {
      const purchase = await newPurchase()
      const command = newCommand([], { userId: purchase.userId, purchases: [purchase] })
      const outcome = await run(bench.store, command, ({ purchases }) => {
        return { result: purchases.length, main: null, accounts: [] }
      })
      expect(outcome).toMatchObject({ status: 'applied', result: 0 })
    })

    it("are changed by one command at a time: nobody's step is lost", async () => {
      const purchase = await newPurchase()
      await write([purchase])
      const step = async () => {
        const command = newCommand([], { userId: purchase.userId, purchases: [purchase] })
        return run(bench.store, command, ({ purchases: [locked] }) => {
          if (locked === undefined) throw new Error('the purchase was not loaded')
          const clawed = locked.purchase.clawed + 1
          return { result: clawed, main: null, accounts: [], purchases: [{ ...locked.purchase, clawed }] }
        })
      }
      const { succeeded, codes } = await outcomes(times(20, step))
      expect(codes).toEqual({})
      expect(succeeded).toHaveLength(20)
      expect(await bench.store.findPurchase({ id: purchase.id })).toMatchObject({ clawed: 20 })
    })

    it('never deadlock with their accounts, whichever the commands name', async () => {
      const [first, second] = [await newPurchase(), await newPurchase()]
      await write([first])
      await write([second])
      const { codes } = await outcomes(
        times(30, (index) => {
          const purchases = index % 2 === 0 ? [first, second] : [second, first]
          const accounts = purchases.map(({ userId, creditType }) => ({ userId, creditType }))
          const command = newCommand(index % 3 === 0 ? accounts.reverse() : accounts, { purchases })
          return run(bench.store, command, (state) => ({
            result: null,
            main: null,
            accounts: [],
            purchases: state.purchases.map(({ purchase }) => ({ ...purchase, clawed: purchase.clawed + 1 })),
          }))
        }),
      )
      expect(codes).toEqual({})
      expect(await bench.store.findPurchase({ id: first.id })).toMatchObject({ clawed: 30 })
    })

    it('are written all or nothing with the decision', async () => {
      const purchase = await newPurchase()
      const command = newCommand([], { userId: purchase.userId, purchases: [purchase] })
      await run(bench.store, command, () => {
        throw new RangeError('refused')
      }).catch(() => undefined)
      expect(await bench.store.findPurchase({ id: purchase.id })).toBeNull()
    })
  })

  describe('purchases for sweeps', () => {
    /** All of a query's purchases, page by page. */
    async function listAll(query: ListQuery, limit: number): Promise<Purchase[]> {
      const found: Purchase[] = []
      for (let after: string | null = null; ;) {
        const page: Purchase[] = await bench.store.listPurchases({ ...query, limit, after })
        expect(page.length).toBeLessThanOrEqual(limit)
        for (const { id } of page) expect(id > (after ?? '')).toBe(true)
        found.push(...page)
        after = page.at(-1)?.id ?? null
        if (page.length < limit) return found
      }
    }

    it('are those of the statuses that were created in the half-open range, in order of id', async () => {
      // A time of its own: other purchases are there, too.
      const start = Math.floor(Math.random() * Date.parse('2020-01-01'))
      const time = (ms: number) => new Date(start + ms)
      const all: Purchase[] = []
      for (const status of ['pending', 'processing', 'fulfilled', 'expired'] as const)
        for (const ms of [-1, 0, 500, 999, 1000]) all.push(await newPurchase({ status, createdAt: time(ms) }))
      for (const purchase of all) await write([purchase])
      const range = { from: time(0), to: time(1000) }
      for (const statuses of [['pending', 'processing'], ['pending'], ['fulfilled', 'pending'], []] as const) {
        const expected = all
          .filter(({ status, createdAt }) => statuses.some((one) => one === status) && inRange(createdAt, range))
          .map(({ id }) => id)
          .sort()
        expect(expected).toHaveLength(3 * statuses.length)
        for (const limit of [1, 4, 100]) {
          const found = await listAll({ statuses, ...range }, limit)
          expect(found.map(({ id }) => id)).toEqual(expected)
        }
      }
      expect(await bench.store.listPurchases({ statuses: ['expired'], ...range, limit: 1, after: null })).toEqual([
        all.filter(({ status, createdAt }) => status === 'expired' && inRange(createdAt, range))[0],
      ])
    })
  })

  describe('the audit of provider events', () => {
    it('takes an event any number of times', async () => {
      const event = { id: `evt_${uuidv4()}`, provider: 'stripe', type: 'refund.created', livemode: false, created: at }
      for (let times = 0; times < 3; times++) {
        await expect(bench.store.recordWebhookEvent(event)).resolves.toBeUndefined()
      }
    })
  })
}

type ListQuery = Omit<Parameters<CreditStore['listPurchases']>[0], 'limit' | 'after'>

function inRange(time: Date, { from, to }: { from: Date; to: Date }): boolean {
  return time >= from && time < to
}

const STATUSES = [
  ...(['pending', 'succeeded', 'failed', 'waived'] as const),
  ...(['inquiry', 'open', 'won', 'lost', 'prevented'] as const),
]
