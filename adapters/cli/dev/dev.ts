import { randomBytes } from 'node:crypto'
import { relative } from 'node:path'
import { isCreditError } from '../../../src/errors.js'
import type { FakeStripe } from '../../testing/fake-stripe.js'
import { isConfirmed } from '../confirm.js'
import { WrongUsage } from '../failure.js'
import { findServiceFile, type HostService, loadEnvironment, loadService } from '../host-service.js'
import type { Terminal } from '../terminal.js'
import { localApp, WEBHOOK_PATH } from './local-app.js'
import { localServer } from './local-server.js'

export interface DevOptions {
  /** 0: a free one. */
  port: number
  /** The host's file; default the one that is found, else sample data. */
  config?: string
  /** Who looks, until they say otherwise. */
  user?: string
  yes?: true
}

/** What runs, until it is closed. */
export interface Development {
  /** `http://127.0.0.1:3080`, the front page. */
  origin: string
  /** Where the local Stripe listens. */
  stripeUrl: string
  /** The file of the service; null: the sample data. */
  file: string | null
  userId: string
  /** Is there a package to buy? */
  isSelling: boolean
  close(): Promise<void>
}

/**
 * A local Stripe and the console, on the host's service or on sample data; for this machine alone. Null: somebody was
 * asked whether payments that are not real may bring credits to a database that is elsewhere, and said no.
 *
 * @throws {WrongUsage} NODE_ENV is production, the port is in use, or the service takes real money.
 */
export async function startDevelopment(terminal: Terminal, options: DevOptions): Promise<Development | null> {
  const { cwd } = terminal
  if (process.env['NODE_ENV'] === 'production')
    throw new WrongUsage('NODE_ENV is production: `creditkit dev` gives credits to whoever asks for them')
  const file = options.config ?? findServiceFile(cwd)
  if (file !== null) {
    loadEnvironment(cwd)
    if (!(await mayWrite(terminal, options.yes))) return null
  }
  const open: (() => Promise<void> | void)[] = []
  const close = async () => {
    for (const end of open.splice(0).reverse()) await end()
  }
  try {
    const server = await localServer(options.port)
    open.push(() => server.close())
    const stripe = await localStripe()
    open.push(() => stripe.close())
    if (file !== null) open.push(lendEnvironment(stripe, server.origin))
    const { credits, ...about } = await serviceOf(terminal, options, file, stripe, server.origin)
    open.push(() => credits.close())
    refuseRealMoney(credits)
    // Also the first use of the store: one that is not there, or has no tables, says so here and not on a page.
    const isSelling = (await credits.marketplace.getPackages()).length > 0
    server.serve(localApp({ ...about, credits, origin: server.origin }))
    // What happened to sample data before is no news.
    stripe.webhookUrl = `${server.origin}${WEBHOOK_PATH}`
    const shownFile = file === null ? null : relative(cwd, file) || file
    return { origin: server.origin, stripeUrl: stripe.url, file: shownFile, userId: about.userId, isSelling, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function serviceOf(
  terminal: Terminal,
  { config, user }: DevOptions,
  file: string | null,
  stripe: FakeStripe,
  origin: string,
): Promise<{ credits: HostService; appName: string; userId: string; creditTypeNames?: Record<string, string> }> {
  if (file !== null)
    return { credits: await loadService(terminal, config), appName: 'Your credits', userId: user ?? 'ada' }
  const { SAMPLE_NAMES, SAMPLE_USER, sampleService } = await import('./sample-service.js')
  const credits = await sampleService(stripe, origin)
  return { credits, appName: 'Northwind Data', userId: user ?? SAMPLE_USER, creditTypeNames: SAMPLE_NAMES }
}

/** The package `stripe` is the host's: loaded where it is needed. Its secret is nobody's to guess. */
async function localStripe(): Promise<FakeStripe> {
  const { fakeStripe } = await import('../../testing/fake-stripe.js')
  return fakeStripe({ webhookSecret: `whsec_${randomBytes(24).toString('hex')}` })
}

/** Let the host's file find the local Stripe where it looks for the real one. Returns how to take it back. */
function lendEnvironment(stripe: FakeStripe, appUrl: string): () => void {
  const lent: Record<string, string> = {
    STRIPE_API_URL: stripe.url,
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_WEBHOOK_SECRET: stripe.webhookSecret,
    // One of the real Stripe's would not go with the key.
    STRIPE_PUBLISHABLE_KEY: '',
    APP_URL: appUrl,
  }
  const before = Object.keys(lent).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, lent)
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = value
    }
  }
}

/** Whose file holds its own key or client has not taken the local one. */
function refuseRealMoney(credits: HostService): void {
  try {
    if (!credits.marketplace.provider.livemode) return
  } catch (error) {
    // It sells nothing, which may be looked at.
    if (isCreditError(error, 'PAYMENTS_NOT_CONFIGURED')) return
    throw error
  }
  throw new WrongUsage(
    'your service takes real money: give stripePayments() no key and no client, so that they come from the environment',
  )
}

const HERE = new Set(['', 'localhost', '127.0.0.1', '[::1]', 'host.docker.internal'])

/** A database that is elsewhere may be everybody's. */
async function mayWrite(terminal: Terminal, yes: true | undefined): Promise<boolean> {
  const url = process.env['DATABASE_URL'] ?? ''
  if (!URL.canParse(url)) return true
  const { hostname } = new URL(url)
  if (HERE.has(hostname)) return true
  return isConfirmed(
    terminal,
    `DATABASE_URL leads to ${hostname}: payments that are not real will bring credits to accounts there.`,
    yes,
  )
}
