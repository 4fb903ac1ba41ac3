import type Stripe from 'stripe'
import { formatAmount } from '../currencies.js'
import { decimalOnTheWire } from '../resources/prices.js'
import { idOf, type StripeAccount } from '../stripe-account.js'
import { dayOf, type Period } from './periods.js'

interface NewLine {
  amount: number
  currency: string
  description: string
  discountable: boolean
  metadata: Stripe.Metadata
  parent: Stripe.InvoiceLineItem.Parent
  period: Period
  price: Stripe.Price | null
  quantity: number
  subscription: string | null
}

function newLine(account: StripeAccount, given: NewLine): Stripe.InvoiceLineItem {
  const { price } = given
  return {
    id: account.newId('il'),
    object: 'line_item',
    amount: given.amount,
    currency: given.currency,
    description: given.description,
    discount_amounts: [],
    discountable: given.discountable,
    discounts: [],
    invoice: null,
    livemode: account.livemode,
    metadata: { ...given.metadata },
    parent: given.parent,
    period: given.period,
    pretax_credit_amounts: [],
    pricing: price === null ? null : pricingOf(price),
    quantity: given.quantity,
    quantity_decimal: decimalOnTheWire(given.quantity),
    subscription: given.subscription,
    subtotal: given.amount,
    taxes: [],
  } satisfies Stripe.InvoiceLineItem
}

/** What a subscription's item costs for a whole period. In a trial that is nothing. */
export function periodLine(
  account: StripeAccount,
  subscription: Stripe.Subscription,
  item: Stripe.SubscriptionItem,
  period: Period,
  amount = costOf(item),
): Stripe.InvoiceLineItem {
  const { price } = item
  const name = productName(account, price)
  const isTrial = subscription.status === 'trialing'
  const every = `at ${formatAmount(price.unit_amount ?? 0, price.currency)} / ${intervalName(price)}`
  return newLine(account, {
    amount: isTrial ? 0 : amount,
    currency: subscription.currency,
    description: isTrial
      ? `Free trial for ${item.quantity ?? 1} × ${name}`
      : `${item.quantity ?? 1} × ${name} (${every})`,
    discountable: true,
    metadata: subscription.metadata,
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: { credited_items: null },
        subscription: subscription.id,
        subscription_item: item.id,
      },
      type: 'subscription_item_details',
    },
    period,
    price,
    quantity: item.quantity ?? 1,
    subscription: subscription.id,
  })
}

/** The line of an invoice item: something added by hand, a one-time price, or a proration. */
export function invoiceItemLine(account: StripeAccount, entry: Stripe.InvoiceItem): Stripe.InvoiceLineItem {
  const details = entry.parent?.subscription_details ?? null
  const subscription = details?.subscription ?? null
  const itemId = details?.subscription_item
  const price = account.find('price', idOf(entry.pricing?.price_details?.price) ?? '') ?? null
  const proration = {
    proration: entry.proration,
    proration_details: { credited_items: null },
    subscription,
  }
  return newLine(account, {
    amount: entry.amount,
    currency: entry.currency,
    description: entry.description ?? '',
    discountable: entry.discountable,
    metadata: entry.metadata ?? {},
    parent:
      entry.proration && itemId !== undefined
        ? {
            invoice_item_details: null,
            subscription_item_details: { ...proration, invoice_item: entry.id, subscription_item: itemId },
            type: 'subscription_item_details',
          }
        : {
            invoice_item_details: { ...proration, invoice_item: entry.id },
            subscription_item_details: null,
            type: 'invoice_item_details',
          },
    period: entry.period,
    price,
    quantity: entry.quantity,
    subscription,
  })
}

interface NewInvoiceItem {
  customer: string
  amount: number
  currency: string
  description: string | null
  period: Period
  discountable?: boolean
  metadata?: Stripe.Metadata
  price?: Stripe.Price | null
  quantity?: number
  subscription?: string | null
  /** With `subscription`: makes it a proration of this item. */
  prorationOf?: string
}

/** Something that waits for the customer's next invoice. */
export function createInvoiceItem(account: StripeAccount, given: NewInvoiceItem): Stripe.InvoiceItem {
  const price = given.price ?? null
  const subscription = given.subscription ?? null
  const entry = {
    id: account.newId('ii'),
    object: 'invoiceitem',
    amount: given.amount,
    currency: given.currency,
    customer: given.customer,
    customer_account: null,
    date: account.now(),
    description: given.description,
    discountable: given.discountable ?? true,
    discounts: [],
    invoice: null,
    livemode: account.livemode,
    metadata: { ...given.metadata },
    net_amount: given.amount,
    parent:
      subscription === null
        ? null
        : {
            subscription_details: {
              subscription,
              ...(given.prorationOf !== undefined && { subscription_item: given.prorationOf }),
            },
            type: 'subscription_details',
          },
    period: given.period,
    pricing: price === null ? null : pricingOf(price),
    proration: given.prorationOf !== undefined,
    quantity: given.quantity ?? 1,
    quantity_decimal: decimalOnTheWire(given.quantity ?? 1),
    tax_rates: [],
    test_clock: null,
  } satisfies Stripe.InvoiceItem
  account.put('invoiceitem', entry)
  account.emit('invoiceitem.created', entry)
  return entry
}

/** What an item costs for a whole period, before discounts. */
export function costOf({ price, quantity }: Pick<Stripe.SubscriptionItem, 'price' | 'quantity'>): number {
  return (price.unit_amount ?? 0) * (quantity ?? 1)
}

/** `Unused time on 2 × Pro after 22 Nov 2026`. */
export function prorationDescription(
  account: StripeAccount,
  kind: 'Unused' | 'Remaining',
  { price, quantity }: Pick<Stripe.SubscriptionItem, 'price' | 'quantity'>,
  time: number,
): string {
  const count = (quantity ?? 1) > 1 ? `${quantity ?? 1} × ` : ''
  return `${kind} time on ${count}${productName(account, price)} after ${dayOf(time)}`
}

function pricingOf(price: Stripe.Price) {
  return {
    price_details: { price: price.id, product: idOf(price.product) ?? '' },
    type: 'price_details',
    unit_amount_decimal: price.unit_amount_decimal,
  } satisfies Stripe.InvoiceLineItem.Pricing
}

function productName(account: StripeAccount, price: Stripe.Price): string {
  return account.find('product', idOf(price.product) ?? '')?.name ?? 'Item'
}

function intervalName({ recurring }: Stripe.Price): string {
  const { interval = 'month', interval_count: count = 1 } = recurring ?? {}
  return count === 1 ? interval : `every ${count} ${interval}s`
}
