import type { Expandable } from '../expand.js'
import type { Resource, Route } from '../routes.js'
import { balanceTransactions } from './balance-transactions.js'
import { charges } from './charges.js'
import { checkoutSessions } from './checkout-sessions.js'
import { coupons } from './coupons.js'
import { customers } from './customers.js'
import { disputes } from './disputes.js'
import { events } from './events.js'
import { invoiceItems } from './invoice-items.js'
import { invoicePayments } from './invoice-payments.js'
import { invoices } from './invoices.js'
import { paymentIntents } from './payment-intents.js'
import { paymentMethods } from './payment-methods.js'
import { paymentPages } from './payment-pages.js'
import { portalSessions } from './portal-sessions.js'
import { prices } from './prices.js'
import { products } from './products.js'
import { refunds } from './refunds.js'
import { setupIntents } from './setup-intents.js'
import { subscriptionItems } from './subscription-items.js'
import { subscriptions } from './subscriptions.js'
import { testClocks } from './test-clocks.js'
import { webhookEndpoints } from './webhook-endpoints.js'

/** The whole API. A new resource is a file beside this one and a line here. */
const resources: readonly Resource[] = [
  balanceTransactions,
  charges,
  checkoutSessions,
  coupons,
  customers,
  disputes,
  events,
  invoiceItems,
  invoicePayments,
  invoices,
  paymentIntents,
  paymentMethods,
  paymentPages,
  portalSessions,
  prices,
  products,
  refunds,
  setupIntents,
  subscriptionItems,
  subscriptions,
  testClocks,
  webhookEndpoints,
]

export const routes: readonly Route[] = resources.flatMap((resource) => resource.routes)

export const expandable: Expandable = Object.assign(
  {},
  ...resources.map((resource) => resource.expandable),
) as Expandable
