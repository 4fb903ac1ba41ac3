import { invalidRequest } from '../api-error.js'
import { completeSession, settleSession } from '../checkout-actions.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { testPaymentMethod } from '../test-payment-methods.js'

/** How long, by the account's clock, a bank takes to settle what was paid through this door, in milliseconds. */
const BANK_DELAY_MS = 2_000

/**
 * The internal side of the Checkout page. It is no part of the public API; the Stripe CLI pays sessions through it
 * (`stripe trigger checkout.session.completed`).
 */
const retrieve = route<{ expand?: string[] }>('GET /v1/payment_pages/:id', {
  gives: 'checkout.session',
  parameters: { expand: rule.expand },
  handle: ({ account, id }) => account.get('checkout.session', id, 'session'),
})

/** The buyer pays. Bank debits settle a moment later, as nobody is there to settle them by hand. */
const confirm = route<{ payment_method: string; expected_amount?: number; expand?: string[] }>(
  'POST /v1/payment_pages/:id/confirm',
  {
    gives: 'checkout.session',
    parameters: {
      expand: rule.expand,
      expected_amount: rule.integer(0),
      payment_method: rule.required(rule.text()),
    },
    handle: ({ account, params, id }) => {
      const session = account.get('checkout.session', id, 'session')
      if (session.status !== 'open') throw invalidRequest('This Checkout Session is no longer open.', 'session')
      if (params.expected_amount !== undefined && params.expected_amount !== session.amount_total) {
        const message = `The amount is ${session.amount_total ?? 0}, not ${params.expected_amount}.`
        throw invalidRequest(message, 'expected_amount')
      }
      const behaviour = testPaymentMethod(account.behaviours.get(params.payment_method) ?? params.payment_method)
      const isDelayed = behaviour.pays.kind === 'settles_later'
      completeSession(account, session, isDelayed ? 'unpaid' : 'paid', { paymentMethod: params.payment_method })
      if (isDelayed) {
        account.later(BANK_DELAY_MS, () => {
          if (session.payment_status === 'unpaid') settleSession(account, session, behaviour.settles ?? 'succeeded')
        })
      }
      return session
    },
  },
)

export const paymentPages: Resource = { routes: [retrieve, confirm], expandable: {} }
