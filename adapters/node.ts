import type { ServerResponse } from 'node:http'
import { consoleLogger } from '../src/ports/logger.js'
import type { WebhookReceiver } from '../src/webhook.js'
import { answerNodeRequest, answerWithParsedBody, type FetchHandler, type NodeRequest } from './node-request.js'

export { answerNodeRequest, type FetchHandler, sendResponse, toFetchRequest, type NodeRequest } from './node-request.js'

const FIX = 'Call the handler before anything reads the request stream, or keep the bytes in `request.rawBody`.'

/**
 * The payment provider's webhook for `http.createServer`: `createServer(webhookHandler(credits))`, or call it for the
 * path you registered at the provider. Answers every request itself.
 */
export function webhookHandler(credits: WebhookReceiver): (request: NodeRequest, response: ServerResponse) => void {
  return (request, response) => {
    answerNodeRequest(request, response, (webhook) => credits.handleWebhook(webhook), FIX).catch((error: unknown) =>
      giveUp(response, error, 'webhook failed'),
    )
  }
}

/**
 * `createCreditsApi` or `createConsole` for `http.createServer`: `createServer(apiHandler(api))`, or call it for the paths
 * below its base path. Answers every request itself; `authenticate` finds Node's request as its second argument.
 */
export function apiHandler(api: FetchHandler): (request: NodeRequest, response: ServerResponse) => void {
  return (request, response) => {
    answerWithParsedBody(request, response, api, FIX).catch((error: unknown) =>
      giveUp(response, error, 'a request failed'),
    )
  }
}

function giveUp(response: ServerResponse, error: unknown, message: string): void {
  consoleLogger.error({ err: error }, message)
  if (!response.headersSent) response.writeHead(500, { 'cache-control': 'no-store' })
  response.end()
}
