import type { ServerResponse } from 'node:http'
import type { WebhookReceiver } from '../src/webhook.js'
import { answerNodeRequest, type NodeRequest } from './node-request.js'

const FIX =
  "Mount it before express.json(): app.post('/webhook', webhookHandler(credits)) first, app.use(express.json()) after; " +
  'or keep the bytes: express.json({ verify: (req, _res, bytes) => { req.rawBody = bytes } }).'

/**
 * The payment provider's webhook for Express 4 and 5: `app.post('/webhook', webhookHandler(credits))`, mounted before
 * `express.json()`. Also works behind `express.raw()`, and behind parsers that keep `req.rawBody`.
 */
export function webhookHandler(
  credits: WebhookReceiver,
): (request: NodeRequest, response: ServerResponse, next: (error?: unknown) => void) => void {
  return (request, response, next) => {
    answerNodeRequest(request, response, (webhook) => credits.handleWebhook(webhook), FIX).catch(next)
  }
}
