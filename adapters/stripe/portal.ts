import { InvalidInputError } from '../../src/errors.js'
import type { CustomerGone } from '../../src/ports/payments.js'
import { resolveUrl } from './return-url.js'
import type { StripeSettings } from './settings.js'
import { askRaw } from './stripe-calls.js'
import { isMissing, translateStripeError } from './stripe-errors.js'

/** Stripe's page where a customer manages subscriptions, cards and invoices. */
export async function createPortalSession(
  { customerId, returnUrl }: { customerId: string; returnUrl: string | null },
  settings: StripeSettings,
): Promise<{ url: string } | CustomerGone> {
  const { stripe, requestOptions, portalReturnUrl, appUrl, allowedOrigins } = settings
  const return_url = returnUrl === null ? portalReturnUrl : resolveUrl(returnUrl, appUrl, allowedOrigins)
  if (return_url === null) {
    throw new InvalidInputError([{ path: 'returnUrl', message: 'must lead to an allowed origin' }])
  }
  try {
    const session = await askRaw('billing_portal.session', () =>
      stripe.billingPortal.sessions.create({ customer: customerId, return_url }, requestOptions),
    )
    return { url: session.url }
  } catch (error) {
    if (isMissing(error, 'customer')) return 'customer_gone'
    throw translateStripeError(error)
  }
}
