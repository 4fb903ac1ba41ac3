import type Stripe from 'stripe'
import { opened, type TestTill } from './support.js'

/** Give the till's customer a card that payments are taken from; the payment method's id. */
export async function giveCard({ fake, customerId }: TestTill, name = 'pm_card_visa'): Promise<string> {
  const { customers, paymentMethods } = fake.stripe
  const { id } = await paymentMethods.attach(name, { customer: customerId })
  await customers.update(customerId, { invoice_settings: { default_payment_method: id } })
  return id
}

/** A monthly price in cents. */
export async function monthlyPrice({ fake }: TestTill, amount = 2_000): Promise<string> {
  const recurring = { interval: 'month' as const }
  const price = await fake.stripe.prices.create({
    currency: 'usd',
    unit_amount: amount,
    recurring,
    product_data: { name: `Plan ${amount}` },
  })
  return price.id
}

/** What the buyer gets who subscribes on the page. */
export interface Subscribed {
  sessionId: string
  subscriptionId: string
  invoiceId: string
  priceId: string
}

interface SubscribeOptions {
  quantity?: number
  trialDays?: number
  amount?: number
  userId?: string
}

/** The till's customer subscribes on the page, as `user_1`. */
export async function subscribe(till: TestTill, options: SubscribeOptions = {}): Promise<Subscribed> {
  const { payments, customerId, fake } = till
  const { quantity = 1, trialDays = null, amount, userId = 'user_1' } = options
  const priceId = await monthlyPrice(till, amount)
  const { sessionId } = opened(
    await payments.createSubscribeCheckout({
      requestId: crypto.randomUUID(),
      userId,
      customerId,
      plan: 'pro',
      priceId,
      quantity,
      trialDays,
      ui: 'page',
      successUrl: null,
      cancelUrl: null,
    }),
  )
  await fake.complete(sessionId)
  const checkout = await payments.getCheckout(sessionId)
  return {
    sessionId,
    priceId,
    subscriptionId: checkout?.subscriptionId ?? '',
    invoiceId: checkout?.invoiceId ?? '',
  }
}

/** A subscription that another app of the same Stripe account began: no metadata of ours. */
export async function foreignSubscription(
  till: TestTill,
  params: Partial<Stripe.SubscriptionCreateParams> = {},
): Promise<Stripe.Subscription> {
  const price = await monthlyPrice(till)
  return till.fake.stripe.subscriptions.create({ customer: till.customerId, items: [{ price }], ...params })
}

/** A subscription of another app to so many prices, in cents from 100 on; the prices. */
export async function foreignBundle(till: TestTill, size: number): Promise<{ id: string; prices: string[] }> {
  const prices: string[] = []
  for (let i = 0; i < size; i++) prices.push(await monthlyPrice(till, 100 + i))
  const items = prices.map((price) => ({ price }))
  const { id } = await foreignSubscription(till, { items: items.slice(0, 8) })
  await till.fake.stripe.subscriptions.update(id, { items: items.slice(8), proration_behavior: 'none' })
  return { id, prices }
}
