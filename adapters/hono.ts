import { WebhookBodyParsedError } from '../src/errors.js'
import type { WebhookReceiver } from '../src/webhook.js'

/** The part of Hono's context that is needed; `bodyCache` is what Hono remembers of a body that was read. */
interface HonoContext {
  req: { raw: Request; bodyCache: object; arrayBuffer(): Promise<ArrayBuffer> }
}

const FIX = 'Read it with c.req.json(), c.req.text() or c.req.arrayBuffer(), which keep it, or mount the webhook first.'

/**
 * The payment provider's webhook for Hono: `app.post('/webhook', webhookHandler(credits))`. Works also after a
 * middleware read the body through `c.req`, which remembers it.
 */
export function webhookHandler(credits: WebhookReceiver): (context: HonoContext) => Promise<Response> {
  return async ({ req }) => credits.handleWebhook(req.raw.bodyUsed ? remembered(req) : req.raw)
}

/** The same request again, with the body that Hono remembers; reading it fails when Hono has none, or not its bytes. */
function remembered(req: HonoContext['req']): Request {
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      try {
        if (!keepsBytes(req.bodyCache)) throw new TypeError('parsed')
        controller.enqueue(new Uint8Array(await req.arrayBuffer()))
        controller.close()
      } catch {
        // Nothing is lost: what could be read is gone, and this is how the caller learns it.
        controller.error(new WebhookBodyParsedError(FIX))
      }
    },
  })
  const { url, method, headers, signal } = req.raw
  // `duplex` is required for a streamed body; the DOM's types do not know it.
  return new Request(url, { method, headers, signal, body, duplex: 'half' } as RequestInit)
}

/** Hono before 4.8 remembers parsed JSON, and would serialise it again. */
function keepsBytes(bodyCache: object): boolean {
  return 'text' in bodyCache || 'arrayBuffer' in bodyCache || 'blob' in bodyCache
}
