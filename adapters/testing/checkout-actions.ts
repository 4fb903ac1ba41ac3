import type Stripe from 'stripe'
import { refused } from './api-error.js'
import { intentOf } from './billing/invoice-collection.js'
import { subscribe } from './checkout-subscriptions.js'
import { applyTotals, type Reduction } from './checkout-totals.js'
import { cancelPaymentIntent, createPaymentIntent } from './payment-intents.js'
import { usablePaymentMethod } from './payment-methods.js'
import { finishAuthentication, pay, settleBalance, settlePayment } from './payments.js'
import { isTrial } from './resources/checkout-sessions.js'
import { createCustomer } from './resources/customers.js'
import { confirmSetupIntent, failSetup } from './setup-intents.js'
import { idOf, type StripeAccount } from './stripe-account.js'
import { DECLINED, DEFAULT_PAYMENT_METHOD, testPaymentMethod } from './test-payment-methods.js'

type PaymentStatus = Stripe.Checkout.Session.PaymentStatus

/**
 * What a buyer did on the checkout page.
 *
 * - `paid`: paid at once. A session with nothing to pay completes as `no_payment_required`.
 * - `unpaid`: a delayed method; the session completes and stays `unpaid` until `settle`.
 * - `declined`: the payment failed, the session stays open.
 * - `no_payment_required`: the total is 0 (a 100 % discount).
 *
 * In `subscription` mode paying also makes the customer, saves the card and starts the subscription; in `setup` mode it
 * only saves the card.
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
  /** Added on top, as with automatic tax. Not in `subscription` mode, where `automatic_tax` and `taxPercent` decide. */
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
  return account.inTimeOf(idOf(session.customer), () => {
    const status = settleUp(account, session, outcome, { ...options, email })
    if (status === undefined) return session
    closeSession(account, session, status)
    const intent = account.find('payment_intent', idOf(session.payment_intent) ?? '')
    if (intent !== undefined) settleBalance(account, intent)
    return session
  })
}

/** What the button does in each mode. @returns The new payment status; nothing when the session stays open. */
function settleUp(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  outcome: CheckoutOutcome,
  options: CompleteOptions,
): PaymentStatus | undefined {
  const total = session.amount_total ?? 0
  const customer = idOf(session.customer)
  const asksNoMethod = total === 0 && session.payment_method_collection === 'if_required'
  if (session.mode === 'setup') {
    const method = chosenMethod(account, session, outcome, options)
    return saveCard(account, session, method, outcome) ? 'no_payment_required' : undefined
  }
  if (session.mode === 'subscription' && customer !== null) {
    if (options.tax !== undefined) {
      throw new Error('fakeStripe.complete: the tax of a subscription comes from automatic_tax and taxPercent')
    }
    const method = asksNoMethod ? null : chosenMethod(account, session, outcome, options)
    const isDeclined = outcome === 'declined'
    return subscribe(account, session, customer, { method, discount: options.discount, isDeclined })
  }
  return total === 0 ? 'no_payment_required' : payOnce(account, session, outcome, options)
}

function payOnce(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  outcome: CheckoutOutcome,
  options: CompleteOptions,
): PaymentStatus | undefined {
  const intent = paymentIntentOf(account, session)
  const paymentMethod = chosenMethod(account, session, outcome, options)
  const payer = { paymentMethod, email: options.email ?? null, name: options.name ?? null }
  const result = pay(account, intent, payer, forced(outcome, account.behaviours.get(paymentMethod.id) ?? ''))
  // A buyer on the page passes a needed authentication.
  if (result.kind === 'requires_action') finishAuthentication(account, intent, paymentMethod, 'succeeded')
  if (result.kind === 'processing') return 'unpaid'
  return intent.status === 'succeeded' ? 'paid' : undefined
}

/** @returns Whether the card was saved. */
function saveCard(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  method: Stripe.PaymentMethod,
  outcome: CheckoutOutcome,
): boolean {
  const intent = account.get('setup_intent', idOf(session.setup_intent) ?? '')
  intent.customer = idOf(session.customer)
  const { saves } = testPaymentMethod(account.behaviours.get(method.id) ?? '')
  if (outcome !== 'declined' && saves === undefined) {
    confirmSetupIntent(account, intent, method, true)
    return true
  }
  failSetup(account, intent, method, saves ?? DECLINED)
  return false
}

function chosenMethod(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  outcome: CheckoutOutcome,
  { paymentMethod, email, name }: CompleteOptions,
): Stripe.PaymentMethod {
  const named = paymentMethod ?? (outcome === 'unpaid' ? 'pm_usBankAccount_success' : DEFAULT_PAYMENT_METHOD)
  const method = usablePaymentMethod(account, named, idOf(session.customer))
  method.billing_details.email ??= email ?? null
  method.billing_details.name ??= name ?? null
  return method
}

/** A delayed payment arrives or bounces. */
export function settleSession(
  account: StripeAccount,
  session: Stripe.Checkout.Session,
  outcome: 'succeeded' | 'failed',
): Stripe.Checkout.Session {
  const invoice = account.find('invoice', idOf(session.invoice) ?? '')
  const intentId = invoice === undefined ? idOf(session.payment_intent) : (intentOf(account, invoice)?.id ?? null)
  if (session.status !== 'complete' || session.payment_status !== 'unpaid' || intentId === null) {
    throw new Error(`fakeStripe.settle: ${session.id} does not wait for a delayed payment`)
  }
  const intent = account.get('payment_intent', intentId)
  account.inTimeOf(idOf(session.customer), () => settlePayment(account, intent, outcome))
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
function forced(outcome: CheckoutOutcome, behaviour: string): ReturnType<typeof testPaymentMethod>['pays'] | undefined {
  const { kind } = testPaymentMethod(behaviour).pays
  if (outcome === 'unpaid') return { kind: 'settles_later' }
  if (outcome === 'declined' && kind !== 'declined') return DECLINED
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
    hasTrial: isTrial(details.subscriptionData),
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
  const details = account.checkouts.get(session.id)
  const savesCard = details?.paymentIntentData.setup_future_usage !== undefined
  const isNew = session.customer === null && (session.customer_creation === 'always' || savesCard)
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
  paymentStatus: PaymentStatus,
): Stripe.Checkout.Session {
  session.status = 'complete'
  session.payment_status = paymentStatus
  session.url = null
  // A subscription redeems its discounts itself.
  if (session.mode === 'payment') countRedemption(account, session)
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
