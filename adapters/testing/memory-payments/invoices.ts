import type { Invoice, InvoiceLine, Subscription } from '../../../src/ports/payments.js'
import { type Books, type CardBehaviour, type InvoiceRow, known, type PaymentRow } from './books.js'
import { cardToCharge, newPayment, succeed, tryCard } from './payments.js'

/** An invoice of a subscription, of which nothing has been collected yet. */
export function newInvoice(
  books: Books,
  { subscriptionId, customerId, userId, livemode }: Subscription,
  { lines, currency, reductionMinor = 0 }: { lines: InvoiceLine[]; currency: string; reductionMinor?: number },
): InvoiceRow {
  const invoiceId = books.newId('invoice')
  const sum = lines.reduce((total, { amountMinor }) => total + amountMinor, 0)
  const invoice: Invoice = {
    invoiceId,
    status: 'open',
    subscriptionId,
    customerId,
    userId,
    paidMinor: 0,
    currency,
    paymentId: null,
    url: `https://memory-payments.example/invoices/${invoiceId}`,
    lines,
    livemode,
  }
  const row = { invoice, totalMinor: Math.max(0, sum - reductionMinor), createdAt: books.now() }
  books.invoices.set(invoiceId, row)
  return row
}

/** Collect what is due from the customer's card, or from the one that is given. */
export function collect(books: Books, row: InvoiceRow, given: CardBehaviour | null = null): void {
  if (row.totalMinor === 0) {
    invoicePaid(books, row)
    return
  }
  const { customerId, livemode } = row.invoice
  const card = given ?? (customerId === null ? null : cardToCharge(books, customerId, livemode))
  if (card !== null) {
    const payment = paymentOf(books, row)
    tryCard(books, payment, card, given !== null)
    if (payment.payment.state === 'succeeded') {
      invoicePaid(books, row)
      return
    }
    row.invoice.paymentId = payment.payment.paymentId
  }
  books.emit('invoice.changed', row.invoice.invoiceId, livemode)
}

/** The money is there, or none is due: the subscription goes on. */
export function invoicePaid(books: Books, row: InvoiceRow): void {
  const { invoice } = row
  Object.assign(invoice, { status: 'paid', paidMinor: row.totalMinor })
  books.emit('invoice.changed', invoice.invoiceId, invoice.livemode)
  const subscription = books.subscriptions.get(invoice.subscriptionId ?? '')?.subscription
  if (subscription?.status !== 'past_due' && subscription?.status !== 'incomplete') return
  subscription.status = 'active'
  books.emit('subscription.changed', subscription.subscriptionId, subscription.livemode)
}

/** Somebody pays an invoice on its page, or outside of the service. */
export function payInvoice(books: Books, invoiceId: string, { outOfBand = false }: { outOfBand?: boolean }): Invoice {
  const row = known(books.invoices, invoiceId, 'invoice')
  if (row.invoice.status !== 'open' && row.invoice.status !== 'draft') {
    throw new Error(`memoryPayments.payInvoice: ${invoiceId} is ${row.invoice.status}`)
  }
  if (outOfBand) {
    row.invoice.paymentId = null
  } else if (row.totalMinor > 0) {
    succeed(books, paymentOf(books, row))
  }
  invoicePaid(books, row)
  return row.invoice
}

/** The merchant gives an invoice up. */
export function giveUpInvoice(books: Books, invoiceId: string, status: 'uncollectible' | 'void'): Invoice {
  const { invoice } = known(books.invoices, invoiceId, 'invoice')
  if (invoice.status === 'paid') throw new Error(`memoryPayments.giveUpInvoice: ${invoiceId} is paid`)
  invoice.status = status
  books.emit('invoice.changed', invoiceId, invoice.livemode)
  return invoice
}

function paymentOf(books: Books, { invoice, totalMinor }: InvoiceRow): PaymentRow {
  const before = books.payments.get(invoice.paymentId ?? '')
  if (before !== undefined) return before
  const { customerId, currency, livemode, invoiceId } = invoice
  const of = { customerId, purchaseId: null, sessionId: null, invoiceId }
  const made = newPayment(books, { ...of, totalMinor, currency, livemode })
  invoice.paymentId = made.payment.paymentId
  return made
}
