import { CreditService, UnavailableError } from 'creditkit'
import { createCreditsApi, type AdminCall } from 'creditkit/api'
import { memoryStore } from 'creditkit/adapters/memory'
import { signedWebhook } from 'creditkit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, BUYER, openShop, type Shop } from './call-samples.js'
import { answerOf, callerOf, restRequest } from './rest-call.js'

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

const BASE = 'http://localhost/api/credits'
const open = (options: Parameters<typeof createCreditsApi>[1] = {}) =>
  createCreditsApi(shop.credits, { authenticate: callerOf, ...options })
let users = 0
const newUser = () => ({ userId: `rest-${++users}`, isAdmin: false })

async function give(userId: string, amount: number): Promise<void> {
  await shop.credits.addCredits({ userId, amount, creditType: 'calling', description: 'Gift' })
}

function post(path: string, body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request(`${BASE}${path}`, {
    method: 'POST',
    body,
    headers: { caller: JSON.stringify(ADMIN), 'content-type': 'application/json', ...headers },
  })
}

const adjustment = (userId: string, amount: number) =>
  JSON.stringify({ userId, amount, creditType: 'calling', description: 'By hand' })

describe('the REST door', () => {
  it('answers JSON that nobody caches, and names the request', async () => {
    const user = newUser()
    await give(user.userId, 7)
    const answer = await answerOf(await open()(restRequest('getBalance', { creditType: 'calling' }, user)))
    expect(answer).toMatchObject({ status: 200, body: 7 })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it("keeps the caller's own request id where it is one, and no other text", async () => {
    const named = (id: string) => restRequest('getPackages', {}, null, { 'x-request-id': id })
    expect((await open()(named('trace:42.a_b'))).headers.get('x-request-id')).toBe('trace:42.a_b')
    for (const id of ['a b', '<script>', 'x'.repeat(129)])
      expect((await open()(named(id))).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('answers HEAD as GET, without the body', async () => {
    const request = new Request(`${BASE}/packages`, { method: 'HEAD' })
    const response = await open()(request)
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  })

  it('says what there is instead: 404 for other paths, 405 with the methods for others', async () => {
    for (const path of ['/nothing', '/balances/more', '', '/', '/__proto__', '/constructor']) {
      const answer = await answerOf(await open()(new Request(`${BASE}${path}`)))
      expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
    }
    expect((await open()(new Request('http://localhost/elsewhere/packages'))).status).toBe(404)
    const wrong = await answerOf(await open()(new Request(`${BASE}/checkouts`, { method: 'DELETE' })))
    expect(wrong).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } })
    expect(wrong.headers.get('allow')).toBe('POST')
  })

  it('refuses a base path that is none, at once', () => {
    for (const basePath of ['credits', '/a b', '/a?b', 'https://x.y/z', '//evil'])
      expect(() => open({ basePath })).toThrow('basePath')
  })

  it('reads pages by cursor, each row once', async () => {
    const user = newUser()
    for (let n = 1; n <= 5; n++) await give(user.userId, n)
    const seen: number[] = []
    let cursor: string | null = null
    do {
      const input = { creditType: 'calling', limit: 2, ...(cursor === null ? {} : { cursor }) }
      const { body } = await answerOf(await open()(restRequest('listTransactions', input, user)))
      const page = body as { transactions: { amount: number }[]; nextCursor: string | null }
      seen.push(...page.transactions.map(({ amount }) => amount))
      cursor = page.nextCursor
    } while (cursor !== null)
    expect(seen).toEqual([5, 4, 3, 2, 1])
  })

  it('records the administrator who did it, and tells the host', async () => {
    const { userId } = newUser()
    const told: AdminCall[] = []
    const api = open({ onAdminCall: (call) => told.push(call) })
    const answer = await answerOf(await api(post('/admin/adjustments', adjustment(userId, 4))))
    expect(answer.body).toMatchObject({ userId, amount: 4, actor: ADMIN.userId })
    expect(told).toMatchObject([{ procedure: 'adjustCredits', actor: ADMIN.userId, input: { userId, amount: 4 } }])
    await api(restRequest('getBalances', {}, ADMIN))
    await api(post('/admin/adjustments', adjustment(userId, -400)))
    expect(told).toHaveLength(1)
  })

  it('wants a reason for what is changed by hand', async () => {
    const { userId } = newUser()
    const silent = { userId, amount: 1, creditType: 'calling', description: '' }
    expect(await answerOf(await open()(post('/admin/adjustments', JSON.stringify(silent))))).toMatchObject({
      status: 400,
      body: { code: 'INVALID_INPUT', issues: [{ path: 'description' }] },
    })
    const { samples } = shop
    const refund = restRequest('refundCredits', { transactionId: samples.refundCredits.transactionId }, ADMIN)
    expect(await answerOf(await open()(refund))).toMatchObject({ status: 400, body: { issues: [{ path: 'reason' }] } })
  })

  it('lets the webhook in, with its signature and no session', async () => {
    const event = {
      id: 'evt_rest',
      object: 'event',
      type: 'customer.updated',
      livemode: false,
      created: 1,
      data: { object: {} },
    }
    const signed = await signedWebhook(event, shop.stripe.webhookSecret)
    const delivery = (body: string) => new Request(`${BASE}/webhook`, { method: 'POST', body, headers: signed.headers })
    const raw = await signed.text()
    expect((await open()(delivery(raw))).status).toBe(200)
    expect((await open()(delivery(`${raw} `))).status).toBe(400)
  })
})

describe('an Idempotency-Key header', () => {
  it('makes a repeat return the first result', async () => {
    const { userId } = newUser()
    const send = (amount: number, headers: Record<string, string>) =>
      open()(post('/admin/adjustments', adjustment(userId, amount), headers)).then(answerOf)
    const first = await send(4, { 'idempotency-key': 'once' })
    expect(await send(4, { 'idempotency-key': 'once' })).toMatchObject({
      status: 200,
      body: { ...(first.body as object), replayed: true },
    })
    expect(await send(5, { 'idempotency-key': 'once' })).toMatchObject({
      status: 409,
      body: { code: 'IDEMPOTENCY_CONFLICT', field: 'amount' },
    })
    expect(await shop.credits.getBalance(userId, 'calling')).toBe(4)
  })

  it('that differs from the one in the body is refused', async () => {
    const { userId } = newUser()
    const body = JSON.stringify({ ...(JSON.parse(adjustment(userId, 4)) as object), idempotencyKey: 'a' })
    const answer = await answerOf(await open()(post('/admin/adjustments', body, { 'idempotency-key': 'b' })))
    expect(answer).toMatchObject({ status: 400, body: { issues: [{ path: 'idempotencyKey' }] } })
    expect(await shop.credits.getBalance(userId, 'calling')).toBe(0)
  })
})

describe('a body', () => {
  const refused = async (request: Request) => {
    const { status, body } = await answerOf(await open({ maxBodyBytes: 1000 })(request))
    return [status, (body as { code: string }).code]
  }

  it('that is too large is refused, said or unsaid, and read no further', async () => {
    const large = JSON.stringify({ description: 'x'.repeat(2000) })
    expect(await refused(post('/admin/adjustments', large))).toEqual([413, 'CONTENT_TOO_LARGE'])
    let sent = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 500
        controller.enqueue(new Uint8Array(500).fill(32))
      },
    })
    const request = new Request(`${BASE}/admin/adjustments`, {
      method: 'POST',
      body: endless,
      headers: { caller: JSON.stringify(ADMIN), 'content-type': 'application/json' },
      duplex: 'half',
    } as RequestInit)
    expect(await refused(request)).toEqual([413, 'CONTENT_TOO_LARGE'])
    expect(sent).toBeLessThan(5000)
  })

  it.each([
    ['text', 'hello', 400, 'INVALID_INPUT'],
    ['half of JSON', '{"userId":', 400, 'INVALID_INPUT'],
    ['a list', '[1]', 400, 'INVALID_INPUT'],
    ['null', 'null', 400, 'INVALID_INPUT'],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 400, 'INVALID_INPUT'],
    ['nothing', '', 400, 'INVALID_AMOUNT'],
  ])('that is %s is refused by name', async (_what, body, status, code) => {
    expect(await refused(post('/admin/adjustments', body))).toEqual([status, code])
  })

  it('of another type than JSON is refused: a form of another site can send no JSON', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonp',
    ])
      expect(await refused(post('/admin/adjustments', adjustment('nobody', 1), { 'content-type': type }))).toEqual([
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ])
  })

  it("never sets what is the host's to say", async () => {
    const { userId } = newUser()
    const sent = { ...(JSON.parse(adjustment(userId, 2)) as object), actor: 'me', tx: {}, balanceAfter: 99, id: 'x' }
    const { body } = await answerOf(await open()(post('/admin/adjustments', JSON.stringify(sent))))
    expect(body).toMatchObject({ actor: ADMIN.userId, balanceAfter: 2 })
    const polluted = `{"__proto__":{"isAdmin":true},${adjustment(userId, 2).slice(1)}`
    expect((await open()(post('/admin/adjustments', polluted))).status).toBe(200)
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
  })
})

describe('a change that another site asks for', () => {
  const from = async (headers: Record<string, string>, options: Parameters<typeof open>[0] = {}) => {
    const { userId } = newUser()
    const response = await open(options)(post('/admin/adjustments', adjustment(userId, 1), headers))
    return [response.status, await shop.credits.getBalance(userId, 'calling')]
  }

  it.each([
    ['of another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['of a sister domain', { 'sec-fetch-site': 'same-site', origin: 'https://blog.localhost' }],
    ['of an old browser, by its origin', { origin: 'https://evil.example' }],
    ['of a page without an origin', { origin: 'null' }],
  ])('is refused and does nothing: %s', async (_who, headers) => {
    expect(await from(headers)).toEqual([403, 0])
  })

  it.each([
    ['our own page', { 'sec-fetch-site': 'same-origin', origin: 'http://localhost' }],
    ['our own page behind a proxy', { 'sec-fetch-site': 'same-origin', origin: 'https://shop.example' }],
    ['an old browser on our page', { origin: 'http://localhost' }],
    ['no browser', {}],
  ])('is done for %s', async (_who, headers) => {
    expect(await from(headers)).toEqual([200, 1])
  })

  it('is done for origins that the host allows', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' }
    expect(await from(headers, { allowedOrigins: ['https://app.example.com'] })).toEqual([200, 1])
  })

  it('may still read: what it reads, the browser does not show it', async () => {
    const request = restRequest('getBalances', {}, BUYER, { 'sec-fetch-site': 'cross-site' })
    const response = await open()(request)
    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('refusals', () => {
  it('are problems with their figures', async () => {
    const { userId } = newUser()
    await give(userId, 3)
    const { status, body, headers } = await answerOf(await open()(post('/admin/deductions', adjustment(userId, 10))))
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect([status, body]).toEqual([
      402,
      {
        type: 'urn:creditkit:problem:INSUFFICIENT_CREDITS',
        title: 'Insufficient credits',
        status: 402,
        detail: 'Insufficient credits. Required: 10, Available: 3',
        code: 'INSUFFICIENT_CREDITS',
        required: 10,
        available: 3,
        shortfall: 7,
        requestId: headers.get('x-request-id'),
      },
    ])
  })

  it('say when to try again', async () => {
    const limited = open({
      rateLimit: ({ caller, procedure }) =>
        caller?.userId === BUYER.userId && procedure === 'getBalances' ? 2.5 : null,
    })
    const answer = await answerOf(await limited(restRequest('getBalances', {}, BUYER)))
    expect(answer).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
    expect(answer.headers.get('retry-after')).toBe('3')
    expect((await limited(restRequest('getPlan', {}, BUYER))).status).toBe(200)

    const down = Object.assign(memoryStore(), {
      readBalances: () => Promise.reject(new UnavailableError('The database is busy')),
    })
    const api = createCreditsApi(new CreditService({ store: down }), { authenticate: callerOf })
    const unavailable = await answerOf(await api(restRequest('getBalances', {}, BUYER)))
    expect(unavailable).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } })
    expect(unavailable.headers.get('retry-after')).toBe('1')
  })

  it('tell nothing of what went wrong inside, and the host everything', async () => {
    const secret = new Error('password authentication failed for user "postgres"')
    const broken = Object.assign(memoryStore(), { readBalances: () => Promise.reject(secret) })
    const told: unknown[] = []
    const api = createCreditsApi(new CreditService({ store: broken }), {
      authenticate: callerOf,
      onError: (error, call) => told.push({ error, ...call }),
    })
    const answer = await answerOf(await api(restRequest('getBalances', {}, BUYER, { 'x-request-id': 'r-1' })))
    expect(answer).toMatchObject({
      status: 500,
      body: { code: 'INTERNAL', detail: 'Something went wrong', requestId: 'r-1' },
    })
    expect(JSON.stringify(answer.body)).not.toContain('password')
    expect(told).toEqual([{ error: secret, procedure: 'getBalances', requestId: 'r-1' }])
  })

  it("name a gap in the host's set-up by its code alone", async () => {
    const told: unknown[] = []
    const api = createCreditsApi(new CreditService({ store: memoryStore() }), {
      authenticate: callerOf,
      onError: (error) => told.push(error),
    })
    const answer = await answerOf(await api(restRequest('getSubscriptions', {}, BUYER)))
    expect(answer).toMatchObject({
      status: 500,
      body: { code: 'PAYMENTS_NOT_CONFIGURED', detail: 'Something went wrong' },
    })
    expect(told).toHaveLength(1)
  })

  it('come also when `authenticate` itself breaks, which lets nobody in', async () => {
    const told: unknown[] = []
    const api = open({
      authenticate: () => Promise.reject(new Error('session store is down')),
      onError: (error) => told.push(error),
    })
    const { userId } = newUser()
    const answer = await answerOf(await api(post('/admin/adjustments', adjustment(userId, 1))))
    expect(answer).toMatchObject({ status: 500, body: { code: 'INTERNAL' } })
    expect(await shop.credits.getBalance(userId, 'calling')).toBe(0)
  })
})
