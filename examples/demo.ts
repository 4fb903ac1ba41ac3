/*
 * npm run demo: the whole life of some credits, over HTTP, on this machine alone. The shop is examples/express, its
 * database an embedded Postgres in memory, its till a local Stripe. Fails as soon as anything is not as expected.
 */
import { fakeStripe } from 'creditkit/testing'
import { deepEqual, equal, match } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { good, note, step, table } from './demo-output.js'

console.log('creditkit demo: credits sold, spent and given back. No key, no account, no network.')

// A local Stripe, and the shop, which learns of it from its environment as it would of the real one.

const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
// A TCP server's address is an object; only pipes have a text.
const shop = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const stripe = await fakeStripe({ webhookUrl: `${shop}/api/webhooks/stripe` })
console.log(`Shop ${shop}, local Stripe ${stripe.url}, embedded Postgres in memory.`)

Object.assign(process.env, {
  STRIPE_API_URL: stripe.url,
  STRIPE_SECRET_KEY: stripe.secretKey,
  STRIPE_WEBHOOK_SECRET: stripe.webhookSecret,
  APP_URL: shop,
  // Empty: the embedded database, in memory.
  DATABASE_URL: '',
  CREDITS_DATA_DIR: '',
  NODE_ENV: 'development',
})
const { app } = await import('./express/app.js')
const { credits } = await import('./express/credits.js')
const { seedPackages } = await import('./express/packages.js')
await seedPackages()
server.on('request', app)

const userId = 'ada'
const asAda = { 'x-user-id': userId }
const balance = () => credits.getBalance(userId, 'enrichment')

// Buy as a browser does: open the page, submit its form, follow the redirect.

const requests: { request: string; answer: number; what: string }[] = []

async function open(url: string, what: string): Promise<string> {
  const response = await fetch(url, { headers: asAda })
  equal(response.status, 200)
  requests.push({ request: `GET ${shortPath(url)}`, answer: response.status, what })
  return response.text()
}

async function submit(url: string, fields: Record<string, string>, what: string): Promise<string> {
  const body = new URLSearchParams(fields)
  const response = await fetch(url, { method: 'POST', headers: asAda, body, redirect: 'manual' })
  equal(response.status, 303)
  requests.push({ request: `POST ${shortPath(url)}`, answer: response.status, what })
  return response.headers.get('location') ?? ''
}

const shortPath = (url: string) => new URL(url).pathname.replace(/(cs_test_.{4}).*/, '$1…')

const catalogue = await open(shop, 'Ada looks at the packages')
const packageId = /name="packageId" value="(\d+)"/.exec(catalogue)?.[1] ?? ''
const payPage = await submit(`${shop}/buy`, { packageId }, 'she picks Starter: 100 credits for $9.99')
match(await open(payPage, "the local Stripe's pay page"), /Pay \$9\.99/)
const successPage = await submit(payPage, { action: 'pay', email: 'ada@example.com' }, 'she pays')
match(await open(successPage, 'back in the shop: "Your credits are there."'), /Your credits are there/)
equal(await balance(), 100)

step('1. Ada buys a package')
table(requests)

// The webhook came while she paid. Stripe may deliver it twice, and anybody may forge one.

const completed = stripe.events.find(({ type }) => type === 'checkout.session.completed')
const delivered = stripe.deliveries.find(({ eventId }) => eventId === completed?.id)
const webhooks = [{ webhook: 'checkout.session.completed', answer: delivered?.status ?? 0, balance: await balance() }]

const [again] = await stripe.deliver({ eventIds: [completed?.id ?? ''] })
webhooks.push({ webhook: 'the same event again', answer: again?.status ?? 0, balance: await balance() })

const warn = console.warn
console.warn = () => undefined // The refusal is also logged, with all its details.
const forged = await fetch(stripe.webhookUrl ?? '', {
  method: 'POST',
  headers: { 'stripe-signature': `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}` },
  body: JSON.stringify(completed),
})
console.warn = warn
webhooks.push({ webhook: 'the same event, not signed by Stripe', answer: forged.status, balance: await balance() })

step('2. Stripe tells the shop: a repeat changes nothing, a forgery is refused')
table(webhooks)
deepEqual(
  webhooks.map(({ answer, balance }) => [answer, balance]),
  [
    [200, 100],
    [200, 100],
    [400, 100],
  ],
)

// Spend.

interface Enriched {
  transactionId: string
  message?: string
  shortfall?: number
}

const jobs: { 'POST /api/enrich': string; answer: number; balance: number }[] = []

async function enrich(jobId: string, leads: number): Promise<Enriched> {
  const headers = { ...asAda, 'content-type': 'application/json' }
  const response = await fetch(`${shop}/api/enrich`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ jobId, leads }),
  })
  jobs.push({ 'POST /api/enrich': `${jobId}: ${leads} leads`, answer: response.status, balance: await balance() })
  // The example's own answer.
  return (await response.json()) as Enriched
}

const { transactionId } = await enrich('job-1', 30)
equal((await enrich('job-1', 30)).transactionId, transactionId)
await enrich('job-2', 25)
const { message = '', shortfall } = await enrich('job-3', 500)

step('3. She spends: a job is charged once however often it is sent, and refused when she is short')
table(jobs)
note(`job-3: "${message}"`)
deepEqual(
  jobs.map(({ answer, balance }) => [answer, balance]),
  [
    [200, 70],
    [200, 70],
    [200, 45],
    [402, 45],
  ],
)
deepEqual([message, shortfall], ['Insufficient credits. Required: 500, Available: 45', 455])

// Give back: the credits of a failed job, then all the money.

await credits.refundCredits({ transactionId, userId, reason: 'Refund: job-1 failed' })
const givenBack = [{ event: 'job-1 failed: its use is refunded', credits: '+30', balance: await balance() }]
await stripe.refund({ sessionId: new URL(successPage).searchParams.get('session_id') ?? '' })
givenBack.push({ event: 'Stripe refunds the $9.99: clawback', credits: '−100', balance: await balance() })

step('4. Credits go back to her, then money does')
table(givenBack)
note('25 credits were spent already. They stay as debt, which her next purchase repays.')
deepEqual(
  givenBack.map(({ balance }) => balance),
  [75, -25],
)

// What the books say.

const ledger = (await credits.getTransactionHistory(userId)).reverse()
step('5. Her ledger')
table(
  ledger.map(({ seq, transactionType, amount, balanceAfter, description }) => ({
    no: seq,
    type: transactionType,
    amount: `${amount > 0 ? '+' : '−'}${Math.abs(amount)}`,
    balance: balanceAfter,
    description,
  })),
)
deepEqual(
  ledger.map(({ amount }) => amount),
  [100, -30, -25, 30, -100],
)

const { enrichment } = await credits.getAllBalances(userId)
const { owned, held, debt, totalPurchased, totalUsed } = enrichment
step('6. Her balance')
table([{ available: enrichment.balance, owned, held, debt, purchased: totalPurchased, used: totalUsed }])
deepEqual([owned, held, debt, totalPurchased, totalUsed], [0, 0, 25, 100, 25])

// Work that takes a while: its credits are set aside while it runs, and it is charged what it really cost.

const calls: { 'withHold, 20 credits': string; available: number; held: number }[] = []
const look = async (when: string) => {
  const { calling } = await credits.getAllBalances(userId)
  calls.push({ 'withHold, 20 credits': when, available: calling.balance, held: calling.held })
}
const account = { userId, creditType: 'calling' } as const
await credits.addCredits({ ...account, amount: 50, description: 'Welcome bonus', source: 'promotional' })
await look('before')
await credits.withHold({ ...account, amount: 20, description: 'Call to Berlin' }, async (held) => {
  await look('while the call runs')
  held.setCost(12)
})
await look('after it: it cost 12')
const dropped = credits.withHold({ ...account, amount: 20, description: 'Call to Rome' }, () => {
  throw new Error('the line is dead')
})
await dropped.catch(() => look('a call that failed costs nothing'))

step('7. She makes two calls')
table(calls)
deepEqual(
  calls.map(({ available, held }) => [available, held]),
  [
    [50, 0],
    [30, 20],
    [38, 0],
    [38, 0],
  ],
)

// Every sum recomputed from the ledger.
deepEqual(await credits.verify(), { accounts: 2, violations: [] })
good('verify: ok')

server.close()
server.closeAllConnections()
await Promise.all([stripe.close(), credits.close()])
