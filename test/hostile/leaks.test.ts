import { createServer } from 'node:http'
import { CreditService, type CreditServiceOptions } from 'creditkit'
import { createCreditsApi } from 'creditkit/api'
import { createConsole } from 'creditkit/console'
import { memoryStore } from 'creditkit/adapters/memory'
import { stripePayments } from 'creditkit/adapters/stripe'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminPages } from '../../adapters/console/admin/index.js'
import { customerPages } from '../../adapters/console/customer/index.js'
import * as expressMount from '../../adapters/express.js'
import { requireCredits } from '../../adapters/next.js'
import { type ProcedureName, ROUTES } from '../../src/api/routes.js'
import { ADMIN, openShop, quiet, type Shop } from '../doors/call-samples.js'
import { restRequest } from '../doors/rest-call.js'
import { eventPayload, listen, SECRET, sign } from '../mounts/support.js'

/* What breaks inside is told to the host alone, wherever it breaks and whichever door was used. */

const INSIDE =
  'select secret from user_credits where id = $1 [hunter2] postgres://root:hunter2@10.0.0.7/db sk_live_1 /srv/app/store.js:1:2'
const LEAK = /hunter2|user_credits|postgres:|10\.0\.0\.7|sk_live|\/srv\/|\.js:\d|\bat \S+ \(/

function failure(): Error {
  return Object.assign(new Error(INSIDE), { query: INSIDE, parameters: ['hunter2'], detail: INSIDE })
}

/** The same object, whose methods all fail; what is no method stays. */
function failing<T extends object>(whole: T, but: readonly string[] = []): T {
  return new Proxy(whole, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function' || but.includes(String(name))) return value
      return () => Promise.reject(failure())
    },
  })
}

async function told(response: Response): Promise<{ status: number; text: string }> {
  const headers = [...response.headers].map((header) => header.join(': ')).join('\n')
  return { status: response.status, text: `${headers}\n\n${await response.text()}` }
}

const payments = stripePayments({ secretKey: 'sk_test_1', webhookSecret: SECRET, appUrl: 'https://app.example' })
const services: Record<string, () => Partial<CreditServiceOptions>> = {
  'the store': () => ({ store: failing(memoryStore(), ['close']), payments }),
  'the payment provider': () => ({ payments: failing(payments, ['resolveReturnUrl']) }),
}

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

describe.each(Object.keys(services))('when %s fails', (part) => {
  let credits: CreditService
  beforeAll(async () => {
    credits = new CreditService({ store: memoryStore(), cache: null, logger: quiet, ...services[part]?.() })
    if (part !== 'the store') {
      const pack = { name: 'Pack', creditAmount: 100, price: 999, creditType: 'enrichment' } as const
      await credits.marketplace.createPackage(pack)
    }
  })
  afterAll(() => credits.close())

  it('no route of the REST door says how', async () => {
    const errors: unknown[] = []
    const api = createCreditsApi(credits, { authenticate: () => ADMIN, onError: (error) => errors.push(error) })
    const statuses = new Set<number>()
    for (const name of Object.keys(ROUTES) as ProcedureName[]) {
      const { status, text } = await told(await api(restRequest(name, shop.samples[name], ADMIN)))
      statuses.add(status)
      expect(text, name).not.toMatch(LEAK)
    }
    // It was really the failure that was met, and the host knows all of it.
    expect([...statuses]).toContain(500)
    expect(errors.map(String)).toContain(`Error: ${INSIDE}`)
  })

  it('no page of the console says how', async () => {
    const errors: unknown[] = []
    const pages = createConsole({ credits, authenticate: () => ADMIN, onError: (error) => errors.push(error) })
    for (const { method, path } of [...customerPages, ...adminPages]) {
      if (method !== 'GET') continue
      const address = `${path.replaceAll(/\{\w+\}/g, shop.samples.explain.transactionId as string)}?user=ann&type=enrichment`
      const { text } = await told(await pages(new Request(`https://app.example/credits${address}`)))
      expect(text, path).not.toMatch(LEAK)
    }
    if (part === 'the store') expect(errors.map(String)).toContain(`Error: ${INSIDE}`)
  })

  it('neither does the webhook', async () => {
    const payload = eventPayload('evt_leak')
    const headers = { 'stripe-signature': sign(payload) }
    const request = new Request('http://localhost/webhook', { method: 'POST', body: payload, headers })
    expect((await told(await credits.handleWebhook(request))).text).not.toMatch(LEAK)
  })
})

describe("when what the host's own functions throw", () => {
  it.each(['authenticate', 'rateLimit'] as const)('comes from %s, nobody learns it', async (option) => {
    const failingOption = { [option]: () => { throw failure() } } // prettier-ignore
    const api = createCreditsApi(shop.credits, {
      authenticate: () => ADMIN,
      onError: () => undefined,
      ...failingOption,
    })
    const { status, text } = await told(await api(restRequest('createPackage', shop.samples.createPackage, ADMIN)))
    expect(status).toBe(500)
    expect(text).not.toMatch(LEAK)
    const server = await listen(createServer(express().use(expressMount.apiHandler(api))))
    const answer = await told(await fetch(new URL('/api/credits/balances', server.url)))
    expect(answer.text).not.toMatch(LEAK)
    await server.close()
  })

  it('comes from onAdminCall, the change was made all the same, and the host hears of it', async () => {
    const heard: unknown[] = []
    const api = createCreditsApi(shop.credits, {
      authenticate: () => ADMIN,
      onAdminCall: () => Promise.reject(failure()),
      onError: (error) => void heard.push(error),
    })
    const { status, text } = await told(await api(restRequest('createPackage', shop.samples.createPackage, ADMIN)))
    expect([status, heard.length]).toEqual([200, 1])
    expect(text).not.toMatch(LEAK)
  })

  it('comes from a route that costs credits, it is the framework’s to answer, and nothing is charged', async () => {
    const { credits } = shop
    const userId = 'leak-1'
    await credits.addCredits({ userId, amount: 5, creditType: 'calling', description: 'Gift' })
    const price = { amount: 2, creditType: 'calling', userId: () => userId } as const
    const handler = requireCredits(credits, price, () => Promise.reject(failure()))
    await expect(handler(new Request('http://localhost/work', { method: 'POST' }), null)).rejects.toThrow('hunter2')
    expect(await credits.checkBalance(userId, 'calling', 5)).toMatchObject({ hasSufficient: true })
  })
})
