import type Stripe from 'stripe'
import { invalidRequest, refused } from '../api-error.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata } from '../stripe-account.js'

const createCoupon = route<Stripe.CouponCreateParams>('POST /v1/coupons', {
  gives: 'coupon',
  parameters: {
    amount_off: rule.integer(1, 99_999_999),
    applies_to: rule.unsupported,
    currency: rule.currency,
    currency_options: rule.unsupported,
    duration: rule.oneOf('forever', 'once', 'repeating'),
    duration_in_months: rule.integer(1),
    expand: rule.expand,
    id: rule.text(),
    max_redemptions: rule.integer(1),
    metadata: rule.metadata,
    name: rule.text(40),
    percent_off: rule.decimal(0.01, 100),
    redeem_by: rule.integer(0),
  },
  handle: ({ account, params }) => {
    if ((params.amount_off === undefined) === (params.percent_off === undefined)) {
      throw invalidRequest('Must specify exactly one of percent_off and amount_off', 'percent_off')
    }
    if (params.amount_off !== undefined && params.currency === undefined) throw rule.missing('currency')
    if (params.id !== undefined && account.find('coupon', params.id) !== undefined) {
      throw refused('Coupon already exists.', 'resource_already_exists', 'id')
    }
    const coupon = {
      id: params.id ?? account.newId('', 8).slice(1),
      object: 'coupon',
      amount_off: params.amount_off ?? null,
      created: account.now(),
      currency: params.amount_off === undefined ? null : (params.currency ?? null),
      duration: params.duration ?? 'once',
      duration_in_months: params.duration_in_months ?? null,
      livemode: account.livemode,
      max_redemptions: params.max_redemptions ?? null,
      metadata: mergeMetadata({}, params.metadata),
      name: params.name ?? null,
      percent_off: params.percent_off ?? null,
      redeem_by: params.redeem_by ?? null,
      times_redeemed: 0,
      valid: true,
    } satisfies Stripe.Coupon
    account.put('coupon', coupon)
    account.emit('coupon.created', coupon)
    return coupon
  },
})

const retrieveCoupon = route<Stripe.CouponRetrieveParams>('GET /v1/coupons/:id', {
  gives: 'coupon',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('coupon', id, 'coupon'),
})

const listCoupons = route<Stripe.CouponListParams>('GET /v1/coupons', {
  gives: 'coupon',
  list: true,
  parameters: { ...rule.listRules, created: rule.createdRange },
  handle: ({ account, params }) => {
    const matching = account.all('coupon').filter((coupon) => isCreatedIn(coupon.created, params.created))
    return page(matching.reverse(), params, '/v1/coupons')
  },
})

const deleteCoupon = route<Stripe.CouponDeleteParams>('DELETE /v1/coupons/:id', {
  gives: 'coupon',
  parameters: {},
  handle: ({ account, id }) => {
    const coupon = account.get('coupon', id, 'coupon')
    account.remove('coupon', id)
    account.emit('coupon.deleted', coupon)
    return { id, object: 'coupon', deleted: true } satisfies Stripe.DeletedCoupon
  },
})

const createPromotionCode = route<Stripe.PromotionCodeCreateParams>('POST /v1/promotion_codes', {
  gives: 'promotion_code',
  parameters: {
    promotion: rule.required(
      rule.objectOf<Stripe.PromotionCodeCreateParams.Promotion>({
        type: rule.required(rule.oneOf('coupon')),
        coupon: rule.text(),
      }),
    ),
    active: rule.boolean,
    code: rule.text(500),
    customer: rule.text(),
    customer_account: rule.unsupported,
    expand: rule.expand,
    expires_at: rule.integer(0),
    max_redemptions: rule.integer(1),
    metadata: rule.metadata,
    restrictions: rule.unsupported,
  },
  handle: ({ account, params }) => {
    const coupon = account.get('coupon', params.promotion.coupon ?? '', 'promotion[coupon]', 400)
    const code = params.code ?? account.newId('', 8).slice(1).toUpperCase()
    const isTaken = account.all('promotion_code').some((other) => other.active && sameCode(other.code, code))
    if (isTaken) throw refused(`An active promotion code with \`code: ${code}\` already exists.`, undefined, 'code')
    const promotionCode = {
      id: account.newId('promo'),
      object: 'promotion_code',
      active: params.active ?? true,
      code,
      created: account.now(),
      customer: params.customer === undefined ? null : account.customer(params.customer).id,
      customer_account: null,
      expires_at: params.expires_at ?? null,
      livemode: account.livemode,
      max_redemptions: params.max_redemptions ?? null,
      metadata: mergeMetadata({}, params.metadata),
      promotion: { type: 'coupon', coupon: coupon.id },
      restrictions: { first_time_transaction: false, minimum_amount: null, minimum_amount_currency: null },
      times_redeemed: 0,
    } satisfies Stripe.PromotionCode
    account.put('promotion_code', promotionCode)
    account.emit('promotion_code.created', promotionCode)
    return promotionCode
  },
})

const retrievePromotionCode = route<Stripe.PromotionCodeRetrieveParams>('GET /v1/promotion_codes/:id', {
  gives: 'promotion_code',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('promotion_code', id, 'promotion_code'),
})

const listPromotionCodes = route<Stripe.PromotionCodeListParams>('GET /v1/promotion_codes', {
  gives: 'promotion_code',
  list: true,
  parameters: {
    ...rule.listRules,
    active: rule.boolean,
    code: rule.text(500),
    coupon: rule.text(),
    created: rule.createdRange,
    customer: rule.text(),
    customer_account: rule.unsupported,
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('promotion_code')
      .filter(
        (entry) =>
          (params.active === undefined || entry.active === params.active) &&
          (params.code === undefined || sameCode(entry.code, params.code)) &&
          (params.coupon === undefined || idOf(entry.promotion.coupon) === params.coupon) &&
          (params.customer === undefined || idOf(entry.customer) === params.customer) &&
          isCreatedIn(entry.created, params.created),
      )
    return page(matching.reverse(), params, '/v1/promotion_codes')
  },
})

/** Buyers may type a code in any case. */
function sameCode(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

export const coupons: Resource = {
  routes: [
    createCoupon,
    retrieveCoupon,
    listCoupons,
    deleteCoupon,
    createPromotionCode,
    retrievePromotionCode,
    listPromotionCodes,
  ],
  expandable: { promotion_code: { customer: reference('customer') } },
}
