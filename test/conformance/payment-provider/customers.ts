import { describe, expect, it } from 'vitest'
import { type Bench, checkoutRequest, newUserId, opened } from './bench.js'

export function testCustomers(bench: Bench): void {
  const create = (userId: string, replaces: string | null = null) => bench.provider.createCustomer({ userId, replaces })

  describe('customers', () => {
    it('are the same when repeated with the same `replaces`, also ten times at once', async () => {
      const userId = newUserId()
      const made = await Promise.all(Array.from({ length: 10 }, () => create(userId)))
      const again = await create(userId)
      expect(new Set([...made, again].map(({ customerId }) => customerId)).size).toBe(1)
    })

    it('are apart for each user', async () => {
      const [one, other] = [await create(newUserId()), await create(newUserId())]
      expect(one.customerId).not.toBe(other.customerId)
    })

    it('are made anew for one that is gone, also ten times at once', async () => {
      const userId = newUserId()
      const { customerId: gone } = await create(userId)
      await bench.act.deleteCustomer(gone)
      const made = await Promise.all(Array.from({ length: 10 }, () => create(userId, gone)))
      const ids = new Set(made.map(({ customerId }) => customerId))
      expect(ids.size).toBe(1)
      expect(ids).not.toContain(gone)
      const [first] = made
      const buyer = { userId, customerId: first?.customerId ?? '' }
      expect(opened(await bench.provider.createCheckout(checkoutRequest(buyer))).state).toBe('open')
    })

    it('are made for users of any name', async () => {
      const ids = new Set<string>()
      for (const name of ['1', 'a b/c?d=e&f#g:h', 'ü😀', 'x'.repeat(255), `${'x'.repeat(254)}y`]) {
        const userId = `${name}${newUserId()}`.slice(-255)
        const { customerId } = await create(userId)
        expect((await create(userId)).customerId).toBe(customerId)
        ids.add(customerId)
      }
      expect(ids.size).toBe(5)
    })

    it('are the ones the host links, where it links one', async () => {
      const userId = newUserId()
      const linked = await bench.act.linkCustomer(userId)
      expect(await create(userId)).toEqual({ customerId: linked })
      const request = checkoutRequest({ userId, customerId: linked })
      expect(opened(await bench.provider.createCheckout(request)).customerId).toBe(linked)
    })

    it('are new ones when the one that the host links is the one that is gone', async () => {
      const userId = newUserId()
      const linked = await bench.act.linkCustomer(userId)
      await bench.act.deleteCustomer(linked)
      const { customerId } = await create(userId, linked)
      expect(customerId).not.toBe(linked)
      const request = checkoutRequest({ userId, customerId })
      expect(opened(await bench.provider.createCheckout(request)).customerId).toBe(customerId)
    })

    it('say when they were deleted', async () => {
      const { customerId } = await bench.newBuyer()
      const events = await bench.eventsOf(() => bench.act.deleteCustomer(customerId))
      expect(events).toEqual([{ kind: 'customer_deleted', customerId }])
    })
  })
}
