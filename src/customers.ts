import { UnavailableError } from './errors.js'
import type { CustomerGone } from './ports/payments.js'
import type { Till } from './till.js'

/** The provider's customer for a user, made with the first call. No database transaction is open while it is made. */
async function customerOf(till: Till, userId: string): Promise<string> {
  const { provider, store } = till
  const known = await store.findCustomer({ provider: provider.name, livemode: provider.livemode, userId })
  return known?.customerId ?? replaceCustomer(till, userId, null)
}

async function replaceCustomer(till: Till, userId: string, replaces: string | null): Promise<string> {
  const { customerId } = await till.provider.createCustomer({ userId, replaces })
  return rememberCustomer(till, { userId, customerId }, replaces)
}

/** Returns the customer that holds: of several callers, the first one's. */
export async function rememberCustomer(
  { provider, store, clock }: Till,
  { userId, customerId }: { userId: string; customerId: string },
  replaces: string | null = null,
): Promise<string> {
  const now = clock()
  const record = { userId, provider: provider.name, livemode: provider.livemode, customerId }
  const kept = await store.saveCustomer({ ...record, createdAt: now, updatedAt: now }, replaces)
  return kept.customerId
}

/** Ask something of the provider for a user's customer; one that was deleted there is replaced, once. */
export async function withCustomer<R>(
  till: Till,
  userId: string,
  ask: (customerId: string) => Promise<R | CustomerGone>,
): Promise<R> {
  const customerId = await customerOf(till, userId)
  const answer = await ask(customerId)
  if (answer !== 'customer_gone') return answer
  const again = await ask(await replaceCustomer(till, userId, customerId))
  if (again === 'customer_gone')
    throw new UnavailableError('The payment provider does not know the customer it just made')
  return again
}
