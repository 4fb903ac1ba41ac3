import Stripe from 'stripe'

/** How `signedWebhook` addresses and dates the request. */
export interface SignedWebhookOptions {
  /** Where the request is addressed to; default `http://localhost/webhooks/stripe`. */
  url?: string
  /** When it was signed, in seconds since 1970; default now. Stripe's SDK refuses signatures older than 300 seconds. */
  timestamp?: number
}

/**
 * A webhook request as Stripe sends it: POST, JSON body, `stripe-signature` over exactly those bytes.
 *
 * @param event The event, or any text to sign as it is (for tests of bodies that are no events).
 * @param secret The endpoint's secret (`whsec_…`). Several secrets give one signature each, as while Stripe rolls a secret.
 */
export async function signedWebhook(
  event: object | string,
  secret: string | readonly string[],
  options: SignedWebhookOptions = {},
): Promise<Request> {
  const body = typeof event === 'string' ? event : JSON.stringify(event)
  const url = options.url ?? 'http://localhost/webhooks/stripe'
  const secrets = typeof secret === 'string' ? [secret] : secret
  return new Request(url, { method: 'POST', headers: await webhookHeaders(body, secrets, options.timestamp), body })
}

/** The headers Stripe sends with `body`. `timestamp` in seconds; default now. */
export async function webhookHeaders(
  body: string,
  secrets: readonly string[],
  timestamp = Math.floor(Date.now() / 1000),
): Promise<Record<string, string>> {
  const signatures: string[] = []
  for (const secret of secrets) {
    const header = await Stripe.webhooks.generateTestHeaderStringAsync({ payload: body, secret, timestamp })
    signatures.push(header.slice(header.indexOf('v1=')))
  }
  return {
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    'stripe-signature': [`t=${timestamp}`, ...signatures].join(','),
  }
}
