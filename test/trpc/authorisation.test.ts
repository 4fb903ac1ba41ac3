import { signedWebhook } from 'creditkit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, openShop, refusal, type Shop, type ShopClient } from './shop.js'

let shop: Shop
let event: { rawBody: string; signature: string }

const buyer = { userId: 'buyer-1', isAdmin: false }
beforeAll(async () => {
  shop = await openShop()
  const delivery = await signedWebhook(
    { id: 'evt_1', object: 'event', type: 'customer.updated', livemode: false, created: 1, data: { object: {} } },
    shop.stripe.webhookSecret,
  )
  event = { rawBody: await delivery.text(), signature: delivery.headers.get('stripe-signature') ?? '' }
})

afterAll(() => shop.close())

const bonus = { userId: 'somebody', amount: 1, creditType: 'enrichment', description: 'Bonus' } as const

describe('who may call what', () => {
  // Every other procedure's roles are in test/doors/authorisation.test.ts, through all doors.
  it.each([
    ['nobody', null],
    ['a user', buyer],
    ['an administrator', ADMIN],
    ['a host that can not tell', 'unconfigured'],
  ] as const)('lets %s pass on a webhook: its signature is what protects it', async (_who, caller) => {
    const { stripeWebhook } = shop.client(caller)
    expect(await stripeWebhook.handleWebhook.mutate(event)).toEqual({ received: true })
    const forged = stripeWebhook.handleWebhook.mutate({ ...event, signature: 't=1,v1=00' })
    expect(await refusal(forged)).toContain('BAD_REQUEST')
  })
})

describe('a user who names another user', () => {
  const thief = { userId: 'thief', isAdmin: false }

  it('still reads only his own', async () => {
    await shop.credits.addCredits({ userId: 'rich', amount: 500, creditType: 'enrichment', description: 'Gift' })
    const { credits } = shop.client(thief)
    const of = { userId: 'rich', creditType: 'enrichment' } as const
    const required = { ...of, required: 1 }
    expect(await credits.getBalance.query(of)).toBe(0)
    expect((await credits.getBalances.query(of as never)).enrichment.balance).toBe(0)
    expect(await credits.checkBalance.query(required)).toMatchObject({ hasSufficient: false, balance: 0 })
    expect(await credits.getTransactionHistory.query(of)).toEqual([])
    expect(await credits.getUsageStats.query(of)).toMatchObject({ balance: 0, transactions: 0 })
  })

  it('still buys only for himself', async () => {
    const { marketplace, credits } = shop.client(thief)
    const order = { packageId: shop.packageId, userId: 'rich' }
    for (const { sessionId } of [
      await marketplace.createCheckout.mutate(order),
      await credits.purchaseCredits.mutate(order),
    ]) {
      const answer = await marketplace.verifyCheckout.query({ sessionId })
      expect(answer.metadata.userId).toBe('thief')
    }
  })
})

describe('administrators', () => {
  it('are recorded as the actor, whatever the input says', async () => {
    const { credits } = shop.client(ADMIN)
    const adjusted = await credits.adjustCredits.mutate({ ...bonus, actor: 'somebody else', tx: {} } as typeof bonus)
    expect(adjusted).toMatchObject({ userId: 'somebody', amount: 1, actor: 'admin-1' })
    const numbered = shop.client({ userId: 7, isAdmin: true })
    expect(await numbered.credits.adjustCredits.mutate(bonus)).toMatchObject({ actor: '7' })
  })

  it('alone see the packages that are not on sale, when they ask', async () => {
    const ids = async (client: ShopClient, includeInactive: boolean) =>
      (await client.credits.getPackages.query({ includeInactive })).map(({ id }) => id)
    const hidden = shop.inactivePackageId
    expect(await ids(shop.client(ADMIN), true)).toContain(hidden)
    expect(await ids(shop.client(ADMIN), false)).not.toContain(hidden)
    for (const caller of [null, buyer, 'unconfigured'] as const) {
      expect(await ids(shop.client(caller), true)).not.toContain(hidden)
    }
  })
})
