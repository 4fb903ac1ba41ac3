import { createServer } from 'node:http'
import { randomUUID } from 'node:crypto'
import { CreditService, type CreditServiceOptions } from 'creditkit'
import { webhookHandler } from 'creditkit/adapters/node'
import { migrate, postgresStore } from 'creditkit/adapters/postgres'
import { stripePayments } from 'creditkit/adapters/stripe'
import { type CompleteOptions, type FakeStripe, fakeStripe, testClock } from 'creditkit/testing'
import { Pool } from 'pg'
import type Stripe from 'stripe'
import { expect } from 'vitest'
import { createTestDatabase } from '../support/postgres.js'

/** In milliseconds. */
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** When a shop opens. In years to come, since Stripe's events are looked for by the real clock, too. */
export const START = new Date('2031-03-10T12:00:00.000Z')
/** Half of the month that begins with `START`. */
export const MIDDLE = new Date('2031-03-26T00:00:00.000Z')
/** When a renewal of what began with `START` has been paid: Stripe makes invoices final an hour after the period's end. */
export const RENEWED = new Date('2031-04-10T13:00:01.000Z')

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** What is sold again and again, in USD cents. */
const PRICES = {
  basic: { cents: 1000, interval: 'month' },
  pro: { cents: 2500, interval: 'month' },
  proYear: { cents: 24_000, interval: 'year' },
  scrapeYear: { cents: 36_000, interval: 'year' },
  saving: { cents: 1200, interval: 'month' },
  team: { cents: 1500, interval: 'month' },
  tried: { cents: 1000, interval: 'month' },
  /** Of another product: no plan has it. */
  other: { cents: 700, interval: 'month' },
} as const

type PriceName = keyof typeof PRICES
type PlanName = Exclude<PriceName, 'other' | 'proYear' | 'scrapeYear'>

/** A subscription and what belongs to it at Stripe. */
export interface Subscribed {
  userId: string
  subscriptionId: string
  itemId: string
  /** Its first invoice. */
  invoiceId: string
  customerId: string
}

interface SubscribeOptions extends CompleteOptions {
  price?: PriceName
  quantity?: number
  trialDays?: number
}

/** A service with paid plans on real PostgreSQL and a local Stripe, which share a clock that stands still. */
export interface SubscribingShop {
  credits: CreditService
  stripe: FakeStripe
  /** The real SDK. */
  api: Stripe
  pool: Pool
  webhookUrl: string
  prices: Record<PriceName, string>
  /** 100 enrichment credits for 9.99 usd. */
  packageId: number
  /** Move the clock on to a moment; everything that becomes due happens, and is heard of. */
  goTo(moment: Date): Promise<void>
  pass(ms: number): Promise<void>
  now(): Date
  /** Wait for webhooks and callbacks under way: of calls to the SDK nobody waits for them. */
  settled(): Promise<void>
  newUser(): string
  /** Buy a plan through Checkout. */
  subscribe(userId: string, plan: PlanName, options?: SubscribeOptions): Promise<Subscribed>
  /** Subscribe with the SDK alone, as a host does that has its own checkout: a customer with a card, and no page. */
  subscribeDirectly(
    prices: PriceName[],
    params?: Partial<Stripe.SubscriptionCreateParams>,
    customer?: Stripe.CustomerCreateParams & { card?: string },
  ): Promise<Subscribed>
  /** Somebody changes the subscription with the SDK. */
  change(subscribed: Subscribed, params: Stripe.SubscriptionUpdateParams): Promise<void>
  /** The user saves a card; a minute passes. */
  saveCard(userId: string, paymentMethod?: string): Promise<void>
  balance(userId: string, creditType?: 'enrichment' | 'scraping'): Promise<number>
  /** The user's transactions, oldest first, as `type amount`. */
  ledger(userId: string, creditType?: 'enrichment' | 'scraping'): Promise<string[]>
  /** What their subscriptions look like, as `status`. */
  statuses(userId: string): Promise<string[]>
  /** The youngest invoice of a subscription. */
  lastInvoice(subscribed: Subscribed): Promise<Stripe.Invoice>
  /** The payment that paid an invoice. */
  paymentOf(invoiceId: string): Promise<string>
  /** Look at everything once more, and shut. */
  close(): Promise<void>
}

export async function openSubscribingShop(options: Partial<CreditServiceOptions> = {}): Promise<SubscribingShop> {
  const database = await createTestDatabase()
  await migrate(database.url)
  const pool = new Pool({ connectionString: database.url, max: 10 })
  const clock = testClock(START)
  const stripe = await fakeStripe({ clock, stripeConfig: { maxNetworkRetries: 0 } })
  const api = stripe.stripe
  const prices = await createPrices(api)
  const payments = stripePayments({
    stripe: api,
    webhookSecret: stripe.webhookSecret,
    appUrl: 'https://shop.example',
  })
  const work: Promise<unknown>[] = []
  const credits = new CreditService({
    store: postgresStore(pool),
    payments,
    clock,
    logger: quiet,
    plans: plansFor(prices),
    waitUntil: (promise) => void work.push(promise),
    ...options,
  })
  const { marketplace } = credits
  const server = createServer(webhookHandler(credits))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('openSubscribingShop: no port')
  const webhookUrl = `http://127.0.0.1:${address.port}/webhooks/stripe`
  stripe.webhookUrl = webhookUrl
  const pack = await marketplace.createPackage({
    name: 'Starter',
    creditAmount: 100,
    price: 999,
    creditType: 'enrichment',
  })

  const settled = async (): Promise<void> => {
    do {
      await stripe.idle()
      for (let next = work.shift(); next !== undefined; next = work.shift()) await next
      await stripe.idle()
    } while (work.length > 0)
  }
  const goTo = async (moment: Date): Promise<void> => {
    clock.advance(moment.getTime() - clock.now().getTime())
    await stripe.tick()
    await settled()
  }
  const describe = async (userId: string, id: string): Promise<Subscribed> => {
    const { items, latest_invoice: invoice, customer } = await api.subscriptions.retrieve(id)
    return {
      userId,
      subscriptionId: id,
      itemId: items.data[0]?.id ?? '',
      invoiceId: idOf(invoice),
      customerId: idOf(customer),
    }
  }
  return {
    credits,
    stripe,
    api,
    pool,
    webhookUrl,
    prices,
    packageId: pack.id,
    goTo,
    pass: (ms) => goTo(new Date(clock.now().getTime() + ms)),
    now: () => clock.now(),
    settled,
    newUser: () => `user-${randomUUID()}`,
    subscribe: async (userId, plan, { price, quantity, trialDays, ...complete } = {}) => {
      const { sessionId } = await marketplace.subscribe({
        userId,
        plan,
        ...(price !== undefined && { stripePriceId: prices[price] }),
        ...(quantity !== undefined && { quantity }),
        ...(trialDays !== undefined && { trialDays }),
      })
      const session = await stripe.complete(sessionId, 'paid', complete)
      await settled()
      return describe(userId, idOf(session.subscription))
    },
    subscribeDirectly: async (names, params = {}, { card = 'pm_card_visa', ...customer } = {}) => {
      const { id } = await api.customers.create(customer)
      const method = await api.paymentMethods.attach(card, { customer: id })
      await api.customers.update(id, { invoice_settings: { default_payment_method: method.id } })
      const items = names.map((name) => ({ price: prices[name] }))
      const subscription = await api.subscriptions.create({ customer: id, items, ...params })
      await settled()
      return describe(subscription.metadata.user_id ?? '', subscription.id)
    },
    change: async ({ subscriptionId }, params) => {
      await api.subscriptions.update(subscriptionId, params)
      await settled()
    },
    saveCard: async (userId, paymentMethod = 'pm_card_visa') => {
      const { sessionId } = await marketplace.createCardSetup({ userId })
      await stripe.complete(sessionId, 'paid', { paymentMethod })
      await settled()
      await goTo(new Date(clock.now().getTime() + 60_000))
    },
    balance: (userId, creditType = 'enrichment') => credits.getBalance(userId, creditType),
    ledger: async (userId, creditType = 'enrichment') => {
      const rows = await credits.getTransactionHistory(userId, creditType, 200)
      return rows.reverse().map(({ transactionType, amount }) => `${transactionType} ${amount}`)
    },
    statuses: async (userId) => (await marketplace.getSubscriptions({ userId })).map(({ status }) => status),
    lastInvoice: async ({ subscriptionId }) => {
      const { latest_invoice: invoice } = await api.subscriptions.retrieve(subscriptionId)
      return api.invoices.retrieve(idOf(invoice))
    },
    paymentOf: async (invoice) => {
      const { data } = await api.invoicePayments.list({ invoice, status: 'paid' })
      return idOf(data[0]?.payment.payment_intent)
    },
    close: async () => {
      try {
        await settled()
        await expectSound({ credits, stripe, pool, now: clock.now() })
      } finally {
        await stripe.close()
        await new Promise((resolve) => server.close(resolve))
        await credits.close()
        await pool.end()
        await database.drop()
      }
    },
  }
}

async function createPrices(api: Stripe): Promise<Record<PriceName, string>> {
  const create = async (name: PriceName): Promise<string> => {
    const { cents, interval } = PRICES[name]
    const terms = { currency: 'usd', unit_amount: cents, recurring: { interval } }
    return (await api.prices.create({ ...terms, product_data: { name } })).id
  }
  return {
    basic: await create('basic'),
    pro: await create('pro'),
    proYear: await create('proYear'),
    scrapeYear: await create('scrapeYear'),
    saving: await create('saving'),
    team: await create('team'),
    tried: await create('tried'),
    other: await create('other'),
  }
}

function plansFor(prices: Record<PriceName, string>): NonNullable<CreditServiceOptions['plans']> {
  const monthly = (amount: number) => ({ creditType: 'enrichment', amount, every: 'month' }) as const
  return {
    basic: { stripePriceId: prices.basic, grants: [monthly(100)] },
    pro: { stripePriceId: [prices.pro, prices.proYear], grants: [monthly(250)] },
    scrape: { stripePriceId: prices.scrapeYear, grants: [{ creditType: 'scraping', amount: 100, every: 'month' }] },
    saving: { stripePriceId: prices.saving, grants: [{ ...monthly(100), rollover: { max: 30 } }] },
    team: {
      stripePriceId: prices.team,
      grants: [monthly(50), { creditType: 'scraping', amount: 7, every: 'month' }],
    },
    tried: { stripePriceId: prices.tried, grants: [{ ...monthly(100), trialAmount: 20 }] },
  }
}

/** The id of a reference that may have been expanded; empty where there is none. */
export function idOf(reference: string | { id: string } | null | undefined): string {
  return typeof reference === 'string' ? reference : (reference?.id ?? '')
}

interface Inside {
  credits: CreditService
  stripe: FakeStripe
  pool: Pool
  now: Date
}

/** The invariants of reference/stripe.md, section 3: the ledger adds up (I1), nothing is granted twice (I2, I3), … */
async function expectSound({ credits, stripe, pool, now }: Inside): Promise<void> {
  stripe.clearFailures()
  await credits.runDue()
  const before = await everything(pool)
  // … every event was answered with 200, also when all of them come once more, which changes nothing (I5), …
  const again = await stripe.deliver({ eventIds: stripe.events.map(({ id }) => id) })
  expect([...new Set([...stripe.deliveries, ...again].map(({ status }) => status))]).toEqual([200])
  expect(await everything(pool)).toEqual(before)
  expect((await credits.verify()).violations).toEqual([])
  const { rows } = await pool.query(
    `select p.id, p.credits, sum(t.amount) as granted from creditkit.credit_purchases p
     join creditkit.credit_grants g on g.purchase_id = p.id
     join creditkit.credit_transactions t on t.grant_id = g.id and t.transaction_type in ('purchase', 'adjustment')
     group by p.id, p.credits having sum(t.amount) > p.credits`,
  )
  expect(rows).toEqual([])
  // … and reconciliation finds nothing to do (I8).
  const kinds = new Set<string>()
  for (const day of new Set([START.getTime(), now.getTime() - DAY, now.getTime()])) {
    const range = { from: new Date(day - HOUR), to: new Date(day + HOUR) }
    const { findings } = await credits.marketplace.reconcile(range)
    for (const { kind } of findings) kinds.add(kind)
  }
  expect([...kinds]).toEqual([])
}

/** All that a repeated event could change, without the times at which something was looked at. */
async function everything(pool: Pool): Promise<object> {
  const tables = {
    credit_transactions: 'user_id, credit_type, seq',
    credit_purchases: 'id',
    credit_grants: 'id',
    credit_schedules: 'id',
    credit_subscriptions: 'id',
    credit_auto_topups: 'user_id',
    credit_customers: 'user_id',
    credit_quarantine: 'id',
  }
  const contents = Object.entries(tables).map(async ([table, order]) => {
    const { rows } = await pool.query<{ row: object }>(
      `select to_jsonb(t) - 'updated_at' as row from creditkit.${table} t order by ${order}`,
    )
    return [table, rows.map(({ row }) => row)] as const
  })
  return Object.fromEntries(await Promise.all(contents))
}
