import { initTRPC } from '@trpc/server'
import { isCreditError } from 'creditkit'
import { type Caller, createCreditsApi } from 'creditkit/api'
import { createAppRouter } from 'creditkit/adapters/trpc'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { procedureGroups } from '../../src/api/procedures.js'
import type { ProcedureName } from '../../src/api/routes.js'
import { ADMIN, BUYER, openShop, OTHER, type Shop } from './call-samples.js'
import { answerOf, callerOf, codeOf, restRequest } from './rest-call.js'

/*
 * Who may do what, written down once more, by hand: every procedure × {nobody, a host that can't tell, the owner, another
 * user, an administrator} × the doors. The console's pages have their own table in test/console.
 */

/** For everybody; for signed-in users about themselves; about one thing, of its owner; for administrators. */
const PUBLIC = ['getPackages', 'getProducts'] as const
const USERS = [
  ...['getBalances', 'getBalance', 'checkBalance', 'getTransactionHistory', 'listTransactions', 'getUsageStats'],
  ...['getGrants', 'getHolds', 'getPlan', 'quote', 'createCheckout', 'purchaseCredits', 'getPurchases', 'subscribe'],
  ...['getSubscriptions', 'createPortalSession', 'createCardSetup', 'getAutoTopup', 'configureAutoTopup'],
] as const
/** What others are told; administrators see everybody's only where they are named. */
const OWNERS: Record<string, { others: string; admins: string }> = {
  getTransaction: { others: 'TRANSACTION_NOT_FOUND', admins: 'ok' },
  explain: { others: 'TRANSACTION_NOT_FOUND', admins: 'ok' },
  getPurchase: { others: 'PURCHASE_NOT_FOUND', admins: 'ok' },
  verifyCheckout: { others: 'CHECKOUT_NOT_FOUND', admins: 'CHECKOUT_NOT_FOUND' },
  cancelSubscription: { others: 'SUBSCRIPTION_NOT_FOUND', admins: 'SUBSCRIPTION_NOT_FOUND' },
}
const ADMINS = [
  ...['findUsers', 'getUserBalances', 'listUserTransactions', 'getUserUsageStats', 'getUserGrants', 'getUserHolds'],
  ...['getUserPlan', 'getUserPurchases', 'getUserSubscriptions', 'getUserAutoTopup', 'addCredits', 'deductCredits'],
  ...['adjustCredits', 'refundCredits', 'transferCredits', 'voidGrant', 'holdCredits', 'captureHold', 'extendHold'],
  ...['releaseHold', 'spend', 'startPlan', 'changePlan', 'endPlan', 'createPackage', 'updatePackage', 'runDue'],
  ...['fulfillCheckoutSession', 'listQuarantine', 'releaseQuarantine', 'reconcile', 'getMetrics', 'verify', 'rebuild'],
  ...['anonymizeUser'],
] as const

/** Where there is nothing to do for an administrator, the answer says so. */
const DONE: Record<string, string> = { releaseQuarantine: 'QUARANTINE_NOT_FOUND' }

type CallerName = 'nobody' | 'unconfigured' | 'owner' | 'other' | 'admin'

const CALLERS: Record<CallerName, Caller | null | 'unconfigured'> = {
  nobody: null,
  unconfigured: 'unconfigured',
  owner: BUYER,
  other: OTHER,
  admin: ADMIN,
}

function expected(name: string): Record<CallerName, string> {
  const refused = { nobody: 'UNAUTHORIZED', unconfigured: 'UNAUTHORIZED' }
  if (includes(PUBLIC, name)) return { nobody: 'ok', unconfigured: 'ok', owner: 'ok', other: 'ok', admin: 'ok' }
  if (includes(USERS, name)) return { ...refused, owner: 'ok', other: 'ok', admin: 'ok' }
  const owned = OWNERS[name]
  if (owned !== undefined) return { ...refused, owner: 'ok', other: owned.others, admin: owned.admins }
  return { ...refused, owner: 'FORBIDDEN', other: 'FORBIDDEN', admin: DONE[name] ?? 'ok' }
}

const includes = (names: readonly string[], name: string) => names.includes(name)

type Door = (
  credits: Shop['credits'],
  name: ProcedureName,
  input: Record<string, unknown>,
  caller: Caller | null | 'unconfigured',
) => Promise<string>

const throughRest: Door = async (credits, name, input, caller) => {
  const api = createCreditsApi(credits, caller === 'unconfigured' ? {} : { authenticate: callerOf })
  const response = await api(restRequest(name, input, caller === 'unconfigured' ? ADMIN : caller))
  return codeOf(await answerOf(response))
}

const t = initTRPC.context<{ caller: Caller | null }>().create()

const throughTrpc: Door = async (credits, name, input, caller) => {
  const own = { router: t.router, procedure: t.procedure, credits }
  const router =
    caller === 'unconfigured'
      ? createAppRouter(own)
      : createAppRouter({ ...own, authenticate: (ctx: { caller: Caller | null }) => ctx.caller })
  // Called by name: the types of sixty calls say nothing here.
  const groups = router.createCaller({ caller: caller === 'unconfigured' ? ADMIN : caller }) as unknown as Record<
    string,
    Record<string, (input: unknown) => Promise<unknown>>
  >
  const group = Object.entries(procedureGroups()).find(([, procedures]) => name in procedures)?.[0] ?? ''
  const call = groups[group]?.[name]
  if (call === undefined) return 'no such procedure'
  try {
    await call(input)
    return 'ok'
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    return isCreditError(cause) ? cause.code : String(error)
  }
}

const NAMES = [...PUBLIC, ...USERS, ...Object.keys(OWNERS), ...ADMINS] as ProcedureName[]

describe.each([
  ['REST', throughRest],
  ['tRPC', throughTrpc],
] as const)('who may call what, through %s', (_door, through) => {
  let shop: Shop
  const door = (name: ProcedureName, input: Record<string, unknown>, caller: Caller | null | 'unconfigured') =>
    through(shop.credits, name, input, caller)

  beforeAll(async () => {
    shop = await openShop()
  })
  afterAll(() => shop.close())

  // Those who must be refused first: whatever they did would change what the others find.
  const inOrder: CallerName[] = ['nobody', 'unconfigured', 'other', 'owner', 'admin']

  it.each(NAMES)('%s', async (name) => {
    const given: Partial<Record<CallerName, string>> = {}
    for (const caller of inOrder) given[caller] = await door(name, shop.samples[name], CALLERS[caller])
    expect(given).toEqual(expected(name))
  })

  it('writes nothing for those who are refused', async () => {
    const before = await footprint(shop)
    for (const name of ADMINS as readonly string[] as ProcedureName[])
      for (const caller of [null, 'unconfigured', BUYER, OTHER] as const)
        expect(['UNAUTHORIZED', 'FORBIDDEN']).toContain(await door(name, shop.samples[name], caller))
    expect(await footprint(shop)).toEqual(before)
  })

  it('is decided before the input is looked at', async () => {
    expect(await door('createCheckout', { packageId: 'x' }, null)).toBe('UNAUTHORIZED')
    expect(await door('createPackage', { price: 'x' }, BUYER)).toBe('FORBIDDEN')
  })

  it('takes only a real id and a real `true` from `authenticate`', async () => {
    for (const userId of [undefined, null, '', '  ', -1, {}]) {
      const caller = { userId, isAdmin: true } as never
      expect(await door('getBalances', {}, caller)).toBe('UNAUTHORIZED')
      expect(await door('adjustCredits', shop.samples.adjustCredits, caller)).toBe('UNAUTHORIZED')
    }
    for (const isAdmin of [undefined, 'true', 1, {}]) {
      const caller = { userId: 'buyer-1', isAdmin } as never
      expect(await door('adjustCredits', shop.samples.adjustCredits, caller)).toBe('FORBIDDEN')
    }
  })
})

async function footprint({ credits }: Shop) {
  const [history, balances, packages, friend] = await Promise.all([
    credits.getTransactionHistory(BUYER.userId, undefined, 200),
    credits.getAllBalances(BUYER.userId),
    credits.marketplace.getPackages({ includeInactive: true }),
    credits.getTransactionHistory('friend'),
  ])
  return { history: history.map(({ id }) => id), balances, packages, friend }
}

describe('the list of procedures', () => {
  it('is written down here in full', () => {
    const listed = Object.values(procedureGroups()).flatMap((group) => Object.keys(group))
    expect([...NAMES].sort()).toEqual(listed.sort())
  })
})
