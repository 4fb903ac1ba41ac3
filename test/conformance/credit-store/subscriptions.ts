import { v4 as uuidv4 } from 'uuid'
import { describe, expect, it } from 'vitest'
import type { SubscriptionRecord } from '../../../src/ports/purchase-store.js'
import { type Bench, outcomes, times } from './bench.js'
import { subscriptionOf } from './records.js'

export function testSubscriptions(bench: Bench): void {
  const at = new Date('2026-03-10T12:00:00.123Z')
  const time = (ms: number) => new Date(at.getTime() + ms)

  const newSubscription = async (given: Partial<SubscriptionRecord> = {}) =>
    subscriptionOf(given.userId ?? (await bench.newUser()), given)

  describe('subscriptions', () => {
    it('are found with every field they were saved with', async () => {
      const full = await newSubscription({
        items: [
          { itemId: 'si_1', priceId: 'price_1', plan: `Größe "S" 😀 '; --`, quantity: 1, periodEnd: at.toISOString() },
          { itemId: 'si_2', priceId: 'price_2', plan: null, quantity: 7, periodEnd: at.toISOString() },
        ],
        ...{ cancelAtPeriodEnd: true, collectionPaused: true, endedAt: time(1), trialEndsAt: time(2) },
      })
      const bare = await newSubscription({ customerId: null, items: [], livemode: false, status: 'incomplete' })
      for (const subscription of [full, bare]) {
        expect(await bench.store.findSubscription(subscription.id)).toBeNull()
        await bench.store.saveSubscription(subscription)
        expect(await bench.store.findSubscription(subscription.id)).toEqual(subscription)
        expect(await bench.store.listSubscriptions(subscription.userId)).toEqual([subscription])
      }
    })

    it('show the youngest picture, in whichever order they come; of equally old ones the one that is written last', async () => {
      const first = await newSubscription()
      const second = { ...first, status: 'past_due' as const, updatedAt: time(10) }
      const third = { ...first, status: 'canceled' as const, endedAt: time(15), items: [], updatedAt: time(20) }
      const same = { ...third, status: 'unpaid' as const }
      for (const pictures of [
        [first, second, third, same],
        [third, second, first, same],
        [second, third, same, first],
      ]) {
        const id = `sub_${uuidv4()}`
        for (const picture of pictures) await bench.store.saveSubscription({ ...picture, id })
        expect(await bench.store.findSubscription(id)).toEqual({ ...same, id })
      }
    })

    it('stay ended once they have ended, whatever an older or younger picture says', async () => {
      const alive = await newSubscription()
      const ended = { ...alive, status: 'canceled' as const, endedAt: time(5), updatedAt: time(10) }
      const younger = { ...alive, status: 'past_due' as const, updatedAt: time(20) }
      const last = { ...ended, customerId: 'cus_last', updatedAt: time(30) }
      await bench.store.saveSubscription(younger)
      for (const picture of [ended, younger, alive]) {
        await bench.store.saveSubscription(picture)
        expect(await bench.store.findSubscription(alive.id)).toEqual(ended)
      }
      await bench.store.saveSubscription(last)
      expect(await bench.store.findSubscription(alive.id)).toEqual(last)
    })

    it('keep the moment at which they were first seen', async () => {
      const first = await newSubscription()
      await bench.store.saveSubscription(first)
      await bench.store.saveSubscription({ ...first, status: 'paused', createdAt: time(10), updatedAt: time(10) })
      expect(await bench.store.findSubscription(first.id)).toEqual({ ...first, status: 'paused', updatedAt: time(10) })
    })

    it("are listed of one user alone, the youngest first, then by the provider's id", async () => {
      const userId = await bench.newUser()
      const suffix = uuidv4()
      const save = async (name: string, ms: number, owner = userId) => {
        const subscription = await newSubscription({ id: `sub_${name}${suffix}`, userId: owner, createdAt: time(ms) })
        await bench.store.saveSubscription(subscription)
        return subscription
      }
      const [b, old, a, young] = [await save('b', 1), await save('c', 0), await save('A', 1), await save('d', 2)]
      await save('e', 1, await bench.newUser())
      expect(await bench.store.listSubscriptions(userId)).toEqual([young, a, b, old])
      expect(await bench.store.listSubscriptions(await bench.newUser())).toEqual([])
    })

    it('are one, whosever they were before', async () => {
      const first = await newSubscription()
      const moved = { ...first, userId: await bench.newUser(), updatedAt: time(1) }
      await bench.store.saveSubscription(first)
      await bench.store.saveSubscription(moved)
      expect(await bench.store.listSubscriptions(first.userId)).toEqual([])
      expect(await bench.store.listSubscriptions(moved.userId)).toEqual([moved])
    })

    it('show the youngest of ten pictures that are saved at once', async () => {
      const first = await newSubscription()
      const pictures = times(10, (index) => ({
        ...first,
        customerId: `cus_${index}`,
        updatedAt: time((index * 7) % 10),
      }))
      const { codes } = await outcomes(pictures.map((picture) => bench.store.saveSubscription(picture)))
      expect(codes).toEqual({})
      expect(await bench.store.findSubscription(first.id)).toMatchObject({ updatedAt: time(9), customerId: 'cus_7' })
    })
  })
}
