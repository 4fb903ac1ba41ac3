import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { CreditService, InvalidAmountError, InvalidInputError } from '../../src/index.js'
import { unitCost, wholeCredits } from '../../src/ledger/price.js'
import type { Operation, OperationParams } from '../../src/operations.js'
import { expectSound } from '../conformance/credit-store/bench.js'
import { onEveryStore } from './stage.js'

type Operations = { [name: string]: Operation<'calling' | 'scraping' | 'enrichment'> }

const OPERATIONS: Operations = {
  call: { creditType: 'calling', cost: 3 },
  chat: { creditType: 'enrichment', cost: { unit: 'tokens', credits: 2, per: 1000 }, version: '2026-03' },
  transcribe: {
    creditType: 'calling',
    cost: ({ minutes, hd }: OperationParams) => 1.1 * Number(minutes) * (hd === true ? 2 : 1),
    version: 7,
    description: 'Transcription',
  },
  preview: { creditType: 'calling', cost: 0 },
}

onEveryStore('a priced operation', (open) => {
  it('of a fixed price takes it from its credit type, and keeps what it was for', async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: OPERATIONS })
    await credits.addCredits(userId, 10, 'calling', 'Welcome')
    const use = await credits.spend({ userId, operation: 'call', params: { to: '+1', tags: ['a', null] } })
    expect(use).toMatchObject({
      transactionType: 'usage',
      creditType: 'calling',
      amount: -3,
      balanceAfter: 7,
      description: 'call',
      replayed: false,
      operation: { name: 'call', params: { to: '+1', tags: ['a', null] }, priceVersion: '1' },
    })
    expect((await credits.getTransactionHistory(userId))[0]).toEqual(use)
    await expectSound(credits, userId)
  })

  it('of a price per unit counts the units of its params, and rounds up', async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: OPERATIONS })
    await credits.addCredits(userId, 100, 'enrichment', 'Welcome')
    const amounts = []
    for (const tokens of [1500, 1501, 1, 500.5])
      amounts.push((await credits.spend({ userId, operation: 'chat', params: { tokens } })).amount)
    expect(amounts).toEqual([-3, -4, -1, -2])
  })

  it('of a computed price is charged by its params, under its own description and version', async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: OPERATIONS })
    await credits.addCredits(userId, 100, 'calling', 'Welcome')
    const plain = await credits.spend({ userId, operation: 'transcribe', params: { minutes: 10 } })
    const hd = await credits.spend({ userId, operation: 'transcribe', params: { minutes: 10, hd: true } })
    expect(plain).toMatchObject({ amount: -11, description: 'Transcription', operation: { priceVersion: '7' } })
    expect(hd).toMatchObject({ amount: -22, operation: { params: { minutes: 10, hd: true } } })
  })

  it("keeps the caller's description, reference, metadata and actor", async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: OPERATIONS })
    await credits.addCredits(userId, 10, 'calling', 'Welcome')
    const about = {
      description: 'Call to Bob',
      referenceId: 'call-1',
      referenceType: 'call',
      metadata: { a: 1 },
      actor: 'bot',
    }
    expect(await credits.spend({ userId, operation: 'call', ...about })).toMatchObject(about)
  })

  it('repeated with its key after the price has changed returns the first use', async () => {
    const { userId, credits: reader, ...stage } = open()
    const call = { userId, operation: 'call', params: { to: '+1' }, idempotencyKey: 'job-1' }
    const before = stage.service({ operations: OPERATIONS })
    await before.addCredits(userId, 10, 'calling', 'Welcome')
    const first = await before.spend(call)
    const dearer = stage.service({ operations: { call: { creditType: 'calling', cost: 9, version: '2' } } })
    expect(await dearer.spend(call)).toEqual({ ...first, replayed: true })
    expect(await reader.getBalance(userId, 'calling')).toBe(7)
  })

  it('repeated with its key after it became free returns the first use', async () => {
    const { userId, ...stage } = open()
    const call = { userId, operation: 'call', idempotencyKey: 'job-1' }
    const before = stage.service({ operations: OPERATIONS })
    await before.addCredits(userId, 10, 'calling', 'Welcome')
    const first = await before.spend(call)
    const free = stage.service({ operations: { call: { creditType: 'calling', cost: 0 } } })
    expect(await free.spend(call)).toEqual({ ...first, replayed: true })
  })

  it('repeated with its key but other params, or for another operation, is a conflict', async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: { ...OPERATIONS, message: { creditType: 'calling', cost: 3 } } })
    await credits.addCredits(userId, 10, 'calling', 'Welcome')
    const call = { userId, operation: 'call', params: { to: '+1' }, idempotencyKey: 'job-1' }
    await credits.spend(call)
    const conflict = { code: 'IDEMPOTENCY_CONFLICT' }
    await expect(credits.spend({ ...call, params: { to: '+2' } })).rejects.toMatchObject({
      ...conflict,
      field: 'params',
    })
    await expect(credits.spend({ ...call, operation: 'message' })).rejects.toMatchObject({
      ...conflict,
      field: 'pricedOperation',
    })
    expect(await credits.getBalance(userId, 'calling')).toBe(7)
  })

  it('that the balance does not cover is refused with the numbers, and burns no key', async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: OPERATIONS })
    await credits.addCredits(userId, 2, 'calling', 'Too little')
    const call = { userId, operation: 'call', idempotencyKey: 'job-1' }
    await expect(credits.spend(call)).rejects.toMatchObject({
      code: 'INSUFFICIENT_CREDITS',
      message: 'Insufficient credits. Required: 3, Available: 2',
      shortfall: 1,
    })
    await credits.addCredits(userId, 1, 'calling', 'The rest')
    expect(await credits.spend(call)).toMatchObject({ amount: -3, replayed: false })
  })

  it('is quoted without a user as its price alone', async () => {
    const credits = open().service({ operations: OPERATIONS })
    const asked = { operation: 'chat', params: { tokens: 2100 } }
    expect(await credits.quote(asked)).toEqual({
      operation: 'chat',
      creditType: 'enrichment',
      amount: 5,
      priceVersion: '2026-03',
    })
  })

  it('is quoted for a user with what they have and what it would leave, and takes nothing', async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: OPERATIONS })
    await credits.addCredits(userId, 4, 'calling', 'Welcome')
    const price = { operation: 'call', creditType: 'calling', amount: 3, priceVersion: '1' }
    const affordable = { ...price, balance: 4, affordable: true, shortfall: 0, after: 1 }
    expect(await credits.quote({ userId, operation: 'call' })).toEqual(affordable)
    await credits.holdCredits({ userId, amount: 2, creditType: 'calling', description: 'Work' })
    const tooDear = { ...price, balance: 2, affordable: false, shortfall: 1, after: -1 }
    expect(await credits.quote({ userId, operation: 'call' })).toEqual(tooDear)
    expect(await credits.getTransactionHistory(userId)).toHaveLength(1)
  })

  it('is quoted for a user nobody has heard of, and a free one is affordable to anybody', async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: OPERATIONS })
    expect(await credits.quote({ userId, operation: 'call' })).toMatchObject({
      balance: 0,
      affordable: false,
      shortfall: 3,
    })
    expect(await credits.quote({ userId, operation: 'preview' })).toMatchObject({
      amount: 0,
      affordable: true,
      after: 0,
    })
    expect(await credits.verify({ userId })).toEqual({ accounts: 0, violations: [] })
  })

  it('is read back with its version by explain', async () => {
    const { userId, ...stage } = open()
    const credits = stage.service({ operations: OPERATIONS })
    await credits.addCredits(userId, 10, 'enrichment', 'Welcome')
    const { id } = await credits.spend({ userId, operation: 'chat', params: { tokens: 10 } })
    const { transaction } = await credits.explain(id)
    expect(transaction.operation).toEqual({ name: 'chat', params: { tokens: 10 }, priceVersion: '2026-03' })
  })
})

describe('an operation that cannot be priced', () => {
  const userId = 'ann'
  async function shop(operations: Operations): Promise<CreditService> {
    const credits = new CreditService({ store: memoryStore(), operations })
    for (const creditType of ['calling', 'enrichment'] as const)
      await credits.addCredits(userId, 10, creditType, 'Welcome')
    return credits
  }
  async function expectNothingSpent(credits: CreditService): Promise<void> {
    expect(await credits.getTransactionHistory(userId)).toHaveLength(2)
  }

  it('is unknown: the error names those there are', async () => {
    const credits = await shop(OPERATIONS)
    const message = '"calll" is not configured; known: call, chat, transcribe, preview'
    for (const ask of [
      () => credits.spend({ userId, operation: 'calll' }),
      () => credits.quote({ operation: 'calll' }),
    ])
      await expect(ask()).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: 'operation', message }] })
    for (const name of ['toString', '__proto__', 'constructor'])
      await expect(credits.spend({ userId, operation: name })).rejects.toBeInstanceOf(InvalidInputError)
    await expectNothingSpent(credits)
  })

  it.each([
    ['missing', {}],
    ['a text', { tokens: '100' }],
    ['negative', { tokens: -1 }],
    ['nothing', { tokens: null }],
  ])('counts units that are %s', async (_, params) => {
    const credits = await shop(OPERATIONS)
    const issues = [{ path: 'params.tokens', message: 'must be a number, not negative' }]
    await expect(credits.spend({ userId, operation: 'chat', params })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      issues,
    })
    await expect(credits.quote({ operation: 'chat', params })).rejects.toMatchObject({ code: 'INVALID_INPUT', issues })
    await expectNothingSpent(credits)
  })

  it.each([
    ['not a number', { tokens: NaN }],
    ['endless', { tokens: Infinity }],
    ['a date', { tokens: 1, at: new Date() }],
    ['a function', { tokens: 1, run: () => 1 }],
    ['a big integer', { tokens: 1n }],
    ['more than 16 kB', { tokens: 1, text: 'x'.repeat(17_000) }],
    ['text with NUL', { tokens: 1, text: 'a\0b' }],
  ])('has params that are no plain JSON: %s', async (_, params) => {
    const credits = await shop(OPERATIONS)
    await expect(credits.spend({ userId, operation: 'chat', params })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await expectNothingSpent(credits)
  })

  it.each([
    ['negative', -0.5],
    ['no number', NaN],
    ['endless', Infinity],
    ['too large to count', 2 ** 53],
    ['a text', '5'],
    ['a promise', Promise.resolve(5)],
    ['undefined', undefined],
  ])('costs what is no number of credits: %s', async (_, cost) => {
    const credits = await shop({ odd: { creditType: 'calling', cost: vi.fn().mockReturnValue(cost) } })
    for (const ask of [() => credits.spend({ userId, operation: 'odd' }), () => credits.quote({ operation: 'odd' })]) {
      const asking = ask()
      await expect(asking).rejects.toBeInstanceOf(InvalidAmountError)
      await expect(asking).rejects.toThrow('The cost of operation "odd"')
    }
    await expectNothingSpent(credits)
  })

  it('costs nothing here: spending refuses it by name, and a quote says 0', async () => {
    const credits = await shop(OPERATIONS)
    await expect(credits.spend({ userId, operation: 'preview' })).rejects.toThrow(
      'Operation "preview" costs 0 credits here: there is nothing to spend',
    )
    const none = { operation: 'transcribe', params: { minutes: 0 } }
    await expect(credits.spend({ userId, ...none })).rejects.toBeInstanceOf(InvalidAmountError)
    expect(await credits.quote(none)).toMatchObject({ amount: 0 })
    await expectNothingSpent(credits)
  })

  it("fails in the host's own function: its error comes out unchanged", async () => {
    const broken = new RangeError('no such model')
    const credits = await shop({
      broken: {
        creditType: 'calling',
        cost: () => {
          throw broken
        },
      },
    })
    await expect(credits.spend({ userId, operation: 'broken' })).rejects.toBe(broken)
    await expectNothingSpent(credits)
  })

  const wrong: Record<string, unknown> = {
    'a negative price': { creditType: 'calling', cost: -1 },
    'no price': { creditType: 'calling' },
    'a price that is no number': { creditType: 'calling', cost: NaN },
    'a text for a price': { creditType: 'calling', cost: '5' },
    'units without a name': { creditType: 'calling', cost: { unit: '', credits: 1 } },
    'a price per 0 units': { creditType: 'calling', cost: { unit: 'tokens', credits: 1, per: 0 } },
    'an unknown rounding': { creditType: 'calling', cost: 1, round: 'half-even' },
    'an empty version': { creditType: 'calling', cost: 1, version: '' },
    'a field nobody knows': { creditType: 'calling', cost: 1, prize: 2 },
    'an unknown credit type': { creditType: 'gold', cost: 1 },
  }
  it.each(Object.keys(wrong))('is configured with %s: the service is not made', (name) => {
    const operations = { odd: wrong[name] }
    const make = () => Reflect.construct(CreditService, [{ store: memoryStore(), operations }]) as unknown
    expect(make).toThrow(InvalidInputError)
  })
})

describe('a cost in whole credits', () => {
  it('is rounded as the operation says', () => {
    const all = (cost: number) => [
      wholeCredits(cost, 'up', ''),
      wholeCredits(cost, 'nearest', ''),
      wholeCredits(cost, 'down', ''),
    ]
    expect(all(2.4)).toEqual([3, 2, 2])
    expect(all(2.5)).toEqual([3, 3, 2])
    expect(all(2)).toEqual([2, 2, 2])
    expect(all(0.0001)).toEqual([1, 0, 0])
    expect(all(0)).toEqual([0, 0, 0])
  })

  it('does not count what floating point adds or loses: 1.1 × 100 costs 110, not 111', () => {
    expect(1.1 * 100).toBeGreaterThan(110)
    expect(wholeCredits(1.1 * 100, 'up', '')).toBe(110)
    expect(wholeCredits(1.1 * 10, 'up', '')).toBe(11)
    expect((0.1 + 0.7) * 10).toBeLessThan(8)
    expect(wholeCredits((0.1 + 0.7) * 10, 'down', '')).toBe(8)
    expect(1.005 * 1000).toBeLessThan(1005)
    expect(wholeCredits(1.005 * 1000, 'down', '')).toBe(1005)
  })

  it('is what exact arithmetic gives, for any price in hundredths and any number of units', () => {
    const price = fc.record({
      hundredths: fc.integer({ min: 0, max: 10_000 }),
      per: fc.constantFrom(1, 10, 100, 1000),
      units: fc.integer({ min: 0, max: 1_000_000 }),
    })
    fc.assert(
      fc.property(price, ({ hundredths, per, units }) => {
        const cost = unitCost({ credits: hundredths / 100, per }, units)
        const [parts, whole] = [hundredths * units, 100 * per]
        const down = (parts - (parts % whole)) / whole
        const rest = parts % whole
        expect(wholeCredits(cost, 'down', '')).toBe(down)
        expect(wholeCredits(cost, 'up', '')).toBe(rest === 0 ? down : down + 1)
        expect(wholeCredits(cost, 'nearest', '')).toBe(2 * rest >= whole ? down + 1 : down)
      }),
      { numRuns: 1000 },
    )
  })
})
