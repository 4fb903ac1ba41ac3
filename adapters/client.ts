import { type ProcedureName, ROUTES } from '../src/api/routes.js'
import type { Json } from '../src/api/wire.js'
import { type Fields, type HeaderFields, outgoing } from './client/outgoing.js'
import { Failure, oneTry, pause } from './client/one-try.js'

export { CreditsClientError } from './client/client-error.js'

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

/** What concerns one call of a client, as its methods' second argument. */
export interface CallOptions {
  /** Ends the call and its further tries with the code `ABORTED`; a write may have happened all the same. */
  signal?: AbortSignal | undefined
  /** Sent with this call, in place of the client's own of the same name. */
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

async function ask(
  options: CreditsClientOptions,
  name: ProcedureName,
  input: Fields,
  { signal, headers }: CallOptions,
): Promise<unknown> {
  const own = typeof options.headers === 'function' ? await options.headers() : options.headers
  const { url, init, mayRepeat, mayCallAgain } = outgoing(name, input, [own, headers])
  if (options.credentials) init.credentials = options.credentials
  const once = {
    // Looked up at each call, so that it may be replaced.
    send: options.fetch ?? fetch,
    url: options.baseUrl.replace(/\/+$/, '') + url,
    init,
    timeoutMs: options.timeoutMs ?? 30_000,
    signal,
    mayCallAgain,
  }
  for (let left = mayRepeat ? (options.retries ?? 2) : 0, pauseMs = 200; ; left--, pauseMs *= 3) {
    const answer = await oneTry(once)
    if (!(answer instanceof Failure)) return answer
    if (left <= 0 || answer.waitMs === null) throw answer.error
    await pause(Math.max(answer.waitMs, pauseMs * (0.5 + Math.random())), signal)
  }
}
