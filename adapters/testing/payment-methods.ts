import type Stripe from 'stripe'
import { ApiError, invalidRequest, refused } from './api-error.js'
import { idOf, snapshot, type StripeAccount } from './stripe-account.js'
import {
  AUTHENTICATION_REQUIRED,
  cardOf,
  isTestPaymentMethod,
  testPaymentMethod,
  type Declined,
  type PaymentResult,
} from './test-payment-methods.js'

interface PaymentContext {
  /** The buyer is not there. */
  offSession: boolean
  customer: string | null
}

/** A new payment method that behaves as a test payment method does. There is no event for it. */
export function createPaymentMethod(
  account: StripeAccount,
  behaviour: string,
  billing: { email?: string | null; name?: string | null } = {},
): Stripe.PaymentMethod {
  const { type, last4 } = testPaymentMethod(behaviour)
  const method = {
    id: account.newId('pm'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: {
      address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
      email: billing.email ?? null,
      name: billing.name ?? null,
      phone: null,
      tax_id: null,
    },
    ...(type === 'card' && {
      card: {
        ...cardOf(behaviour),
        display_brand: cardOf(behaviour).brand,
        fingerprint: account.newId('', 16).slice(1),
        generated_from: null,
        networks: { available: [cardOf(behaviour).brand], preferred: null },
        regulated_status: 'unregulated',
        three_d_secure_usage: { supported: true },
        wallet: null,
      },
    }),
    ...(type === 'sepa_debit' && {
      sepa_debit: {
        bank_code: '37040044',
        branch_code: null,
        country: 'DE',
        fingerprint: account.newId('', 16).slice(1),
        generated_from: { charge: null, setup_attempt: null },
        last4,
      },
    }),
    created: account.now(),
    customer: null,
    customer_account: null,
    livemode: account.livemode,
    metadata: {},
    type,
  } satisfies Stripe.PaymentMethod
  account.put('payment_method', method)
  account.behaviours.set(method.id, behaviour)
  return method
}

/**
 * The payment method a parameter names: an existing one, or a new one for the name of a test payment method.
 *
 * @throws {ApiError} 400: there is none, it was detached or used up, or it belongs to another customer.
 */
export function usablePaymentMethod(
  account: StripeAccount,
  id: string,
  customer: string | null,
  param = 'payment_method',
): Stripe.PaymentMethod {
  if (isTestPaymentMethod(id)) return createPaymentMethod(account, id)
  const method = findPaymentMethod(account, id, param, 400)
  if (account.usedUp.has(id)) {
    throw refused(
      'The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a ' +
        'connected account without Customer attachment, or was detached from a Customer. It may not be used again. To ' +
        'use a PaymentMethod multiple times, you must attach it to a Customer first.',
    )
  }
  const owner = idOf(method.customer)
  if (owner === null || owner === customer) return method
  throw refused(
    `The payment method ${id} belongs to the Customer ${owner}. Please include the Customer in the \`customer\` ` +
      'parameter on the PaymentIntent.',
    undefined,
    param,
  )
}

/** The payment method with this id. @throws {ApiError} `resource_missing`, worded as Stripe does. */
export function findPaymentMethod(
  account: StripeAccount,
  id: string,
  param: string,
  status: 400 | 404,
): Stripe.PaymentMethod {
  const method = account.find('payment_method', id)
  if (method !== undefined) return method
  const { body } = invalidRequest(`No such PaymentMethod: '${id}'`, param, 'resource_missing')
  throw new ApiError(status, body)
}

/** One that belongs to this customer already. @throws {ApiError} 400: it does not. */
export function attachedPaymentMethod(
  account: StripeAccount,
  id: string,
  customer: string,
  param: string,
): Stripe.PaymentMethod {
  const method = isTestPaymentMethod(id) ? undefined : findPaymentMethod(account, id, param, 400)
  if (method !== undefined && idOf(method.customer) === customer) return method
  // Stripe takes the names of test payment methods only where they can be attached.
  const message =
    `The customer does not have a payment method with the ID ${id}. The payment method must be attached to the ` +
    'customer.'
  throw refused(message, 'resource_missing', param)
}

/**
 * Save a payment method on a customer, with `payment_method.attached`. Nothing happens when it is there already.
 *
 * @throws {ApiError} 402: the card's bank refuses; 400: it was detached or belongs to somebody else.
 */
export function attachPaymentMethod(account: StripeAccount, method: Stripe.PaymentMethod, customer: string): void {
  const owner = idOf(method.customer)
  if (owner === customer) return
  if (owner !== null) throw refused('The payment method you provided has already been attached to a customer.')
  if (account.usedUp.has(method.id)) {
    throw refused(
      'This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, ' +
        'and may not be used again.',
    )
  }
  const { saves } = testPaymentMethod(account.behaviours.get(method.id) ?? '')
  if (saves !== undefined) throw cardError(saves, { payment_method: snapshot(method) })
  method.customer = customer
  account.emit('payment_method.attached', method)
}

/** Take it away from its customer for good; it is nobody's default any more. */
export function detachPaymentMethod(account: StripeAccount, method: Stripe.PaymentMethod): void {
  const owner = idOf(method.customer)
  if (owner === null) {
    throw refused('The payment method you provided is not attached to a customer so detachment is impossible.')
  }
  method.customer = null
  account.usedUp.add(method.id)
  const customer = account.find('customer', owner)
  if (customer !== undefined && customer.deleted !== true) {
    const settings = customer.invoice_settings
    if (idOf(settings.default_payment_method) === method.id) settings.default_payment_method = null
  }
  for (const subscription of account.all('subscription')) {
    if (idOf(subscription.default_payment_method) === method.id) subscription.default_payment_method = null
  }
  account.emit('payment_method.detached', method, { customer: owner })
}

/** What paying with it comes to. */
export function paymentResult(
  account: StripeAccount,
  method: Stripe.PaymentMethod,
  { offSession, customer }: PaymentContext,
): PaymentResult {
  const override = account.failing.get(method.id) ?? account.failing.get(customer ?? '')
  const behaviour = testPaymentMethod(override ?? account.behaviours.get(method.id) ?? '')
  const pays = offSession ? (behaviour.paysOffSession ?? behaviour.pays) : behaviour.pays
  if (pays.kind !== 'needs_authentication') return pays
  if (behaviour.isFreedBySetup === true && account.setUp.has(method.id)) return { kind: 'succeeds' }
  return offSession ? AUTHENTICATION_REQUIRED : pays
}

/** 402: the bank said no. Kept under the idempotency key. */
export function cardError(
  decline: Declined,
  objects: { charge?: string; payment_intent?: object; payment_method?: object; setup_intent?: object } = {},
): ApiError {
  const body = {
    type: 'card_error' as const,
    code: decline.code,
    decline_code: decline.declineCode,
    advice_code: decline.adviceCode,
    message: decline.message,
    ...objects,
  }
  return new ApiError(402, body, true)
}
