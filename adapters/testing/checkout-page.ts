import type Stripe from 'stripe'
import { formatAmount } from './currencies.js'

/** What the page shows beside the session. */
interface PageContext {
  lineItems: readonly Stripe.LineItem[]
  /** Shown in red above the buttons: the card was declined, the code is unknown. */
  notice?: string
}

/** The buyer's page: what is bought, what it costs, and buttons for what a buyer can do. Plain HTML, no script. */
export function checkoutPage(session: Stripe.Checkout.Session, { lineItems, notice }: PageContext): string {
  const currency = session.currency ?? 'usd'
  const money = (amount: number | null | undefined): string => escape(formatAmount(amount ?? 0, currency))
  const total = money(session.amount_total)
  const lines = lineItems.map(
    (
      line,
    ) => `<li><span>${escape(line.description ?? 'Item')}<small>${line.quantity ?? 1} × ${money(line.price?.unit_amount)}</small></span>
      <b>${money(line.amount_subtotal)}</b></li>`,
  )
  const { amount_discount: discount = 0, amount_tax: tax = 0 } = session.total_details ?? {}
  const sums = [
    `<li><span>Subtotal</span><b>${money(session.amount_subtotal)}</b></li>`,
    discount > 0 ? `<li><span>Discount</span><b>−${money(discount)}</b></li>` : '',
    tax > 0 ? `<li><span>Tax</span><b>${money(tax)}</b></li>` : '',
    `<li class="total"><span>Total due</span><b>${total}</b></li>`,
  ]
  const isFree = (session.amount_total ?? 0) === 0
  const freeLabel = session.mode === 'setup' ? 'Save card' : 'Complete order'
  const email = escape(session.customer_email ?? '')
  const body = `<section>
    <h1>${total}</h1>
    <ul>${lines.join('')}</ul>
    <ul class="sums">${sums.join('')}</ul>
  </section>
  <section>
    ${notice === undefined ? '' : `<p class="notice" role="alert">${escape(notice)}</p>`}
    ${session.allow_promotion_codes === true ? promotionCodeForm() : ''}
    <form method="post">
      <label for="email">Email</label>
      <input id="email" name="email" type="email" autocomplete="email" placeholder="buyer@example.com" value="${email}"${email === '' ? '' : ' readonly'}>
      <button class="pay" name="action" value="pay">${isFree ? freeLabel : `Pay ${total}`}</button>
      ${isFree ? '' : otherOutcomes()}
    </form>
    <form method="post"><button class="link" name="action" value="cancel">Cancel and go back</button></form>
  </section>`
  return layout(`Pay ${total}`, session.livemode, body)
}

/** The page of a session that can no longer be paid. */
export function closedPage(session: Stripe.Checkout.Session): string {
  const isPaid = session.status === 'complete'
  const title = isPaid ? 'This order is complete' : 'This page has expired'
  const detail = isPaid ? 'There is nothing left to pay.' : 'Go back to the shop and start again.'
  const back = session.cancel_url ?? session.success_url
  const link = back === null ? '' : `<p><a href="${escape(back)}">Go back</a></p>`
  return layout(title, session.livemode, `<section><h1>${title}</h1><p>${detail}</p>${link}</section>`)
}

/** The page for an address that names no session. */
export function unknownPage(): string {
  return layout('Not found', false, '<section><h1>Not found</h1><p>There is no such page.</p></section>')
}

/** A form of its own, so that Enter in the email field pays. */
function promotionCodeForm(): string {
  return `<form method="post">
      <label for="code">Promotion code</label>
      <div class="row code"><input id="code" name="promotion_code" autocomplete="off"><button name="action" value="apply_code">Apply</button></div>
    </form>`
}

function otherOutcomes(): string {
  return `<div class="row">
        <button name="action" value="pay_later" title="A bank debit: the order completes unpaid and settles later">Pay by bank debit</button>
        <button name="action" value="decline" title="The card is declined; the session stays open">Card is declined</button>
      </div>`
}

/** A whole page around `body`, which is HTML. */
export function layout(title: string, livemode: boolean, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header><strong>Checkout</strong> <span>${livemode ? 'LIVE KEY, LOCAL SERVER' : 'LOCAL TEST'}</span></header>
<main>${body}</main>
<footer>A local stand-in for Stripe from creditkit/testing. No money moves.</footer>
</body>
</html>
`
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1a1f36; --soft: #5b6478; --line: #dfe3ec; --page: #f5f6fa; --card: #fff; --accent: #4f46e5; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #eef0f6; --soft: #a3abbd; --line: #353b4d; --page: #14171f; --card: #1d212c; --accent: #6d66f0; --bad: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); display: flex; flex-direction: column }
header, footer { padding: 1.25rem; text-align: center; color: var(--soft); font-size: .875rem }
header span { margin-left: .5rem; padding: .15rem .5rem; border-radius: .4rem; font-size: .75rem; font-weight: 600; background: #ffe3a3; color: #5c3d00 }
main { flex: 1; width: 100%; max-width: 54rem; margin: 0 auto; padding: 0 1rem; display: grid; gap: 1rem; align-content: start; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)) }
section { padding: 1.75rem; border: 1px solid var(--line); border-radius: .9rem; background: var(--card) }
h1 { margin: 0 0 1rem; font-size: 2rem; line-height: 1.2 }
ul { margin: 0; padding: 0; list-style: none }
li { display: flex; justify-content: space-between; gap: 1rem; padding: .5rem 0 }
li b { font-weight: 600; white-space: nowrap }
li span { overflow-wrap: anywhere }
small { display: block; color: var(--soft) }
.sums { margin-top: .75rem; padding-top: .75rem; border-top: 1px solid var(--line) }
.total { font-size: 1.1rem }
label { display: block; margin: 0 0 .35rem; font-size: .875rem; font-weight: 600 }
input { width: 100%; margin: 0 0 1rem; padding: .7rem .8rem; border: 1px solid var(--line); border-radius: .5rem; font: inherit; color: inherit; background: transparent }
button { padding: .7rem 1rem; border: 1px solid var(--line); border-radius: .5rem; font: inherit; font-weight: 600; color: inherit; background: transparent; cursor: pointer }
button:hover { border-color: var(--accent) }
input:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.pay { width: 100%; padding: .9rem; border: 0; color: #fff; background: var(--accent) }
.row { display: flex; gap: .6rem; margin-top: .75rem }
.row button { flex: 1 }
.row input { flex: 3 }
.code { margin: 0 0 1rem }
.code input { margin: 0 }
.link { width: 100%; margin-top: .75rem; border-color: transparent; color: var(--soft) }
.notice { margin: 0 0 1rem; padding: .7rem .9rem; border: 1px solid currentColor; border-radius: .5rem; color: var(--bad) }
`

/** Text for HTML and for attributes in double quotes. */
export function escape(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
