import type { UserPurchase } from '../../../src/purchases.js'
import type { Page, Visit } from '../frame.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, buttonLink, empty, pager, table } from '../parts.js'
import { PURCHASE_STATES } from './wording.js'

const PAGE_SIZE = 25

/** What was bought, what was paid, and what went back. */
export const purchasesPage: Page = {
  method: 'GET',
  path: '/purchases',
  role: 'user',
  nav: 'Purchases',
  show: async (visit) => {
    const cursor = visit.query.get('cursor')
    const { purchases, nextCursor } = await visit.run('getPurchases', { limit: PAGE_SIZE, cursor })
    const body =
      purchases.length === 0
        ? empty(
            'You have not bought anything yet',
            'Packages you buy are listed here, with what was paid.',
            buttonLink(visit.path('/buy'), 'Buy credits', 'primary'),
          )
        : purchasesTable(visit, purchases)
    return {
      title: 'Purchases',
      body: html`<div class="card">${body} ${pager(visit, { path: '/purchases', query: {}, nextCursor })}</div>`,
    }
  },
}

function purchasesTable(visit: Visit, purchases: readonly UserPurchase[]): SafeHtml {
  const { show } = visit
  return table(
    'Purchases, newest first',
    [
      { head: 'When', cell: ({ createdAt }) => show.dateTime(createdAt) },
      { head: 'What', isRowHead: true, cell: (purchase) => whatText(visit, purchase) },
      {
        head: 'Credits',
        isNumber: true,
        cell: ({ credits, creditType }) =>
          html`<span>${show.count(credits)}<br /><span class="note">${show.creditType(creditType)}</span></span>`,
      },
      { head: 'Paid', isNumber: true, cell: (purchase) => paidText(visit, purchase) },
      { head: 'State', cell: (purchase) => stateBadge(purchase) },
    ],
    purchases,
  )
}

function whatText(visit: Visit, purchase: UserPurchase): SafeHtml {
  const { packageName, quantity, origin, transactionId } = purchase
  const name = `${quantity > 1 ? `${quantity} × ` : ''}${packageName}`
  const how = origin === 'topup' ? 'Automatic top-up' : origin === 'invoice' ? 'Subscription' : ''
  const link =
    transactionId === null ? html`${name}` : html`<a href="${visit.path(`/history/${transactionId}`)}">${name}</a>`
  return html`<span>${link}${how === '' ? nothing : html`<br /><span class="note">${how}</span>`}</span>`
}

function paidText({ show }: Visit, { paidMinor, reversedMinor, currency }: UserPurchase): SafeHtml {
  if (paidMinor === null) return html`<span class="soft">–</span>`
  const back =
    reversedMinor === 0 ? nothing : html`<br /><span class="note">${show.money(reversedMinor, currency)} back</span>`
  return html`<span>${show.money(paidMinor, currency)}${back}</span>`
}

function stateBadge({ status, reversedMinor }: UserPurchase): SafeHtml {
  const { text, tone } = PURCHASE_STATES[status]
  return status === 'fulfilled' && reversedMinor > 0 ? badge('Partly refunded') : badge(text, tone)
}
