import type { IncomingMessage, ServerResponse } from 'node:http'
import express, { type Request as ExpressRequest } from 'express'
import { Hono, type Context } from 'hono'
import { describe, expect, expectTypeOf, it } from 'vitest'
import * as expressMount from '../../adapters/express.js'
import { memoryStore } from '../../adapters/memory/store.js'
import * as honoMount from '../../adapters/hono.js'
import * as nextMount from '../../adapters/next.js'
import { CreditService, type CreditHold } from '../../src/index.js'

/** As a host's own authentication adds it. */
interface SignedIn {
  user: { id: string }
}

/** Next's own request in its essentials; the real one is compiled in the Next example. */
interface NextRequest extends Request {
  readonly nextUrl: URL
}
interface NextApiRequest extends IncomingMessage {
  query: Partial<Record<string, string | string[]>>
}
type NextApiResponse = ServerResponse & { status(code: number): NextApiResponse }
type NextApiHandler = (request: NextApiRequest, response: NextApiResponse) => unknown
type RouteHandler = (request: NextRequest, context: { params: Promise<{ id: string }> }) => Promise<Response> | Response

type Kinds = 'calling' | 'scraping'
const credits = new CreditService<Kinds>({ creditTypes: ['calling', 'scraping'], store: memoryStore(), cache: null })
const price = { creditType: 'calling', amount: 1 } as const

describe('requireCredits', () => {
  it("fits Express's types without casts", () => {
    const app = express().post(
      '/leads/:id',
      expressMount.requireCredits(credits, {
        ...price,
        userId: (request) => request.get('x-user') ?? request.params.id?.toString(),
      }),
      (request, response) => {
        expectTypeOf(request.params.id).toEqualTypeOf<string>()
        expressMount.heldCredits(request).setCost(1)
        response.json({})
      },
    )
    const userId = (request: ExpressRequest & Partial<SignedIn>) => request.user?.id
    app.post('/named', expressMount.requireCredits(credits, { ...price, userId }), (_, response) => response.json({}))
    const handler: express.RequestHandler = expressMount.requireCredits(credits, { ...price, userId: () => null })
    app.use(handler)
    expect(typeof app).toBe('function')
  })

  it("fits Hono's types without casts, and keeps the variables and the path's parameters of the host", () => {
    interface HostEnv {
      Variables: { userId: string }
    }
    const app = new Hono<HostEnv>()
      .post(
        '/leads/:id',
        honoMount.requireCredits(credits, { ...price, userId: (c: Context<HostEnv>) => c.get('userId') }),
        (c) => {
          expectTypeOf(c.get('userId')).toEqualTypeOf<string>()
          expectTypeOf(c.get('heldCredits').hold).toEqualTypeOf<CreditHold<Kinds> | null>()
          expectTypeOf(c.req.param('id')).toEqualTypeOf<string>()
          return c.json({ id: 1 })
        },
      )
      .post('/other', honoMount.requireCredits(credits, { ...price, userId: (c) => String(c.get('userId')) }), (c) => {
        expectTypeOf(c.get('userId')).toEqualTypeOf<string>()
        c.get('heldCredits').setCost(1)
        return c.text('')
      })
    expect(app.routes.length).toBeGreaterThan(1)
  })

  it("fits Next's types without casts", () => {
    const POST: RouteHandler = nextMount.requireCredits(
      credits,
      { ...price, userId: (request: NextRequest) => request.nextUrl.username },
      async (request: NextRequest, held, context: { params: Promise<{ id: string }> }) => {
        expectTypeOf(held.hold).toEqualTypeOf<CreditHold<Kinds> | null>()
        return Response.json({ id: (await context.params).id, path: request.nextUrl.pathname })
      },
    )
    const PUT: RouteHandler = nextMount.requireCredits(
      credits,
      { ...price, userId: (request) => request.headers.get('x-user') },
      async (request, { setCost }, { params }: { params: Promise<{ id: string }> }) => {
        setCost(1)
        return Response.json({ url: request.url, id: (await params).id })
      },
    )
    const pages: NextApiHandler = nextMount.pagesRequireCredits(
      credits,
      { ...price, userId: (request: NextApiRequest) => String(request.query.user) },
      (request: NextApiRequest, response: NextApiResponse) => response.status(200).end(request.query.user),
    )
    expect([typeof POST, typeof PUT, typeof pages]).toEqual(['function', 'function', 'function'])
  })

  it('asks for a credit type where there are several, and for a price', () => {
    const userId = () => 'u'
    // @ts-expect-error There are two credit types.
    expressMount.requireCredits(credits, { amount: 1, userId })
    // @ts-expect-error There is no such credit type.
    expressMount.requireCredits(credits, { amount: 1, creditType: 'gold', userId })
    // @ts-expect-error There is no price.
    expressMount.requireCredits(credits, { userId })
    const single = new CreditService({ creditTypes: ['tokens'], store: memoryStore(), cache: null })
    expect(typeof expressMount.requireCredits(single, { amount: 1, userId })).toBe('function')
  })
})
