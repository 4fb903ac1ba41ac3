import { existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { apiHandler } from 'creditkit/adapters/node'
import { stripePayments } from 'creditkit/adapters/stripe'
import { createConsole } from 'creditkit/console'
import { fakeStripe, type FakeStripe } from 'creditkit/testing'
import { type Browser, chromium } from 'playwright-core'

/** For people to look at after a run; nothing compares them. */
const SCREENSHOTS = fileURLToPath(new URL('../../node_modules/.cache/creditkit-screenshots/', import.meta.url))

export function screenshotPath(name: string): string {
  mkdirSync(SCREENSHOTS, { recursive: true })
  return join(SCREENSHOTS, `${name}.png`)
}

/** The system's Chromium. @throws {Error} There is none: says how to get one. */
export async function openBrowser(): Promise<Browser> {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path))
  const executablePath = process.env.CHROMIUM_PATH ?? found
  if (executablePath === undefined)
    throw new Error('Chromium is needed: apt-get install chromium, or CHROMIUM_PATH=/path/to/chrome')
  // As root there is no sandbox; the pages are ours.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-sync']
  return chromium.launch({ executablePath, args })
}

export interface ConsoleSite {
  /** `http://127.0.0.1:…`. */
  origin: string
  credits: CreditService<'enrichment' | 'calling'>
  stripe: FakeStripe
  close(): Promise<void>
}

/** The console on a real server, beside a local Stripe that tells it what happens. A cookie says who looks. */
export async function openSite(): Promise<ConsoleSite> {
  const stripe = await fakeStripe()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  // A listening TCP server's address is an object.
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const { id: product } = await stripe.stripe.products.create({ name: 'Pro' })
  const monthly = { currency: 'usd', unit_amount: 4900, recurring: { interval: 'month' } } as const
  const { id: stripePriceId } = await stripe.stripe.prices.create({ product, ...monthly })
  const credits = new CreditService({
    creditTypes: ['enrichment', 'calling'],
    store: memoryStore(),
    plans: { pro: { grants: [{ creditType: 'calling', amount: 50, every: 'month' }], stripePriceId } },
    payments: stripePayments({ stripe: stripe.stripe, webhookSecret: stripe.webhookSecret, appUrl: origin }),
  })
  stripe.registerEndpoint((request) => credits.handleWebhook(request))
  const page = createConsole({
    credits,
    appName: 'Northwind Data',
    creditTypeNames: { enrichment: 'Lead enrichment', calling: 'Calling minutes' },
    authenticate: (request) => {
      const [, userId, role] = /\buser=([\w-]+)(\.admin)?/.exec(request.headers.get('cookie') ?? '') ?? []
      return userId === undefined ? null : { userId, isAdmin: role !== undefined }
    },
  })
  server.on('request', apiHandler(page))
  return {
    ...{ origin, credits, stripe },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await credits.close()
      await stripe.close()
    },
  }
}
