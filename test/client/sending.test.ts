import { createCreditsClient, type CreditsClient, CreditsClientError } from 'creditkit/client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ADMIN } from '../doors/call-samples.js'
import { answering, refusalOf, serveDoor } from './served-door.js'

type Door = Awaited<ReturnType<typeof serveDoor>>

let door: Door
beforeAll(async () => {
  door = await serveDoor()
})
afterAll(() => door.close())
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  expect(door.faults).toEqual([])
})

let userId: string
let admin: CreditsClient<Door['api']>
let users = 0
beforeEach(() => {
  userId = `sender-${++users}`
  admin = connect()
  door.requests.length = 0
})

const connect = (options: Partial<Parameters<typeof createCreditsClient>[0]> = {}) =>
  createCreditsClient<Door['api']>({
    baseUrl: door.baseUrl,
    headers: { caller: JSON.stringify(ADMIN) },
    ...options,
  })

const gift = () => ({ userId, amount: 10, creditType: 'calling', description: 'Gift' }) as const

describe('an idempotency key', () => {
  it.each(['заказ-1', ' order 1 ', 'order 1', '注文'])('of any text arrives as it is: %j', async (idempotencyKey) => {
    const input = { ...gift(), idempotencyKey }
    door.faults.push(door.answerLost)
    expect((await admin.addCredits(input)).replayed).toBe(true)
    expect((await admin.addCredits(input)).replayed).toBe(true)
    expect(await door.credits.getBalance(userId, 'calling')).toBe(10)
  })

  it('may come as a header of the call', async () => {
    const headers = { 'Idempotency-Key': `header-${userId}` }
    expect((await admin.addCredits(gift(), { headers })).replayed).toBe(false)
    expect((await admin.addCredits(gift(), { headers })).replayed).toBe(true)
  })

  it('of the input goes before one of the headers', async () => {
    const input = { ...gift(), idempotencyKey: `подарок-${userId}` }
    expect((await admin.addCredits(input, { headers: { 'idempotency-key': 'other' } })).replayed).toBe(false)
    expect((await admin.addCredits(input)).replayed).toBe(true)
  })

  it('is made also on pages without TLS, where browsers have no randomUUID', async () => {
    vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) })
    const own = connect({
      fetch: (url, init) => {
        vi.unstubAllGlobals()
        return fetch(url, init)
      },
    })
    await own.addCredits(gift())
    expect(door.requests[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f]{32}$/)
  })
})

describe('what JSON would turn into nothing', () => {
  it('is refused before it is sent: a wrong date would be none', async () => {
    const wrong = new Date('tomorrow')
    const calls = [
      () => admin.addCredits({ ...gift(), expiresAt: wrong }),
      () => admin.addCredits({ ...gift(), amount: Number.NaN }),
      () => admin.listTransactions({ from: wrong }),
      () => admin.listTransactions({ limit: Number.POSITIVE_INFINITY }),
      () => admin.updatePackage({ id: Number.NaN, name: 'New' }),
      () => admin.getTransaction({ transactionId: '\ud800' }),
    ]
    for (const call of calls) expect((await refusalOf(call())).code).toBe('INVALID_INPUT')
    expect(door.requests).toEqual([])
  })
})

describe('headers', () => {
  it('of the call take the place of those of the client, in whatever case', async () => {
    const own = connect({ headers: { Authorization: 'Bearer 1', Caller: 'null', Accept: 'text/json' } })
    await own.getPackages(undefined, { headers: { authorization: 'Bearer 2' } })
    expect(door.requests[0]?.headers).toMatchObject({ authorization: 'Bearer 2', accept: 'text/json' })
  })
})

describe('browsers of some years ago', () => {
  it('send the query string, and can abort', async () => {
    vi.spyOn(URLSearchParams.prototype, 'size', 'get').mockReturnValue(undefined as unknown as number)
    vi.spyOn(AbortSignal, 'any').mockImplementation(() => {
      throw new TypeError('AbortSignal.any is not a function')
    })
    const { signal } = new AbortController()
    await admin.getBalance({ creditType: 'calling' }, { signal })
    expect(door.requests[0]?.url).toBe('/api/credits/balance?creditType=calling')
  })
})

describe('a call', () => {
  it('that was aborted before it began sends nothing', async () => {
    expect((await refusalOf(admin.getBalances(undefined, { signal: AbortSignal.abort() }))).code).toBe('ABORTED')
    expect(door.requests).toEqual([])
  })

  it('leaves no listener on a signal that lives on', async () => {
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    door.faults.push(answering(503, ''))
    await admin.getBalances(undefined, { signal })
    expect(added).toHaveBeenCalled()
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(added.mock.calls.map(([, listener]) => listener))
  })

  it('keeps no timer after it was aborted between two tries', async () => {
    const abort = new AbortController()
    const cleared = vi.spyOn(globalThis, 'clearTimeout')
    door.faults.push(answering(503, '', { 'retry-after': '4' }))
    const set = vi.spyOn(globalThis, 'setTimeout')
    const call = refusalOf(admin.getBalances(undefined, { signal: abort.signal }))
    const waiting = () => set.mock.results.filter((_, index) => (set.mock.calls[index]?.[1] ?? 0) === 4_000)
    await vi.waitFor(() => expect(waiting()).toHaveLength(1))
    abort.abort()
    expect((await call).code).toBe('ABORTED')
    expect(cleared.mock.calls.map(([timer]) => timer)).toContain(waiting()[0]?.value)
  })

  it.each([Number.POSITIVE_INFINITY, 2 ** 40])('may take as long as it needs: %d', async (timeoutMs) => {
    expect(await connect({ timeoutMs }).getBalance({ creditType: 'calling' })).toBe(0)
  })
})

describe('a server that says when to come back', () => {
  it('by a date is understood', async () => {
    door.faults.push(answering(503, '', { 'retry-after': new Date(Date.now() + 1_000).toUTCString() }))
    expect(await admin.getBalance({ creditType: 'calling' })).toBe(0)
    expect(door.requests).toHaveLength(2)
  })

  it('by a date far away is not waited for', async () => {
    door.faults.push(answering(503, '', { 'retry-after': new Date(Date.now() + 60_000).toUTCString() }))
    expect((await refusalOf(admin.getBalances())).status).toBe(503)
  })

  it('is not asked again after 429 that says nothing about it', async () => {
    door.faults.push(answering(429, ''))
    expect((await refusalOf(admin.getBalances())).status).toBe(429)
  })
})

describe('isRetryable', () => {
  const ofCall = async (call: (client: typeof admin) => Promise<unknown>, status: number) => {
    door.faults.push(answering(status, ''))
    return (await refusalOf(call(connect({ retries: 0 })))).isRetryable
  }
  const withKey = () => ({ ...gift(), idempotencyKey: `retry-${userId}` })

  it('is said of what may succeed later: reads, and writes with a key of one’s own', async () => {
    expect(await ofCall((client) => client.getBalances(), 503)).toBe(true)
    expect(await ofCall((client) => client.addCredits(withKey()), 502)).toBe(true)
    expect(await ofCall((client) => client.getBalances(), 500)).toBe(false)
    expect(await ofCall((client) => client.getBalances(), 401)).toBe(false)
  })

  it('is not said of a write that another call would do again', async () => {
    expect(await ofCall((client) => client.addCredits(gift()), 504)).toBe(false)
    expect(await ofCall((client) => client.updatePackage({ id: 1, name: 'New' }), 504)).toBe(false)
    // Refused before anything was done.
    expect(await ofCall((client) => client.addCredits(gift()), 429)).toBe(true)
  })

  it('is said when there was no answer', async () => {
    const nowhere = connect({ baseUrl: 'http://127.0.0.1:1/api', retries: 0 })
    expect((await refusalOf(nowhere.getBalances())).isRetryable).toBe(true)
    expect((await refusalOf(nowhere.addCredits(gift()))).isRetryable).toBe(false)
    expect((await refusalOf(nowhere.getBalances(undefined, { signal: AbortSignal.abort() }))).isRetryable).toBe(false)
  })
})

describe('a refusal', () => {
  it.each(['{"code":42,"detail":"x"}', '{"code":"E"}', '{"error":"no"}', '[]', '"no"', '7'])(
    'that is no problem of ours is called unexpected: %s',
    async (body) => {
      door.faults.push(answering(400, body))
      const error = await refusalOf(admin.getBalances())
      expect(error).toBeInstanceOf(CreditsClientError)
      expect(error).toMatchObject({ code: 'BAD_RESPONSE', status: 400, problem: null })
    },
  )
})
