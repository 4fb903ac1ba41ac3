import type Stripe from 'stripe'
import { attachPaymentMethod, paymentResult } from './payment-methods.js'
import { createBalanceTransaction } from './resources/balance-transactions.js'
import { createDispute } from './resources/disputes.js'
import { idOf, snapshot, type StripeAccount } from './stripe-account.js'
import { paymentMethodDetails, testPaymentMethod, type Declined, type PaymentResult } from './test-payment-methods.js'

/** Who pays and with what. */
export interface Payer {
  paymentMethod: Stripe.PaymentMethod
  /** The buyer is not there: a needed authentication is a decline (`authentication_required`). */
  offSession?: boolean
  email?: string | null
  name?: string | null
}

type PaymentOutcome = { kind: 'succeeded' | 'processing' | 'requires_action' } | { kind: 'declined'; decline: Declined }

const BOUNCED: Declined = {
  kind: 'declined',
  code: 'payment_intent_payment_attempt_failed',
  declineCode: 'insufficient_funds',
  adviceCode: 'try_again_later',
  message: 'The payment failed.',
}

const NOT_AUTHENTICATED: Declined = {
  kind: 'declined',
  code: 'payment_intent_authentication_failure',
  declineCode: 'authentication_not_handled',
  adviceCode: 'try_again_later',
  message:
    'The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod ' +
    'to attempt to fulfill this PaymentIntent again.',
}

/**
 * Try to pay a PaymentIntent: makes the charge, moves the intent's status, emits the events.
 *
 * The intent's metadata is copied to the charge here and only here. `force` overrides what the payment method does.
 */
export function pay(
  account: StripeAccount,
  intent: Stripe.PaymentIntent,
  payer: Payer,
  force?: PaymentResult,
): PaymentOutcome {
  const method = payer.paymentMethod
  const context = { offSession: payer.offSession === true, customer: idOf(intent.customer) }
  const result = force ?? paymentResult(account, method, context)
  intent.payment_method = method.id
  intent.last_payment_error = null
  intent.next_action = null
  if (result.kind === 'needs_authentication') {
    intent.status = 'requires_action'
    intent.next_action = { type: 'use_stripe_sdk', use_stripe_sdk: {} }
    account.emit('payment_intent.requires_action', intent)
    account.awaited.get(intent.id)?.('requires_action')
    return { kind: 'requires_action' }
  }
  const charge = createCharge(account, intent, payer)
  intent.latest_charge = charge.id
  if (result.kind === 'succeeds') {
    save(account, intent, method)
    succeed(account, intent, charge)
    return { kind: 'succeeded' }
  }
  if (result.kind === 'settles_later') {
    save(account, intent, method)
    intent.status = 'processing'
    account.emit('charge.pending', charge)
    account.emit('payment_intent.processing', intent)
    account.awaited.get(intent.id)?.('processing')
    return { kind: 'processing' }
  }
  fail(account, intent, method, result, charge)
  return { kind: 'declined', decline: result }
}

/** The buyer passes the authentication an intent waits for, or fails it. */
export function finishAuthentication(
  account: StripeAccount,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  outcome: 'succeeded' | 'failed',
): void {
  if (outcome === 'failed') {
    fail(account, intent, method, NOT_AUTHENTICATED)
    return
  }
  const { afterAuthentication } = testPaymentMethod(account.behaviours.get(method.id) ?? '')
  const result = pay(account, intent, { paymentMethod: method }, afterAuthentication ?? { kind: 'succeeds' })
  if (result.kind === 'succeeded') settleBalance(account, intent)
}

/** A bank debit that was `processing` arrives or bounces. */
export function settlePayment(
  account: StripeAccount,
  intent: Stripe.PaymentIntent,
  outcome: 'succeeded' | 'failed',
): void {
  const chargeId = idOf(intent.latest_charge)
  if (intent.status !== 'processing' || chargeId === null) {
    throw new Error(`fakeStripe: ${intent.id} is ${intent.status}, not processing; there is nothing to settle`)
  }
  const charge = account.get('charge', chargeId)
  if (outcome === 'succeeded') {
    succeed(account, intent, charge)
    attachBalanceTransaction(account, charge)
    return
  }
  fail(account, intent, account.get('payment_method', idOf(intent.payment_method) ?? ''), BOUNCED, charge)
}

/** The balance transaction of the intent's charge comes a moment after the payment. */
export function settleBalance(account: StripeAccount, intent: Stripe.PaymentIntent): void {
  const charge = account.find('charge', idOf(intent.latest_charge) ?? '')
  if (charge?.status === 'succeeded') attachBalanceTransaction(account, charge)
}

/** The balance transaction comes a moment after the payment, with `charge.updated`. */
function attachBalanceTransaction(account: StripeAccount, charge: Stripe.Charge): void {
  if (charge.balance_transaction !== null) return
  const transaction = createBalanceTransaction(account, 'charge', charge.amount_captured, charge.currency, charge.id)
  charge.balance_transaction = transaction.id
  account.emit('charge.updated', charge, { balance_transaction: null })
  const behaviour = account.behaviours.get(charge.id)
  if (behaviour === 'pm_card_createDispute') createDispute(account, { charge })
  if (behaviour === 'pm_card_createDisputeInquiry') createDispute(account, { charge, status: 'warning_needs_response' })
}

/** A payment method that is to be used again is saved; one that belongs to nobody is used up. */
function save(account: StripeAccount, intent: Stripe.PaymentIntent, method: Stripe.PaymentMethod): void {
  const customer = idOf(intent.customer)
  if (intent.setup_future_usage !== null && customer !== null) {
    attachPaymentMethod(account, method, customer)
    if (intent.setup_future_usage === 'off_session') account.setUp.add(method.id)
  } else if (method.customer === null) account.usedUp.add(method.id)
}

function succeed(account: StripeAccount, intent: Stripe.PaymentIntent, charge: Stripe.Charge): void {
  charge.status = 'succeeded'
  charge.paid = true
  charge.captured = true
  charge.amount_captured = charge.amount
  charge.outcome = outcomeOf('authorized', 'Payment complete.', null)
  intent.status = 'succeeded'
  intent.amount_received = charge.amount
  account.emit('charge.succeeded', charge)
  account.emit('payment_intent.succeeded', intent)
  account.awaited.get(intent.id)?.('succeeded')
}

function fail(
  account: StripeAccount,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  decline: Declined,
  charge?: Stripe.Charge,
): void {
  intent.status = 'requires_payment_method'
  intent.payment_method = null
  intent.next_action = null
  intent.last_payment_error = {
    type: decline === NOT_AUTHENTICATED ? 'invalid_request_error' : 'card_error',
    code: decline.code,
    decline_code: decline.declineCode,
    advice_code: decline.adviceCode,
    message: decline.message,
    payment_method: snapshot(method),
    ...(charge !== undefined && { charge: charge.id }),
  }
  if (charge !== undefined) {
    charge.status = 'failed'
    charge.failure_code = decline.code
    charge.failure_message = decline.message
    charge.outcome = outcomeOf('issuer_declined', decline.message, decline)
    account.emit('charge.failed', charge)
  }
  account.emit('payment_intent.payment_failed', intent)
  account.awaited.get(intent.id)?.('failed')
}

function outcomeOf(type: string, message: string, decline: Declined | null): Stripe.Charge.Outcome {
  return {
    advice_code: decline?.adviceCode ?? null,
    network_advice_code: null,
    network_decline_code: null,
    network_status: decline === null ? 'approved_by_network' : 'declined_by_network',
    reason: decline?.declineCode ?? null,
    risk_level: 'normal',
    risk_score: 20,
    seller_message: message,
    type,
  }
}

function createCharge(account: StripeAccount, intent: Stripe.PaymentIntent, payer: Payer): Stripe.Charge {
  const { paymentMethod } = payer
  const behaviour = account.behaviours.get(paymentMethod.id) ?? ''
  const { email, name } = paymentMethod.billing_details
  const charge = {
    id: account.newId('ch'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: {
      address: null,
      email: payer.email ?? email,
      name: payer.name ?? name,
      phone: null,
      tax_id: null,
    },
    calculated_statement_descriptor: 'LOCAL STRIPE',
    captured: false,
    created: account.now(),
    currency: intent.currency,
    customer: idOf(intent.customer),
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: account.livemode,
    metadata: { ...intent.metadata },
    on_behalf_of: null,
    outcome: null,
    paid: false,
    payment_intent: intent.id,
    payment_method: paymentMethod.id,
    payment_method_details: paymentMethodDetails(behaviour),
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: intent.statement_descriptor,
    statement_descriptor_suffix: intent.statement_descriptor_suffix,
    status: 'pending',
    transfer_data: null,
    transfer_group: null,
  } satisfies Stripe.Charge
  account.put('charge', charge)
  account.behaviours.set(charge.id, behaviour)
  return charge
}
