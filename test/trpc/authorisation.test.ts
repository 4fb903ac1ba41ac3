import { signedWebhook } from 'creditkit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, openRouter, openShop, refusal, type Shop, type ShopClient } from './shop.js'

let shop: Shop
/** A session that `buyer` opened and paid, of which no webhook has come yet. */
let sessionId: string
let event: { rawBody: string; signature: string }

const buyer = { userId: 'buyer-1', isAdmin: false }
const CALLERS = {
  nobody: null,
  buyer,
  other: { userId: 'other-1', isAdmin: false },
  admin: ADMIN,
  unconfigured: 'unconfigured',
} as const

beforeAll(async () => {
  shop = await openShop()
  const checkout = await shop.credits.marketplace.createCheckout({ userId: buyer.userId, packageId: shop.packageId })
  sessionId = checkout.sessionId
  await shop.stripe.complete(sessionId)
  const delivery = await signedWebhook(
    { id: 'evt_1', object: 'event', type: 'customer.updated', livemode: false, created: 1, data: { object: {} } },
    shop.stripe.webhookSecret,
  )
  event = { rawBody: await delivery.text(), signature: delivery.headers.get('stripe-signature') ?? '' }
})

afterAll(() => shop.close())

const EVERYBODY = { nobody: 'ok', buyer: 'ok', other: 'ok', admin: 'ok', unconfigured: 'ok' }
const USERS = { ...EVERYBODY, nobody: 'UNAUTHORIZED', unconfigured: 'UNAUTHORIZED' }
const ADMINS = { ...USERS, buyer: 'FORBIDDEN', other: 'FORBIDDEN' }
const OWNER = { ...USERS, other: 'NOT_FOUND', admin: 'NOT_FOUND' }

const bonus = { userId: 'somebody', amount: 1, creditType: 'enrichment', description: 'Bonus' } as const
const pack = { name: 'Pack', creditAmount: 10, price: 100, creditType: 'calling' } as const

/** Every procedure, how it is called, and what each kind of caller is answered. */
const PROCEDURES: Record<string, [call: (client: ShopClient) => Promise<unknown>, answers: Record<string, string>]> = {
  'credits.getBalances': [(client) => client.credits.getBalances.query(), USERS],
  'credits.getBalance': [(client) => client.credits.getBalance.query({ creditType: 'enrichment' }), USERS],
  'credits.checkBalance': [
    (client) => client.credits.checkBalance.query({ creditType: 'enrichment', required: 1 }),
    USERS,
  ],
  'credits.getTransactionHistory': [(client) => client.credits.getTransactionHistory.query(), USERS],
  'credits.getUsageStats': [(client) => client.credits.getUsageStats.query({ creditType: 'enrichment' }), USERS],
  'credits.purchaseCredits': [(client) => client.credits.purchaseCredits.mutate({ packageId: shop.packageId }), USERS],
  'credits.getPackages': [(client) => client.credits.getPackages.query(), EVERYBODY],
  'credits.createPackage': [(client) => client.credits.createPackage.mutate(pack), ADMINS],
  'credits.updatePackage': [
    (client) => client.credits.updatePackage.mutate({ id: shop.inactivePackageId, sortOrder: 2 }),
    ADMINS,
  ],
  'credits.adjustCredits': [(client) => client.credits.adjustCredits.mutate(bonus), ADMINS],
  'marketplace.getProducts': [(client) => client.marketplace.getProducts.query(), EVERYBODY],
  'marketplace.createCheckout': [
    (client) => client.marketplace.createCheckout.mutate({ packageId: shop.packageId }),
    USERS,
  ],
  'marketplace.verifyCheckout': [(client) => client.marketplace.verifyCheckout.query({ sessionId }), OWNER],
  'stripeWebhook.handleWebhook': [(client) => client.stripeWebhook.handleWebhook.mutate(event), EVERYBODY],
  'stripeWebhook.fulfillCheckoutSession': [
    (client) => client.stripeWebhook.fulfillCheckoutSession.mutate({ sessionId }),
    ADMINS,
  ],
}

const answerOf = (call: Promise<unknown>) =>
  call.then(
    () => 'ok',
    async () => (await refusal(call)).split(':')[0],
  )

describe('who may call what', () => {
  it.each(Object.entries(PROCEDURES))('%s', async (_name, [call, answers]) => {
    const given: Record<string, string | undefined> = {}
    for (const [name, caller] of Object.entries(CALLERS)) given[name] = await answerOf(call(shop.client(caller)))
    expect(given).toEqual(answers)
  })

  it('is written down for every procedure there is', () => {
    const { procedures } = openRouter(shop.credits)._def
    expect(Object.keys(PROCEDURES).sort()).toEqual(Object.keys(procedures).sort())
  })

  it('is decided before the input is looked at', async () => {
    const nonsense = { packageId: 'x' } as never
    expect(await refusal(shop.client(null).marketplace.createCheckout.mutate(nonsense))).toContain('UNAUTHORIZED')
    expect(await refusal(shop.client(buyer).credits.createPackage.mutate(nonsense))).toContain('FORBIDDEN')
  })

  it('writes nothing for those who are refused', async () => {
    const before = await shop.credits.getTransactionHistory('victim')
    for (const caller of [null, buyer, 'unconfigured'] as const) {
      await refusal(shop.client(caller).credits.adjustCredits.mutate({ ...bonus, userId: 'victim' }))
    }
    expect(await shop.credits.getTransactionHistory('victim')).toEqual(before)
  })

  it('takes only a real id and a real `true` from `authenticate`', async () => {
    for (const userId of [undefined, null, '', '  ', Number.NaN, -1, {}]) {
      const caller = { userId, isAdmin: true } as never
      expect(await refusal(shop.client(caller).credits.getBalances.query())).toContain('UNAUTHORIZED')
      expect(await refusal(shop.client(caller).credits.adjustCredits.mutate(bonus))).toContain('UNAUTHORIZED')
    }
    for (const isAdmin of [undefined, 'true', 1, {}]) {
      const caller = { userId: 'buyer-1', isAdmin } as never
      expect(await refusal(shop.client(caller).credits.adjustCredits.mutate(bonus))).toContain('FORBIDDEN')
    }
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
