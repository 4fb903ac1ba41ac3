import type { CreditTransaction } from '../../../src/credit-transaction.js'
import { InvalidInputError } from '../../../src/errors.js'
import { csvDownload, csvLine } from '../csv.js'
import type { Page, ProcedureOutput, Visit } from '../frame.js'
import { type HistoryFilter, historyFilter } from './history-filter.js'
import { creditTypesOf } from './selling.js'

const PAGE_SIZE = 200

const HEAD = [
  'date',
  'kind',
  'credit type',
  'amount',
  'balance after',
  'description',
  'reference type',
  'reference',
  'id',
]

/** The whole of what the history's filter shows, as a file. */
export const historyCsv: Page = {
  method: 'GET',
  path: '/history.csv',
  role: 'user',
  show: async (visit) => {
    const filter = historyFilter(visit, await creditTypesOf(visit))
    if (filter.problem !== null)
      throw new InvalidInputError([...filter.problem.fields].map(([path, message]) => ({ path, message })))
    // Before the answer begins, so that what is refused is still told by a page.
    const first = await visit.run('listTransactions', { ...filter.input, limit: PAGE_SIZE })
    return csvDownload(`credits-${visit.show.today(visit.now)}`, HEAD, allPages(visit, filter, first))
  },
}

async function* allPages(
  visit: Visit,
  { input }: HistoryFilter,
  first: ProcedureOutput<'listTransactions'>,
): AsyncGenerator<string, void> {
  let page = first
  for (;;) {
    yield page.transactions.map(line).join('')
    const { nextCursor: cursor } = page
    if (cursor === null) return
    page = await visit.run('listTransactions', { ...input, limit: PAGE_SIZE, cursor })
  }
}

function line(transaction: CreditTransaction): string {
  const { createdAt, transactionType, creditType, amount, balanceAfter, description } = transaction
  const { referenceType, referenceId, id } = transaction
  return csvLine([
    ...[createdAt, transactionType, creditType, amount, balanceAfter, description],
    ...[referenceType, referenceId, id],
  ])
}
