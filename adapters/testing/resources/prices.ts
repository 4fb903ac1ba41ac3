import type Stripe from 'stripe'
import { invalidRequest, refused } from '../api-error.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { mergeMetadata, type StripeAccount } from '../stripe-account.js'
import { createProduct } from './products.js'

/** @throws {ApiError} 400: no product, or no amount. */
export function createPrice(account: StripeAccount, params: Stripe.PriceCreateParams): Stripe.Price {
  if ((params.product === undefined) === (params.product_data === undefined)) {
    throw invalidRequest('You must specify exactly one of `product` or `product_data`.', 'product', 'parameter_missing')
  }
  if (params.unit_amount === undefined) throw rule.missing('unit_amount')
  if (params.lookup_key !== undefined) takeLookupKey(account, params.lookup_key, params.transfer_lookup_key ?? false)
  const product =
    params.product_data !== undefined
      ? createProduct(account, params.product_data)
      : account.get('product', params.product ?? '', 'product', 400)
  const price = {
    id: account.newId('price'),
    object: 'price',
    active: params.active ?? true,
    billing_scheme: 'per_unit',
    created: account.now(),
    currency: params.currency,
    custom_unit_amount: null,
    livemode: account.livemode,
    lookup_key: params.lookup_key ?? null,
    metadata: mergeMetadata({}, params.metadata),
    nickname: params.nickname ?? null,
    product: product.id,
    recurring: params.recurring === undefined ? null : recurringOf(params.recurring),
    tax_behavior: params.tax_behavior ?? 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: params.recurring === undefined ? 'one_time' : 'recurring',
    unit_amount: params.unit_amount,
    unit_amount_decimal: decimalOnTheWire(params.unit_amount),
  } satisfies Stripe.Price
  account.put('price', price)
  account.emit('price.created', price)
  return price
}

function recurringOf(given: Stripe.PriceCreateParams.Recurring): Stripe.Price.Recurring {
  return {
    interval: given.interval,
    interval_count: given.interval_count ?? 1,
    meter: null,
    trial_period_days: null,
    usage_type: given.usage_type ?? 'licensed',
  }
}

/** On the wire a decimal is a text; the SDK makes its `Decimal` of it, so the type is the SDK's. */
export function decimalOnTheWire(amount: number): Stripe.Decimal {
  return String(amount) as unknown as Stripe.Decimal
}

function takeLookupKey(account: StripeAccount, key: string, transfer: boolean): void {
  const holder = account.all('price').find((price) => price.lookup_key === key && price.active)
  if (holder === undefined) return
  if (!transfer) throw refused(`A price (${holder.id}) already uses that lookup key.`, undefined, 'lookup_key')
  holder.lookup_key = null
}

const create = route<Stripe.PriceCreateParams>('POST /v1/prices', {
  gives: 'price',
  parameters: {
    currency: rule.required(rule.currency),
    active: rule.boolean,
    billing_scheme: rule.builtOneOf(['per_unit'], ['tiered']),
    currency_options: rule.unsupported,
    custom_unit_amount: rule.unsupported,
    expand: rule.expand,
    lookup_key: rule.text(200),
    metadata: rule.metadata,
    nickname: rule.text(),
    product: rule.text(),
    product_data: rule.objectOf<Stripe.PriceCreateParams.ProductData>({
      name: rule.required(rule.text()),
      active: rule.boolean,
      id: rule.text(),
      metadata: rule.metadata,
      statement_descriptor: rule.text(22),
      tax_code: rule.text(),
      tax_details: rule.ignored,
      unit_label: rule.text(12),
    }),
    recurring: rule.objectOf<Stripe.PriceCreateParams.Recurring>({
      interval: rule.required(rule.oneOf('day', 'month', 'week', 'year')),
      interval_count: rule.integer(1),
      meter: rule.unsupported,
      trial_period_days: rule.unsupported,
      usage_type: rule.builtOneOf(['licensed'], ['metered']),
    }),
    tax_behavior: rule.oneOf('exclusive', 'inclusive', 'unspecified'),
    tiers: rule.unsupported,
    tiers_mode: rule.unsupported,
    transfer_lookup_key: rule.boolean,
    transform_quantity: rule.unsupported,
    unit_amount: rule.amount,
    unit_amount_decimal: rule.unsupported,
  },
  handle: ({ account, params }) => createPrice(account, params),
})

const retrieve = route<Stripe.PriceRetrieveParams>('GET /v1/prices/:id', {
  gives: 'price',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('price', id, 'price'),
})

const update = route<Stripe.PriceUpdateParams>('POST /v1/prices/:id', {
  gives: 'price',
  parameters: {
    active: rule.boolean,
    currency_options: rule.unsupported,
    expand: rule.expand,
    lookup_key: rule.text(200),
    metadata: rule.metadata,
    nickname: rule.text(),
    tax_behavior: rule.oneOf('exclusive', 'inclusive', 'unspecified'),
    transfer_lookup_key: rule.boolean,
  },
  handle: ({ account, params, id }) => {
    const price = account.get('price', id, 'price')
    if (params.lookup_key !== undefined && params.lookup_key !== price.lookup_key) {
      takeLookupKey(account, params.lookup_key, params.transfer_lookup_key ?? false)
      price.lookup_key = params.lookup_key
    }
    if (params.active !== undefined) price.active = params.active
    if (params.nickname !== undefined) price.nickname = params.nickname
    price.metadata = mergeMetadata(price.metadata, params.metadata)
    account.emit('price.updated', price)
    return price
  },
})

const list = route<Stripe.PriceListParams>('GET /v1/prices', {
  gives: 'price',
  list: true,
  parameters: {
    ...rule.listRules,
    active: rule.boolean,
    created: rule.createdRange,
    currency: rule.currency,
    lookup_keys: rule.listOf(rule.text(), 10),
    product: rule.text(),
    recurring: rule.objectOf<Stripe.PriceListParams.Recurring>({
      interval: rule.oneOf('day', 'month', 'week', 'year'),
      meter: rule.unsupported,
      usage_type: rule.oneOf('licensed', 'metered'),
    }),
    type: rule.oneOf('one_time', 'recurring'),
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('price')
      .filter(
        (price) =>
          (params.active === undefined || price.active === params.active) &&
          (params.currency === undefined || price.currency === params.currency) &&
          (params.product === undefined || price.product === params.product) &&
          (params.type === undefined || price.type === params.type) &&
          (params.recurring?.interval === undefined || price.recurring?.interval === params.recurring.interval) &&
          (params.recurring?.usage_type === undefined || price.recurring?.usage_type === params.recurring.usage_type) &&
          (params.lookup_keys === undefined || params.lookup_keys.includes(price.lookup_key ?? '')) &&
          isCreatedIn(price.created, params.created),
      )
    return page(matching.reverse(), params, '/v1/prices')
  },
})

export const prices: Resource = {
  routes: [create, retrieve, update, list],
  expandable: { price: { product: reference('product') } },
}
