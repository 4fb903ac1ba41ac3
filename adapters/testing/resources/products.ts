import type Stripe from 'stripe'
import { refused } from '../api-error.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { mergeMetadata, type StripeAccount } from '../stripe-account.js'
import { createPrice } from './prices.js'

type CreateParams = Pick<Stripe.ProductCreateParams, 'name'> & Omit<Partial<Stripe.ProductCreateParams>, 'name'>

export function createProduct(account: StripeAccount, params: CreateParams): Stripe.Product {
  if (params.id !== undefined && account.find('product', params.id) !== undefined) {
    throw refused('Product already exists.', 'resource_already_exists', 'id')
  }
  const product = {
    id: params.id ?? account.newId('prod', 14),
    object: 'product',
    active: params.active ?? true,
    created: account.now(),
    default_price: null,
    description: params.description ?? null,
    images: params.images ?? [],
    livemode: account.livemode,
    marketing_features: [],
    metadata: mergeMetadata({}, params.metadata),
    name: params.name,
    package_dimensions: null,
    shippable: params.shippable ?? null,
    statement_descriptor: params.statement_descriptor ?? null,
    tax_code: params.tax_code ?? null,
    tax_details: null,
    type: params.type ?? 'service',
    unit_label: params.unit_label ?? null,
    updated: account.now(),
    url: params.url ?? null,
  } satisfies Stripe.Product
  account.put('product', product)
  account.emit('product.created', product)
  return product
}

const create = route<Stripe.ProductCreateParams>('POST /v1/products', {
  gives: 'product',
  parameters: {
    name: rule.required(rule.text()),
    active: rule.boolean,
    default_price_data: rule.objectOf<Stripe.ProductCreateParams.DefaultPriceData>({
      currency: rule.required(rule.currency),
      currency_options: rule.unsupported,
      custom_unit_amount: rule.unsupported,
      metadata: rule.metadata,
      recurring: rule.objectOf<Stripe.ProductCreateParams.DefaultPriceData.Recurring>({
        interval: rule.required(rule.oneOf('day', 'month', 'week', 'year')),
        interval_count: rule.integer(1),
      }),
      tax_behavior: rule.oneOf('exclusive', 'inclusive', 'unspecified'),
      unit_amount: rule.amount,
      unit_amount_decimal: rule.unsupported,
    }),
    description: rule.text(),
    expand: rule.expand,
    id: rule.text(),
    images: rule.listOf(rule.url, 8),
    marketing_features: rule.ignored,
    metadata: rule.metadata,
    package_dimensions: rule.ignored,
    shippable: rule.boolean,
    statement_descriptor: rule.text(22),
    tax_code: rule.text(),
    tax_details: rule.ignored,
    type: rule.oneOf('good', 'service'),
    unit_label: rule.text(12),
    url: rule.url,
  },
  handle: ({ account, params }) => {
    const product = createProduct(account, params)
    if (params.default_price_data !== undefined) {
      const { currency, unit_amount, metadata, recurring } = params.default_price_data
      const price = createPrice(account, {
        currency,
        product: product.id,
        ...(unit_amount !== undefined && { unit_amount }),
        ...(metadata !== undefined && { metadata }),
        ...(recurring !== undefined && { recurring }),
      })
      product.default_price = price.id
    }
    return product
  },
})

const retrieve = route<Stripe.ProductRetrieveParams>('GET /v1/products/:id', {
  gives: 'product',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('product', id),
})

const update = route<Stripe.ProductUpdateParams>('POST /v1/products/:id', {
  gives: 'product',
  parameters: {
    active: rule.boolean,
    default_price: rule.text(),
    description: rule.emptyable(rule.text()),
    expand: rule.expand,
    images: rule.emptyable(rule.listOf(rule.url, 8)),
    marketing_features: rule.ignored,
    metadata: rule.metadata,
    name: rule.text(),
    package_dimensions: rule.ignored,
    shippable: rule.boolean,
    statement_descriptor: rule.text(22),
    tax_code: rule.emptyable(rule.text()),
    tax_details: rule.ignored,
    unit_label: rule.emptyable(rule.text(12)),
    url: rule.emptyable(rule.url),
  },
  handle: ({ account, params, id }) => {
    const product = account.get('product', id)
    if (params.active !== undefined) product.active = params.active
    if (params.name !== undefined) product.name = params.name
    if (params.description !== undefined) product.description = params.description
    if (params.images !== undefined) product.images = Array.isArray(params.images) ? params.images : []
    if (params.default_price !== undefined) {
      product.default_price = account.get('price', params.default_price, 'default_price', 400).id
    }
    product.metadata = mergeMetadata(product.metadata, params.metadata)
    product.updated = account.now()
    account.emit('product.updated', product)
    return product
  },
})

const list = route<Stripe.ProductListParams>('GET /v1/products', {
  gives: 'product',
  list: true,
  parameters: {
    ...rule.listRules,
    active: rule.boolean,
    created: rule.createdRange,
    ids: rule.listOf(rule.text()),
    shippable: rule.boolean,
    type: rule.text(),
    url: rule.text(),
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('product')
      .filter(
        (product) =>
          (params.active === undefined || product.active === params.active) &&
          (params.ids === undefined || params.ids.includes(product.id)) &&
          (params.url === undefined || product.url === params.url) &&
          (params.type === undefined || product.type === params.type) &&
          (params.shippable === undefined || product.shippable === params.shippable) &&
          isCreatedIn(product.created, params.created),
      )
    return page(matching.reverse(), params, '/v1/products')
  },
})

const remove = route<Stripe.ProductDeleteParams>('DELETE /v1/products/:id', {
  gives: 'product',
  parameters: {},
  handle: ({ account, id }) => {
    const product = account.get('product', id)
    if (account.all('price').some((price) => price.product === id)) {
      throw refused('This product cannot be deleted because it has one or more user-created prices.')
    }
    account.remove('product', id)
    account.emit('product.deleted', product)
    return { id, object: 'product', deleted: true } satisfies Stripe.DeletedProduct
  },
})

export const products: Resource = {
  routes: [create, retrieve, update, list, remove],
  expandable: { product: { default_price: reference('price') } },
}
