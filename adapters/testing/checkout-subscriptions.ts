import type Stripe from 'stripe'
import { createInvoiceItem } from './billing/invoice-lines.js'
import { collectInvoice, intentOf } from './billing/invoice-collection.js'
import { DAY } from './billing/periods.js'
import { createSubscription, type NewSubscription } from './billing/subscriptions.js'
import { authenticatePayment, createPaymentIntent } from './payment-intents.js'
import { attachPaymentMethod, paymentResult } from './payment-methods.js'
import { pay } from './payments.js'
import { idOf, type StripeAccount } from './stripe-account.js'
import { DECLINED, testPaymentMethod } from './test-payment-methods.js'

/** What the buyer chose on the page. */
interface Choice {
  /** None when nothing is due and the session asks for none. */
  method: Stripe.PaymentMethod | null
  /** Minor units off the first invoice, beside the session's own discount. */
  discount?: number | undefined
  /** The bank says no, whatever the payment method does. */
  isDeclined: boolean
}

/**
 * The buyer subscribes: the card is saved, the subscription made, its first invoice paid.
 *
 * @returns The session's new payment status; nothing when the bank declined. Then there is no subscription.
 */
export function subscribe(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  customer: string,
  { method, discount, isDeclined }: Choice,
): Stripe.Checkout.Session.PaymentStatus | undefined {
  const total = session.amount_total ?? 0
  if (method !== null) {
    const result = paymentResult(account, method, { offSession: false, customer })
    if (isDeclined || result.kind === 'declined') {
      declineFirstPayment(account, session, customer, method)
      return undefined
    }
    attachPaymentMethod(account, method, customer)
    account.setUp.add(method.id)
  }
  addOneTimeItems(account, session, customer)
  const subscription = createSubscription(account, {
    customer,
    items: itemsOf(account, session),
    ...settingsOf(account, session),
    discounts: discountsOf(account, session, discount),
    checkoutSession: session.id,
    defaultPaymentMethod: method?.id ?? null,
    payment: 'wait',
  })
  session.subscription = subscription.id
  session.invoice = idOf(subscription.latest_invoice)
  const invoice = account.get('invoice', session.invoice ?? '')
  if (invoice.status !== 'open' || method === null) return total === 0 ? 'no_payment_required' : 'paid'
  collectInvoice(account, invoice, { offSession: false, paymentMethod: method })
  const intent = intentOf(account, invoice)
  if (intent?.status === 'requires_action') authenticatePayment(account, intent, 'succeeded')
  return intent?.status === 'processing' ? 'unpaid' : 'paid'
}

/** A payment that fails before there is anything it could be for. */
function declineFirstPayment(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  customer: string,
  paymentMethod: Stripe.PaymentMethod,
): void {
  const intent = createPaymentIntent(account, {
    amount: session.amount_total ?? 0,
    currency: session.currency ?? 'usd',
    customer,
    description: 'Subscription creation',
  })
  const { pays } = testPaymentMethod(account.behaviours.get(paymentMethod.id) ?? '')
  pay(account, intent, { paymentMethod }, pays.kind === 'declined' ? pays : DECLINED)
}

/** What recurs becomes the subscription's items. */
function itemsOf(account: StripeAccount, session: Stripe.Checkout.Session): NewSubscription['items'] {
  const lines = account.checkouts.get(session.id)?.lineItems ?? []
  return lines.flatMap(({ price, quantity }) =>
    price?.type === 'recurring' ? [{ price, quantity: quantity ?? 1 }] : [],
  )
}

/** The rest waits for the first invoice. */
function addOneTimeItems(account: StripeAccount, session: Stripe.Checkout.Session, customer: string): void {
  const period = { start: account.now(), end: account.now() }
  for (const line of account.checkouts.get(session.id)?.lineItems ?? []) {
    const { price, quantity, amount_subtotal: amount, currency, description } = line
    if (price?.type !== 'one_time') continue
    createInvoiceItem(account, { customer, amount, currency, description, period, price, quantity: quantity ?? 1 })
  }
}

function settingsOf(account: StripeAccount, session: Stripe.Checkout.Session) {
  const details = account.checkouts.get(session.id)
  const data = details?.subscriptionData ?? {}
  const days = data.trial_period_days
  return {
    metadata: data.metadata ?? {},
    description: data.description ?? null,
    trialEnd: data.trial_end ?? (days === undefined ? null : account.now() + days * DAY),
    automaticTax: details?.automaticTax ?? false,
    chargesStub: data.proration_behavior !== 'none',
    ...(data.billing_cycle_anchor !== undefined && { anchor: data.billing_cycle_anchor }),
    ...(data.trial_settings && { trialEndBehavior: data.trial_settings.end_behavior.missing_payment_method }),
  }
}

function discountsOf(account: StripeAccount, session: Stripe.Checkout.Session, amount: number | undefined) {
  if (amount !== undefined) return [{ coupon: couponOver(account, amount, session.currency ?? 'usd').id }]
  return (session.discounts ?? []).map(({ coupon, promotion_code: code }) => {
    const promotionCode = idOf(code)
    return promotionCode === null ? { coupon: idOf(coupon) ?? '' } : { promotion_code: promotionCode }
  })
}

/** For a test that takes an amount off without saying by which coupon. */
function couponOver(account: StripeAccount, amount: number, currency: string): Stripe.Coupon {
  const coupon = {
    id: account.newId('', 8).slice(1),
    object: 'coupon',
    amount_off: amount,
    created: account.now(),
    currency,
    duration: 'once',
    duration_in_months: null,
    livemode: account.livemode,
    max_redemptions: null,
    metadata: {},
    name: null,
    percent_off: null,
    redeem_by: null,
    times_redeemed: 0,
    valid: true,
  } satisfies Stripe.Coupon
  account.put('coupon', coupon)
  return coupon
}
