import type { CreditTransaction } from '../../../src/credit-transaction.js'
import type { Visit } from '../frame.js'
import { html, type SafeHtml } from '../html.js'
import { table } from '../parts.js'
import { KINDS } from './wording.js'

/** Transactions as a table whose rows lead to their pages. */
export function transactionsTable(
  visit: Visit,
  transactions: readonly CreditTransaction[],
  { hasTypes }: { hasTypes: boolean },
): SafeHtml {
  const { show } = visit
  return table(
    'Transactions, newest first',
    [
      { head: 'When', cell: ({ createdAt }) => show.dateTime(createdAt) },
      {
        head: 'What',
        isRowHead: true,
        cell: ({ id, description, transactionType }) =>
          html`<span
            ><a href="${visit.path(`/history/${id}`)}">${description.trim() || KINDS[transactionType]}</a><br /><span
              class="note"
              >${KINDS[transactionType]}</span
            ></span
          >`,
      },
      ...(hasTypes
        ? [{ head: 'Credits', cell: ({ creditType }: CreditTransaction) => show.creditType(creditType) }]
        : []),
      { head: 'Amount', isNumber: true, cell: ({ amount }) => amountText(visit, amount) },
      { head: 'Balance after', isNumber: true, cell: ({ balanceAfter }) => show.count(balanceAfter) },
    ],
    transactions,
    'ledger',
  )
}

/** Signed, and credits that came in in green. */
export function amountText({ show }: Visit, amount: number): SafeHtml {
  return html`<span class="figure ${amount > 0 ? 'plus' : ''}">${show.signed(amount)}</span>`
}
