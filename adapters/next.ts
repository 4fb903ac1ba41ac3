import type { ServerResponse } from 'node:http'
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
