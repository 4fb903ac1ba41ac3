import type Stripe from 'stripe'
import { refused } from '../api-error.js'
import { cancelPaymentIntent } from '../payment-intents.js'
import { paymentResult } from '../payment-methods.js'
import { pay, settleBalance } from '../payments.js'
import { idOf, type PaymentNews, type StripeAccount } from '../stripe-account.js'
import { AUTHENTICATION_REQUIRED } from '../test-payment-methods.js'
import { customerOf, finalizeInvoice, subscriptionOf } from './invoices.js'
import { DAY } from './periods.js'
import { afterInvoicePaid, afterInvoiceUnpaid, afterLastRetry, afterInvoiceClosed } from './subscription-status.js'

interface CollectOptions {
  /** The buyer is not there; default yes. */
  offSession?: boolean
  /** Default the invoice's, else the subscription's, else the customer's. */
  paymentMethod?: Stripe.PaymentMethod
}

/**
 * Try to get an open invoice paid. What becomes of it is in the invoice afterwards.
 *
 * @throws {ApiError} 400: it is not open.
 */
export function collectInvoice(account: StripeAccount, invoice: Stripe.Invoice, options: CollectOptions = {}): void {
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible') {
    throw refused(`Invoice is ${String(invoice.status)}, and cannot be paid.`, statusCode(invoice))
  }
  const intent = intentOf(account, invoice)
  if (intent === undefined) {
    markPaid(account, invoice, null)
    return
  }
  const method = options.paymentMethod ?? defaultPaymentMethod(account, invoice)
  if (method === undefined) {
    followPayment(account, invoice, intent, 'failed')
    return
  }
  const offSession = options.offSession ?? true
  // A renewal that needs the buyer waits for them instead of failing for good.
  const result = paymentResult(account, method, { offSession, customer: idOf(invoice.customer) })
  const waits = result === AUTHENTICATION_REQUIRED
  if (offSession && intent.setup_future_usage !== null) intent.setup_future_usage = null
  const outcome = pay(
    account,
    intent,
    { paymentMethod: method, offSession },
    waits ? { kind: 'needs_authentication' } : undefined,
  )
  if (outcome.kind === 'succeeded') settleBalance(account, intent)
}

/** What the invoice's payment comes to, whoever made it. */
export function followPayment(
  account: StripeAccount,
  invoice: Stripe.Invoice,
  intent: Stripe.PaymentIntent,
  news: PaymentNews,
): void {
  if (invoice.status === 'paid' || invoice.status === 'void') return
  const isFirstAttempt = !invoice.attempted
  invoice.attempted = true
  if (isFirstAttempt) invoice.attempt_count = 1
  else if (news === 'succeeded' && isRetryDue(account, invoice)) invoice.attempt_count += 1
  if (news === 'succeeded') {
    markPaid(account, invoice, intent)
    return
  }
  if (news === 'processing') {
    afterInvoicePaid(account, invoice)
    return
  }
  planRetry(account, invoice, isFirstAttempt)
  afterInvoiceUnpaid(account, invoice)
  if (news === 'requires_action') account.emit('invoice.payment_action_required', invoice)
  account.emit('invoice.payment_failed', invoice)
  account.emit('invoice.updated', invoice, { attempted: !isFirstAttempt })
  const isLast = account.attempts.has(invoice.id) && invoice.next_payment_attempt === null
  if (isLast) afterLastRetry(account, invoice)
}

/** By itself the account tries again only what is due for a running subscription. */
function planRetry(account: StripeAccount, invoice: Stripe.Invoice, isFirstAttempt: boolean): void {
  const isAutomatic = invoice.auto_advance === true && invoice.collection_method === 'charge_automatically'
  const isFirstInvoice = invoice.billing_reason === 'subscription_create'
  if (!isAutomatic || isFirstInvoice || invoice.parent === null) {
    invoice.next_payment_attempt = null
    return
  }
  const now = account.now()
  // An attempt by hand in between changes nothing about the plan.
  if (!isFirstAttempt && (invoice.next_payment_attempt ?? 0) > now) return
  const failed = (account.attempts.get(invoice.id) ?? 0) + 1
  account.attempts.set(invoice.id, failed)
  invoice.attempt_count = failed
  const days = account.billing.retryDays[failed - 1]
  invoice.next_payment_attempt = days === undefined ? null : now + days * DAY
  if (invoice.next_payment_attempt !== null) {
    account.at(invoice.next_payment_attempt, () => retry(account, invoice))
  }
}

function isRetryDue(account: StripeAccount, { next_payment_attempt: planned }: Stripe.Invoice): boolean {
  return planned !== null && planned <= account.now()
}

function retry(account: StripeAccount, invoice: Stripe.Invoice): void {
  if (invoice.status !== 'open' || invoice.auto_advance !== true || !isRetryDue(account, invoice)) return
  const intent = intentOf(account, invoice)
  // The buyer is still being asked: that counts as another failed attempt.
  if (intent?.status === 'requires_action') followPayment(account, invoice, intent, 'requires_action')
  else collectInvoice(account, invoice)
}

/** A draft goes on by itself when its time has come: final, and then collected. */
export function advanceDraft(account: StripeAccount, invoice: Stripe.Invoice): void {
  const due = invoice.automatically_finalizes_at
  if (invoice.status !== 'draft' || invoice.auto_advance !== true || due === null || due > account.now()) return
  if (account.find('customer', idOf(invoice.customer) ?? '')?.deleted === true) return
  const pause = subscriptionOf(account, invoice)?.pause_collection ?? null
  finalizeInvoice(account, invoice)
  if (hasStatus(invoice, 'paid')) return
  if (pause?.behavior === 'void') voidInvoice(account, invoice)
  else if (pause?.behavior === 'mark_uncollectible') markUncollectible(account, invoice)
  else if (invoice.collection_method === 'charge_automatically') collectInvoice(account, invoice)
}

/** Finalising changes the status; asked through a function so that tsc does not take the old one for granted. */
function hasStatus(invoice: Stripe.Invoice, status: string): boolean {
  return invoice.status === status
}

/**
 * The invoice is paid: by this intent, or without one (nothing to pay).
 *
 * `invoice.payment_succeeded` is the twin of `invoice.paid`; it is not sent for payments outside of Stripe.
 */
export function markPaid(
  account: StripeAccount,
  invoice: Stripe.Invoice,
  intent: Stripe.PaymentIntent | null,
  isOutOfBand = false,
): void {
  const before = {
    status: invoice.status,
    amount_paid: invoice.amount_paid,
    amount_remaining: invoice.amount_remaining,
  }
  invoice.status = 'paid'
  invoice.attempted = true
  invoice.auto_advance = false
  invoice.next_payment_attempt = null
  invoice.amount_paid = invoice.amount_due
  invoice.amount_remaining = 0
  if (isOutOfBand) invoice.amount_paid_off_stripe = invoice.amount_due
  invoice.status_transitions.paid_at = account.now()
  const payment = paymentOf(account, invoice)
  if (payment !== undefined && intent !== null) {
    payment.status = 'paid'
    payment.amount_paid = intent.amount_received
    payment.status_transitions.paid_at = account.now()
    account.emit('invoice_payment.paid', payment)
  } else cancelPayment(account, invoice)
  rememberPaymentMethod(account, invoice, intent)
  afterInvoicePaid(account, invoice)
  if (intent !== null || isOutOfBand) account.emit('invoice.updated', invoice, before)
  account.emit('invoice.paid', invoice)
  if (!isOutOfBand) account.emit('invoice.payment_succeeded', invoice)
}

/** The merchant got the money elsewhere: no charge, and no `invoice.payment_succeeded`. @throws {ApiError} 400: not open. */
export function payOutOfBand(account: StripeAccount, invoice: Stripe.Invoice): void {
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible') throw notOpen(invoice, 'pay')
  markPaid(account, invoice, null, true)
}

/** @throws {ApiError} 400: it is neither open nor uncollectible. */
export function voidInvoice(account: StripeAccount, invoice: Stripe.Invoice): void {
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible') throw notOpen(invoice, 'void')
  const before = invoice.status
  close(account, invoice, 'void')
  invoice.status_transitions.voided_at = account.now()
  invoice.amount_remaining = 0
  afterInvoiceClosed(account, invoice)
  account.emit('invoice.voided', invoice)
  account.emit('invoice.updated', invoice, { status: before })
}

/** @throws {ApiError} 400: it is not open. */
export function markUncollectible(account: StripeAccount, invoice: Stripe.Invoice): void {
  if (invoice.status !== 'open') throw notOpen(invoice, 'mark as uncollectible')
  invoice.status = 'uncollectible'
  invoice.next_payment_attempt = null
  invoice.auto_advance = false
  invoice.status_details = { uncollectible: { reason: null } }
  invoice.status_transitions.marked_uncollectible_at = account.now()
  afterInvoiceClosed(account, invoice)
  account.emit('invoice.marked_uncollectible', invoice)
  account.emit('invoice.updated', invoice, { status: 'open' })
}

/** The payment that was asked for an invoice, if any was. */
export function paymentOf(account: StripeAccount, invoice: Stripe.Invoice): Stripe.InvoicePayment | undefined {
  return account.all('invoice_payment').find((payment) => payment.invoice === invoice.id)
}

export function intentOf(account: StripeAccount, invoice: Stripe.Invoice): Stripe.PaymentIntent | undefined {
  return account.find('payment_intent', idOf(paymentOf(account, invoice)?.payment.payment_intent) ?? '')
}

/** What an invoice is collected from without being told: its own, the subscription's or the customer's default. */
export function defaultPaymentMethod(
  account: StripeAccount,
  invoice: Stripe.Invoice,
): Stripe.PaymentMethod | undefined {
  const ids = [
    idOf(invoice.default_payment_method),
    idOf(subscriptionOf(account, invoice)?.default_payment_method),
    idOf(customerOf(account, invoice).invoice_settings.default_payment_method),
  ]
  return account.find('payment_method', ids.find((id) => id !== null) ?? '')
}

function close(account: StripeAccount, invoice: Stripe.Invoice, status: 'void'): void {
  invoice.status = status
  invoice.auto_advance = false
  invoice.next_payment_attempt = null
  cancelPayment(account, invoice)
}

/** Nobody pays by this intent any more. */
function cancelPayment(account: StripeAccount, invoice: Stripe.Invoice): void {
  const payment = paymentOf(account, invoice)
  const intent = intentOf(account, invoice)
  if (payment === undefined || payment.status !== 'open') return
  payment.status = 'canceled'
  payment.status_transitions.canceled_at = account.now()
  if (intent !== undefined && intent.status !== 'canceled') cancelPaymentIntent(account, intent, 'void_invoice')
}

/** `save_default_payment_method: 'on_subscription'`: what paid first pays from then on. */
function rememberPaymentMethod(
  account: StripeAccount,
  invoice: Stripe.Invoice,
  intent: Stripe.PaymentIntent | null,
): void {
  const subscription = subscriptionOf(account, invoice)
  if (intent === null || subscription?.payment_settings?.save_default_payment_method !== 'on_subscription') return
  subscription.default_payment_method ??= idOf(intent.payment_method)
}

function statusCode({ status }: Stripe.Invoice): string | undefined {
  return status === 'paid' ? 'invoice_already_paid' : undefined
}

function notOpen({ status }: Stripe.Invoice, action: string) {
  return refused(`You can only ${action} an open invoice. This invoice is ${String(status)}.`)
}
