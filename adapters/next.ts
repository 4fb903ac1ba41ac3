import type { ServerResponse } from 'node:http'
import type { DueReport } from '../src/run-due.js'
import type { WebhookReceiver } from '../src/webhook.js'
import { answerPaidCall, beginFetchCall } from './fetch-answer.js'
import { answerEnding, beginNodeCall } from './node-answer.js'
import {
  answerNodeRequest,
  answerWithParsedBody,
  type FetchHandler,
  type NodeRequest,
  sendResponse,
} from './node-request.js'
import type { CreditHolder, HeldCredits, RequireCreditsOptions } from './require-credits.js'

export type { HeldCredits, RequireCreditsOptions } from './require-credits.js'

const FIX = 'Add `export const config = { api: { bodyParser: false } }` to the API route file.'

/** The payment provider's webhook for an app router's route file: `export const POST = webhookHandler(credits)`. */
export function webhookHandler(credits: WebhookReceiver): (request: Request) => Promise<Response> {
  return (request) => credits.handleWebhook(request)
}

/**
 * The payment provider's webhook for a pages router's API route: `export default pagesWebhookHandler(credits)`, together
 * with `export const config = { api: { bodyParser: false } }` in the same file, since the signature is over raw bytes.
 */
export function pagesWebhookHandler(
  credits: WebhookReceiver,
): (request: NodeRequest, response: ServerResponse) => Promise<void> {
  return (request, response) => answerNodeRequest(request, response, (webhook) => credits.handleWebhook(webhook), FIX)
}

/** What the cron route needs of a service. `CreditService` is one. */
export interface DueRunner {
  runDue(input?: { deadlineMs?: number | undefined }): Promise<DueReport>
}

/** What `cronHandler` takes. Requests without the secret are answered 401. */
export interface CronOptions {
  /**
   * What the caller sends as `Authorization: Bearer …`; Vercel's cron sends its `CRON_SECRET`. Empty or undefined:
   * `cronHandler` throws.
   */
  secret: string | undefined
  /** Begin nothing new after so long, in milliseconds. Default 50 000; keep it below the platform's own limit. */
  deadlineMs?: number | undefined
}

/**
 * A route that a scheduler calls: `export const GET = cronHandler(credits, { secret: process.env.CRON_SECRET })`. Answers
 * 200 with what was done, 401 without the secret.
 *
 * @throws {Error} No secret: a route anybody may call is refused at once.
 */
export function cronHandler(
  credits: DueRunner,
  { secret, deadlineMs }: CronOptions,
): (request: Request) => Promise<Response> {
  if (secret === undefined || secret === '')
    throw new Error('cronHandler: `secret` is empty; set CRON_SECRET, and let your scheduler send it as a bearer token')
  return async (request) => {
    const sent = request.headers.get('authorization') ?? ''
    if (!(await isSameText(sent, `Bearer ${secret}`))) return Response.json({ error: 'UNAUTHORIZED' }, { status: 401 })
    const report = await credits.runDue({ deadlineMs })
    return Response.json(report, { headers: { 'cache-control': 'no-store' } })
  }
}

/**
 * `createCreditsApi` or `createConsole` for an app router's catch-all route, such as `app/api/credits/[...path]/route.ts`:
 * `export const { GET, HEAD, POST, PUT, PATCH, DELETE } = apiHandler(api)`.
 */
export function apiHandler(
  api: FetchHandler,
): Record<'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', (request: Request) => Promise<Response>> {
  const handler = (request: Request) => api(request, request)
  return { GET: handler, HEAD: handler, POST: handler, PUT: handler, PATCH: handler, DELETE: handler }
}

/** The same for a pages router's API route: `export default pagesApiHandler(api)`, in `pages/api/credits/[...path].ts`. */
export function pagesApiHandler(api: FetchHandler): (request: NodeRequest, response: ServerResponse) => Promise<void> {
  return (request, response) => answerWithParsedBody(request, response, api, FIX)
}

/**
 * Asks for credits before an app router's route handler runs: `export const POST = requireCredits(credits, { operation:
 * 'enrichLead', userId: (request) => … }, async (request, held, context) => Response.json(…))`.
 *
 * They are held first, so that of two calls only one can spend the last of them, and charged when the answer has been
 * sent. An answer of 400 or more, and one that breaks off, costs nothing. Somebody who can't pay is answered 402.
 */
export function requireCredits<T extends string, R extends Request = Request, C = unknown>(
  credits: CreditHolder<T>,
  options: RequireCreditsOptions<NoInfer<T>, R>,
  handler: (request: R, held: HeldCredits<T>, context: C) => Response | Promise<Response>,
): (request: R, context: C) => Promise<Response> {
  return async (request, context) => {
    const begun = await beginFetchCall(credits, options, request, request)
    if (begun instanceof Response) return begun
    let response: Response
    try {
      response = await handler(request, begun.held, context)
    } catch (error) {
      await begun.finish(isRedirect(error) ? 'succeeded' : 'failed')
      throw error
    }
    return answerPaidCall(request, response, begun.finish)
  }
}

/** Next's `redirect()` answers by throwing. */
function isRedirect(error: unknown): boolean {
  return error instanceof Error && 'digest' in error && String(error.digest).startsWith('NEXT_REDIRECT;')
}

/**
 * The same for a pages router's API route: `export default pagesRequireCredits(credits, { … }, async (request, response,
 * held) => …)`.
 */
export function pagesRequireCredits<T extends string, R extends NodeRequest, A extends ServerResponse>(
  credits: CreditHolder<T>,
  options: RequireCreditsOptions<NoInfer<T>, R>,
  handler: (request: R, response: A, held: HeldCredits<T>) => unknown,
): (request: R, response: A) => Promise<void> {
  return async (request, response) => {
    const begun = await beginNodeCall(credits, options, request)
    if (begun instanceof Response) return sendResponse(begun, response)
    const finished = answerEnding(request, response).then(begun.finish)
    try {
      await handler(request, response, begun.held)
    } catch (error) {
      await begun.finish('failed')
      throw error
    }
    // One that answers later is followed all the same.
    if (response.writableEnded) await finished
  }
}

/** Compares digests, so that the time it takes tells nothing about the texts. */
async function isSameText(a: string, b: string): Promise<boolean> {
  const digests = await Promise.all(
    [a, b].map((text) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))),
  )
  const [left = '', right = ''] = digests.map((digest) => [...new Uint8Array(digest)].join())
  return left === right
}
