import type Stripe from 'stripe'
import { payOnPage } from './billing/invoice-page.js'
import { escape, layout } from './checkout-page.js'
import { formatAmount } from './currencies.js'
import { INVOICE_PATH } from './billing/invoices.js'
import { PORTAL_PATH, subscriptionsOf } from './resources/portal-sessions.js'
import { idOf, type StripeAccount } from './stripe-account.js'

interface PageRequest {
  method: string
  url: URL
}

/** Whether `accountPage` answers this address. */
export function isAccountPage(pathname: string): boolean {
  return pathname.startsWith(PORTAL_PATH) || pathname.startsWith(INVOICE_PATH)
}

/** The pages Stripe hosts beside Checkout: the customer portal and a single invoice. Nothing for an unknown address. */
export function accountPage(account: StripeAccount, { method, url }: PageRequest): string | undefined {
  if (url.pathname.startsWith(PORTAL_PATH)) {
    const session = account.find('billing_portal.session', url.pathname.slice(PORTAL_PATH.length))
    return session === undefined ? undefined : portalPage(account, session)
  }
  const invoice = account.find('invoice', url.pathname.slice(INVOICE_PATH.length))
  if (invoice === undefined) return undefined
  if (method === 'POST' && invoice.status === 'open') {
    account.inTimeOf(idOf(invoice.customer), () => payOnPage(account, invoice))
  }
  return invoicePage(invoice)
}

/** Says what it is and what the customer has; it changes nothing. */
function portalPage(account: StripeAccount, session: Stripe.BillingPortal.Session): string {
  const rows = subscriptionsOf(account, session.customer).map((subscription) => {
    const names = subscription.items.data.map(({ price, quantity }) => `${quantity ?? 1} × ${price.id}`)
    return `<li><span>${escape(names.join(', '))}<small>${escape(subscription.id)}</small></span><b>${escape(subscription.status)}</b></li>`
  })
  const flow = session.flow === null ? '' : `<p>Opened to: ${escape(session.flow.type.replaceAll('_', ' '))}.</p>`
  const back = session.return_url
  const link = back === null ? '' : `<p><a href="${escape(back)}">Return to the shop</a></p>`
  const body = `<section><h1>Customer portal</h1>
    <p>Here a customer of the real Stripe manages subscriptions, payment methods and invoices. This page only shows them.</p>
    ${flow}<ul>${rows.join('') || '<li>No subscriptions.</li>'}</ul>${link}</section>`
  return layout('Customer portal', session.livemode, body)
}

function invoicePage(invoice: Stripe.Invoice): string {
  const money = (amount: number): string => escape(formatAmount(amount, invoice.currency))
  const lines = invoice.lines.data.map(
    (line) => `<li><span>${escape(line.description ?? '')}</span><b>${money(line.amount)}</b></li>`,
  )
  const button =
    invoice.status === 'open'
      ? `<form method="post"><button class="pay">Pay ${money(invoice.amount_remaining)}</button></form>`
      : ''
  const body = `<section><h1>Invoice ${escape(invoice.number ?? invoice.id)}</h1><p>${escape(invoice.status ?? '')}</p>
    <ul>${lines.join('')}</ul>
    <ul class="sums"><li class="total"><span>Total</span><b>${money(invoice.total)}</b></li></ul>${button}</section>`
  return layout('Invoice', invoice.livemode, body)
}
