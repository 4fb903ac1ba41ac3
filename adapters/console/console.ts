import { tellAdminCall } from '../../src/api/admin-call.js'
import { refuseCrossOrigin } from '../../src/api/cross-origin.js'
import { type Caller, callerOf, type MaybeCaller } from '../../src/api/procedure.js'
import { procedureTable } from '../../src/api/procedures.js'
import { DoorRefusal, requestIdOf } from '../../src/api/requests.js'
import type { ProcedureName } from '../../src/api/routes.js'
import { ForbiddenError, UnauthorizedError } from '../../src/errors.js'
import { adminPages } from './admin/index.js'
import { customerPages } from './customer/index.js'
import { FormTokens } from './form-token.js'
import { readForm, toForm } from './forms.js'
import type { Content, Page, ProcedureInput, ProcedureOutput, Query, Visit } from './frame.js'
import { layout, ownPath } from './layout.js'
import { matchPage } from './paths.js'
import { refusalPage } from './refusals.js'
import { type ConsoleOptions, type Settings, toSettings } from './settings.js'
import { streamed } from './streamed.js'

/** Pages for customers and administrators, as one Fetch handler. `native` is handed on to `authenticate`. */
export type CreditsConsole = (request: Request, native?: unknown) => Promise<Response>

/**
 * Pages where customers see, buy and manage their credits, and administrators look after everybody's. Rendered on the
 * server, without any script. Mount it in your framework at `basePath`, or call it with Fetch requests.
 *
 * @throws {Error} An option that can't be meant, such as a `basePath` that is no path.
 */
export function createConsole<T extends string>(options: ConsoleOptions<T>): CreditsConsole {
  const desk = new Desk(toSettings(options))
  return (request, native) => desk.answer(request, native)
}

const ALL_PAGES: readonly Page[] = [...customerPages, ...adminPages]

/**
 * No script, no style but ours, no frame around us, and forms only to us. Chromium holds `form-action` against redirects
 * after a form, too: to other sites pages go by `refresh`.
 */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

class Desk {
  readonly #settings: Settings
  readonly #tokens: FormTokens
  readonly #table = procedureTable<string>()

  constructor(settings: Settings) {
    this.#settings = settings
    this.#tokens = new FormTokens(settings.secret)
  }

  async answer(request: Request, native: unknown): Promise<Response> {
    const requestId = requestIdOf(request)
    // Asked at most once, by whoever needs it first.
    let asked: Promise<MaybeCaller> | null = null
    const authenticate = () => (asked ??= Promise.resolve(this.#settings.authenticate(request, native)))
    let response: Response
    try {
      response = await this.#page(request, authenticate, requestId)
    } catch (error) {
      response = await this.#refusal(error, request, authenticate, requestId)
    }
    const answer = new Response(request.method === 'HEAD' ? null : response.body, response)
    secure(answer.headers, requestId)
    return answer
  }

  async #page(request: Request, authenticate: () => Promise<MaybeCaller>, requestId: string): Promise<Response> {
    const url = new URL(request.url)
    const path = this.#below(url.pathname)
    if (path === null) throw new DoorRefusal(404, 'NOT_FOUND', 'There is no such page')
    if (path === '/console.css') return this.#stylesheet(request, url)
    const { page, fields } = matchPage(ALL_PAGES, request.method, path)
    const caller = await callerOf(authenticate)
    if (caller === null) throw new UnauthorizedError()
    if (page.role === 'admin' && !caller.isAdmin) throw new ForbiddenError()
    const sent = page.method === 'POST' ? await this.#sentForm(request, caller) : new URLSearchParams()
    const visit = await this.#visit({ request, url, caller, fields, sent, authenticate, requestId })
    const shown = await page.show(visit)
    if (shown instanceof Response) return shown
    return this.#document(shown, caller, { path, notice: url.searchParams.get('notice'), requestId })
  }

  /** The path below the base path; null: not ours. */
  #below(pathname: string): string | null {
    const { basePath } = this.#settings
    if (pathname !== basePath && !pathname.startsWith(`${basePath}/`)) return null
    return pathname.slice(basePath.length).replace(/\/$/, '') || '/'
  }

  /** A form from one of our pages, shown to this user. */
  async #sentForm(request: Request, caller: Caller): Promise<URLSearchParams> {
    refuseCrossOrigin(request, this.#settings.allowedOrigins)
    const sent = await readForm(request, this.#settings.bodyLimits)
    if (await this.#tokens.isValid(sent.get('token') ?? '', String(caller.userId), new Date())) return sent
    throw new DoorRefusal(403, 'FORM_TOO_OLD', 'This form is too old. Go back, reload the page and send it again')
  }

  async #visit(known: {
    request: Request
    url: URL
    caller: Caller
    fields: Record<string, string>
    sent: URLSearchParams
    authenticate: () => Promise<MaybeCaller>
    requestId: string
  }): Promise<Visit> {
    const { request, url, caller, fields, sent, authenticate, requestId } = known
    const { basePath, show, credits } = this.#settings
    const now = new Date()
    const path = (to: string, query?: Query) => ownPath(basePath, to, query)
    const run = async <N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>> => {
      const { role, kind, run: call } = this.#table[name]
      const output = await call({ credits, authenticate }, input)
      if (role === 'admin' && kind === 'mutation') {
        const { onAdminCall, onError } = this.#settings
        const actor = String(caller.userId)
        await tellAdminCall(onAdminCall, { procedure: name, actor, input: { ...input }, requestId }, (error) =>
          onError(error, { path: url.pathname, requestId }),
        )
      }
      // The table is looked up by name, of which its type keeps nothing.
      return output as ProcedureOutput<N>
    }
    return {
      ...{ request, caller, now, fields, show, path, run },
      query: url.searchParams,
      form: toForm(sent),
      token: await this.#tokens.make(String(caller.userId), now),
      redirect: (to, query) => new Response(null, { status: 303, headers: { location: path(to, query) } }),
    }
  }

  async #document(
    content: Content,
    caller: Caller | null,
    { path, notice, requestId }: { path: string; notice: string | null; requestId: string },
  ): Promise<Response> {
    const place = {
      ...{ settings: this.#settings, pages: ALL_PAGES, path, notice },
      caller: caller === null ? null : { userId: String(caller.userId), isAdmin: caller.isAdmin },
      styleHash: await this.#settings.stylesheet.hash,
    }
    const document = layout(place, content)
    const failed = (error: unknown) => {
      const { content: refusal, isOurs } = refusalPage(error, requestId, this.#settings.signInUrl)
      if (!isOurs) this.#settings.onError(error, { path, requestId })
      return refusal.body
    }
    return new Response(content.later === undefined ? document : streamed(document, content.later, failed), {
      status: content.status ?? content.problem?.status ?? 200,
      // What proxies such as nginx would otherwise keep until the page has ended.
      headers: {
        'content-type': 'text/html; charset=utf-8',
        ...(content.later === undefined ? {} : { 'x-accel-buffering': 'no' }),
      },
    })
  }

  async #stylesheet(request: Request, url: URL): Promise<Response> {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new DoorRefusal(405, 'METHOD_NOT_ALLOWED', 'Use GET', { allow: 'GET, HEAD' })
    const { css, hash } = this.#settings.stylesheet
    const isCurrent = url.searchParams.get('v') === (await hash)
    const cacheControl = isCurrent ? 'public, max-age=31536000, immutable' : 'no-cache'
    return new Response(css, { headers: { 'content-type': 'text/css; charset=utf-8', 'cache-control': cacheControl } })
  }

  async #refusal(
    error: unknown,
    request: Request,
    authenticate: () => Promise<MaybeCaller>,
    requestId: string,
  ): Promise<Response> {
    const { signInUrl, onError } = this.#settings
    const { pathname, search } = new URL(request.url)
    const isUnknownUser = error instanceof UnauthorizedError
    if (isUnknownUser && signInUrl !== null && request.method !== 'POST')
      return new Response(null, { status: 303, headers: { location: withReturn(signInUrl, `${pathname}${search}`) } })
    const { content, isOurs, headers } = refusalPage(error, requestId, signInUrl)
    if (!isOurs) onError(error, { path: pathname, requestId })
    // The frame stays, with the ways out of here. Who it is for may be lost: the refusal is what has to be shown.
    const caller = isUnknownUser ? null : await callerOf(authenticate).catch(() => null)
    const response = await this.#document(content, caller, {
      path: this.#below(pathname) ?? '/',
      notice: null,
      requestId,
    })
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
    return response
  }
}

function withReturn(signInUrl: string, returnTo: string): string {
  const [address = '', fragment] = signInUrl.split('#', 2)
  const separator = address.includes('?') ? '&' : '?'
  const link = `${address}${separator}return=${encodeURIComponent(returnTo)}`
  return fragment === undefined ? link : `${link}#${fragment}`
}

function secure(headers: Headers, requestId: string): void {
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
  headers.set('content-security-policy', POLICY)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'same-origin')
  headers.set('x-request-id', requestId)
}
