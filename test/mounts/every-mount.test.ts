import { gzipSync } from 'node:zlib'
import { createServer } from 'node:http'
import express from 'express'
import express4 from 'express4'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import * as expressMount from '../../adapters/express.js'
import * as honoMount from '../../adapters/hono.js'
import * as nextMount from '../../adapters/next.js'
import * as nodeMount from '../../adapters/node.js'
import { UnavailableError } from '../../src/errors.js'
import type { WebhookReceiver } from '../../src/webhook.js'
import { eventPayload, fetchServer, listen, openReceiver, send, sign, type Listening } from './support.js'

const MOUNTS: { [name: string]: (receiver: WebhookReceiver) => Promise<Listening> } = {
  'Express 5': (receiver) => listen(createServer(express().all('/webhook', expressMount.webhookHandler(receiver)))),
  'Express 4': (receiver) => listen(createServer(express4().use('/webhook', expressMount.webhookHandler(receiver)))),
  'Express 5 behind express.raw()': (receiver) => {
    const raw = express.raw({ type: '*/*', limit: '100mb', inflate: false })
    return listen(createServer(express().use('/webhook', raw, expressMount.webhookHandler(receiver))))
  },
  'node:http': (receiver) => listen(createServer(nodeMount.webhookHandler(receiver))),
  'Next pages': (receiver) => {
    const handler = nextMount.pagesWebhookHandler(receiver)
    return listen(createServer((request, response) => void handler(request, response)))
  },
  'Next app': (receiver) => {
    const handler = nextMount.webhookHandler(receiver)
    return listen(fetchServer(handler))
  },
  Hono: (receiver) => listen(fetchServer(new Hono().all('/webhook', honoMount.webhookHandler(receiver)).fetch)),
  'Hono after c.req.json()': (receiver) => {
    const app = new Hono().use(async (context, next) => {
      await context.req.json().catch(() => null)
      await next()
    })
    return listen(fetchServer(app.all('/webhook', honoMount.webhookHandler(receiver)).fetch))
  },
}

/** The mounts where nothing reads the body before us: only there are its bytes and its length in our hands. */
const READING = ['Express 5', 'Express 4', 'node:http', 'Next pages', 'Next app', 'Hono']

let server: Listening | undefined
afterEach(() => server?.close())

async function mounted(name: string, receiver = openReceiver()) {
  const open = MOUNTS[name]
  if (!open) throw new Error(`mounted: there is no mount ${name}`)
  server = await open(receiver)
  const { url } = server
  const post = (body: string | Uint8Array, headers: Record<string, string> = {}) => send(url, { body, headers })
  return { receiver, url, post }
}

describe.each(Object.keys(MOUNTS))('the webhook mounted in %s', (name) => {
  it('accepts a signed body with characters of several bytes', async () => {
    const { receiver, post } = await mounted(name)
    const payload = eventPayload('evt_utf8')
    const answer = await post(payload, { 'stripe-signature': sign(payload) })
    expect(answer).toMatchObject({ status: 200, body: '{"received":true}' })
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(receiver.processed).toEqual(['evt_utf8'])
  })

  it('accepts a signed body of 1.5 MB', async () => {
    const { receiver, post } = await mounted(name)
    const payload = eventPayload('evt_large', '界'.repeat(500_000))
    expect(await post(payload, { 'stripe-signature': sign(payload) })).toMatchObject({ status: 200 })
    expect(receiver.processed).toEqual(['evt_large'])
  })

  it('accepts any content type, and a body in chunks', async () => {
    const { receiver, url } = await mounted(name)
    const payload = Buffer.from(eventPayload('evt_text'))
    const headers = { 'content-type': 'text/plain', 'stripe-signature': sign(payload) }
    const cut = payload.indexOf('東') + 1
    const body = [payload.subarray(0, cut), payload.subarray(cut)]
    expect(await send(url, { body, headers })).toMatchObject({ status: 200 })
    expect(receiver.processed).toEqual(['evt_text'])
  })

  it('answers 400 to altered, unsigned, forged, old and early bodies, and processes none', async () => {
    const { receiver, post } = await mounted(name)
    const payload = eventPayload('evt_bad')
    const statuses = await Promise.all([
      post(`${payload} `, { 'stripe-signature': sign(payload) }),
      post(JSON.stringify(JSON.parse(payload)), { 'stripe-signature': sign(payload) }),
      post(Buffer.from(payload, 'latin1'), { 'stripe-signature': sign(payload) }),
      post(payload),
      post(payload, { 'stripe-signature': '' }),
      post(payload, { 'stripe-signature': sign(payload, { secret: 'whsec_other' }) }),
      post(payload, { 'stripe-signature': sign(payload, { ageSeconds: 301 }) }),
      post(payload, { 'stripe-signature': sign(payload, { ageSeconds: -86_400 }) }),
      post(payload, { host: 'localhost', 'x-forwarded-host': 'localhost' }),
      post(payload, { host: 'localhost', 'stripe-signature': sign(payload, { secret: 'x' }) }),
      post('', { 'stripe-signature': sign('') }),
    ])
    expect(statuses.map(({ status }) => status)).toEqual(statuses.map(() => 400))
    expect(JSON.parse(statuses[0].body)).toMatchObject({ error: 'WEBHOOK_SIGNATURE_INVALID' })
    expect(receiver.processed).toEqual([])
  })

  it('answers 400 to a signed body that is no event', async () => {
    const { receiver, post } = await mounted(name)
    for (const payload of ['not json', 'null', '[]', '{}', '42', '{"object":"event"}', '\u0000']) {
      const answer = await post(payload, { 'stripe-signature': sign(payload) })
      expect([payload, answer.status]).toEqual([payload, 400])
    }
    expect(receiver.processed).toEqual([])
  })

  it('answers 415 to a compressed body', async () => {
    const { receiver, post } = await mounted(name)
    const zipped = gzipSync(eventPayload('evt_gzip'))
    const answer = await post(zipped, { 'content-encoding': 'gzip', 'stripe-signature': sign(zipped) })
    expect(answer).toMatchObject({ status: 415 })
    expect(receiver.processed).toEqual([])
  })

  it('answers 405 to GET, without a redirect', async () => {
    const { url } = await mounted(name)
    const answer = await send(url, { method: 'GET' })
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'POST' } })
  })

  it('answers 413 to a body that says it is too long', async () => {
    const { receiver, post } = await mounted(name)
    const payload = eventPayload('evt_huge', 'x'.repeat(3_000_000))
    expect(await post(payload, { 'stripe-signature': sign(payload) })).toMatchObject({ status: 413 })
    expect(receiver.processed).toEqual([])
  })

  it('answers 503 when the work could not be done now, and 500 without details to a bug', async () => {
    const failures = [new UnavailableError('The database is away'), new Error('password=hunter2')]
    const { receiver, post } = await mounted(
      name,
      openReceiver(async () => {
        throw failures.shift() ?? new Error('not expected to be called')
      }),
    )
    const payload = eventPayload('evt_fails')
    const headers = { 'stripe-signature': sign(payload) }
    const busy = await post(payload, headers)
    expect([busy.status, busy.body]).toEqual([503, '{"error":"UNAVAILABLE","message":"The database is away"}'])
    const bug = await post(payload, headers)
    expect([bug.status, bug.body]).toEqual([
      500,
      '{"error":"INTERNAL_ERROR","message":"The webhook could not be processed"}',
    ])
    expect(receiver.log()).toContain('hunter2')
  })

  it('serves the next request on the same connection after refusing one', async () => {
    const { url } = await mounted(name)
    const payload = eventPayload('evt_next')
    for (const signature of ['forged', sign(payload)]) {
      const answer = await fetch(url, { method: 'POST', body: payload, headers: { 'stripe-signature': signature } })
      expect(answer.status).toBe(signature === 'forged' ? 400 : 200)
      await answer.text()
    }
  })
})

describe.each(READING)('the webhook reading the body itself in %s', (name) => {
  it('answers 413 to 50 MB in chunks, holding none of them', async () => {
    const { url } = await mounted(name)
    const chunk = new Uint8Array(64 * 1024)
    const before = process.memoryUsage().arrayBuffers
    let peak = 0
    function* body() {
      for (let sent = 0; sent < 50_000_000; sent += chunk.byteLength) {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
        yield chunk
      }
    }
    expect(await send(url, { body: body() })).toMatchObject({ status: 413 })
    expect(peak).toBeLessThan(20_000_000)
  })

  it('answers 400 when a byte order mark was put before the body', async () => {
    const { post } = await mounted(name)
    const payload = eventPayload('evt_bom')
    expect(await post(`\uFEFF${payload}`, { 'stripe-signature': sign(payload) })).toMatchObject({ status: 400 })
  })
})
