import type Stripe from 'stripe'
import { refused } from '../api-error.js'
import { page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { API_VERSION, mergeMetadata, type StripeAccount } from '../stripe-account.js'

const MAX_ENDPOINTS = 16

interface NewWebhookEndpoint {
  url: string
  enabledEvents: readonly string[]
  secret: string
  apiVersion?: string | null
  description?: string | null
  metadata?: Stripe.MetadataParam | '' | null
}

export function createEndpoint(account: StripeAccount, given: NewWebhookEndpoint): Stripe.WebhookEndpoint {
  if (account.all('webhook_endpoint').length >= MAX_ENDPOINTS) {
    throw refused(`You have reached the maximum of ${MAX_ENDPOINTS} webhook endpoints.`)
  }
  const endpoint = {
    id: account.newId('we'),
    object: 'webhook_endpoint',
    api_version: given.apiVersion ?? API_VERSION,
    application: null,
    created: account.now(),
    description: given.description ?? null,
    enabled_events: [...given.enabledEvents],
    livemode: account.livemode,
    metadata: mergeMetadata({}, given.metadata),
    status: 'enabled',
    url: given.url,
  } satisfies Stripe.WebhookEndpoint
  account.put('webhook_endpoint', endpoint)
  account.webhookSecrets.set(endpoint.id, given.secret)
  return endpoint
}

const enabledEvents = rule.listOf(rule.text(100), 400)

/** The secret is in this answer and in no later one. */
const create = route<Stripe.WebhookEndpointCreateParams>('POST /v1/webhook_endpoints', {
  gives: 'webhook_endpoint',
  parameters: {
    enabled_events: rule.required(enabledEvents),
    url: rule.required(rule.url),
    api_version: rule.text(),
    connect: rule.unsupported,
    description: rule.emptyable(rule.text()),
    expand: rule.expand,
    metadata: rule.metadata,
  },
  handle: ({ account, params }) => {
    const secret = account.newId('whsec', 32)
    const endpoint = createEndpoint(account, {
      url: params.url,
      enabledEvents: params.enabled_events,
      secret,
      apiVersion: params.api_version ?? null,
      ...(params.description !== undefined && { description: params.description }),
      ...(params.metadata !== undefined && { metadata: params.metadata }),
    })
    return { ...endpoint, secret } satisfies Stripe.WebhookEndpoint
  },
})

const retrieve = route<Stripe.WebhookEndpointRetrieveParams>('GET /v1/webhook_endpoints/:id', {
  gives: 'webhook_endpoint',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('webhook_endpoint', id),
})

const update = route<Stripe.WebhookEndpointUpdateParams>('POST /v1/webhook_endpoints/:id', {
  gives: 'webhook_endpoint',
  parameters: {
    description: rule.emptyable(rule.text()),
    disabled: rule.boolean,
    enabled_events: enabledEvents,
    expand: rule.expand,
    metadata: rule.metadata,
    url: rule.url,
  },
  handle: ({ account, params, id }) => {
    const endpoint = account.get('webhook_endpoint', id)
    if (params.url !== undefined) endpoint.url = params.url
    if (params.enabled_events !== undefined) endpoint.enabled_events = params.enabled_events
    if (params.disabled !== undefined) endpoint.status = params.disabled ? 'disabled' : 'enabled'
    if (params.description !== undefined) endpoint.description = params.description
    endpoint.metadata = mergeMetadata(endpoint.metadata, params.metadata)
    return endpoint
  },
})

const list = route<Stripe.WebhookEndpointListParams>('GET /v1/webhook_endpoints', {
  gives: 'webhook_endpoint',
  list: true,
  parameters: rule.listRules,
  handle: ({ account, params }) => page(account.all('webhook_endpoint').reverse(), params, '/v1/webhook_endpoints'),
})

const remove = route<Stripe.WebhookEndpointDeleteParams>('DELETE /v1/webhook_endpoints/:id', {
  gives: 'webhook_endpoint',
  parameters: {},
  handle: ({ account, id }) => {
    account.get('webhook_endpoint', id)
    account.remove('webhook_endpoint', id)
    account.webhookSecrets.delete(id)
    return { id, object: 'webhook_endpoint', deleted: true } satisfies Stripe.DeletedWebhookEndpoint
  },
})

export const webhookEndpoints: Resource = { routes: [create, retrieve, update, list, remove], expandable: {} }
