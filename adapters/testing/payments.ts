import type Stripe from 'stripe'
import { createBalanceTransaction } from './resources/balance-transactions.js'
import { idOf, type StripeAccount } from './stripe-account.js'
import { paymentMethodDetails, testPaymentMethod, type PaymentResult } from './test-payment-methods.js'

/** Who pays and with what. */
export interface Payer {
  /** A test payment method: `pm_card_visa`. */
  paymentMethod: string
  /** The buyer is not there: a needed authentication is a decline (`authentication_required`). */
  offSession?: boolean
  email?: string | null
  name?: string | null
}

type Declined = Extract<PaymentResult, { kind: 'declined' }>
type PaymentOutcome = { kind: 'succeeded' | 'processing' | 'requires_action' } | { kind: 'declined'; decline: Declined }

const AUTHENTICATION_REQUIRED: Declined = {
  kind: 'declined',
  code: 'authentication_required',
  declineCode: 'authentication_required',
  adviceCode: 'confirm_card_data',
  message: 'Your card was declined. This transaction requires authentication.',
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
  const result = force ?? testPaymentMethod(payer.paymentMethod).pays
  intent.payment_method = payer.paymentMethod
  intent.last_payment_error = null
  intent.next_action = null
  if (result.kind === 'needs_authentication' && payer.offSession !== true) {
    intent.status = 'requires_action'
    intent.next_action = { type: 'use_stripe_sdk' }
    account.emit('payment_intent.requires_action', intent)
    return { kind: 'requires_action' }
  }
  const charge = createCharge(account, intent, payer)
  intent.latest_charge = charge.id
  if (result.kind === 'succeeds') {
    succeed(account, intent, charge)
    return { kind: 'succeeded' }
  }
  if (result.kind === 'settles_later') {
    intent.status = 'processing'
    account.emit('charge.pending', charge)
    account.emit('payment_intent.processing', intent)
    return { kind: 'processing' }
  }
  const decline = result.kind === 'declined' ? result : AUTHENTICATION_REQUIRED
  fail(account, intent, charge, decline)
  return { kind: 'declined', decline }
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
  fail(account, intent, charge, {
    kind: 'declined',
    code: 'payment_intent_payment_attempt_failed',
    declineCode: 'insufficient_funds',
    adviceCode: 'try_again_later',
    message: 'The payment failed.',
  })
}

/** The balance transaction comes a moment after the payment, with `charge.updated`. */
export function attachBalanceTransaction(account: StripeAccount, charge: Stripe.Charge): void {
  if (charge.balance_transaction !== null) return
  const transaction = createBalanceTransaction(account, 'charge', charge.amount_captured, charge.currency, charge.id)
  charge.balance_transaction = transaction.id
  account.emit('charge.updated', charge, { balance_transaction: null })
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
}

function fail(account: StripeAccount, intent: Stripe.PaymentIntent, charge: Stripe.Charge, decline: Declined): void {
  charge.status = 'failed'
  charge.failure_code = decline.code
  charge.failure_message = decline.message
  charge.outcome = outcomeOf('issuer_declined', decline.message, decline)
  intent.status = 'requires_payment_method'
  intent.payment_method = null
  intent.last_payment_error = {
    type: 'card_error',
    code: decline.code,
    decline_code: decline.declineCode,
    advice_code: decline.adviceCode,
    message: decline.message,
    charge: charge.id,
  }
  account.emit('charge.failed', charge)
  account.emit('payment_intent.payment_failed', intent)
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
    billing_details: { address: null, email: payer.email ?? null, name: payer.name ?? null, phone: null, tax_id: null },
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
    payment_method: payer.paymentMethod,
    payment_method_details: paymentMethodDetails(payer.paymentMethod),
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
  account.paidWith.set(charge.id, payer.paymentMethod)
  return charge
}
