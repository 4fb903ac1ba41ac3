import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import express, { type ErrorRequestHandler } from 'express'
import express4 from 'express4'
import { Hono } from 'hono'
import { vi } from 'vitest'
import * as expressMount from '../../adapters/express.js'
import * as honoMount from '../../adapters/hono.js'
import { memoryStore } from '../../adapters/memory/store.js'
import * as nextMount from '../../adapters/next.js'
import type { HeldCredits, PaidRoute, RequiredCredits } from '../../adapters/require-credits.js'
import { CreditService, type CreditServiceOptions, type DefaultCreditType } from '../../src/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { fetchServer, listen, type Listening, send } from './support.js'

/** What the handler of a test answers; an iterable body is streamed as it comes. */
export interface Reply {
  status?: number
  headers?: [string, string][]
  body?: string | AsyncIterable<string> | null
}

export type Work = (held: HeldCredits) => Reply | Promise<Reply>

/** Options that ask nothing of the request. */
export type PayingOptions = RequiredCredits<DefaultCreditType, unknown> & Partial<PaidRoute<DefaultCreditType, unknown>>

type Mount = (credits: CreditService, options: PayingOptions & { userId: () => string | null }, work: Work) => Server

const hostAnswer = (error: unknown): string => `host: ${error instanceof Error ? error.message : String(error)}`

const onError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) next(error)
  else response.status(500).send(hostAnswer(error))
}

function onExpress(framework: typeof express): Mount {
  return (credits, options, work) => {
    const app = framework()
    app.all('/*path', expressMount.requireCredits(credits, options), (request, response, next) => {
      // A work that throws at once throws within Express, as a handler would.
      const reply = work(expressMount.heldCredits(request))
      Promise.resolve(reply)
        .then((given) => writeReply(response, given))
        .catch(next)
    })
    return createServer(app.use(onError))
  }
}

/** Each behind a real server; the host answers errors by 500 and `host: …`. */
export const PAID_MOUNTS: Record<string, Mount> = {
  'Express 5': onExpress(express),
  'Express 4': (credits, options, work) => {
    const app = express4()
    app.use(expressMount.requireCredits(credits, options), (request, response, next) => {
      const reply = work(expressMount.heldCredits(request))
      Promise.resolve(reply)
        .then((given) => writeReply(response, given))
        .catch(next)
    })
    return createServer(app.use(onError))
  },
  Hono: (credits, options, work) => {
    const app = new Hono().onError((error, c) => c.text(hostAnswer(error), 500))
    app.all('/*', honoMount.requireCredits(credits, options), async (c) => toResponse(await work(c.get('heldCredits'))))
    return fetchServer(app.fetch)
  },
  'Next app': (credits, options, work) => {
    const handler = nextMount.requireCredits(credits, options, async (_, held) => toResponse(await work(held)))
    return fetchServer((request) =>
      handler(request, {}).catch((error: unknown) => new Response(hostAnswer(error), { status: 500 })),
    )
  },
  'Next pages': (credits, options, work) => {
    const handler = nextMount.pagesRequireCredits(credits, options, async (_, response, held) =>
      writeReply(response, await work(held)),
    )
    return createServer((request: IncomingMessage, response: ServerResponse) => {
      handler(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy()
        else response.writeHead(500).end(hostAnswer(error))
      })
    })
  },
}

/** A user with 100 credits before a route that holds 60 of them, unless the test says otherwise. */
export async function paying(
  name: string,
  work: Work,
  options: Partial<PaidRoute<DefaultCreditType, unknown>> & { price?: PayingOptions; signedIn?: boolean } = {},
  service: CreditServiceOptions = {},
) {
  const mount = PAID_MOUNTS[name]
  if (mount === undefined) throw new Error(`paying: there is no mount ${name}`)
  const { price = { amount: 60, creditType: 'calling' }, signedIn = true, ...given } = options
  const userId = `user-${randomUUID()}`
  const store: CreditStore = service.store ?? memoryStore()
  const credits = new CreditService({ cache: null, ...service, store })
  await credits.addCredits(userId, 100, 'calling', 'Welcome')
  const counted = { runs: 0 }
  const server = mount(
    credits,
    { buyUrl: '/billing', ...price, ...given, userId: () => (signedIn ? userId : null) },
    (held) => {
      counted.runs += 1
      return work(held)
    },
  )
  const left = gate()
  server.on('request', (_, response) => response.once('close', left.open))
  const listening = await listen(server)
  opened.push(listening, credits)
  const url = listening.url.replace('/webhook', '/enrich')
  const figures = async () => (await credits.getAllBalances(userId)).calling
  return {
    credits,
    userId,
    url,
    counted,
    figures,
    /** The server has seen that the first call's connection is gone. */
    left: left.promise,
    call: (headers: Record<string, string> = {}) => send(url, { headers }),
    /** What is owned once nothing is held any more: Express charges after the answer has left. */
    settled: () =>
      vi.waitFor(async () => {
        const { held, owned } = await figures()
        if (held !== 0) throw new Error(`paying: ${held} credits are still held`)
        return owned
      }, WAIT),
  }
}

export const WAIT = { timeout: 10_000, interval: 5 }

const opened: (Listening | CreditService)[] = []

/** Servers and services of the tests so far. */
export async function closePaying(): Promise<void> {
  for (const each of opened.splice(0)) await each.close()
}

/** Call, and leave as soon as the first bytes of the answer have come, or before any when there are none yet. */
export async function callAndLeave(url: string, leave: 'with the first bytes' | Promise<unknown>): Promise<void> {
  const outgoing = httpRequest(url, { method: 'POST' })
  outgoing.on('error', () => undefined)
  outgoing.end('{}')
  if (leave === 'with the first bytes') {
    // The response's events are typed as unknown.
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.on('error', () => undefined)
    await once(response, 'data')
  } else await leave
  outgoing.destroy()
}

export interface Gate {
  promise: Promise<void>
  open: () => void
}

export function gate(): Gate {
  let open = (): void => undefined
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

async function writeReply(response: ServerResponse, { status = 200, headers = [], body = 'done' }: Reply) {
  response.statusCode = status
  for (const [name, value] of headers) response.appendHeader(name, value)
  if (body === null || typeof body === 'string') {
    response.end(body ?? undefined)
    return
  }
  for await (const chunk of body) response.write(chunk)
  response.end()
}

function toResponse({ status = 200, headers = [], body = 'done' }: Reply): Response {
  return new Response(body === null || typeof body === 'string' ? body : toStream(body), { status, headers })
}

function toStream(chunks: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next()
      if (next.done === true) controller.close()
      else controller.enqueue(new TextEncoder().encode(next.value))
    },
  })
}
