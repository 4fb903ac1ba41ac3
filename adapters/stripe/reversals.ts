import type Stripe from 'stripe'
import type { PaymentDispute, PaymentRefund, PaymentReversals } from '../../src/ports/payments.js'
import { idOf, isStripeId, purchaseIdOf } from './identity.js'
import type { StripeSettings } from './settings.js'
import { askAll, find } from './stripe-calls.js'

/**
 * All money of one payment that went back, as Stripe tells it now; null when the payment is not one of ours.
 *
 * Always asked for anew, never taken from an event: `charge.amount_refunded` is a running total that says nothing about
 * refunds which failed later, and events arrive in any order.
 */
export async function fetchReversals(paymentId: string, settings: StripeSettings): Promise<PaymentReversals | null> {
  if (!isStripeId(paymentId, 'pi')) return null
  const { stripe, requestOptions } = settings
  const payment = await find('payment_intent', () =>
    stripe.paymentIntents.retrieve(paymentId, { expand: ['latest_charge'] }, requestOptions),
  )
  if (!payment || payment.livemode !== settings.livemode) return null
  const purchaseId = purchaseIdOf(payment.metadata, settings)
  const invoiceId = purchaseId === null ? await invoiceOf(payment, settings) : null
  if (purchaseId === null && invoiceId === null) return null

  const charge = await fetchCharge(payment.latest_charge, settings)
  const of = { payment_intent: payment.id }
  const refunds = await askAll((range) => stripe.refunds.list({ ...of, ...range }, requestOptions))
  // Some disputes name only their charge.
  const about = charge === null ? of : { charge: charge.id }
  const disputes = await askAll((range) => stripe.disputes.list({ ...about, ...range }, requestOptions))
  return {
    paymentId: payment.id,
    chargeId: charge?.id ?? null,
    purchaseId,
    invoiceId,
    capturedMinor: charge?.amount_captured ?? payment.amount_received,
    currency: payment.currency,
    refunds: refunds.map(toRefund),
    disputes: disputes.map(toDispute),
    livemode: payment.livemode,
  }
}

/** The invoice that a payment paid; null: none. Before 2025-03-31 it stood on the payment. */
async function invoiceOf(
  payment: Stripe.PaymentIntent,
  { stripe, requestOptions }: StripeSettings,
): Promise<string | null> {
  // The driver's edge: a field that today's types no longer have.
  const { invoice: old } = payment as { invoice?: string | { id: string } | null }
  if (old !== undefined) return idOf(old)
  const by = { type: 'payment_intent' as const, payment_intent: payment.id }
  const list = await find('list', () => stripe.invoicePayments.list({ payment: by, limit: 1 }, requestOptions))
  return idOf(list?.data[0]?.invoice)
}

/** The payment a refund or dispute belongs to; some name only their charge. */
export async function paymentOf(
  object: Pick<Stripe.Refund, 'payment_intent' | 'charge'> | Pick<Stripe.Dispute, 'payment_intent' | 'charge'>,
  settings: StripeSettings,
): Promise<string | null> {
  const paymentId = idOf(object.payment_intent)
  if (paymentId !== null) return paymentId
  const charge = await fetchCharge(object.charge, settings)
  return idOf(charge?.payment_intent)
}

async function fetchCharge(
  reference: string | Stripe.Charge | null,
  { stripe, requestOptions }: StripeSettings,
): Promise<Stripe.Charge | null> {
  if (typeof reference !== 'string') return reference
  return find('charge', () => stripe.charges.retrieve(reference, {}, requestOptions))
}

function toRefund({ id, amount, currency, status, metadata }: Stripe.Refund): PaymentRefund {
  const keepCredits = metadata?.keep_credits === 'true'
  return { refundId: id, amountMinor: amount, currency, status: refundStatus(status), keepCredits }
}

/** A status that we do not know may still send the money back. */
function refundStatus(status: string | null): PaymentRefund['status'] {
  if (status === 'succeeded') return 'succeeded'
  return status === 'failed' || status === 'canceled' ? 'failed' : 'pending'
}

function toDispute({ id, amount, currency, status }: Stripe.Dispute): PaymentDispute {
  return { disputeId: id, amountMinor: amount, currency, status: disputeStatus(status) }
}

/** Of a dispute whose status we do not know, the money is gone. */
function disputeStatus(status: string): PaymentDispute['status'] {
  if (status.startsWith('warning_')) return 'inquiry'
  return status === 'won' || status === 'lost' || status === 'prevented' ? status : 'open'
}
