import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Folder, installedExample } from './folder.js'
import { freePort, run, type RunningApp, startApp } from './run.js'
import { balanceOf, buyStarter, enrich, expectToSellAndSpend, forgeWebhook, openShop } from './shop.js'

/** Also in a bundle of its own: what the app router's routes write must be there, and not a minute later. */
const PAGES_ROUTER_PAGE = `
import { credits } from '@/lib/credits'

export async function getServerSideProps({ query }: { query: { user: string } }) {
  const [{ enrichment }, remembered] = await Promise.all([
    credits.getAllBalances(query.user),
    credits.getBalance(query.user, 'enrichment'),
  ])
  return { props: { balance: enrichment.balance, remembered } }
}

export default function Page({ balance, remembered }: { balance: number; remembered: number }) {
  return <p data-balance={balance} data-remembered={remembered} />
}
`

const PAGES_ROUTER_WEBHOOK = `
import { pagesWebhookHandler } from 'creditkit/adapters/next'
import { credits } from '@/lib/credits'

export const config = { api: { bodyParser: false } }

export default pagesWebhookHandler(credits)
`

/** `next start` listens on all interfaces unless it is told. */
const LOCAL_ONLY = ['--hostname', '127.0.0.1']

describe('examples/next, from the packed tarball', () => {
  let folder: Folder

  beforeAll(async () => {
    folder = await installedExample('next')
    folder.write('pages/pages-router.tsx', PAGES_ROUTER_PAGE)
    folder.write('pages/api/pages-webhook.ts', PAGES_ROUTER_WEBHOOK)
  })
  afterAll(() => folder.remove())

  it('builds without a key, a database or any other setting', async () => {
    // Type-checks, too.
    expect(await run('npm', ['run', 'build'], { cwd: folder.path })).toContain('/api/trpc/stripeWebhook.handleWebhook')
  })

  it('sells, fulfils by webhook, spends, refuses and claws back in `next start`', async () => {
    const shop = await openShop(folder.path, LOCAL_ONLY)
    const { url } = shop.app
    expect(await pagesRouter(url, 'ada')).toEqual({ balance: 0, remembered: 0 })
    // The guide's address and the pages router hear of everything as well: three deliveries, one effect.
    shop.stripe.registerEndpoint(`${url}/api/trpc/stripeWebhook.handleWebhook`)
    shop.stripe.registerEndpoint(`${url}/api/pages-webhook`)
    await expectToSellAndSpend(shop, 'ada')
    expect(await pagesRouter(url, 'ada')).toEqual({ balance: -30, remembered: -30 })

    const [event] = shop.stripe.events
    expect(await forgeWebhook(`${url}/api/trpc/stripeWebhook.handleWebhook`, event)).toBe(400)
    expect(await forgeWebhook(`${url}/api/pages-webhook`, event)).toBe(400)
    await expectTrpc(shop.app, -30)
  })

  it('refuses to keep credits in memory in production', async () => {
    const env = {
      APP_URL: 'http://127.0.0.1',
      STRIPE_SECRET_KEY: 'sk_test_1',
      STRIPE_WEBHOOK_SECRET: 'whsec_1',
    }
    const app = await startApp('start', { cwd: folder.path, env, port: await freePort(), args: LOCAL_ONLY })
    expect((await fetch(app.url)).status).toBe(500)
    expect(app.output()).toContain('No store is configured: set DATABASE_URL')
  })

  it('lets a person click through with `npm run dev` and no key; pages read what routes wrote', async () => {
    const app = await startApp('dev', { cwd: folder.path, port: await freePort() })
    expect(await pagesRouter(app.url, 'bob')).toEqual({ balance: 0, remembered: 0 })
    await buyStarter(app.url.replace('127.0.0.1', 'localhost'), 'bob')
    expect((await enrich(app.url, 'bob', 'job-1', 40)).status).toBe(200)
    expect((await enrich(app.url, 'bob', 'job-2', 100)).status).toBe(402)
    expect(await balanceOf(app.url, 'bob')).toBe(60)
    expect(await pagesRouter(app.url, 'bob')).toEqual({ balance: 60, remembered: 60 })
    expect(await forgeWebhook(`${app.url}/api/webhooks/stripe`, {})).toBe(400)
  })
})

async function pagesRouter(url: string, userId: string): Promise<{ balance: number; remembered: number }> {
  const page = await (await fetch(`${url}/pages-router?user=${userId}`)).text()
  const value = (name: string) => Number(new RegExp(`data-${name}="(-?\\d+)"`).exec(page)?.[1])
  return { balance: value('balance'), remembered: value('remembered') }
}

async function expectTrpc({ url }: RunningApp, balance: number): Promise<void> {
  const call = async (path: string, init?: RequestInit) => {
    const headers = { 'content-type': 'application/json', 'x-user-id': 'ada' }
    const response = await fetch(`${url}/api/trpc/${path}`, { ...init, headers })
    return { status: response.status, body: (await response.json()) as unknown }
  }
  expect(await call('credits.getBalances')).toMatchObject({
    status: 200,
    body: { result: { data: { enrichment: { balance } } } },
  })
  const missing = { method: 'POST', body: JSON.stringify({ packageId: 999 }) }
  expect(await call('marketplace.createCheckout', missing)).toMatchObject({
    status: 404,
    body: { error: { message: 'Package not found' } },
  })
  const adjustment = { userId: 'ada', amount: 100, creditType: 'enrichment', description: 'mine' }
  const adjust = await call('credits.adjustCredits', { method: 'POST', body: JSON.stringify(adjustment) })
  expect(adjust.status).toBe(403)
}
