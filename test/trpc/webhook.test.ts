import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import express from 'express'
import { webhookHandler } from 'creditkit/adapters/express'
import { signedWebhook } from 'creditkit/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect, contextOf, openRouter, openShop, refusal, type Shop } from './shop.js'

const WEBHOOK_PATH = '/api/trpc/stripeWebhook.handleWebhook'

let shop: Shop
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  shop = await openShop()
})
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))
afterAll(() => shop.close())

/** The guide's app on Express: tRPC under /api/trpc, and before it, if wanted, the webhook at the guide's URL. */
async function serveApp({ mountWebhook }: { mountWebhook: boolean }): Promise<string> {
  const app = express()
  if (mountWebhook) app.post(WEBHOOK_PATH, webhookHandler(shop.credits))
  app.use(express.json())
  app.use(
    '/api/trpc',
    createExpressMiddleware({ router: openRouter(shop.credits), createContext: ({ req }) => contextOf(req) }),
  )
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(() => resolve())))
  // A listening TCP server's address is an object.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A paid checkout whose events wait; says whose it is. */
async function payFor(client: ReturnType<typeof connect>): Promise<void> {
  const { sessionId } = await client.marketplace.createCheckout.mutate({ packageId: shop.packageId })
  await shop.stripe.complete(sessionId)
}

describe("the guide's webhook URL", () => {
  it('grants what was bought, through the same app that serves tRPC', async () => {
    const url = await serveApp({ mountWebhook: true })
    const client = connect(`${url}/api/trpc`, shop.newUser())
    await payFor(client)
    expect(await client.credits.getBalance.query({ creditType: 'enrichment' })).toBe(0)

    shop.stripe.webhookUrl = url + WEBHOOK_PATH
    const deliveries = await shop.stripe.deliver()
    expect(deliveries.map(({ status }) => status)).toEqual(deliveries.map(() => 200))
    expect(await client.credits.getBalance.query({ creditType: 'enrichment' })).toBe(100)
    const [purchase] = await client.credits.getTransactionHistory.query()
    expect(purchase).toMatchObject({ transactionType: 'purchase', amount: 100, balanceAfter: 100 })
  })

  it('refuses a forged event', async () => {
    const url = await serveApp({ mountWebhook: true })
    const forged = await signedWebhook({ object: 'event', type: 'checkout.session.completed' }, 'whsec_guessed')
    const answer = await fetch(url + WEBHOOK_PATH, {
      method: 'POST',
      headers: forged.headers,
      body: await forged.text(),
    })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'WEBHOOK_SIGNATURE_INVALID' }])
  })

  it('says what to do when only tRPC is mounted there', async () => {
    const url = await serveApp({ mountWebhook: false })
    const event = await signedWebhook({ object: 'event' }, shop.stripe.webhookSecret)
    const answer = await fetch(url + WEBHOOK_PATH, { method: 'POST', headers: event.headers, body: await event.text() })
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('mount webhookHandler(credits) on it, before tRPC')
  })
})

describe('stripeWebhook.handleWebhook as a procedure', () => {
  it('grants what a signed body says, once however often it comes', async () => {
    const user = shop.newUser()
    const client = shop.client(user)
    await payFor(client)
    const event = shop.stripe.events.findLast(({ type }) => type === 'checkout.session.completed')
    const signed = await signedWebhook(event ?? {}, shop.stripe.webhookSecret)
    const call = { rawBody: await signed.text(), signature: signed.headers.get('stripe-signature') ?? '' }
    const nobody = shop.client(null)
    for (let times = 0; times < 2; times++) {
      expect(await nobody.stripeWebhook.handleWebhook.mutate(call)).toEqual({ received: true })
      expect(await client.credits.getBalance.query({ creditType: 'enrichment' })).toBe(100)
    }
  })

  it('refuses what is not signed, signed by somebody else, altered, or too old', async () => {
    const secret = shop.stripe.webhookSecret
    const attempt = async (signingSecret: string, timestamp?: number, change = (body: string) => body) => {
      const dated = timestamp === undefined ? {} : { timestamp }
      const signed = await signedWebhook({ object: 'event' }, signingSecret, dated)
      const signature = signed.headers.get('stripe-signature') ?? ''
      const rawBody = change(await signed.text())
      return refusal(shop.client(null).stripeWebhook.handleWebhook.mutate({ rawBody, signature }))
    }
    const unsigned = { rawBody: '{"object":"event"}', signature: 'a\nb ☃' }
    shop.errors.splice(0)
    await attempt('whsec_guessed')
    await attempt(secret, undefined, (body) => `${body} `)
    await attempt(secret, Math.floor(Date.now() / 1000) - 600)
    await refusal(shop.client(null).stripeWebhook.handleWebhook.mutate(unsigned))
    const invalid = { code: 'BAD_REQUEST', cause: { code: 'WEBHOOK_SIGNATURE_INVALID' } }
    expect(shop.errors).toMatchObject([invalid, invalid, invalid, invalid])
  })

  it("does not take the guide's parsed `event`, which anybody could write", async () => {
    const guide = { event: { type: 'checkout.session.completed' }, signature: undefined } as never
    expect(await refusal(shop.client(null).stripeWebhook.handleWebhook.mutate(guide))).toMatch(
      /^BAD_REQUEST: .*rawBody/,
    )
  })
})
