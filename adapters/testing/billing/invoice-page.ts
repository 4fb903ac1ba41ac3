import type Stripe from 'stripe'
import { authenticatePayment } from '../payment-intents.js'
import { usablePaymentMethod } from '../payment-methods.js'
import { idOf, type StripeAccount } from '../stripe-account.js'
import { DEFAULT_PAYMENT_METHOD } from '../test-payment-methods.js'
import { collectInvoice, intentOf, payOutOfBand } from './invoice-collection.js'
import { finalizeInvoice } from './invoices.js'

/** How somebody pays an invoice on its page. */
export interface PayInvoiceOptions {
  /** A payment method or the name of a test payment method; default the customer's, else `pm_card_visa`. */
  paymentMethod?: string
  /** The merchant marks it as paid outside of Stripe: no charge is made. */
  outOfBand?: boolean
}

/** The buyer, who is there, pays an invoice and passes an authentication if one is needed. Drafts are made final first. */
export function payOnPage(account: StripeAccount, invoice: Stripe.Invoice, options: PayInvoiceOptions = {}): void {
  if (invoice.status === 'draft') finalizeInvoice(account, invoice)
  if (options.outOfBand === true) {
    payOutOfBand(account, invoice)
    return
  }
  const settings = account.customer(idOf(invoice.customer) ?? '').invoice_settings
  const named = options.paymentMethod ?? idOf(settings.default_payment_method) ?? DEFAULT_PAYMENT_METHOD
  if (!isWaiting(intentOf(account, invoice)) || options.paymentMethod !== undefined) {
    const paymentMethod = usablePaymentMethod(account, named, idOf(invoice.customer))
    collectInvoice(account, invoice, { offSession: false, paymentMethod })
  }
  const intent = intentOf(account, invoice)
  if (isWaiting(intent)) authenticatePayment(account, intent, 'succeeded')
}

function isWaiting(intent: Stripe.PaymentIntent | undefined): intent is Stripe.PaymentIntent {
  return intent?.status === 'requires_action'
}
