import type Stripe from 'stripe'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { mergeMetadata, type StripeAccount } from '../stripe-account.js'

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
    test_clock: null,
  } satisfies Stripe.Customer
  account.put('customer', customer)
  account.emit('customer.created', customer)
  return customer
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
    invoice_settings: rule.unsupported,
    metadata: rule.metadata,
    name: rule.text(256),
    next_invoice_sequence: rule.ignored,
    payment_method: rule.unsupported,
    phone: rule.text(20),
    preferred_locales: rule.listOf(rule.text()),
    shipping: rule.ignored,
    source: rule.unsupported,
    tax: rule.ignored,
    tax_exempt: rule.ignored,
    tax_id_data: rule.ignored,
    test_clock: rule.unsupported,
    validate: rule.boolean,
  },
  handle: ({ account, params }) => createCustomer(account, params),
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
    invoice_settings: rule.unsupported,
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
    customer.metadata = mergeMetadata(customer.metadata, params.metadata)
    account.emit('customer.updated', customer)
    return customer
  },
})

const list = route<Stripe.CustomerListParams>('GET /v1/customers', {
  gives: 'customer',
  list: true,
  parameters: { ...rule.listRules, created: rule.createdRange, email: rule.text(512), test_clock: rule.unsupported },
  handle: ({ account, params }) => {
    const matching = account
      .all('customer')
      .filter((customer): customer is Stripe.Customer => customer.deleted !== true)
      .filter((customer) => params.email === undefined || customer.email === params.email)
      .filter((customer) => isCreatedIn(customer.created, params.created))
    return page(matching.reverse(), params, '/v1/customers')
  },
})

/** Deleted customers stay retrievable as `{ deleted: true }`. */
const remove = route<Stripe.CustomerDeleteParams>('DELETE /v1/customers/:id', {
  gives: 'customer',
  parameters: {},
  handle: ({ account, id }) => {
    const customer = account.customer(id, 'id', 404)
    const deleted = { id, object: 'customer', deleted: true } satisfies Stripe.DeletedCustomer
    account.put('customer', deleted)
    account.emit('customer.deleted', customer)
    return deleted
  },
})

export const customers: Resource = {
  routes: [create, retrieve, update, list, remove],
  expandable: {},
}
