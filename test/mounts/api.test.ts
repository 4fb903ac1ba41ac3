import { createServer } from 'node:http'
import { CreditService, type DefaultCreditType } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { stripePayments } from 'creditkit/adapters/stripe'
import { createCreditsApi, type CreditsApi } from 'creditkit/api'
import express from 'express'
import express4 from 'express4'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import * as expressMount from '../../adapters/express.js'
import * as honoMount from '../../adapters/hono.js'
import * as nextMount from '../../adapters/next.js'
import * as nodeMount from '../../adapters/node.js'
import type { NodeRequest } from '../../adapters/node-request.js'
import { ADMIN } from '../doors/call-samples.js'
import { eventPayload, fetchServer, listen, type Listening, recordingLogger, SECRET, sign } from './support.js'

type Api = CreditsApi<DefaultCreditType>

/** What Next does before it calls an API route with its default settings. */
async function parsedByNext(request: NodeRequest): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array))
  const text = Buffer.concat(chunks).toString()
  request.body = text === '' ? '' : JSON.parse(text)
}

const MOUNTS: Record<string, (api: Api) => Promise<Listening>> = {
  'Express 5': (api) => listen(createServer(express().use('/api/credits', expressMount.apiHandler(api)))),
  'Express 4': (api) => listen(createServer(express4().use('/api/credits', expressMount.apiHandler(api)))),
  'Express 5 after express.json()': (api) =>
    listen(createServer(express().use(express.json(), expressMount.apiHandler(api)))),
  'Express 4 after express.json()': (api) =>
    listen(createServer(express4().use(express4.json(), expressMount.apiHandler(api)))),
  'node:http': (api) => listen(createServer(nodeMount.apiHandler(api))),
  'Next app': (api) =>
    listen(
      fetchServer((request) => {
        const methods: Record<string, (request: Request) => Promise<Response>> = nextMount.apiHandler(api)
        return methods[request.method]?.(request) ?? Promise.resolve(new Response(null, { status: 405 }))
      }),
    ),
  'Next pages, whose body is parsed': (api) => {
    const handler = nextMount.pagesApiHandler(api)
    return listen(
      createServer((request, response) => void parsedByNext(request).then(() => handler(request, response))),
    )
  },
  Hono: (api) => listen(fetchServer(new Hono().all('/api/credits/*', honoMount.apiHandler(api)).fetch)),
  'Hono after c.req.json()': (api) => {
    const app = new Hono().use(async (context, next) => {
      await context.req.json().catch(() => null)
      await next()
    })
    return listen(fetchServer(app.all('/api/credits/*', honoMount.apiHandler(api)).fetch))
  },
}

const PARSED = ['Express 5 after express.json()', 'Express 4 after express.json()', 'Next pages, whose body is parsed']

let server: Listening | undefined
afterEach(() => server?.close())

/** The door behind a mount; what `authenticate` was given as second argument, and what went wrong inside. */
async function mounted(name: string) {
  const lines: string[] = []
  const payments = stripePayments({ secretKey: 'sk_test_1', webhookSecret: SECRET, appUrl: 'https://app.example' })
  const credits = new CreditService({ store: memoryStore(), payments, logger: recordingLogger(lines) })
  const natives: unknown[] = []
  const errors: unknown[] = []
  const api = createCreditsApi(credits, {
    authenticate: (request, native) => {
      natives.push(native)
      return request.headers.get('cookie') === 'session=admin' ? ADMIN : null
    },
    onError: (error) => errors.push(error),
  })
  server = await MOUNTS[name]?.(api)
  const base = new URL('/api/credits', server?.url).href
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(`${base}${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', cookie: 'session=admin', ...headers },
    })
  return { credits, base, post, natives, errors, lines }
}

describe.each(Object.keys(MOUNTS))('the API mounted in %s', (name) => {
  it('answers reads and writes, for whoever the host says it is', async () => {
    const { credits, base, post, natives } = await mounted(name)
    const adjustment = { userId: 'ann', amount: 7, creditType: 'calling', description: 'Grüße, 東京' }
    const written = await post('/admin/adjustments', JSON.stringify(adjustment))
    expect(written.status).toBe(200)
    expect(await written.json()).toMatchObject({ ...adjustment, actor: ADMIN.userId })
    expect(await credits.getBalance('ann', 'calling')).toBe(7)
    const read = await fetch(`${base}/admin/balances?userId=ann`, { headers: { cookie: 'session=admin' } })
    expect(await read.json()).toMatchObject({ calling: { balance: 7 } })
    expect((await fetch(`${base}/balances`)).status).toBe(401)
    expect(natives.every((native) => typeof native === 'object' && native !== null)).toBe(true)
  })

  it('repeats a keyed write without a second effect', async () => {
    const { credits, post } = await mounted(name)
    const body = JSON.stringify({ userId: 'ann', amount: 7, creditType: 'calling', description: 'Gift' })
    const send = () => post('/admin/adjustments', body, { 'idempotency-key': 'once' })
    const answers = await Promise.all([send(), send(), send()])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(await credits.getBalance('ann', 'calling')).toBe(7)
  })

  it('refuses what is no object, by name', async () => {
    const { post } = await mounted(name)
    const answer = await post('/admin/adjustments', '[1]')
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'INVALID_INPUT' })
  })
})

describe.each(Object.keys(MOUNTS).filter((name) => !PARSED.includes(name)))(
  'the API that reads the body in %s',
  (name) => {
    it('refuses what is no JSON, and what is too large', async () => {
      const { post, errors } = await mounted(name)
      expect((await post('/admin/adjustments', '{"a":')).status).toBe(400)
      expect((await post('/admin/adjustments', JSON.stringify({ a: 'x'.repeat(70_000) }))).status).toBe(413)
      expect(errors).toEqual([])
    })
  },
)

describe.each(PARSED)('the webhook below the API, mounted in %s', (name) => {
  it('is not written again from what was parsed: its bytes are signed, and the error says how to mount it', async () => {
    const { post, lines } = await mounted(name)
    const payload = eventPayload('evt_parsed')
    const answer = await post('/webhook', payload, { 'stripe-signature': sign(payload) })
    expect(answer.status).toBe(500)
    expect(lines.join()).toContain('The webhook body was parsed before creditkit could verify its signature')
  })
})
