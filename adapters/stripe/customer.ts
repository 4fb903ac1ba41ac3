import type Stripe from 'stripe'
import { PaymentsNotConfiguredError } from '../../src/errors.js'
import { keyOf, ours } from './identity.js'
import type { StripeSettings } from './settings.js'
import { ask } from './stripe-calls.js'

/**
 * The customer that the host links, else a new one. The idempotency key names the user and whom it replaces, so that any
 * number of calls at once make one; and the address, since Stripe refuses another request under the same key.
 */
export async function createCustomer(
  { userId, replaces }: { userId: string; replaces: string | null },
  settings: StripeSettings,
): Promise<{ customerId: string }> {
  const linked = await settings.customer(userId)
  if (linked?.id && linked.id !== replaces) return { customerId: linked.id }
  const params: Stripe.CustomerCreateParams = { metadata: ours(settings, { user_id: userId }) }
  if (linked?.email) params.email = linked.email
  const name = ['customer', settings.app, userId, replaces, params.email ?? null]
  const idempotencyKey = await keyOf(JSON.stringify(name))
  const customer = await ask('customer', () =>
    settings.stripe.customers.create(params, { ...settings.requestOptions, idempotencyKey }),
  )
  if (customer.livemode !== settings.livemode) {
    throw new PaymentsNotConfiguredError('The Stripe key and the option `livemode` disagree about the mode')
  }
  return { customerId: customer.id }
}
