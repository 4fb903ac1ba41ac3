import type { ServerResponse } from 'node:http'
import type { Request as ExpressRequest } from 'express'
import type { WebhookReceiver } from '../src/webhook.js'
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

/**
 * `createCreditsApi` or `createConsole` for Express 4 and 5: `app.use('/api/credits', apiHandler(api))`, where the path is
 * the door's base path; before or after `express.json()`. `authenticate` finds Express's request as its second argument.
 */
export function apiHandler(
  api: FetchHandler,
): (request: NodeRequest, response: ServerResponse, next: (error?: unknown) => void) => void {
  return (request, response, next) => {
    answerWithParsedBody(request, response, api, FIX).catch(next)
  }
}

/**
 * Asks for credits before a handler runs: `app.post('/enrich', requireCredits(credits, { operation: 'enrichLead', userId:
 * (request) => request.user.id }), handler)`, for Express 4 and 5.
 *
 * They are held first, so that of two calls only one can spend the last of them, and charged when the answer has been
 * sent. An answer of 400 or more, and one that breaks off, costs nothing. Somebody who can't pay is answered 402.
 */
export function requireCredits<T extends string, R extends NodeRequest = ExpressRequest>(
  credits: CreditHolder<T>,
  options: RequireCreditsOptions<NoInfer<T>, R>,
): (request: NodeRequest, response: ServerResponse, next: (error?: unknown) => void) => void {
  return (request, response, next) => {
    // Express's own; were it in the signature, the handlers that follow would forget the parameters of their path.
    beginNodeCall(credits, options, request as R).then((begun) => {
      if (begun instanceof Response) {
        sendResponse(begun, response).catch(next)
        return
      }
      heldOf.set(request, begun.held)
      void answerEnding(request, response).then(begun.finish)
      next()
    }, next)
  }
}

const heldOf = new WeakMap<object, HeldCredits>()

/**
 * What `requireCredits` holds for this request.
 *
 * @throws {Error} The route does not require credits.
 */
export function heldCredits(request: object): HeldCredits {
  const held = heldOf.get(request)
  if (held === undefined) throw new Error('heldCredits: put requireCredits(…) before this handler')
  return held
}
