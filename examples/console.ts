/*
 * npm run console: the console with example data, on this machine alone, beside a local Stripe. No key, no
 * account, no money. Everybody who opens it is Ada; `?as=admin` once, and a cookie keeps it, makes her an administrator.
 */
import { createServer } from 'node:http'
import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { answerNodeRequest, webhookHandler } from 'creditkit/adapters/node'
import { stripePayments } from 'creditkit/adapters/stripe'
import { createConsole } from 'creditkit/console'
import { fakeStripe } from 'creditkit/testing'

const port = Number(process.env.PORT ?? 3080)
const origin = `http://127.0.0.1:${port}`
const DAY_MS = 86_400_000
const userId = 'ada@example.com'

/** The past is written by moving the service's clock, and put right before anybody looks. */
let now = () => new Date()

const stripe = await fakeStripe()
const { id: product } = await stripe.stripe.products.create({ name: 'Pro' })
const monthly = { currency: 'usd', unit_amount: 4900, recurring: { interval: 'month' } } as const
const { id: stripePriceId } = await stripe.stripe.prices.create({ product, ...monthly })
const credits = new CreditService({
  creditTypes: ['enrichment', 'calling'],
  store: memoryStore(),
  clock: { now: () => now() },
  plans: {
    Pro: { stripePriceId, grants: [{ creditType: 'calling', amount: 300, every: 'month' }] },
  },
  payments: stripePayments({ stripe: stripe.stripe, webhookSecret: stripe.webhookSecret, appUrl: origin }),
})

const page = createConsole({
  credits,
  appName: 'Northwind Data',
  homeUrl: 'https://example.com',
  creditTypeNames: { enrichment: 'Lead enrichment', calling: 'Calling minutes' },
  secret: process.env.CONSOLE_SECRET ?? 'only for this example',
  // Your own session goes here.
  authenticate: (request) => ({
    userId,
    isAdmin: /\bas=admin\b/.test(request.headers.get('cookie') ?? '') || request.url.includes('as=admin'),
  }),
})

await fillWithExamples()

const webhook = webhookHandler(credits)
createServer((request, response) => {
  if (request.url === '/webhook') {
    webhook(request, response)
    return
  }
  const open = async (fetchRequest: Request) => {
    const { pathname, searchParams } = new URL(fetchRequest.url)
    if (pathname === '/') return Response.redirect(`${origin}/credits`, 303)
    const answer = await page(fetchRequest, request)
    const as = searchParams.get('as')
    if (as !== null) answer.headers.append('set-cookie', `as=${as === 'admin' ? 'admin' : 'user'}; Path=/; HttpOnly`)
    return answer
  }
  answerNodeRequest(request, response, open, '').catch((error: unknown) => {
    console.error(error)
    response.end()
  })
}).listen(port, '127.0.0.1', () => {
  stripe.webhookUrl = `${origin}/webhook`
  console.log(`Console: ${origin}/credits   as an administrator: ${origin}/credits?as=admin   Stripe: ${stripe.url}`)
})

async function fillWithExamples(): Promise<void> {
  const { marketplace } = credits
  const packages = [
    { key: 'starter', name: 'Starter', description: 'For trying things out.', creditAmount: 500, price: 1900 },
    {
      key: 'growth',
      name: 'Growth',
      description: 'For a team that enriches every week.',
      creditAmount: 2500,
      price: 7900,
    },
    {
      key: 'scale',
      name: 'Scale',
      description: 'For pipelines that never sleep.',
      creditAmount: 12_000,
      price: 29_900,
    },
  ]
  for (const [sortOrder, pack] of packages.entries())
    await marketplace.upsertPackage({ ...pack, sortOrder, creditType: 'enrichment' })
  const calls = { key: 'calls', name: 'Call pack', description: null, creditAmount: 200, price: 2400 }
  await marketplace.upsertPackage({ ...calls, creditType: 'calling' })

  const [, growth] = await marketplace.getPackages({ creditType: 'enrichment' })
  const started = Date.now() - 45 * DAY_MS
  now = () => new Date(started)
  const give = { userId, creditType: 'enrichment' } as const
  await credits.addCredits({ ...give, amount: 150, description: 'Welcome credits', source: 'promotional' })
  for (let day = 0; day < 45; day += 1) {
    now = () => new Date(started + day * DAY_MS + 9 * 3_600_000)
    if (day % 15 === 0) await buy(growth?.id ?? 0)
    const amount = 20 + ((day * 37) % 90)
    await credits.deductCredits({
      ...{ ...give, amount, referenceId: `job-${1000 + day}`, referenceType: 'enrichment_job' },
      description: `Enriched ${amount} leads`,
      metadata: { list: day % 2 === 0 ? 'Trade fair' : 'Newsletter', source: 'api' },
    })
    if (day % 11 === 10) {
      const [use] = await credits.getTransactionHistory(userId, 'enrichment', 1)
      if (use !== undefined)
        await credits.refundCredits({ transactionId: use.id, amount: 5, reason: 'Five leads were not found' })
    }
  }
  now = () => new Date()
  const soon = new Date(Date.now() + 6 * DAY_MS)
  await credits.addCredits({
    ...give,
    amount: 250,
    description: 'Spring promotion',
    source: 'promotional',
    expiresAt: soon,
  })
  const subscribing = await marketplace.subscribe({ userId, plan: 'Pro' })
  await stripe.complete(subscribing.sessionId)
  await marketplace.verifyCheckout({ userId, sessionId: subscribing.sessionId })
  const topup = { threshold: 300, packageId: growth?.id ?? 0, maxPerMonth: 2 }
  await marketplace.configureAutoTopup({ userId, creditType: 'enrichment', ...topup })
  await credits.deductCredits({ userId, creditType: 'calling', amount: 42, description: '14 calls to prospects' })
  await credits.holdCredits({ ...give, amount: 120, description: 'A list is being enriched' })
}

async function buy(packageId: number): Promise<void> {
  const { sessionId } = await credits.marketplace.createCheckout({ userId, packageId })
  await stripe.complete(sessionId)
  await credits.marketplace.verifyCheckout({ userId, sessionId })
}
