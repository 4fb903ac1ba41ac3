import { TRANSACTION_TYPES } from '../../../src/ledger/transaction.js'
import type { Page, Visit } from '../frame.js'
import { selectField, textField } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { buttonLink, empty, pager } from '../parts.js'
import { type HistoryFilter, historyFilter } from './history-filter.js'
import { creditTypesOf } from './selling.js'
import { transactionsTable } from './transactions-table.js'
import { KINDS } from './wording.js'

const PAGE_SIZE = 50

/** Every transaction, by filter and page by page. */
export const historyPage: Page = {
  method: 'GET',
  path: '/history',
  role: 'user',
  nav: 'History',
  show: async (visit) => {
    const types = await creditTypesOf(visit)
    const filter = historyFilter(visit, types)
    const cursor = visit.query.get('cursor')
    const list =
      filter.problem === null
        ? await visit.run('listTransactions', { ...filter.input, limit: PAGE_SIZE, cursor })
        : { transactions: [], nextCursor: null }
    const body =
      list.transactions.length === 0
        ? nothingFound(visit, filter)
        : transactionsTable(visit, list.transactions, { hasTypes: types.length > 1 })
    return {
      title: 'History',
      problem: filter.problem,
      actions:
        filter.problem === null
          ? html`<a class="button plain" href="${visit.path('/history.csv', filter.query)}" download
              >Download as CSV</a
            >`
          : undefined,
      body: html`<div class="card">
        ${filterForm(visit, types, filter)} ${body}
        ${pager(visit, { path: '/history', query: filter.query, nextCursor: list.nextCursor })}
      </div>`,
    }
  },
}

function filterForm(visit: Visit, types: readonly string[], { query, problem }: HistoryFilter): SafeHtml {
  const kinds = TRANSACTION_TYPES.map((value) => ({ value, label: KINDS[value] }))
  const names = types.map((value) => ({ value, label: visit.show.creditType(value) }))
  const type =
    types.length < 2
      ? nothing
      : selectField({
          ...{ name: 'type', label: 'Credits', value: query.type, problem },
          choices: [{ value: '', label: 'All' }, ...names],
        })
  return html`<form class="filters" method="get" action="${visit.path('/history')}" role="search">
    ${type}
    ${selectField({
      ...{ name: 'kind', label: 'Kind', value: query.kind, problem },
      choices: [{ value: '', label: 'All' }, ...kinds],
    })}
    ${textField({ name: 'from', label: 'From', type: 'date', value: query.from, problem })}
    ${textField({ name: 'to', label: 'To', type: 'date', value: query.to, problem })}
    <button class="button plain">Filter</button>
  </form>`
}

function nothingFound(visit: Visit, { query }: HistoryFilter): SafeHtml {
  const isFiltered = Object.values(query).some((value) => value !== '')
  return isFiltered
    ? empty(
        'Nothing matches',
        'No transaction is like what you asked for.',
        buttonLink(visit.path('/history'), 'Show all'),
      )
    : empty(
        'Nothing has happened yet',
        'What you buy and use will be listed here.',
        buttonLink(visit.path('/buy'), 'Buy credits', 'primary'),
      )
}
