import type Stripe from 'stripe'
import { invalidRequest, refused } from '../api-error.js'
import { formatAmount } from '../currencies.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata, type StripeAccount } from '../stripe-account.js'
import { testPaymentMethod } from '../test-payment-methods.js'
import { createBalanceTransaction } from './balance-transactions.js'

/** Every status a refund can have. */
export type RefundStatus = 'pending' | 'requires_action' | 'succeeded' | 'failed' | 'canceled'

/** How long, by the account's clock, a bank takes to finish or bounce the refund of a test payment method. */
const BANK_DELAY_MS = 5_000

interface NewRefund {
  charge: Stripe.Charge
  /** Minor units; all that is left when left out. */
  amount?: number
  /** What it becomes at once; `failed` is created pending and fails in the same moment. Default: as the payment method does. */
  status?: RefundStatus
  reason?: Stripe.Refund.Reason
  failureReason?: string
  metadata?: Stripe.MetadataParam | '' | null
}

/**
 * Give money back for a charge.
 *
 * @throws {ApiError} 400: nothing or not enough is left, the charge did not succeed or is disputed.
 */
export function createRefund(account: StripeAccount, given: NewRefund): Stripe.Refund {
  const { charge } = given
  const amount = refundableAmount(account, charge, given.amount)
  const behaviour = testPaymentMethod(account.behaviours.get(charge.id) ?? '').refunds
  const status = given.status ?? (behaviour === 'pending_then_succeeds' ? 'pending' : 'succeeded')
  const refund: Stripe.Refund = {
    id: account.newId('re'),
    object: 'refund',
    amount,
    balance_transaction: null,
    charge: charge.id,
    created: account.now(),
    currency: charge.currency,
    customer: idOf(charge.customer),
    customer_account: null,
    metadata: mergeMetadata({}, given.metadata),
    payment_intent: idOf(charge.payment_intent),
    payment_method: charge.payment_method,
    reason: given.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: status === 'failed' || status === 'canceled' ? 'pending' : status,
    transfer_reversal: null,
  } satisfies Stripe.Refund
  if (refund.status === 'pending') refund.pending_reason = 'processing'
  const transaction = createBalanceTransaction(account, 'refund', -amount, refund.currency, refund.id)
  refund.balance_transaction = transaction.id
  account.put('refund', refund)
  sumUp(account, charge)
  account.emit('refund.created', refund)
  if (refund.status === 'succeeded') account.emit('charge.refunded', charge)
  if (status === 'failed' || status === 'canceled') setRefundStatus(account, refund, status, given.failureReason)
  if (given.status === undefined && behaviour !== 'succeeds') {
    const outcome = behaviour === 'succeeds_then_fails' ? 'failed' : 'succeeded'
    account.later(BANK_DELAY_MS, () => setRefundStatus(account, refund, outcome, 'lost_or_stolen_card'))
  }
  return refund
}

/**
 * Move a refund on, with the events that go with it: `refund.updated` (and the older `charge.refund.updated`), then
 * `charge.refunded` when it has now succeeded or `refund.failed` when it has failed.
 */
export function setRefundStatus(
  account: StripeAccount,
  refund: Stripe.Refund,
  status: RefundStatus,
  failureReason = 'unknown',
): void {
  const previous = refund.status
  if (previous === status) return
  const charge = account.get('charge', idOf(refund.charge) ?? '')
  refund.status = status
  delete refund.pending_reason
  if (status === 'failed') {
    refund.failure_reason = failureReason
    const back = createBalanceTransaction(account, 'refund_failure', refund.amount, refund.currency, refund.id)
    refund.failure_balance_transaction = back.id
  }
  sumUp(account, charge)
  account.emit('refund.updated', refund, { status: previous })
  account.emit('charge.refund.updated', refund, { status: previous })
  if (status === 'succeeded') account.emit('charge.refunded', charge)
  if (status === 'failed') account.emit('refund.failed', refund)
}

/** `amount_refunded` is cumulative over refunds that are not failed or canceled (Stripe does not document the latter). */
function sumUp(account: StripeAccount, charge: Stripe.Charge): void {
  const counting = account
    .all('refund')
    .filter((refund) => refund.charge === charge.id && refund.status !== 'failed' && refund.status !== 'canceled')
  charge.amount_refunded = counting.reduce((sum, refund) => sum + refund.amount, 0)
  charge.refunded = charge.amount_refunded === charge.amount_captured
}

function refundableAmount(account: StripeAccount, charge: Stripe.Charge, asked: number | undefined): number {
  if (charge.status !== 'succeeded') throw refused(`Charge ${charge.id} has not succeeded; it cannot be refunded.`)
  const disputes = account.all('dispute').filter((dispute) => idOf(dispute.charge) === charge.id)
  if (disputes.some((dispute) => !dispute.is_charge_refundable && dispute.status !== 'won')) {
    throw refused(`Charge ${charge.id} has been charged back; cannot issue a refund.`, 'charge_disputed')
  }
  const left = charge.amount_captured - charge.amount_refunded
  if (left === 0) throw refused(`Charge ${charge.id} has already been refunded.`, 'charge_already_refunded')
  const amount = asked ?? left
  if (amount <= left) return amount
  const message =
    `Refund amount (${formatAmount(amount, charge.currency)}) is greater than unrefunded amount on charge ` +
    `(${formatAmount(left, charge.currency)})`
  throw refused(message, undefined, 'amount')
}

/** The charge a refund names, directly or by its PaymentIntent. */
function chargeOf(account: StripeAccount, params: Stripe.RefundCreateParams): Stripe.Charge {
  if (params.charge !== undefined) return account.get('charge', params.charge, 'charge', 400)
  if (params.payment_intent === undefined) {
    throw invalidRequest('One of the following params should be provided for this request: payment_intent or charge.')
  }
  const intent = account.get('payment_intent', params.payment_intent, 'payment_intent', 400)
  const chargeId = idOf(intent.latest_charge)
  if (chargeId !== null && intent.status === 'succeeded') return account.get('charge', chargeId)
  throw refused(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`)
}

const create = route<Stripe.RefundCreateParams>('POST /v1/refunds', {
  gives: 'refund',
  parameters: {
    amount: rule.integer(1),
    charge: rule.text(),
    currency: rule.unsupported,
    customer: rule.unsupported,
    expand: rule.expand,
    instructions_email: rule.text(512),
    metadata: rule.metadata,
    origin: rule.unsupported,
    payment_intent: rule.text(),
    reason: rule.oneOf('duplicate', 'fraudulent', 'requested_by_customer'),
    refund_application_fee: rule.unsupported,
    reverse_transfer: rule.unsupported,
  },
  handle: ({ account, params }) =>
    createRefund(account, {
      charge: chargeOf(account, params),
      ...(params.amount !== undefined && { amount: params.amount }),
      ...(params.reason !== undefined && { reason: params.reason }),
      ...(params.metadata !== undefined && { metadata: params.metadata }),
    }),
})

const retrieve = route<Stripe.RefundRetrieveParams>('GET /v1/refunds/:id', {
  gives: 'refund',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('refund', id),
})

const update = route<Stripe.RefundUpdateParams>('POST /v1/refunds/:id', {
  gives: 'refund',
  parameters: { expand: rule.expand, metadata: rule.metadata },
  handle: ({ account, params, id }) => {
    const refund = account.get('refund', id)
    refund.metadata = mergeMetadata(refund.metadata ?? {}, params.metadata)
    account.emit('refund.updated', refund)
    return refund
  },
})

const list = route<Stripe.RefundListParams>('GET /v1/refunds', {
  gives: 'refund',
  list: true,
  parameters: {
    ...rule.listRules,
    charge: rule.text(),
    created: rule.createdRange,
    payment_intent: rule.text(),
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('refund')
      .filter((refund) => params.charge === undefined || idOf(refund.charge) === params.charge)
      .filter((refund) => params.payment_intent === undefined || idOf(refund.payment_intent) === params.payment_intent)
      .filter((refund) => isCreatedIn(refund.created, params.created))
    return page(matching.reverse(), params, '/v1/refunds')
  },
})

const cancel = route<Stripe.RefundCancelParams>('POST /v1/refunds/:id/cancel', {
  gives: 'refund',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => {
    const refund = account.get('refund', id)
    if (refund.status !== 'requires_action') {
      throw refused(`A refund with a status of ${String(refund.status)} cannot be canceled.`)
    }
    setRefundStatus(account, refund, 'canceled')
    return refund
  },
})

export const refunds: Resource = {
  routes: [create, retrieve, update, list, cancel],
  expandable: {
    refund: {
      balance_transaction: reference('balance_transaction'),
      charge: reference('charge'),
      failure_balance_transaction: reference('balance_transaction'),
      payment_intent: reference('payment_intent'),
    },
  },
}
