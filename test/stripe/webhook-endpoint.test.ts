import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createWebhookEndpoint, STRIPE_WEBHOOK_EVENTS } from '../../adapters/stripe/index.js'
import { fakeStripe, type FakeStripe } from '../../adapters/testing/index.js'

let fake: FakeStripe
beforeEach(async () => {
  fake = await fakeStripe()
})
afterEach(() => fake.close())

describe('createWebhookEndpoint', () => {
  const url = 'https://app.example/api/trpc/stripeWebhook.handleWebhook'

  it('registers the URL for the events we act on, and tells the secret', async () => {
    const endpoint = await createWebhookEndpoint({ stripe: fake.stripe, url })
    expect(endpoint.secret).toMatch(/^whsec_/)
    const { data } = await fake.stripe.webhookEndpoints.list()
    expect(data.map((known) => [known.url, known.enabled_events])).toEqual([[url, STRIPE_WEBHOOK_EVENTS]])
  })

  it('brings an endpoint of that URL up to date instead of making another', async () => {
    const { id } = await fake.stripe.webhookEndpoints.create({ url, enabled_events: ['charge.refunded'] })
    expect(await createWebhookEndpoint({ stripe: fake.stripe, url })).toEqual({ id, url, secret: null })
    const { data } = await fake.stripe.webhookEndpoints.list()
    expect(data.map((known) => known.enabled_events)).toEqual([STRIPE_WEBHOOK_EVENTS])
  })

  it('needs a key', async () => {
    await expect(createWebhookEndpoint({ secretKey: ' ', url })).rejects.toThrow('STRIPE_SECRET_KEY')
  })
})
