import type Stripe from 'stripe'
import * as rule from '../parameters.js'
import type { Rules } from '../parameters.js'
import { discountsRule } from './subscription-rules.js'

/** What creating and updating an invoice have in common. */
const shared = {
  account_tax_ids: rule.ignored,
  application_fee_amount: rule.unsupported,
  auto_advance: rule.boolean,
  automatic_tax: rule.objectOf<Stripe.InvoiceCreateParams.AutomaticTax>({
    enabled: rule.required(rule.boolean),
    liability: rule.unsupported,
  }),
  automatically_finalizes_at: rule.unsupported,
  collection_method: rule.oneOf('charge_automatically', 'send_invoice'),
  custom_fields: rule.ignored,
  days_until_due: rule.integer(0),
  default_payment_method: rule.text(),
  default_source: rule.unsupported,
  default_tax_rates: rule.unsupported,
  description: rule.text(1_500),
  discounts: discountsRule,
  due_date: rule.unsupported,
  effective_at: rule.ignored,
  expand: rule.expand,
  footer: rule.ignored,
  issuer: rule.unsupported,
  metadata: rule.metadata,
  number: rule.unsupported,
  on_behalf_of: rule.unsupported,
  payment_settings: rule.ignored,
  rendering: rule.ignored,
  shipping_cost: rule.unsupported,
  shipping_details: rule.ignored,
  statement_descriptor: rule.ignored,
  transfer_data: rule.unsupported,
}

export const createRules: Rules<Stripe.InvoiceCreateParams> = {
  ...shared,
  currency: rule.currency,
  customer: rule.text(),
  customer_account: rule.unsupported,
  from_invoice: rule.unsupported,
  pending_invoice_items_behavior: rule.oneOf('exclude', 'include'),
  subscription: rule.text(),
}

export const updateRules: Rules<Stripe.InvoiceUpdateParams> = {
  ...shared,
  automatic_tax: rule.unsupported,
  collection_method: rule.unsupported,
  days_until_due: rule.unsupported,
  discounts: rule.unsupported,
}

/** Only the next invoice of a subscription as it is; what-if questions are not built. */
export const previewRules: Rules<Stripe.InvoiceCreatePreviewParams> = {
  automatic_tax: rule.unsupported,
  currency: rule.unsupported,
  customer: rule.text(),
  customer_account: rule.unsupported,
  customer_details: rule.unsupported,
  discounts: rule.unsupported,
  expand: rule.expand,
  invoice_items: rule.unsupported,
  issuer: rule.unsupported,
  on_behalf_of: rule.unsupported,
  preview_mode: rule.builtOneOf(['next'], ['recurring']),
  schedule: rule.unsupported,
  schedule_details: rule.unsupported,
  subscription: rule.required(rule.text()),
  subscription_details: rule.unsupported,
}
