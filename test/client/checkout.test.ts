import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { stripePayments } from 'creditkit/adapters/stripe'
import { createCreditsApi } from 'creditkit/api'
import { createCreditsClient, type CreditsClient } from 'creditkit/client'
import { type FakeStripe, fakeStripe } from 'creditkit/testing'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { ADMIN } from '../doors/call-samples.js'
import { refusalOf, serveDoor } from './served-door.js'

let stripe: FakeStripe
let door: Awaited<ReturnType<typeof serveDoor>>
beforeAll(async () => {
  stripe = await fakeStripe({ delivery: 'hold', stripeConfig: { maxNetworkRetries: 0 } })
  door = await serveDoor(
    stripePayments({ stripe: stripe.stripe, webhookSecret: stripe.webhookSecret, appUrl: 'https://myapp.com' }),
  )
})
afterAll(async () => {
  await door.close()
  await stripe.close()
})

const connect = (caller: object) =>
  createCreditsClient<typeof door.api>({ baseUrl: door.baseUrl, headers: { caller: JSON.stringify(caller) } })
const pack = { name: 'Starter', creditAmount: 100, price: 999, creditType: 'calling' } as const
const sessionsOpened = () =>
  stripe.calls.filter(
    ({ method, path, replayed }) => method === 'POST' && path === '/v1/checkout/sessions' && !replayed,
  )

describe('buying by the client', () => {
  it('opens a checkout at the provider, and sees its credits when it is paid', async () => {
    const { id: packageId } = await connect(ADMIN).createPackage(pack)
    const buyer = connect({ userId: 'buyer-pays', isAdmin: false })
    const { checkoutUrl, sessionId } = await buyer.createCheckout({ packageId, quantity: 2 })
    expect(checkoutUrl).toContain(stripe.url)
    expect((await buyer.verifyCheckout({ sessionId })).status).toBe('open')
    await stripe.complete(sessionId)
    expect(await buyer.verifyCheckout({ sessionId })).toMatchObject({ success: true, status: 'fulfilled' })
    expect(await buyer.getBalance({ creditType: 'calling' })).toBe(200)
    const { purchases } = await buyer.getPurchases()
    expect(purchases).toMatchObject([{ sessionId, credits: 200, status: 'fulfilled', paidMinor: 1998 }])
    expect(new Date(purchases[0]?.createdAt ?? '').getTime()).toBeGreaterThan(Date.now() - 60_000)
  })

  it('opens one checkout when the answer is lost', async () => {
    const { id: packageId } = await connect(ADMIN).createPackage(pack)
    const buyer = connect({ userId: 'buyer-lost', isAdmin: false })
    const before = sessionsOpened().length
    door.faults.push(door.answerLost)
    const { sessionId } = await buyer.createCheckout({ packageId })
    expect(sessionsOpened()).toHaveLength(before + 1)
    expect((await buyer.getPurchases()).purchases).toMatchObject([{ sessionId, status: 'pending' }])
  })

  it('says why a package can not be bought', async () => {
    const { id: packageId } = await connect(ADMIN).createPackage({ ...pack, isActive: false })
    const buyer = connect({ userId: 'buyer-late', isAdmin: false })
    expect(await refusalOf(buyer.createCheckout({ packageId }))).toMatchObject({
      code: 'PACKAGE_INACTIVE',
      status: 409,
    })
    const wrong = await refusalOf(buyer.createCheckout({ packageId, quantity: 0 }))
    expect(wrong).toMatchObject({ code: 'INVALID_INPUT', status: 400, isRetryable: false })
    expect(wrong.problem?.issues).toMatchObject([{ path: 'quantity' }])
  })
})

describe('the types of a client', () => {
  it('of one credit type let it be left out', async () => {
    const credits = new CreditService({ store: memoryStore(), creditTypes: ['tokens'] })
    const api = createCreditsApi(credits, { authenticate: () => ({ userId: 'one-type', isAdmin: true }) })
    const client = createCreditsClient<typeof api>({
      baseUrl: 'http://localhost/api/credits',
      // The door itself, without a server between.
      fetch: (url, init) => api(new Request(url, init)),
    })
    await client.addCredits({ userId: 'one-type', amount: 5, description: 'Gift' })
    expect(await client.getBalance()).toBe(5)
    expect(await client.getBalance({ creditType: 'tokens' })).toBe(5)
    expect(await client.checkBalance({ required: 6 })).toMatchObject({
      required: 6,
      hasSufficient: false,
      shortfall: 1,
    })
    expectTypeOf<keyof Awaited<ReturnType<typeof client.getBalances>>>().toEqualTypeOf<'tokens'>()
    // @ts-expect-error Another type than the door's.
    expect((await refusalOf(client.getBalance({ creditType: 'calling' }))).status).toBe(400)
    await credits.close()
  })

  it('of several ask for it', () => {
    type Client = CreditsClient<typeof door.api>
    expectTypeOf<Client['checkBalance']>().toBeCallableWith({ creditType: 'calling', required: 5 })
    // @ts-expect-error With three credit types, one has to be named.
    expectTypeOf<Client['checkBalance']>().toBeCallableWith({ required: 5 })
    expectTypeOf<Awaited<ReturnType<Client['getPurchases']>>['purchases'][0]['fulfilledAt']>().toEqualTypeOf<
      string | null
    >()
    expectTypeOf<Awaited<ReturnType<Client['createCheckout']>>['checkoutUrl']>().toEqualTypeOf<string>()
  })
})
