import type Stripe from 'stripe'
import { refused } from '../api-error.js'
import { createInvoiceItem, invoiceItemLine } from '../billing/invoice-lines.js'
import { sumUp } from '../billing/invoices.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata, type StripeAccount } from '../stripe-account.js'

const create = route<Stripe.InvoiceItemCreateParams>('POST /v1/invoiceitems', {
  gives: 'invoiceitem',
  parameters: {
    amount: rule.integer(),
    currency: rule.currency,
    customer: rule.required(rule.text()),
    customer_account: rule.unsupported,
    description: rule.text(),
    discountable: rule.boolean,
    discounts: rule.unsupported,
    expand: rule.expand,
    invoice: rule.text(),
    metadata: rule.metadata,
    period: rule.objectOf<Stripe.InvoiceItemCreateParams.Period>({
      end: rule.required(rule.integer(0)),
      start: rule.required(rule.integer(0)),
    }),
    price_data: rule.unsupported,
    pricing: rule.objectOf<Stripe.InvoiceItemCreateParams.Pricing>({ price: rule.text() }),
    quantity: rule.integer(0, 999_999),
    quantity_decimal: rule.unsupported,
    subscription: rule.text(),
    tax_behavior: rule.ignored,
    tax_code: rule.ignored,
    tax_rates: rule.unsupported,
    unit_amount_decimal: rule.unsupported,
  },
  handle: ({ account, params }) => {
    const customer = account.customer(params.customer ?? '').id
    return account.inTimeOf(customer, () => add(account, customer, params))
  },
})

/** On the draft it names, or waiting for the next invoice. */
function add(account: StripeAccount, customer: string, params: Stripe.InvoiceItemCreateParams): Stripe.InvoiceItem {
  const named = params.pricing?.price
  const price = named === undefined ? null : account.get('price', named, 'pricing[price]', 400)
  const quantity = params.quantity ?? 1
  const amount = params.amount ?? (price?.unit_amount ?? 0) * quantity
  const currency = params.currency ?? price?.currency
  if (currency === undefined) throw rule.missing('currency')
  const invoice = params.invoice === undefined ? undefined : account.get('invoice', params.invoice, 'invoice', 400)
  if (invoice !== undefined && invoice.status !== 'draft') {
    throw refused('This invoice is no longer editable', 'invoice_not_editable')
  }
  const product = account.find('product', idOf(price?.product) ?? '')
  const entry = createInvoiceItem(account, {
    customer,
    amount,
    currency,
    description: params.description ?? product?.name ?? null,
    period: params.period ?? { start: account.now(), end: account.now() },
    discountable: params.discountable ?? amount >= 0,
    metadata: mergeMetadata({}, params.metadata),
    price,
    quantity,
    subscription: params.subscription ?? null,
  })
  if (invoice === undefined) return entry
  account.invoiceLines.get(invoice.id)?.push(invoiceItemLine(account, entry))
  sumUp(account, invoice)
  return entry
}

const retrieve = route<Stripe.InvoiceItemRetrieveParams>('GET /v1/invoiceitems/:id', {
  gives: 'invoiceitem',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('invoiceitem', id),
})

const remove = route<Stripe.InvoiceItemDeleteParams>('DELETE /v1/invoiceitems/:id', {
  gives: 'invoiceitem',
  parameters: {},
  handle: ({ account, id }) => {
    const entry = account.get('invoiceitem', id)
    if (entry.invoice !== null) throw refused('You can only delete invoice items that are not on an invoice here.')
    account.remove('invoiceitem', id)
    account.emit('invoiceitem.deleted', entry)
    return { id, object: 'invoiceitem', deleted: true } satisfies Stripe.DeletedInvoiceItem
  },
})

const list = route<Stripe.InvoiceItemListParams>('GET /v1/invoiceitems', {
  gives: 'invoiceitem',
  list: true,
  parameters: {
    ...rule.listRules,
    created: rule.createdRange,
    customer: rule.text(),
    customer_account: rule.unsupported,
    invoice: rule.text(),
    pending: rule.boolean,
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('invoiceitem')
      .filter(
        (entry) =>
          (params.customer === undefined || idOf(entry.customer) === params.customer) &&
          (params.invoice === undefined || idOf(entry.invoice) === params.invoice) &&
          (params.pending === undefined || (entry.invoice === null) === params.pending) &&
          isCreatedIn(entry.date, params.created),
      )
    return page(matching.reverse(), params, '/v1/invoiceitems')
  },
})

export const invoiceItems: Resource = {
  routes: [create, retrieve, remove, list],
  expandable: { invoiceitem: { customer: reference('customer'), invoice: reference('invoice') } },
}
