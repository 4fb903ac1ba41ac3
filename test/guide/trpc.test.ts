import { TRPCClientError } from '@trpc/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, openShop, type Shop } from '../trpc/shop.js'
import * as guide from './trpc-snippets.js'

let shop: Shop

beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

describe("the guide's tRPC examples", () => {
  it('Create Credit Packages', async () => {
    await guide.createPackage(shop.client(ADMIN))
    const products = await shop.client(null).marketplace.getProducts.query()
    const starter = { name: 'Starter Pack - 100 Enrichment Credits', price: 999 }
    expect(products.enrichment).toContainEqual(
      expect.objectContaining({
        ...starter,
        description: 'Perfect for getting started',
        creditAmount: 100,
        sortOrder: 1,
      }),
    )
    expect(products.legacy).toContainEqual({
      ...starter,
      id: expect.any(Number) as number,
      credits: 100,
      type: 'enrichment',
    })
  })

  it('Admin: Manual Adjustment', async () => {
    const callee = { creditType: 'calling', transactionType: 'adjustment', amount: -50, balanceAfter: 10 }
    await shop.credits.addCredits(123, 60, 'calling', 'Test purchase', 'purchase')
    await guide.adjust(shop.client(ADMIN))
    const bonus = { creditType: 'enrichment', transactionType: 'adjustment', amount: 100, balanceAfter: 100 }
    expect(await shop.credits.getTransactionHistory(123)).toMatchObject([
      { ...callee, description: 'Refund for failed calls', actor: 'admin-1' },
      { ...bonus, description: 'Bonus credits for feedback', metadata: { reason: 'user_feedback' }, actor: 'admin-1' },
      { transactionType: 'purchase' },
    ])
  })

  it('Package Not Found', async () => {
    const error = await guide.packageNotFound(shop.client(shop.newUser()))
    expect(error).toBeInstanceOf(TRPCClientError)
    expect(error).toMatchObject({ message: 'Package not found', data: { code: 'NOT_FOUND', httpStatus: 404 } })
  })

  it('createCheckout and verifyCheckout answer in its shapes', async () => {
    const buyer = shop.newUser()
    const { marketplace, credits } = shop.client(buyer)
    const checkout = await marketplace.createCheckout.mutate({
      packageId: shop.packageId,
      successUrl: 'https://myapp.com/success',
      cancelUrl: 'https://myapp.com/marketplace',
    })
    const { checkoutUrl, sessionId } = checkout
    expect(checkout).toEqual({ success: true, checkoutUrl, sessionId })
    expect(new URL(checkoutUrl).origin).toBe(shop.stripe.url)
    const metadata = {
      userId: buyer.userId,
      packageId: String(shop.packageId),
      creditType: 'enrichment',
      creditAmount: '100',
    }
    const answer = () => marketplace.verifyCheckout.query({ sessionId })
    expect(await answer()).toEqual({ success: false, status: 'open', metadata })
    await shop.stripe.complete(sessionId)
    expect(await answer()).toEqual({ success: true, status: 'fulfilled', metadata })
    expect(await answer()).toEqual({ success: true, status: 'fulfilled', metadata })
    expect(await credits.getBalance.query({ creditType: 'enrichment' })).toBe(100)
  })

  it('fulfillCheckoutSession does by hand what a lost webhook would have done', async () => {
    const buyer = shop.newUser()
    const { sessionId } = await shop.client(buyer).credits.purchaseCredits.mutate({ packageId: shop.packageId })
    await shop.stripe.complete(sessionId)
    const fulfil = () => shop.client(ADMIN).stripeWebhook.fulfillCheckoutSession.mutate({ sessionId })
    expect(await fulfil()).toMatchObject({ success: true, status: 'fulfilled' })
    expect(await fulfil()).toMatchObject({ success: true, status: 'fulfilled' })
    expect(await shop.client(buyer).credits.getBalance.query({ creditType: 'enrichment' })).toBe(100)
  })
})
