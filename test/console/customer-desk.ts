import { randomUUID } from 'node:crypto'
import { CreditService } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { stripePayments } from 'creditkit/adapters/stripe'
import { type Caller, type ConsoleOptions, createConsole } from 'creditkit/console'
import { type FakeStripe, fakeStripe } from 'creditkit/testing'

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

export const ORIGIN = 'https://shop.example'
export const ADMIN: Caller = { userId: 'admin-1', isAdmin: true }

export interface CustomerDesk {
  credits: CreditService<'enrichment' | 'calling'>
  stripe: FakeStripe
  /** 100 enrichment credits for 9.99 usd. */
  packageId: number
  /** What the host's `onError` was told, oldest first. */
  errors: { error: unknown; path: string; requestId: string }[]
  newUser(): Caller
  /** `path` lies below the console's base path. */
  get(path: string, caller: Caller | null, headers?: Record<string, string>): Promise<Answer>
  /** A form as a browser sends it. */
  post(
    path: string,
    caller: Caller | null,
    fields: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Answer>
  /** Open a page and send its form to `action` (default: the page's own path) with these fields filled in. */
  fillIn(page: string, caller: Caller, fields: Record<string, string>, action?: string): Promise<Answer>
  /** Buy the package and pay for it. */
  buy(caller: Caller): Promise<string>
  close(): Promise<void>
}

export interface Answer {
  status: number
  headers: Headers
  body: string
}

/** A shop with a local Stripe, and the console on it. `native` of its handler is who calls. */
export async function openCustomerDesk(options: Partial<ConsoleOptions> = {}): Promise<CustomerDesk> {
  const stripe = await fakeStripe({ stripeConfig: { maxNetworkRetries: 0 } })
  const payments = stripePayments({ stripe: stripe.stripe, webhookSecret: stripe.webhookSecret, appUrl: ORIGIN })
  const { id: productId } = await stripe.stripe.products.create({ name: 'Pro' })
  const monthly = { currency: 'usd', unit_amount: 4900, recurring: { interval: 'month' } } as const
  const { id: stripePriceId } = await stripe.stripe.prices.create({ product: productId, ...monthly })
  const plans = {
    pro: { grants: [{ creditType: 'enrichment', amount: 500, every: 'month' }], stripePriceId },
  } as const
  const credits = new CreditService({
    ...{ creditTypes: ['enrichment', 'calling'], store: memoryStore(), payments, logger: quiet, plans },
  })
  stripe.registerEndpoint((request) => credits.handleWebhook(request))
  const pack = { name: 'Starter Pack', creditAmount: 100, price: 999, creditType: 'enrichment' } as const
  const { id: packageId } = await credits.marketplace.createPackage(pack)
  const errors: CustomerDesk['errors'] = []
  const answer = createConsole<string>({
    credits: credits as unknown as CreditService<string>,
    // Hosts have sessions; here the mount says who it is.
    authenticate: (_request, native) => native as Caller | null,
    onError: (error, call) => void errors.push({ error, ...call }),
    ...options,
  })
  const ask = async (path: string, caller: Caller | null, init: RequestInit) => {
    const response = await answer(new Request(`${ORIGIN}/credits${path}`, init), caller)
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
  const get: CustomerDesk['get'] = (path, caller, headers = {}) => ask(path, caller, { headers })
  const post: CustomerDesk['post'] = (path, caller, fields, headers = {}) =>
    ask(path, caller, { method: 'POST', body: new URLSearchParams(fields), headers: { origin: ORIGIN, ...headers } })
  return {
    ...{ credits, stripe, packageId, errors, get, post },
    newUser: () => ({ userId: `user-${randomUUID()}`, isAdmin: false }),
    fillIn: async (page, caller, fields, action = page) => {
      const { body } = await get(page, caller)
      return post(action, caller, { ...hiddenFields(body, action), ...fields })
    },
    buy: async ({ userId }) => {
      const { sessionId } = await credits.marketplace.createCheckout({ userId, packageId })
      await stripe.complete(sessionId)
      return sessionId
    },
    close: async () => {
      await credits.close()
      await stripe.close()
    },
  }
}

/** What a page's form to an address carries unseen: its token, its key, what it is about. */
export function hiddenFields(body: string, action: string): Record<string, string> {
  const path = action.split('?')[0] ?? ''
  const form = body.split('<form ').find((part) => part.includes(`action="/credits${path}"`))
  if (form === undefined) throw new Error(`hiddenFields: the page has no form to ${path}:\n${body}`)
  const inputs = form.matchAll(/<input\s+type="hidden"\s+name="(\w+)"\s+value="([^"]*)"/g)
  return Object.fromEntries(Array.from(inputs, ([, name = '', value = '']) => [name, value]))
}

/** A page's words, without its markup. */
export function words(body: string): string {
  const main = body.slice(body.indexOf('<main'), body.indexOf('</main>'))
  return main.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
}
