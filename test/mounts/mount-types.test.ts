import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import express from 'express'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import * as expressMount from '../../adapters/express.js'
import * as honoMount from '../../adapters/hono.js'
import * as nextMount from '../../adapters/next.js'
import * as nodeMount from '../../adapters/node.js'
import { openReceiver } from './support.js'

/** Next's own types in their essentials; the real ones are compiled in the Next example. */
interface NextApiRequest extends IncomingMessage {
  query: Partial<Record<string, string | string[]>>
  // As declared by Next.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any
}
type NextApiResponse = ServerResponse & { status(code: number): NextApiResponse }
type NextApiHandler = (request: NextApiRequest, response: NextApiResponse) => unknown
type RouteHandler = (request: Request, context: { params: Promise<object> }) => Promise<Response> | Response

describe('the mounts', () => {
  it("fit their frameworks' types without casts", () => {
    const credits = openReceiver()
    const handler: express.RequestHandler = expressMount.webhookHandler(credits)
    express().post('/webhook', handler).post('/inline', expressMount.webhookHandler(credits))
    const listener: RequestListener = nodeMount.webhookHandler(credits)
    createServer(listener)
    new Hono<{ Variables: { user: string } }>().post('/webhook', honoMount.webhookHandler(credits))
    const pages: NextApiHandler = nextMount.pagesWebhookHandler(credits)
    const POST: RouteHandler = nextMount.webhookHandler(credits)
    expect([typeof pages, typeof POST]).toEqual(['function', 'function'])
  })
})
