import type { UserId } from '../../src/credit-inputs.js'
import type { Procedures } from '../../src/api/procedures.js'
import type { ProcedureName } from '../../src/api/routes.js'
import type { Formats } from './formats.js'
import type { Refused } from './forms.js'
import type { SafeHtml } from './html.js'

/*
 * How a page is written.
 *
 * A page is an entry of a table (`customerPages`, `adminPages`): a path below the console's base path, a method, who may
 * open it, and `show(visit)`. The frame has done all the rest by then: it found out who calls, and turned away whoever is
 * not signed in, users on administrators' pages, forms from other sites and forms without their token.
 *
 *   export const packagesPage: Page = {
 *     method: 'GET', path: '/admin/packages', role: 'admin', nav: 'Packages',
 *     show: async (visit) => {
 *       const packages = await visit.run('getPackages', { includeInactive: true })
 *       return { title: 'Packages', body: html`…` }
 *     },
 *   }
 *
 * Data and writes go through `visit.run(procedure, input)` and nothing else: the same checks as behind every other door.
 * What it throws (`CreditError`s) becomes a page of the right status by itself.
 *
 * A form is `form(visit, { action: '/admin/packages', submit: 'Save', body, keyed: true })` around fields such as
 * `textField` (forms.ts); `keyed` adds a fresh idempotency key, read again by `visit.form.key()`. Its POST page does the
 * work by `attempt`, shows the form again with `problem` when refused, and else redirects:
 *
 *     const tried = await attempt(() => visit.run('addCredits', { …, idempotencyKey: visit.form.key() }))
 *     if (tried.refused) return editPage(visit, tried.refused)      // → { …, problem: refused }
 *     return visit.redirect('/admin/packages', { notice: 'saved' })
 *
 * `notice` is a key of `NOTICES` (layout.ts), never a text. A form that leads to the payment provider ends in `leaveTo`
 * (customer/selling.ts). Several forms on one page: give `attempt` and the form's fields the same `scope`.
 *
 * Links are `visit.path('/admin/users', { q })`; what users wrote is only ever filled into `html`. Looks come from parts.ts
 * (card, table, badge, empty, facts, pager) and chart.ts; there are no inline styles and no scripts, as the policy forbids
 * both. Figures and moments: `visit.show`.
 */
export interface Page {
  method: 'GET' | 'POST'
  /** Below the base path; `{name}` is one segment, found in `visit.fields`. A word wins over a field, in table order. */
  path: string
  role: 'user' | 'admin'
  /** Its label in the navigation; left out: it has no entry of its own. */
  nav?: string
  show: (visit: Visit) => Promise<Content | Response>
}

/** What a page puts into the frame. */
export interface Content {
  /** The title and the page's one `h1`. */
  title: string
  body: SafeHtml
  /** Beside the heading: the page's main links. */
  actions?: SafeHtml | undefined
  /** One line below the heading. */
  lead?: string | undefined
  /** Where it lies below another page: own path, below the base path, and its name. */
  parent?: { path: string; name: string } | undefined
  /** Default 200, or the status of `problem`. */
  status?: number | undefined
  /** A refused form: shown on top, with links to its fields. */
  problem?: Refused | null | undefined
  /** What its fields are called in there. Default: made from their names. */
  fieldNames?: Readonly<Record<string, string>> | undefined
  /** Pieces that take a while: they follow one by one where `LATER` (streamed.ts) stands in the body. */
  later?: AsyncGenerator<SafeHtml, void> | undefined
  /** Go on by itself, as a redirect after a form would need the policy's leave for another site. */
  refresh?: { seconds: number; url: string } | undefined
}

/** One request to a page, by somebody who may make it. */
export interface Visit {
  readonly request: Request
  readonly caller: { readonly userId: UserId; readonly isAdmin: boolean }
  readonly now: Date
  /** The path's `{name}`s, decoded. */
  readonly fields: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** What a POST brought; empty for a GET. */
  readonly form: Form
  /** Goes with every form. */
  readonly token: string
  readonly show: Formats
  /** A page below the base path as it stands in links. Empty and missing values are left out of the query. */
  path: (path: string, query?: Query) => string
  /** 303 to a page of ours. */
  redirect: (path: string, query?: Query) => Response
  /** Ask a procedure, as its caller. */
  run: <N extends ProcedureName>(name: N, input: ProcedureInput<N>) => Promise<ProcedureOutput<N>>
}

export type Query = Readonly<Record<string, string | number | null | undefined>>

/** The fields of a form that was sent. */
export interface Form {
  /** The field's text without blanks around it; '' where there is none. */
  text: (name: string) => string
  /** The same; undefined where it is empty. */
  optionalText: (name: string) => string | undefined
  /** A number. Texts that are none are NaN, for the procedure to refuse; undefined where it is empty. */
  number: (name: string) => number | undefined
  /** Was the box ticked? */
  isChecked: (name: string) => boolean
  /** The form's idempotency key. @throws {InvalidInputError} It is not one of ours. */
  key: () => string
}

/** What a procedure takes; `{}` where that is nothing. Credit types are texts here: the service knows which there are. */
export type ProcedureInput<N extends ProcedureName> = [Sent<N>] extends [never] ? Record<string, never> : Sent<N>

type Sent<N extends ProcedureName> = Extract<Procedures<string>[N]['_in'], object>

export type ProcedureOutput<N extends ProcedureName> = Awaited<ReturnType<Procedures<string>[N]['run']>>
