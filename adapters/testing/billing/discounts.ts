import type Stripe from 'stripe'
import { invalidRequest } from '../api-error.js'
import { shares } from '../checkout-totals.js'
import { idOf, type StripeAccount } from '../stripe-account.js'
import { addIntervals } from './periods.js'

/** A coupon or promotion code as callers name it. */
interface GivenDiscount {
  coupon?: string
  discount?: string
  promotion_code?: string
}

interface DiscountOwner {
  customer: string
  subscription: string | null
  invoice?: string | null
  checkoutSession?: string | null
}

/** The coupon behind what a caller names. @throws {ApiError} 400: there is none, or it is no longer valid. */
export function couponOf(
  account: StripeAccount,
  given: GivenDiscount,
  param: string,
): { coupon: Stripe.Coupon; promotionCode: string | null } {
  if (given.promotion_code !== undefined) {
    const name = `${param}[promotion_code]`
    const code = account.get('promotion_code', given.promotion_code, name, 400)
    if (!code.active) throw invalidRequest('This promotion code is no longer active.', name)
    return { coupon: account.get('coupon', idOf(code.promotion.coupon) ?? '', name, 400), promotionCode: code.id }
  }
  return { coupon: account.get('coupon', given.coupon ?? '', `${param}[coupon]`, 400), promotionCode: null }
}

/** Grant discounts; a `discount` that exists already is taken over. Redeeming counts. */
export function redeem(
  account: StripeAccount,
  given: readonly GivenDiscount[],
  owner: DiscountOwner,
  param = 'discounts',
): string[] {
  const resolved = given.map((entry, index) => ({ entry, name: `${param}[${index}]` }))
  return resolved.map(({ entry, name }) => {
    if (entry.discount !== undefined) return account.get('discount', entry.discount, `${name}[discount]`, 400).id
    const { coupon, promotionCode } = couponOf(account, entry, name)
    const months = coupon.duration === 'repeating' ? (coupon.duration_in_months ?? 1) : null
    const discount = {
      id: account.newId('di'),
      object: 'discount',
      checkout_session: owner.checkoutSession ?? null,
      customer: owner.customer,
      customer_account: null,
      end: months === null ? null : addIntervals(account.now(), { interval: 'month', interval_count: 1 }, months),
      invoice: owner.invoice ?? null,
      invoice_item: null,
      promotion_code: promotionCode,
      source: { coupon: coupon.id, type: 'coupon' },
      start: account.now(),
      subscription: owner.subscription,
      subscription_item: null,
    } satisfies Stripe.Discount
    account.put('discount', discount)
    coupon.times_redeemed += 1
    const code = account.find('promotion_code', promotionCode ?? '')
    if (code !== undefined) code.times_redeemed += 1
    if (owner.subscription !== null) account.emit('customer.discount.created', discount)
    return discount.id
  })
}

/** Those of the subscription's discounts that still count now. */
export function activeDiscounts(account: StripeAccount, subscription: Stripe.Subscription): string[] {
  const ids = subscription.discounts.map((entry) => idOf(entry) ?? '')
  return ids.filter((id) => {
    const end = account.find('discount', id)?.end ?? null
    return end === null || end > account.now()
  })
}

/** A discount for one charge is over once an invoice has used it; one that ran out is gone too. */
export function dropUsedDiscounts(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  invoice: Stripe.Invoice,
): void {
  const used = new Set(
    (invoice.total_discount_amounts ?? []).filter(({ amount }) => amount > 0).map(({ discount }) => idOf(discount)),
  )
  subscription.discounts = activeDiscounts(account, subscription).filter(
    (id) => couponOfDiscount(account, id)?.duration !== 'once' || !used.has(id),
  )
}

/** What the discounts take off each of the amounts, in minor units; one row per discount. */
export function discountShares(
  account: StripeAccount,
  discounts: readonly string[],
  amounts: readonly number[],
): { discount: string; shares: number[] }[] {
  const left = [...amounts]
  return discounts.map((discount) => {
    const coupon = couponOfDiscount(account, discount)
    const total = left.reduce((sum, amount) => sum + amount, 0)
    const percent = coupon?.percent_off ?? 0
    const offs =
      percent > 0
        ? left.map((amount) => Math.round((amount * percent) / 100))
        : shares(Math.min(coupon?.amount_off ?? 0, total), left)
    offs.forEach((off, index) => {
      left[index] = (left[index] ?? 0) - off
    })
    return { discount, shares: offs }
  })
}

function couponOfDiscount(account: StripeAccount, discountId: string): Stripe.Coupon | undefined {
  return account.find('coupon', idOf(account.find('discount', discountId)?.source.coupon) ?? '')
}
