import type Stripe from 'stripe'
import { accountPage, isAccountPage } from './account-pages.js'
import { applyPromotionCode, type CheckoutOutcome, type CompleteOptions } from './checkout-actions.js'
import { checkoutPage, closedPage, unknownPage } from './checkout-page.js'
import type { StripeAccount } from './stripe-account.js'

/** What the server sends to the buyer's browser. */
export interface PageReply {
  status: number
  headers: Record<string, string>
  body: string
}

type Complete = (sessionId: string, outcome: CheckoutOutcome, options: CompleteOptions) => Promise<unknown>

/** The address of a session's page is this and the session's id. */
const PAGE_PATH = '/c/pay/'

/** Whether `buyerPage` answers this address. */
export function isBuyerPage(pathname: string): boolean {
  return pathname.startsWith(PAGE_PATH) || isAccountPage(pathname)
}

/**
 * Answer the buyer's browser: the page, or what its buttons do.
 *
 * Paying waits for the webhooks and then redirects (303) to the shop, as Stripe's page does.
 */
export async function buyerPage(
  account: StripeAccount,
  complete: Complete,
  request: { method: string; url: URL; body: string },
): Promise<PageReply> {
  account.tick()
  if (isAccountPage(request.url.pathname)) {
    const body = accountPage(account, request)
    return body === undefined ? html(404, unknownPage()) : html(200, body)
  }
  const id = request.url.pathname.slice(PAGE_PATH.length)
  const session = account.find('checkout.session', id)
  if (session === undefined) return html(404, unknownPage())
  if (request.method === 'GET' || request.method === 'HEAD') return show(account, session, noticeOf(request.url))
  if (request.method !== 'POST') return { status: 405, headers: { allow: 'GET, HEAD, POST' }, body: '' }
  const form = new URLSearchParams(request.body)
  const action = form.get('action')
  if (action === 'cancel') return redirect(session.cancel_url ?? request.url.pathname)
  if (session.status !== 'open') return show(account, session)
  if (action === 'apply_code') {
    const isApplied = applyPromotionCode(account, session, form.get('promotion_code') ?? '')
    return redirect(`${request.url.pathname}${isApplied ? '' : '?notice=code'}`)
  }
  if (action === 'decline') {
    await complete(id, 'declined', buyerOf(form))
    return redirect(`${request.url.pathname}?notice=declined`)
  }
  if (action !== 'pay' && action !== 'pay_later') return show(account, session)
  await complete(id, action === 'pay' ? 'paid' : 'unpaid', buyerOf(form))
  const back = session.success_url ?? session.return_url
  return back === undefined ? show(account, session) : redirect(back.replaceAll('{CHECKOUT_SESSION_ID}', id))
}

function show(account: StripeAccount, session: Stripe.Checkout.Session, notice?: string): PageReply {
  if (session.status !== 'open') return html(200, closedPage(session))
  const lineItems = account.checkouts.get(session.id)?.lineItems ?? []
  return html(200, checkoutPage(session, { lineItems, ...(notice !== undefined && { notice }) }))
}

function noticeOf(url: URL): string | undefined {
  const notice = url.searchParams.get('notice')
  if (notice === 'declined') return 'Your card was declined. Try again.'
  if (notice === 'code') return 'This promotion code is not valid.'
  return undefined
}

function buyerOf(form: URLSearchParams): CompleteOptions {
  const email = form.get('email') ?? ''
  return email === '' ? {} : { email }
}

function redirect(location: string): PageReply {
  return { status: 303, headers: { location }, body: '' }
}

function html(status: number, body: string): PageReply {
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    // No `form-action`: browsers apply it to the redirect after paying, which leads to the shop.
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
  }
  return { status, headers, body }
}
