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

// 1. A local Stripe and an app that is told about it by its environment, as on any server.

const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
// A TCP server's address is an object; only pipes have a text.
const shop = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const stripe = await fakeStripe({ webhookUrl: `${shop}/api/webhooks/stripe` })

for (const name of ['DATABASE_URL', 'CREDITS_DATA_DIR', 'NODE_ENV']) Reflect.deleteProperty(process.env, name)
process.env.STRIPE_API_URL = stripe.url
process.env.STRIPE_SECRET_KEY = stripe.secretKey
process.env.STRIPE_WEBHOOK_SECRET = stripe.webhookSecret
process.env.APP_URL = shop

const { app } = await import('./express/app.js')
const { credits } = await import('./express/credits.js')
const { seedPackages } = await import('./express/packages.js')
await seedPackages()
server.on('request', app)

console.log('creditkit demo: credits sold, spent and given back. No key, no account, no network.')
console.log(`Shop ${shop}, local Stripe ${stripe.url}, an embedded Postgres in memory.`)

const userId = 'ada'
const balance = () => credits.getBalance(userId, 'enrichment')
const asAda = { 'x-user-id': userId }
const enrich = (jobId: string, leads: number) =>
  fetch(`${shop}/api/enrich`, {
    method: 'POST',
    headers: { ...asAda, 'content-type': 'application/json' },
    body: JSON.stringify({ jobId, leads }),
  })

// 2. Buy, as a browser would: open the page, submit the form, follow the redirects.

const requests: { request: string; answer: number; what: string }[] = []

/** A form's submission; its answer is a redirect. */
async function submit(url: string, fields: Record<string, string>, what: string): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: asAda,
    body: new URLSearchParams(fields),
    redirect: 'manual',
  })
  equal(response.status, 303)
  requests.push({ request: `POST ${shortPath(url)}`, answer: response.status, what })
  return response.headers.get('location') ?? ''
}

async function open(url: string, what: string): Promise<string> {
  const response = await fetch(url, { headers: asAda })
  equal(response.status, 200)
  requests.push({ request: `GET ${shortPath(url)}`, answer: response.status, what })
  return response.text()
}

const shortPath = (url: string) => new URL(url).pathname.replace(/(cs_test_.{4}).*/, '$1…')

const catalogue = await open(shop, 'Ada looks at the packages')
const packageId = /name="packageId" value="(\d+)"/.exec(catalogue)?.[1] ?? ''
const payPage = await submit(`${shop}/buy`, { packageId }, 'she picks Starter: 100 credits for $9.99')
match(await open(payPage, 'the local Stripe shows its page'), /Pay \$9\.99/)
const thanks = await submit(payPage, { action: 'pay', email: 'ada@example.com' }, 'she pays')
match(await open(thanks, 'back in the shop: "Your credits are there."'), /Your credits are there/)
equal(await balance(), 100)

step('Ada buys a package')
table(requests)

// 3. The webhook: Stripe may deliver it twice, and anybody may forge one.

const completed = stripe.events.find(({ type }) => type === 'checkout.session.completed')
const first = stripe.deliveries.find(({ eventId }) => eventId === completed?.id)
const afterFirst = await balance()
const [second] = await stripe.deliver({ eventIds: [completed?.id ?? ''] })
const afterSecond = await balance()
const forged = await fetch(stripe.webhookUrl ?? '', {
  method: 'POST',
  headers: { 'stripe-signature': `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}` },
  body: JSON.stringify(completed),
})
deepEqual([first?.status, second?.status, forged.status], [200, 200, 400])
deepEqual([afterFirst, afterSecond, await balance()], [100, 100, 100])

step('Stripe tells the shop, signed and over HTTP; a repeat changes nothing, a forgery is refused')
table([
  { webhook: 'checkout.session.completed', answer: 200, balance: afterFirst },
  { webhook: 'the same event once more', answer: 200, balance: afterSecond },
  { webhook: 'the same event, signed by somebody else', answer: 400, balance: await balance() },
])

// 4. Spend.

const use = await enrich('job-1', 30)
const { transactionId } = (await use.json()) as { transactionId: string }
const retry = await enrich('job-1', 30)
const other = await enrich('job-2', 25)
deepEqual([use.status, retry.status, other.status], [200, 200, 200])
deepEqual(((await retry.json()) as { transactionId: string }).transactionId, transactionId)
equal(await balance(), 45)

step('She spends: each job is charged once, however often it is sent')
table([
  { 'POST /api/enrich': 'job-1, 30 leads', answer: 200, balance: 70 },
  { 'POST /api/enrich': 'job-1 again', answer: 200, balance: 70 },
  { 'POST /api/enrich': 'job-2, 25 leads', answer: 200, balance: 45 },
])

const refused = await enrich('job-3', 500)
const { message, shortfall } = (await refused.json()) as { message: string; shortfall: number }
deepEqual([refused.status, shortfall, await balance()], [402, 455, 45])
equal(message, 'Insufficient credits. Required: 500, Available: 45')

step('She is refused when she is short, and nothing is written')
table([{ 'POST /api/enrich': 'job-3, 500 leads', answer: 402, balance: 45 }])
note(message)

// 5. Give back: credits for a failed job, and all the money.

await credits.refundCredits({ transactionId, userId, reason: 'job-1 failed' })
equal(await balance(), 75)
await stripe.refund({ sessionId: completed?.data.object.object === 'checkout.session' ? completed.data.object.id : '' })
equal(await balance(), -25)

step('job-1 failed, so its use is refunded. Then Stripe refunds the payment: all it bought is taken back')
table([
  { event: 'refundCredits', change: '+30', balance: 75 },
  { event: 'charge.refunded, $9.99', change: '−100', balance: -25 },
])
note('25 credits were spent already: they stay as debt, which her next purchase repays.')

// 6. What the books say.

const ledger = await credits.getTransactionHistory(userId)
deepEqual(ledger.map(({ amount }) => amount).reverse(), [100, -30, -25, 30, -100])
step('Ledger')
table(
  ledger.reverse().map(({ seq, transactionType, amount, balanceAfter, description }) => ({
    no: seq,
    type: transactionType,
    amount: `${amount > 0 ? '+' : '−'}${Math.abs(amount)}`,
    balance: balanceAfter,
    description,
  })),
)

step('Balance')
const { enrichment } = await credits.getAllBalances(userId)
table([
  {
    available: enrichment.balance,
    owned: enrichment.owned,
    held: enrichment.held,
    debt: enrichment.debt,
    purchased: enrichment.totalPurchased,
    used: enrichment.totalUsed,
  },
])

const { accounts, violations } = await credits.verify()
deepEqual({ accounts, violations }, { accounts: 1, violations: [] })
good('verify: ok')

server.close()
server.closeAllConnections()
await Promise.all([stripe.close(), credits.close()])
