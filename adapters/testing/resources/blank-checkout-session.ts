import type Stripe from 'stripe'
import { mergeMetadata, type StripeAccount } from '../stripe-account.js'

/** The session without its amounts. `line_items` is not part of it: callers expand or list them. */
export function blankSession(
  account: StripeAccount,
  params: Stripe.Checkout.SessionCreateParams,
  currency: string | null,
): Stripe.Checkout.Session {
  const mode = account.livemode ? 'live' : 'test'
  const id = account.newId(`cs_${mode}`, 58)
  const uiMode = params.ui_mode ?? 'hosted_page'
  const isSubscription = params.mode === 'subscription'
  const automaticTax = params.automatic_tax?.enabled ?? false
  return {
    id,
    object: 'checkout.session',
    ...notUsed(),
    allow_promotion_codes: params.allow_promotion_codes ?? null,
    allowed_payment_method_types: params.allowed_payment_method_types ?? null,
    amount_subtotal: params.mode === 'setup' ? null : 0,
    amount_total: params.mode === 'setup' ? null : 0,
    automatic_tax: {
      enabled: automaticTax,
      liability: automaticTax ? { type: 'self' } : null,
      provider: automaticTax ? 'stripe' : null,
      status: automaticTax ? 'complete' : null,
    },
    billing_address_collection: params.billing_address_collection ?? null,
    cancel_url: params.cancel_url ?? null,
    client_reference_id: params.client_reference_id ?? null,
    client_secret: uiMode === 'hosted_page' ? null : `${id}_${account.newId('secret')}`,
    created: account.now(),
    currency,
    customer: null,
    customer_creation: params.customer === undefined ? customerCreation(params) : null,
    customer_details: null,
    customer_email: params.customer_email ?? null,
    discounts: [],
    expires_at: params.expires_at ?? account.now() + 24 * 60 * 60,
    integration_identifier: params.integration_identifier ?? null,
    livemode: account.livemode,
    locale: params.locale ?? null,
    metadata: mergeMetadata({}, params.metadata),
    mode: params.mode ?? 'payment',
    origin_context: params.origin_context ?? null,
    payment_intent: null,
    payment_method_types: params.allowed_payment_method_types ?? ['card', 'us_bank_account'],
    payment_method_collection: params.payment_method_collection ?? (isSubscription ? 'always' : 'if_required'),
    payment_status: params.mode === 'setup' ? 'no_payment_required' : 'unpaid',
    ...(params.redirect_on_completion !== undefined && { redirect_on_completion: params.redirect_on_completion }),
    ...(params.return_url !== undefined && { return_url: params.return_url }),
    status: 'open',
    submit_type: params.submit_type ?? null,
    success_url: params.success_url ?? null,
    total_details: null,
    ui_mode: uiMode,
    url: uiMode === 'hosted_page' ? `${account.url}/c/pay/${id}` : null,
  } satisfies Stripe.Checkout.Session
}

/** A subscription always needs a customer. */
function customerCreation({ mode, customer_creation: given }: Stripe.Checkout.SessionCreateParams) {
  return mode === 'subscription' ? 'always' : (given ?? 'if_required')
}

/** What no session of this server uses. */
function notUsed() {
  return {
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer_account: null,
    invoice: null,
    invoice_creation: {
      enabled: false,
      invoice_data: {
        account_tax_ids: null,
        custom_fields: null,
        description: null,
        footer: null,
        issuer: null,
        metadata: {},
        rendering_options: null,
      },
    },
    managed_payments: null,
    payment_link: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    subscription: null,
    wallet_options: null,
  } satisfies Partial<Stripe.Checkout.Session>
}
