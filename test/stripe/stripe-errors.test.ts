import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import Stripe from 'stripe'
import { afterEach, describe, expect, it } from 'vitest'
import { stripePayments } from '../../adapters/stripe/index.js'
import { isCreditError, type CreditErrorCode } from '../../src/errors.js'
import { checkoutRequest } from './support.js'

type Reply = (request: IncomingMessage, response: ServerResponse, hits: number) => void

let close: () => void = () => undefined
afterEach(() => close())

/** The provider in front of a server that answers as it is told. */
async function open(reply: Reply, stripeOptions: { timeout?: number; maxNetworkRetries?: number } = {}) {
  let hits = 0
  const server = createServer((request, response) => {
    request.resume().on('end', () => reply(request, response, ++hits))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  close = () => {
    server.close()
    server.closeAllConnections()
  }
  // A listening TCP server's address is an object.
  const { port } = server.address() as AddressInfo
  const stripe = new Stripe('sk_test_verysecret', {
    host: '127.0.0.1',
    port,
    protocol: 'http',
    telemetry: false,
    maxNetworkRetries: 0,
    ...stripeOptions,
  })
  const payments = stripePayments({ stripe, webhookSecret: 'whsec_1', appUrl: 'https://app.example' })
  return { payments, hits: () => hits }
}

const json = (status: number, body: object): Reply => {
  return (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
const failure = (status: number, error: object) => json(status, { error })

const REQUEST = checkoutRequest({ purchaseId: '0190b5a4-0000-7000-8000-000000000001' })

async function codeOf(work: Promise<unknown>): Promise<CreditErrorCode> {
  try {
    await work
  } catch (error) {
    if (!isCreditError(error)) throw error
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/verysecret|_secret_/)
    return error.code
  }
  throw new Error('codeOf: it did not fail')
}

describe('a failing Stripe call', () => {
  it.each<[string, Reply, CreditErrorCode]>([
    ['500', failure(500, { type: 'api_error', message: 'sk_test_verysecret pi_1_secret_2' }), 'UNAVAILABLE'],
    ['503', failure(503, { type: 'api_error' }), 'UNAVAILABLE'],
    ['503 with a page', (_, response) => response.writeHead(503).end('<html>'), 'UNAVAILABLE'],
    ['200 with a page', (_, response) => response.writeHead(200).end('<html>'), 'UNAVAILABLE'],
    ['409', failure(409, { type: 'idempotency_error' }), 'UNAVAILABLE'],
    ['a reset', (request) => request.socket.destroy(), 'UNAVAILABLE'],
    ['404 of something else', json(404, { message: 'Not Found' }), 'UNAVAILABLE'],
    ['200 of something else', json(200, { ok: true }), 'UNAVAILABLE'],
    [
      '401',
      failure(401, { type: 'invalid_request_error', message: 'Invalid API Key: sk_test_verysecret' }),
      'PAYMENTS_NOT_CONFIGURED',
    ],
    ['403', failure(403, { type: 'invalid_request_error', message: 'rk_test_verysecret' }), 'PAYMENTS_NOT_CONFIGURED'],
    ['a reused key', failure(400, { type: 'idempotency_error', message: 'Keys for…' }), 'IDEMPOTENCY_CONFLICT'],
    [
      '400',
      failure(400, { type: 'invalid_request_error', code: 'amount_too_small', message: 'At least 50 cents' }),
      'INVALID_INPUT',
    ],
  ])('%s', async (_, reply, code) => {
    const { payments } = await open(reply)
    expect(await codeOf(payments.createCheckout(REQUEST))).toBe(code)
  })

  it('by timeout is unavailable', async () => {
    const { payments } = await open(() => undefined, { timeout: 200 })
    expect(await codeOf(payments.getCheckout('cs_test_1'))).toBe('UNAVAILABLE')
  })

  it('is null where the object does not exist', async () => {
    const { payments } = await open(
      failure(404, { type: 'invalid_request_error', code: 'resource_missing', param: 'id' }),
    )
    expect(await payments.getCheckout('cs_test_1')).toBeNull()
    expect(await payments.findCheckoutByPayment('pi_1')).toBeNull()
    expect(await payments.getPrice('price_1')).toBeNull()
    expect(await codeOf(payments.createCheckout(REQUEST))).toBe('INVALID_INPUT')
  })

  it('is not even made for what can not be an id', async () => {
    const { payments, hits } = await open(failure(500, {}))
    for (const id of ['', 'cs_', 'pi_1', 'cs_1/../x', 'cs_1?a', `cs_${'x'.repeat(300)}`, 'cs_1\u0000']) {
      expect(await payments.getCheckout(id)).toBeNull()
    }
    expect([await payments.findCheckoutByPayment('ch_1'), await payments.getPrice('prod_1'), hits()]).toEqual([
      null,
      null,
      0,
    ])
  })

  it('is tried again while Stripe limits the rate', async () => {
    const busy = failure(429, { type: 'invalid_request_error', code: 'rate_limit' })
    const missing = failure(404, { type: 'invalid_request_error', code: 'resource_missing' })
    const { payments, hits } = await open((request, response, hit) =>
      (hit < 3 ? busy : missing)(request, response, hit),
    )
    expect(await payments.getCheckout('cs_test_1')).toBeNull()
    expect(hits()).toBe(3)
  })

  it('is unavailable when the rate stays limited', async () => {
    const { payments, hits } = await open(failure(429, { type: 'invalid_request_error', code: 'rate_limit' }))
    expect(await codeOf(payments.createCheckout(REQUEST))).toBe('UNAVAILABLE')
    expect(hits()).toBe(4)
  })

  it('is tried again while a twin of it is running', async () => {
    const { payments, hits } = await open((request, response, hit) =>
      (hit < 3
        ? failure(409, { type: 'idempotency_error' })
        : json(200, { id: 'cus_2', object: 'customer', livemode: false }))(request, response, hit),
    )
    expect(await payments.createCustomer({ userId: 'u1', replaces: null })).toEqual({ customerId: 'cus_2' })
    expect(hits()).toBe(3)
  })

  it.each<[string, Reply]>([
    ['404 of something else', json(404, { message: 'Not Found' })],
    ['200 of something else', json(200, { ok: true })],
    ['200 with a page', (_, response) => response.writeHead(200).end('<html>')],
    ['409', failure(409, { type: 'idempotency_error' })],
    ['502', failure(502, { type: 'api_error' })],
  ])('may have taken the payment: %s', async (_, reply) => {
    const customer = {
      id: 'cus_1',
      object: 'customer',
      invoice_settings: { default_payment_method: 'pm_1' },
      livemode: false,
    }
    const { payments } = await open((request, response, hit) =>
      (request.method === 'POST' ? reply : json(200, customer))(request, response, hit),
    )
    const charge = { purchaseId: 'p1', userId: 'u1', customerId: 'cus_1', amountMinor: 999, currency: 'usd' }
    expect(await codeOf(payments.chargeOffSession({ ...charge, description: 'Top-up' }))).toBe('OUTCOME_UNKNOWN')
  })

  it('carries the purchase as the idempotency key on every attempt', async () => {
    const keys: unknown[] = []
    const { payments } = await open(
      (request, response, hit) => {
        keys.push(request.headers['idempotency-key'])
        failure(500, {})(request, response, hit)
      },
      { maxNetworkRetries: 1 },
    )
    await codeOf(payments.createCheckout(REQUEST))
    const key = `creditkit:checkout:${REQUEST.purchaseId}:cus_1`
    expect(keys).toEqual([key, key])
  })
})
