import type { CreditTransaction } from '../../../src/credit-transaction.js'
import type { ExplainedPart } from '../../../src/ledger/explain.js'
import type { Page, Visit } from '../frame.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, card, type Column, facts, table } from '../parts.js'
import { amountText } from './transactions-table.js'
import { KIND_MEANINGS, KINDS, REASONS, SOURCES } from './wording.js'

/** One transaction: what it was, which credits it touched, and who paid for them. */
export const transactionPage: Page = {
  method: 'GET',
  path: '/history/{transactionId}',
  role: 'user',
  show: async (visit) => {
    const transactionId = visit.fields.transactionId ?? ''
    const { transaction, parts, relatedTransaction } = await visit.run('explain', { transactionId })
    return {
      title: transaction.description.trim() || KINDS[transaction.transactionType],
      lead: KIND_MEANINGS[transaction.transactionType],
      parent: { path: '/history', name: 'History' },
      body: html`<div class="stack">
        ${card('Transaction', summary(visit, transaction, relatedTransaction))}
        ${parts.length === 0 ? nothing : card(partsTitle(transaction), partsTable(visit, parts))}
        ${details(transaction)}
      </div>`,
    }
  },
}

function summary(visit: Visit, transaction: CreditTransaction, related: CreditTransaction | null): SafeHtml {
  const { show, caller } = visit
  const { id, userId, creditType, amount, balanceAfter, transactionType, createdAt, effectiveAt } = transaction
  const { referenceId, referenceType } = transaction
  const reference = referenceId === null ? null : `${referenceType === null ? '' : `${referenceType} `}${referenceId}`
  return facts([
    ['Kind', badge(KINDS[transactionType])],
    ['Amount', html`${amountText(visit, amount)} ${show.creditType(creditType)}`],
    ['Balance after', show.count(balanceAfter)],
    ['When', show.dateTime(createdAt)],
    ['In effect from', effectiveAt === null ? null : show.dateTime(effectiveAt)],
    // Administrators may look at anybody's.
    ['User', userId === String(caller.userId) ? null : userId],
    ['For', reference],
    [
      'Belongs to',
      related === null
        ? null
        : html`<a href="${visit.path(`/history/${related.id}`)}"
              >${related.description.trim() || KINDS[related.transactionType]}</a
            >
            (${show.signed(related.amount)})`,
    ],
    ['Id', html`<span class="mono">${id}</span>`],
  ])
}

function partsTitle({ amount }: CreditTransaction): string {
  return amount < 0 ? 'Where these credits came from' : 'Where these credits went'
}

function partsTable(visit: Visit, parts: readonly ExplainedPart[]): SafeHtml {
  const { show } = visit
  return table(
    'Credits by where they are from, in the order in which they were used',
    [
      { head: 'Credits', isRowHead: true, cell: ({ amount }) => show.count(amount) },
      { head: 'From', cell: (part) => sourceText(visit, part) },
      { head: 'End', cell: ({ grant }) => (grant?.expiresAt ? show.date(grant.expiresAt) : grant ? 'Never' : '') },
      { head: 'Paid for them', isNumber: true, cell: (part) => paidText(visit, part) },
      ...(parts.some(({ before }) => before !== null) ? [reasonColumn] : []),
    ],
    parts,
  )
}

const reasonColumn: Column<ExplainedPart> = {
  head: 'Why these first',
  cell: ({ before }) => (before === null ? '' : REASONS[before]),
}

function sourceText({ show }: Visit, { grant, payment, debt }: ExplainedPart): SafeHtml {
  if (debt) return html`<span>${grant === null ? 'Owed credits' : 'Pays back owed credits'}</span>`
  if (grant === null) return html`<span>Unknown</span>`
  const name = payment === null ? SOURCES[grant.source] : `${SOURCES[grant.source]}: ${payment.packageName}`
  return html`<span>${name}<br /><span class="note">${show.date(grant.createdAt)}</span></span>`
}

function paidText({ show }: Visit, { paidMinor, payment, grant }: ExplainedPart): string {
  const currency = payment?.currency ?? grant?.currency ?? null
  return paidMinor === null || currency === null ? '–' : show.money(paidMinor, currency)
}

/** What the host wrote beside it. */
function details({ operation, metadata }: CreditTransaction): SafeHtml {
  if (operation === null && metadata === null) return nothing
  const entries = Object.entries({ ...operation?.params, ...metadata })
  const named = operation === null ? [] : [['Operation', operation.name] as const]
  return card(
    'Details',
    facts([
      ...named,
      ...entries.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const),
    ]),
  )
}
