import { CreditService } from '../../../src/credit-service.js'
import { memoryStore } from '../../memory.js'
import { stripePayments } from '../../stripe/index.js'
import type { FakeStripe } from '../../testing/fake-stripe.js'
import type { HostService } from '../host-service.js'

export const SAMPLE_USER = 'ada@example.com'

export const SAMPLE_NAMES = { enrichment: 'Lead enrichment', calling: 'Calling minutes' } as const

const DAY_MS = 86_400_000
const userId = SAMPLE_USER

type SampleType = keyof typeof SAMPLE_NAMES

/** A service in memory, in which one user has bought and spent for 45 days. */
export async function sampleService(stripe: FakeStripe, appUrl: string): Promise<HostService> {
  // The past is written by moving the service's clock, and put right before anybody looks.
  const time = { now: () => new Date() }
  const { id: product } = await stripe.stripe.products.create({ name: 'Pro' })
  const monthly = { currency: 'usd', unit_amount: 4900, recurring: { interval: 'month' } } as const
  const { id: stripePriceId } = await stripe.stripe.prices.create({ product, ...monthly })
  const credits = new CreditService<SampleType>({
    creditTypes: ['enrichment', 'calling'],
    store: memoryStore(),
    clock: { now: () => time.now() },
    plans: { Pro: { stripePriceId, grants: [{ creditType: 'calling', amount: 300, every: 'month' }] } },
    payments: stripePayments({ stripe: stripe.stripe, webhookSecret: stripe.webhookSecret, appUrl }),
  })
  const sample = { credits, stripe }
  await offerPackages(sample)
  const [, growth] = await credits.marketplace.getPackages({ creditType: 'enrichment' })
  if (growth === undefined) throw new Error('sampleService: the packages are gone')
  await spendForWeeks(sample, time, growth.id)
  time.now = () => new Date()
  await subscribeAndCall(sample, growth.id)
  // Whoever uses it from here on names credit types as texts.
  return credits as unknown as HostService
}

interface Sample {
  credits: CreditService<SampleType>
  stripe: FakeStripe
}

async function offerPackages({ credits: { marketplace } }: Sample): Promise<void> {
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
}

const give = { userId, creditType: 'enrichment' } as const

async function spendForWeeks(sample: Sample, time: { now: () => Date }, packageId: number): Promise<void> {
  const { credits } = sample
  const started = Date.now() - 45 * DAY_MS
  time.now = () => new Date(started)
  await credits.addCredits({ ...give, amount: 150, description: 'Welcome credits', source: 'promotional' })
  for (let day = 0; day < 45; day += 1) {
    time.now = () => new Date(started + day * DAY_MS + 9 * 3_600_000)
    if (day % 15 === 0) await buy(sample, packageId)
    const amount = 20 + ((day * 37) % 90)
    const use = await credits.deductCredits({
      ...{ ...give, amount, referenceId: `job-${1000 + day}`, referenceType: 'enrichment_job' },
      description: `Enriched ${amount} leads`,
      metadata: { list: day % 2 === 0 ? 'Trade fair' : 'Newsletter', source: 'api' },
    })
    if (day % 11 === 10)
      await credits.refundCredits({ transactionId: use.id, amount: 5, reason: 'Five leads were not found' })
  }
}

async function buy({ credits: { marketplace }, stripe }: Sample, packageId: number): Promise<void> {
  const { sessionId } = await marketplace.createCheckout({ userId, packageId })
  await stripe.complete(sessionId)
  await marketplace.verifyCheckout({ userId, sessionId })
}

async function subscribeAndCall({ credits, stripe }: Sample, packageId: number): Promise<void> {
  const { marketplace } = credits
  const expiresAt = new Date(Date.now() + 6 * DAY_MS)
  await credits.addCredits({
    ...{ ...give, amount: 250, description: 'Spring promotion' },
    ...({ source: 'promotional', expiresAt } as const),
  })
  const { sessionId } = await marketplace.subscribe({ userId, plan: 'Pro' })
  await stripe.complete(sessionId)
  await marketplace.verifyCheckout({ userId, sessionId })
  const topup = { threshold: 300, packageId, maxPerMonth: 2 }
  await marketplace.configureAutoTopup({ userId, creditType: 'enrichment', ...topup })
  await credits.deductCredits({ userId, creditType: 'calling', amount: 42, description: '14 calls to prospects' })
  await credits.holdCredits({ ...give, amount: 120, description: 'A list is being enriched' })
}
