import type Stripe from 'stripe'
import { isCreditError } from '../../../src/errors.js'
import type { PaymentProvider } from '../../../src/ports/payments.js'
import type { SqlExecutor } from '../../postgres/sql-database.js'
import { quoteIdentifier } from '../../postgres/sql-tables.js'
import { inHostDatabase } from '../host-column.js'
import type { HostService } from '../host-service.js'
import { count } from '../output.js'
import { type Check, failed, type Finding, look, messageOf, ok, skipped, warning } from './check.js'

/** Is there a till, does Stripe accept its key, is all in one mode, and does Stripe tell us all we need to know? */
export async function checkPayments(credits: HostService, environment: NodeJS.ProcessEnv): Promise<Check[]> {
  const provider = providerOf(credits)
  if (provider === null)
    return ['payments', 'webhook'].map((name) => ({
      name,
      ...skipped('the service has no `payments`, so it sells nothing'),
    }))
  const till = await look('payments', () => checkTill(credits, provider, environment))
  if (provider.name !== 'stripe') return [till]
  return [till, await look('webhook', () => checkWebhook(provider, environment))]
}

function providerOf(credits: HostService): PaymentProvider | null {
  try {
    return credits.marketplace.provider
  } catch (error) {
    if (isCreditError(error, 'PAYMENTS_NOT_CONFIGURED')) return null
    throw error
  }
}

async function checkTill(
  credits: HostService,
  provider: PaymentProvider,
  environment: NodeJS.ProcessEnv,
): Promise<Finding> {
  try {
    // Any price will do: it is not there, and Stripe says so only to keys that it accepts.
    await provider.getPrice('price_creditkitdoctor')
  } catch (error) {
    const isRefused = isCreditError(error, 'PAYMENTS_NOT_CONFIGURED')
    const next = isRefused
      ? 'copy the key anew: Stripe Dashboard → Developers → API keys'
      : 'try again; if it stays so: can this machine reach api.stripe.com, and what does status.stripe.com say?'
    return failed(messageOf(error), next)
  }
  const mode = modeOf(provider.livemode)
  const message = `${provider.name} accepts the key, in ${mode} mode`
  const others = await purchasesOfOtherMode(credits, provider.livemode)
  if (others > 0)
    return warning(
      `${message}; the database holds ${count(others, 'purchase')} of ${modeOf(!provider.livemode)} mode`,
      `use one database per mode: Stripe's events about those purchases are ignored with this key`,
    )
  const isProduction = environment['NODE_ENV'] === 'production'
  if (isProduction && !provider.livemode)
    return warning(`${message}, and NODE_ENV is production`, 'use the live key (sk_live_… or rk_live_…) to take money')
  if (!isProduction && provider.livemode)
    return warning(`${message}, and NODE_ENV is not production`, 'use a test key (sk_test_…) while you develop')
  return ok(message)
}

function modeOf(livemode: boolean): 'live' | 'test' {
  return livemode ? 'live' : 'test'
}

/** 0 also where the tables can't be found: they are looked for by our own name. */
async function purchasesOfOtherMode(credits: HostService, livemode: boolean): Promise<number> {
  try {
    return await inHostDatabase(credits, async (sql: SqlExecutor) => {
      const schemas = await sql.query(
        `select n.nspname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where c.relname = 'credit_purchases' and c.relkind in ('r', 'p')`,
        [],
      )
      const [schema] = schemas
      if (schema === undefined || schemas.length > 1) return 0
      const [found] = await sql.query(
        `select count(*)::text as others from ${quoteIdentifier(String(schema['name']))}.credit_purchases
          where livemode <> $1::text::boolean`,
        [String(livemode)],
      )
      return Number(found?.['others'])
    })
  } catch {
    // No SQL database, none that answers, or none we may read: the checks of the database have said so.
    return 0
  }
}

async function checkWebhook({ livemode }: PaymentProvider, environment: NodeJS.ProcessEnv): Promise<Finding> {
  const secretKey = environment['STRIPE_SECRET_KEY']?.trim() ?? ''
  const appUrl = environment['APP_URL'] ?? ''
  if (secretKey === '' || !URL.canParse(appUrl))
    return skipped('looked up only where STRIPE_SECRET_KEY and APP_URL are in the environment')
  const { STRIPE_WEBHOOK_EVENTS } = await import('../../stripe/index.js')
  const { origin } = new URL(appUrl)
  const all = await endpointsOf(secretKey, environment['STRIPE_API_URL'] ?? '')
  const missingOf = ({ enabled_events }: Stripe.WebhookEndpoint): string[] => {
    const enabled = new Set<string>(enabled_events)
    return enabled.has('*') ? [] : STRIPE_WEBHOOK_EVENTS.filter((event) => !enabled.has(event))
  }
  const enabled = all
    .filter(({ status }) => status === 'enabled')
    .sort((one, other) => missingOf(one).length - missingOf(other).length)
  const here = enabled.filter((endpoint) => isAt(endpoint, origin))
  const [best] = here
  if (best !== undefined) {
    const missing = missingOf(best)
    if (missing.length > 0)
      return failed(
        `${best.url} lacks ${count(missing.length, 'event')}: ${missing.join(', ')}`,
        `createWebhookEndpoint({ url: '${best.url}' }) adds them, or do it in the Dashboard`,
      )
    const twice = here.length > 1 ? `; ${here.length - 1} more at ${origin}` : ''
    return ok(`${best.url} gets all ${STRIPE_WEBHOOK_EVENTS.length} events${twice}`)
  }
  const disabled = all.find((endpoint) => isAt(endpoint, origin))
  if (disabled !== undefined)
    return failed(`Stripe has disabled ${disabled.url}`, 'put right why it failed, then enable it in the Dashboard')
  const elsewhere = enabled.find((endpoint) => missingOf(endpoint).length === 0)
  if (elsewhere !== undefined)
    return warning(
      `none at ${origin} (APP_URL); ${elsewhere.url} gets all events`,
      'if that is not this app: createWebhookEndpoint({ url })',
    )
  const message = `Stripe knows no webhook at ${origin} (APP_URL): nobody will get the credits they pay for`
  return livemode
    ? failed(message, 'createWebhookEndpoint({ url }) from creditkit/adapters/stripe makes it')
    : warning(
        message,
        'on your machine: npx creditkit dev, or stripe listen --forward-to; else createWebhookEndpoint({ url })',
      )
}

async function endpointsOf(secretKey: string, apiUrl: string): Promise<Stripe.WebhookEndpoint[]> {
  const { newClient } = await import('../../stripe/settings.js')
  const { askAll } = await import('../../stripe/stripe-calls.js')
  const { webhookEndpoints } = newClient(secretKey, apiUrl === '' ? null : new URL(apiUrl))
  return askAll((range) => webhookEndpoints.list(range))
}

function isAt({ url }: Stripe.WebhookEndpoint, origin: string): boolean {
  return URL.canParse(url) && new URL(url).origin === origin
}
