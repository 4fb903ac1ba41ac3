import type Stripe from 'stripe'
import { refused } from '../api-error.js'
import { minimumCharge } from '../currencies.js'
import { page } from '../lists.js'
import { createPaymentIntent } from '../payment-intents.js'
import { idOf, snapshot, type StripeAccount } from '../stripe-account.js'
import { activeDiscounts, discountShares } from './discounts.js'
import { invoiceItemLine } from './invoice-lines.js'
import { followPayment, markPaid } from './invoice-collection.js'
import { DAY, type Period } from './periods.js'

/** The address of an invoice's page is this and the invoice's id. */
export const INVOICE_PATH = '/i/'

/** What an invoice starts from. */
interface NewInvoice {
  customer: string
  subscription: Stripe.Subscription | null
  currency: string
  reason: Stripe.Invoice.BillingReason
  lines: Stripe.InvoiceLineItem[]
  period: Period
  /** Ids of discounts. Default the subscription's. */
  discounts?: string[]
  /** Whether it goes on by itself; default yes. */
  autoAdvance?: boolean
  /** When it is finalised by itself, in seconds since 1970. */
  finalizesAt?: number | null
  collectionMethod?: Stripe.Invoice.CollectionMethod
  daysUntilDue?: number | null
  description?: string | null
  metadata?: Stripe.Metadata
  automaticTax?: boolean
}

/** A draft, with what waits for the customer's next invoice already on it. */
export function draftInvoice(account: StripeAccount, given: NewInvoice): Stripe.Invoice {
  const invoice = blankInvoice(account, given)
  account.put('invoice', invoice)
  account.invoiceLines.set(invoice.id, given.lines)
  customerOf(account, invoice).currency ??= given.currency
  sumUp(account, invoice)
  account.emit('invoice.created', invoice)
  return invoice
}

/** An invoice as it would be, stored nowhere. */
export function previewInvoice(account: StripeAccount, given: NewInvoice): Stripe.Invoice {
  const invoice = blankInvoice(account, given)
  invoice.id = invoice.id.replace('in_', 'upcoming_in_')
  addUp(account, invoice, given.lines)
  return invoice
}

/** Put the customer's pending invoice items on the invoice: the subscription's own, and those of none. */
export function pendingLines(
  account: StripeAccount,
  customer: string,
  currency: string,
  subscription: string | null,
): Stripe.InvoiceLineItem[] {
  const pending = account.all('invoiceitem').filter((entry) => {
    const owner = entry.parent?.subscription_details?.subscription ?? null
    const fits = owner === null || owner === subscription
    return entry.invoice === null && entry.customer === customer && entry.currency === currency && fits
  })
  return pending.map((entry) => invoiceItemLine(account, entry))
}

/** Write the totals anew: after lines, discounts or quantities have changed. */
export function sumUp(account: StripeAccount, invoice: Stripe.Invoice): void {
  const lines = account.invoiceLines.get(invoice.id) ?? []
  for (const line of lines) {
    line.invoice = invoice.id
    const itemId =
      line.parent?.invoice_item_details?.invoice_item ?? line.parent?.subscription_item_details?.invoice_item ?? ''
    const entry = account.find('invoiceitem', itemId)
    if (entry !== undefined) entry.invoice = invoice.id
  }
  addUp(account, invoice, lines)
}

function addUp(account: StripeAccount, invoice: Stripe.Invoice, lines: Stripe.InvoiceLineItem[]): void {
  const discounts = invoice.discounts.map((entry) => idOf(entry) ?? '')
  const bases = lines.map((line) => (line.discountable ? Math.max(0, line.amount) : 0))
  const rows = discountShares(account, discounts, bases)
  lines.forEach((line, index) => {
    line.discount_amounts = rows.flatMap(({ discount, shares }) =>
      line.discountable ? [{ amount: shares[index] ?? 0, discount }] : [],
    )
    line.discounts = line.discountable ? discounts : []
  })
  const subtotal = sum(lines.map((line) => line.amount))
  const totals = rows.map(({ discount, shares }) => ({ amount: sum(shares), discount }))
  const net = subtotal - sum(totals.map(({ amount }) => amount))
  const tax = invoice.automatic_tax.enabled ? Math.round((Math.max(0, net) * account.taxPercent) / 100) : 0
  invoice.lines = page(lines, {}, `/v1/invoices/${invoice.id}/lines`)
  invoice.subtotal = subtotal
  invoice.subtotal_excluding_tax = subtotal
  invoice.total_discount_amounts = totals
  invoice.total_taxes =
    tax === 0
      ? []
      : [
          {
            amount: tax,
            tax_behavior: 'exclusive',
            tax_rate_details: null,
            taxability_reason: 'standard_rated',
            taxable_amount: net,
            type: 'tax_rate_details',
          },
        ]
  invoice.total = net + tax
  invoice.total_excluding_tax = net
  const balance = invoice.ending_balance === null ? customerOf(account, invoice).balance : invoice.starting_balance
  invoice.starting_balance = balance
  invoice.amount_due = Math.max(0, invoice.total + balance)
  invoice.amount_remaining = Math.max(0, invoice.amount_due - invoice.amount_paid)
}

/**
 * Make a draft final: the totals are fixed, the customer's balance is used up, and what is left to pay gets a
 * PaymentIntent. An invoice with nothing to pay is paid.
 *
 * @throws {ApiError} 400: it is no draft.
 */
export function finalizeInvoice(account: StripeAccount, invoice: Stripe.Invoice): void {
  if (invoice.status !== 'draft') throw refused('This invoice is already finalized, you can’t re-finalize it.')
  const customer = customerOf(account, invoice)
  const subscription = subscriptionOf(account, invoice)
  if (subscription !== undefined && invoice.parent?.subscription_details) {
    invoice.parent.subscription_details.metadata = { ...subscription.metadata }
  }
  sumUp(account, invoice)
  useBalance(account, invoice, customer)
  invoice.status = 'open'
  invoice.automatically_finalizes_at = null
  invoice.effective_at = account.now()
  invoice.status_transitions.finalized_at = account.now()
  invoice.number = `${customer.invoice_prefix ?? 'LOCAL'}-${String(customer.next_invoice_sequence ?? 1).padStart(4, '0')}`
  customer.next_invoice_sequence = (customer.next_invoice_sequence ?? 1) + 1
  invoice.hosted_invoice_url = `${account.url}${INVOICE_PATH}${invoice.id}`
  invoice.invoice_pdf = `${account.url}${INVOICE_PATH}${invoice.id}/pdf`
  account.emit('invoice.finalized', invoice)
  if (invoice.amount_due === 0) markPaid(account, invoice, null)
  else requestPayment(account, invoice, customer)
}

/** Credit pays; a debt is added; less than Stripe can charge waits for the next invoice. */
function useBalance(account: StripeAccount, invoice: Stripe.Invoice, customer: Stripe.Customer): void {
  const before = customer.balance
  const owed = invoice.total + before
  invoice.starting_balance = before
  invoice.amount_due = owed >= minimumCharge(invoice.currency) ? owed : 0
  invoice.ending_balance = owed >= minimumCharge(invoice.currency) ? 0 : owed
  invoice.amount_remaining = invoice.amount_due
  if (invoice.ending_balance === before) return
  customer.balance = invoice.ending_balance
  account.emit('customer.updated', customer, { balance: before })
}

function requestPayment(account: StripeAccount, invoice: Stripe.Invoice, customer: Stripe.Customer): void {
  const isFirst = invoice.billing_reason === 'subscription_create'
  const subscription = subscriptionOf(account, invoice)
  const intent = createPaymentIntent(account, {
    amount: invoice.amount_due,
    currency: invoice.currency,
    customer: customer.id,
    description: subscription === undefined ? `Payment for Invoice ${invoice.number ?? ''}` : describe(invoice),
    receiptEmail: customer.email,
    setupFutureUsage: isFirst ? 'off_session' : null,
  })
  const payment = {
    id: account.newId('inpay'),
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: invoice.amount_due,
    created: account.now(),
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: account.livemode,
    payment: { payment_intent: intent.id, type: 'payment_intent' },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  } satisfies Stripe.InvoicePayment
  account.put('invoice_payment', payment)
  account.awaited.set(intent.id, (news) => followPayment(account, invoice, intent, news))
}

function describe({ billing_reason: reason }: Stripe.Invoice): string {
  return reason === 'subscription_create' ? 'Subscription creation' : 'Subscription update'
}

export function customerOf(account: StripeAccount, invoice: Stripe.Invoice): Stripe.Customer {
  return account.customer(idOf(invoice.customer) ?? '')
}

export function subscriptionOf(account: StripeAccount, invoice: Stripe.Invoice): Stripe.Subscription | undefined {
  return account.find('subscription', idOf(invoice.parent?.subscription_details?.subscription) ?? '')
}

function blankInvoice(account: StripeAccount, given: NewInvoice): Stripe.Invoice {
  const customer = account.customer(given.customer)
  const { subscription } = given
  const automaticTax = given.automaticTax ?? subscription?.automatic_tax.enabled ?? false
  const collectionMethod = given.collectionMethod ?? subscription?.collection_method ?? 'charge_automatically'
  const daysUntilDue = given.daysUntilDue ?? subscription?.days_until_due ?? 30
  return {
    id: account.newId('in'),
    object: 'invoice',
    ...notUsed(),
    amount_due: 0,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: 0,
    amount_shipping: 0,
    attempt_count: 0,
    attempted: false,
    auto_advance: given.autoAdvance ?? true,
    automatic_tax: {
      disabled_reason: null,
      enabled: automaticTax,
      liability: automaticTax ? { type: 'self' } : null,
      provider: automaticTax ? 'stripe' : null,
      status: automaticTax ? 'complete' : null,
    },
    automatically_finalizes_at: given.finalizesAt ?? null,
    billing_reason: given.reason,
    collection_method: collectionMethod,
    created: account.now(),
    currency: given.currency,
    customer: customer.id,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    default_payment_method: null,
    description: given.description ?? null,
    discounts: given.discounts ?? (subscription === null ? [] : activeDiscounts(account, subscription)),
    due_date: collectionMethod === 'send_invoice' ? account.now() + daysUntilDue * DAY : null,
    ending_balance: null,
    lines: page<Stripe.InvoiceLineItem>([], {}, ''),
    livemode: account.livemode,
    metadata: { ...given.metadata },
    next_payment_attempt: collectionMethod === 'send_invoice' ? null : (given.finalizesAt ?? null),
    number: null,
    parent:
      subscription === null
        ? null
        : {
            quote_details: null,
            subscription_details: { metadata: snapshot(subscription.metadata), subscription: subscription.id },
            type: 'subscription_details',
          },
    period_end: given.period.end,
    period_start: given.period.start,
    starting_balance: customer.balance,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: 0,
    subtotal_excluding_tax: 0,
    test_clock: idOf(customer.test_clock),
    total: 0,
    total_discount_amounts: [],
    total_excluding_tax: 0,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: account.now(),
  } satisfies Stripe.Invoice
}

/** What no invoice of this server uses. */
function notUsed() {
  return {
    account_country: 'US',
    account_name: 'Local Stripe',
    account_tax_ids: null,
    application: null,
    custom_fields: null,
    customer_account: null,
    customer_address: null,
    customer_shipping: null,
    customer_tax_exempt: 'none',
    customer_tax_ids: [],
    default_source: null,
    default_tax_rates: [],
    effective_at: null,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    on_behalf_of: null,
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    statement_descriptor: null,
  } satisfies Partial<Stripe.Invoice>
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}
