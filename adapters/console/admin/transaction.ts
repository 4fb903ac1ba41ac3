import type { Content, Page, ProcedureOutput, Visit } from '../frame.js'
import { attempt, form, type Refused, textAreaField, textField } from '../forms.js'
import { html, nothing, type SafeHtml } from '../html.js'
import { badge, card, empty, facts } from '../parts.js'
import { change, keptKey, keyField, table, transactionPath, userLink } from './pieces.js'
import { readRefunds, type Refunds } from './refunds.js'
import { REASON_WORDS, SOURCE_WORDS, TRANSACTION_TONES, TRANSACTION_WORDS } from './words.js'

type Explanation = ProcedureOutput<'explain'>
type Transaction = Explanation['transaction']
type Part = Explanation['parts'][number]

/** Where the credits of one transaction came from or went, and why. */
export const transactionPage: Page = {
  method: 'GET',
  path: '/admin/users/transactions/{transactionId}',
  role: 'admin',
  show: (visit) => explained(visit, null),
}

/** Credits of a use go back to the grants they came from. */
export const refundPage: Page = {
  method: 'POST',
  path: '/admin/users/transactions/{transactionId}/refund',
  role: 'admin',
  show: async (visit) => {
    const { form: sent } = visit
    const transactionId = visit.fields.transactionId ?? ''
    const tried = await attempt(() =>
      visit.run('refundCredits', {
        transactionId,
        amount: sent.number('amount'),
        reason: sent.text('reason'),
        idempotencyKey: sent.key(),
      }),
    )
    if (tried.refused !== null) return explained(visit, tried.refused)
    return visit.redirect(transactionPath(transactionId), { notice: 'credits-refunded' })
  },
}

async function explained(visit: Visit, problem: Refused | null): Promise<Content> {
  const { show } = visit
  const { transaction, parts, relatedTransaction } = await visit.run('explain', {
    transactionId: visit.fields.transactionId ?? '',
  })
  const refunds = transaction.transactionType === 'usage' ? await readRefunds(visit, transaction) : null
  const { transactionType, creditType, userId } = transaction
  return {
    title: transaction.description === '' ? TRANSACTION_WORDS[transactionType] : transaction.description,
    lead: `${show.signed(transaction.amount)} ${show.creditType(creditType)} credits`,
    parent: { path: '/admin/users', name: 'Users' },
    actions: html`<a class="button" href="${visit.path('/admin/users/timeline', { user: userId })}"
      >Timeline of this user</a
    >`,
    problem,
    fieldNames: { amount: 'Credits to give back' },
    body: html`<div class="stack">
      ${transactionCard(visit, transaction, relatedTransaction)} ${partsCard(visit, transaction, parts)}
      ${refunds === null ? nothing : refundCard(visit, transaction, refunds, problem)}
    </div>`,
  }
}

function transactionCard(visit: Visit, transaction: Transaction, related: Transaction | null): SafeHtml {
  const { show } = visit
  const { transactionType, metadata, operation, relatedTransactionId } = transaction
  const reference = [transaction.referenceType, transaction.referenceId].filter((part) => part !== null).join(' ')
  return card(
    'What happened',
    facts([
      ['User', userLink(visit, transaction.userId)],
      ['Kind', badge(TRANSACTION_WORDS[transactionType], TRANSACTION_TONES[transactionType])],
      ['Amount', change(visit, transaction.amount)],
      ['Balance after', show.count(transaction.balanceAfter)],
      ['When', show.dateTime(transaction.createdAt)],
      ['In effect from', transaction.effectiveAt === null ? null : show.dateTime(transaction.effectiveAt)],
      ['By', transaction.actor],
      ['Reference', reference],
      ['Operation', operation === null ? null : `${operation.name} (prices ${operation.priceVersion})`],
      [
        'Belongs to',
        related !== null
          ? html`<a href="${visit.path(transactionPath(related.id))}"
              >${TRANSACTION_WORDS[related.transactionType]} of ${show.count(Math.abs(related.amount))}</a
            >`
          : relatedTransactionId === null
            ? null
            : html`Hold <span class="mono">${relatedTransactionId}</span>`,
      ],
      ['Details', metadata === null ? null : html`<span class="mono">${JSON.stringify(metadata)}</span>`],
      ['Place in the ledger', `Number ${show.count(transaction.seq)} of this account`],
      ['Id', html`<span class="mono">${transaction.id}</span>`],
      [
        'Idempotency key',
        transaction.idempotencyKey === null ? null : html`<span class="mono">${transaction.idempotencyKey}</span>`,
      ],
    ]),
  )
}

function partsCard(visit: Visit, { amount }: Transaction, parts: readonly Part[]): SafeHtml {
  const { show } = visit
  const title = amount < 0 ? 'Which grants paid' : 'Which grants it went to'
  if (parts.length === 0)
    return card(title, empty('No grant was touched', 'This transaction only changed what is owed.'))
  const last = parts.length - 1
  return card(
    title,
    table(
      title,
      [
        {
          head: 'Grant',
          isRowHead: true,
          cell: ({ grant, debt }) =>
            grant === null
              ? 'Debt'
              : html`${SOURCE_WORDS[grant.source]}${debt ? html` ${badge('Debt', 'bad')}` : nothing}
                  <span class="small soft">of ${show.date(grant.createdAt)}</span>`,
        },
        { head: 'Credits', isNumber: true, cell: (part) => html`<strong>${show.count(part.amount)}</strong>` },
        { head: 'Worth', isNumber: true, cell: (part) => worth(visit, part) },
        {
          head: 'Expires',
          cell: ({ grant }) => (grant === null ? '–' : grant.expiresAt === null ? 'Never' : show.date(grant.expiresAt)),
        },
        { head: 'Payment', cell: ({ payment }) => paymentOf(visit, payment) },
        { head: 'Why in this order', cell: (part) => whyHere(part, parts.indexOf(part) === last) },
      ],
      parts,
    ),
  )
}

function worth({ show }: Visit, { paidMinor, grant, payment }: Part): string {
  const currency = payment?.currency ?? grant?.currency ?? null
  return paidMinor === null || currency === null ? '–' : show.money(paidMinor, currency)
}

function paymentOf({ show }: Visit, payment: Part['payment']): SafeHtml | string {
  if (payment === null) return html`<span class="soft">None</span>`
  const { packageName, paidMinor, currency, paymentId, sessionId } = payment
  const id = paymentId ?? sessionId
  return html`${packageName}${paidMinor === null ? nothing : `, ${show.money(paidMinor, currency)}`}
  ${id === null ? nothing : html`<br /><span class="mono soft">${id}</span>`}`
}

function whyHere({ before, debt, grant }: Part, isLast: boolean): string {
  if (debt) return grant === null ? 'Nothing was left to take' : 'What is owed comes first'
  if (before !== null) return `Before the next one, because ${REASON_WORDS[before]}`
  return isLast ? 'The last one that was needed' : 'Back in reverse: the last one taken comes first'
}

function refundCard(visit: Visit, use: Transaction, refunds: Refunds, problem: Refused | null): SafeHtml {
  const { show } = visit
  const left = -use.amount - refunds.total
  const soFar = facts([
    ['Used', show.count(-use.amount)],
    ['Given back so far', `${refunds.isComplete ? '' : 'at least '}${show.count(refunds.total)}`],
    ['Can still be given back', show.count(Math.max(0, left))],
  ])
  const links = refunds.transactions.map(
    (refund) =>
      html`<li>
        <span
          ><a href="${visit.path(transactionPath(refund.id))}">${refund.description || 'Refund'}</a>
          <span class="soft small">${show.dateTime(refund.createdAt)}</span></span
        >
        ${change(visit, refund.amount)}
      </li>`,
  )
  const refundForm = form(visit, {
    action: `${transactionPath(use.id)}/refund`,
    submit: 'Give credits back',
    body: html`${keyField(keptKey(visit, problem))}
    ${textField({
      name: 'amount',
      label: 'Credits to give back',
      hint: `Empty: all ${show.count(left)} that are left.`,
      type: 'number',
      min: 1,
      max: left,
      step: 1,
      value: visit.form.text('amount'),
      problem,
    })}
    ${textAreaField({
      name: 'reason',
      label: 'Reason',
      hint: 'Stands in the user’s history and in the ledger.',
      value: visit.form.text('reason'),
      required: true,
      maxlength: 2000,
      rows: 2,
      problem,
    })}`,
  })
  return card(
    'Refund',
    html`<div class="stack">
      ${soFar}
      ${
        links.length === 0
          ? nothing
          : html`<ul class="list">
              ${links}
            </ul>`
      }
      ${left > 0 ? refundForm : html`<p class="note">All of it has been given back.</p>`}
    </div>`,
  )
}
