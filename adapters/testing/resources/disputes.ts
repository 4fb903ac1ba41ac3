import type Stripe from 'stripe'
import { refused } from '../api-error.js'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata, type StripeAccount } from '../stripe-account.js'
import { createBalanceTransaction } from './balance-transactions.js'

/** Every status a dispute can have. `warning_*` is an inquiry: no money has moved. */
export type DisputeStatus =
  | 'warning_needs_response'
  | 'warning_under_review'
  | 'warning_closed'
  | 'needs_response'
  | 'under_review'
  | 'appeal_needs_response'
  | 'appeal_under_review'
  | 'won'
  | 'lost'
  | 'prevented'

const CLOSED: readonly string[] = ['won', 'lost', 'warning_closed', 'prevented']

interface NewDispute {
  charge: Stripe.Charge
  /** Minor units; default the whole charge. */
  amount?: number
  /** Default `needs_response`. */
  status?: DisputeStatus
  /** Default `fraudulent`. */
  reason?: string
}

/** The buyer's bank disputes a charge. Money leaves at once unless it is only an inquiry or was prevented. */
export function createDispute(account: StripeAccount, given: NewDispute): Stripe.Dispute {
  const { charge } = given
  if (charge.status !== 'succeeded') throw new Error(`fakeStripe.dispute: ${charge.id} has not succeeded`)
  const status = given.status ?? 'needs_response'
  const dispute = {
    id: account.newId('du'),
    object: 'dispute',
    amount: given.amount ?? charge.amount,
    balance_transactions: [],
    charge: charge.id,
    created: account.now(),
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: emptyEvidence(charge),
    evidence_details: {
      due_by: account.now() + 7 * 86_400,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    is_charge_refundable: !takesMoney(status),
    livemode: account.livemode,
    metadata: {},
    network_reason_code: '10',
    payment_intent: idOf(charge.payment_intent),
    reason: given.reason ?? 'fraudulent',
    status,
  } satisfies Stripe.Dispute
  account.put('dispute', dispute)
  charge.disputed = true
  if (takesMoney(status)) withdraw(account, dispute)
  account.emit('charge.dispute.created', dispute)
  if (takesMoney(status)) account.emit('charge.dispute.funds_withdrawn', dispute)
  return dispute
}

/**
 * Move a dispute on, in any direction: an inquiry may escalate, a lost one may still be won.
 *
 * Emits `funds_withdrawn` or `funds_reinstated` when money moves, then `closed` for a final status, else `updated`.
 */
export function setDisputeStatus(account: StripeAccount, dispute: Stripe.Dispute, status: DisputeStatus): void {
  const previous = dispute.status
  if (previous === status) return
  const wasTaken = moneyTaken(dispute)
  dispute.status = status
  dispute.is_charge_refundable = !takesMoney(status)
  if (takesMoney(status) && !wasTaken) {
    withdraw(account, dispute)
    account.emit('charge.dispute.funds_withdrawn', dispute)
  }
  if (!takesMoney(status) && wasTaken) {
    const charge = idOf(dispute.charge) ?? ''
    dispute.balance_transactions.push(
      createBalanceTransaction(account, 'adjustment', dispute.amount, dispute.currency, charge),
    )
    account.emit('charge.dispute.funds_reinstated', dispute)
  }
  const type = CLOSED.includes(status) ? 'charge.dispute.closed' : 'charge.dispute.updated'
  account.emit(type, dispute, { status: previous })
}

function takesMoney(status: DisputeStatus): boolean {
  return !['warning_needs_response', 'warning_under_review', 'warning_closed', 'won', 'prevented'].includes(status)
}

function moneyTaken(dispute: Stripe.Dispute): boolean {
  return dispute.balance_transactions.reduce((sum, transaction) => sum + transaction.amount, 0) < 0
}

function withdraw(account: StripeAccount, dispute: Stripe.Dispute): void {
  const charge = idOf(dispute.charge) ?? ''
  dispute.balance_transactions.push(
    createBalanceTransaction(account, 'adjustment', -dispute.amount, dispute.currency, charge),
  )
}

function emptyEvidence(charge: Stripe.Charge): Stripe.Dispute.Evidence {
  return {
    access_activity_log: null,
    billing_address: null,
    cancellation_policy: null,
    cancellation_policy_disclosure: null,
    cancellation_rebuttal: null,
    customer_communication: null,
    customer_email_address: charge.billing_details.email,
    customer_name: charge.billing_details.name,
    customer_purchase_ip: null,
    customer_signature: null,
    duplicate_charge_documentation: null,
    duplicate_charge_explanation: null,
    duplicate_charge_id: null,
    enhanced_evidence: {},
    product_description: null,
    receipt: null,
    refund_policy: null,
    refund_policy_disclosure: null,
    refund_refusal_explanation: null,
    service_date: null,
    service_documentation: null,
    shipping_address: null,
    shipping_carrier: null,
    shipping_date: null,
    shipping_documentation: null,
    shipping_tracking_number: null,
    uncategorized_file: null,
    uncategorized_text: null,
  }
}

const retrieve = route<Stripe.DisputeRetrieveParams>('GET /v1/disputes/:id', {
  gives: 'dispute',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('dispute', id),
})

/** Evidence is taken as it comes; `submit` puts the dispute under review. */
const update = route<Stripe.DisputeUpdateParams>('POST /v1/disputes/:id', {
  gives: 'dispute',
  parameters: {
    evidence: rule.ignored,
    expand: rule.expand,
    intended_submission_method: rule.ignored,
    metadata: rule.metadata,
    submit: rule.boolean,
  },
  handle: ({ account, params, id }) => {
    const dispute = account.get('dispute', id)
    dispute.metadata = mergeMetadata(dispute.metadata, params.metadata)
    if (params.evidence === undefined) return dispute
    dispute.evidence_details.has_evidence = true
    if (params.submit === false) return dispute
    if (CLOSED.includes(dispute.status)) throw refused('This dispute is already closed.')
    dispute.evidence_details.submission_count += 1
    const isInquiry = dispute.status.startsWith('warning_')
    setDisputeStatus(account, dispute, isInquiry ? 'warning_under_review' : 'under_review')
    return dispute
  },
})

/** The merchant accepts the dispute: it is lost. */
const close = route<Stripe.DisputeCloseParams>('POST /v1/disputes/:id/close', {
  gives: 'dispute',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => {
    const dispute = account.get('dispute', id)
    if (CLOSED.includes(dispute.status)) throw refused('This dispute is already closed.')
    setDisputeStatus(account, dispute, 'lost')
    return dispute
  },
})

const list = route<Stripe.DisputeListParams>('GET /v1/disputes', {
  gives: 'dispute',
  list: true,
  parameters: {
    ...rule.listRules,
    charge: rule.text(),
    created: rule.createdRange,
    payment_intent: rule.text(),
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('dispute')
      .filter((dispute) => params.charge === undefined || idOf(dispute.charge) === params.charge)
      .filter(
        (dispute) => params.payment_intent === undefined || idOf(dispute.payment_intent) === params.payment_intent,
      )
      .filter((dispute) => isCreatedIn(dispute.created, params.created))
    return page(matching.reverse(), params, '/v1/disputes')
  },
})

export const disputes: Resource = {
  routes: [retrieve, update, close, list],
  expandable: { dispute: { charge: reference('charge'), payment_intent: reference('payment_intent') } },
}
