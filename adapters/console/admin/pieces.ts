import { type Refused, textAreaField } from '../forms.js'
import type { Query, Visit } from '../frame.js'
import { html, type HtmlValue, nothing, type SafeHtml } from '../html.js'
import { buttonLink, callout, type Column, table as plainTable } from '../parts.js'

/* What several of administrators' pages need. */

/** Credit types to choose from in a form. */
export function typeChoices(visit: Visit, types: readonly string[]): { value: string; label: string }[] {
  return types.map((type) => ({ value: type, label: visit.show.creditType(type) }))
}

/** The credit type a list is narrowed down to; undefined: all, also where the address names none of ours. */
export function typeFilter(visit: Visit, types: readonly string[]): string | undefined {
  return types.find((type) => type === visit.query.get('type'))
}

/** A form that asks for another part of a page: its fields stand in the address. */
export function filterForm(visit: Visit, path: string, body: HtmlValue, submit = 'Show'): SafeHtml {
  return html`<form method="get" action="${visit.path(path)}" class="filters">
    ${body}
    <button class="button">${submit}</button>
  </form>`
}

/** The user whose page it is: ids are in the query, as some of them, such as `..`, can't stand in a path. */
export function userOf(visit: Visit): string {
  return visit.query.get('user') ?? ''
}

export function userLink(visit: Visit, userId: string): SafeHtml {
  return html`<a href="${userPath(visit, userId)}">${userId}</a>`
}

export function userPath(visit: Visit, userId: string): string {
  return visit.path('/admin/users/account', { user: userId })
}

export function transactionPath(transactionId: string): string {
  return `/admin/users/transactions/${encodeURIComponent(transactionId)}`
}

export function hidden(fields: Readonly<Record<string, string | number | undefined>>): SafeHtml[] {
  return Object.entries(fields).map(([name, value]) =>
    value === undefined ? nothing : html`<input type="hidden" name="${name}" value="${value}" />`,
  )
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Was it left open whether something was written? Then only the same key tells, so it is sent again. */
export function keptKey(visit: Visit, problem: Refused | null): string | undefined {
  const sent = visit.form.text('key')
  return problem?.status === 503 && UUID.test(sent) ? sent : undefined
}

/** The key of a form that writes credits: a double click does it once. */
export function keyField(key: string = crypto.randomUUID()): SafeHtml {
  return html`<input type="hidden" name="key" value="${key}" />`
}

export function wrongField(name: string, message: string): Refused {
  return { status: 400, message: 'Please check what you entered.', fields: new Map([[name, message]]) }
}

export const NOT_SELLING = callout(
  'calm',
  'Nothing is sold here yet',
  html`<p>
    Give the service a payment provider (its option <span class="mono">payments</span>) and this page fills up.
  </p>`,
)

/** Onwards in a list that does not begin with the newest, and back to its start. */
export function onward(
  visit: Visit,
  path: string,
  { query, next, isLater }: { query: Query; next: Query | null; isLater: boolean },
): SafeHtml {
  if (!isLater && next === null) return nothing
  return html`<nav class="pager" aria-label="Pages">
    ${isLater ? buttonLink(visit.path(path, query), 'Back to the start') : nothing}
    ${next === null ? html`<span class="soft">That is all.</span>` : buttonLink(visit.path(path, { ...query, ...next }), 'Next')}
  </nav>`
}

/** Pages about one thing, side by side. */
export function tabs(name: string, entries: readonly { href: string; text: string; isCurrent: boolean }[]): SafeHtml {
  return html`<nav aria-label="${name}">
    <ul class="tabs">
      ${entries.map(
        ({ href, text, isCurrent }) =>
          html`<li><a href="${href}" ${isCurrent ? html`aria-current="page"` : nothing}>${text}</a></li>`,
      )}
    </ul>
  </nav>`
}

/** Credits with a sign. */
export function change(visit: Visit, amount: number): SafeHtml {
  return html`<span class="${amount > 0 ? 'plus' : ''}">${visit.show.signed(amount)}</span>`
}

/** Why it is done; goes to the host's audit log, as nothing of it stands in the ledger. */
export function auditReason(visit: Visit, problem: Refused | null): SafeHtml {
  return textAreaField({
    name: 'reason',
    label: 'Reason',
    hint: 'For the record, with your name.',
    value: visit.form.text('reason'),
    ...{ required: true, maxlength: 2000, rows: 2, problem },
  })
}

/** A table whose cells may hold several things: on narrow screens a cell is laid out as its head and one element. */
export function table<Row>(caption: string, columns: readonly Column<Row>[], rows: readonly Row[]): SafeHtml {
  const wrapped = columns.map((column) => ({ ...column, cell: (row: Row) => html`<div>${column.cell(row)}</div>` }))
  return plainTable(caption, wrapped, rows)
}
