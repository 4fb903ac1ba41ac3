import { v4 as uuidv4 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { CustomerRecord } from '../../../src/ports/purchase-store.js'
import { type Bench, outcomes, times } from './bench.js'
import { customerOf } from './records.js'

export function testCustomers(bench: Bench): void {
  const at = new Date('2026-03-10T12:00:00.123Z')

  const newCustomer = async (given: Partial<CustomerRecord> = {}) =>
    customerOf(given.userId ?? (await bench.newUser()), given)

  const ofUser = ({ provider, livemode, userId }: CustomerRecord) =>
    bench.store.findCustomer({ provider, livemode, userId })
  const byCustomer = ({ provider, livemode, customerId }: CustomerRecord) =>
    bench.store.findCustomer({ provider, livemode, customerId })

  describe('customers', () => {
    it("are found by their user and by the provider's id, with every field they were saved with", async () => {
      const customer = await newCustomer({ updatedAt: new Date(at.getTime() + 1) })
      expect(await ofUser(customer)).toBeNull()
      expect(await byCustomer(customer)).toBeNull()
      expect(await bench.store.saveCustomer(customer, null)).toEqual(customer)
      expect(await ofUser(customer)).toEqual(customer)
      expect(await byCustomer(customer)).toEqual(customer)
    })

    it('are one per user, provider and mode', async () => {
      const userId = await bench.newUser()
      const all = [
        await newCustomer({ userId }),
        await newCustomer({ userId, livemode: false }),
        await newCustomer({ userId, provider: 'paper' }),
      ]
      for (const customer of all) await bench.store.saveCustomer(customer, null)
      for (const customer of all) {
        expect(await ofUser(customer)).toEqual(customer)
        expect(await byCustomer(customer)).toEqual(customer)
        expect(await byCustomer({ ...customer, livemode: !customer.livemode })).toBeNull()
      }
    })

    it('stay where somebody was faster, who is told', async () => {
      const first = await newCustomer()
      const second = await newCustomer({ userId: first.userId, createdAt: new Date(0) })
      await bench.store.saveCustomer(first, null)
      for (const replaces of [null, 'cus_other', second.customerId])
        expect(await bench.store.saveCustomer(second, replaces)).toEqual(first)
      expect(await ofUser(first)).toEqual(first)
      expect(await byCustomer(second)).toBeNull()
    })

    it('take the place of the one they replace, and of no other; a repeat changes nothing', async () => {
      const old = await newCustomer()
      const later = new Date(at.getTime() + 1000)
      const renewed = await newCustomer({ userId: old.userId, createdAt: later, updatedAt: later })
      const third = await newCustomer({ userId: old.userId })
      await bench.store.saveCustomer(old, null)
      for (const saved of [renewed, third, renewed])
        expect(await bench.store.saveCustomer(saved, old.customerId)).toEqual(renewed)
      expect(await ofUser(old)).toEqual(renewed)
      expect(await byCustomer(old)).toBeNull()
      expect(await byCustomer(third)).toBeNull()
    })

    it('are saved as new where the one they replace is not there any more', async () => {
      const customer = await newCustomer()
      expect(await bench.store.saveCustomer(customer, 'cus_gone')).toEqual(customer)
      expect(await ofUser(customer)).toEqual(customer)
    })

    it('of two users are found as that of the user who had it first', async () => {
      const customerId = `cus_${uuidv4()}`
      const time = (ms: number) => new Date(at.getTime() + ms)
      const [late, early] = [
        await newCustomer({ customerId, createdAt: time(5) }),
        await newCustomer({ customerId, createdAt: time(3) }),
      ]
      const before = await newCustomer({ createdAt: time(0) })
      const moved = await newCustomer({ customerId, userId: before.userId, createdAt: time(9), updatedAt: time(9) })
      for (const customer of [late, early, before]) await bench.store.saveCustomer(customer, null)
      // Who came to it last has been somebody's customer for longest.
      await bench.store.saveCustomer(moved, before.customerId)
      expect(await byCustomer(late)).toEqual(early)
      for (const customer of [late, early, moved]) expect(await ofUser(customer)).toEqual(customer)
    })

    it('are forgotten for all their users once they are gone at the provider, and nobody else is', async () => {
      const customer = await newCustomer()
      const shared = await newCustomer({ customerId: customer.customerId })
      const others = [
        await newCustomer(),
        await newCustomer({ customerId: customer.customerId, livemode: false }),
        await newCustomer({ customerId: customer.customerId, provider: 'paper' }),
      ]
      for (const each of [customer, shared, ...others]) await bench.store.saveCustomer(each, null)
      for (let repeat = 0; repeat < 2; repeat++) await bench.store.deleteCustomer(customer)
      for (const gone of [customer, shared]) expect(await ofUser(gone)).toBeNull()
      for (const other of others) expect(await ofUser(other)).toEqual(other)
    })

    it('are saved by ten at once as one: everybody is told the same', async () => {
      const userId = await bench.newUser()
      const saveTen = async (replaces: string | null): Promise<CustomerRecord> => {
        const all = await Promise.all(times(10, () => newCustomer({ userId })))
        const { succeeded, codes } = await outcomes(all.map((each) => bench.store.saveCustomer(each, replaces)))
        expect(codes).toEqual({})
        const [winner, ...rest] = succeeded
        if (winner === undefined) throw new Error('nobody was saved')
        expect(all).toContainEqual(winner)
        for (const told of rest) expect(told).toEqual(winner)
        expect(await ofUser(winner)).toEqual(winner)
        return winner
      }
      const first = await saveTen(null)
      const second = await saveTen(first.customerId)
      expect(second.customerId).not.toBe(first.customerId)
    })
  })
}
