import type { ServerResponse } from 'node:http'
import type { DueReport } from '../src/run-due.js'
import type { WebhookReceiver } from '../src/webhook.js'
import { answerNodeRequest, type NodeRequest } from './node-request.js'

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

export interface CronOptions {
  /** What the caller sends as `Authorization: Bearer …`; Vercel's cron sends its `CRON_SECRET`. */
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

/** Compares digests, so that the time it takes tells nothing about the texts. */
async function isSameText(a: string, b: string): Promise<boolean> {
  const digests = await Promise.all(
    [a, b].map((text) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))),
  )
  const [left = '', right = ''] = digests.map((digest) => [...new Uint8Array(digest)].join())
  return left === right
}
