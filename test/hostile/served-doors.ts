import { createServer, type Server } from 'node:http'
import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { stripePayments } from 'creditkit/adapters/stripe'
import { createCreditsApi, type CreditsApiOptions } from 'creditkit/api'
import { createConsole } from 'creditkit/console'
import express from 'express'
import express4 from 'express4'
import { Hono } from 'hono'
import * as expressMount from '../../adapters/express.js'
import * as honoMount from '../../adapters/hono.js'
import * as nextMount from '../../adapters/next.js'
import * as nodeMount from '../../adapters/node.js'
import type { FetchHandler } from '../../adapters/node-request.js'
import type { CreditStore } from '../../src/ports/store.js'
import { ADMIN, quiet } from '../doors/call-samples.js'
import { fetchServer, listen, type Listening, SECRET } from '../mounts/support.js'
import { type RawAnswer, requestText, sendRaw } from './raw-socket.js'

/** A door at the root of a server. */
export const MOUNTS: Record<string, (door: FetchHandler) => Server> = {
  'Express 5': (door) => createServer(express().use(expressMount.apiHandler(door))),
  'Express 4': (door) => createServer(express4().use(expressMount.apiHandler(door))),
  'node:http': (door) => createServer(nodeMount.apiHandler(door)),
  'Next pages': (door) => {
    const handler = nextMount.pagesApiHandler(door)
    return createServer((request, response) => void handler(request, response))
  },
  'Next app': (door) => {
    const methods: Record<string, (request: Request) => Promise<Response>> = nextMount.apiHandler(door)
    return fetchServer((request) => methods[request.method]?.(request) ?? new Response(null, { status: 405 }))
  },
  Hono: (door) => fetchServer(new Hono().all('/*', honoMount.apiHandler(door)).fetch),
}
export const NAMES = Object.keys(MOUNTS)

/** Ends the last opened first. */
const opened: (() => unknown)[] = []

export function closeAfterTest(close: () => unknown): void {
  opened.push(close)
}

export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close()
}

/** A shop behind one mount, and what its host was told of. */
export async function serve(name: string, options: CreditsApiOptions = {}, store: CreditStore = memoryStore()) {
  const payments = stripePayments({ secretKey: 'sk_test_1', webhookSecret: SECRET, appUrl: 'https://app.example' })
  const credits = new CreditService({ store, payments, logger: quiet })
  const errors: unknown[] = []
  const authenticate = (request: Request) => (request.headers.get('cookie') === 'session=admin' ? ADMIN : null)
  const api = createCreditsApi(credits, { authenticate, onError: (error) => errors.push(error), ...options })
  const pages = createConsole({ credits, authenticate, bodyTimeoutMs: options.bodyTimeoutMs })
  const door: FetchHandler = (request, native) =>
    new URL(request.url).pathname.startsWith('/credits') ? pages(request, native) : api(request, native)
  const server: Listening = await listen(MOUNTS[name]?.(door) ?? createServer())
  opened.push(
    () => credits.close(),
    () => server.close(),
  )
  const ask = (text: string): Promise<RawAnswer> => {
    const call = sendRaw(server.url, [text])
    opened.push(() => call.leave())
    return call.answer
  }
  return { credits, errors, url: server.url, ask }
}

export const SESSION = { cookie: 'session=admin' }
export const JSON_TYPE = { ...SESSION, 'content-type': 'application/json' }
export const ADJUST = 'POST /api/credits/admin/adjustments'
export const adjustment = (amount = 1) =>
  JSON.stringify({ userId: 'ann', amount, creditType: 'calling', description: 'By hand' })
export const whole = (line: string, headers: Record<string, string | readonly string[]>, body: string | Buffer) =>
  requestText(line, { ...headers, 'content-length': String(Buffer.byteLength(body)) }, body.toString('latin1'))
