import type Stripe from 'stripe'
import { invalidRequest } from '../api-error.js'
import { applyTotals, lineItem, type Reduction } from '../checkout-totals.js'
import { expireSession } from '../checkout-actions.js'
import { formatAmount, minimumCharge } from '../currencies.js'
import { partOf, reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { createSetupIntent } from '../setup-intents.js'
import { idOf, mergeMetadata, type StripeAccount } from '../stripe-account.js'
import { blankSession } from './blank-checkout-session.js'
import { checkCreate, createRules } from './checkout-session-rules.js'
import { paymentMethodTypesRemoved } from './payment-intents.js'
import { createPrice } from './prices.js'
import { checkTogether } from './subscription-rules.js'

type CreateParams = Stripe.Checkout.SessionCreateParams
type LineItem = Stripe.Checkout.SessionCreateParams.LineItem
type PriceData = Stripe.Checkout.SessionCreateParams.LineItem.PriceData
type Discount = Stripe.Checkout.SessionCreateParams.Discount

function createSession(account: StripeAccount, params: CreateParams): Stripe.Checkout.Session {
  checkCreate(params, account.now())
  const customer = params.customer === undefined ? null : account.customer(params.customer).id
  const discount = resolveDiscount(account, params.discounts?.[0])
  const lineItems = makeLineItems(account, params.line_items ?? [], params.mode === 'subscription')
  const currency = lineItems[0]?.currency ?? params.currency ?? null
  const automaticTax = params.automatic_tax?.enabled ?? false
  const reduction: Reduction | undefined = discount && { coupon: discount.coupon }
  const hasTrial = isTrial(params.subscription_data)
  const totals = applyTotals({ lineItems, reduction, taxPercent: automaticTax ? account.taxPercent : 0, hasTrial })
  if (currency !== null && totals.total > 0 && totals.total < minimumCharge(currency)) {
    const least = formatAmount(minimumCharge(currency), currency)
    const message = `The Checkout Session's total amount due must add up to at least ${least} ${currency}`
    throw invalidRequest(message, 'line_items', 'amount_too_small')
  }
  const session = blankSession(account, params, currency)
  session.customer = customer
  if (params.mode === 'setup') {
    const { metadata, description = null } = params.setup_intent_data ?? {}
    const setup = createSetupIntent(account, { customer, description, ...(metadata !== undefined && { metadata }) })
    session.setup_intent = setup.id
  } else {
    session.amount_subtotal = totals.subtotal
    session.amount_total = totals.total
    session.total_details = { amount_discount: totals.discount, amount_shipping: 0, amount_tax: totals.tax }
  }
  session.discounts = discount
    ? [{ coupon: discount.promotionCode === null ? discount.coupon.id : null, promotion_code: discount.promotionCode }]
    : []
  account.put('checkout.session', session)
  account.checkouts.set(session.id, {
    lineItems,
    paymentIntentData: params.payment_intent_data ?? {},
    subscriptionData: params.subscription_data ?? {},
    setupIntentData: params.setup_intent_data ?? {},
    automaticTax,
  })
  account.later(session.expires_at * 1_000 - account.now() * 1_000, () => {
    if (session.status === 'open') expireSession(account, session)
  })
  return session
}

/** Whether nothing that recurs is due at once. */
export function isTrial(data: Stripe.Checkout.SessionCreateParams.SubscriptionData = {}): boolean {
  return data.trial_end !== undefined || data.trial_period_days !== undefined
}

function makeLineItems(account: StripeAccount, given: readonly LineItem[], recurs: boolean): Stripe.LineItem[] {
  const lines = given.map((line, index) => {
    const name = `line_items[${index}]`
    const price =
      line.price_data === undefined
        ? existingPrice(account, line.price ?? '', name, recurs)
        : inlinePrice(account, line.price_data)
    const product = account.find('product', idOf(price.product) ?? '')
    const item = lineItem(account, price, line.quantity ?? 1, product?.name ?? '')
    item.metadata = mergeMetadata({}, line.metadata)
    return item
  })
  if (new Set(lines.map((line) => line.currency)).size > 1) {
    throw invalidRequest('All prices on a Checkout Session must have the same currency.', 'line_items')
  }
  const recurring = lines.flatMap(({ price }) => (price?.type === 'recurring' ? [price] : []))
  if (recurs && recurring.length === 0) {
    const message = 'You must provide at least one recurring price in `subscription` mode when using prices.'
    throw invalidRequest(message, 'line_items')
  }
  checkTogether(recurring)
  return lines
}

function existingPrice(account: StripeAccount, id: string, name: string, recurs: boolean): Stripe.Price {
  const price = account.get('price', id, `${name}[price]`, 400)
  if (!price.active) {
    throw invalidRequest('The price specified is inactive. This field only accepts active prices.', `${name}[price]`)
  }
  if (price.type === 'recurring' && !recurs) {
    const message =
      'You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only ' +
      'one-time prices.'
    throw invalidRequest(message, `${name}[price]`)
  }
  return price
}

/** Stripe makes a price and a product that cannot be used again. */
function inlinePrice(account: StripeAccount, data: PriceData): Stripe.Price {
  const price = createPrice(account, {
    currency: data.currency,
    ...(data.unit_amount !== undefined && { unit_amount: data.unit_amount }),
    ...(data.product !== undefined && { product: data.product }),
    ...(data.product_data !== undefined && { product_data: { name: data.product_data.name } }),
    ...(data.tax_behavior !== undefined && { tax_behavior: data.tax_behavior }),
    ...(data.recurring !== undefined && { recurring: data.recurring }),
  })
  price.active = false
  const product = account.find('product', idOf(price.product) ?? '')
  if (product !== undefined && data.product_data !== undefined) {
    product.active = false
    product.description = data.product_data.description ?? null
    product.images = data.product_data.images ?? []
    product.metadata = mergeMetadata({}, data.product_data.metadata)
  }
  return price
}

function resolveDiscount(
  account: StripeAccount,
  given: Discount | undefined,
): { coupon: Stripe.Coupon; promotionCode: string | null } | undefined {
  if (given === undefined) return undefined
  if (given.promotion_code !== undefined) {
    const param = 'discounts[0][promotion_code]'
    const code = account.get('promotion_code', given.promotion_code, param, 400)
    if (!code.active) throw invalidRequest('This promotion code is no longer active.', param)
    return { coupon: account.get('coupon', idOf(code.promotion.coupon) ?? '', param, 400), promotionCode: code.id }
  }
  return { coupon: account.get('coupon', given.coupon ?? '', 'discounts[0][coupon]', 400), promotionCode: null }
}

const create = route<CreateParams>('POST /v1/checkout/sessions', {
  gives: 'checkout.session',
  removed: [paymentMethodTypesRemoved],
  parameters: createRules,
  handle: ({ account, params }) => createSession(account, params),
})

const retrieve = route<Stripe.Checkout.SessionRetrieveParams>('GET /v1/checkout/sessions/:id', {
  gives: 'checkout.session',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('checkout.session', id, 'session'),
})

const update = route<Stripe.Checkout.SessionUpdateParams>('POST /v1/checkout/sessions/:id', {
  gives: 'checkout.session',
  parameters: {
    collected_information: rule.unsupported,
    expand: rule.expand,
    line_items: rule.unsupported,
    metadata: rule.metadata,
    payment_intent_data: rule.unsupported,
    shipping_options: rule.unsupported,
  },
  handle: ({ account, params, id }) => {
    const session = account.get('checkout.session', id, 'session')
    session.metadata = mergeMetadata(session.metadata ?? {}, params.metadata)
    return session
  },
})

const expire = route<Stripe.Checkout.SessionExpireParams>('POST /v1/checkout/sessions/:id/expire', {
  gives: 'checkout.session',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => expireSession(account, account.get('checkout.session', id, 'session')),
})

const list = route<Stripe.Checkout.SessionListParams>('GET /v1/checkout/sessions', {
  gives: 'checkout.session',
  list: true,
  parameters: {
    ...rule.listRules,
    created: rule.createdRange,
    customer: rule.text(),
    customer_account: rule.unsupported,
    customer_details: rule.objectOf<Stripe.Checkout.SessionListParams.CustomerDetails>({
      email: rule.required(rule.text(512)),
    }),
    payment_intent: rule.text(),
    payment_link: rule.text(),
    status: rule.oneOf('complete', 'expired', 'open'),
    subscription: rule.text(),
  },
  handle: ({ account, params }) => {
    const email = params.customer_details?.email
    const matching = account
      .all('checkout.session')
      .filter(
        (session) =>
          (params.customer === undefined || idOf(session.customer) === params.customer) &&
          (params.payment_intent === undefined || idOf(session.payment_intent) === params.payment_intent) &&
          (params.status === undefined || session.status === params.status) &&
          (params.subscription === undefined || idOf(session.subscription) === params.subscription) &&
          params.payment_link === undefined &&
          (email === undefined || session.customer_details?.email === email) &&
          isCreatedIn(session.created, params.created),
      )
    return page(matching.reverse(), params, '/v1/checkout/sessions')
  },
})

const listLineItems = route<Stripe.Checkout.SessionListLineItemsParams>('GET /v1/checkout/sessions/:id/line_items', {
  gives: 'item',
  list: true,
  parameters: rule.listRules,
  handle: ({ account, params, id }) => {
    account.get('checkout.session', id, 'session')
    return page(account.checkouts.get(id)?.lineItems ?? [], params, `/v1/checkout/sessions/${id}/line_items`)
  },
})

export const checkoutSessions: Resource = {
  routes: [create, retrieve, update, expire, list, listLineItems],
  expandable: {
    'checkout.session': {
      customer: reference('customer'),
      payment_intent: reference('payment_intent'),
      invoice: reference('invoice'),
      setup_intent: reference('setup_intent'),
      subscription: reference('subscription'),
      discounts: partOf('checkout.session.discount'),
      line_items: {
        gives: 'list:item',
        make: (account, session) => {
          const id = String(session['id'])
          return page(account.checkouts.get(id)?.lineItems ?? [], {}, `/v1/checkout/sessions/${id}/line_items`)
        },
      },
    },
    'checkout.session.discount': { coupon: reference('coupon'), promotion_code: reference('promotion_code') },
    item: { price: partOf('price') },
  },
}
