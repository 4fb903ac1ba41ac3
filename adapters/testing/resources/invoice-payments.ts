import type Stripe from 'stripe'
import { partOf, reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf } from '../stripe-account.js'

const retrieve = route<Stripe.InvoicePaymentRetrieveParams>('GET /v1/invoice_payments/:id', {
  gives: 'invoice_payment',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('invoice_payment', id),
})

/** The way from a payment to the invoice it paid, and back. */
const list = route<Stripe.InvoicePaymentListParams>('GET /v1/invoice_payments', {
  gives: 'invoice_payment',
  list: true,
  parameters: {
    ...rule.listRules,
    created: rule.createdRange,
    invoice: rule.text(),
    payment: rule.objectOf<Stripe.InvoicePaymentListParams.Payment>({
      payment_intent: rule.text(),
      payment_record: rule.unsupported,
      type: rule.required(rule.oneOf('payment_intent', 'payment_record')),
    }),
    status: rule.oneOf('canceled', 'open', 'paid'),
  },
  handle: ({ account, params }) => {
    const intent = params.payment?.payment_intent
    const matching = account
      .all('invoice_payment')
      .filter(
        (entry) =>
          (params.invoice === undefined || idOf(entry.invoice) === params.invoice) &&
          (params.payment === undefined || entry.payment.type === params.payment.type) &&
          (intent === undefined || idOf(entry.payment.payment_intent) === intent) &&
          (params.status === undefined || entry.status === params.status) &&
          isCreatedIn(entry.created, params.created),
      )
    return page(matching.reverse(), params, '/v1/invoice_payments')
  },
})

export const invoicePayments: Resource = {
  routes: [retrieve, list],
  expandable: {
    invoice_payment: { invoice: reference('invoice'), payment: partOf('invoice_payment.payment') },
    'invoice_payment.payment': { payment_intent: reference('payment_intent') },
  },
}
