import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { memoryStore } from '../../adapters/memory.js'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import { stripePayments, STRIPE_WEBHOOK_EVENTS } from '../../adapters/stripe/index.js'
import { fakeStripe, type FakeStripe } from '../../adapters/testing/index.js'
import { CreditService } from '../../src/index.js'
import { createTestDatabase } from '../support/postgres.js'
import { startRedis } from '../support/redis.js'
import { commandLine } from './command-line.js'
import { inEnvironment } from './environment.js'
import { containing, examined, NOTHING_SET, within } from './examination.js'

beforeEach(() => onTestFinished(inEnvironment(NOTHING_SET)))

describe('doctor, about Redis', () => {
  const service = () => new CreditService({ store: memoryStore() })

  it('says that it is down, or wants another password, or that the address is none', async () => {
    within({ REDIS_URL: 'redis://:hunter2@127.0.0.1:1' })
    const down = await commandLine(service).creditkit('doctor')
    expect(down.code).toBe(1)
    expect(down.stdout).toMatch(/✗ redis .*ECONNREFUSED/)
    expect(down.stdout).not.toContain('hunter2')

    within({ REDIS_URL: 'http://localhost' })
    expect((await examined(service)).redis).toMatchObject({ status: 'failed', next: containing('redis://') })

    const redis = await startRedis('--requirepass', 'p@ss word')
    try {
      within({ REDIS_URL: redis.url })
      expect((await examined(service)).redis).toMatchObject({ status: 'failed', message: containing('NOAUTH') })
      within({ REDIS_URL: redis.url.replace('redis://', `redis://:${encodeURIComponent('p@ss word')}@`) })
      expect((await examined(service)).redis).toMatchObject({ status: 'ok' })
    } finally {
      await redis.kill()
    }
  })
})

describe('doctor, about Stripe', () => {
  const APP_URL = 'https://app.example'
  const url = `${APP_URL}/webhooks/stripe`
  const enabled_events = [...STRIPE_WEBHOOK_EVENTS]
  let stripe: FakeStripe
  beforeEach(async () => {
    stripe = await fakeStripe()
  })
  afterEach(() => stripe.close())

  const store = () => memoryStore()
  const service = () => new CreditService({ store: store(), payments: stripePayments() })
  const connected = (more: Record<string, string> = {}) =>
    within({
      ...{ STRIPE_API_URL: stripe.url, STRIPE_SECRET_KEY: stripe.secretKey, APP_URL },
      ...{ STRIPE_WEBHOOK_SECRET: stripe.webhookSecret, ...more },
    })

  it('is content with a key that Stripe accepts and a webhook that gets every event', async () => {
    connected()
    await stripe.stripe.webhookEndpoints.create({ url: `${APP_URL}/old`, enabled_events: ['charge.refunded'] })
    await stripe.stripe.webhookEndpoints.create({ url, enabled_events })
    const { stdout } = await commandLine(service).creditkit('doctor')
    expect(stdout).toMatch(/✓ payments +stripe accepts the key, in test mode\n/)
    expect(stdout).toMatch(/✓ webhook +https:\/\/app\.example\/webhooks\/stripe gets all \d+ events; 1 more/)
    expect(stdout).not.toContain(stripe.secretKey)
    expect(stdout).not.toContain(stripe.webhookSecret)
  })

  it('says that the key is refused, and never shows it', async () => {
    connected({ STRIPE_SECRET_KEY: 'sk_test_stolen' })
    const { stdout, code } = await commandLine(service).creditkit('doctor', '--debug')
    expect(code).toBe(1)
    expect(stdout).toMatch(/✗ payments +Stripe says that the API key is not valid.*\n +→ copy the key anew/)
    expect(stdout).not.toContain('sk_test_stolen')
  })

  it('says which events a webhook lacks, that it is disabled, or elsewhere, or not there', async () => {
    connected()
    expect((await examined(service)).webhook).toMatchObject({
      ...{ status: 'warning', message: containing(`no webhook at ${APP_URL}`), next: containing('creditkit dev') },
    })
    const elsewhere = await stripe.stripe.webhookEndpoints.create({ url: 'https://api.example/x', enabled_events })
    expect((await examined(service)).webhook).toMatchObject({
      ...{ status: 'warning', message: containing('https://api.example/x gets all events') },
    })
    await stripe.stripe.webhookEndpoints.del(elsewhere.id)
    const [first = 'charge.refunded', ...others] = enabled_events
    const { id } = await stripe.stripe.webhookEndpoints.create({ url, enabled_events: others })
    expect((await examined(service)).webhook).toMatchObject({
      ...{ status: 'failed', message: `${url} lacks 1 event: ${first}`, next: containing(`'${url}'`) },
    })
    await stripe.stripe.webhookEndpoints.update(id, { disabled: true, enabled_events })
    expect((await examined(service)).webhook).toMatchObject({ status: 'failed', message: containing('has disabled') })
    await stripe.stripe.webhookEndpoints.update(id, { disabled: false, enabled_events: ['*'] })
    expect((await examined(service)).webhook).toMatchObject({ status: 'ok' })
  })

  it('says when test and live are mixed', async () => {
    connected({ NODE_ENV: 'production' })
    expect((await examined(service)).payments).toMatchObject({
      ...{ status: 'warning', message: containing('in test mode, and NODE_ENV is production') },
    })

    const live = await fakeStripe({ secretKey: 'sk_live_creditkit' })
    onTestFinished(() => live.close())
    connected({ STRIPE_API_URL: live.url, STRIPE_SECRET_KEY: live.secretKey, NODE_ENV: 'development' })
    const payments = () => stripePayments({ stripe: live.stripe, livemode: true })
    const found = await examined(() => new CreditService({ store: memoryStore(), payments: payments() }))
    expect(found.payments).toMatchObject({ status: 'warning', message: containing('live mode, and NODE_ENV is not') })
    // Nobody would get what they pay for.
    expect(found.webhook).toMatchObject({ status: 'failed', next: containing('createWebhookEndpoint') })

    const database = await createTestDatabase()
    try {
      await migrate(database.url)
      const shop = () =>
        new CreditService({ store: postgresStore(database.url), payments: stripePayments({ stripe: stripe.stripe }) })
      const credits = shop()
      const { id: packageId } = await credits.marketplace.createPackage({
        ...{ name: 'Pack', creditType: 'enrichment', creditAmount: 10, price: 999 },
      })
      await credits.marketplace.createCheckout({ userId: 'ada', packageId })
      await credits.close()
      const mixed = () => new CreditService({ store: postgresStore(database.url), payments: payments() })
      expect((await examined(mixed)).payments).toMatchObject({
        ...{ status: 'warning', message: containing('the database holds 1 purchase of test mode') },
      })
    } finally {
      await database.drop()
    }
  })
})
