import { randomUUID } from 'node:crypto'
import { CreditService, type CreditServiceOptions } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { stripePayments } from 'creditkit/adapters/stripe'
import { type ConsoleOptions, createConsole } from 'creditkit/console'
import { type FakeStripe, fakeStripe } from 'creditkit/testing'
import { Window } from 'happy-dom'
import { ADMIN, quiet } from '../doors/call-samples.js'

export interface Person {
  userId: string
  isAdmin: boolean
}

/** A page as a browser has it, with the forms in it. */
export interface OpenPage {
  status: number
  headers: Headers
  html: string
  /** What stands on it, without markup. */
  text: string
  /** The fields of its form to this path, as they would be sent unchanged. */
  formTo: (path: string) => Record<string, string>
  all: (selector: string) => string[]
  /** Where the links with these words lead. */
  links: (words: string) => string[]
  /** The first of them. */
  link: (words: string) => string
}

export interface AdminDesk {
  credits: CreditService
  stripe: FakeStripe
  calls: string[]
  /** A package of 100 enrichment credits for 9.99 usd. */
  packageId: number
  /** Sells the plan `pro`: 500 scraping credits a month. */
  planPriceId: string
  newUser: (name?: string) => string
  buy: (userId: string, overrides?: Record<string, unknown>) => Promise<string>
  /** Open a page; `path` is below the console's base path. */
  open: (path: string, person?: Person | null) => Promise<OpenPage>
  send: (path: string, fields: Record<string, string>, person?: Person | null) => Promise<OpenPage>
  /** The answer to a form as it arrives. */
  request: (path: string, fields: Record<string, string>) => Promise<Response>
  /** Fill in the form to `action` on a page, and send it. */
  submit: (page: OpenPage, action: string, fields?: Record<string, string>) => Promise<OpenPage>
  /** Follow a redirect after a form. */
  follow: (page: OpenPage) => Promise<OpenPage>
  close: () => Promise<void>
}

const ORIGIN = 'https://myapp.com'
const BASE = '/credits'

export async function openAdminDesk(
  options: Partial<CreditServiceOptions> = {},
  consoleOptions: Partial<ConsoleOptions> = {},
): Promise<AdminDesk> {
  const stripe = await fakeStripe({ stripeConfig: { maxNetworkRetries: 0 } })
  const payments = stripePayments({ stripe: stripe.stripe, webhookSecret: stripe.webhookSecret, appUrl: ORIGIN })
  const product = await stripe.stripe.products.create({ name: 'Pro' })
  const { id: planPriceId } = await stripe.stripe.prices.create({
    ...{ product: product.id, currency: 'usd', unit_amount: 2000, recurring: { interval: 'month' } },
  })
  const plans: CreditServiceOptions['plans'] = {
    free: { grants: [{ creditType: 'calling', amount: 10, every: 'month' }] },
    pro: { stripePriceId: planPriceId, grants: [{ creditType: 'scraping', amount: 500, every: 'month' }] },
  }
  const credits = new CreditService({ store: memoryStore(), payments, logger: quiet, plans, ...options })
  stripe.registerEndpoint((request) => credits.handleWebhook(request))
  const { id: packageId } = await credits.marketplace.createPackage({
    ...{ name: 'Starter Pack', creditAmount: 100, price: 999, creditType: 'enrichment' },
  })
  const calls: string[] = []
  const answer = createConsole<string>({
    // Its credit types are the default ones, which the options of these tests never change.
    credits: credits as unknown as CreditService<string>,
    authenticate: (_request, native) => native as Person | null,
    onAdminCall: ({ procedure }) => void calls.push(procedure),
    ...consoleOptions,
  })
  const ask = async (path: string, init: RequestInit, person: Person | null): Promise<Response> => {
    const url = path.startsWith(BASE) ? path : `${BASE}${path}`
    return answer(new Request(`${ORIGIN}${url}`, init), person)
  }
  const post = (fields: Record<string, string>): RequestInit => ({
    ...{ method: 'POST', body: new URLSearchParams(fields), headers: { origin: ORIGIN } },
  })
  const send: AdminDesk['send'] = async (path, fields, person = ADMIN) => read(await ask(path, post(fields), person))
  const open: AdminDesk['open'] = async (path, person = ADMIN) => read(await ask(path, {}, person))
  return {
    ...{ credits, stripe, calls, packageId, planPriceId, open, send },
    request: (path, fields) => ask(path, post(fields), ADMIN),
    newUser: (name = 'user') => `${name}-${randomUUID()}`,
    buy: async (userId, overrides) => {
      const { sessionId } = await credits.marketplace.createCheckout({ userId, packageId })
      await stripe.complete(sessionId, 'paid', overrides === undefined ? {} : { overrides })
      return sessionId
    },
    submit: (page, action, fields = {}) => send(action, { ...page.formTo(action), ...fields }),
    follow: (page) => open(page.headers.get('location') ?? 'nowhere'),
    close: async () => {
      await credits.close()
      await stripe.close()
    },
  }
}

async function read(response: Response): Promise<OpenPage> {
  const html = await response.text()
  const { document } = new Window()
  // Between cells and blocks people see a space.
  document.write(html.replaceAll(/<(br|\/(t[dh]|d[td]|p|div|li|h\d|a|label|option|button))\b[^>]*>/g, ' $&'))
  const links = (words: string) =>
    [...document.querySelectorAll('a')]
      .filter(({ textContent }) => plain(textContent) === words)
      .map((link) => link.getAttribute('href') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    html,
    text: plain(document.body.textContent),
    all: (selector) => [...document.querySelectorAll(selector)].map(({ textContent }) => plain(textContent)),
    links,
    link: (words) => {
      const [first] = links(words)
      if (first === undefined) throw new Error(`link: the page has no link "${words}": ${html}`)
      return first
    },
    formTo: (path) => {
      const found = document.querySelector(`form[method="post"][action="${BASE}${path}"]`)
      if (found === null) throw new Error(`formTo: the page has no form to ${path}: ${html}`)
      const fields: Record<string, string> = {}
      for (const control of found.querySelectorAll('input, textarea, select')) {
        const name = control.getAttribute('name') ?? ''
        const isBox = control.getAttribute('type') === 'checkbox'
        if (isBox && !control.hasAttribute('checked')) continue
        // Inputs, text areas and lists have a value; happy-dom's union of all elements does not say so.
        const { value } = control as unknown as { value: string }
        // Browsers drop a line break right after the tag.
        fields[name] = control.tagName === 'TEXTAREA' ? value.replace(/^\n/, '') : value
      }
      return fields
    },
  }
}

function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
