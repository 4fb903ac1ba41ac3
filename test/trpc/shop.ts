import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTRPCClient, httpBatchLink, TRPCClientError } from '@trpc/client'
import { initTRPC, type TRPCError } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { CreditService, type CreditStore } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { stripePayments } from 'creditkit/adapters/stripe'
import { type Caller, createAppRouter } from 'creditkit/adapters/trpc'
import { type FakeStripe, fakeStripe } from 'creditkit/testing'

/** What the host of these tests puts into its context: who it says is calling. */
interface Context {
  caller: Caller | null
}

const t = initTRPC.context<Context>().create({ isDev: false })
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const own = { router: t.router, procedure: t.procedure }

/** The guide's app router on a host that trusts its context. */
export function openRouter(credits: CreditService) {
  return createAppRouter({ ...own, credits, authenticate: (ctx) => ctx.caller })
}

/** The same on a host that forgot to say who is calling. */
function openRouterWithoutAuthenticate(credits: CreditService): ReturnType<typeof openRouter> {
  return createAppRouter({ ...own, credits })
}

export type ShopRouter = ReturnType<typeof openRouter>
export type ShopClient = ReturnType<typeof connect>

export interface Shop {
  credits: CreditService
  stripe: FakeStripe
  /** A package on sale, and one that is not. */
  packageId: number
  inactivePackageId: number
  /** What the host's `onError` was told, oldest first. */
  errors: TRPCError[]
  /** A client of the tRPC server, signed in as somebody, as nobody, or on the host without `authenticate`. */
  client(caller: Caller | null | 'unconfigured'): ShopClient
  newUser(): Caller
  close(): Promise<void>
}

/** Credits that are sold through a local Stripe, behind two real tRPC servers, with and without `authenticate`. */
export async function openShop(store: CreditStore = memoryStore()): Promise<Shop> {
  const stripe = await fakeStripe({ delivery: 'hold', stripeConfig: { maxNetworkRetries: 0 } })
  const payments = stripePayments({
    stripe: stripe.stripe,
    webhookSecret: stripe.webhookSecret,
    appUrl: 'https://myapp.com',
  })
  const credits = new CreditService({ store, payments, logger: quiet })
  const errors: TRPCError[] = []
  const configured = await serve(openRouter(credits), errors)
  const unconfigured = await serve(openRouterWithoutAuthenticate(credits), errors)
  const pack = { name: 'Starter Pack', creditAmount: 100, price: 999, creditType: 'enrichment' } as const
  const { id: packageId } = await credits.marketplace.createPackage(pack)
  const { id: inactivePackageId } = await credits.marketplace.createPackage({ ...pack, isActive: false })
  return {
    credits,
    stripe,
    packageId,
    inactivePackageId,
    errors,
    client: (caller) =>
      caller === 'unconfigured' ? connect(unconfigured.url, ADMIN) : connect(configured.url, caller),
    newUser: () => ({ userId: `user-${randomUUID()}`, isAdmin: false }),
    close: async () => {
      await Promise.all([configured.close(), unconfigured.close(), stripe.close()])
      await credits.close()
    },
  }
}

export const ADMIN: Caller = { userId: 'admin-1', isAdmin: true }

/** Hosts have sessions; here a header says who it is, which nobody should copy. */
export function contextOf({ headers }: IncomingMessage): Context {
  const { caller } = headers
  return { caller: typeof caller === 'string' ? (JSON.parse(caller) as Caller | null) : null }
}

async function serve(router: ShopRouter, errors: TRPCError[]): Promise<{ url: string; close(): Promise<void> }> {
  const server = createHTTPServer({
    router,
    createContext: ({ req }) => contextOf(req),
    onError: ({ error }) => errors.push(error),
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  // A listening TCP server's address is an object.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

export function connect(url: string, caller: Caller | null) {
  const headers: Record<string, string> = caller === null ? {} : { caller: JSON.stringify(caller) }
  return createTRPCClient<ShopRouter>({ links: [httpBatchLink({ url, headers })] })
}

/** What a refused call tells the client: `code: message`. Throws when it was not refused. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof TRPCClientError)) throw new Error('refusal: the call was not refused by the server')
  const { data, message } = error as TRPCClientError<ShopRouter>
  return `${data?.code ?? ''}: ${message}`
}
