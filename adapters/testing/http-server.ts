import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerTo, type ApiCalls } from './api-calls.js'
import { ApiError, notImplemented } from './api-error.js'
import { isBuyerPage, type PageReply } from './buyer-pages.js'

const MAX_BODY_BYTES = 1024 * 1024

interface ServerParts {
  calls: ApiCalls
  page: (request: { method: string; url: URL; body: string }) => Promise<PageReply>
}

/** Listen on 127.0.0.1; port 0 takes a free one. */
export async function listen(parts: ServerParts, port: number): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    answer(parts, request, response).catch((error: unknown) => sendJson(response, answerTo(error)))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  // A TCP server's address is an object; only pipes have a text.
  return { server, port: (server.address() as AddressInfo).port }
}

/** Stop listening and cut what is open. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}

async function answer({ calls, page }: ServerParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const body = await readBody(request)
  if (isBuyerPage(url.pathname)) {
    const reply = await page({ method: request.method ?? 'GET', url, body })
    response.writeHead(reply.status, reply.headers).end(request.method === 'HEAD' ? undefined : reply.body)
    return
  }
  if (!url.pathname.startsWith('/v1/')) throw notImplemented(`${request.method ?? ''} ${url.pathname}`)
  const reply = await calls.handle(request, url, body)
  if (reply.lost === 'hang') return
  if (reply.lost === 'reset') {
    request.socket.resetAndDestroy()
    return
  }
  sendJson(response, reply.answer, reply.headers)
}

function sendJson(
  response: ServerResponse,
  { status, body }: { status: number; body: object },
  headers: Record<string, string> = {},
): void {
  if (response.headersSent) return
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body, null, 2))
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) {
      throw new ApiError(413, { type: 'invalid_request_error', message: `Request body over ${MAX_BODY_BYTES} bytes` })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
