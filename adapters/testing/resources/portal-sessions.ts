import type Stripe from 'stripe'
import { reference } from '../expand.js'
import { page } from '../lists.js'
import * as rule from '../parameters.js'
import { route, type Resource } from '../routes.js'
import { idOf, mergeMetadata, type StripeAccount } from '../stripe-account.js'

type Create = Stripe.BillingPortal.SessionCreateParams
type Configuration = Stripe.BillingPortal.Configuration

/** The address of a portal page is this and the session's id. */
export const PORTAL_PATH = '/p/session/'

const namesSubscription = { subscription: rule.required(rule.text()) }

const flowRule = rule.objectOf<Stripe.BillingPortal.SessionCreateParams.FlowData>({
  after_completion: rule.objectOf<Stripe.BillingPortal.SessionCreateParams.FlowData.AfterCompletion>({
    hosted_confirmation: rule.ignored,
    redirect: rule.objectOf({ return_url: rule.required(rule.url) }),
    type: rule.required(rule.oneOf('hosted_confirmation', 'portal_homepage', 'redirect')),
  }),
  subscription_cancel: rule.objectOf<Stripe.BillingPortal.SessionCreateParams.FlowData.SubscriptionCancel>({
    ...namesSubscription,
    retention: rule.unsupported,
  }),
  subscription_pause: rule.objectOf(namesSubscription),
  subscription_update: rule.objectOf(namesSubscription),
  subscription_update_confirm: rule.unsupported,
  type: rule.required(
    rule.builtOneOf(
      ['payment_method_update', 'subscription_cancel', 'subscription_pause', 'subscription_update'],
      ['customer_update', 'subscription_update_confirm'],
    ),
  ),
})

const createSession = route<Create>('POST /v1/billing_portal/sessions', {
  gives: 'billing_portal.session',
  parameters: {
    after_expiration: rule.unsupported,
    configuration: rule.text(),
    customer: rule.required(rule.text()),
    customer_account: rule.unsupported,
    expand: rule.expand,
    flow_data: flowRule,
    locale: rule.text(10),
    on_behalf_of: rule.unsupported,
    return_url: rule.url,
  },
  handle: ({ account, params }) => {
    const customer = account.customer(params.customer ?? '').id
    const configuration =
      params.configuration === undefined
        ? defaultConfiguration(account)
        : account.get('billing_portal.configuration', params.configuration, 'configuration', 400)
    const id = account.newId('bps')
    const session = {
      id,
      object: 'billing_portal.session',
      configuration: configuration.id,
      created: account.now(),
      customer,
      customer_account: null,
      flow: params.flow_data === undefined ? null : flowOf(account, params.flow_data),
      livemode: account.livemode,
      locale: params.locale ?? null,
      on_behalf_of: null,
      return_url: params.return_url ?? configuration.default_return_url,
      url: `${account.url}${PORTAL_PATH}${id}`,
    } satisfies Stripe.BillingPortal.Session
    account.put('billing_portal.session', session)
    account.emit('billing_portal.session.created', session)
    return session
  },
})

function flowOf(
  account: StripeAccount,
  given: Stripe.BillingPortal.SessionCreateParams.FlowData,
): Stripe.BillingPortal.Session.Flow {
  const { subscription_cancel: cancel, subscription_pause: pause, subscription_update: update } = given
  for (const named of [cancel, pause, update]) {
    if (named !== undefined) account.get('subscription', named.subscription, 'flow_data', 400)
  }
  const redirect = given.after_completion?.redirect
  return {
    after_completion: {
      hosted_confirmation: null,
      redirect: redirect === undefined ? null : { return_url: redirect.return_url },
      type: given.after_completion?.type ?? 'portal_homepage',
    },
    customer_update: null,
    subscription_cancel: cancel === undefined ? null : { retention: null, subscription: cancel.subscription },
    subscription_pause: pause === undefined ? null : { subscription: pause.subscription },
    subscription_update: update === undefined ? null : { subscription: update.subscription },
    subscription_update_confirm: null,
    type: given.type,
  }
}

/** Made when it is first needed: real accounts save one in the Dashboard. */
function defaultConfiguration(account: StripeAccount): Configuration {
  const existing = account.all('billing_portal.configuration').find((entry) => entry.is_default)
  if (existing !== undefined) return existing
  const configuration = { ...blankConfiguration(account), is_default: true }
  account.put('billing_portal.configuration', configuration)
  return configuration
}

const createConfiguration = route<Stripe.BillingPortal.ConfigurationCreateParams>(
  'POST /v1/billing_portal/configurations',
  {
    gives: 'billing_portal.configuration',
    parameters: {
      business_profile: rule.ignored,
      default_return_url: rule.emptyable(rule.url),
      expand: rule.expand,
      features: rule.required(rule.ignored),
      login_page: rule.ignored,
      metadata: rule.metadata,
      name: rule.emptyable(rule.text()),
    },
    handle: ({ account, params }) => {
      const configuration = {
        ...blankConfiguration(account),
        default_return_url: params.default_return_url ?? null,
        metadata: mergeMetadata({}, params.metadata),
        name: params.name ?? null,
      }
      account.put('billing_portal.configuration', configuration)
      account.emit('billing_portal.configuration.created', configuration)
      return configuration
    },
  },
)

const listConfigurations = route<Stripe.BillingPortal.ConfigurationListParams>(
  'GET /v1/billing_portal/configurations',
  {
    gives: 'billing_portal.configuration',
    list: true,
    parameters: { ...rule.listRules, active: rule.boolean, is_default: rule.boolean },
    handle: ({ account, params }) => {
      const matching = account
        .all('billing_portal.configuration')
        .filter(({ active }) => params.active === undefined || active === params.active)
        .filter(({ is_default: isDefault }) => params.is_default === undefined || isDefault === params.is_default)
      return page(matching.reverse(), params, '/v1/billing_portal/configurations')
    },
  },
)

/** Every feature is shown as off: the local page only says what it is. */
function blankConfiguration(account: StripeAccount): Configuration {
  return {
    id: account.newId('bpc'),
    object: 'billing_portal.configuration',
    active: true,
    application: null,
    business_profile: { headline: null, privacy_policy_url: null, terms_of_service_url: null },
    created: account.now(),
    default_return_url: null,
    features: {
      customer_update: { allowed_updates: [], enabled: false },
      invoice_history: { enabled: false },
      payment_method_update: { enabled: false, payment_method_configuration: null },
      subscription_cancel: {
        cancellation_reason: { enabled: false, feedback_options: null, options: [] },
        enabled: false,
        mode: 'at_period_end',
        proration_behavior: 'none',
      },
      subscription_pause: { duration: { interval_options: [], type: 'indefinite' }, enabled: false },
      subscription_update: {
        billing_cycle_anchor: null,
        default_allowed_updates: [],
        enabled: false,
        proration_behavior: 'none',
        schedule_at_period_end: { conditions: [] },
        trial_update_behavior: 'end_trial',
      },
    },
    is_default: false,
    livemode: account.livemode,
    login_page: { enabled: false, url: null },
    metadata: {},
    name: null,
    updated: account.now(),
  } satisfies Configuration
}

/** What the portal page shows of a customer. */
export function subscriptionsOf(account: StripeAccount, customer: string): Stripe.Subscription[] {
  return account.all('subscription').filter((subscription) => idOf(subscription.customer) === customer)
}

export const portalSessions: Resource = {
  routes: [createSession, createConfiguration, listConfigurations],
  expandable: { 'billing_portal.session': { configuration: reference('billing_portal.configuration') } },
}
