import type Stripe from 'stripe'
import { STRIPE_WEBHOOK_EVENTS } from './events.js'
import { newClient, notConfigured, readSecretKey } from './settings.js'
import { ask, askAll } from './stripe-calls.js'

/** Which address to register, and with which key. The key decides the account, and whether test or live events come. */
export interface CreateWebhookEndpointOptions {
  /** Where you mounted the webhook: a public https address. */
  url: string
  /** Your own client. Default: one for `secretKey`. */
  stripe?: Stripe | undefined
  /** Default: `STRIPE_SECRET_KEY`. */
  secretKey?: string | undefined
}

/**
 * Register your webhook at Stripe, for the events we act on. Safe to run on each deployment: an endpoint that has this
 * URL already gets the list of events brought up to date.
 *
 * @returns `secret`, for `STRIPE_WEBHOOK_SECRET`, is told by Stripe only when the endpoint is new; otherwise null.
 * @throws {PaymentsNotConfiguredError} There is no key, or Stripe refuses it.
 */
export async function createWebhookEndpoint(
  options: CreateWebhookEndpointOptions,
): Promise<{ id: string; url: string; secret: string | null }> {
  const problems: string[] = []
  const secretKey = readSecretKey(options, problems)
  if (problems.length > 0) throw notConfigured(problems)
  const { webhookEndpoints } = options.stripe ?? newClient(secretKey ?? '')
  const { url } = options
  const enabled_events = [...STRIPE_WEBHOOK_EVENTS]

  const known = await askAll((range) => webhookEndpoints.list(range))
  const existing = known.find((endpoint) => endpoint.url === url && endpoint.status === 'enabled')
  if (existing) {
    const { id } = await ask('webhook_endpoint', () => webhookEndpoints.update(existing.id, { enabled_events }))
    return { id, url, secret: null }
  }
  const description = 'creditkit: credits for paid checkouts'
  const created = await ask('webhook_endpoint', () => webhookEndpoints.create({ url, enabled_events, description }))
  return { id: created.id, url, secret: created.secret ?? null }
}
