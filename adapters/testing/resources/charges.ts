import type Stripe from 'stripe'
import { reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata } from '../stripe-account.js'

const retrieve = route<Stripe.ChargeRetrieveParams>('GET /v1/charges/:id', {
  gives: 'charge',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('charge', id),
})

const update = route<Stripe.ChargeUpdateParams>('POST /v1/charges/:id', {
  gives: 'charge',
  parameters: {
    customer: rule.text(),
    description: rule.text(),
    expand: rule.expand,
    fraud_details: rule.ignored,
    metadata: rule.metadata,
    receipt_email: rule.text(512),
    shipping: rule.ignored,
    transfer_group: rule.ignored,
  },
  handle: ({ account, params, id }) => {
    const charge = account.get('charge', id)
    if (params.description !== undefined) charge.description = params.description
    charge.metadata = mergeMetadata(charge.metadata, params.metadata)
    account.emit('charge.updated', charge)
    return charge
  },
})

const list = route<Stripe.ChargeListParams>('GET /v1/charges', {
  gives: 'charge',
  list: true,
  parameters: {
    ...rule.listRules,
    created: rule.createdRange,
    customer: rule.text(),
    payment_intent: rule.text(),
    transfer_group: rule.unsupported,
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('charge')
      .filter((charge) => params.customer === undefined || idOf(charge.customer) === params.customer)
      .filter((charge) => params.payment_intent === undefined || idOf(charge.payment_intent) === params.payment_intent)
      .filter((charge) => isCreatedIn(charge.created, params.created))
    return page(matching.reverse(), params, '/v1/charges')
  },
})

/** `refunds` is not part of a charge; it is there only for callers that expand it. */
export const charges: Resource = {
  routes: [retrieve, update, list],
  expandable: {
    charge: {
      balance_transaction: reference('balance_transaction'),
      customer: reference('customer'),
      payment_intent: reference('payment_intent'),
      refunds: {
        gives: 'list:refund',
        make: (account, charge) => {
          const refunds = account.all('refund').filter((refund) => refund.charge === charge['id'])
          return page(refunds.reverse(), {}, `/v1/charges/${String(charge['id'])}/refunds`)
        },
      },
    },
  },
}
