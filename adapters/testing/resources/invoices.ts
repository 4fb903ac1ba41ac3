import type Stripe from 'stripe'
import { ApiError, invalidRequest, refused } from '../api-error.js'
import { redeem } from '../billing/discounts.js'
import {
  advanceDraft,
  collectInvoice,
  intentOf,
  markUncollectible,
  paymentOf,
  payOutOfBand,
  voidInvoice,
} from '../billing/invoice-collection.js'
import { periodLine } from '../billing/invoice-lines.js'
import { draftInvoice, finalizeInvoice, pendingLines, previewInvoice } from '../billing/invoices.js'
import { HOUR, nextBoundary } from '../billing/periods.js'
import { hasEnded, intervalOf, periodOf } from '../billing/subscription-cycle.js'
import { partOf, reference } from '../expand.js'
import { isCreatedIn, page } from '../lists.js'
import * as rule from '../parameters.js'
import { cardError, usablePaymentMethod } from '../payment-methods.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata, snapshot, type StripeAccount } from '../stripe-account.js'
import { createRules, previewRules, updateRules } from './invoice-rules.js'

/** An invoice by hand: the customer's pending items, and whatever is added while it is a draft. */
const create = route<Stripe.InvoiceCreateParams>('POST /v1/invoices', {
  gives: 'invoice',
  parameters: createRules,
  handle: ({ account, params }) => {
    const named = params.subscription
    const subscription = named === undefined ? null : account.get('subscription', named, 'subscription', 400)
    const customer = params.customer ?? idOf(subscription?.customer)
    if (customer === null) throw rule.missing('customer')
    account.customer(customer)
    return account.inTimeOf(customer, () => createByHand(account, customer, subscription, params))
  },
})

function createByHand(
  account: StripeAccount,
  customer: string,
  subscription: Stripe.Subscription | null,
  params: Stripe.InvoiceCreateParams,
): Stripe.Invoice {
  const currency = params.currency ?? subscription?.currency ?? account.customer(customer).currency ?? 'usd'
  const includes = params.pending_invoice_items_behavior === 'include' || subscription !== null
  const finalizesAt = params.auto_advance === true ? account.now() + HOUR : null
  const invoice = draftInvoice(account, {
    customer,
    subscription,
    currency,
    reason: subscription === null ? 'manual' : 'subscription_update',
    lines: includes ? pendingLines(account, customer, currency, subscription?.id ?? null) : [],
    period: { start: account.now(), end: account.now() },
    discounts: Array.isArray(params.discounts)
      ? redeem(account, params.discounts, { customer, subscription: null })
      : [],
    autoAdvance: params.auto_advance ?? false,
    finalizesAt,
    collectionMethod: params.collection_method ?? 'charge_automatically',
    daysUntilDue: params.days_until_due ?? null,
    description: params.description ?? null,
    metadata: mergeMetadata({}, params.metadata),
    automaticTax: params.automatic_tax?.enabled ?? false,
  })
  if (params.default_payment_method !== undefined) invoice.default_payment_method = params.default_payment_method
  if (finalizesAt !== null) account.at(finalizesAt, () => advanceDraft(account, invoice))
  return invoice
}

const retrieve = route<Stripe.InvoiceRetrieveParams>('GET /v1/invoices/:id', {
  gives: 'invoice',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('invoice', id, 'invoice'),
})

const update = route<Stripe.InvoiceUpdateParams>('POST /v1/invoices/:id', {
  gives: 'invoice',
  parameters: updateRules,
  handle: ({ account, params, id }) => {
    const invoice = account.get('invoice', id, 'invoice')
    if (params.auto_advance !== undefined) invoice.auto_advance = params.auto_advance
    if (params.description !== undefined) invoice.description = params.description
    if (params.default_payment_method !== undefined) {
      const customer = idOf(invoice.customer)
      invoice.default_payment_method = usablePaymentMethod(account, params.default_payment_method, customer).id
    }
    invoice.metadata = mergeMetadata(invoice.metadata ?? {}, params.metadata)
    account.emit('invoice.updated', invoice)
    return invoice
  },
})

const remove = route<Stripe.InvoiceDeleteParams>('DELETE /v1/invoices/:id', {
  gives: 'invoice',
  parameters: {},
  handle: ({ account, id }) => {
    const invoice = account.get('invoice', id, 'invoice')
    if (invoice.status !== 'draft' || invoice.parent !== null) {
      throw refused('You can only delete draft invoices that do not belong to a subscription.')
    }
    account.remove('invoice', id)
    account.emit('invoice.deleted', invoice)
    return { id, object: 'invoice', deleted: true } satisfies Stripe.DeletedInvoice
  },
})

const finalize = route<Stripe.InvoiceFinalizeInvoiceParams>('POST /v1/invoices/:id/finalize', {
  gives: 'invoice',
  parameters: { auto_advance: rule.boolean, expand: rule.expand },
  handle: ({ account, params, id }) => {
    const invoice = account.get('invoice', id, 'invoice')
    if (params.auto_advance !== undefined) invoice.auto_advance = params.auto_advance
    account.inTimeOf(idOf(invoice.customer), () => finalizeInvoice(account, invoice))
    return invoice
  },
})

const pay = route<Stripe.InvoicePayParams>('POST /v1/invoices/:id/pay', {
  gives: 'invoice',
  parameters: {
    expand: rule.expand,
    forgive: rule.unsupported,
    mandate: rule.ignored,
    off_session: rule.boolean,
    paid_out_of_band: rule.boolean,
    payment_method: rule.text(),
    source: rule.unsupported,
  },
  handle: ({ account, params, id }) => {
    const invoice = account.get('invoice', id, 'invoice')
    account.inTimeOf(idOf(invoice.customer), () => payByHand(account, invoice, params))
    return invoice
  },
})

/** A draft is finalised first. A payment that fails is the call's answer. */
function payByHand(account: StripeAccount, invoice: Stripe.Invoice, params: Stripe.InvoicePayParams): void {
  if (invoice.status === 'paid') throw refused('Invoice is already paid', 'invoice_already_paid')
  if (invoice.status === 'draft') finalizeInvoice(account, invoice)
  if (isPaid(invoice)) return
  if (params.paid_out_of_band === true) {
    payOutOfBand(account, invoice)
    return
  }
  const customer = idOf(invoice.customer)
  const { payment_method: id } = params
  const method = id === undefined ? undefined : usablePaymentMethod(account, id, customer)
  // Stripe's default here is that the buyer is not there.
  const offSession = params.off_session ?? true
  collectInvoice(account, invoice, { offSession, ...(method !== undefined && { paymentMethod: method }) })
  if (!isPaid(invoice)) throw failure(account, invoice)
}

/** Through a function, so that tsc does not take the status before the call for granted. */
function isPaid({ status }: Stripe.Invoice): boolean {
  return status === 'paid'
}

function failure(account: StripeAccount, invoice: Stripe.Invoice): ApiError {
  const intent = intentOf(account, invoice)
  const error = intent?.last_payment_error
  if (intent?.status === 'requires_action') {
    const message =
      'This payment requires additional user action before it can be completed successfully. Payment can be completed ' +
      'using the PaymentIntent associated with the invoice.'
    const code = 'invoice_payment_intent_requires_action'
    return new ApiError(402, { type: 'card_error', code, message, payment_intent: snapshot(intent) }, true)
  }
  if (error === null || error === undefined) {
    const message = 'Cannot charge a customer that has no active card or default payment method.'
    return refused(message, 'missing')
  }
  const decline = {
    kind: 'declined',
    code: String(error.code ?? 'card_declined'),
    declineCode: error.decline_code ?? 'generic_decline',
    adviceCode: error.advice_code ?? 'try_again_later',
    message: error.message ?? 'Your card was declined.',
  } as const
  return cardError(decline, {
    ...(error.charge !== undefined && { charge: error.charge }),
    ...(intent !== undefined && { payment_intent: snapshot(intent) }),
  })
}

const voidIt = route<Stripe.InvoiceVoidInvoiceParams>('POST /v1/invoices/:id/void', {
  gives: 'invoice',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => {
    const invoice = account.get('invoice', id, 'invoice')
    account.inTimeOf(idOf(invoice.customer), () => voidInvoice(account, invoice))
    return invoice
  },
})

const writeOff = route<Stripe.InvoiceMarkUncollectibleParams>('POST /v1/invoices/:id/mark_uncollectible', {
  gives: 'invoice',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => {
    const invoice = account.get('invoice', id, 'invoice')
    account.inTimeOf(idOf(invoice.customer), () => markUncollectible(account, invoice))
    return invoice
  },
})

const list = route<Stripe.InvoiceListParams>('GET /v1/invoices', {
  gives: 'invoice',
  list: true,
  parameters: {
    ...rule.listRules,
    collection_method: rule.oneOf('charge_automatically', 'send_invoice'),
    created: rule.createdRange,
    customer: rule.text(),
    customer_account: rule.unsupported,
    due_date: rule.createdRange,
    status: rule.oneOf('draft', 'open', 'paid', 'uncollectible', 'void'),
    subscription: rule.text(),
  },
  handle: ({ account, params }) => {
    const matching = account
      .all('invoice')
      .filter(
        (invoice) =>
          (params.customer === undefined || idOf(invoice.customer) === params.customer) &&
          (params.status === undefined || invoice.status === params.status) &&
          (params.collection_method === undefined || invoice.collection_method === params.collection_method) &&
          (params.subscription === undefined ||
            idOf(invoice.parent?.subscription_details?.subscription) === params.subscription) &&
          (params.due_date === undefined || isCreatedIn(invoice.due_date ?? 0, params.due_date)) &&
          isCreatedIn(invoice.created, params.created),
      )
    return page(matching.reverse(), params, '/v1/invoices')
  },
})

const listLines = route<Stripe.InvoiceListLineItemsParams>('GET /v1/invoices/:id/lines', {
  gives: 'line_item',
  list: true,
  parameters: rule.listRules,
  handle: ({ account, params, id }) => {
    account.get('invoice', id, 'invoice')
    return page(account.invoiceLines.get(id) ?? [], params, `/v1/invoices/${id}/lines`)
  },
})

/** The invoice of the subscription's next period, as things stand. */
const preview = route<Stripe.InvoiceCreatePreviewParams>('POST /v1/invoices/create_preview', {
  gives: 'invoice',
  parameters: previewRules,
  handle: ({ account, params }) => {
    const subscription = account.get('subscription', params.subscription ?? '', 'subscription', 400)
    if (hasEnded(subscription) || subscription.cancel_at_period_end) {
      throw invalidRequest('No upcoming invoices for this subscription', undefined, 'invoice_upcoming_none')
    }
    const customer = idOf(subscription.customer) ?? ''
    const { end: start } = periodOf(subscription)
    const end = nextBoundary(subscription.billing_cycle_anchor, intervalOf(subscription), start)
    const running = { ...subscription, status: 'active' }
    return previewInvoice(account, {
      customer,
      subscription,
      currency: subscription.currency,
      reason: 'upcoming',
      lines: [
        ...pendingLines(account, customer, subscription.currency, subscription.id),
        ...subscription.items.data.map((item) => periodLine(account, running, item, { start, end })),
      ],
      period: periodOf(subscription),
    })
  },
})

export const invoices: Resource = {
  routes: [create, retrieve, update, remove, finalize, pay, voidIt, writeOff, list, listLines, preview],
  expandable: {
    invoice: {
      customer: reference('customer'),
      default_payment_method: reference('payment_method'),
      discounts: reference('discount'),
      lines: partOf('list:line_item'),
      parent: partOf('invoice.parent'),
      confirmation_secret: {
        gives: 'confirmation_secret',
        make: (account, invoice) => {
          const intent = intentOf(account, account.get('invoice', String(invoice['id'])))
          return intent === undefined ? null : { client_secret: intent.client_secret, type: 'payment_intent' }
        },
      },
      payments: {
        gives: 'list:invoice_payment',
        make: (account, invoice) => {
          const payment = paymentOf(account, account.get('invoice', String(invoice['id'])))
          return page(payment === undefined ? [] : [payment], {}, '/v1/invoice_payments')
        },
      },
      test_clock: reference('test_helpers.test_clock'),
    },
    'invoice.parent': { subscription_details: partOf('invoice.parent.subscription_details') },
    'invoice.parent.subscription_details': { subscription: reference('subscription') },
    line_item: {
      discounts: reference('discount'),
      pricing: partOf('line_item.pricing'),
      subscription: reference('subscription'),
    },
    'line_item.pricing': { price_details: partOf('line_item.pricing.price_details') },
    'line_item.pricing.price_details': { price: reference('price') },
  },
}
