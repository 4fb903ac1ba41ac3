import Stripe from 'stripe'
import { PaymentsNotConfiguredError } from '../../src/errors.js'
import { resolveUrl } from './return-url.js'

/**
 * What `stripePayments` takes. Required are a key or client, a webhook secret and `appUrl`, here or in the environment;
 * all is checked at once. Return URLs may be relative to `appUrl`.
 */
export interface StripePaymentsOptions {
  /** Your own client, used as it is. Default: one with a timeout of 15 s and two retries. */
  stripe?: Stripe | undefined
  /** `sk_…` or a restricted `rk_…` key. Default: `STRIPE_SECRET_KEY`. */
  secretKey?: string | undefined
  /** Another address of the API, for a local Stripe; only with test keys. Default: `STRIPE_API_URL`, else Stripe's own. */
  apiUrl?: string | undefined
  /** `whsec_…` of your webhook endpoint; several while you roll it. Default: `STRIPE_WEBHOOK_SECRET`. */
  webhookSecret?: string | readonly string[] | undefined
  /** Where your app is served; buyers are sent back only to its origin. Default: `APP_URL`. */
  appUrl?: string | undefined
  /** More origins that buyers may be sent back to, such as `https://shop.example.com`. */
  allowedOrigins?: readonly string[] | undefined
  /** Default page after paying; default `/?checkout=success&session_id={CHECKOUT_SESSION_ID}` under `appUrl`. */
  successUrl?: string | undefined
  /** Default page after giving up; default `/?checkout=cancelled` under `appUrl`. */
  cancelUrl?: string | undefined
  /** `pk_…`, for embedded checkouts. Default: `STRIPE_PUBLISHABLE_KEY`; without one they are refused. */
  publishableKey?: string | undefined
  /** May buyers enter promotion codes? Default false. */
  promotionCodes?: boolean | undefined
  /** Lets Stripe Tax add taxes; set it up in the Dashboard first. Default false. */
  automaticTax?: boolean | undefined
  /** Where the billing portal leads back to; default `appUrl`. */
  portalReturnUrl?: string | undefined
  /** Links a user to an existing Stripe customer, or fills in the email address. */
  customer?: ((userId: string) => Promise<LinkedCustomer | null | undefined>) | undefined
  /** Real money? Events of the other mode are ignored. Default: told from the key's prefix. */
  livemode?: boolean | undefined
  /** Connected account (`acct_…`) to sell for; events of other accounts are ignored. Default: the key's own account. */
  account?: string | undefined
  /** Marks our objects in a Stripe account that other apps share. Default: `creditkit`. */
  app?: string | undefined
}

/**
 * What the option `customer` says of a user: an `id` to use, or the `email` of the customer that is made. Asked when a
 * user first needs a customer, and when the customer was deleted at Stripe; null: make one without an address.
 */
export interface LinkedCustomer {
  /** `cus_…` of the same mode and account. */
  id?: string | undefined
  /** Looked at only where there is no `id`. */
  email?: string | undefined
}

/** The options with their defaults in, checked. */
export interface StripeSettings {
  stripe: Stripe
  webhookSecrets: readonly string[]
  appUrl: URL
  /** As in `URL.origin`. */
  allowedOrigins: ReadonlySet<string>
  successUrl: string
  cancelUrl: string
  portalReturnUrl: string
  publishableKey: string | null
  promotionCodes: boolean
  automaticTax: boolean
  customer: (userId: string) => Promise<LinkedCustomer | null | undefined>
  livemode: boolean
  account: string | null
  app: string
  /** Passed with each call. The SDK before version 19 refuses an empty object here. */
  requestOptions: { stripeAccount: string } | undefined
}

/**
 * Read the options and the environment.
 * @throws {PaymentsNotConfiguredError} Names everything that is missing or wrong at once, and never shows a value.
 */
export function resolveSettings(options: StripePaymentsOptions): StripeSettings {
  const problems: string[] = []
  const secretKey = readSecretKey(options, problems)
  const webhookSecrets = readWebhookSecrets(options, problems)
  const appUrl = readAppUrl(options, problems)
  const apiUrl = readApiUrl(options, secretKey, problems)
  const publishableKey = readPublishableKey(options, problems)
  const livemode =
    options.livemode ?? livemodeOf(secretKey ?? keyOf(options.stripe) ?? environment('STRIPE_SECRET_KEY'))
  if (livemode === null && problems.length === 0) {
    problems.push("set the option `livemode`, since the client's key does not tell the mode")
  }
  if (problems.length > 0 || !appUrl || livemode === null) throw notConfigured(problems)

  const allowedOrigins = readOrigins(appUrl, options.allowedOrigins ?? [], problems)
  if (publishableKey?.startsWith(livemode ? 'pk_test_' : 'pk_live_')) {
    problems.push('STRIPE_PUBLISHABLE_KEY (option publishableKey) is of the other mode than the secret key')
  }
  const returnUrl = (name: 'successUrl' | 'cancelUrl' | 'portalReturnUrl', fallback: string) => {
    const resolved = resolveUrl(options[name] ?? fallback, appUrl, allowedOrigins)
    if (resolved === null) problems.push(`${name} must be on the origin of appUrl or on one of allowedOrigins`)
    return resolved ?? fallback
  }
  const successUrl = returnUrl('successUrl', '?checkout=success&session_id={CHECKOUT_SESSION_ID}')
  const cancelUrl = returnUrl('cancelUrl', '?checkout=cancelled')
  const portalReturnUrl = returnUrl('portalReturnUrl', '')
  if (problems.length > 0) throw notConfigured(problems)

  return {
    stripe: options.stripe ?? newClient(secretKey ?? '', apiUrl),
    webhookSecrets,
    appUrl,
    allowedOrigins,
    successUrl,
    cancelUrl,
    portalReturnUrl,
    publishableKey,
    promotionCodes: options.promotionCodes ?? false,
    automaticTax: options.automaticTax ?? false,
    customer: options.customer ?? (() => Promise.resolve(null)),
    livemode,
    account: options.account ?? null,
    app: options.app ?? 'creditkit',
    requestOptions: options.account ? { stripeAccount: options.account } : undefined,
  }
}

/** Our own client: 15 s for each of at most three attempts, so that every call ends. */
export function newClient(secretKey: string, apiUrl: URL | null = null): Stripe {
  const config: Stripe.StripeConfig = { timeout: 15_000, maxNetworkRetries: 2, appInfo: { name: 'creditkit' } }
  if (apiUrl !== null) {
    config.host = apiUrl.hostname
    config.protocol = apiUrl.protocol === 'http:' ? 'http' : 'https'
    if (apiUrl.port !== '') config.port = apiUrl.port
  }
  return new Stripe(secretKey, config)
}

/** The key, or null when the host brings a client of its own and no key. Surrounding white space is an accident. */
export function readSecretKey(
  options: Pick<StripePaymentsOptions, 'stripe' | 'secretKey'>,
  problems: string[],
): string | null {
  if (options.stripe && options.secretKey === undefined) return null
  const key = (options.secretKey ?? environment('STRIPE_SECRET_KEY') ?? '').trim()
  if (key === '') problems.push('STRIPE_SECRET_KEY (option secretKey) is missing or blank')
  else if (/\s/.test(key)) problems.push('STRIPE_SECRET_KEY (option secretKey) contains white space')
  else if (/^(pk|whsec)_/.test(key)) problems.push('STRIPE_SECRET_KEY (option secretKey) must be an sk_… or rk_… key')
  return key
}

export function notConfigured(problems: readonly string[]): PaymentsNotConfiguredError {
  return new PaymentsNotConfiguredError(`Stripe payments are not configured: ${problems.join('; ')}`)
}

/** Where a local Stripe listens; null: Stripe itself. Real money goes nowhere else. */
function readApiUrl({ apiUrl }: StripePaymentsOptions, secretKey: string | null, problems: string[]): URL | null {
  const given = (apiUrl ?? environment('STRIPE_API_URL') ?? '').trim()
  if (given === '') return null
  const url = URL.canParse(given) ? new URL(given) : null
  if (url === null || !isPlainWebUrl(url))
    problems.push('STRIPE_API_URL (option apiUrl) must be an absolute http(s) URL')
  if (livemodeOf(secretKey) === true) problems.push('STRIPE_API_URL (option apiUrl) must not be set with a live key')
  return url
}

function readWebhookSecrets({ webhookSecret }: StripePaymentsOptions, problems: string[]): readonly string[] {
  const given = webhookSecret ?? environment('STRIPE_WEBHOOK_SECRET') ?? ''
  const secrets = (typeof given === 'string' ? [given] : given).map((secret) => secret.trim())
  const name = 'STRIPE_WEBHOOK_SECRET (option webhookSecret)'
  if (secrets.length === 0 || secrets.includes('')) problems.push(`${name} is missing or blank`)
  else if (secrets.some((secret) => /\s/.test(secret))) problems.push(`${name} contains white space`)
  else if (secrets.some((secret) => /^[sprk]k_/.test(secret))) problems.push(`${name} must be a whsec_… secret`)
  return secrets
}

function readPublishableKey({ publishableKey }: StripePaymentsOptions, problems: string[]): string | null {
  const key = (publishableKey ?? environment('STRIPE_PUBLISHABLE_KEY') ?? '').trim()
  if (key === '') return null
  if (!/^pk_\S+$/.test(key)) problems.push('STRIPE_PUBLISHABLE_KEY (option publishableKey) must be a pk_… key')
  return key
}

function readAppUrl(options: StripePaymentsOptions, problems: string[]): URL | null {
  const given = (options.appUrl ?? environment('APP_URL') ?? '').trim()
  if (given === '') problems.push('APP_URL (option appUrl) is missing or blank')
  else if (!URL.canParse(given)) problems.push('APP_URL (option appUrl) must be an absolute URL')
  else {
    const url = new URL(given)
    if (isPlainWebUrl(url)) return asFolder(url)
    problems.push('APP_URL (option appUrl) must be an http(s) URL without user name and password')
  }
  return null
}

function readOrigins(appUrl: URL, more: readonly string[], problems: string[]): ReadonlySet<string> {
  const origins = new Set([appUrl.origin])
  for (const origin of more) {
    if (URL.canParse(origin) && isPlainWebUrl(new URL(origin))) origins.add(new URL(origin).origin)
    else problems.push('allowedOrigins must hold http(s) origins such as https://shop.example.com')
  }
  return origins
}

function isPlainWebUrl({ protocol, username, password }: URL): boolean {
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === ''
}

/** With a trailing slash and nothing after it, so that relative paths resolve below it. */
function asFolder(url: URL): URL {
  const folder = new URL(url.origin)
  folder.pathname = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`
  return folder
}

/** `sk_live_…` and `rk_live_…` move real money; null when the key does not tell. */
function livemodeOf(key: string | null): boolean | null {
  const mode = /^\s*(?:sk|rk)_(live|test)_/.exec(key ?? '')?.[1]
  if (mode === undefined) return null
  return mode === 'live'
}

/** The key inside a client: the SDK keeps it in a private place that has not moved since version 17. */
function keyOf(stripe: Stripe | undefined): string | null {
  // The driver's edge: undeclared, so everything about it is doubted.
  const { _authenticator } = (stripe ?? {}) as { _authenticator?: { _apiKey?: unknown } | null }
  const key = _authenticator?._apiKey
  return typeof key === 'string' ? key : null
}

function environment(name: string): string | null {
  // Edge runtimes may have no `process`.
  return typeof process === 'undefined' ? null : (process.env[name] ?? null)
}
