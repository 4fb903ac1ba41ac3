import { randomBytes } from 'node:crypto'
import { CreditService } from '../../../src/credit-service.js'
import { ERROR_CODES, InsufficientCreditsError, isCreditError } from '../../../src/errors.js'
import type { CreditStore } from '../../../src/ports/store.js'
import { memoryStore } from '../../memory.js'
import { pgliteStore } from '../../pglite.js'
import { stripePayments } from '../../stripe/index.js'
import { type FakeStripe, fakeStripe } from '../../testing/fake-stripe.js'
import { localApp, WEBHOOK_PATH } from '../dev/local-app.js'
import { localServer } from '../dev/local-server.js'
import type { HostService } from '../host-service.js'

/** A shop that sells credits, its till, and Ada, who shops there. */
export interface Shop {
  origin: string
  credits: HostService
  stripe: FakeStripe
  /** Where the credits are, in words. */
  storeName: string
  userId: string
  /** The checkout that Ada has paid, once she has. */
  sessionId: string
  close(): Promise<void>
}

const userId = 'ada'

export async function openShop(): Promise<Shop> {
  const server = await localServer(0)
  const webhookSecret = `whsec_${randomBytes(24).toString('hex')}`
  const stripe = await fakeStripe({ webhookUrl: `${server.origin}${WEBHOOK_PATH}`, webhookSecret })
  const { store, storeName } = await embeddedStore()
  const credits: HostService = new CreditService<string>({
    creditTypes: ['enrichment', 'calling'],
    store,
    payments: stripePayments({ stripe: stripe.stripe, webhookSecret, appUrl: server.origin }),
    // A refusal that the demo shows is also logged, with all its details.
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  })
  const pack = { key: 'starter', name: 'Starter', creditAmount: 100, price: 999, creditType: 'enrichment' }
  await credits.marketplace.upsertPackage(pack)
  const app = localApp({ credits, origin: server.origin, appName: 'Demo', userId })
  server.serve((request) => (new URL(request.url).pathname === '/api/enrich' ? enrich(credits, request) : app(request)))
  const close = async () => {
    await server.close()
    await Promise.all([stripe.close(), credits.close()])
  }
  return { origin: server.origin, credits, stripe, storeName, userId, sessionId: '', close }
}

/** The embedded Postgres, where it is installed. */
async function embeddedStore(): Promise<{ store: CreditStore; storeName: string }> {
  try {
    await import('@electric-sql/pglite')
  } catch {
    // Nothing is lost: the other store keeps the same promises.
    return { store: memoryStore(), storeName: 'credits in memory' }
  }
  return { store: pgliteStore(), storeName: 'embedded Postgres in memory' }
}

/** The shop's own route: what credits are spent on. */
async function enrich(credits: HostService, request: Request): Promise<Response> {
  // Nobody but the demo calls it.
  const { jobId, leads } = (await request.json()) as { jobId: string; leads: number }
  try {
    const { id, balanceAfter } = await credits.deductCredits({
      ...{ userId, amount: leads, creditType: 'enrichment', description: `Enriched ${leads} leads` },
      // One job is charged once, however often the request is sent.
      idempotencyKey: jobId,
    })
    return Response.json({ transactionId: id, balance: balanceAfter })
  } catch (error) {
    if (!isCreditError(error)) throw error
    const shortfall = error instanceof InsufficientCreditsError ? error.shortfall : null
    const { httpStatus } = ERROR_CODES[error.code]
    return Response.json({ message: error.message, shortfall }, { status: httpStatus })
  }
}
