import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import express, { type RequestHandler } from 'express'
import express4 from 'express4'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { webhookHandler } from '../../adapters/express.js'
import { webhookHandler as honoWebhookHandler } from '../../adapters/hono.js'
import { pagesWebhookHandler } from '../../adapters/next.js'
import { webhookHandler as nodeWebhookHandler } from '../../adapters/node.js'
import { eventPayload, fetchServer, listen, openReceiver, send, sign, type Listening } from './support.js'

let server: Listening | undefined
afterEach(() => server?.close())

const payload = eventPayload('evt_parsed')
const headers = { 'stripe-signature': sign(payload) }

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('a body parser before the webhook in %s', (_, framework) => {
  async function answerBehind(parser: RequestHandler) {
    const receiver = openReceiver()
    server = await listen(createServer(framework().use(parser).post('/webhook', webhookHandler(receiver))))
    return { receiver, answer: await send(server.url, { body: payload, headers }) }
  }

  it('is told how to mount it when express.json() came first', async () => {
    const { receiver, answer } = await answerBehind(framework.json())
    expect(answer.status).toBe(500)
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'WEBHOOK_BODY_PARSED' })
    expect(answer.body).toContain('before express.json()')
    expect(receiver.processed).toEqual([])
    expect(receiver.log()).toContain('before express.json()')
  })

  it('accepts the bytes that express.json() was told to keep', async () => {
    const keep = (request: IncomingMessage, _response: unknown, bytes: Buffer) =>
      Object.assign(request, { rawBody: bytes })
    expect((await answerBehind(framework.json({ verify: keep }))).answer.status).toBe(200)
  })

  it('accepts the text of express.text()', async () => {
    expect((await answerBehind(framework.text({ type: '*/*' }))).answer.status).toBe(200)
  })

  it('reads the body when express.raw() left it alone because of its type', async () => {
    expect((await answerBehind(framework.raw({ type: 'application/octet-stream' }))).answer.status).toBe(200)
  })

  it('accepts a string in req.rawBody', async () => {
    const parse: RequestHandler = framework.json()
    const { answer } = await answerBehind((request, response, next) => {
      Object.assign(request, { rawBody: payload })
      parse(request, response, next)
    })
    expect(answer.status).toBe(200)
  })

  it('passes a receiver that fails on to the error handler', async () => {
    const handler = webhookHandler({ handleWebhook: () => Promise.reject(new Error('broken')) })
    const onError: express.ErrorRequestHandler = (error, _request, response, next) => {
      if (response.headersSent) next(error)
      else response.status(500).send(String(error))
    }
    server = await listen(createServer(framework().post('/webhook', handler).use(onError)))
    expect(await send(server.url, { body: payload })).toMatchObject({ status: 500, body: 'Error: broken' })
  })
})

describe('a body that was read before the webhook', () => {
  it('is told the config of Next pages routes', async () => {
    const handler = pagesWebhookHandler(openReceiver())
    const nextDefault = express.json()
    server = await listen(createServer(express().use(nextDefault, (request, response) => handler(request, response))))
    const answer = await send(server.url, { body: payload, headers })
    expect(answer.status).toBe(500)
    expect(answer.body).toContain('export const config = { api: { bodyParser: false } }')
  })

  it('answers 500 in plain Node, also when the stream is half read', async () => {
    const handler = nodeWebhookHandler(openReceiver())
    server = await listen(
      createServer((request, response) => {
        request.once('data', () => {
          request.pause()
          handler(request, response)
        })
      }),
    )
    const answer = await send(server.url, { body: payload, headers })
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([500, { error: 'WEBHOOK_BODY_PARSED' }])
  })

  it.each(['latin1', 'utf8', 'hex', 'base64'] as const)(
    'restores the bytes after setEncoding(%s)',
    async (encoding) => {
      const handler = nodeWebhookHandler(openReceiver())
      server = await listen(createServer((request, response) => handler(request.setEncoding(encoding), response)))
      const large = eventPayload('evt_encoded', '🧾界é'.repeat(30_000))
      const answer = await send(server.url, { body: large, headers: { 'stripe-signature': sign(large) } })
      expect(answer.status).toBe(200)
    },
  )

  it('answers 500 in Hono when the body was read past Hono, or only its meaning is remembered', async () => {
    const app = new Hono()
    app.use('/raw/*', async (context, next) => {
      await context.req.raw.text()
      await next()
    })
    app.use('/form/*', async (context, next) => {
      await context.req.formData().catch(() => null)
      await next()
    })
    app.post('/*', honoWebhookHandler(openReceiver()))
    server = await listen(fetchServer(app.fetch))
    const base = server.url.replace('/webhook', '')
    for (const path of ['/raw/hook', '/form/hook']) {
      const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
      const answer = await send(base + path, { body: payload, headers: form })
      expect([path, answer.status, answer.body]).toEqual([path, 500, expect.stringContaining('WEBHOOK_BODY_PARSED')])
    }
  })

  it('answers 500 for a Fetch request whose body is gone', async () => {
    const receiver = openReceiver()
    const request = new Request('http://localhost/webhook', { method: 'POST', body: payload, headers })
    await request.text()
    const answer = await receiver.handleWebhook(request)
    expect(answer.status).toBe(500)
    expect(await answer.text()).toContain('request.clone()')
  })
})

describe('a sender that never stops', () => {
  it('is cut off soon after the answer', async () => {
    server = await listen(createServer(nodeWebhookHandler(openReceiver())))
    const { url } = server
    const started = Date.now()
    const outgoing = httpRequest(url, { method: 'POST', headers: { 'content-length': '999999999' } })
    const endless = setInterval(() => outgoing.write(Buffer.alloc(1000)), 20)
    const status = await new Promise((resolve) => {
      outgoing.on('response', (response) => {
        response.resume()
        resolve(response.statusCode)
      })
    })
    expect(status).toBe(413)
    await new Promise((resolve) => outgoing.on('error', resolve).on('close', resolve))
    clearInterval(endless)
    expect(Date.now() - started).toBeLessThan(5_000)
  })
})
