import type Stripe from 'stripe'
import { invalidRequest, notImplemented } from '../api-error.js'
import { reference } from '../expand.js'
import { page } from '../lists.js'
import * as rule from '../parameters.js'
import { attachPaymentMethod, createPaymentMethod, detachPaymentMethod, findPaymentMethod } from '../payment-methods.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata, type StripeAccount } from '../stripe-account.js'
import { isTestPaymentMethod, testPaymentMethodOfCard, testPaymentMethodOfIban } from '../test-payment-methods.js'

const billingDetails = rule.objectOf<Stripe.PaymentMethodCreateParams.BillingDetails>({
  address: rule.ignored,
  email: rule.emptyable(rule.text(512)),
  name: rule.emptyable(rule.text()),
  phone: rule.emptyable(rule.text()),
  tax_id: rule.ignored,
})
const redisplay = rule.oneOf('always', 'limited', 'unspecified')

/** Stripe knows many types; this server makes cards and the two bank debits. */
const otherTypes = rule.each(
  rule.unsupported,
  ...(['acss_debit', 'affirm', 'afterpay_clearpay', 'alipay', 'alma', 'amazon_pay', 'au_becs_debit'] as const),
  ...(['bacs_debit', 'bancontact', 'billie', 'bizum', 'blik', 'boleto', 'cashapp', 'crypto', 'custom'] as const),
  ...(['customer_balance', 'eps', 'fpx', 'giropay', 'grabpay', 'ideal', 'interac_present', 'kakao_pay'] as const),
  ...(['klarna', 'konbini', 'kr_card', 'link', 'mb_way', 'mobilepay', 'multibanco', 'naver_pay'] as const),
  ...(['nz_bank_account', 'oxxo', 'p24', 'pay_by_bank', 'payco', 'paynow', 'paypal', 'paypay', 'payto'] as const),
  ...(['pix', 'promptpay', 'revolut_pay', 'samsung_pay', 'satispay', 'scalapay', 'sequra', 'sofort'] as const),
  ...(['sunbit', 'swish', 'twint', 'upi', 'wechat_pay', 'zip'] as const),
)

/** A card by number or token; Stripe's test numbers behave as it documents. */
const cardRule = rule.objectOf<Stripe.PaymentMethodCreateParams.Card & { token?: string }>({
  cvc: rule.text(4),
  exp_month: rule.integer(1, 12),
  exp_year: rule.integer(2_000),
  networks: rule.ignored,
  number: rule.text(19),
  token: rule.text(),
})

const create = route<Stripe.PaymentMethodCreateParams>('POST /v1/payment_methods', {
  gives: 'payment_method',
  parameters: {
    ...otherTypes,
    allow_redisplay: redisplay,
    billing_details: billingDetails,
    card: cardRule,
    customer: rule.unsupported,
    expand: rule.expand,
    metadata: rule.metadata,
    payment_method: rule.unsupported,
    radar_options: rule.ignored,
    sepa_debit: rule.objectOf({ iban: rule.required(rule.text()) }),
    type: rule.required(rule.text()),
    us_bank_account: rule.ignored,
  },
  handle: ({ account, params }) => {
    const method = createPaymentMethod(account, behaviourOf(params), params.billing_details)
    if (params.allow_redisplay !== undefined) method.allow_redisplay = params.allow_redisplay
    method.metadata = mergeMetadata({}, params.metadata)
    return method
  },
})

function behaviourOf({ type, card, sepa_debit: debit }: Stripe.PaymentMethodCreateParams): string {
  if (type === 'us_bank_account') return 'pm_usBankAccount_success'
  if (type === 'sepa_debit') return testPaymentMethodOfIban(debit?.iban ?? '')
  if (type !== 'card') throw notImplemented(`payment methods of type ${String(type)}`)
  if (card === undefined) throw rule.missing('card')
  const given = 'token' in card && typeof card.token === 'string' ? card.token : ('number' in card && card.number) || ''
  const behaviour = testPaymentMethodOfCard(given)
  if (behaviour === undefined) throw invalidRequest('Your card number is incorrect.', 'number', 'incorrect_number')
  return behaviour
}

const retrieve = route<Stripe.PaymentMethodRetrieveParams>('GET /v1/payment_methods/:id', {
  gives: 'payment_method',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => existingOrNew(account, id),
})

const update = route<Stripe.PaymentMethodUpdateParams>('POST /v1/payment_methods/:id', {
  gives: 'payment_method',
  parameters: {
    allow_redisplay: redisplay,
    billing_details: billingDetails,
    card: rule.objectOf<Stripe.PaymentMethodUpdateParams.Card>({
      exp_month: rule.integer(1, 12),
      exp_year: rule.integer(2_000),
      networks: rule.ignored,
    }),
    expand: rule.expand,
    metadata: rule.metadata,
    us_bank_account: rule.ignored,
  },
  handle: ({ account, params, id }) => {
    const method = findPaymentMethod(account, id, 'payment_method', 404)
    const { email, name, phone } = params.billing_details ?? {}
    if (email !== undefined) method.billing_details.email = email
    if (name !== undefined) method.billing_details.name = name
    if (phone !== undefined) method.billing_details.phone = phone
    if (method.card !== undefined) {
      method.card.exp_month = params.card?.exp_month ?? method.card.exp_month
      method.card.exp_year = params.card?.exp_year ?? method.card.exp_year
    }
    if (params.allow_redisplay !== undefined) method.allow_redisplay = params.allow_redisplay
    method.metadata = mergeMetadata(method.metadata ?? {}, params.metadata)
    account.emit('payment_method.updated', method)
    return method
  },
})

const attach = route<Stripe.PaymentMethodAttachParams>('POST /v1/payment_methods/:id/attach', {
  gives: 'payment_method',
  parameters: { customer: rule.text(), customer_account: rule.unsupported, expand: rule.expand },
  handle: ({ account, params, id }) => {
    if (params.customer === undefined) throw rule.missing('customer')
    const customer = account.customer(params.customer)
    const method = existingOrNew(account, id)
    account.inTimeOf(customer.id, () => attachPaymentMethod(account, method, customer.id))
    return method
  },
})

const detach = route<Stripe.PaymentMethodDetachParams>('POST /v1/payment_methods/:id/detach', {
  gives: 'payment_method',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => {
    const method = findPaymentMethod(account, id, 'payment_method', 404)
    account.inTimeOf(idOf(method.customer), () => detachPaymentMethod(account, method))
    return method
  },
})

const list = route<Stripe.PaymentMethodListParams>('GET /v1/payment_methods', {
  gives: 'payment_method',
  list: true,
  parameters: {
    ...rule.listRules,
    allow_redisplay: redisplay,
    customer: rule.text(),
    customer_account: rule.unsupported,
    type: rule.text(),
  },
  handle: ({ account, params }) => {
    const customer = params.customer === undefined ? null : account.customer(params.customer).id
    return page(methodsOf(account, customer, params), params, '/v1/payment_methods')
  },
})

const listOfCustomer = route<Stripe.CustomerListPaymentMethodsParams>('GET /v1/customers/:id/payment_methods', {
  gives: 'payment_method',
  list: true,
  parameters: { ...rule.listRules, allow_redisplay: redisplay, type: rule.text() },
  handle: ({ account, params, id }) => {
    const customer = account.customer(id, 'customer', 404)
    return page(methodsOf(account, customer.id, params), params, `/v1/customers/${id}/payment_methods`)
  },
})

const retrieveOfCustomer = route<Stripe.CustomerRetrievePaymentMethodParams>(
  'GET /v1/customers/:id/payment_methods/:part',
  {
    gives: 'payment_method',
    parameters: { expand: rule.expand },
    handle: ({ account, id, part }) => {
      const customer = account.customer(id, 'customer', 404)
      const method = account.find('payment_method', part)
      // One of another customer is answered like one that does not exist.
      return method !== undefined && idOf(method.customer) === customer.id
        ? method
        : findPaymentMethod(account, `${part} of ${id}`, 'payment_method', 404)
    },
  },
)

/** Newest first. Without a customer Stripe lists none: unattached ones cannot be listed. */
function methodsOf(
  account: StripeAccount,
  customer: string | null,
  { type, allow_redisplay: redisplay }: { type?: string; allow_redisplay?: string },
): Stripe.PaymentMethod[] {
  return account
    .all('payment_method')
    .filter((method) => customer !== null && idOf(method.customer) === customer)
    .filter((method) => type === undefined || method.type === type)
    .filter((method) => redisplay === undefined || method.allow_redisplay === redisplay)
    .reverse()
}

function existingOrNew(account: StripeAccount, id: string): Stripe.PaymentMethod {
  return isTestPaymentMethod(id)
    ? createPaymentMethod(account, id)
    : findPaymentMethod(account, id, 'payment_method', 404)
}

export const paymentMethods: Resource = {
  routes: [create, retrieve, update, attach, detach, list, listOfCustomer, retrieveOfCustomer],
  expandable: { payment_method: { customer: reference('customer') } },
}
