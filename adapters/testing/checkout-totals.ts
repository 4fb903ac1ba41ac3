import type Stripe from 'stripe'
import type { StripeAccount } from './stripe-account.js'

/** What lowers the price: a coupon, or an amount of this session's currency in minor units. */
export type Reduction = { coupon: Stripe.Coupon } | { amountOff: number }

/** How a checkout session's amounts come about. */
interface TotalsInput {
  lineItems: Stripe.LineItem[]
  reduction?: Reduction | undefined
  /** Tax in minor units; wins over `taxPercent`. */
  tax?: number | undefined
  taxPercent: number
  /** The session starts a trial: what recurs costs nothing now. */
  hasTrial?: boolean
}

/** Amounts of a session, in minor units. */
interface Totals {
  subtotal: number
  discount: number
  tax: number
  total: number
}

/** One line of a session. */
export function lineItem(account: StripeAccount, price: Stripe.Price, quantity: number, name: string): Stripe.LineItem {
  const subtotal = (price.unit_amount ?? 0) * quantity
  return {
    id: account.newId('li'),
    object: 'item',
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: subtotal,
    amount_tax: 0,
    amount_total: subtotal,
    currency: price.currency,
    description: name,
    metadata: {},
    price,
    quantity,
  } satisfies Stripe.LineItem
}

/** Add up the lines and write each line's share of discount and tax into it. Tax comes on top. */
export function applyTotals({ lineItems, reduction, tax, taxPercent, hasTrial }: TotalsInput): Totals {
  for (const line of lineItems) {
    const isFree = hasTrial === true && line.price?.type === 'recurring'
    line.amount_subtotal = isFree ? 0 : (line.price?.unit_amount ?? 0) * (line.quantity ?? 1)
  }
  const subtotals = lineItems.map((line) => line.amount_subtotal)
  const subtotal = sum(subtotals)
  const discount = discountOf(reduction, subtotal)
  const discounts = shares(discount, subtotals)
  const nets = subtotals.map((amount, index) => amount - (discounts[index] ?? 0))
  const totalTax = tax ?? Math.round(((subtotal - discount) * taxPercent) / 100)
  const taxes = shares(totalTax, nets)
  lineItems.forEach((line, index) => {
    line.amount_discount = discounts[index] ?? 0
    line.amount_tax = taxes[index] ?? 0
    line.amount_total = line.amount_subtotal - line.amount_discount + line.amount_tax
  })
  return { subtotal, discount, tax: totalTax, total: subtotal - discount + totalTax }
}

function discountOf(reduction: Reduction | undefined, subtotal: number): number {
  if (reduction === undefined) return 0
  if ('amountOff' in reduction) return Math.min(reduction.amountOff, subtotal)
  const { amount_off, percent_off } = reduction.coupon
  const off = amount_off ?? Math.round((subtotal * (percent_off ?? 0)) / 100)
  return Math.min(off, subtotal)
}

/** Split `whole` in proportion to `weights`; the last line takes what rounding leaves. */
export function shares(whole: number, weights: readonly number[]): number[] {
  const total = sum(weights)
  let left = whole
  return weights.map((weight, index) => {
    const share = index === weights.length - 1 ? left : total === 0 ? 0 : Math.floor((whole * weight) / total)
    left -= share
    return share
  })
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}
