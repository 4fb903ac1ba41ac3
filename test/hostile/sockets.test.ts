import { createServer, type Server } from 'node:http'
import { gzipSync } from 'node:zlib'
import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { createCreditsApi } from 'creditkit/api'
import express, { type RequestHandler } from 'express'
import express4 from 'express4'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import * as expressMount from '../../adapters/express.js'
import * as honoMount from '../../adapters/hono.js'
import { ADMIN } from '../doors/call-samples.js'
import { fetchServer, listen } from '../mounts/support.js'
import { requestText, sendRaw } from './raw-socket.js'
import {
  ADJUST,
  adjustment,
  closeAfterTest,
  closeAll,
  JSON_TYPE,
  NAMES,
  serve,
  SESSION,
  whole,
} from './served-doors.js'

/* What arrives at a real server from a sender that is no proper client, in every framework we mount in. */

afterEach(closeAll)

describe.each(NAMES)('in %s', (name) => {
  it('bodies that are not what they say write nothing, and are refused by a status of their own', async () => {
    const { ask, credits, errors } = await serve(name, { maxBodyBytes: 1000 })
    const deep = `{"metadata":${'['.repeat(400)}${']'.repeat(400)},${adjustment().slice(1)}`
    const chunk = `${(2000).toString(16)}\r\n${' '.repeat(2000)}\r\n0\r\n\r\n`
    const sent: [string, string, readonly number[]][] = [
      ['chunks above the cap', requestText(ADJUST, { ...JSON_TYPE, 'transfer-encoding': 'chunked' }, chunk), [413]],
      ['a length above the cap', requestText(ADJUST, { ...JSON_TYPE, 'content-length': '5000' }), [413]],
      ['a length that is none', requestText(ADJUST, { ...JSON_TYPE, 'content-length': 'x' }), [400]],
      ['two lengths', requestText(ADJUST, { ...JSON_TYPE, 'content-length': ['5', '6'] }, '{}   '), [400]],
      [
        'a length and chunks',
        requestText(ADJUST, { ...JSON_TYPE, 'content-length': '4', 'transfer-encoding': 'chunked' }, '0\r\n\r\n'),
        [400],
      ],
      ['deep JSON', whole(ADJUST, JSON_TYPE, deep), [400]],
      ['half of JSON', whole(ADJUST, JSON_TYPE, adjustment().slice(0, -1)), [400]],
      ['JSON and more', whole(ADJUST, JSON_TYPE, `${adjustment()}{}`), [400]],
      ['a form', whole(ADJUST, { ...SESSION, 'content-type': 'application/x-www-form-urlencoded' }, 'a=b'), [415]],
      [
        'two types',
        whole(ADJUST, { ...SESSION, 'content-type': ['application/json', 'text/plain'] }, adjustment()),
        [415],
      ],
      ['no type', whole(ADJUST, SESSION, adjustment()), [415]],
      ['gzip', whole(ADJUST, { ...JSON_TYPE, 'content-encoding': 'gzip' }, gzipSync(adjustment())), [400, 415]],
      ['UTF-16', whole(ADJUST, JSON_TYPE, Buffer.from(`\ufeff${adjustment()}`, 'utf16le')), [400]],
      ['two hosts', requestText('GET /api/credits/packages', { host: ['localhost', 'evil.example'] }), [400, 200]],
    ]
    for (const [what, text, statuses] of sent) {
      const { status, body } = await ask(text)
      expect(statuses, `${what}: ${status} ${body}`).toContain(status)
    }
    expect(errors).toEqual([])
    expect(await credits.getTransactionHistory('ann')).toEqual([])
  })

  it('two keys in two headers are one other key, and never two effects', async () => {
    const { ask, credits } = await serve(name)
    const text = whole(ADJUST, { ...JSON_TYPE, 'idempotency-key': ['a', 'b'] }, adjustment())
    expect([(await ask(text)).status, (await ask(text)).status]).toEqual([200, 200])
    expect(await credits.getBalance('ann', 'calling')).toBe(1)
  })

  it('only the methods of a path are answered, and none is echoed', async () => {
    const { ask, errors } = await serve(name)
    const statuses: Record<string, number> = {}
    for (const method of ['HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'M-SEARCH']) {
      const { status, head, body } = await ask(
        requestText(`${method} /api/credits/packages`, {
          ...SESSION,
          connection: 'close',
          'x-secret': 'told-to-nobody',
        }),
      )
      statuses[method] = status
      expect(`${head}${body}`).not.toContain('told-to-nobody')
    }
    expect(statuses.HEAD).toBe(200)
    for (const [method, status] of Object.entries(statuses))
      if (method !== 'HEAD') expect([method, [404, 405, 501].includes(status)]).toEqual([method, true])
    expect(errors).toEqual([])
  })

  it('a host, a proxy’s header or an address never stands for another path or a person', async () => {
    const { ask, errors } = await serve(name)
    const hosts = [
      ...[
        'evil.example',
        'user:secret@evil.example',
        'evil.example/api/credits/admin/users?',
        'a b',
        '[::1',
        ':',
        '..',
      ],
      ...['evil.example#', 'x'.repeat(5000), 'evil.example\\@localhost', '%00', 'localhost:99999', ''],
    ]
    for (const host of hosts) {
      const { status, body } = await ask(
        requestText('GET /api/credits/packages', { host, connection: 'close', ...SESSION }),
      )
      // Some servers turn such hosts away themselves.
      expect([host, [200, 400].includes(status)]).toEqual([host, true])
      if (status === 200) expect(body).toContain('[]')
    }
    const spoofed = {
      ...{ 'x-original-url': '/api/credits/admin/users', 'x-rewrite-url': '/api/credits/admin/users' },
      ...{ 'x-forwarded-host': 'evil.example', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-user': 'admin' },
      ...{ 'x-http-method-override': 'DELETE', forwarded: 'for=127.0.0.1;host=evil.example' },
    }
    expect(await ask(requestText('GET /api/credits/packages', spoofed))).toMatchObject({ status: 200 })
    expect(await ask(requestText('GET /api/credits/admin/users', spoofed))).toMatchObject({ status: 401 })
    expect(errors).toEqual([])
  })

  it('a path that is written otherwise is nothing of ours, or the same path', async () => {
    const { ask, errors } = await serve(name)
    const paths = [
      ...[
        '//api/credits/admin/users',
        '/api//credits/admin/users',
        '/api/credits//admin/users',
        '/API/credits/admin/users',
      ],
      ...[
        '/api/credits/ADMIN/users',
        '/api/credits/%61dmin/users',
        '/api/credits/admin%2fusers',
        '/api/credits/admin/users/',
      ],
      ...[
        '/api/credits/admin/users%00',
        '/api/credits/admin/users%0d%0aset-cookie:a=b',
        '/api/credits/admin/users;a=b',
      ],
      ...[
        '/api/credits/admin/users.json',
        '/api/credits/admin/%zz',
        '/api/credits/admin/%ff',
        '/api/credits/..%2fadmin',
      ],
      ...[
        '/api/credits/../credits/admin/users',
        '/api/credits/x/%2e%2e/admin/users',
        '/api/credits/x\\..\\admin\\users',
      ],
      ...['/api/credits/./admin/users', '*', 'http://user:secret@evil.example/api/credits/packages', '/..', '/%2e%2e/'],
    ]
    for (const path of paths) {
      const { status, head } = await ask(requestText(`GET ${path}`, { connection: 'close', ...JSON_TYPE }))
      const allowed = name === 'Next app' || name === 'Hono' ? [400, 404, 200] : [400, 404]
      const isWhole = path.startsWith('http:')
      expect([path, isWhole || allowed.includes(status), status === 500]).toEqual([path, true, false])
      expect(head).not.toMatch(/^set-cookie/im)
    }
    expect(errors).toEqual([])
  })
})

/** A place of the host's that nobody may pass. */
const closed: RequestHandler = (_request, response) => {
  response.status(403).end()
}

describe("a guard of the host's before the door", () => {
  const ways = [
    ...['/api/credits/admin/users', '/api/credits/x/../admin/users', '/api/credits/x/%2e%2e/admin/users'],
    ...[
      '/api/credits/x/..\\admin\\users',
      '/api/credits\\admin/users',
      '/api/credits/%2E/admin/users',
      '//api/credits/admin/users',
    ],
    ...[
      '/api/credits//admin/users',
      '/api/credits/%61dmin/users',
      '/api/credits/ADMIN/users',
      '/API/CREDITS/admin/users',
    ],
    ...['http://evil.example/api/credits/x/../admin/users', 'http://evil.example/api/credits/admin/users'],
  ]
  const door = () => {
    const credits = new CreditService({ store: memoryStore() })
    return createCreditsApi(credits, { authenticate: () => ADMIN })
  }
  const guards: Record<string, () => Server> = {
    'Express 5': () => {
      const app = express().use('/api/credits/admin', closed)
      return createServer(app.use('/api/credits', expressMount.apiHandler(door())))
    },
    'Express 4': () => {
      const app = express4().use('/api/credits/admin', closed)
      return createServer(app.use('/api/credits', expressMount.apiHandler(door())))
    },
    Hono: () => {
      const app = new Hono().use('/api/credits/admin/*', (context) => Promise.resolve(context.body(null, 403)))
      return fetchServer(app.all('/api/credits/*', honoMount.apiHandler(door())).fetch)
    },
  }

  it.each(Object.keys(guards))('is passed by no other spelling of its path in %s', async (name) => {
    const server = await listen(guards[name]?.() ?? createServer())
    closeAfterTest(() => server.close())
    for (const way of ways) {
      const { answer } = sendRaw(server.url, [requestText(`GET ${way}`, { connection: 'close' })])
      expect([way, (await answer).status === 200]).toEqual([way, false])
    }
    const host = 'localhost/api/credits/admin/users?'
    const { answer } = sendRaw(server.url, [requestText('GET /api/credits/packages', { host, connection: 'close' })])
    expect((await answer).body).not.toContain('users')
  })
})
