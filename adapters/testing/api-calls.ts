import type { IncomingMessage } from 'node:http'
import { ApiError, invalidRequest, notImplemented } from './api-error.js'
import { checkExpand, render } from './expand.js'
import { errorOf, type Failure, type Failures } from './failures.js'
import { parseForm, type FormObject, type FormValue } from './form-body.js'
import { IdempotencyKeys, type Answer } from './idempotency.js'
import { expandable, routes } from './resources/index.js'
import { findRoute, type Route } from './routes.js'
import { API_VERSION, type StripeAccount } from './stripe-account.js'

const BEFORE_REMOVALS = '2026-08-26'

/** One call of the API as the server received it. */
export interface ApiCall {
  method: string
  /** Without query: `/v1/refunds`. */
  path: string
  /** As sent, texts at the leaves; lists are objects with index keys. */
  params: Readonly<FormObject>
  idempotencyKey: string | null
  /** `Stripe-Account`, for Connect. */
  stripeAccount: string | null
  /** HTTP status answered; 0 when the answer was lost on purpose, null while the call is running. */
  status: number | null
  /** The answer came from an earlier call under the same idempotency key. */
  replayed: boolean
}

/** What to send back; `lost` when the answer is not to arrive. */
interface ApiReply {
  answer: Answer
  headers: Record<string, string>
  lost?: 'hang' | 'reset'
}

/** Carries out API calls: key, idempotency, parameters, failures, journal. */
export class ApiCalls {
  readonly journal: ApiCall[] = []
  readonly #keys = new IdempotencyKeys()

  constructor(
    private readonly account: StripeAccount,
    private readonly failures: Failures,
    private readonly secretKey: string,
    private readonly wait: (ms: number) => Promise<void>,
  ) {}

  async handle(request: IncomingMessage, url: URL, body: string): Promise<ApiReply> {
    const method = request.method ?? 'GET'
    const requestId = this.account.newId('req', 14)
    const headers: Record<string, string> = { 'request-id': requestId, 'stripe-version': API_VERSION }
    const call: ApiCall = {
      method,
      path: url.pathname,
      params: {},
      idempotencyKey: header(request, 'idempotency-key'),
      stripeAccount: header(request, 'stripe-account'),
      status: null,
      replayed: false,
    }
    this.journal.push(call)
    if (call.idempotencyKey !== null) headers['idempotency-key'] = call.idempotencyKey
    const failure = this.failures.take(method, url.pathname)
    let answer: Answer
    try {
      call.params = parseForm(method === 'POST' ? body : url.search)
      answer = await this.#answer(request, call, failure, requestId, headers)
    } catch (error) {
      answer = answerTo(error)
    }
    const lost = failure?.hang === true ? 'hang' : failure?.reset === true ? 'reset' : undefined
    if (failure?.afterEffect === true && lost === undefined)
      answer = errorOf(failure) ? answerTo(errorOf(failure)) : answer
    call.status = lost === undefined ? answer.status : 0
    return { answer, headers, ...(lost !== undefined && { lost }) }
  }

  async #answer(
    request: IncomingMessage,
    call: ApiCall,
    failure: Failure | undefined,
    requestId: string,
    headers: Record<string, string>,
  ): Promise<Answer> {
    this.#authenticate(request)
    this.account.tick()
    const key = call.method === 'POST' ? call.idempotencyKey : null
    if (key === null) return this.#execute(request, call, failure, requestId)
    const fingerprint = JSON.stringify([call.method, call.path, inKeyOrder(call.params)])
    const earlier = this.#keys.begin(key, fingerprint, this.account.now())
    if (earlier !== undefined) {
      call.replayed = true
      headers['idempotent-replayed'] = 'true'
      return earlier
    }
    try {
      const answer = await this.#execute(request, call, failure, requestId)
      this.#keys.keep(key, answer)
      return answer
    } catch (error) {
      if (error instanceof ApiError && error.executed) this.#keys.keep(key, answerTo(error))
      else this.#keys.forget(key)
      throw error
    }
  }

  /** Everything after the waiting is synchronous: calls do not see each other half done. */
  async #execute(
    request: IncomingMessage,
    call: ApiCall,
    failure: Failure | undefined,
    requestId: string,
  ): Promise<Answer> {
    if (failure?.delayMs !== undefined) await this.wait(failure.delayMs)
    if (failure !== undefined && failure.afterEffect !== true) {
      const error = errorOf(failure)
      if (error !== undefined) throw error
      if (failure.hang === true || failure.reset === true)
        throw new ApiError(500, { type: 'api_error', message: 'lost' })
    }
    const found = findRoute(routes, call.method, call.path)
    if (found === undefined) throw notImplemented(`${call.method} ${call.path}`)
    const { route, id, part } = found
    const { expand, execute } = route.prepare(withoutRemoved(route, call.params, versionOf(request)))
    checkExpand(expand, route.gives, route.list, expandable)
    this.account.request = { id: requestId, idempotency_key: call.idempotencyKey }
    try {
      const result = execute(this.account, id, part)
      const kind = route.list ? `list:${route.gives}` : route.gives
      return { status: 200, body: render(this.account, result, kind, expand, expandable) }
    } finally {
      this.account.request = null
    }
  }

  #authenticate(request: IncomingMessage): void {
    const given = apiKey(header(request, 'authorization') ?? '')
    if (given === this.secretKey) return
    const message =
      given === ''
        ? 'You did not provide an API key. You need to provide your API key in the Authorization header.'
        : `Invalid API Key provided: ${given.slice(0, 8)}****${given.slice(-4)}`
    throw new ApiError(401, { type: 'invalid_request_error', message })
  }
}

/** What an error looks like on the wire. */
export function answerTo(error: unknown): Answer {
  if (error instanceof ApiError) return { status: error.status, body: { error: error.body } }
  const message = error instanceof Error ? error.message : String(error)
  return { status: 500, body: { error: { type: 'api_error', message: `The local Stripe failed: ${message}` } } }
}

/**
 * The API version a call is made for. The fixtures of the Stripe CLI, which names none, still send what version
 * 2026-09-30 took away.
 */
function versionOf(request: IncomingMessage): string {
  const isCli = header(request, 'user-agent')?.includes('stripe-cli/') === true
  return header(request, 'stripe-version') ?? (isCli ? BEFORE_REMOVALS : API_VERSION)
}

/** Refuse parameters the caller's API version no longer has; older versions still take them. */
function withoutRemoved(route: Route, form: Readonly<FormObject>, version: string): FormObject {
  const rest = Object.assign(parseForm(''), form)
  for (const { name, code, since, means } of route.removed) {
    if (rest[name] === undefined) continue
    if (version.slice(0, since.length) >= since) {
      const message = `The \`${name}\` parameter is no longer supported. Use dynamic payment methods instead.`
      throw invalidRequest(message, name, code)
    }
    Reflect.deleteProperty(rest, name)
    Object.assign(rest, means)
  }
  return rest
}

/** The order in which parameters were sent makes no difference. */
function inKeyOrder(value: FormValue): unknown {
  if (typeof value === 'string') return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([key, entry]) => [key, inKeyOrder(entry)])
}

function apiKey(authorization: string): string {
  const [scheme = '', value = ''] = authorization.split(' ')
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return ''
  return Buffer.from(value, 'base64').toString('utf8').split(':')[0] ?? ''
}

function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}
