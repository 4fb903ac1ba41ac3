import { initTRPC, TRPCError } from '@trpc/server'
import { CreditService, isCreditError } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { createCreditsRouter } from 'creditkit/adapters/trpc'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ADMIN, openShop, refusal, type Shop } from './shop.js'

let shop: Shop
const user = { userId: 'user-1', isAdmin: false }

beforeAll(async () => {
  shop = await openShop()
})
beforeEach(() => void shop.errors.splice(0))
afterAll(() => shop.close())

describe("creditkit's errors through tRPC", () => {
  it("keep the guide's messages and have the codes of the table", async () => {
    const { credits, marketplace } = shop.client(user)
    const { credits: admins, stripeWebhook } = shop.client(ADMIN)
    const take = { userId: 'user-1', amount: -50, creditType: 'calling', description: 'Correction' } as const
    expect({
      unknownPackage: await refusal(marketplace.createCheckout.mutate({ packageId: 999 })),
      inactivePackage: await refusal(credits.purchaseCredits.mutate({ packageId: shop.inactivePackageId })),
      unknownSession: await refusal(marketplace.verifyCheckout.query({ sessionId: 'cs_test_unknown' })),
      updateOfNothing: await refusal(admins.updatePackage.mutate({ id: 999, name: 'New' })),
      tooMuch: await refusal(admins.adjustCredits.mutate(take)),
      zero: await refusal(admins.adjustCredits.mutate({ ...take, amount: 0 })),
      negative: await refusal(credits.checkBalance.query({ creditType: 'calling', required: -10 })),
      nobody: await refusal(shop.client(null).credits.getBalances.query()),
      noAdmin: await refusal(credits.adjustCredits.mutate(take)),
      unpaid: await refusal(
        marketplace.createCheckout
          .mutate({ packageId: shop.packageId })
          .then(({ sessionId }) => stripeWebhook.fulfillCheckoutSession.mutate({ sessionId })),
      ),
    }).toEqual({
      unknownPackage: 'NOT_FOUND: Package not found',
      inactivePackage: 'CONFLICT: Package is not active',
      unknownSession: 'NOT_FOUND: Checkout session not found',
      updateOfNothing: 'NOT_FOUND: Package not found',
      tooMuch: 'PAYMENT_REQUIRED: Insufficient credits. Required: 50, Available: 0',
      zero: 'BAD_REQUEST: Amount must not be zero',
      negative: 'BAD_REQUEST: Amount must be positive',
      nobody: 'UNAUTHORIZED: Authentication required',
      noAdmin: 'FORBIDDEN: Not allowed',
      unpaid: 'CONFLICT: Checkout session has not been paid: it is open',
    })
  })

  it('name the field of an input that is refused, and the credit types there are', async () => {
    const { credits, marketplace } = shop.client(user)
    const gold = { creditType: 'gold' as 'calling' }
    expect(await refusal(credits.getBalance.query(gold))).toBe(
      'BAD_REQUEST: Invalid input: creditType: "gold" is not configured; known: enrichment, calling, scraping',
    )
    expect(await refusal(credits.getTransactionHistory.query({ limit: 201 }))).toMatch(/^BAD_REQUEST: .*limit/)
    const soon = { creditType: 'calling', startDate: 'soon' } as const
    expect(await refusal(credits.getUsageStats.query(soon))).toMatch(/^BAD_REQUEST: .*startDate/)
    const elsewhere = { packageId: shop.packageId, successUrl: 'https://evil.example/' }
    expect(await refusal(marketplace.createCheckout.mutate(elsewhere))).toMatch(/^BAD_REQUEST: .*successUrl/)
  })

  it('reach the host with the original as their cause', async () => {
    await refusal(shop.client(user).marketplace.createCheckout.mutate({ packageId: 999 }))
    await refusal(shop.client(user).credits.checkBalance.query({ creditType: 'calling', required: 0 }))
    expect(shop.errors.map(({ cause }) => isCreditError(cause) && cause.code)).toEqual([
      'PACKAGE_NOT_FOUND',
      'INVALID_AMOUNT',
    ])
  })
})

describe('other errors', () => {
  const t = initTRPC.context<{ error: unknown }>().create()
  const credits = new CreditService({ store: memoryStore() })
  const router = createCreditsRouter({
    router: t.router,
    procedure: t.procedure,
    credits,
    authenticate: ({ error }) => {
      throw error
    },
  })
  const thrownBy = async (error: unknown) => {
    const reason: unknown = await router
      .createCaller({ error })
      .getBalances()
      .catch((caught: unknown) => caught)
    if (!(reason instanceof TRPCError)) throw new Error('thrownBy: not a TRPCError')
    return reason
  }

  it('do not tell their message to clients, only to the host', async () => {
    const leak = new Error('connect postgres://app:hunter2@db failed')
    const error = await thrownBy(leak)
    expect([error.code, error.message, error.cause]).toEqual(['INTERNAL_SERVER_ERROR', 'Something went wrong', leak])
    expect(error.stack).not.toContain('hunter2')
  })

  it("pass when they are the host's own TRPCErrors", async () => {
    const expired = new TRPCError({ code: 'UNAUTHORIZED', message: 'Session expired' })
    expect(await thrownBy(expired)).toBe(expired)
  })
})
