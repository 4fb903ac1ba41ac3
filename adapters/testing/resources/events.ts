import type Stripe from 'stripe'
import { invalidRequest } from '../api-error.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'

/** Events older than this, in seconds, are gone from the API. */
const KEPT_SECONDS = 30 * 86_400

const retrieve = route<Stripe.EventRetrieveParams>('GET /v1/events/:id', {
  gives: 'event',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('event', id),
})

const list = route<Stripe.EventListParams>('GET /v1/events', {
  gives: 'event',
  list: true,
  parameters: {
    ...rule.listRules,
    created: rule.createdRange,
    delivery_success: rule.boolean,
    type: rule.text(),
    types: rule.listOf(rule.text(), 20),
  },
  handle: ({ account, params }) => {
    if (params.type !== undefined && params.types !== undefined) {
      throw invalidRequest('You may only specify one of these parameters: type, types.', 'type')
    }
    const types = params.types ?? (params.type === undefined ? undefined : [params.type])
    const matching = account
      .all('event')
      .filter(
        (event) =>
          event.created >= account.now() - KEPT_SECONDS &&
          (types === undefined || types.some((pattern) => matchesType(event.type, pattern))) &&
          (params.delivery_success === undefined || account.isDelivered(event.id) === params.delivery_success) &&
          isCreatedIn(event.created, params.created),
      )
    return page(matching.reverse(), params, '/v1/events')
  },
})

/** `charge.*` matches every event of charges. */
function matchesType(type: string, pattern: string): boolean {
  return pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern
}

export const events: Resource = { routes: [retrieve, list], expandable: {} }
