import type { FakeStripe } from 'creditkit/testing'
import type Stripe from 'stripe'

/** In milliseconds. */
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** A customer with a saved card that invoices are collected from. */
export async function newCustomer(
  stripe: Stripe,
  paymentMethod = 'pm_card_visa',
  params: Stripe.CustomerCreateParams = {},
): Promise<{ customer: string; method: string }> {
  const { id: customer } = await stripe.customers.create({ email: 'buyer@example.com', ...params })
  const { id: method } = await stripe.paymentMethods.attach(paymentMethod, { customer })
  await stripe.customers.update(customer, { invoice_settings: { default_payment_method: method } })
  return { customer, method }
}

/** A recurring price in USD cents; by the month. */
export async function newPrice(
  stripe: Stripe,
  amount: number,
  recurring: Stripe.PriceCreateParams.Recurring = { interval: 'month' },
): Promise<string> {
  const price = await stripe.prices.create({
    currency: 'usd',
    unit_amount: amount,
    recurring,
    product_data: { name: `Plan ${amount}` },
  })
  return price.id
}

type SubscribeOptions = Omit<Stripe.SubscriptionCreateParams, 'customer' | 'items'> & {
  amount: number
  quantity?: number
}

/** A monthly subscription to a price of its own. */
export async function subscribe(
  stripe: Stripe,
  customer: string,
  { amount, quantity = 1, ...rest }: SubscribeOptions,
): Promise<Stripe.Subscription> {
  const price = await newPrice(stripe, amount)
  return stripe.subscriptions.create({ customer, items: [{ price, quantity }], ...rest })
}

/** What has happened since this was called, without products and prices. */
export function typesSince(fake: FakeStripe): () => string[] {
  const start = fake.events.length
  return () =>
    fake.events
      .slice(start)
      .map((event) => event.type)
      .filter((type) => !/^(product|price)\./.test(type))
}

/** The id of a reference that may have been expanded; empty where there is none. */
export function idOf(reference: string | { id: string } | null | undefined): string {
  return typeof reference === 'string' ? reference : (reference?.id ?? '')
}
