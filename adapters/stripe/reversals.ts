import type Stripe from 'stripe'
import type { PaymentRefund, PaymentReversals } from '../../src/ports/payments.js'
import { idOf, purchaseIdOf } from './checkout-session.js'
import type { StripeSettings } from './settings.js'
import { askAll, find } from './stripe-calls.js'

/**
 * All money of one payment that went back, as Stripe tells it now; null when the payment is not one of ours.
 *
 * Always asked for anew, never taken from an event: `charge.amount_refunded` is a running total that says nothing about
 * refunds which failed later, and events arrive in any order.
 */
export async function fetchReversals(paymentId: string, settings: StripeSettings): Promise<PaymentReversals | null> {
  const { stripe, requestOptions } = settings
  const payment = await find('payment_intent', () =>
    stripe.paymentIntents.retrieve(paymentId, { expand: ['latest_charge'] }, requestOptions),
  )
  const purchaseId = purchaseIdOf(payment?.metadata, settings)
  if (!payment || purchaseId === null || payment.livemode !== settings.livemode) return null

  const charge = await fetchCharge(payment.latest_charge, settings)
  const refunds = await askAll((range) => stripe.refunds.list({ payment_intent: payment.id, ...range }, requestOptions))
  return {
    paymentId: payment.id,
    chargeId: charge?.id ?? null,
    purchaseId,
    capturedMinor: charge?.amount_captured ?? payment.amount_received,
    currency: payment.currency,
    refunds: refunds.map(toRefund),
    livemode: payment.livemode,
  }
}

/** The payment a refund belongs to; some refunds name only their charge. */
export async function paymentOfRefund(refund: Stripe.Refund, settings: StripeSettings): Promise<string | null> {
  const paymentId = idOf(refund.payment_intent)
  if (paymentId !== null) return paymentId
  const charge = await fetchCharge(refund.charge, settings)
  return idOf(charge?.payment_intent)
}

async function fetchCharge(
  reference: string | Stripe.Charge | null,
  { stripe, requestOptions }: StripeSettings,
): Promise<Stripe.Charge | null> {
  if (typeof reference !== 'string') return reference
  return find('charge', () => stripe.charges.retrieve(reference, {}, requestOptions))
}

function toRefund({ id, amount, currency, status }: Stripe.Refund): PaymentRefund {
  return { refundId: id, amountMinor: amount, currency, status: statusOf(status) }
}

/** A status that we do not know may still send the money back. */
function statusOf(status: string | null): PaymentRefund['status'] {
  if (status === 'succeeded') return 'succeeded'
  return status === 'failed' || status === 'canceled' ? 'failed' : 'pending'
}
