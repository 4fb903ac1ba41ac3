import type { CreditPackage } from '../../src/ports/package-store.js'
import type { Formats } from './formats.js'
import { html, type HtmlValue, nothing, type SafeHtml } from './html.js'

/** What a package's card shows of it. */
export type OfferedPackage = Pick<CreditPackage, 'name' | 'description' | 'creditAmount' | 'price' | 'currency'>

/** A package as customers see it; `id` tells cards of one page apart. `action`: the form that buys it, or nothing. */
export function packageCard(show: Formats, pack: OfferedPackage, id: string, action: HtmlValue = nothing): SafeHtml {
  const { name, description, creditAmount, price, currency } = pack
  return html`<article class="card" aria-labelledby="package-${id}">
    <h3 id="package-${id}">${name}</h3>
    ${description === null ? nothing : html`<p class="note">${description}</p>`}
    <p class="big-line"><span class="big">${show.count(creditAmount)}</span> <span class="soft">credits</span></p>
    <p class="price">${show.money(price, currency)}</p>
    <div class="push">${action}</div>
  </article>`
}
