import type { Context, Env, MiddlewareHandler } from 'hono'
import { WebhookBodyParsedError } from '../src/errors.js'
import type { WebhookReceiver } from '../src/webhook.js'
import { answerPaidCall, beginFetchCall } from './fetch-answer.js'
import type { FetchHandler } from './node-request.js'
import type { CreditHolder, HeldCredits, RequireCreditsOptions } from './require-credits.js'

export type { HeldCredits, RequireCreditsOptions } from './require-credits.js'

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

/**
 * `createCreditsApi` or `createConsole` for Hono: `app.all('/api/credits/*', apiHandler(api))`. `authenticate` finds Hono's
 * context as its second argument. Works also after a middleware read the body through `c.req`.
 */
export function apiHandler(api: FetchHandler): (context: HonoContext) => Promise<Response> {
  return async (context) => api(context.req.raw.bodyUsed ? remembered(context.req) : context.req.raw, context)
}

/**
 * Asks for credits before a handler runs: `app.post('/enrich', requireCredits(credits, { operation: 'enrichLead', userId:
 * (c) => c.get('userId') }), handler)`. The handler finds them as `c.get('heldCredits')`.
 *
 * They are held first, so that of two calls only one can spend the last of them, and charged when the answer has been
 * sent. An answer of 400 or more, and one that breaks off, costs nothing. Somebody who can't pay is answered 402.
 */
// As in Hono's own types: of a context that the host does not name, variables are any.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function requireCredits<T extends string, E extends Env = any>(
  credits: CreditHolder<T>,
  options: RequireCreditsOptions<NoInfer<T>, Context<E>>,
): MiddlewareHandler<HeldEnv<T>> {
  return async (context, next) => {
    const request = context.req.raw
    // Its variables are the host's, too.
    const begun = await beginFetchCall(credits, options, context as Context, request)
    if (begun instanceof Response) return begun
    context.set('heldCredits', begun.held)
    try {
      await next()
    } catch (error) {
      await begun.finish('failed')
      throw error
    }
    // Hono has answered what a handler threw, maybe with a status that does not say so.
    if (context.error !== undefined) await begun.finish('failed')
    context.res = await answerPaidCall(request, context.res, begun.finish)
    return undefined
  }
}

interface HeldEnv<T extends string> {
  Variables: { heldCredits: HeldCredits<T> }
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
