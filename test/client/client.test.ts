import { gzipSync } from 'node:zlib'
import type { CreditsApi } from 'creditkit/api'
import { createCreditsClient, type CreditsClient } from 'creditkit/client'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { ADMIN } from '../doors/call-samples.js'
import { answering, refusalOf, serveDoor } from './served-door.js'

type Door = Awaited<ReturnType<typeof serveDoor>>
type Client = CreditsClient<Door['api']>

let door: Door
beforeAll(async () => {
  door = await serveDoor()
})
afterAll(() => door.close())
afterEach(() => expect(door.faults).toEqual([]))

let userId: string
let client: Client
let admin: Client
let users = 0
beforeEach(() => {
  userId = `client-${++users}`
  client = connect({ userId, isAdmin: false })
  admin = connect(ADMIN)
  door.requests.length = 0
})

const connect = (caller: object, options: Partial<Parameters<typeof createCreditsClient>[0]> = {}): Client =>
  createCreditsClient<Door['api']>({
    baseUrl: door.baseUrl,
    headers: () => ({ caller: JSON.stringify(caller) }),
    ...options,
  })

const gift = () => ({ userId, amount: 10, creditType: 'calling', description: 'Gift' }) as const

describe('the client', () => {
  it('calls procedures by name: fields in the path, the query string or the body', async () => {
    const given = await admin.addCredits(gift())
    expect(given).toMatchObject({ amount: 10, actor: ADMIN.userId })
    expect(await client.getBalance({ creditType: 'calling' })).toBe(10)
    expect((await client.getBalances()).calling.owned).toBe(10)
    expect(await client.getTransaction({ transactionId: given.id })).toEqual(given)
    const from = new Date(Date.now() - 60_000)
    expect((await client.listTransactions({ creditType: 'calling', from, cursor: null })).transactions).toEqual([given])
    expect(door.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /api/credits/admin/grants',
      'GET /api/credits/balance?creditType=calling',
      'GET /api/credits/balances',
      `GET /api/credits/transactions/${given.id}`,
      `GET /api/credits/transactions?creditType=calling&from=${encodeURIComponent(from.toISOString())}`,
    ])
  })

  it('keeps a path field in its segment, and sends none that would leave it', async () => {
    const refused = await refusalOf(client.getTransaction({ transactionId: 'a/b?c#d' }))
    expect(refused.code).toBe('TRANSACTION_NOT_FOUND')
    expect(door.requests[0]?.url).toBe('/api/credits/transactions/a%2Fb%3Fc%23d')
    for (const transactionId of ['', '.', '..'])
      expect((await refusalOf(client.getTransaction({ transactionId }))).code).toBe('INVALID_INPUT')
    expect(door.requests).toHaveLength(1)
  })

  it('throws refusals with their code and figures', async () => {
    await admin.addCredits(gift())
    const error = await refusalOf(admin.deductCredits({ ...gift(), amount: 25 }))
    expect(error).toMatchObject({ code: 'INSUFFICIENT_CREDITS', status: 402, problem: { shortfall: 15 } })
    expect(error.message).toBe('Insufficient credits. Required: 25, Available: 10')
    expect(error.requestId).toMatch(/^[0-9a-f-]{36}$/)
    expect((await refusalOf(client.adjustCredits(gift()))).code).toBe('FORBIDDEN')
  })

  it('sends headers of the moment, and of the one call', async () => {
    let token = 0
    const own = connect(ADMIN, {
      headers: async () => ({ authorization: `Bearer ${++token}`, caller: JSON.stringify(ADMIN) }),
    })
    await own.getBalances()
    await own.getBalances(undefined, { headers: { 'x-trace': 'a' } })
    expect(door.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2'])
    expect(door.requests[1]?.headers['x-trace']).toBe('a')
  })
})

describe('a write whose answer is lost', () => {
  it('is tried again with the same key, and has one effect', async () => {
    door.faults.push(door.answerLost)
    const given = await admin.addCredits(gift())
    expect(given.replayed).toBe(true)
    expect(await door.credits.getBalance(userId, 'calling')).toBe(10)
    const keys = door.requests.map(({ headers }) => headers['idempotency-key'])
    expect(keys).toEqual([keys[0], keys[0]])
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
  })

  it("keeps the caller's own key", async () => {
    door.faults.push(door.answerLost)
    await admin.addCredits({ ...gift(), idempotencyKey: 'order-1' })
    expect(door.requests.map(({ headers }) => headers['idempotency-key'])).toEqual(['order-1', 'order-1'])
    expect((await admin.addCredits({ ...gift(), idempotencyKey: 'order-1' })).replayed).toBe(true)
  })

  it('of a procedure without keys is not tried again', async () => {
    door.faults.push(door.answerLost)
    const pack = { name: 'Once', creditAmount: 5, price: 500, creditType: 'calling' } as const
    expect((await refusalOf(admin.createPackage(pack))).code).toBe('NETWORK')
    const packages = await client.getPackages()
    expect(packages.filter(({ name }) => name === 'Once')).toHaveLength(1)
  })
})

describe('a server that can not answer now', () => {
  it.each([502, 503, 504, 429])('with %i is asked again', async (status) => {
    door.faults.push(answering(status, '<html>', { 'retry-after': '0' }))
    expect(await client.getBalance({ creditType: 'calling' })).toBe(0)
    expect(door.requests).toHaveLength(2)
  })

  it('is asked three times at most, and what it said last comes out', async () => {
    door.faults.push(answering(503, ''), answering(503, ''), answering(503, ''))
    const error = await refusalOf(client.getBalance({ creditType: 'calling' }))
    expect(error).toMatchObject({ code: 'BAD_RESPONSE', status: 503 })
    expect(error.message).toBe('Unexpected answer (HTTP 503)')
  })

  it('for long is not waited for', async () => {
    const problem = { code: 'LIMIT_EXCEEDED', detail: 'Limit exceeded' }
    door.faults.push(answering(429, JSON.stringify(problem), { 'retry-after': '60' }))
    expect(await refusalOf(client.getBalances())).toMatchObject({ code: 'LIMIT_EXCEEDED', problem })
    expect(door.requests).toHaveLength(1)
  })

  it.each([
    ['a page of a proxy', answering(200, '<html>Sign in</html>')],
    ['an empty answer', answering(200, '')],
    ['half of JSON', answering(200, '{"calling":')],
    ['null where a problem should be', answering(400, 'null')],
  ])('but sends %s: the answer is called unexpected, not a syntax error', async (_what, fault) => {
    door.faults.push(fault)
    expect((await refusalOf(client.getBalances())).code).toBe('BAD_RESPONSE')
    expect(door.requests).toHaveLength(1)
  })

  it('at all is told as such, after the last try', async () => {
    const nowhere = connect(ADMIN, { baseUrl: 'http://127.0.0.1:1/api', retries: 1 })
    expect(await refusalOf(nowhere.getBalances())).toMatchObject({ code: 'NETWORK', status: 0, problem: null })
  })

  it('in time is told as such', async () => {
    const silent = () => undefined
    door.faults.push(silent, silent)
    const hasty = connect(ADMIN, { timeoutMs: 50, retries: 1 })
    expect((await refusalOf(hasty.getBalances())).code).toBe('TIMEOUT')
    expect(door.requests).toHaveLength(2)
  })
})

describe('an aborted call', () => {
  it('ends at once, and is not tried again', async () => {
    const abort = new AbortController()
    door.faults.push(() => abort.abort())
    expect((await refusalOf(client.getBalances(undefined, { signal: abort.signal }))).code).toBe('ABORTED')
    expect(door.requests).toHaveLength(1)
  })

  it('ends also between two tries', async () => {
    const abort = new AbortController()
    door.faults.push(answering(503, '', { 'retry-after': '4' }))
    const call = refusalOf(client.getBalances(undefined, { signal: abort.signal }))
    while (door.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    abort.abort()
    expect((await call).code).toBe('ABORTED')
    expect(door.requests).toHaveLength(1)
  })
})

type OneTypeApi = CreditsApi<'tokens'>

describe('the types', () => {
  it("are the door's: its credit types, what may be left out, and text for moments", () => {
    expectTypeOf<Parameters<Client['getBalance']>[0]>().toEqualTypeOf<{
      creditType: 'enrichment' | 'calling' | 'scraping'
    }>()
    expectTypeOf<Awaited<ReturnType<Client['getBalances']>>['calling']['nextExpiry']>().toEqualTypeOf<string | null>()
    expectTypeOf<Client['getProducts']>().toBeCallableWith()
    const calls = [
      // @ts-expect-error With three credit types, one has to be named.
      () => client.getBalance(),
      // @ts-expect-error No such credit type.
      () => client.getBalance({ creditType: 'gold' }),
      // @ts-expect-error Nobody sets who did it.
      () => admin.adjustCredits({ ...gift(), actor: 'me' }),
    ]
    expect(calls).toHaveLength(3)
    expectTypeOf<CreditsClient<OneTypeApi>['getBalance']>().toBeCallableWith()
    expectTypeOf<Parameters<CreditsClient<OneTypeApi>['listUserTransactions']>[0]>().toHaveProperty('limit')
  })
})

describe('the bundle', () => {
  it('is below three kilobytes, and holds nothing of a server', async () => {
    const { outputFiles } = await build({
      entryPoints: ['adapters/client.ts'],
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      target: 'es2022',
    })
    const [file] = outputFiles
    expect(gzipSync(file?.contents ?? '').byteLength).toBeLessThan(3 * 1024)
    expect(file?.text).not.toMatch(/zod|node:|process\.|require\(/)
  })
})
