import type Stripe from 'stripe'
import { cancelSubscription } from '../billing/subscription-end.js'
import { hasEnded } from '../billing/subscription-cycle.js'
import { partOf, reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import {
  attachedPaymentMethod,
  attachPaymentMethod,
  detachPaymentMethod,
  usablePaymentMethod,
} from '../payment-methods.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata, type StripeAccount } from '../stripe-account.js'

export function createCustomer(account: StripeAccount, params: Stripe.CustomerCreateParams): Stripe.Customer {
  const customer = {
    id: account.newId('cus', 14),
    object: 'customer',
    address: null,
    balance: params.balance ?? 0,
    created: account.now(),
    currency: null,
    default_source: null,
    delinquent: false,
    description: params.description ?? null,
    discount: null,
    email: params.email ?? null,
    invoice_prefix: account.newId('', 8).slice(1).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: account.livemode,
    metadata: mergeMetadata({}, params.metadata),
    name: params.name ?? null,
    next_invoice_sequence: 1,
    phone: params.phone ?? null,
    preferred_locales: params.preferred_locales ?? [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: params.test_clock ?? null,
  } satisfies Stripe.Customer
  account.put('customer', customer)
  return account.inTimeOf(customer.id, () => {
    customer.created = account.now()
    account.emit('customer.created', customer)
    return customer
  })
}

const invoiceSettings = rule.objectOf<Stripe.CustomerUpdateParams.InvoiceSettings>({
  custom_fields: rule.ignored,
  default_payment_method: rule.emptyable(rule.text()),
  footer: rule.ignored,
  rendering_options: rule.ignored,
})

/** Make an attached payment method the one that invoices are collected from. */
function setDefault(account: StripeAccount, customer: Stripe.Customer, id: string | null | undefined): void {
  if (id === undefined) return
  customer.invoice_settings.default_payment_method =
    id === null || id === ''
      ? null
      : attachedPaymentMethod(account, id, customer.id, 'invoice_settings[default_payment_method]').id
}

const create = route<Stripe.CustomerCreateParams>('POST /v1/customers', {
  gives: 'customer',
  parameters: {
    address: rule.ignored,
    balance: rule.integer(),
    business_name: rule.ignored,
    cash_balance: rule.ignored,
    description: rule.text(),
    email: rule.text(512),
    expand: rule.expand,
    individual_name: rule.ignored,
    invoice_prefix: rule.ignored,
    invoice_settings: invoiceSettings,
    metadata: rule.metadata,
    name: rule.text(256),
    next_invoice_sequence: rule.ignored,
    payment_method: rule.text(),
    phone: rule.text(20),
    preferred_locales: rule.listOf(rule.text()),
    shipping: rule.ignored,
    source: rule.unsupported,
    tax: rule.ignored,
    tax_exempt: rule.ignored,
    tax_id_data: rule.ignored,
    test_clock: rule.text(),
    validate: rule.boolean,
  },
  handle: ({ account, params }) => {
    if (params.test_clock !== undefined) account.get('test_helpers.test_clock', params.test_clock, 'test_clock', 400)
    const named = params.payment_method
    const method = named === undefined ? undefined : usablePaymentMethod(account, named, null)
    const customer = createCustomer(account, params)
    if (method !== undefined) attachPaymentMethod(account, method, customer.id)
    const chosen = params.invoice_settings?.default_payment_method
    // The name of a test payment method stands for the one it was given by.
    setDefault(account, customer, chosen !== undefined && chosen === named ? method?.id : chosen)
    return customer
  },
})

const retrieve = route<Stripe.CustomerRetrieveParams>('GET /v1/customers/:id', {
  gives: 'customer',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('customer', id),
})

const update = route<Stripe.CustomerUpdateParams>('POST /v1/customers/:id', {
  gives: 'customer',
  parameters: {
    address: rule.ignored,
    balance: rule.integer(),
    business_name: rule.ignored,
    cash_balance: rule.ignored,
    default_source: rule.unsupported,
    description: rule.emptyable(rule.text()),
    email: rule.emptyable(rule.text(512)),
    expand: rule.expand,
    individual_name: rule.ignored,
    invoice_prefix: rule.ignored,
    invoice_settings: invoiceSettings,
    metadata: rule.metadata,
    name: rule.emptyable(rule.text(256)),
    next_invoice_sequence: rule.ignored,
    phone: rule.emptyable(rule.text(20)),
    preferred_locales: rule.listOf(rule.text()),
    shipping: rule.ignored,
    source: rule.unsupported,
    tax: rule.ignored,
    tax_exempt: rule.ignored,
    validate: rule.boolean,
  },
  handle: ({ account, params, id }) => {
    const customer = account.customer(id, 'id', 404)
    if (params.balance !== undefined) customer.balance = params.balance
    if (params.description !== undefined) customer.description = params.description
    if (params.email !== undefined) customer.email = params.email
    if (params.name !== undefined) customer.name = params.name
    if (params.phone !== undefined) customer.phone = params.phone
    setDefault(account, customer, params.invoice_settings?.default_payment_method)
    customer.metadata = mergeMetadata(customer.metadata, params.metadata)
    account.inTimeOf(id, () => account.emit('customer.updated', customer))
    return customer
  },
})

const list = route<Stripe.CustomerListParams>('GET /v1/customers', {
  gives: 'customer',
  list: true,
  parameters: { ...rule.listRules, created: rule.createdRange, email: rule.text(512), test_clock: rule.text() },
  handle: ({ account, params }) => {
    const matching = account
      .all('customer')
      .filter((customer): customer is Stripe.Customer => customer.deleted !== true)
      .filter((customer) => params.email === undefined || customer.email === params.email)
      .filter((customer) => params.test_clock === undefined || idOf(customer.test_clock) === params.test_clock)
      .filter((customer) => isCreatedIn(customer.created, params.created))
    return page(matching.reverse(), params, '/v1/customers')
  },
})

/** Subscriptions end at once and payment methods are detached. The customer stays retrievable as `{ deleted: true }`. */
const remove = route<Stripe.CustomerDeleteParams>('DELETE /v1/customers/:id', {
  gives: 'customer',
  parameters: {},
  handle: ({ account, id }) => {
    const customer = account.customer(id, 'id', 404)
    const deleted = { id, object: 'customer', deleted: true } satisfies Stripe.DeletedCustomer
    account.inTimeOf(id, () => {
      for (const subscription of account.all('subscription')) {
        if (idOf(subscription.customer) === id && !hasEnded(subscription)) cancelSubscription(account, subscription)
      }
      for (const method of account.all('payment_method')) {
        if (idOf(method.customer) === id) detachPaymentMethod(account, method)
      }
      account.put('customer', deleted)
      account.emit('customer.deleted', customer)
    })
    return deleted
  },
})

export const customers: Resource = {
  routes: [create, retrieve, update, list, remove],
  expandable: {
    customer: {
      invoice_settings: partOf('customer.invoice_settings'),
      test_clock: reference('test_helpers.test_clock'),
    },
    'customer.invoice_settings': { default_payment_method: reference('payment_method') },
  },
}
