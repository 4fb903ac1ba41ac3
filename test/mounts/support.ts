import { createHmac } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { createAdaptorServer } from '@hono/node-server'
import { stripePayments } from '../../adapters/stripe/index.js'
import type { Logger } from '../../src/ports/logger.js'
import type { VerifiedEvent } from '../../src/ports/payments.js'
import { handleWebhookRequest, type WebhookReceiver } from '../../src/webhook.js'

export const SECRET = 'whsec_mounts'

export interface TestReceiver extends WebhookReceiver {
  /** Ids of the events that were processed. */
  readonly processed: string[]
  /** Everything that was logged, as text. */
  log(): string
}

/** A receiver with the real signature check; what a `CreditService` is to a mount. */
export function openReceiver(process: (event: VerifiedEvent) => Promise<void> = () => Promise.resolve()): TestReceiver {
  const provider = stripePayments({ secretKey: 'sk_test_1', webhookSecret: SECRET, appUrl: 'https://app.example' })
  const processed: string[] = []
  const lines: string[] = []
  return {
    processed,
    log: () => lines.join('\n'),
    handleWebhook: (request) =>
      handleWebhookRequest(request, {
        provider,
        logger: recordingLogger(lines),
        process: async (event) => {
          await process(event)
          processed.push(event.eventId)
        },
      }),
  }
}

export function recordingLogger(lines: string[]): Logger {
  const record = (level: string) => (details: object, message: string) => {
    const shown = JSON.stringify(details, (_, value: unknown) => (value instanceof Error ? inspect(value) : value))
    lines.push(`${level} ${message} ${shown}`)
  }
  return { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') }
}

/** An event as Stripe would send it, with characters of one to four bytes; `padding` is added to reach a size. */
export function eventPayload(id: string, padding = ''): string {
  const object = { id: 'cus_1', object: 'customer', name: 'Zoë – 東京 – 🧾', description: padding }
  const event = { id, object: 'event', type: 'customer.updated', livemode: false, created: 1_790_000_000 }
  return JSON.stringify({ ...event, data: { object } }, null, 2)
}

/** The `Stripe-Signature` header for exactly these bytes. */
export function sign(
  payload: string | Uint8Array,
  { secret = SECRET, ageSeconds = 0 }: { secret?: string; ageSeconds?: number } = {},
): string {
  const time = Math.floor(Date.now() / 1000) - ageSeconds
  const digest = createHmac('sha256', secret).update(`${time}.`).update(payload).digest('hex')
  return `t=${time},v1=${digest}`
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** Send over a real socket. A generator is sent chunked; bodies and header values go out as they are. */
export function send(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array | Iterable<Uint8Array> },
): Promise<Answer> {
  const { method = 'POST', headers = {}, body = '' } = options
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { method, headers: { 'content-type': 'application/json', ...headers } })
    outgoing.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
      })
    })
    if (typeof body === 'string' || body instanceof Uint8Array) {
      outgoing.end(body)
      return
    }
    const chunks = body[Symbol.iterator]()
    const writeMore = () => {
      for (;;) {
        const next = chunks.next()
        if (next.done) {
          outgoing.end()
          return
        }
        if (!outgoing.write(next.value)) {
          outgoing.once('drain', writeMore)
          return
        }
      }
    }
    writeMore()
  })
}

/** A server that listens on a port of its own, with the URL of its webhook. */
export interface Listening {
  url: string
  close(): Promise<void>
}

/** A real server for a Fetch handler, as Hono and Next run one. */
export function fetchServer(handler: (request: Request) => Response | Promise<Response>): Server {
  const server = createAdaptorServer({ fetch: handler })
  if (!('closeAllConnections' in server)) throw new Error('fetchServer: not an HTTP/1 server')
  return server
}

export function listen(server: Server): Promise<Listening> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      // A listening TCP server's address is an object.
      const { port } = server.address() as AddressInfo
      resolve({ url: `http://127.0.0.1:${port}/webhook`, close: () => closed(server) })
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
