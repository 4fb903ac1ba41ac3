import type Stripe from 'stripe'
import type { Invoice, InvoiceLine, Subscription } from '../../src/ports/payments.js'
import { idOf, isStripeId, toDate, userIdOf } from './identity.js'
import type { StripeSettings } from './settings.js'
import { askAll, find } from './stripe-calls.js'
import { fetchSubscription } from './subscription.js'

/** The invoice as it stands now; null when there is none in this mode and account. */
export async function fetchInvoice(invoiceId: string, settings: StripeSettings): Promise<Invoice | null> {
  if (!isStripeId(invoiceId, 'in')) return null
  const { stripe, requestOptions } = settings
  const invoice = await find('invoice', () => stripe.invoices.retrieve(invoiceId, {}, requestOptions))
  return invoice?.livemode === settings.livemode ? toInvoice(invoice, settings) : null
}

/** An invoice of a subscription in our words; of others, nothing is ours, so nothing more is asked for. */
export async function toInvoice(invoice: Stripe.Invoice, settings: StripeSettings): Promise<Invoice> {
  const { subscriptionId, metadata } = parentOf(invoice)
  const named = userIdOf(metadata, settings)
  // Another app's subscription says so itself; without a mark, its prices decide.
  const isOurs = subscriptionId !== null && (metadata?.app ?? settings.app) === settings.app
  const subscription = isOurs ? await fetchSubscription(subscriptionId, settings) : null
  return {
    invoiceId: invoice.id,
    status: statusOf(invoice.status),
    subscriptionId,
    customerId: idOf(invoice.customer),
    userId: named ?? subscription?.userId ?? null,
    paidMinor: invoice.amount_paid,
    currency: invoice.currency,
    paymentId: isOurs ? await paymentOf(invoice, settings) : null,
    url: invoice.hosted_invoice_url ?? null,
    lines: isOurs ? await linesOf(invoice, subscription, settings) : [],
    livemode: invoice.livemode,
  }
}

/** The subscription an invoice bills; null: none. Before 2025-03-31 it stood on the invoice itself. */
export function parentOf(invoice: Stripe.Invoice): {
  subscriptionId: string | null
  metadata: Stripe.Metadata | null
} {
  // The driver's edge: fields that today's types no longer have.
  const old = invoice as {
    subscription?: string | { id: string } | null
    subscription_details?: { metadata?: Stripe.Metadata | null } | null
  }
  const details = invoice.parent?.subscription_details
  return {
    subscriptionId: idOf(details?.subscription) ?? idOf(old.subscription),
    metadata: details?.metadata ?? old.subscription_details?.metadata ?? null,
  }
}

function statusOf(status: string | null): Invoice['status'] {
  if (status === 'paid' || status === 'open' || status === 'void' || status === 'uncollectible') return status
  return 'draft'
}

/** What paid it; nothing where it was paid from a balance, elsewhere, or was for free. */
async function paymentOf(invoice: Stripe.Invoice, { stripe, requestOptions }: StripeSettings): Promise<string | null> {
  // The driver's edge: before 2025-03-31 the invoice named its payment.
  const { payment_intent: old } = invoice as { payment_intent?: string | { id: string } | null }
  if (old !== undefined) return idOf(old)
  if (invoice.amount_paid === 0) return null
  const list = await find('list', () =>
    stripe.invoicePayments.list({ invoice: invoice.id, status: 'paid', limit: 100 }, requestOptions),
  )
  const paid = list?.data.find(({ payment }) => payment.type === 'payment_intent')
  return idOf(paid?.payment.payment_intent)
}

async function linesOf(
  invoice: Stripe.Invoice,
  subscription: Subscription | null,
  { stripe, requestOptions }: StripeSettings,
): Promise<InvoiceLine[]> {
  const { data, has_more } = invoice.lines
  const lines = has_more
    ? await askAll((range) => stripe.invoices.listLineItems(invoice.id, range, requestOptions))
    : data
  return lines.map((line) => toLine(line, subscription))
}

/** What older versions of the API have on a line. */
interface OldLine {
  price?: { id: string } | null
  proration?: boolean
  subscription_item?: string | null
}

function toLine(line: Stripe.InvoiceLineItem, subscription: Subscription | null): InvoiceLine {
  // The driver's edge: a host's client may be pinned to an older version, whose fields today's types don't have.
  const old = line as OldLine
  const { subscription_item_details: item, invoice_item_details: extra } = line.parent ?? {}
  const priceId = idOf(line.pricing?.price_details?.price) ?? old.price?.id ?? null
  const proration = item?.proration ?? extra?.proration ?? old.proration ?? false
  // Stripe does not say which item a proration is of: the one that has its price.
  const byPrice = proration ? subscription?.items.find((each) => each.priceId === priceId)?.itemId : undefined
  const [from, until] = [toDate(line.period.start), toDate(line.period.end)]
  const trialEndsAt = subscription?.trialEndsAt ?? null
  const isFree = line.amount === 0 && (line.discount_amounts ?? []).every(({ amount }) => amount === 0)
  return {
    lineId: line.id,
    itemId: item?.subscription_item ?? old.subscription_item ?? byPrice ?? null,
    priceId,
    quantity: line.quantity ?? 1,
    proration,
    trial: isFree && trialEndsAt !== null && from < trialEndsAt,
    amountMinor: line.amount,
    from,
    until,
  }
}
