import type Stripe from 'stripe'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, type StripeAccount } from '../stripe-account.js'

/** Money that came to the merchant (positive) or left (negative), in minor units. No fees are taken. */
export function createBalanceTransaction(
  account: StripeAccount,
  type: 'adjustment' | 'charge' | 'refund' | 'refund_failure',
  amount: number,
  currency: string,
  source: string,
): Stripe.BalanceTransaction {
  const transaction = {
    id: account.newId('txn'),
    object: 'balance_transaction',
    amount,
    available_on: account.now() + 2 * 86_400,
    balance_type: 'payments',
    created: account.now(),
    currency,
    description: null,
    exchange_rate: null,
    fee: 0,
    fee_details: [],
    net: amount,
    reporting_category: type === 'adjustment' ? 'dispute' : type,
    source,
    status: 'available',
    type,
  } satisfies Stripe.BalanceTransaction
  account.put('balance_transaction', transaction)
  return transaction
}

const retrieve = route<Stripe.BalanceTransactionRetrieveParams>('GET /v1/balance_transactions/:id', {
  gives: 'balance_transaction',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('balance_transaction', id),
})

const list = route<Stripe.BalanceTransactionListParams>('GET /v1/balance_transactions', {
  gives: 'balance_transaction',
  list: true,
  parameters: {
    ...rule.listRules,
    created: rule.createdRange,
    currency: rule.currency,
    payout: rule.unsupported,
    source: rule.text(),
    type: rule.text(),
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('balance_transaction')
      .filter(
        (entry) =>
          (params.currency === undefined || entry.currency === params.currency) &&
          (params.source === undefined || idOf(entry.source) === params.source) &&
          (params.type === undefined || entry.type === params.type) &&
          isCreatedIn(entry.created, params.created),
      )
    return page(matching.reverse(), params, '/v1/balance_transactions')
  },
})

export const balanceTransactions: Resource = { routes: [retrieve, list], expandable: {} }
