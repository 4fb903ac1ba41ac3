import { describe, expect, it } from 'vitest'
import {
  ERROR_CODES,
  IdempotencyConflictError,
  OutcomeUnknownError,
  PaymentsNotConfiguredError,
  UnavailableError,
  WebhookSignatureInvalidError,
  type CreditError,
} from '../../src/errors.js'
import type { VerifiedEvent } from '../../src/ports/payments.js'
import { handleWebhookRequest } from '../../src/webhook.js'
import { recordingLogger } from './support.js'

const EVENT: VerifiedEvent = {
  eventId: 'evt_1',
  type: 'some.event',
  livemode: false,
  created: 0,
  translate: () => Promise.resolve(null),
}

/** Handles one request with a till that only checks webhooks; `verify` and `process` may throw. */
async function handle(
  request: Request,
  steps: {
    verify?: (body: string) => void
    process?: () => Promise<void>
    maxBytes?: number
    bodyTimeoutMs?: number
  } = {},
) {
  const lines: string[] = []
  const provider = {
    signatureHeader: 'x-signature',
    async verifyWebhook(rawBody: Uint8Array) {
      steps.verify?.(new TextDecoder().decode(rawBody))
      return EVENT
    },
  }
  const response = await handleWebhookRequest(request, {
    provider,
    logger: recordingLogger(lines),
    process: steps.process ?? (() => Promise.resolve()),
    ...(steps.maxBytes === undefined ? {} : { maxBytes: steps.maxBytes }),
    ...(steps.bodyTimeoutMs === undefined ? {} : { bodyTimeoutMs: steps.bodyTimeoutMs }),
  })
  return { response, status: response.status, log: lines.join('\n') }
}

const post = (body: string, headers: Record<string, string> = {}) =>
  new Request('http://localhost/webhook', { method: 'POST', body, headers })

describe('handleWebhookRequest', () => {
  it('answers 2xx only after the work is done', async () => {
    const order: string[] = []
    const { response } = await handle(post('x'), {
      process: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        order.push('committed')
      },
    })
    order.push('answered')
    expect(order).toEqual(['committed', 'answered'])
    expect(await response.json()).toEqual({ received: true })
  })

  it.each<[CreditError, number]>([
    [new WebhookSignatureInvalidError(), 400],
    [new PaymentsNotConfiguredError('Missing: STRIPE_WEBHOOK_SECRET'), 500],
    [new UnavailableError('The database is away'), 503],
    [new OutcomeUnknownError('The commit was not answered'), 503],
    [new IdempotencyConflictError('amount'), 409],
  ])('maps %s to its status', async (error, status) => {
    const { response } = await handle(post('x'), { process: () => Promise.reject(error) })
    expect([response.status, ERROR_CODES[error.code].httpStatus]).toEqual([status, status])
    expect(await response.json()).toEqual({ error: error.code, message: error.message })
  })

  it('answers a bug with a fixed text and tells the logger which event it was', async () => {
    const { response, log } = await handle(post('x'), {
      process: () => Promise.reject(new TypeError('select secret from users')),
    })
    expect(await response.text()).not.toContain('secret')
    expect(log).toContain('evt_1')
    expect(log).toContain('select secret from users')
  })

  it('refuses a body above the limit by its length, and by counting when the length lies', async () => {
    const verified: string[] = []
    const verify = (body: string) => verified.push(body)
    const honest = await handle(post('12345', { 'content-length': '5' }), { maxBytes: 4, verify })
    const lying = await handle(post('12345', { 'content-length': '1' }), { maxBytes: 4, verify })
    const fits = await handle(post('1234', { 'content-length': 'nonsense' }), { maxBytes: 4, verify })
    expect([honest.status, lying.status, fits.status, verified]).toEqual([413, 413, 200, ['1234']])
  })

  it('stops reading a body that is too long', async () => {
    let pulled = 0
    let cancelled = false
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled += 1
        controller.enqueue(new Uint8Array(1000))
      },
      cancel: () => {
        cancelled = true
      },
    })
    // `duplex` is not in the DOM's types.
    const request = new Request('http://localhost/', { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(await handle(request, { maxBytes: 10_000 })).toMatchObject({ status: 413 })
    expect(pulled).toBeLessThan(15)
    expect(cancelled).toBe(true)
  })

  it('answers 408 when the body does not come, and lets go of it', async () => {
    let cancelled = false
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(1)),
      cancel: () => {
        cancelled = true
      },
    })
    // `duplex` is not in the DOM's types.
    const request = new Request('http://localhost/', { method: 'POST', body, duplex: 'half' } as RequestInit)
    const { response, log } = await handle(request, { bodyTimeoutMs: 20 })
    expect(response.status).toBe(408)
    expect(await response.json()).toMatchObject({ error: 'BODY_TOO_SLOW' })
    expect([cancelled, log]).toEqual([true, ''])
  })

  it('answers 503 when the connection breaks within the body', async () => {
    const body = new ReadableStream({ start: (controller) => controller.error(new Error('ECONNRESET')) })
    const request = new Request('http://localhost/', { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(await handle(request)).toMatchObject({ status: 503 })
  })

  it.each([
    ['', 200],
    ['identity', 200],
    [' Identity ', 200],
    ['gzip', 415],
    ['br', 415],
    ['identity, gzip', 415],
  ])('answers content-encoding %j with %d', async (encoding, status) => {
    expect(await handle(post('x', { 'content-encoding': encoding }))).toMatchObject({ status })
  })

  it.each(['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])('answers %s with 405', async (method) => {
    const { response } = await handle(new Request('http://localhost/', { method }))
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
  })

  it('answers 500 when no payment provider is configured', async () => {
    const lines: string[] = []
    const response = await handleWebhookRequest(post('x'), {
      provider: null,
      logger: recordingLogger(lines),
      process: () => Promise.resolve(),
    })
    expect(response.status).toBe(500)
    expect(await response.text()).toContain('PAYMENTS_NOT_CONFIGURED')
    expect(lines.join()).toContain('stripePayments()')
  })

  it('never logs bodies and signatures', async () => {
    for (const error of [new WebhookSignatureInvalidError(), new UnavailableError('away'), new Error('bug')]) {
      const request = post('{"body":"private"}', { 'x-signature': 'v1=private' })
      const { log } = await handle(request, { process: () => Promise.reject(error) })
      expect(log).not.toContain('private')
      expect(log).not.toBe('')
    }
  })
})
