import { type inferRouterInputs, type inferRouterOutputs, initTRPC } from '@trpc/server'
import { CreditService, type CreditTransaction, type DefaultCreditType } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { createAppRouter, createCreditsRouter, createMarketplaceRouter } from 'creditkit/adapters/trpc'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { connect, openRouter, type ShopClient, type ShopRouter } from './shop.js'

type Inputs = inferRouterInputs<ShopRouter>['credits']
type Outputs = inferRouterOutputs<ShopRouter>

const service = () => new CreditService({ store: memoryStore() })
/** A client that is only looked at. */
const typesOnly = () => connect('http://localhost', null)

describe('what clients see of the types', () => {
  it('is the union of the configured credit types, in and out', () => {
    expectTypeOf<Inputs['getBalance']>().toEqualTypeOf<{ creditType: DefaultCreditType }>()
    expectTypeOf<Inputs['adjustCredits']['creditType']>().toEqualTypeOf<DefaultCreditType>()
    expectTypeOf<Inputs['createPackage']['creditType']>().toEqualTypeOf<DefaultCreditType>()
    expectTypeOf<keyof Outputs['credits']['getBalances']>().toEqualTypeOf<DefaultCreditType>()
    expectTypeOf<Outputs['credits']['getBalance']>().toEqualTypeOf<number>()
    expectTypeOf<keyof Outputs['marketplace']['getProducts']>().toEqualTypeOf<DefaultCreditType | 'legacy'>()
    // Without a transformer, dates arrive as text.
    type Transaction = Outputs['credits']['getTransactionHistory'][number]
    expectTypeOf<Transaction['creditType']>().toEqualTypeOf<DefaultCreditType>()
    expectTypeOf<Transaction['createdAt']>().toEqualTypeOf<string>()
  })

  it('has no `userId`, `actor` or `tx` that a client could think it sets', () => {
    expectTypeOf<keyof Inputs['getBalance']>().toEqualTypeOf<'creditType'>()
    expectTypeOf<Extract<keyof Inputs['adjustCredits'], 'userId' | 'actor' | 'tx'>>().toEqualTypeOf<'userId'>()
    expectTypeOf<Extract<keyof Inputs['purchaseCredits'], 'userId'>>().toEqualTypeOf<never>()
  })

  it('refuses what the guide does not have', () => {
    const calls = [
      // @ts-expect-error No such credit type.
      () => typesOnly().credits.getBalance.query({ creditType: 'gold' }),
      // @ts-expect-error With three credit types, one has to be named.
      () => typesOnly().credits.getBalance.query(),
      // @ts-expect-error A parsed event proves nothing.
      () => typesOnly().stripeWebhook.handleWebhook.mutate({ event: {} }),
    ]
    expect(calls).toHaveLength(3)
    expectTypeOf<ShopClient['credits']['getBalances']>().not.toHaveProperty('mutate')
    expectTypeOf<ShopClient['marketplace']['createCheckout']>().not.toHaveProperty('query')
  })
})

describe('hosts', () => {
  it('with one credit type never name it', async () => {
    const t = initTRPC.create()
    const credits = new CreditService({ store: memoryStore(), creditTypes: ['tokens'] })
    await credits.addCredits({ userId: 'u', amount: 5, description: 'Gift' })
    const authenticate = () => ({ userId: 'u', isAdmin: true })
    const router = createCreditsRouter({ router: t.router, procedure: t.procedure, credits, authenticate })
    const caller = router.createCaller({})
    expect(await caller.getBalance()).toBe(5)
    expect(await caller.getUsageStats()).toMatchObject({ balance: 5 })
    expect(await caller.checkBalance({ required: 7 })).toMatchObject({ shortfall: 2 })
    const taken = await caller.adjustCredits({ userId: 'u', amount: -2, description: 'Correction' })
    expectTypeOf(taken).toEqualTypeOf<CreditTransaction<'tokens'>>()
    expect(await caller.getBalances()).toMatchObject({ tokens: { balance: 3 } })
  })

  it('with procedures of their own get the context their middlewares made', async () => {
    const t = initTRPC.context<{ token: string | null }>().meta<{ log?: boolean }>().create()
    const log: string[] = []
    const procedure = t.procedure.use(({ path, next }) => {
      log.push(path)
      return next({ ctx: { requestId: 1 } })
    })
    const userProcedure = procedure.use(({ ctx, next }) => next({ ctx: { user: ctx.token } }))
    const options = { router: t.router, procedure, userProcedure, credits: service() }
    const router = createAppRouter({
      ...options,
      authenticate: (ctx) => {
        expectTypeOf(ctx.token).toEqualTypeOf<string | null>()
        expectTypeOf(ctx.requestId).toEqualTypeOf<number>()
        return 'user' in ctx && ctx.user !== null ? { userId: ctx.user, isAdmin: false } : null
      },
    })
    expect(await router.createCaller({ token: 'u' }).credits.getBalance({ creditType: 'calling' })).toBe(0)
    await expect(router.createCaller({ token: null }).credits.getBalances()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
    expect(log).toEqual(['credits.getBalance', 'credits.getBalances'])
  })

  it('may take single routers and put them where they like', async () => {
    const t = initTRPC.context<object>().create()
    const options = { router: t.router, procedure: t.procedure, credits: service() }
    const router = t.router({ shop: createMarketplaceRouter(options), health: t.procedure.query(() => 'ok') })
    const caller = router.createCaller({})
    expect(await caller.shop.getProducts()).toEqual({ enrichment: [], calling: [], scraping: [], legacy: [] })
    expect(await caller.health()).toBe('ok')
  })

  it('without a transformer and with one may both send dates', async () => {
    const credits = service()
    await credits.addCredits({ userId: 'u', amount: 9, creditType: 'calling', description: 'Gift' })
    await credits.deductCredits({ userId: 'u', amount: 4, creditType: 'calling', description: 'Call' })
    const caller = openRouter(credits).createCaller({ caller: { userId: 'u', isAdmin: false } })
    const range = { startDate: new Date('2025-01-01'), endDate: new Date('2100-01-01') }
    const texts = { startDate: '2025-01-01', endDate: range.endDate.toISOString() }
    const stats = await caller.credits.getUsageStats({ creditType: 'calling', ...range })
    expect(stats).toMatchObject({ totalUsed: 4, transactions: 2 })
    expect(await caller.credits.getUsageStats({ creditType: 'calling', ...texts })).toEqual(stats)
    const past = { creditType: 'calling', endDate: '2025-01-01' } as const
    expect(await caller.credits.getUsageStats(past)).toMatchObject({ totalUsed: 0 })
  })
})
