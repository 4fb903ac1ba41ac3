import type { IncomingMessage, ServerResponse } from 'node:http'
import { WEBHOOK_PATH } from '../src/api/routes.js'
import { WebhookBodyParsedError } from '../src/errors.js'

/** What Express, Next's pages routes and plain Node hand to a handler. Body parsers add `body` and `rawBody`. */
export type NodeRequest = IncomingMessage & { body?: unknown; rawBody?: unknown; originalUrl?: string }

/** After an answer, how long a sender may go on with a body that nobody wants, in milliseconds. */
const DRAIN_MS = 2_000

/**
 * Answer a Node request with a Fetch handler.
 *
 * When something parsed the body before us, reading the handler's request fails with `WebhookBodyParsedError`, whose
 * message ends in `bodyParsedFix`: what to change in this framework. The body is never serialised again, since its
 * bytes are what was signed.
 *
 * Rejects with what the handler rejected with, as long as no answer was begun.
 */
export async function answerNodeRequest(
  request: NodeRequest,
  response: ServerResponse,
  handler: (request: Request) => Promise<Response>,
  bodyParsedFix: string,
): Promise<void> {
  const refusal = refuseUnreadable(request)
  if (refusal !== null) {
    await sendResponse(refusal, response)
    drain(request)
    return
  }
  const aborted = new AbortController()
  response.once('close', () => {
    if (!response.writableEnded) aborted.abort()
  })
  await sendResponse(await handler(toFetchRequest(request, aborted.signal, bodyParsedFix)), response)
  drain(request)
}

/**
 * What no Fetch handler can be asked: TRACE, which Fetch knows no request for, and paths with `..`, `.` or a backslash. Those
 * mean one place to a router that compares texts, and another to us, who read addresses as browsers do; who guards a
 * path by a router must be able to trust it. Browsers and clients never send either.
 */
function refuseUnreadable(request: NodeRequest): Response | null {
  const headers = { 'cache-control': 'no-store' }
  if (request.method === 'TRACE') return new Response(null, { status: 501, headers })
  const [path = ''] = (request.originalUrl ?? request.url ?? '').split(/[?#]/)
  return AMBIGUOUS.test(path) ? new Response(null, { status: 400, headers }) : null
}

const AMBIGUOUS = /\\|(^|\/)(\.|%2e){1,2}(\/|$)/i

/** A Fetch handler that may be told what the framework called the mount with: `createCreditsApi` and `createConsole` make such. */
export type FetchHandler = (request: Request, native?: unknown) => Promise<Response>

/**
 * Answer a Node request with a Fetch handler that reads JSON or forms, where something may have parsed the body before:
 * what was parsed is written again. Not for webhooks, whose bytes are signed.
 */
export async function answerWithParsedBody(
  request: NodeRequest,
  response: ServerResponse,
  handler: FetchHandler,
  bodyParsedFix: string,
): Promise<void> {
  const [path = ''] = (request.originalUrl ?? request.url ?? '').split('?')
  if (!path.endsWith(WEBHOOK_PATH)) keepParsedBody(request)
  await answerNodeRequest(request, response, (sent) => handler(sent, request), bodyParsedFix)
}

function keepParsedBody(request: NodeRequest): void {
  const { body, rawBody, headers } = request
  if (rawBody !== undefined || typeof body !== 'object' || body === null || body instanceof Uint8Array) return
  // Parsers that found nothing for them leave an empty object, and the body unread.
  if (!request.readableEnded && !request.readableDidRead) return
  const isForm = (headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')
  request.rawBody = isForm ? formText(body) : JSON.stringify(body)
}

/** A parsed form's values are texts, or lists of them; no form of ours has what parsers make of `a[b]=c`. */
function formText(fields: object): string {
  const entries = Object.entries(fields).flatMap(([name, value]: [string, unknown]) =>
    [value].flat().flatMap((one) => (typeof one === 'string' ? [[name, one]] : [])),
  )
  return new URLSearchParams(entries).toString()
}

/** The request in Fetch's terms; its body is the raw bytes, streamed with back-pressure. */
export function toFetchRequest(request: NodeRequest, signal: AbortSignal, bodyParsedFix: string): Request {
  const method = request.method ?? 'GET'
  const body = method === 'GET' || method === 'HEAD' ? null : rawBody(request, bodyParsedFix)
  // `duplex` is required for a streamed body; the DOM's types do not know it.
  const init = { method, headers: toHeaders(request), body, signal, duplex: 'half' } as RequestInit
  return new Request(toUrl(request), init)
}

/** Write a Fetch response: status, headers (each cookie of its own) and the body with back-pressure. */
export async function sendResponse(answer: Response, response: ServerResponse): Promise<void> {
  response.statusCode = answer.status
  for (const [name, value] of answer.headers) if (name !== 'set-cookie') response.setHeader(name, value)
  const cookies = answer.headers.getSetCookie()
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)

  const reader = answer.body?.getReader()
  try {
    while (reader) {
      const { done, value } = await reader.read()
      if (done) break
      if (response.destroyed) {
        await reader.cancel()
        return
      }
      if (!response.write(value)) await drained(response)
    }
    response.end()
  } catch (error) {
    // Part of the answer is out: cutting the connection is the only way to say that the rest is missing.
    response.destroy(error instanceof Error ? error : undefined)
  }
}

function toHeaders(request: NodeRequest): Headers {
  const headers = new Headers()
  const { rawHeaders } = request
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    // HTTP/2 pseudo-headers are not headers.
    if (!name.startsWith(':')) headers.append(name, rawHeaders[i + 1] ?? '')
  }
  return headers
}

/**
 * The path as it was asked for, also below an Express mount point. The host is for display: never trust it. One that is
 * more than a host, such as `name/path?`, would stand for another path, so it is left out.
 */
function toUrl(request: NodeRequest): string {
  const asked = request.originalUrl ?? request.url ?? '/'
  // Serverless wrappers make requests without a socket.
  const socket = request.socket as object | undefined
  const scheme = socket && 'encrypted' in socket ? 'https' : 'http'
  const host = request.headers.host ?? ''
  const origin =
    HOST.test(host) && URL.canParse(`${scheme}://${host}`) ? `${scheme}://${host}` : `${scheme}://localhost`
  if (asked.startsWith('/')) return URL.canParse(origin + asked) ? origin + asked : `${origin}/`
  // Proxies are asked with a whole address. Of it, only where it leads within us.
  const { pathname = '/', search = '' } = URL.canParse(asked) ? new URL(asked) : {}
  return `${origin}${pathname.startsWith('/') ? pathname : '/'}${search}`
}

const HOST = /^([\w.~-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i

/** The bytes as they arrived: kept by a parser, or still unread. */
function rawBody(request: NodeRequest, bodyParsedFix: string): ReadableStream<Uint8Array> {
  for (const kept of [request.rawBody, request.body]) {
    if (typeof kept === 'string') return oneChunk(new TextEncoder().encode(kept))
    if (kept instanceof Uint8Array) return oneChunk(kept)
  }
  if (request.readableDidRead || request.readableEnded) return failing(new WebhookBodyParsedError(bodyParsedFix))
  return unreadBody(request, bodyParsedFix)
}

function unreadBody(request: NodeRequest, bodyParsedFix: string): ReadableStream<Uint8Array> {
  const { readableEncoding } = request
  // Ending the iteration early must not close the socket: the answer still has to go out.
  const chunks: AsyncIterator<unknown, unknown> = request.iterator({ destroyOnReturn: false })
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await chunks.next()
        if (next.done) {
          controller.close()
          return
        }
        // A host may have called `setEncoding`: going back the same way restores the bytes, or the signature fails.
        const chunk = next.value
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk, readableEncoding ?? 'utf8') : chunk
        // Something that sits on the stream makes objects of it.
        if (!(bytes instanceof Uint8Array)) throw new WebhookBodyParsedError(bodyParsedFix)
        controller.enqueue(bytes)
      },
      async cancel() {
        await chunks.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

function oneChunk(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes)
      controller.close()
    },
  })
}

function failing(error: Error): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.error(error)
    },
  })
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

/**
 * Throw away the rest of a refused body for a short while: closing at once would reset the connection, and the sender
 * would never see why.
 */
function drain(request: NodeRequest): void {
  if (request.readableEnded || request.destroyed) return
  const timer = setTimeout(() => request.destroy(), DRAIN_MS).unref()
  request.once('close', () => clearTimeout(timer))
  request.once('end', () => clearTimeout(timer))
  // An aborted upload of a refused body is nobody's problem.
  request.on('error', () => undefined)
  request.resume()
}
