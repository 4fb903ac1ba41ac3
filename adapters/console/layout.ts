import type { Content, Page, Query } from './frame.js'
import { idOf, sentence } from './forms.js'
import { html, nothing, type SafeHtml } from './html.js'
import { badge, callout } from './parts.js'
import type { Settings } from './settings.js'

/** What `redirect(path, { notice })` may say on the next page. Addresses carry the key, so nobody can make us say more. */
export const NOTICES: Readonly<Record<string, string>> = {
  saved: 'Saved.',
  done: 'Done.',
  'topup-off': 'Automatic top-up is off.',
  'card-saved': 'Your card was saved.',
  'subscription-canceled': 'Your subscription ends when the paid period is over.',
  'credits-given': 'The credits were added.',
  'balance-adjusted': 'The balance was adjusted.',
  'credits-refunded': 'The credits were given back.',
  'grant-ended': 'The grant was ended.',
  'hold-released': 'The hold was released.',
  'package-saved': 'The package was saved. It counts from the next sale on.',
  'sale-changed': 'Changed. It counts from the next sale on.',
  decided: 'Your decision was recorded.',
  rebuilt: 'The account was restored from its ledger.',
  'checkout-canceled': 'You left the checkout. Nothing was charged.',
}

/** What the frame knows of who is looking, and from where. */
export interface Place {
  settings: Settings
  /** Whose pages are linked; empty: nobody is signed in. */
  pages: readonly Page[]
  caller: { userId: string; isAdmin: boolean } | null
  /** The page's path below the base path. */
  path: string
  notice: string | null
  styleHash: string
}

/** A path of ours as it stands in links. */
export function ownPath(basePath: string, path: string, query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value))
  const below = path === '/' ? '' : path
  const text = search.toString()
  return `${`${basePath}${below}` || '/'}${text === '' ? '' : `?${text}`}`
}

/** The whole document around a page's content. */
export function layout(place: Place, content: Content): string {
  const { settings, caller, styleHash } = place
  const { title, refresh, problem } = content
  const { basePath, appName } = settings
  const refreshing =
    refresh === undefined
      ? nothing
      : html`<meta http-equiv="refresh" content="${refresh.seconds};url=${refresh.url}" />`
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <meta name="robots" content="noindex" />
      <title>${problem ? 'Error: ' : ''}${title} · ${appName}</title>
      <link rel="icon" href="${ICON}" />
      <link rel="stylesheet" href="${ownPath(basePath, '/console.css', { v: styleHash })}" />
      ${refreshing}
    </head>
    <body>
      <a class="skip" href="#main">Skip to content</a>
      ${header(place)}
      ${
        caller === null
          ? html`<div class="alone">${main(place, content)}</div>`
          : html`<div class="frame">
              <div class="side">${navigation(place)}</div>
              ${main(place, content)}
            </div>`
      }
    </body>
  </html>`
  return `<!doctype html>\n${page.toString()}\n`
}

/** None, so that browsers don't ask the host for one that is not ours. */
const ICON = 'data:,'

function header({ settings, caller }: Place): SafeHtml {
  const { basePath, appName, homeUrl } = settings
  const mark = html`<svg viewBox="0 0 28 28" aria-hidden="true">
    <rect class="ground" width="28" height="28" rx="8" />
    <path
      class="mark"
      d="M8 17.5c0 1.7 2.7 3 6 3s6-1.3 6-3M8 13.5c0 1.7 2.7 3 6 3s6-1.3 6-3M20 10c0 1.7-2.7 3-6 3s-6-1.3-6-3 2.7-3 6-3 6 1.3 6 3z"
    />
  </svg>`
  return html`<header class="top">
    <a class="brand" href="${ownPath(basePath, '/')}">${mark} ${appName}</a>
    <div class="top-end">
      ${caller?.isAdmin === true ? badge('Administrator') : nothing}
      ${caller === null ? nothing : html`<span class="who" title="${caller.userId}">${caller.userId}</span>`}
      ${homeUrl === null ? nothing : html`<a href="${homeUrl}">Back to the app</a>`}
    </div>
  </header>`
}

/** The groups of pages somebody may open. */
function navigation(place: Place): SafeHtml[] {
  const { caller, pages } = place
  const current = currentEntry(place)
  const group = (name: string, role: Page['role']) => {
    const links = pages
      .filter((page) => page.role === role && page.nav !== undefined)
      .map(({ path, nav }) => {
        const mark = path === current ? html`aria-current="page"` : nothing
        return html`<li><a href="${ownPath(place.settings.basePath, path)}" ${mark}>${nav}</a></li>`
      })
    if (links.length === 0) return nothing
    return html`<nav aria-label="${name}">
      <p class="side-name" aria-hidden="true">${name}</p>
      <ul>
        ${links}
      </ul>
    </nav>`
  }
  return [group('Your credits', 'user'), caller?.isAdmin === true ? group('Administration', 'admin') : nothing]
}

/** The entry whose page this is, or lies above it: the longest of those. */
function currentEntry({ pages, path }: Place): string | undefined {
  const isAbove = (above: string) => above === path || (above !== '/' && path.startsWith(`${above}/`))
  return pages
    .filter((page) => page.nav !== undefined && isAbove(page.path))
    .map((page) => page.path)
    .sort((a, b) => b.length - a.length)[0]
}

function main(
  { settings, notice }: Place,
  { title, body, actions, lead, parent, problem, fieldNames }: Content,
): SafeHtml {
  const said = notice === null || !Object.hasOwn(NOTICES, notice) ? undefined : NOTICES[notice]
  const above =
    parent === undefined
      ? nothing
      : html`<p class="parent"><a href="${ownPath(settings.basePath, parent.path)}">← ${parent.name}</a></p>`
  return html`<main id="main" tabindex="-1">
    ${problem ? summary(problem, fieldNames ?? {}) : nothing}
    ${said === undefined || problem ? nothing : html`<div class="summary" role="status">${callout('good', said)}</div>`}
    <div class="head">
      <div class="head-text">
        ${above}
        <h1>${title}</h1>
        ${lead === undefined ? nothing : html`<p class="lead">${lead}</p>`}
      </div>
      ${actions === undefined ? nothing : html`<div class="head-actions">${actions}</div>`}
    </div>
    ${body}
  </main>`
}

/** What is wrong with a form, where the focus goes first. */
function summary(
  { message, fields, scope }: NonNullable<Content['problem']>,
  names: Readonly<Record<string, string>>,
): SafeHtml {
  const links = [...fields].map(([name, text]) =>
    name === ''
      ? html`<li>${sentence(text)}</li>`
      : html`<li><a href="#${idOf(name, scope)}">${names[name] ?? words(name)}: ${sentence(text)}</a></li>`,
  )
  const body =
    links.length === 0
      ? nothing
      : html`<ul>
          ${links}
        </ul>`
  return html`<div class="summary" role="alert" tabindex="-1" autofocus>
    ${callout('bad', sentence(message), body)}
  </div>`
}

/** `maxPerMonth` → `Max per month`. */
function words(name: string): string {
  return name
    .replaceAll(/([a-z])([A-Z])/g, (_, end: string, start: string) => `${end} ${start.toLowerCase()}`)
    .replace(/^./, (first) => first.toUpperCase())
}
