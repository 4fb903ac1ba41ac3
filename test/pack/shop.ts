import { fakeStripe, type FakeStripe } from 'creditkit/testing'
import { expect, onTestFinished } from 'vitest'
import { Browser } from './browser.js'
import { freePort, startApp, type RunningApp } from './run.js'

export interface Shop {
  app: RunningApp
  stripe: FakeStripe
}

/** An example in production, with a local Stripe that its environment names and an embedded database in a folder. */
export async function openShop(path: string, args: string[] = []): Promise<Shop> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const stripe = await fakeStripe({ webhookUrl: `${url}/api/webhooks/stripe` })
  onTestFinished(() => stripe.close())
  const env = {
    NODE_ENV: 'production',
    APP_URL: url,
    CREDITS_DATA_DIR: '.data',
    STRIPE_API_URL: stripe.url,
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_WEBHOOK_SECRET: stripe.webhookSecret,
  }
  return { app: await startApp('start', { cwd: path, env, port, args }), stripe }
}

/** Buy the package "Starter" through the pages and forms of the shop and of Stripe. */
export async function buyStarter(url: string, userId: string): Promise<Browser> {
  const browser = new Browser(userId)
  await browser.open(url)
  expect(browser.balance).toBe(0)
  await browser.press('Buy for $9.99')
  expect(browser.url).toContain('/c/pay/cs_test_')
  await browser.press('Pay $9.99')
  expect(browser.url).toContain(`${new URL(url).origin}/success?session_id=cs_test_`)
  expect(browser.html).toContain('Your credits are there')
  return browser
}

/** The example's endpoint that spends: its status and body. */
export async function enrich(url: string, userId: string, jobId: string, leads: number) {
  const response = await fetch(`${url}/api/enrich`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user-id': userId },
    body: JSON.stringify({ jobId, leads }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

export async function balanceOf(url: string, userId: string): Promise<number> {
  const browser = new Browser(userId)
  await browser.open(url)
  return browser.balance
}

/** Send an event that Stripe never signed. */
export async function forgeWebhook(url: string, event: unknown): Promise<number> {
  const forged = `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}`
  const headers = { 'content-type': 'application/json', 'stripe-signature': forged }
  return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(event) })).status
}

/** What every example must do, whatever it is built on. */
export async function expectToSellAndSpend({ app: { url }, stripe }: Shop, userId: string): Promise<void> {
  // The webhook alone fulfils: the buyer pays and never comes back.
  const browser = new Browser(userId)
  await browser.open(url)
  await browser.press('Buy for $9.99')
  const sessionId = browser.url.split('/').at(-1) ?? ''
  await stripe.complete(sessionId)
  expect(await balanceOf(url, userId)).toBe(100)
  expect(stripe.deliveries.map(({ status }) => status)).not.toContain(0)
  expect(new Set(stripe.deliveries.map(({ status }) => status))).toEqual(new Set([200]))

  // A second delivery and the success page change nothing.
  const paid = stripe.events.filter(({ type }) => type === 'checkout.session.completed').at(-1)
  const [again] = await stripe.deliver({ eventIds: [paid?.id ?? ''] })
  expect(again?.status).toBe(200)
  await browser.open(`${url}/success?session_id=${sessionId}`)
  expect(await balanceOf(url, userId)).toBe(100)

  expect(await forgeWebhook(stripe.webhookUrl ?? '', paid)).toBe(400)

  expect(await enrich(url, userId, 'job-1', 30)).toMatchObject({ status: 200, body: { balance: 70 } })
  expect(await enrich(url, userId, 'job-1', 30)).toMatchObject({ status: 200, body: { balance: 70 } })
  expect(await enrich(url, userId, 'job-2', 500)).toEqual({
    status: 402,
    body: {
      error: 'INSUFFICIENT_CREDITS',
      message: 'Insufficient credits. Required: 500, Available: 70',
      shortfall: 430,
    },
  })
  expect((await enrich(url, userId, 'job-3', -1)).status).toBe(400)
  expect(await balanceOf(url, userId)).toBe(70)

  // Nobody else can look at, or use, what this buyer bought.
  const stranger = await fetch(`${url}/success?session_id=${sessionId}`, { headers: { 'x-user-id': 'stranger' } })
  expect(stranger.status).toBe(404)

  await stripe.refund({ sessionId })
  expect(await balanceOf(url, userId)).toBe(-30)
}
