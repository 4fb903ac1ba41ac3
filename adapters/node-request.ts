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
  const aborted = new AbortController()
  response.once('close', () => {
    if (!response.writableEnded) aborted.abort()
  })
  await sendResponse(await handler(toFetchRequest(request, aborted.signal, bodyParsedFix)), response)
  drain(request)
}

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
  // A parsed form's values are texts, or lists of them.
  request.rawBody = isForm ? formText(body as Record<string, string | string[]>) : JSON.stringify(body)
}

function formText(fields: Record<string, string | string[]>): string {
  const entries = Object.entries(fields).flatMap(([name, value]) => [value].flat().map((one) => [name, one]))
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

/** The path as it was asked for, also below an Express mount point. The host is for display: never trust it. */
function toUrl(request: NodeRequest): string {
  const path = request.originalUrl ?? request.url ?? '/'
  // Serverless wrappers make requests without a socket.
  const socket = request.socket as object | undefined
  const scheme = socket && 'encrypted' in socket ? 'https' : 'http'
  const absolute = path.startsWith('/') ? `${scheme}://${request.headers.host ?? 'localhost'}${path}` : path
  if (URL.canParse(absolute)) return absolute
  return path.startsWith('/') && URL.canParse(`http://localhost${path}`)
    ? `http://localhost${path}`
    : 'http://localhost/'
}

/** The bytes as they arrived: kept by a parser, or still unread. */
function rawBody(request: NodeRequest, bodyParsedFix: string): ReadableStream<Uint8Array> {
  for (const kept of [request.rawBody, request.body]) {
    if (typeof kept === 'string') return oneChunk(new TextEncoder().encode(kept))
    if (kept instanceof Uint8Array) return oneChunk(kept)
  }
  if (request.readableDidRead || request.readableEnded) return failing(new WebhookBodyParsedError(bodyParsedFix))
  return unreadBody(request)
}

function unreadBody(request: NodeRequest): ReadableStream<Uint8Array> {
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
        if (!(bytes instanceof Uint8Array)) throw new TypeError('creditkit: the request stream is not one of bytes')
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
