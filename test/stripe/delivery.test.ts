import express from 'express'
import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { webhookHandler } from '../../adapters/express.js'
import { UnavailableError } from '../../src/errors.js'
import type { PaymentEvent } from '../../src/ports/payments.js'
import { handleWebhookRequest } from '../../src/webhook.js'
import { listen, recordingLogger, type Listening } from '../mounts/support.js'
import { openTill, type TestTill } from './support.js'

let till: TestTill | undefined
let server: Listening | undefined
afterEach(async () => {
  await till?.fake.close()
  await server?.close()
})

describe('Stripe delivering to a mounted webhook', () => {
  it('is answered 200 when the work is done, and delivers again when it was not', async () => {
    const opened = (till = await openTill())
    const seen: PaymentEvent[] = []
    let isDown = true
    const credits = {
      handleWebhook: (request: Request) =>
        handleWebhookRequest(request, {
          provider: opened.payments,
          logger: recordingLogger([]),
          process: async (event) => {
            const meaning = await event.translate()
            if (meaning?.kind !== 'checkout') return
            if (isDown) throw new UnavailableError('The database is away')
            seen.push(meaning)
          },
        }),
    }
    server = await listen(createServer(express().post('/webhook', webhookHandler(credits)).use(express.json())))
    opened.fake.registerEndpoint(server.url)

    const { sessionId } = await opened.sell()
    await opened.fake.complete(sessionId)
    const first = await opened.fake.deliver()
    expect(first.filter(({ status }) => status === 503).map(({ type }) => type)).toEqual(['checkout.session.completed'])
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([200, 503]))

    isDown = false
    const { id } = opened.event('checkout.session.completed')
    const again = await opened.fake.deliver({ eventIds: [id], copies: 2, concurrently: true })
    expect(again.map(({ status }) => status)).toEqual([200, 200])
    expect(seen).toMatchObject([{ checkout: { sessionId, state: 'paid' } }, { checkout: { sessionId, state: 'paid' } }])
    const old = await opened.fake.deliver({ eventIds: [id], timestamp: 1_700_000_000 })
    expect(old.map(({ status }) => status)).toEqual([400])
  })
})
