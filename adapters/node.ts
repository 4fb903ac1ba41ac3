import type { ServerResponse } from 'node:http'
import { consoleLogger } from '../src/ports/logger.js'
import type { WebhookReceiver } from '../src/webhook.js'
import { answerNodeRequest, type NodeRequest } from './node-request.js'

export { answerNodeRequest, sendResponse, toFetchRequest, type NodeRequest } from './node-request.js'

const FIX = 'Call the handler before anything reads the request stream, or keep the bytes in `request.rawBody`.'

/**
 * The payment provider's webhook for `http.createServer`: `createServer(webhookHandler(credits))`, or call it for the
 * path you registered at the provider. Answers every request itself.
 */
export function webhookHandler(credits: WebhookReceiver): (request: NodeRequest, response: ServerResponse) => void {
  return (request, response) => {
    answerNodeRequest(request, response, (webhook) => credits.handleWebhook(webhook), FIX).catch((error: unknown) => {
      consoleLogger.error({ err: error }, 'webhook failed')
      if (!response.headersSent) response.writeHead(500, { 'cache-control': 'no-store' })
      response.end()
    })
  }
}
