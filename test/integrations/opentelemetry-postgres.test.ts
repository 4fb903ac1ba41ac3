import { randomUUID } from 'node:crypto'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate, postgresStore } from '../../adapters/postgres/index.js'
import type { CreditStore } from '../../src/ports/store.js'
import { createTestDatabase, type TestDatabase } from '../support/postgres.js'
import { observed } from './observed.js'

let database: TestDatabase
let store: CreditStore

beforeAll(async () => {
  expect(context.setGlobalContextManager(new AsyncLocalStorageContextManager())).toBe(true)
  database = await createTestDatabase()
  await migrate(database.url)
  store = postgresStore(database.url)
})
afterAll(async () => {
  context.disable()
  await store.close()
  await database.drop()
})

/** What is kept of a counter, by transaction type. */
type Figures = Awaited<ReturnType<ReturnType<typeof observed>['figures']>>
const byType = (figures: Figures): Record<string, unknown> =>
  Object.fromEntries(figures.map(({ value, attributes }) => [String(attributes['creditkit.transaction.type']), value]))
const sum = (figures: Figures) => figures.reduce((total, { value }) => total + Number(value), 0)

describe('telemetry on PostgreSQL', () => {
  it.each([true, false])(
    'keeps each call under its own caller, though one statement decides many (batching: %s)',
    async (batching) => {
      const { credits, tracer, spans } = observed({ store, batching })
      const users = Array.from({ length: 5 }, () => randomUUID())
      for (const userId of users) await credits.addCredits(userId, 100, 'calling', 'Welcome')
      const request = (index: number) =>
        tracer.startActiveSpan(`request ${index}`, async (span) => {
          await credits.deductCredits(users[index % 5] ?? '', 1, 'calling', 'A use')
          // Answers of a batch come in one go: each goes on where its caller was.
          expect(trace.getActiveSpan()).toBe(span)
          await credits.deductCredits(users[index % 5] ?? '', 1, 'calling', 'Another use')
          span.end()
        })
      await Promise.all(Array.from({ length: 60 }, (_, index) => request(index)))
      const requests = spans().filter(({ name }) => name.startsWith('request'))
      const uses = spans().filter(({ name }) => name === 'creditkit.deductCredits')
      expect([requests.length, uses.length]).toEqual([60, 120])
      for (const own of requests) {
        const { spanId, traceId } = own.spanContext()
        const children = uses.filter(({ parentSpanContext }) => parentSpanContext?.spanId === spanId)
        expect(children.map((child) => child.spanContext().traceId)).toEqual([traceId, traceId])
      }
    },
  )

  it('nests the calls of a transaction in it', async () => {
    const { credits, spanOf } = observed({ store })
    const userId = randomUUID()
    await credits.transaction(async ({ credits: inside }) => {
      await inside.addCredits(userId, 5, 'calling', 'Welcome')
    })
    const [outer, inner] = [spanOf('transaction'), spanOf('addCredits')]
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId)
    expect(outer?.attributes['creditkit.outcome']).toBe('ok')
  })

  it('counts credits so that what was granted, less what was spent and removed, is what users own', async () => {
    const { credits, figures } = observed({ store })
    const [ada, bob] = [randomUUID(), randomUUID()]
    const of = { creditType: 'calling', description: 'x' } as const
    await credits.addCredits({ ...of, userId: ada, amount: 100, transactionType: 'purchase', idempotencyKey: 'k' })
    await credits.addCredits({ ...of, userId: ada, amount: 100, transactionType: 'purchase', idempotencyKey: 'k' })
    await credits.addCredits({ ...of, userId: ada, amount: 20 })
    const { id } = await credits.deductCredits({ ...of, userId: ada, amount: 30, idempotencyKey: 'u' })
    await credits.deductCredits({ ...of, userId: ada, amount: 30, idempotencyKey: 'u' })
    await credits.refundCredits({ transactionId: id, amount: 5 })
    await credits.withHold({ ...of, userId: ada, amount: 10 }, ({ setCost }) => setCost(4))
    await credits.adjustCredits({ ...of, userId: ada, amount: -1 })
    await credits.transferCredits({
      fromUserId: ada,
      toUserId: bob,
      amount: 40,
      creditType: 'calling',
      description: 'x',
    })
    const [grant] = await credits.getGrants(bob, 'calling')
    await credits.voidGrant({ grantId: grant?.id ?? '', reason: 'x' })
    await credits.deductMany([
      { ...of, userId: ada, amount: 2 },
      { ...of, userId: ada, amount: 3 },
    ])
    await expect(credits.deductCredits({ ...of, userId: bob, amount: 7 })).rejects.toThrow('Insufficient')
    await expect(credits.adjustCredits({ ...of, userId: bob, amount: -8 })).rejects.toThrow('Insufficient')

    const [granted, spent, removed, refused] = await Promise.all(
      ['granted', 'spent', 'removed', 'refused'].map((name) => figures(`creditkit.credits.${name}`)),
    )
    expect(byType(granted ?? [])).toEqual({ purchase: 100, adjustment: 20, refund: 5, transfer: 40 })
    expect(byType(spent ?? [])).toEqual({ usage: 30 + 4 + 2 + 3 })
    expect(byType(removed ?? [])).toEqual({ adjustment: 1, transfer: 40, void: 40 })
    expect(refused).toEqual([{ value: 7 + 8, attributes: { 'creditkit.credit_type': 'calling' } }])
    const owned = (await credits.getBalance(ada, 'calling')) + (await credits.getBalance(bob, 'calling'))
    expect(sum(granted ?? []) - sum(spent ?? []) - sum(removed ?? [])).toBe(owned)
  })
})
