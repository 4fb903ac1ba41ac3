import { setTimeout as pause } from 'node:timers/promises'
import { context, metrics, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/store.js'
import { openTelemetry } from '../../adapters/opentelemetry.js'
import { CreditService, UnavailableError } from '../../src/index.js'
import { observed } from './observed.js'

beforeAll(() => {
  expect(context.setGlobalContextManager(new AsyncLocalStorageContextManager())).toBe(true)
})
afterAll(() => context.disable())

describe('spans', () => {
  it('are made for each call, with names that can be counted and nothing of whose call it is', async () => {
    const { credits, spans } = observed()
    await credits.addCredits('ada', 10, 'calling', 'Welcome, Ada')
    await credits.deductCredits({
      userId: 'ada',
      amount: 3,
      creditType: 'calling',
      description: 'A call to Charles',
      referenceId: 'call-7',
      metadata: { to: '+44 20 7946 0000' },
      idempotencyKey: 'key-7',
    })
    expect(spans().map(({ name, attributes, status }) => ({ name, attributes, status: status.code }))).toEqual([
      {
        name: 'creditkit.addCredits',
        attributes: {
          'creditkit.operation.name': 'addCredits',
          'creditkit.credit_type': 'calling',
          'creditkit.outcome': 'ok',
        },
        status: SpanStatusCode.UNSET,
      },
      {
        name: 'creditkit.deductCredits',
        attributes: {
          'creditkit.operation.name': 'deductCredits',
          'creditkit.credit_type': 'calling',
          'creditkit.outcome': 'ok',
        },
        status: SpanStatusCode.UNSET,
      },
    ])
    const told = JSON.stringify(
      spans().map(({ name, attributes, events, links }) => ({ name, attributes, events, links })),
    )
    for (const secret of ['ada', 'Ada', 'Charles', 'call-7', 'key-7', '7946']) expect(told).not.toContain(secret)
  })

  it('say of a repeat that it was one, and find the credit type in the result where nothing else names it', async () => {
    const { credits, spanOf } = observed()
    await credits.addCredits('ada', 10, 'scraping', 'Welcome')
    const use = { userId: 'ada', amount: 3, creditType: 'scraping', description: 'A use', idempotencyKey: 'k' } as const
    await credits.deductCredits(use)
    const { id } = await credits.deductCredits(use)
    await credits.refundCredits(id)
    expect(spanOf('refundCredits')?.attributes['creditkit.credit_type']).toBe('scraping')
    expect(spanOf('refundCredits')?.attributes['creditkit.replayed']).toBeUndefined()
    const { credits: other, spans } = observed()
    await other.addCredits({ ...use, idempotencyKey: 'a' })
    await other.addCredits({ ...use, idempotencyKey: 'a' })
    expect(spans().map(({ attributes }) => attributes['creditkit.replayed'])).toEqual([undefined, true])
  })

  it('tell a refusal, which is an answer, from a failure, which somebody has to look at', async () => {
    const store = memoryStore()
    const { credits, spans } = observed({ store })
    await expect(credits.deductCredits('ada', 5, 'calling', 'Too much')).rejects.toThrow('Insufficient credits')
    await expect(credits.getBalance('ada', 'no such type' as 'calling')).rejects.toThrow('not configured')
    await expect(
      credits.transaction(() => Promise.reject(new TypeError('of the host, about ada@example.com'))),
    ).rejects.toThrow()
    store.update = () => Promise.reject(new UnavailableError('the database is down'))
    await expect(credits.addCredits('ada', 5, 'calling', 'Welcome')).rejects.toThrow('down')
    expect(
      spans().map(({ attributes, status }) => [attributes['creditkit.outcome'], attributes['error.type'], status.code]),
    ).toEqual([
      ['refused', 'INSUFFICIENT_CREDITS', SpanStatusCode.UNSET],
      ['refused', 'INVALID_INPUT', SpanStatusCode.UNSET],
      ['refused', 'INVALID_INPUT', SpanStatusCode.UNSET],
      ['failed', 'UNAVAILABLE', SpanStatusCode.ERROR],
    ])
    // A credit type that nobody configured came from outside.
    expect(spans()[1]?.attributes['creditkit.credit_type']).toBeUndefined()
  })

  it('fail by the name of an error of the host, never by its message', async () => {
    const { credits, spans, spanOf } = observed()
    await credits.addCredits('ada', 5, 'calling', 'Welcome')
    const work = () => Promise.reject(new TypeError('about ada@example.com'))
    const hold = { userId: 'ada', amount: 5, creditType: 'calling', description: 'A call' } as const
    await expect(credits.withHold(hold, work)).rejects.toThrow('about ada')
    await expect(credits.withHold(hold, () => AbortSignal.abort('just text').throwIfAborted())).rejects.toBe(
      'just text',
    )
    expect(spans().map(({ attributes }) => attributes['error.type'])).toEqual([undefined, 'TypeError', '_OTHER'])
    const span = spanOf('withHold')
    expect(span?.attributes).toMatchObject({ 'creditkit.outcome': 'failed', 'error.type': 'TypeError' })
    expect([span?.status, span?.events]).toEqual([{ code: SpanStatusCode.ERROR }, []])
  })

  it('are children of the host’s, parents of what the host does inside, and gone afterwards', async () => {
    const { credits, tracer, spanOf, spans } = observed()
    await credits.addCredits('ada', 5, 'calling', 'Welcome')
    await tracer.startActiveSpan('request', async (request) => {
      await credits.withHold({ userId: 'ada', amount: 5, creditType: 'calling', description: 'A call' }, async () => {
        await pause(1)
        tracer.startSpan('ring').end()
      })
      expect(trace.getActiveSpan()).toBe(request)
      request.end()
    })
    const [ring, request] = ['ring', 'request'].map((name) => spans().find((span) => span.name === name))
    const held = spanOf('withHold')
    expect(held?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
    expect(ring?.parentSpanContext?.spanId).toBe(held?.spanContext().spanId)
    expect(new Set([ring, held, request].map((span) => span?.spanContext().traceId)).size).toBe(1)
  })

  it('are made for the marketplace, too', async () => {
    const spanAttributes = ({ args }: { args: readonly unknown[] }) => ({ 'app.arguments': args.length })
    const { credits, spanOf } = observed({}, { spanAttributes })
    await credits.marketplace.getPackages()
    expect(spanOf('marketplace.getPackages')?.attributes).toEqual({
      'creditkit.operation.name': 'marketplace.getPackages',
      'creditkit.outcome': 'ok',
      'app.arguments': 0,
    })
    expect(() => credits.marketplace.provider).toThrow('payment')
  })

  it('carry what the host asks for, and no call fails by what it gets wrong', async () => {
    const { credits, spans } = observed(
      {},
      {
        spanAttributes: ({ operation, args: [userId] }) => {
          if (operation === 'getGrants') throw new Error('a mistake of the host')
          return { 'enduser.id': String(userId) }
        },
      },
    )
    await credits.getBalance('ada', 'calling')
    expect(await credits.getGrants('ada')).toEqual([])
    expect(spans().map(({ attributes }) => attributes['enduser.id'])).toEqual(['ada', undefined])
  })

  it('leave a class of the host’s own as it is, and show what it overrides', async () => {
    class OwnCredits extends CreditService {
      override async getBalance(): Promise<number> {
        return 42
      }
      label(): string {
        return 'own'
      }
    }
    const { tracerProvider, spans } = observed()
    const credits = new OwnCredits({ store: memoryStore(), telemetry: openTelemetry({ tracerProvider }) })
    expect([await credits.getBalance(), credits.label()]).toEqual([42, 'own'])
    expect(spans().map(({ name }) => name)).toEqual(['creditkit.getBalance'])
  })
})

describe('by default', () => {
  it('it is told to the SDK that the host registers, also after the service was made', async () => {
    const { tracerProvider, meterProvider, spans, figures } = observed()
    const credits = new CreditService({ store: memoryStore(), telemetry: openTelemetry() })
    try {
      expect(trace.setGlobalTracerProvider(tracerProvider)).toBe(true)
      expect(metrics.setGlobalMeterProvider(meterProvider)).toBe(true)
      await credits.addCredits('ada', 5, 'calling', 'Welcome')
      expect(spans().map(({ name }) => name)).toEqual(['creditkit.addCredits'])
      expect(await figures('creditkit.credits.granted')).toMatchObject([{ value: 5 }])
    } finally {
      trace.disable()
      metrics.disable()
    }
  })

  it('it is told to nobody where there is no SDK, and calls do what they do', async () => {
    const credits = new CreditService({ store: memoryStore(), telemetry: openTelemetry() })
    await credits.addCredits('ada', 5, 'calling', 'Welcome')
    await expect(credits.deductCredits('ada', 9, 'calling', 'Too much')).rejects.toMatchObject({ shortfall: 4 })
    expect(await credits.getBalance('ada', 'calling')).toBe(5)
  })
})

describe('without telemetry', () => {
  it('a service is untouched', () => {
    const credits = new CreditService({ store: memoryStore() })
    expect(Object.keys(Object.getOwnPropertyDescriptors(credits)).sort()).toEqual(['cache', 'marketplace'])
    expect(Object.getOwnPropertyNames(credits.marketplace)).toEqual([])
  })
})

describe('metrics', () => {
  it('count the time of every call in seconds, by operation, credit type and outcome', async () => {
    const { credits, figures } = observed()
    await credits.addCredits('ada', 5, 'calling', 'Welcome')
    for (const amount of [1, 1, 9]) await credits.deductCredits('ada', amount, 'calling', 'A use').catch(() => null)
    const name = 'creditkit.operation.duration'
    const counted = (await figures(name)).map(({ value, attributes }) => [
      attributes,
      Reflect.get(Object(value), 'count') as unknown,
    ])
    const about = (operation: string) => ({ 'creditkit.operation.name': operation, 'creditkit.credit_type': 'calling' })
    expect(counted).toEqual([
      [{ ...about('addCredits'), 'creditkit.outcome': 'ok' }, 1],
      [{ ...about('deductCredits'), 'creditkit.outcome': 'ok' }, 2],
      [{ ...about('deductCredits'), 'creditkit.outcome': 'refused', 'error.type': 'INSUFFICIENT_CREDITS' }, 1],
    ])
    const [{ value } = { value: null }] = await figures(name)
    expect(value).toMatchObject({ buckets: { boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] } })
    expect(Reflect.get(Object(value), 'sum')).toBeLessThan(10)
  })
})
