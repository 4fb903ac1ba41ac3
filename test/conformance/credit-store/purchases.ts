import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { PaymentFact, Purchase } from '../../../src/ledger/purchase.js'
import { type Bench, newCommand, outcomes, run, times } from './bench.js'

export function testPurchases(bench: Bench): void {
  const at = new Date('2026-03-10T12:00:00.123Z')

  async function newPurchase(change: Partial<Purchase> = {}): Promise<Purchase> {
    return {
      id: uuidv7(),
      userId: await bench.newUser(),
      creditType: 'calling',
      packageId: 7,
      packageName: `Größe "S" 😀 '; --`,
      quantity: 3,
      credits: Number.MAX_SAFE_INTEGER,
      unitPriceMinor: 999,
      currency: 'eur',
      status: 'pending',
      provider: 'stripe',
      livemode: true,
      sessionId: null,
      paymentId: null,
      chargeId: null,
      paidMinor: null,
      clawed: 0,
      absorbed: 0,
      createdAt: at,
      updatedAt: at,
      fulfilledAt: null,
      ...change,
    }
  }

  /** Write purchases and facts, whole rows, under the purchases' locks. */
  async function write(purchases: Purchase[], facts: PaymentFact[] = []): Promise<void> {
    const [first] = purchases
    const command = newCommand([], { userId: first?.userId ?? '', purchases })
    await run(bench.store, command, () => ({ result: null, main: null, accounts: [], purchases, facts }))
  }

  describe('purchases', () => {
    it('are found by their id with every field they were written with', async () => {
      const purchase = await newPurchase({ sessionId: null, chargeId: 'ch_1', paidMinor: 2997, absorbed: 1, clawed: 2 })
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

  describe('the audit of provider events', () => {
    it('takes an event any number of times', async () => {
      const event = { id: `evt_${uuidv4()}`, provider: 'stripe', type: 'refund.created', livemode: false, created: at }
      for (let times = 0; times < 3; times++) {
        await expect(bench.store.recordWebhookEvent(event)).resolves.toBeUndefined()
      }
    })
  })
}
