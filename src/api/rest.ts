import type { CreditService } from '../credit-service.js'
import { ERROR_CODES, InvalidInputError, isCreditError } from '../errors.js'
import { consoleLogger } from '../ports/logger.js'
import { type OnAdminCall, tellAdminCall } from './admin-call.js'
import { refuseCrossOrigin } from './cross-origin.js'
import { fromTexts, inputSchema, type JsonSchema } from './json-schemas.js'
import { openapiDocument, type OpenApiDocument } from './openapi.js'
import { INTERNAL_PROBLEM, type Problem, problem, problemResponse, toResponse } from './problem.js'
import { type BodyLimits, checkedBodyLimits } from '../request-body.js'
import { admit, type Caller, type MaybeCaller } from './procedure.js'
import { type Procedures, procedureTable } from './procedures.js'
import { DoorRefusal, matchRoute, readJsonBody, requestIdOf } from './requests.js'
import { type ProcedureName, WEBHOOK_PATH } from './routes.js'

/** What a host says about its REST door. */
export interface CreditsApiOptions {
  /**
   * Who is calling; null: nobody is signed in. `native`: what the mount was called with, such as Express's request or
   * Hono's context. Without it every procedure that is not public is refused (UNAUTHORIZED).
   */
  authenticate?: ((request: Request, native?: unknown) => MaybeCaller | Promise<MaybeCaller>) | undefined
  /** Where the door stands. Default `/api/credits`. */
  basePath?: string | undefined
  /** Other origins, such as `https://app.example.com`, whose pages may change things here. Default: none. */
  allowedOrigins?: readonly string[] | undefined
  /** Asked before each procedure; `caller` is null where nobody had to sign in. A number: refused for so many seconds. */
  rateLimit?: ((call: RateLimitedCall) => MaybeSeconds | Promise<MaybeSeconds>) | undefined
  /** Largest request body. Default 65 536: metadata is at most 16 kB. */
  maxBodyBytes?: number | undefined
  /** So long a request's body may take to arrive, in milliseconds; then the answer is 408. Default 10 000. */
  bodyTimeoutMs?: number | undefined
  /** Told of every call of an administrator's that changes something, after it succeeded: for an audit log. */
  onAdminCall?: OnAdminCall | undefined
  /** Told of errors that are not creditkit's, of which callers learn nothing. Default: to the console. */
  onError?: ((error: unknown, call: { procedure: ProcedureName | null; requestId: string }) => void) | undefined
}

type MaybeSeconds = number | null | undefined

/**
 * What `rateLimit` decides by. Told before the body is read: leave the request's body alone. The webhook and
 * `/openapi.json` are not asked about.
 */
export interface RateLimitedCall {
  request: Request
  procedure: ProcedureName
  /** What `authenticate` answered; null: nobody is signed in, or the procedure is public. */
  caller: Caller | null
}

/** Credits over HTTP, as one Fetch handler. */
export interface CreditsApi<T extends string> {
  (request: Request, native?: unknown): Promise<Response>
  /** What it serves, as OpenAPI 3.1; also at `/openapi.json`. */
  readonly openapi: OpenApiDocument
  readonly basePath: string
  /** Only a type, for `createCreditsClient<typeof api>`. */
  readonly procedures?: Procedures<T>
}

const DEFAULT_BASE_PATH = '/api/credits'
const DEFAULT_MAX_BODY_BYTES = 65_536

/**
 * Every procedure over HTTP: JSON in and out, refusals as `application/problem+json` (RFC 9457), `Idempotency-Key`,
 * `x-request-id`, cursors. Mount it in your framework by `apiHandler`, or call it with Fetch requests.
 *
 * @throws {Error} A `basePath` that is no path, or a limit that is none.
 */
export function createCreditsApi<T extends string>(
  credits: CreditService<T>,
  options: CreditsApiOptions = {},
): CreditsApi<T> {
  const basePath = checkedBasePath(options.basePath ?? DEFAULT_BASE_PATH)
  const door = new Door(credits, options, basePath)
  const handler = (request: Request, native?: unknown) => door.answer(request, native)
  // The document is made when somebody asks for it.
  const openapi = { get: () => door.openapi, enumerable: true }
  // What the two definitions add is what the type asks for.
  return Object.defineProperties(handler, {
    basePath: { value: basePath, enumerable: true },
    openapi,
  }) as unknown as CreditsApi<T>
}

function checkedBasePath(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  if (trimmed !== '' && !/^(\/[\w.~-]+)+$/.test(trimmed))
    throw new Error(`createCreditsApi: basePath must be a path such as /api/credits, not ${JSON.stringify(path)}`)
  return trimmed
}

class Door<T extends string> {
  readonly #credits: CreditService<T>
  readonly #options: CreditsApiOptions
  readonly #basePath: string
  readonly #table = procedureTable<T>()
  #openapi: OpenApiDocument | null = null
  readonly #allowedOrigins: ReadonlySet<string>
  readonly #bodyLimits: BodyLimits
  /** Input schemas, made when a procedure is first called. */
  readonly #schemas = new Map<ProcedureName, JsonSchema>()

  constructor(credits: CreditService<T>, options: CreditsApiOptions, basePath: string) {
    this.#credits = credits
    this.#options = options
    this.#basePath = basePath
    this.#allowedOrigins = new Set(options.allowedOrigins ?? [])
    const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES, bodyTimeoutMs } = options
    this.#bodyLimits = checkedBodyLimits('createCreditsApi', { maxBodyBytes, bodyTimeoutMs })
  }

  get openapi(): OpenApiDocument {
    return (this.#openapi ??= openapiDocument(this.#table, this.#basePath))
  }

  async answer(request: Request, native: unknown): Promise<Response> {
    const requestId = requestIdOf(request)
    const asked: { procedure: ProcedureName | null } = { procedure: null }
    let response: Response
    try {
      response = await this.#route(request, native, requestId, asked)
    } catch (error) {
      response = this.#refusal(error, requestId, asked.procedure)
    }
    response.headers.set('x-request-id', requestId)
    return request.method === 'HEAD' ? new Response(null, response) : response
  }

  async #route(
    request: Request,
    native: unknown,
    requestId: string,
    asked: { procedure: ProcedureName | null },
  ): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (!pathname.startsWith(`${this.#basePath}/`)) throw new DoorRefusal(404, 'NOT_FOUND', 'There is nothing here')
    const path = pathname.slice(this.#basePath.length)
    // Its signature protects it, and its body must arrive unread.
    if (path === WEBHOOK_PATH) return mutable(await this.#credits.handleWebhook(request))
    if (path === '/openapi.json' && request.method === 'GET') return json(this.openapi)

    const { name, isKeyed, fields } = matchRoute(request.method, path)
    asked.procedure = name
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead) refuseCrossOrigin(request, this.#allowedOrigins)
    const procedure = this.#table[name]
    const authenticate = this.#authenticate(request, native)
    await this.#limit(request, name, procedure.role === 'public' ? null : await authenticate?.())
    // Nobody makes us read who may not ask.
    await admit(procedure.role, authenticate)
    const texts = isRead ? [...searchParams, ...Object.entries(fields)] : Object.entries(fields)
    const sent = {
      ...(isRead ? {} : await readJsonBody(request, this.#bodyLimits)),
      ...fromTexts(this.#schema(name), texts),
    }
    const input = isKeyed ? withKey(sent, request.headers.get('idempotency-key')) : sent
    const result = await procedure.run({ credits: this.#credits, authenticate }, input)
    if (procedure.role === 'admin' && procedure.kind === 'mutation') {
      const actor = String((await authenticate?.())?.userId)
      const call = { procedure: name, actor, input, requestId }
      await tellAdminCall(this.#options.onAdminCall, call, this.#options.onError ?? logError)
    }
    return json(result)
  }

  /** Asks the host at most once per request; undefined where the host never said how. */
  #authenticate(request: Request, native: unknown): (() => Promise<MaybeCaller>) | undefined {
    const { authenticate } = this.#options
    if (authenticate === undefined) return undefined
    let caller: Promise<MaybeCaller> | null = null
    return () => (caller ??= Promise.resolve(authenticate(request, native)))
  }

  async #limit(request: Request, procedure: ProcedureName, caller: MaybeCaller): Promise<void> {
    const seconds = await this.#options.rateLimit?.({ request, procedure, caller: caller ?? null })
    if (seconds == null || seconds <= 0) return
    const retryAfter = String(Math.ceil(seconds))
    throw new DoorRefusal(429, 'RATE_LIMITED', `Too many requests: try again in ${retryAfter} s`, {
      'retry-after': retryAfter,
    })
  }

  #schema(name: ProcedureName): JsonSchema {
    const known = this.#schemas.get(name)
    if (known !== undefined) return known
    const made = inputSchema(this.#table[name].input)
    this.#schemas.set(name, made)
    return made
  }

  #refusal(error: unknown, requestId: string, procedure: ProcedureName | null): Response {
    if (error instanceof DoorRefusal) {
      const { status, code, message, headers } = error
      return toResponse({ ...problem(status, code, message), requestId }, new Headers(headers))
    }
    if (isCreditError(error) && ERROR_CODES[error.code].httpStatus !== 500) return problemResponse(error, { requestId })
    const tell = this.#options.onError ?? logError
    tell(error, { procedure, requestId })
    return toResponse({ ...hidden(error), requestId })
  }
}

/** What is wrong with the host's own set-up is told by its code alone. */
function hidden(error: unknown): Problem {
  return isCreditError(error) ? problem(500, error.code, INTERNAL_PROBLEM.detail) : INTERNAL_PROBLEM
}

function logError(error: unknown, { procedure, requestId }: { procedure: ProcedureName | null; requestId: string }) {
  consoleLogger.error({ err: error, procedure, requestId }, 'a request to the credits API failed')
}

function withKey(sent: Record<string, unknown>, header: string | null): Record<string, unknown> {
  if (header === null) return sent
  const { idempotencyKey } = sent
  if (idempotencyKey != null && idempotencyKey !== header)
    throw new InvalidInputError([{ path: 'idempotencyKey', message: 'is another one than the Idempotency-Key header' }])
  return { ...sent, idempotencyKey: header }
}

function json(value: unknown): Response {
  return new Response(JSON.stringify(value), {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
  })
}

/** A response whose headers can be added to. */
function mutable(response: Response): Response {
  return new Response(response.body, response)
}
