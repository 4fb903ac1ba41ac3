import { CreditService, type CreditServiceOptions, isCreditError } from 'creditkit'
import { createCreditsApi } from 'creditkit/api'
import { createConsole } from 'creditkit/console'
import { memoryCache, memoryStore } from 'creditkit/adapters/memory'
import { postgresStore } from 'creditkit/adapters/postgres'
import { redisCache, type RedisClient } from 'creditkit/adapters/redis'
import { describe, expect, it } from 'vitest'
import { requireCredits } from '../../adapters/next.js'
import { quiet } from '../doors/call-samples.js'
import * as hostile from '../hostile-values.js'

/* What hosts write without types: an option that can't be meant is named at once, not by what goes wrong much later. */

const NO_OBJECT = [null, 5, 'text', true, () => 1]
const NO_FUNCTION = [null, 5, 'text', {}, []]
const NO_TIME = [NaN, 0, -1, Infinity, '10', null, {}]
const operation = (changes: object) => ({ work: { creditType: 'calling', cost: 1, ...changes } })
const plan = (changes: object) => ({
  free: { grants: [{ creditType: 'calling', amount: 1, every: 'month' }], ...changes },
})
const granting = (changes: object) =>
  plan({ grants: [{ creditType: 'calling', amount: 1, every: 'month', ...changes }] })
const limit = (changes: object) => ({ calling: [{ max: 1, per: 'day', ...changes }] })

/** Values that an option of `CreditService` must refuse. */
const OPTIONS: Record<keyof CreditServiceOptions, readonly unknown[]> = {
  creditTypes: [
    ...[null, 'calling', 5, [], [5], [null], [''], ['a b'], ['legacy'], ['x'.repeat(65)], ['nul\0'], [Symbol('x')]],
  ],
  store: [...NO_OBJECT, {}, [], new Map()],
  cache: [5, 'text', true, {}, []],
  payments: [...NO_OBJECT, {}],
  clawbackPolicy: ['', 'Debt', 'none', null, 5, {}],
  refundPolicy: ['', 'Expire', 'none', null, 5, {}],
  operations: [
    ...[null, 5, 'text', [], { '': {} }, { 'nul\0': {} }, { ['x'.repeat(256)]: {} }, { a: null }, { a: 5 }],
    ...[NaN, -1, Infinity, '5', null, {}, { unit: '', credits: 1 }, { unit: 'a', credits: -1 }].map((cost) =>
      operation({ cost }),
    ),
    ...[operation({ cost: { unit: 'a', credits: 1, per: 0 } }), operation({ creditType: 'constructor' })],
    ...[operation({ round: 'off' }), operation({ version: 'nul\0' }), operation({ version: NaN })],
    ...hostile.BAD_DESCRIPTIONS.filter((text) => text !== undefined).map((description) => operation({ description })),
    operation({ unknown: 1 }),
  ],
  plans: [
    ...[null, 5, 'text', [], { '': {} }, { '\ud800': {} }, { a: null }, plan({ grants: [] }), plan({ grants: {} })],
    ...[...hostile.BAD_AMOUNTS].filter((amount) => amount !== undefined).map((amount) => granting({ amount })),
    ...[granting({ every: 'century' }), granting({ creditType: '__proto__' }), granting({ rollover: { max: 0 } })],
    ...[granting({ source: 'x' }), granting({ trialAmount: -1 }), granting({ priority: 0.5 }), plan({ upgrade: 'x' })],
    ...[plan({ graceSeconds: -1 }), plan({ stripePriceId: '' }), plan({ stripePriceId: [] }), plan({ unknown: 1 })],
  ],
  limits: [
    ...[null, 5, 'text', [], { unknown: [] }, { calling: {} }, { calling: [5] }, { constructor: [] }],
    ...[0, -1, 0.5, NaN, '1', null].map((max) => limit({ max })),
    ...[limit({ per: 'x' }), limit({ of: 'x' }), limit({ unknown: 1 })],
  ],
  lowBalance: [5, '10%', true, [-1], ['10'], ['101%'], [NaN], { unknown: [1] }, { calling: 5 }],
  expiringSoonSeconds: [NaN, Infinity, 0, -1, 0.5, '10', null, {}],
  on: [...NO_OBJECT, { unknown: () => 1 }, { added: 5 }, { added: null }],
  waitUntil: NO_FUNCTION,
  clock: [...NO_OBJECT, {}, { now: new Date() }],
  batching: ['false', 0, 1, null, {}],
  logger: [...NO_OBJECT, {}, { error: () => 1 }],
  telemetry: [...NO_OBJECT, {}, { call: () => 1 }],
}

describe('an option of CreditService', () => {
  it.each(Object.entries(OPTIONS))('%s that can not be meant is refused by name', (name, values) => {
    for (const [index, value] of values.entries()) {
      const make = () => new CreditService({ store: memoryStore(), [name]: value })
      expect(errorOf(make), `${index}`).toMatchObject({ code: 'INVALID_INPUT' })
      expect((errorOf(make) as Error).message).toMatch(new RegExp(`${name}|creditType`))
    }
  })

  it('is refused also when there are no options at all', () => {
    for (const options of [null, 5, 'text', []])
      expect(errorOf(() => new CreditService(options as never))).toMatchObject({ code: 'INVALID_INPUT' })
  })

  it('may carry any name that every object has', async () => {
    const creditTypes = ['constructor', '__proto__', 'toString'] as const
    const operations = Object.fromEntries(creditTypes.map((creditType) => [creditType, { creditType, cost: 1 }]))
    const credits = new CreditService({ store: memoryStore(), cache: null, logger: quiet, creditTypes, operations })
    for (const creditType of creditTypes) {
      await credits.addCredits({ userId: '__proto__', amount: 3, creditType, description: 'In' })
      await credits.spend({ userId: '__proto__', operation: creditType })
    }
    const balances = Object.entries(await credits.getAllBalances('__proto__'))
    expect(balances.map(([name, { balance }]) => [name, balance])).toEqual(creditTypes.map((name) => [name, 2]))
    expect((await credits.verify()).violations).toEqual([])
    await credits.close()
  })
})

describe('an option of', () => {
  it.each([
    ['memoryCache', 'ttlSeconds', NO_TIME],
    ['memoryCache', 'maxEntries', [...NO_TIME, 1.5]],
    ['redisCache', 'ttlSeconds', NO_TIME],
    ['redisCache', 'timeoutMs', NO_TIME],
    ['redisCache', 'keyPrefix', [5, null, {}, 'x'.repeat(256)]],
  ] as const)('%s, %s, that can not be meant is refused by name', (adapter, name, values) => {
    // Never asked: the options are looked at first.
    const client = { get: () => Promise.resolve(null) } as unknown as RedisClient
    const open = adapter === 'memoryCache' ? memoryCache : (options: object) => redisCache(client, options)
    for (const value of values) {
      const error = errorOf(() => open({ [name]: value }))
      expect(error).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: name }] })
    }
  })

  it('the doors, a limit that is none, is refused by name', () => {
    const credits = new CreditService({ store: memoryStore() })
    for (const value of [NaN, 0, -1, Infinity, 1e12]) {
      expect(() => createCreditsApi(credits, { bodyTimeoutMs: value })).toThrow('createCreditsApi: bodyTimeoutMs')
      expect(() => createConsole({ credits, authenticate: () => null, bodyTimeoutMs: value })).toThrow('bodyTimeoutMs')
    }
    for (const value of [NaN, 0, -1, 0.5])
      expect(() => createCreditsApi(credits, { maxBodyBytes: value })).toThrow('maxBodyBytes')
  })

  it('the console, an address that browsers read as another host’s, is refused by name', () => {
    const credits = new CreditService({ store: memoryStore() })
    const urls = [
      '/\t/evil.example',
      '/\n/evil.example',
      '/\\evil.example',
      '//evil.example',
      'javascript:x()',
      'evil',
      '',
    ]
    for (const name of ['homeUrl', 'signInUrl'])
      for (const url of urls)
        expect(() => createConsole({ credits, authenticate: () => null, [name]: url })).toThrow(name)
  })

  it('postgresStore, a schema that is no name, is refused before anything is asked', () => {
    for (const schema of ['', 'nul\0', 'x'.repeat(64), '界'.repeat(22)])
      expect(() => postgresStore('postgres://localhost/none', { schema })).toThrow('Not a usable SQL name')
    for (const db of [5, {}, [], () => 1, 'mysql://localhost/x', ''])
      expect(errorOf(() => postgresStore(db))).toMatchObject({ code: 'STORE_NOT_CONFIGURED' })
  })
})

describe("what requireCredits is told by the host's functions", () => {
  async function answer(options: object, path = '/work', headers: Record<string, string> = {}) {
    const credits = new CreditService({ store: memoryStore(), cache: null, logger: quiet })
    const userId = 'ann'
    await credits.addCredits({ userId, amount: 5, creditType: 'calling', description: 'Gift' })
    const price = { amount: 1, creditType: 'calling', userId: () => userId, ...options } as const
    const handler = requireCredits(credits, price, () => new Response('done'))
    const response = await handler(new Request(`http://localhost${path}`, { method: 'POST', headers }), null)
    await response.text()
    const left = (await credits.getAllBalances(userId)).calling
    await credits.close()
    return { status: response.status, link: response.headers.get('link'), left }
  }

  it('is refused where it can not be meant, and nothing is held', async () => {
    const userIds = hostile.BAD_USER_IDS.filter((id) => id !== null && id !== undefined)
    const wrong: [string, readonly unknown[]][] = [
      ['userId', userIds],
      ['amount', hostile.BAD_AMOUNTS.filter((amount) => amount !== 0)],
      ['details', [{ description: 'nul\0' }, { metadata: { a: 1n } }, { actor: '' }, { referenceId: 5 }]],
    ]
    for (const [name, values] of wrong) {
      for (const value of values) {
        const { status, left } = await answer({ [name]: () => value })
        expect([name, String(value), status]).toEqual([name, String(value), 400])
        expect(left).toMatchObject({ balance: 5, held: 0 })
      }
    }
  })

  it('may be a long path, a key of any length and an address of any letters', async () => {
    const long = `/${'x'.repeat(5000)}`
    expect(await answer({}, long, { 'idempotency-key': 'k'.repeat(5000) })).toMatchObject({
      status: 200,
      left: { balance: 4 },
    })
    const buyUrl = () => 'https://app.example/kaufen?für="a"\r\nset-cookie: a=b>\ud800'
    const { status, link } = await answer({ amount: 50, buyUrl })
    expect(status).toBe(402)
    expect(link).toMatch(/^<[\x21-\x7e]+>; rel="payment"$/)
    expect(link?.match(/>/g)).toHaveLength(1)
  })
})

function errorOf(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    // A named error, which says what it is about.
    return isCreditError(error) ? error : String(error)
  }
}
