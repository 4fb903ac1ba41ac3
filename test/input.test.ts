import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../adapters/memory/store.js'
import { migrate, postgresStore } from '../adapters/postgres/index.js'
import { CreditService, type CreditError, isCreditError } from '../src/index.js'
import type { CreditStore } from '../src/ports/store.js'
import * as hostile from './hostile-values.js'
import { createTestDatabase, type TestDatabase } from './support/postgres.js'

/** Says what a message must never hold: SQL, our table names, a connection string. */
const LEAK = /select |insert |update .* set|user_credits|credit_transactions|postgres(ql)?:\/\/|syntax|\$\d|SQLSTATE/i

let database: TestDatabase
const stores: Partial<Record<string, CreditStore>> = { memory: memoryStore() }

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(database.url)
  stores.postgres = postgresStore(database.url)
})
afterAll(async () => {
  await stores.postgres?.close()
  await database.drop()
})

/** A caller without types. */
type Untyped = Record<string, (...args: unknown[]) => Promise<unknown>>

/** Methods that take one object, with a call of each that would succeed. */
const WRITES: Record<string, (userId: string) => Record<string, unknown>> = {
  addCredits: (userId) => ({ userId, amount: 5, creditType: 'calling', description: 'In' }),
  deductCredits: (userId) => ({ userId, amount: 5, creditType: 'calling', description: 'Out' }),
  adjustCredits: (userId) => ({ userId, amount: -5, creditType: 'calling', description: 'Mistake' }),
}

/** A value that is fine for one method only. */
const ALLOWED = new Map<string, (value: unknown) => boolean>([
  // A correction may take.
  ['adjustCredits.amount', (value) => value === -1],
  ['addCredits.metadata', (value) => value === null || value === undefined],
])

describe.each(['memory', 'postgres'])('hostile input on the store %s', (name) => {
  let credits: CreditService
  let methods: Untyped
  let userId: string
  beforeAll(async () => {
    const store = stores[name]
    if (store === undefined) throw new Error(`${name} is not open`)
    credits = new CreditService({ store, cache: null })
    methods = credits as unknown as Untyped
    userId = `user-${randomUUID()}`
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    await credits.deductCredits(userId, 10, 'calling', 'A use')
  })

  /** Refused by one of our errors, told without a leak, and nothing has changed. */
  async function expectRefused(calls: (() => Promise<unknown>)[], codes = ['INVALID_INPUT', 'INVALID_AMOUNT']) {
    const everything = async () => [await credits.verify(), await credits.getTransactionHistory(userId)]
    const before = await everything()
    for (const [index, call] of calls.entries()) {
      const outcome = await call().then(
        (value) => ({ accepted: value }),
        (error: unknown) => error,
      )
      const code = isCreditError(outcome) ? outcome.code : outcome
      expect(codes, `call ${index}: ${String(outcome)}`).toContain(code)
      const { message } = outcome as CreditError
      expect(message.length, `call ${index}`).toBeLessThan(5000)
      expect(message, `call ${index}`).not.toMatch(LEAK)
    }
    expect(await everything()).toEqual(before)
  }

  const change = (field: string, values: readonly unknown[]) =>
    Object.entries(WRITES).flatMap(([method, make]) =>
      values
        .filter((value) => ALLOWED.get(`${method}.${field}`)?.(value) !== true)
        .map((value) => () => call(method, { ...make(userId), [field]: value })),
    )

  async function call(method: string, ...args: unknown[]): Promise<unknown> {
    const found = methods[method]
    if (found === undefined) throw new Error(`no method ${method}`)
    return found.apply(credits, args)
  }

  it('A7 B01 B02: no amount that is no positive whole number is taken for one', async () => {
    await expectRefused(change('amount', hostile.BAD_AMOUNTS))
    const amounts = hostile.BAD_AMOUNTS.filter((value) => value !== undefined)
    const { id } = (await credits.getTransactionHistory(userId))[0] ?? { id: '' }
    await expectRefused(amounts.map((amount) => () => call('refundCredits', { transactionId: id, amount })))
    await expectRefused(hostile.BAD_AMOUNTS.map((required) => () => call('checkBalance', userId, 'calling', required)))
  })

  it("B01 B02: the same in the guide's positional form", async () => {
    const positional = (method: string, amounts: readonly unknown[]) =>
      amounts.map((amount) => () => call(method, userId, amount, 'calling', 'Positional'))
    await expectRefused(positional('addCredits', hostile.BAD_AMOUNTS))
    await expectRefused(positional('deductCredits', hostile.BAD_AMOUNTS))
  })

  it("B04: no user id that could be somebody else's, or that cannot be stored", async () => {
    await expectRefused(change('userId', hostile.BAD_USER_IDS))
    const reads = ['getBalance', 'getAllBalances', 'getTransactionHistory', 'getUsageStats']
    await expectRefused(
      hostile.BAD_USER_IDS.flatMap((bad) => [
        ...reads.map((method) => () => call(method, bad, method === 'getAllBalances' ? undefined : 'calling')),
        () => call('checkBalance', bad, 'calling', 5),
        () => call('listTransactions', { userId: bad }),
        () => call('rebuild', { userId: bad, creditType: 'calling' }),
      ]),
    )
    const given = hostile.BAD_USER_IDS.filter((value) => value !== undefined)
    await expectRefused(given.map((bad) => () => call('verify', { userId: bad })))
  })

  it('B05: no credit type that is not configured', async () => {
    await expectRefused(change('creditType', hostile.BAD_CREDIT_TYPES))
    await expectRefused(
      hostile.BAD_CREDIT_TYPES.flatMap((bad) => [
        () => call('getBalance', userId, bad),
        () => call('checkBalance', userId, bad, 5),
        () => call('getUsageStats', userId, bad),
        () => call('rebuild', { userId, creditType: bad }),
      ]),
    )
    const given = hostile.BAD_CREDIT_TYPES.filter((value) => value !== undefined)
    await expectRefused(given.map((bad) => () => call('getTransactionHistory', userId, bad)))
    await expectRefused(given.map((bad) => () => call('listTransactions', { userId, creditType: bad })))
  })

  it('B06: no metadata that is not plain JSON, and nothing of it is run', async () => {
    await expectRefused(change('metadata', hostile.badMetadata()))
  })

  it('B08 B10 B11: no text that is empty, too long, or that Postgres would change', async () => {
    await expectRefused(change('description', hostile.BAD_DESCRIPTIONS))
    await expectRefused(change('idempotencyKey', [...hostile.BAD_TEXTS, 'creditkit:internal']))
    await expectRefused(change('actor', hostile.BAD_TEXTS))
    for (const field of ['referenceId', 'referenceType']) {
      const calls = hostile.BAD_TEXTS.map((bad) => () => {
        return call('deductCredits', { userId, amount: 1, creditType: 'calling', description: 'Out', [field]: bad })
      })
      await expectRefused(calls)
    }
  })

  it('B12: no page that is not 1 to 200 rows, and no cursor that is not ours', async () => {
    await expectRefused(hostile.BAD_LIMITS.map((bad) => () => call('getTransactionHistory', userId, 'calling', bad)))
    await expectRefused(
      hostile.BAD_OFFSETS.map((bad) => () => call('getTransactionHistory', userId, 'calling', 5, bad)),
    )
    await expectRefused(hostile.BAD_LIMITS.map((limit) => () => call('listTransactions', { userId, limit })))
    await expectRefused(
      hostile.BAD_CURSORS.flatMap((cursor) => [
        () => call('listTransactions', { userId, cursor }),
        () => call('listTransactions', { userId, cursor, creditType: 'calling' }),
      ]),
    )
  })

  it('B13 T08: no moment that is none, and no range that ends before it begins', async () => {
    const add = { userId, amount: 5, creditType: 'calling', description: 'In' }
    const [early, late] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-02-01T00:00:00Z')]
    await expectRefused(
      hostile.BAD_DATES.flatMap((bad) => [
        () => call('addCredits', { ...add, expiresAt: bad }),
        () => call('addCredits', { ...add, effectiveAt: bad }),
        () => call('getUsageStats', userId, 'calling', bad),
        () => call('getUsageStats', userId, 'calling', early, bad),
        () => call('listTransactions', { userId, from: bad }),
        () => call('listTransactions', { userId, to: bad }),
      ]),
    )
    await expectRefused([
      () => call('getUsageStats', userId, 'calling', late, early),
      () => call('listTransactions', { userId, from: late, to: early }),
    ])
  })

  it('B14: no transaction that does not exist, and none of somebody else', async () => {
    const { id } = (await credits.getTransactionHistory(userId))[0] ?? { id: '' }
    const ids = ['', '1e3', '9223372036854775808', randomUUID(), `${id} `, `{${id}}`, `'${id}'`, 'nul\0', '\ud800']
    const calls = ids.map((transactionId) => () => call('refundCredits', { transactionId }))
    calls.push(() => call('refundCredits', { transactionId: id, userId: 'somebody else' }))
    await expectRefused(calls, ['TRANSACTION_NOT_FOUND'])
    await expectRefused(
      [5, null, undefined, {}, [id]].map((bad) => () => call('refundCredits', { transactionId: bad })),
    )
  })

  it('B15: objects may be frozen, without a prototype or of a class; unknown fields are not looked at', async () => {
    const input = { userId, amount: 1, creditType: 'calling', description: 'Object' }
    const strange = [Object.freeze({ ...input }), Object.assign(Object.create(null) as object, input)]
    const before = (await credits.getTransactionHistory(userId, 'calling', 200)).length
    for (const each of strange) await call('addCredits', each)
    await call('addCredits', { ...input, id: 'mine', seq: 99, balanceAfter: 1_000_000, 'x"; drop table y; --': 1 })
    const rows = await credits.getTransactionHistory(userId, 'calling', 200)
    expect(rows.slice(0, rows.length - before).map(({ amount }) => amount)).toEqual([1, 1, 1])
    await expectRefused(
      [null, undefined, 5, 'text', [], [input], () => input].map((bad) => () => call('addCredits', bad)),
    )
  })

  it('B16: no package that cannot be sold', async () => {
    const { marketplace } = credits
    const pack = { name: 'Pack', creditAmount: 10, price: 999, creditType: 'calling' }
    const wrong: Record<string, unknown[]> = {
      price: [0, -1, 0.5, 100_000_000, NaN, '999', null],
      creditAmount: hostile.BAD_AMOUNTS,
      currency: ['', 'us', 'usdd', 'xxx_', 'bitcoin', 5, null],
      creditType: hostile.BAD_CREDIT_TYPES,
      name: hostile.BAD_TEXTS,
      key: ['', ' ', 'x'.repeat(256), 'nul\0'],
      sortOrder: [1.5, 2 ** 31, '1'],
      metadata: hostile.badMetadata(),
      isActive: ['true', 1, null],
    }
    const create = marketplace.createPackage.bind(marketplace) as (input: unknown) => Promise<unknown>
    const packages = await marketplace.getPackages({ includeInactive: true })
    for (const [field, values] of Object.entries(wrong)) {
      await expectRefused(values.map((value) => async () => create({ ...pack, [field]: value })))
    }
    expect(await marketplace.getPackages({ includeInactive: true })).toEqual(packages)
    for (const [currency, price] of [
      ['jpy', 1000],
      ['KWD', 1500],
      ['usd', 99_999_999],
    ] as const) {
      expect(await create({ ...pack, currency, price })).toMatchObject({ currency: currency.toLowerCase(), price })
    }
    const update = marketplace.updatePackage.bind(marketplace) as (input: unknown) => Promise<unknown>
    await expectRefused([0, -1, 1.5, '1', null, 2 ** 31, NaN].map((id) => async () => update({ id, name: 'x' })))
  })

  it('B03: no amount that takes a balance past what can be counted', async () => {
    const rich = `user-${randomUUID()}`
    await credits.addCredits(rich, Number.MAX_SAFE_INTEGER - 1, 'calling', 'Nearly all')
    const add = { userId: rich, creditType: 'calling', description: 'More' }
    await expectRefused(
      [2, 2 ** 31, Number.MAX_SAFE_INTEGER].map((amount) => () => call('addCredits', { ...add, amount })),
    )
    await expectRefused([2, Number.MAX_SAFE_INTEGER].map((amount) => () => call('adjustCredits', { ...add, amount })))
    expect(await credits.getBalance(rich, 'calling')).toBe(Number.MAX_SAFE_INTEGER - 1)
  })
})
