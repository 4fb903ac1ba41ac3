import type { Query, Visit } from '../frame.js'
import { html, nothing, type SafeHtml } from '../html.js'

interface TypeTabs {
  path: string
  types: readonly string[]
  /** The type that is shown; '' for all of them. */
  chosen: string
  /** Can all be shown together? Default false. */
  hasAll?: boolean
  query?: Query
}

/** Links to the same page about each credit type; nothing where there is only one. */
export function typeTabs(visit: Visit, { path, types, chosen, hasAll = false, query = {} }: TypeTabs): SafeHtml {
  if (types.length < 2) return nothing
  const links = [...(hasAll ? [''] : []), ...types].map((type) => {
    const mark = type === chosen ? html`aria-current="true"` : nothing
    const name = type === '' ? 'All' : visit.show.creditType(type)
    return html`<li><a href="${visit.path(path, { ...query, type })}" ${mark}>${name}</a></li>`
  })
  return html`<nav aria-label="Credit types">
    <ul class="tabs">
      ${links}
    </ul>
  </nav>`
}
