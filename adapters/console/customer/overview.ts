import type { CreditBalance } from '../../../src/credit-balance.js'
import type { CreditGrant } from '../../../src/grants.js'
import type { Page, Visit } from '../frame.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { buttonLink, card, empty } from '../parts.js'
import { paymentCards } from './payment-cards.js'
import { transactionsTable } from './transactions-table.js'

const LAST_TRANSACTIONS = 6
/** More ends than this are a list nobody reads. */
const SHOWN_ENDS = 3

/** Everything at a glance: what there is, what ends, what happened last. */
export const overviewPage: Page = {
  method: 'GET',
  path: '/',
  role: 'user',
  nav: 'Overview',
  show: async (visit) => {
    const [balances, grants, { transactions }, packages] = await Promise.all([
      visit.run('getBalances', {}),
      visit.run('getGrants', {}),
      visit.run('listTransactions', { limit: LAST_TRANSACTIONS }),
      visit.run('getPackages', {}),
    ])
    const types = Object.entries(balances)
    const onSale = new Set(packages.map(({ creditType }) => creditType))
    const cards = types.map(([type, balance]) =>
      balanceCard(visit, {
        ...{ type, balance, isOnSale: onSale.has(type) },
        grants: grants.filter(({ creditType }) => creditType === type),
      }),
    )
    const history =
      transactions.length === 0
        ? empty('Nothing has happened yet', 'What you buy and use will be listed here.')
        : transactionsTable(visit, transactions, { hasTypes: types.length > 1 })
    return {
      title: 'Overview',
      body: html`<div class="stack">
        <div class="grid stretch">${cards}</div>
        ${await paymentCards(
          visit,
          types.map(([type]) => type),
          packages,
        )}
        ${card('Last transactions', history, {
          actions:
            transactions.length === 0 ? nothing : html`<a href="${visit.path('/history')}">Show the whole history</a>`,
        })}
      </div>`,
    }
  },
}

function balanceCard(
  visit: Visit,
  known: { type: string; balance: CreditBalance; grants: readonly CreditGrant[]; isOnSale: boolean },
): SafeHtml {
  const { type, balance, grants, isOnSale } = known
  const { show } = visit
  const name = show.creditType(type)
  const buy = isOnSale
    ? html`<div class="push buttons">
        ${buttonLink(visit.path('/buy', { type }), 'Buy credits', 'primary', `Buy credits: ${name}`)}
      </div>`
    : nothing
  return card(
    name,
    html`<p class="big-line">
        <span class="big">${show.count(balance.balance)}</span> <span class="soft">available</span>
      </p>
      <ul class="list">
        ${held(visit, balance)} ${debt(visit, balance)} ${ends(visit, grants)} ${begins(visit, grants)}
      </ul>
      ${buy}`,
    { id: `balance-${type}` },
  )
}

function held({ show }: Visit, balance: CreditBalance): SafeHtml {
  if (balance.held === 0) return nothing
  return note('Set aside for work that is running', show.count(balance.held))
}

function debt({ show }: Visit, { debt: owed }: CreditBalance): SafeHtml {
  if (owed === 0) return nothing
  return note(
    html`<b>Owed.</b> A payment was returned after its credits had been used. The next credits you get pay this back
      first.`,
    show.count(owed),
  )
}

/** What ends next, soonest first; what ends on the same day together. */
function ends({ show, now }: Visit, grants: readonly CreditGrant[]): SafeHtml[] {
  const byDay = new Map<string, { end: Date; amount: number }>()
  for (const { expiresAt, effectiveAt, remaining } of grants) {
    if (expiresAt === null || expiresAt <= now || remaining === 0) continue
    if (effectiveAt !== null && effectiveAt > now) continue
    const day = show.today(expiresAt)
    const known = byDay.get(day)
    const end = known === undefined || expiresAt < known.end ? expiresAt : known.end
    byDay.set(day, { end, amount: (known?.amount ?? 0) + remaining })
  }
  return [...byDay.values()]
    .sort((a, b) => a.end.getTime() - b.end.getTime())
    .slice(0, SHOWN_ENDS)
    .map(({ end, amount }) =>
      note(html`Ends ${show.date(end)} <span class="note">${show.relative(end, now)}</span>`, show.count(amount)),
    )
}

/** What begins later. */
function begins({ show, now }: Visit, grants: readonly CreditGrant[]): SafeHtml[] {
  return grants
    .filter(({ effectiveAt }) => effectiveAt !== null && effectiveAt > now)
    .slice(0, SHOWN_ENDS)
    .map(({ effectiveAt, remaining }) =>
      note(html`More from ${effectiveAt === null ? nothing : show.date(effectiveAt)}`, show.signed(remaining)),
    )
}

function note(text: string | SafeHtml, figure: string): SafeHtml {
  return html`<li><span>${text}</span><span>${figure}</span></li>`
}
