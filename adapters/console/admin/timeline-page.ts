import type { Page, Visit } from '../frame.js'
import { creditTypesOf } from '../customer/selling.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, card, empty } from '../parts.js'
import { moneyOf } from './account-selling.js'
import { userFrame, userTabs } from './account.js'
import { change, onward, table, tabs, transactionPath, typeFilter, userOf } from './pieces.js'
import { readTimeline, type TimelineEntry } from './timeline.js'
import { ORIGIN_WORDS, PURCHASE_WORDS, TRANSACTION_TONES, TRANSACTION_WORDS } from './words.js'

const PATH = '/admin/users/timeline'
const PER_PAGE = 25

/** What happened to a user, for those who are asked why: payments and every change of their credits. */
export const timelinePage: Page = {
  method: 'GET',
  path: PATH,
  role: 'admin',
  show: async (visit) => {
    const userId = userOf(visit)
    const types = await creditTypesOf(visit)
    const creditType = typeFilter(visit, types)
    const place = { transactions: visit.query.get('t'), purchases: visit.query.get('p') }
    const { entries, next } = await readTimeline(visit, { userId, creditType, place, limit: PER_PAGE })
    const query = { user: userId, type: creditType }
    const pages = onward(visit, PATH, {
      query,
      next: next === null ? null : { t: next.transactions, p: next.purchases },
      isLater: place.transactions !== null || place.purchases !== null,
    })
    const list =
      entries.length === 0
        ? empty('Nothing has happened yet', 'Payments, uses, refunds and all other changes appear here, newest first.')
        : timeline(visit, entries)
    return {
      ...userFrame(visit, userId),
      body: html`<div class="stack">
        ${userTabs(visit, userId, 'timeline')} ${types.length < 2 ? nothing : filter(visit, userId, types, creditType)}
        ${card('Payments and credits', html`${list} ${pages}`)}
      </div>`,
    }
  },
}

function filter(visit: Visit, user: string, types: readonly string[], current: string | undefined): SafeHtml {
  const entry = (type: string | undefined, text: string) => ({
    href: visit.path(PATH, { user, type }),
    text,
    isCurrent: type === current,
  })
  return tabs('Credit type', [
    entry(undefined, 'All credit types'),
    ...types.map((type) => entry(type, visit.show.creditType(type))),
  ])
}

function timeline(visit: Visit, entries: readonly TimelineEntry[]): SafeHtml {
  const { show } = visit
  const nobody = html`<span class="soft">–</span>`
  return table(
    'Payments and changes of credits, newest first',
    [
      { head: 'When', cell: ({ at }) => show.dateTime(at) },
      { head: 'What', isRowHead: true, cell: (entry) => what(visit, entry) },
      {
        head: 'Amount',
        isNumber: true,
        cell: (entry) =>
          entry.kind === 'purchase' ? moneyOf(visit, entry.purchase) : change(visit, entry.transaction.amount),
      },
      {
        head: 'Balance after',
        isNumber: true,
        cell: (entry) => (entry.kind === 'purchase' ? nobody : show.count(entry.transaction.balanceAfter)),
      },
      { head: 'Why', isNumber: true, cell: (entry) => explainLink(visit, entry) },
    ],
    entries,
  )
}

function what({ show }: Visit, entry: TimelineEntry): SafeHtml {
  if (entry.kind === 'transaction') {
    const { transactionType, description, creditType, referenceType, referenceId, actor } = entry.transaction
    const reference = [referenceType, referenceId].filter((part) => part !== null).join(' ')
    return html`${badge(TRANSACTION_WORDS[transactionType], TRANSACTION_TONES[transactionType])}
      <span class="small soft">${show.creditType(creditType)}</span>
      ${description === '' ? nothing : html`<br />${description}`}
      ${reference === '' ? nothing : html`<br /><span class="small soft">${reference}</span>`}
      ${actor === null ? nothing : html`<br /><span class="small soft">By ${actor}</span>`}`
  }
  const { packageName, quantity, status, origin, credits, creditType, paymentId, invoiceId } = entry.purchase
  const { text, tone } = PURCHASE_WORDS[status]
  const id = paymentId ?? invoiceId
  return html`${badge(`Payment: ${text.toLowerCase()}`, tone)}
    <span class="small soft">${ORIGIN_WORDS[origin]}</span>
    <br />${quantity === 1 ? nothing : `${show.count(quantity)} × `}${packageName}, ${show.count(credits)}
    ${show.creditType(creditType)} ${id === null ? nothing : html`<br /><span class="mono soft">${id}</span>`}`
}

function explainLink(visit: Visit, entry: TimelineEntry): SafeHtml {
  const id = entry.kind === 'purchase' ? entry.purchase.transactionId : entry.transaction.id
  if (id === null) return html`<span class="soft">–</span>`
  const about = entry.kind === 'purchase' ? entry.purchase.packageName : entry.transaction.description
  return html`<a href="${visit.path(transactionPath(id))}" aria-label="Explain: ${about}">Explain</a>`
}
