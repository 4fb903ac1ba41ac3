import type { Problem } from '../src/api/problem.js'
import { type ProcedureName, ROUTES } from '../src/api/routes.js'
import type { Json } from '../src/api/wire.js'

/** How a client reaches the REST door. */
export interface CreditsClientOptions {
  /** Where the door stands: `/api/credits` on the same site, or a whole URL. */
  baseUrl: string
  /** Default: the global one. */
  fetch?: typeof fetch | undefined
  /** Sent with each request: an `authorization`, say. Not needed for cookies of the same site. */
  headers?: HeaderFields | (() => HeaderFields | Promise<HeaderFields>) | undefined
  /** As of `fetch`. `include` for a session's cookie on another origin. */
  credentials?: RequestCredentials | undefined
  /** One try ends after so long, in milliseconds. Default 30 000. */
  timeoutMs?: number | undefined
  /** Further tries of reads, and of writes with an idempotency key. Default 2. */
  retries?: number | undefined
}

type HeaderFields = Record<string, string>

export interface CallOptions {
  signal?: AbortSignal | undefined
  headers?: HeaderFields | undefined
}

/** What a door serves, by the type that it carries. */
type Served<Api> = Api extends { readonly procedures?: infer P } ? NonNullable<P> : never

type Method<P> = P extends { _in?: infer In; run: (...args: never[]) => Promise<infer Out> }
  ? undefined extends In
    ? (input?: In, options?: CallOptions) => Promise<Json<Out>>
    : (input: In, options?: CallOptions) => Promise<Json<Out>>
  : never

/** One method per procedure; moments come as ISO 8601 text. */
export type CreditsClient<Api> = { [Name in keyof Served<Api>]: Method<Served<Api>[Name]> }

/** A refusal, or an answer that never came. `code`: one of the server's, or of those this client has of its own. */
export class CreditsClientError extends Error {
  /** An error code of creditkit's, or `NETWORK`, `TIMEOUT`, `ABORTED`, `BAD_RESPONSE`. */
  readonly code: string
  /** 0: there was no answer. */
  readonly status: number
  /** The whole refusal, with its figures: `problem.shortfall`, `problem.issues`. Null: there was none. */
  readonly problem: Problem | null
  readonly requestId: string | null

  constructor(
    code: string,
    message: string,
    answer: { status?: number; problem?: Problem; requestId?: string | null },
  ) {
    super(message)
    this.name = 'CreditsClientError'
    this.code = code
    this.status = answer.status ?? 0
    this.problem = answer.problem ?? null
    this.requestId = answer.requestId ?? null
  }
}

/**
 * A typed client for `createCreditsApi`, for browsers and servers: `createCreditsClient<typeof api>({ baseUrl:
 * '/api/credits' })`. Writes carry an idempotency key, so that a try whose answer was lost is repeated without a second
 * effect.
 *
 * Its methods throw `CreditsClientError`.
 */
export function createCreditsClient<Api>(options: CreditsClientOptions): CreditsClient<Api> {
  const methods = Object.keys(ROUTES).map((name) => [
    name,
    // The keys of ROUTES are the procedures' names.
    (input?: Fields, call?: CallOptions) => ask(options, name as ProcedureName, input ?? {}, call ?? {}),
  ])
  // By name what the types say; the answers are the door's.
  return Object.fromEntries(methods) as CreditsClient<Api>
}

type Fields = Record<string, unknown>

async function ask(
  options: CreditsClientOptions,
  name: ProcedureName,
  input: Fields,
  call: CallOptions,
): Promise<unknown> {
  const [method = '', path = '', keyed] = ROUTES[name].split(' ')
  const fields = { ...input }
  let url = path.replace(/\{(\w+)\}/g, (_, field: string) => pathField(fields, field))
  const headers: HeaderFields = { accept: 'application/json' }
  let body: string | undefined
  if (method === 'GET') {
    const query = new URLSearchParams()
    for (const [field, value] of Object.entries(fields)) if (value != null) query.set(field, asText(value))
    if (query.size > 0) url += `?${query}`
  } else {
    headers['content-type'] = 'application/json'
    if (keyed) headers['idempotency-key'] = asText(fields.idempotencyKey ?? crypto.randomUUID())
    body = JSON.stringify(fields)
  }
  const base = options.baseUrl.replace(/\/+$/, '')
  const mayRepeat = method === 'GET' || keyed !== undefined
  const own = typeof options.headers === 'function' ? await options.headers() : options.headers
  const init: RequestInit = { method, headers: { ...headers, ...own, ...call.headers } }
  if (body !== undefined) init.body = body
  if (options.credentials) init.credentials = options.credentials
  for (let left = mayRepeat ? (options.retries ?? 2) : 0, pause = 200; ; left--, pause *= 3) {
    const answer = await once(options, base + url, init, call.signal)
    if (!(answer instanceof Failure)) return answer
    if (left <= 0 || answer.waitMs === null) throw answer.error
    await sleep(Math.max(answer.waitMs, pause * (0.5 + Math.random())), call.signal)
  }
}

/** What came instead of a result; `waitMs`: after so long another try can help, null: none can. */
class Failure {
  constructor(
    readonly error: CreditsClientError,
    readonly waitMs: number | null,
  ) {}
}

/** Longer than this nobody waits for a server that asks to come back later. */
const LONGEST_WAIT_MS = 5_000

async function once(
  { fetch: own, timeoutMs = 30_000 }: CreditsClientOptions,
  url: string,
  init: RequestInit,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const timeout = AbortSignal.timeout(timeoutMs)
  let response: Response
  let text: string
  try {
    response = await (own ?? fetch)(url, { ...init, signal: signal ? AbortSignal.any([signal, timeout]) : timeout })
    text = await response.text()
  } catch (cause) {
    if (signal?.aborted) return new Failure(new CreditsClientError('ABORTED', 'The call was aborted', {}), null)
    const [code, message] = timeout.aborted
      ? ['TIMEOUT', `No answer within ${timeoutMs} ms`]
      : ['NETWORK', 'The server could not be reached']
    return new Failure(Object.assign(new CreditsClientError(code, message, {}), { cause }), 0)
  }
  const { status } = response
  const requestId = response.headers.get('x-request-id')
  const waitMs = waitAfter(response)
  try {
    const json: unknown = JSON.parse(text)
    if (response.ok) return json
    // What the door answers when it refuses.
    const problem = json as Problem
    if (problem.code)
      return new Failure(new CreditsClientError(problem.code, problem.detail, { status, problem, requestId }), waitMs)
  } catch {
    // Nothing is lost: a proxy's page says no more than its status.
  }
  return new Failure(
    new CreditsClientError('BAD_RESPONSE', `Unexpected answer (HTTP ${status})`, { status, requestId }),
    waitMs,
  )
}

/** Null: the same call would be answered the same. */
function waitAfter({ status, headers }: Response): number | null {
  if (![429, 502, 503, 504].includes(status)) return null
  const ms = 1000 * Number(headers.get('retry-after') ?? 0)
  return ms <= LONGEST_WAIT_MS ? ms : null
}

/** Takes a field out of the input and into the path. */
function pathField(fields: Fields, name: string): string {
  const text = asText(fields[name])
  // A path's dots would be resolved away, to another address.
  if (/^\.*$/.test(text)) throw new CreditsClientError('INVALID_INPUT', `${name} is missing`, {})
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a copy of ours
  delete fields[name]
  return encodeURIComponent(text)
}

function asText(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new CreditsClientError('ABORTED', 'The call was aborted', {}))
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop)
    setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
  })
}
