import type { Visit } from './frame.js'
import { html, type HtmlValue, nothing, type SafeHtml } from './html.js'

/* What pages are put together from. Their looks are in stylesheet.ts. */

/** A framed part of a page, with a heading of its own. */
export function card(title: string, body: HtmlValue, options: { actions?: HtmlValue; id?: string } = {}): SafeHtml {
  const id = options.id ?? `section-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`
  return html`<section class="card" aria-labelledby="${id}">
    <div class="card-head">
      <h2 id="${id}">${title}</h2>
      ${options.actions}
    </div>
    ${body}
  </section>`
}

export type Tone = 'good' | 'warn' | 'bad' | 'calm'

/** A state, in words; the colour only repeats it. */
export function badge(text: string, tone: Tone = 'calm'): SafeHtml {
  return html`<span class="badge ${tone}">${text}</span>`
}

/** Something to know, with what to do about it. */
export function callout(tone: Tone, title: string, body: HtmlValue = nothing): SafeHtml {
  return html`<div class="callout ${tone}">
    <p class="callout-title">${title}</p>
    ${body}
  </div>`
}

/** Nothing is there yet: why, and what to do. */
export function empty(title: string, hint: string, action: HtmlValue = nothing): SafeHtml {
  return html`<div class="empty">
    <p class="empty-title">${title}</p>
    <p>${hint}</p>
    ${action}
  </div>`
}

/** A link that looks like a button. */
export function buttonLink(href: string, text: string, look: 'primary' | 'plain' = 'plain', label?: string): SafeHtml {
  const name = label === undefined ? nothing : html`aria-label="${label}"`
  return html`<a class="button ${look}" href="${href}" ${name}>${text}</a>`
}

export interface Column<Row> {
  head: string
  /** Figures stand to the right. */
  isNumber?: boolean
  /** What names the row, for those who hear the table. One column at most. */
  isRowHead?: boolean
  cell: (row: Row) => HtmlValue
}

/**
 * Rows and columns. On narrow screens each row becomes a card whose cells say their column; `look`: a class of
 * stylesheet.ts that arranges them otherwise.
 */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  look: '' | 'ledger' = '',
): SafeHtml {
  const heads = columns.map(
    ({ head, isNumber }) =>
      html`<th scope="col" role="columnheader" class="${isNumber === true ? 'number' : ''}">${head}</th>`,
  )
  // The roles say again what they are, as browsers forget it once the style shows rows as cards.
  const cell = (column: Column<Row>, row: Row) => {
    const look = column.isNumber === true ? 'number' : ''
    return column.isRowHead === true
      ? html`<th scope="row" role="rowheader" class="${look}" data-head="${column.head}">${column.cell(row)}</th>`
      : html`<td role="cell" class="${look}" data-head="${column.head}">${column.cell(row)}</td>`
  }
  return html`<table role="table" class="table ${look}">
    <caption class="unseen">
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${heads}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        (row) =>
          html`<tr role="row">
            ${columns.map((column) => cell(column, row))}
          </tr>`,
      )}
    </tbody>
  </table>`
}

/** Names and their values. Those without a value are left out. */
export function facts(pairs: readonly (readonly [name: string, value: HtmlValue])[]): SafeHtml {
  const there = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
  return html`<dl class="facts">
    ${there.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

/** A large figure with its name. */
export function stat(name: string, figure: string, note: HtmlValue = nothing): SafeHtml {
  return html`<div class="stat">
    <p class="stat-name">${name}</p>
    <p class="stat-figure">${figure}</p>
    ${note}
  </div>`
}

/** Onwards in a list, and back to its start. `path` and `query`: the list's own; `cursor` is its query's name. */
export function pager(
  visit: Visit,
  { path, query, nextCursor }: { path: string; query: Record<string, string>; nextCursor: string | null },
): SafeHtml {
  const isLater = visit.query.get('cursor') !== null
  if (!isLater && nextCursor === null) return nothing
  return html`<nav class="pager" aria-label="Pages">
    ${isLater ? buttonLink(visit.path(path, query), 'To the newest') : nothing}
    ${
      nextCursor === null
        ? html`<span class="soft">That is all.</span>`
        : buttonLink(visit.path(path, { ...query, cursor: nextCursor }), 'Older')
    }
  </nav>`
}
