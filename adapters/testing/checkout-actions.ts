import type Stripe from 'stripe'
import { refused } from './api-error.js'
import { applyTotals, type Reduction } from './checkout-totals.js'
import { attachBalanceTransaction, pay, settlePayment } from './payments.js'
import { createCustomer } from './resources/customers.js'
import { cancelPaymentIntent, createPaymentIntent } from './resources/payment-intents.js'
import { idOf, type StripeAccount } from './stripe-account.js'
import { DEFAULT_PAYMENT_METHOD, testPaymentMethod } from './test-payment-methods.js'

/**
 * What a buyer did on the checkout page.
 *
 * - `paid`: paid at once. A session with nothing to pay completes as `no_payment_required`.
 * - `unpaid`: a delayed method; the session completes and stays `unpaid` until `settle`.
 * - `declined`: the payment failed, the session stays open.
 * - `no_payment_required`: the total is 0 (a 100 % discount).
 */
export type CheckoutOutcome = 'paid' | 'unpaid' | 'declined' | 'no_payment_required'

/** What differs from the session as it was made. Amounts in minor units. */
export interface CompleteOptions {
  /** The buyer's address; default the session's `customer_email`, else `buyer@example.com`. */
  email?: string
  name?: string
  /** A Stripe test payment method: `pm_card_refundFail`, `pm_card_chargeDeclinedLostCard`, … Default `pm_card_visa`. */
  paymentMethod?: string
  /** New quantity of the first line, as with an adjustable quantity. */
  quantity?: number
  /** Taken off the subtotal, as with a promotion code typed in by the buyer. */
  discount?: number
  /** Added on top, as with automatic tax. */
  tax?: number
  /** Written over the session just before it is paid, to make mismatches: `{ amount_subtotal: 1, currency: 'eur' }`. */
  overrides?: Partial<Stripe.Checkout.Session>
}

/** The buyer presses the button. @throws {Error} The session is not open or the outcome is impossible for it. */
export function completeSession(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  outcome: CheckoutOutcome,
  options: CompleteOptions,
): Stripe.Checkout.Session {
  if (session.status !== 'open') {
    throw new Error(`fakeStripe.complete: ${session.id} is ${String(session.status)}, not open`)
  }
  reprice(account, session, options)
  Object.assign(session, options.overrides)
  const total = session.amount_total ?? 0
  if (outcome === 'no_payment_required' && total > 0) {
    throw new Error(`fakeStripe.complete: ${session.id} costs ${total}; only a total of 0 needs no payment`)
  }
  const email = options.email ?? session.customer_email ?? 'buyer@example.com'
  identifyBuyer(account, session, email, options.name ?? null)
  if (total === 0) return closeSession(account, session, 'no_payment_required')

  const intent = paymentIntentOf(account, session)
  const paymentMethod =
    options.paymentMethod ?? (outcome === 'unpaid' ? 'pm_usBankAccount_success' : DEFAULT_PAYMENT_METHOD)
  const result = pay(
    account,
    intent,
    { paymentMethod, email, name: options.name ?? null },
    forced(outcome, paymentMethod),
  )
  if (result.kind === 'declined') return session
  closeSession(account, session, result.kind === 'processing' ? 'unpaid' : 'paid')
  const chargeId = idOf(intent.latest_charge)
  if (result.kind === 'succeeded' && chargeId !== null) {
    attachBalanceTransaction(account, account.get('charge', chargeId))
  }
  return session
}

/** A delayed payment arrives or bounces. */
export function settleSession(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  outcome: 'succeeded' | 'failed',
): Stripe.Checkout.Session {
  const intentId = idOf(session.payment_intent)
  if (session.status !== 'complete' || session.payment_status !== 'unpaid' || intentId === null) {
    throw new Error(`fakeStripe.settle: ${session.id} does not wait for a delayed payment`)
  }
  settlePayment(account, account.get('payment_intent', intentId), outcome)
  if (outcome === 'succeeded') session.payment_status = 'paid'
  account.emit(`checkout.session.async_payment_${outcome}`, session)
  return session
}

/** @throws {ApiError} 400: the session is not open. */
export function expireSession(account: StripeAccount, session: Stripe.Checkout.Session): Stripe.Checkout.Session {
  if (session.status !== 'open') {
    throw refused(
      'Only Checkout Sessions with a status in ["open"] can be expired. ' +
        `This Checkout Session has a status of \`${String(session.status)}\`.`,
    )
  }
  session.status = 'expired'
  session.url = null
  const intentId = idOf(session.payment_intent)
  if (intentId !== null) cancelPaymentIntent(account, account.get('payment_intent', intentId), 'expired')
  account.emit('checkout.session.expired', session)
  return session
}

/** The buyer types a promotion code. @returns False when the session takes none or there is no such code. */
export function applyPromotionCode(account: StripeAccount, session: Stripe.Checkout.Session, typed: string): boolean {
  if (session.status !== 'open' || session.allow_promotion_codes !== true) return false
  const wanted = typed.trim().toLowerCase()
  const code = account.all('promotion_code').find((entry) => entry.active && entry.code.toLowerCase() === wanted)
  if (code === undefined) return false
  session.discounts = [{ coupon: null, promotion_code: code.id }]
  reprice(account, session, {})
  return true
}

/** What the outcome asks for, unless the payment method already behaves so. */
function forced(
  outcome: CheckoutOutcome,
  paymentMethod: string,
): ReturnType<typeof testPaymentMethod>['pays'] | undefined {
  const { kind } = testPaymentMethod(paymentMethod).pays
  // A buyer on the page passes a needed authentication.
  if (outcome === 'paid' && kind === 'needs_authentication') return { kind: 'succeeds' }
  if (outcome === 'unpaid') return { kind: 'settles_later' }
  if (outcome === 'declined' && kind !== 'declined') return testPaymentMethod('pm_card_chargeDeclined').pays
  return undefined
}

function reprice(account: StripeAccount, session: Stripe.Checkout.Session, options: CompleteOptions): void {
  const details = account.checkouts.get(session.id)
  const firstLine = details?.lineItems[0]
  if (details === undefined || firstLine === undefined) return
  if (options.quantity !== undefined) firstLine.quantity = options.quantity
  const totals = applyTotals({
    lineItems: details.lineItems,
    reduction: options.discount === undefined ? couponOf(account, session) : { amountOff: options.discount },
    tax: options.tax,
    taxPercent: details.automaticTax ? account.taxPercent : 0,
  })
  session.amount_subtotal = totals.subtotal
  session.amount_total = totals.total
  session.total_details = { amount_discount: totals.discount, amount_shipping: 0, amount_tax: totals.tax }
}

function couponOf(account: StripeAccount, session: Stripe.Checkout.Session): Reduction | undefined {
  const discount = session.discounts?.[0]
  if (discount === undefined) return undefined
  const code = account.find('promotion_code', idOf(discount.promotion_code) ?? '')
  const couponId = idOf(discount.coupon) ?? idOf(code?.promotion.coupon)
  const coupon = account.find('coupon', couponId ?? '')
  if (coupon !== undefined) return { coupon }
  // The coupon was deleted meanwhile: the session keeps what it was promised.
  return { amountOff: session.total_details?.amount_discount ?? 0 }
}

function identifyBuyer(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  email: string,
  name: string | null,
): void {
  session.customer_details = {
    address: null,
    business_name: null,
    email,
    individual_name: null,
    name,
    phone: null,
    tax_exempt: 'none',
    tax_ids: [],
  }
  const isNew = session.customer === null && session.customer_creation === 'always'
  if (isNew) session.customer = createCustomer(account, { email, ...(name !== null && { name }) }).id
}

/** Made at the first attempt to pay; later attempts use the same. The session's own metadata is not copied. */
function paymentIntentOf(account: StripeAccount, session: Stripe.Checkout.Session): Stripe.PaymentIntent {
  const existing = account.find('payment_intent', idOf(session.payment_intent) ?? '')
  if (existing !== undefined) {
    existing.amount = session.amount_total ?? 0
    return existing
  }
  const data = account.checkouts.get(session.id)?.paymentIntentData ?? {}
  const intent = createPaymentIntent(account, {
    amount: session.amount_total ?? 0,
    currency: session.currency ?? 'usd',
    customer: idOf(session.customer),
    ...(data.metadata !== undefined && { metadata: data.metadata }),
    ...(data.description !== undefined && { description: data.description }),
    ...(data.receipt_email !== undefined && { receiptEmail: data.receipt_email }),
    ...(data.setup_future_usage !== undefined && { setupFutureUsage: data.setup_future_usage }),
    ...(data.statement_descriptor !== undefined && { statementDescriptor: data.statement_descriptor }),
    ...(data.statement_descriptor_suffix !== undefined && {
      statementDescriptorSuffix: data.statement_descriptor_suffix,
    }),
  })
  session.payment_intent = intent.id
  return intent
}

function closeSession(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  paymentStatus: Stripe.Checkout.Session.PaymentStatus,
): Stripe.Checkout.Session {
  session.status = 'complete'
  session.payment_status = paymentStatus
  session.url = null
  countRedemption(account, session)
  account.emit('checkout.session.completed', session)
  return session
}

function countRedemption(account: StripeAccount, session: Stripe.Checkout.Session): void {
  const discount = session.discounts?.[0]
  const code = account.find('promotion_code', idOf(discount?.promotion_code) ?? '')
  const coupon = account.find('coupon', idOf(discount?.coupon) ?? idOf(code?.promotion.coupon) ?? '')
  if (code !== undefined) code.times_redeemed += 1
  if (coupon !== undefined) coupon.times_redeemed += 1
}
