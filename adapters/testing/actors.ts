import type Stripe from 'stripe'
import { advanceDraft } from './billing/invoice-collection.js'
import { payOnPage, type PayInvoiceOptions } from './billing/invoice-page.js'
import { hasEnded, periodOf, renew } from './billing/subscription-cycle.js'
import { cancelSubscription } from './billing/subscription-end.js'
import { changeSubscription } from './billing/subscription-status.js'
import {
  completeSession,
  expireSession,
  settleSession,
  type CheckoutOutcome,
  type CompleteOptions,
} from './checkout-actions.js'
import { authenticatePayment } from './payment-intents.js'
import { createDispute, setDisputeStatus, type DisputeStatus } from './resources/disputes.js'
import { createRefund, setRefundStatus, type RefundStatus } from './resources/refunds.js'
import { authenticateSetup } from './setup-intents.js'
import { idOf, snapshot, type StripeAccount } from './stripe-account.js'
import { isTestPaymentMethod } from './test-payment-methods.js'
import type { WebhookDelivery } from './webhook-delivery.js'

/** Names a payment, in whichever way is at hand. */
export interface PaymentReference {
  sessionId?: string
  paymentIntent?: string
  charge?: string
}

/** A refund made in the Dashboard. */
export interface RefundInput extends PaymentReference {
  /** Minor units; default all that is left. */
  amount?: number
  /** Default as the payment method does: `succeeded` for cards. */
  status?: RefundStatus
  reason?: Stripe.Refund.Reason
  /** With status `failed`: why. */
  failureReason?: string
  metadata?: Stripe.MetadataParam
}

/** A dispute opened by the buyer's bank. */
export interface DisputeInput extends PaymentReference {
  /** Minor units; default the whole charge. */
  amount?: number
  /** Default `needs_response`; `warning_needs_response` is an inquiry. */
  status?: DisputeStatus
  /** Default `fraudulent`. */
  reason?: string
}

/** What people, banks and time do. Each resolves, in `auto` delivery, when every endpoint has been told once. */
export interface Actors {
  /** The buyer acts on the checkout page. Default outcome `paid`. */
  complete(sessionId: string, outcome?: CheckoutOutcome, options?: CompleteOptions): Promise<Stripe.Checkout.Session>
  /** A delayed payment (`unpaid`) arrives or bounces. */
  settle(sessionId: string, outcome: 'succeeded' | 'failed'): Promise<Stripe.Checkout.Session>
  /** The session runs out. It also does by itself when `clock` passes `expires_at`. */
  expire(sessionId: string): Promise<Stripe.Checkout.Session>
  refund(input: RefundInput): Promise<Stripe.Refund>
  /** The bank moves a refund on; succeeded ones may still fail. */
  updateRefund(refundId: string, status: RefundStatus, failureReason?: string): Promise<Stripe.Refund>
  dispute(input: DisputeInput): Promise<Stripe.Dispute>
  /** The bank moves a dispute on; final statuses close it, and lost ones may still be won. */
  updateDispute(disputeId: string, status: DisputeStatus): Promise<Stripe.Dispute>
  /**
   * The buyer passes (or fails) the authentication that a payment or setup intent waits for. One that was declined
   * without them (`authentication_required`) is confirmed with the same payment method, now that they are there.
   */
  authenticate(intentId: string, outcome?: 'succeeded' | 'failed'): Promise<Stripe.PaymentIntent | Stripe.SetupIntent>
  /**
   * From now on payments of this customer or with this payment method behave like the named test payment method; default
   * `pm_card_chargeDeclined`. `false` ends it.
   */
  failPayments(customerOrPaymentMethod: string, like?: string | false): void
  /**
   * The subscription's period ends now, wherever the clock is: the next invoice is made, made final and collected, dated
   * as of the period's end and the hour after it.
   */
  renew(subscriptionId: string): Promise<Stripe.Invoice>
  /** The buyer pays an invoice on its page, passing an authentication if one is needed. Drafts are made final first. */
  payInvoice(invoiceId: string, options?: PayInvoiceOptions): Promise<Stripe.Invoice>
  /** Somebody cancels a subscription in the Dashboard or the portal: at once, or at the end of its period. */
  cancelSubscription(subscriptionId: string, when?: 'now' | 'at_period_end'): Promise<Stripe.Subscription>
  /** Do what became due by the clock: expiring sessions, banks finishing refunds. Every call and page does it too. */
  tick(): Promise<void>
}

/** What people and banks do, as opposed to what the API is asked for. */
export function actorsOf(account: StripeAccount, delivery: WebhookDelivery): Actors {
  /** Let it happen, tell the endpoints, and show the object as it was right after. */
  const act = async <T>(change: () => T): Promise<T> => {
    account.tick()
    const result = snapshot(change())
    await delivery.settled()
    return result
  }
  const sessionOf = (id: string): Stripe.Checkout.Session => account.get('checkout.session', id, 'session')
  return {
    complete: (id, outcome = 'paid', options = {}) =>
      act(() => completeSession(account, sessionOf(id), outcome, options)),
    settle: (id, outcome) => act(() => settleSession(account, sessionOf(id), outcome)),
    expire: (id) => act(() => expireSession(account, sessionOf(id))),
    refund: ({ sessionId, paymentIntent, charge, ...refund }) =>
      act(() => createRefund(account, { ...refund, charge: chargeOf(account, { sessionId, paymentIntent, charge }) })),
    updateRefund: (id, status, failureReason) =>
      act(() => {
        const refund = account.get('refund', id)
        setRefundStatus(account, refund, status, failureReason)
        return refund
      }),
    dispute: ({ sessionId, paymentIntent, charge, ...dispute }) =>
      act(() =>
        createDispute(account, { ...dispute, charge: chargeOf(account, { sessionId, paymentIntent, charge }) }),
      ),
    updateDispute: (id, status) =>
      act(() => {
        const dispute = account.get('dispute', id)
        setDisputeStatus(account, dispute, status)
        return dispute
      }),
    authenticate: (id, outcome = 'succeeded') =>
      act(() => {
        if (id.startsWith('seti_')) {
          const intent = account.get('setup_intent', id, 'intent')
          account.inTimeOf(idOf(intent.customer), () => authenticateSetup(account, intent, outcome))
          return intent
        }
        const intent = account.get('payment_intent', id, 'intent')
        account.inTimeOf(idOf(intent.customer), () => authenticatePayment(account, intent, outcome))
        return intent
      }),
    failPayments: (id, like = 'pm_card_chargeDeclined') => {
      if (like === false) {
        account.failing.delete(id)
        return
      }
      if (!isTestPaymentMethod(like))
        throw new Error(`fakeStripe.failPayments: there is no test payment method ${like}`)
      account.failing.set(id, like)
    },
    renew: (id) =>
      act(() => {
        const subscription = account.get('subscription', id)
        return account.inTimeOf(idOf(subscription.customer), () => renewNow(account, subscription))
      }),
    payInvoice: (id, options = {}) =>
      act(() => {
        const invoice = account.get('invoice', id, 'invoice')
        account.inTimeOf(idOf(invoice.customer), () => payOnPage(account, invoice, options))
        return invoice
      }),
    cancelSubscription: (id, when = 'now') =>
      act(() => {
        const subscription = account.get('subscription', id)
        account.inTimeOf(idOf(subscription.customer), () => {
          if (when === 'now') cancelSubscription(account, subscription)
          else cancelAtPeriodEnd(account, subscription)
        })
        return subscription
      }),
    tick: async () => {
      await act(() => null)
    },
  }
}

function renewNow(account: StripeAccount, subscription: Stripe.Subscription): Stripe.Invoice {
  const { end } = periodOf(subscription)
  if (hasEnded(subscription) || subscription.status === 'paused' || subscription.status === 'incomplete') {
    throw new Error(`fakeStripe.renew: ${subscription.id} is ${subscription.status} and does not renew`)
  }
  account.asOf(end, () => renew(account, subscription))
  const invoice = account.get('invoice', idOf(subscription.latest_invoice) ?? '')
  const due = invoice.automatically_finalizes_at
  if (due !== null) account.asOf(due, () => advanceDraft(account, invoice))
  return invoice
}

function cancelAtPeriodEnd(account: StripeAccount, subscription: Stripe.Subscription): void {
  changeSubscription(account, subscription, () => {
    subscription.cancel_at_period_end = true
    subscription.cancel_at = periodOf(subscription).end
    subscription.canceled_at = account.now()
    if (subscription.cancellation_details !== null) {
      subscription.cancellation_details.reason = 'cancellation_requested'
    }
  })
}

function chargeOf(account: StripeAccount, given: { [K in keyof PaymentReference]: string | undefined }): Stripe.Charge {
  if (given.charge !== undefined) return account.get('charge', given.charge)
  const session =
    given.sessionId === undefined ? undefined : account.get('checkout.session', given.sessionId, 'session')
  const intentId = given.paymentIntent ?? idOf(session?.payment_intent)
  if (intentId === null)
    throw new Error('fakeStripe: there was no payment; name a charge, paymentIntent or paid sessionId')
  const chargeId = idOf(account.get('payment_intent', intentId, 'intent').latest_charge)
  if (chargeId === null) throw new Error(`fakeStripe: ${intentId} has no charge`)
  return account.get('charge', chargeId)
}
