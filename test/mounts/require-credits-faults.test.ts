import { createServer } from 'node:http'
import express from 'express'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import * as expressMount from '../../adapters/express.js'
import { answerPaidCall } from '../../adapters/fetch-answer.js'
import * as honoMount from '../../adapters/hono.js'
import { memoryStore } from '../../adapters/memory/store.js'
import * as nextMount from '../../adapters/next.js'
import { type Ending } from '../../adapters/require-credits.js'
import { CreditService, StoreNotConfiguredError, UnavailableError } from '../../src/index.js'
import { failingStore, operationOf } from '../behaviour/failing-store.js'
import { closePaying, gate, PAID_MOUNTS, paying } from './paying.js'
import { fetchServer, listen, type Listening, recordingLogger, send } from './support.js'

afterEach(closePaying)

let server: Listening | undefined
afterEach(() => server?.close())

const price = { amount: 60, creditType: 'calling' } as const

/** A service of a user with 100 credits. */
async function funded() {
  const credits = new CreditService({ store: memoryStore(), cache: null })
  await credits.addCredits('u', 100, 'calling', 'Welcome')
  return { credits, figures: async () => (await credits.getAllBalances('u')).calling }
}

describe.each(Object.keys(PAID_MOUNTS))('requireCredits and a database that fails in %s', (name) => {
  it('gives the answer also when the charge fails for good: it is told, and the hold is kept', async () => {
    const lines: string[] = []
    const told = gate()
    const errors: unknown[] = []
    const store = failingStore(memoryStore(), async (command) => (operationOf(command) === 'capture' ? 'before' : null))
    const { call, figures } = await paying(
      name,
      ({ setCost }) => (setCost(42), { body: 'done' }),
      {
        onError: (error, hold) => {
          errors.push([error, hold.amount])
          told.open()
        },
      },
      { store, logger: recordingLogger(lines) },
    )
    expect(await call()).toMatchObject({ status: 200, body: 'done' })
    await told.promise
    expect(errors).toEqual([[expect.any(UnavailableError), 60]])
    expect(lines.join()).toContain('its hold could not be captured; it is kept')
    expect(await figures()).toMatchObject({ balance: 40, owned: 100, held: 60 })
  })

  it('charges in spite of faults that pass', async () => {
    const faults = ['before', 'after'] as const
    let asked = 0
    const store = failingStore(memoryStore(), async (command) =>
      operationOf(command) === 'capture' ? (faults[asked++] ?? null) : null,
    )
    const told = gate()
    const { call, figures } = await paying(name, () => ({}), { onCharged: told.open }, { store })
    expect(await call()).toMatchObject({ status: 200 })
    await told.promise
    expect([await figures(), asked]).toMatchObject([{ owned: 40, held: 0 }, 3])
  })

  it('answers 503 with retry-after when nothing can be held, and the handler does not run', async () => {
    const store = failingStore(memoryStore(), async (command) => (operationOf(command) === 'hold' ? 'before' : null))
    const { call, counted, figures } = await paying(name, () => ({}), {}, { store, batching: false })
    const { status, headers, body } = await call()
    expect([status, headers['retry-after'], JSON.parse(body)]).toMatchObject([503, '1', { code: 'UNAVAILABLE' }])
    expect([counted.runs, await figures()]).toMatchObject([0, { held: 0 }])
  })

  it('leaves a wrong configuration to the host: it is no answer for callers', async () => {
    const details = () => Promise.reject(new StoreNotConfiguredError('run migrate()'))
    const { call, counted } = await paying(name, () => ({}), { details })
    expect(await call()).toMatchObject({ status: 500, body: 'host: run migrate()' })
    expect(counted.runs).toBe(0)
  })
})

describe('where more credits are sold', () => {
  it('may depend on what is missing, and its header is ASCII', async () => {
    const buyUrl = (_: unknown, { shortfall }: { shortfall: number }) => `/läden?credits=${shortfall}&x=<">`
    const expensive = { amount: 130, creditType: 'calling' } as const
    const { call } = await paying('Express 5', () => ({}), { price: expensive, buyUrl })
    const { headers, body } = await call()
    expect(headers.link).toBe('</l%C3%A4den?credits=30&x=%3C%22%3E>; rel="payment"')
    expect(JSON.parse(body)).toMatchObject({ buyUrl: '/läden?credits=30&x=<">' })
  })

  it('is left out where the host sells none', async () => {
    const expensive = { amount: 130, creditType: 'calling' } as const
    const { call } = await paying('Hono', () => ({}), { price: expensive, buyUrl: undefined })
    const { headers, body } = await call()
    expect([headers.link, JSON.parse(body)]).toEqual([undefined, expect.not.objectContaining({ buyUrl: '/billing' })])
  })
})

describe('requireCredits in Express', () => {
  it('calls next once, and hands the error of a handler on as it was', async () => {
    const { credits, figures } = await funded()
    const calls: unknown[] = []
    const failure = new RangeError('broken')
    const app = express()
    app.post('/webhook', expressMount.requireCredits(credits, { ...price, userId: () => 'u' }), () => {
      calls.push('handler')
      throw failure
    })
    const onError: express.ErrorRequestHandler = (error, _request, response, next) => {
      calls.push(error)
      if (response.headersSent) next(error)
      else response.sendStatus(418)
    }
    server = await listen(createServer(app.use(onError)))
    expect(await send(server.url, {})).toMatchObject({ status: 418 })
    expect(calls).toEqual(['handler', failure])
    await expect.poll(figures).toMatchObject({ balance: 100, held: 0 })
  })

  it('runs behind a body parser, whose body options and handler can read', async () => {
    const { credits, figures } = await funded()
    const amount = ({ body }: express.Request): number => (body as { minutes: number }).minutes
    const route = expressMount.requireCredits(credits, { creditType: 'calling', amount, userId: () => 'u' })
    const app = express().post('/webhook', express.json(), route, (request, response) => response.json(request.body))
    server = await listen(createServer(app))
    expect(await send(server.url, { body: '{"minutes":7}' })).toMatchObject({ status: 200, body: '{"minutes":7}' })
    await expect.poll(figures).toMatchObject({ balance: 93, held: 0 })
  })

  it('says what is missing when the route requires no credits', () => {
    expect(() => expressMount.heldCredits({})).toThrow('put requireCredits(…) before this handler')
  })
})

describe('requireCredits in Hono', () => {
  it('charges nothing for an error that the host answers with 200, nor for one that is no Error', async () => {
    for (const thrown of [new Error('broken'), 'broken']) {
      const { credits, figures } = await funded()
      const app = new Hono().onError((_, c) => c.text('all is well', 200))
      app.post('/', honoMount.requireCredits(credits, { ...price, userId: () => 'u' }), () => {
        // As some libraries do.
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw thrown
      })
      const answer = await Promise.resolve(app.request('/', { method: 'POST' })).catch((error: unknown) => error)
      if (thrown instanceof Error) expect(answer).toMatchObject({ status: 200 })
      else expect(answer).toBe(thrown)
      expect(await figures()).toMatchObject({ balance: 100, held: 0 })
    }
  })

  it('leaves the body to the handler, and headers to the middleware around it', async () => {
    const { credits, figures } = await funded()
    const app = new Hono().use(async (c, next) => {
      c.header('x-early', 'a')
      await next()
      c.header('x-late', 'b')
    })
    const route = honoMount.requireCredits(credits, {
      creditType: 'calling',
      amount: async (c) => (await c.req.json<{ minutes: number }>()).minutes,
      userId: () => 'u',
    })
    app.post('/webhook', route, async (c) => c.json(await c.req.json()))
    server = await listen(fetchServer(app.fetch))
    const answer = await send(server.url, { body: '{"minutes":7}' })
    expect(answer).toMatchObject({ status: 200, body: '{"minutes":7}', headers: { 'x-early': 'a', 'x-late': 'b' } })
    expect(answer.headers['content-type']).toBe('application/json')
    expect(await figures()).toMatchObject({ balance: 93, held: 0 })
  })
})

describe('requireCredits in Next', () => {
  const post = () => new Request('http://localhost/api/enrich', { method: 'POST' })

  it('charges a redirect, which Next throws, and nothing for other errors of its own', async () => {
    for (const [digest, balance] of [
      ['NEXT_REDIRECT;replace;/done;307;', 40],
      ['NEXT_HTTP_ERROR_FALLBACK;404', 100],
    ] as const) {
      const { credits, figures } = await funded()
      const thrown = Object.assign(new Error('thrown by Next'), { digest })
      const POST = nextMount.requireCredits(credits, { ...price, userId: () => 'u' }, () => Promise.reject(thrown))
      await expect(POST(post(), {})).rejects.toBe(thrown)
      expect(await figures()).toMatchObject({ balance, held: 0 })
    }
  })

  it('hands the context and the request through', async () => {
    const { credits } = await funded()
    const request = post()
    const context = { params: Promise.resolve({ id: '7' }) }
    const POST = nextMount.requireCredits(
      credits,
      { ...price, userId: () => 'u' },
      async (given: Request, held, { params }: typeof context) => {
        expect([given, held.hold?.amount]).toEqual([request, 60])
        return Response.json(await params)
      },
    )
    expect(await (await POST(request, context)).json()).toEqual({ id: '7' })
  })
})

describe('a Fetch answer that is followed', () => {
  /** Everything that is told, in order; the first counts. */
  function following(body: BodyInit | null, init: ResponseInit & { request?: Request } = {}) {
    const endings: Ending[] = []
    const { request = new Request('http://localhost/'), ...given } = init
    const answer = answerPaidCall(request, new Response(body, given), async (ending) => void endings.push(ending))
    return { endings, answer }
  }

  it('is read no faster than it is taken', async () => {
    let pulled = 0
    const source = new ReadableStream<Uint8Array>(
      { pull: (controller) => controller.enqueue(new Uint8Array([(pulled += 1)])) },
      { highWaterMark: 0 },
    )
    const { answer, endings } = following(source)
    const reader = (await answer).body?.getReader()
    expect(pulled).toBe(0)
    await reader?.read()
    await reader?.read()
    expect([pulled, endings]).toEqual([2, []])
    await reader?.cancel()
    expect(endings).toEqual(['abandoned'])
  })

  it('cancels its source with the reason of who took it', async () => {
    const reasons: unknown[] = []
    const source = new ReadableStream<Uint8Array>({ cancel: (reason) => void reasons.push(reason) })
    const { answer, endings } = following(source)
    await (await answer).body?.cancel('enough')
    expect([reasons, endings]).toEqual([['enough'], ['abandoned']])
  })

  it('is abandoned, and has not come to its end, when it is cancelled while more is waited for', async () => {
    const { answer, endings } = following(new ReadableStream())
    const reader = (await answer).body?.getReader()
    const waiting = reader?.read()
    await reader?.cancel()
    expect(await waiting).toMatchObject({ done: true })
    expect(endings[0]).toBe('abandoned')
  })

  it('is abandoned when its request is aborted, also where nobody cancels it', async () => {
    const aborted = new AbortController()
    const request = new Request('http://localhost/', { signal: aborted.signal })
    const { answer, endings } = following(new ReadableStream(), { request })
    await answer
    expect(endings).toEqual([])
    aborted.abort()
    expect(endings).toEqual(['abandoned'])
    const late = following('text', { request })
    expect(await (await late.answer).text()).toBe('text')
    expect(late.endings).toEqual(['abandoned'])
  })

  it('stays finished when its request is aborted afterwards', async () => {
    const aborted = new AbortController()
    const { answer, endings } = following('text', {
      request: new Request('http://localhost/', { signal: aborted.signal }),
    })
    expect(await (await answer).text()).toBe('text')
    aborted.abort()
    expect(endings).toEqual(['succeeded'])
  })

  it('keeps its status, its text and its headers', async () => {
    const { answer } = following('text', { status: 203, statusText: 'Copied', headers: { etag: '"1"' } })
    const { status, statusText, headers } = await answer
    expect([status, statusText, headers.get('etag')]).toEqual([203, 'Copied', '"1"'])
  })
})
