import type Stripe from 'stripe'
import { invalidRequest } from '../api-error.js'
import { endSubscription } from '../billing/subscription-status.js'
import { hasEnded } from '../billing/subscription-cycle.js'
import { DAY } from '../billing/periods.js'
import { page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, snapshot } from '../stripe-account.js'

type TestClock = Stripe.TestHelpers.TestClock

const create = route<Stripe.TestHelpers.TestClockCreateParams>('POST /v1/test_helpers/test_clocks', {
  gives: 'test_helpers.test_clock',
  parameters: {
    customer: rule.unsupported,
    expand: rule.expand,
    frozen_time: rule.required(rule.integer(0)),
    name: rule.text(300),
  },
  handle: ({ account, params }) => {
    const clock = {
      id: account.newId('clock'),
      object: 'test_helpers.test_clock',
      created: account.now(),
      deletes_after: account.now() + 30 * DAY,
      frozen_time: params.frozen_time,
      livemode: account.livemode,
      name: params.name ?? null,
      status: 'ready',
      status_details: {},
    } satisfies TestClock
    account.put('test_helpers.test_clock', clock)
    account.emit('test_helpers.test_clock.created', clock)
    return clock
  },
})

const retrieve = route<Stripe.TestHelpers.TestClockRetrieveParams>('GET /v1/test_helpers/test_clocks/:id', {
  gives: 'test_helpers.test_clock',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('test_helpers.test_clock', id, 'test_clock'),
})

const list = route<Stripe.TestHelpers.TestClockListParams>('GET /v1/test_helpers/test_clocks', {
  gives: 'test_helpers.test_clock',
  list: true,
  parameters: rule.listRules,
  handle: ({ account, params }) => {
    return page(account.all('test_helpers.test_clock').reverse(), params, '/v1/test_helpers/test_clocks')
  },
})

/** Answers `advancing` as Stripe does; everything on the way has happened by the time of the answer. */
const advance = route<Stripe.TestHelpers.TestClockAdvanceParams>('POST /v1/test_helpers/test_clocks/:id/advance', {
  gives: 'test_helpers.test_clock',
  parameters: { expand: rule.expand, frozen_time: rule.required(rule.integer(0)) },
  handle: ({ account, params, id }) => {
    const clock = account.get('test_helpers.test_clock', id, 'test_clock')
    const { frozen_time: target } = params
    if (target <= clock.frozen_time) {
      throw invalidRequest('Test clock can only be advanced forward in time.', 'frozen_time')
    }
    clock.status = 'advancing'
    clock.status_details = { advancing: { target_frozen_time: target } }
    account.emit('test_helpers.test_clock.advancing', clock)
    const answer = snapshot(clock)
    account.advance(clock, target)
    clock.status = 'ready'
    clock.status_details = {}
    account.emit('test_helpers.test_clock.ready', clock)
    return answer
  },
})

/** Its customers go with it, and their subscriptions end. */
const remove = route<Stripe.TestHelpers.TestClockDeleteParams>('DELETE /v1/test_helpers/test_clocks/:id', {
  gives: 'test_helpers.test_clock',
  parameters: {},
  handle: ({ account, id }) => {
    const clock = account.get('test_helpers.test_clock', id, 'test_clock')
    for (const subscription of account.all('subscription')) {
      if (idOf(subscription.test_clock) === id && !hasEnded(subscription)) endSubscription(account, subscription, null)
    }
    for (const customer of account.all('customer')) {
      if (customer.deleted === true || idOf(customer.test_clock) !== id) continue
      account.put('customer', { id: customer.id, object: 'customer', deleted: true })
      account.emit('customer.deleted', customer)
    }
    account.forgetClock(id)
    account.remove('test_helpers.test_clock', id)
    account.emit('test_helpers.test_clock.deleted', clock)
    return { id, object: 'test_helpers.test_clock', deleted: true } satisfies Stripe.TestHelpers.DeletedTestClock
  },
})

export const testClocks: Resource = { routes: [create, retrieve, list, advance, remove], expandable: {} }
